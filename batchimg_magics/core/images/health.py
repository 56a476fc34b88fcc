"""The state of pools' images: a pool whose image is missing cannot grow, and Azure reports it in a resize only.

Source: source document: if the image, or the disk or snapshot of a managed image, does not exist, the
allocation fails with ``AllocationFailed``; an image version needs a replica in the account's region.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.azure import resources
from batchimg_magics.core.base import concurrency
from batchimg_magics.core.batch import pools
from batchimg_magics.core.compute.image_versions import ImageState, image_state
from batchimg_magics.core.compute.lineage import source_ids
from batchimg_magics.errors import ServiceError
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json


async def read_image_states(azure: Azure, found: list[Json]) -> dict[str, ImageState]:
    """Return the states of the images of pools, by image id in lower case.

    Parameters
    ----------
    azure
        The connection.
    found
        Documents of pools in Azure Resource Manager; Marketplace images are not read.
    """
    ids = {image.lower(): image for pool in found if (image := pools.image_of(pool))}
    region = await azure.region() if ids else ""
    states = await concurrency.gather(*(_state(azure, one, region) for one in ids.values()))
    return dict(zip(ids, states, strict=True))


async def _state(azure: Azure, image: str, region: str) -> ImageState:
    try:
        document = await read_resource(azure, image)
        # The VM that a managed image was captured from is not needed; its disks or snapshots are.
        sources = [one for one in source_ids(document or {"id": image, "properties": {}}) if _is_disk(one)]
        source_documents = (
            []
            if "/galleries/" in image.lower()
            else await concurrency.gather(*(read_resource(azure, one) for one in sources))
        )
    except ServiceError:
        return ImageState.UNREADABLE
    found = image_state(document, region)
    return ImageState.SOURCE_MISSING if None in source_documents and found is not ImageState.MISSING else found


def _is_disk(resource: str) -> bool:
    return ResourceId.parse(resource).path[0][0].lower() in ("snapshots", "disks")


async def read_resource(azure: Azure, resource: str) -> Json | None:
    """Return the document of a Microsoft.Compute resource in any subscription; None where it does not exist."""
    return await resources.read_or_none(azure, ResourceId.parse(resource))
