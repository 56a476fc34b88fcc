"""The Marketplace images of Microsoft.Compute: publishers, offers, SKUs and versions.

Source: the images that Batch supports (recorded), the aliases of the Azure CLI, and some with a purchase plan. They are
in ``data/platform_images.json``.
"""

from __future__ import annotations

import functools
from importlib import resources
from typing import Any, Literal

import msgspec

from batchimg_magics.emulator.catalog.disk_skus import OS_DISK_GIB
from batchimg_magics.emulator.world.evidence import Evidence

evidence = Evidence("Marketplace images")
evidence.rule(
    "The Marketplace has the images that Batch supports, those of the Azure CLI's aliases, and few others, each with "
    "one or two versions; every region has all of them.",
    "Azure has some ten thousand; the numbers of the versions have the publishers' form, but are not real",
)


class PlatformImage(msgspec.Struct, frozen=True):
    """One SKU of an offer.

    Parameters
    ----------
    publisher, offer, sku
        As Azure spells them.
    os, generation, architecture
        In Azure's words.
    security
        The feature ``SecurityType``; empty without it.
    versions
        The names of its versions, the oldest first.
    plan
        Name, publisher and product of its purchase plan; empty for none.
    os_disk_gib
        Size of its OS disk; 0: the usual one.
    """

    publisher: str
    offer: str
    sku: str
    os: Literal["Linux", "Windows"]
    generation: str
    architecture: str
    security: str
    versions: list[str]
    plan: dict[str, str] = {}
    os_disk_gib: int = 0

    @property
    def disk_gib(self) -> int:
        """Size of the OS disk in GiB."""
        return self.os_disk_gib or OS_DISK_GIB[self.os]

    @property
    def latest(self) -> str:
        """The name of the newest version."""
        return self.versions[-1]

    def features(self) -> list[dict[str, str]]:
        """Return the features in the document of a version."""
        found = [{"name": "SecurityType", "value": self.security}] if self.security else []
        found.append({"name": "IsAcceleratedNetworkSupported", "value": "True"})
        found.append({"name": "DiskControllerTypes", "value": "SCSI, NVMe" if self.generation == "V2" else "SCSI"})
        hibernates = "True" if self.generation == "V2" and self.architecture == "x64" else "False"
        return [*found, {"name": "IsHibernateSupported", "value": hibernates}]

    def capabilities(self) -> dict[str, Any]:
        """Return the ``supportedCapabilities`` of an OS disk of the image."""
        controllers = "SCSI, NVMe" if self.generation == "V2" else "SCSI"
        return {"diskControllerTypes": controllers, "acceleratedNetwork": True, "architecture": self.architecture}

    def disk_facts(self) -> dict[str, Any]:
        """Return the properties that an OS disk takes over from the image."""
        hibernates = {"supportsHibernation": True} if self.generation == "V2" and self.architecture == "x64" else {}
        known = {"osType": self.os, "hyperVGeneration": self.generation, **hibernates}
        return known | {"supportedCapabilities": self.capabilities()}


@functools.cache
def platform_images() -> dict[tuple[str, str, str], PlatformImage]:
    """Return the images by (publisher, offer, SKU) in lower case, in order."""
    file = resources.files("batchimg_magics.emulator.catalog") / "data" / "platform_images.json"
    rows = msgspec.json.decode(file.read_bytes(), type=list[PlatformImage])
    return {(row.publisher.lower(), row.offer.lower(), row.sku.lower()): row for row in rows}


def find_image(publisher: str, offer: str, sku: str) -> PlatformImage | None:
    """Return an image by its names, regardless of case, or None."""
    return platform_images().get((publisher.lower(), offer.lower(), sku.lower()))


def version_id(subscription: str, region: str, image: PlatformImage, version: str) -> str:
    """Return the id of a version, as OS disks refer to it."""
    return f"{publisher_id(subscription, region, image.publisher)}{_below(image)}/Versions/{version}"


def publisher_id(subscription: str, region: str, publisher: str) -> str:
    """Return the id of a publisher in a region."""
    return f"/Subscriptions/{subscription}/Providers/Microsoft.Compute/Locations/{region}/Publishers/{publisher}"


def _below(image: PlatformImage) -> str:
    return f"/ArtifactTypes/VMImage/Offers/{image.offer}/Skus/{image.sku}"
