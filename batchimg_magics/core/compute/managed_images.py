"""Managed images: read, created, deleted. One is created for ``--via managed-image`` and for ``--direct``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.azure import polling, resources, tags
from batchimg_magics.core.azure.documents import dig, wire
from batchimg_magics.errors import ConflictError, SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.compute.image_source import Source
    from batchimg_magics.core.compute.storage_profile import StorageProfile
    from batchimg_magics.resource_ids import ResourceId

#: Median seconds. Source: recordings.
EXPECTED_S = 13.0


def image_id(azure: Azure, pool: str, image: str) -> ResourceId:
    """Return the id of the managed image for a pool's image."""
    return azure.scope.compute_id(("images", tags.managed_image_name(pool, image)))


async def read(azure: Azure, image: ResourceId) -> Json | None:
    """Return a managed image's document; None where it does not exist."""
    return await resources.read_or_none(azure, image)


def raise_if_unsupported_source(source: Source) -> None:
    """Raise SpecError where no managed image can be created from an image source.

    Source: Trusted Launch documents: a managed image cannot be made from a TrustedLaunch VM.
    """
    if source.security_type != "Standard":
        raise SpecError(
            f"{source.description} has security type {source.security_type}, and managed images support Standard only",
            hint="leave out --via managed-image and --direct: a gallery image version supports it",
        )


def image_body(source: Source, profile: StorageProfile, tags: Mapping[str, str]) -> Json:
    """Return the body of a managed image with a storage profile, each data disk with its LUN."""
    return {
        "location": source.region,
        "tags": dict(tags),
        "properties": {
            "hyperVGeneration": source.generation,
            "storageProfile": profile.managed_image_body(source.os_type),
        },
    }


async def create_image(azure: Azure, image: ResourceId, wanted: Json) -> bool:
    """Create a managed image unless it exists, and wait for it; return whether it was created.

    Raises
    ------
    ConflictError
        An image with this name exists and has another hash in its tags.
    ProvisioningError
        Azure accepted the request and the creation failed.
    """
    what = f"managed image {image.name}"
    found = await read(azure, image)
    if found is None:
        begin = azure.compute.images.begin_create_or_update(
            image.resource_group, image.name, wire(wanted), **polling.NO_POLLING
        )
        await polling.create_and_wait(azure, begin, what=what, resource_id=str(image))
        return True
    if dig(found, "tags", tags.IMAGE) != wanted["tags"][tags.IMAGE]:
        raise ConflictError(
            f"{what} already exists and is another image",
            hint="choose another name for the pool, or delete that image",
            status_code=409,
        )

    async def poll() -> Json:
        return await resources.read(azure, image)

    await polling.wait_until_provisioned(azure, poll, what=what)
    return False


async def delete(azure: Azure, image: ResourceId) -> None:
    """Delete a managed image and wait until it is deleted."""
    begin = azure.compute.images.begin_delete(image.resource_group, image.name, **polling.NO_POLLING)
    await polling.delete_and_wait(azure, begin, what=f"managed image {image.name}", resource_id=str(image))
