"""The Marketplace images that Batch supports, and their node agent SKUs.

Source: recorded responses of ``GET /supportedimages``, in ``data/supported_images.json``.
"""

from __future__ import annotations

import functools
from importlib import resources
from typing import Any

import msgspec

from batchimg_magics.emulator.world.clock import parse_timestamp


class SupportedImage(msgspec.Struct, frozen=True):
    """One Marketplace image.

    Parameters
    ----------
    document
        As the data plane shows it.
    end_of_life
        When Batch ends the support, in seconds since 1970; None without a date.
    listed
        Whether the list of supported images contains it.
    """

    document: dict[str, Any]
    end_of_life: float | None
    listed: bool

    @property
    def agent(self) -> str:
        """The node agent SKU for the image."""
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
def supported_images() -> dict[tuple[str, str, str], SupportedImage]:
    """Return the Marketplace images by (publisher, offer, SKU) in lower case."""
    file = resources.files("batchimg_magics.emulator.catalog") / "data" / "supported_images.json"
    return {image_key(row): _image(row) for row in msgspec.json.decode(file.read_bytes())["images"]}


def image_key(reference: dict[str, Any]) -> tuple[str, str, str]:
    """Return publisher, offer and SKU of an image reference in lower case."""
    publisher, offer, sku = (str(reference.get(part, "")).lower() for part in ("publisher", "offer", "sku"))
    return publisher, offer, sku


def _image(row: dict[str, Any]) -> SupportedImage:
    row = dict(row)
    listed = row.pop("listed", True)
    reference = {part: row.pop(part) for part in ("publisher", "offer", "sku")} | {"version": "latest"}
    ends = row.get("batchSupportEndOfLife")
    return SupportedImage({"imageReference": reference, **row}, parse_timestamp(ends) if ends else None, listed)


def find(reference: dict[str, Any]) -> SupportedImage | None:
    """Return the Marketplace image of a reference, None if Batch does not support it."""
    return supported_images().get(image_key(reference))


@functools.cache
def node_agents() -> dict[str, str]:
    """Return node agent SKU in lower case -> operating system."""
    return {image.agent.lower(): image.os for image in supported_images().values()}
