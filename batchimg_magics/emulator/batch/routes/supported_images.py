"""The list of Marketplace images that Batch supports, on the data plane."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.emulator.batch.rest import paging
from batchimg_magics.emulator.catalog.marketplace import image_key, supported_images
from batchimg_magics.emulator.http.messages import Reply, Routes

if TYPE_CHECKING:
    from batchimg_magics.emulator.http.messages import Call

routes = Routes("batch")


@routes.on("GET", "/supportedimages")
def list_images(call: Call) -> Reply:
    """List the supported images."""
    rows = [image.document for image in supported_images().values() if image.listed]
    return paging.page(call, "supportedimages", rows, key=lambda row: "|".join(image_key(row["imageReference"])))
