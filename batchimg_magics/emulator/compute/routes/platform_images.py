"""Marketplace images: publishers, offers, SKUs, versions.

Source: Microsoft's OpenAPI of virtual machine images; ids and documents as the Azure CLI's recorded tests have them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm import resources
from batchimg_magics.emulator.arm.bodies import invalid, whole
from batchimg_magics.emulator.catalog import extension_types
from batchimg_magics.emulator.catalog.platform_images import PlatformImage, platform_images, publisher_id, version_id
from batchimg_magics.emulator.compute.model.core_quotas import known_region
from batchimg_magics.emulator.http.messages import Call, Refusal, Reply, Routes

if TYPE_CHECKING:
    from collections.abc import Sequence

_PUBLISHERS = "/subscriptions/{subscription}/providers/Microsoft.Compute/locations/{location}/publishers"
_OFFERS = f"{_PUBLISHERS}/{{publisher}}/artifacttypes/vmimage/offers"
_SKUS = f"{_OFFERS}/{{offer}}/skus"
_VERSIONS = f"{_SKUS}/{{sku}}/versions"
routes = Routes("arm")


def _images(call: Call) -> list[PlatformImage]:
    """Return the images that the path of a request names, or refuse a region or a name that does not exist."""
    resources.need_subscription(call)
    call.params["location"] = known_region(call.params["location"])
    found = list(platform_images().values())
    for name in ("publisher", "offer", "sku"):
        if name in call.params:
            found = [one for one in found if getattr(one, name).lower() == call.params[name].lower()]
    if not found:
        raise Refusal(404, "NotFound", "Artifact: VMImage was not found.")
    return found


def _row(call: Call, name: str, tail: str) -> dict[str, Any]:
    return {"location": call.params["location"], "name": name, "id": tail}


def _publisher_id(call: Call, name: str) -> str:
    return publisher_id(call.params["subscription"], call.params["location"], name)


@routes.on("GET", _PUBLISHERS)
def list_publishers(call: Call) -> Reply:
    """Answer with the publishers of images and of extensions in a region."""
    names = {one.publisher for one in _images(call)} | set(extension_types.publishers().values())
    return Reply(200, [_row(call, name, _publisher_id(call, name)) for name in sorted(names, key=str.lower)])


@routes.on("GET", _OFFERS)
def list_offers(call: Call) -> Reply:
    """Answer with the offers of a publisher."""
    if call.params["publisher"].lower() in extension_types.publishers():
        known_region(call.params["location"])
        return Reply(200, [])
    found = {one.offer: one.publisher for one in _images(call)}
    rows = [
        _row(call, offer, f"{_publisher_id(call, publisher)}/ArtifactTypes/VMImage/Offers/{offer}")
        for offer, publisher in found.items()
    ]
    return Reply(200, rows)


@routes.on("GET", _SKUS)
def list_skus(call: Call) -> Reply:
    """Answer with the SKUs of an offer."""
    rows = [_row(call, one.sku, _version_id(call, one, "").partition("/Versions/")[0]) for one in _images(call)]
    return Reply(200, rows)


def _version_id(call: Call, image: PlatformImage, version: str) -> str:
    return version_id(call.params["subscription"], call.params["location"], image, version)


def requested_names(call: Call, versions: Sequence[str]) -> list[str]:
    """Return versions in the order and number of ``$orderby`` and ``$top``."""
    names = list(versions)
    order = call.query.get("$orderby", "").strip()
    if order and not re.fullmatch(r"name(\s+(asc|desc))?", order, re.IGNORECASE):
        raise invalid("$orderby", f"The value '{order}' of parameter '$orderby' is not supported: only name is.")
    if order.lower().endswith("desc"):
        names.reverse()
    return names[: whole(call.query["$top"], "$top")] if "$top" in call.query else names


@routes.on("GET", _VERSIONS)
def list_versions(call: Call) -> Reply:
    """Answer with the versions of a SKU, in the order and number of ``$orderby`` and ``$top``."""
    (image,) = _images(call)
    names = requested_names(call, image.versions)
    expanded = "properties" in call.query.get("$expand", "").lower()
    rows = [
        _version(call, image, name) if expanded else _row(call, name, _version_id(call, image, name)) for name in names
    ]
    return Reply(200, rows)


@routes.on("GET", f"{_VERSIONS}/{{version}}")
def get_version(call: Call) -> Reply:
    """Answer with one version."""
    (image,) = _images(call)
    name = call.params["version"]
    if name.lower() == "latest":
        name = image.latest
    if name not in image.versions:
        raise Refusal(404, "NotFound", "Artifact: VMImage was not found.")
    return Reply(200, _version(call, image, name))


def _version(call: Call, image: PlatformImage, name: str) -> dict[str, Any]:
    properties = {
        "hyperVGeneration": image.generation,
        "architecture": image.architecture,
        "replicaType": "Managed",
        "replicaCount": 10,
        "disallowed": {"vmDiskType": "Unmanaged" if image.generation == "V2" else "None"},
        "automaticOSUpgradeProperties": {"automaticOSUpgradeSupported": not image.plan},
        "imageDeprecationStatus": {"imageState": "Active"},
        "features": image.features(),
        "osDiskImage": {
            "operatingSystem": image.os,
            "sizeInGb": image.disk_gib,
            "sizeInBytes": image.disk_gib * 1024**3 + 512,
        },
        "dataDiskImages": [],
    }
    if image.plan:
        properties["plan"] = image.plan
    return {**_row(call, name, _version_id(call, image, name)), "properties": properties}
