"""The Marketplace images that Batch takes, and which node agent goes with which.

Source: the answers of ``GET /supportedimages`` in recorded traffic, in ``data/supported_images.json``.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.arm.open_world import OLD_IMAGES, has_retired
from batchimg_magics.emulator.batch.rest import paging
from batchimg_magics.emulator.batch.rest.errors import bad_property
from batchimg_magics.emulator.http.messages import Reply, Routes
from batchimg_magics.emulator.world.clock import parse_timestamp
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.http.messages import Call
    from batchimg_magics.emulator.world.store import Store

routes = Routes("batch")
evidence = Evidence("Marketplace images")
evidence.rule(
    "From its end of life on an image makes no pools.",
    "documented; but pools of Ubuntu 18.04 were recorded in January 2025, 20 months after it",
)


@dataclass(frozen=True, slots=True)
class SupportedImage:
    """One Marketplace image.

    Parameters
    ----------
    document
        As the data plane shows it.
    ends
        When Batch stops taking it, in seconds since 1970; None when no date is set.
    listed
        Whether the list of supported images has it.
    """

    document: dict[str, Any]
    end_of_life: float | None
    listed: bool

    @property
    def agent(self) -> str:
        """The node agent SKU that goes with it."""
        return str(self.document["nodeAgentSKUId"])

    @property
    def os(self) -> str:
        """``linux`` or ``windows``."""
        return str(self.document["osType"])

    @property
    def generation(self) -> str:
        """``V1`` or ``V2``."""
        return "V2" if "Generation2VMImage" in self.document.get("capabilities", ()) else "V1"

    @property
    def architecture(self) -> str:
        """``x64`` or ``Arm64``."""
        return "Arm64" if self.agent.endswith("arm64") else "x64"


@functools.cache
def _images() -> dict[tuple[str, str, str], SupportedImage]:
    file = resources.files("batchimg_magics.emulator.catalog") / "data" / "supported_images.json"
    return {_key(row): _image(row) for row in msgspec.json.decode(file.read_bytes())["images"]}


def _key(reference: dict[str, Any]) -> tuple[str, str, str]:
    publisher, offer, sku = (str(reference.get(part, "")).lower() for part in ("publisher", "offer", "sku"))
    return publisher, offer, sku


def _image(row: dict[str, Any]) -> SupportedImage:
    row = dict(row)
    listed = row.pop("listed", True)
    reference = {part: row.pop(part) for part in ("publisher", "offer", "sku")} | {"version": "latest"}
    ends = row.get("batchSupportEndOfLife")
    return SupportedImage({"imageReference": reference, **row}, parse_timestamp(ends) if ends else None, listed)


def find(reference: dict[str, Any]) -> SupportedImage | None:
    """Return the Marketplace image of a reference, None when Batch does not support it."""
    return _images().get(_key(reference))


@functools.cache
def agents() -> dict[str, str]:
    """Return node agent SKU in lower case -> the OS it runs on."""
    return {image.agent.lower(): image.os for image in _images().values()}


def check_image(store: Store, now: float, reference: dict[str, Any], agent: str) -> SupportedImage:
    """Return the Marketplace image of a pool, or refuse it.

    Past its end of life an image is refused, as documented. The switch is `retirement.OLD_IMAGES`.

    Parameters
    ----------
    world, now
        The world and its time.
    reference
        The pool's imageReference.
    agent
        The pool's node agent SKU.
    """
    image = find(reference)
    if image is None or (image.end_of_life is not None and has_retired(store, OLD_IMAGES, now, image.end_of_life)):
        publisher, offer, sku = (reference.get(part, "") for part in ("publisher", "offer", "sku"))
        reason = f"The specified imageReference with publisher {publisher} offer {offer} sku {sku} is not supported."
        raise bad_property("imageReference", None, reason)
    if agent.lower() != image.agent.lower():
        reason = f"The specified imageReference needs the node agent SKU {image.agent}"
        raise bad_property("nodeAgentSKUId", agent, reason)
    return image


@routes.on("GET", "/supportedimages")
def list_images(call: Call) -> Reply:
    """List what Batch supports."""
    rows = [image.document for image in _images().values() if image.listed]
    return paging.page(call, "supportedimages", rows, key=lambda row: "|".join(_key(row["imageReference"])))
