"""Azure Compute Gallery: the gallery, its image definitions, their versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.azure import polling, read_cache, tags
from batchimg_magics.core.azure.documents import dig, document, wire
from batchimg_magics.core.compute.replication import sdk_arguments
from batchimg_magics.errors import ConflictError, NotFoundError, ServiceError
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.compute.image_source import Source

#: Median seconds. Source: recordings, FACTS 6; a gallery and a definition took well under a second.
EXPECTED_S = {"gallery": 1.0, "definition": 1.0, "version": 438.0, "delete version": 90.0}


def gallery_id(azure: Azure, adopted: str | None = None) -> ResourceId:
    """Return the id of the gallery for this account's images, or of the one that the researcher has for them."""
    if adopted is not None:
        return ResourceId.parse(adopted)
    return azure.scope.compute_id(("galleries", tags.gallery_name(azure.scope.account)))


def definition_id(azure: Azure, pool: str, adopted: str | None = None) -> ResourceId:
    """Return the id of the image definition for a pool's image."""
    return gallery_id(azure, adopted).child("images", pool)


# -- gallery -----------------------------------------------------------------------------------------------------


async def read_gallery(azure: Azure, gallery: ResourceId) -> Json | None:
    """Return a gallery's document, or None."""
    found = await azure.call_or_none(azure.compute_for(gallery).galleries.get(gallery.resource_group, gallery.name))
    return None if found is None else document(found)


async def read_gallery_cached(azure: Azure, gallery: ResourceId) -> Json | None:
    """Return a gallery's document as it was a moment ago, or None."""
    return await read_cache.get_or_read(azure, str(gallery), lambda: read_gallery(azure, gallery))


async def make_gallery(azure: Azure, gallery: ResourceId, region: str, *, adopted: bool = False) -> bool:
    """See to it that the gallery is there; tell whether it was made, and not found.

    Raises
    ------
    NotFoundError
        One that the researcher named is not there: only our own is made.
    """
    what = f"gallery {gallery.name}"
    if await read_gallery_cached(azure, gallery) is not None:

        async def poll() -> Json:
            found = await azure.call(azure.compute_for(gallery).galleries.get(gallery.resource_group, gallery.name))
            return document(found)

        await polling.wait_until_provisioned(azure, poll, what=what)
        return False
    if adopted:
        raise gallery_not_found_error(gallery)
    body = {
        "location": region,
        "tags": {tags.ACCOUNT: azure.scope.account, **tags.tool_tags()},
        "properties": {"description": f"Images of Batch account {azure.scope.account}"},
    }
    begin = azure.compute.galleries.begin_create_or_update(
        gallery.resource_group, gallery.name, wire(body), **polling.NO_POLLING
    )
    await polling.create_and_wait(azure, begin, what=what, resource_id=str(gallery))
    return True


def gallery_not_found_error(gallery: ResourceId) -> NotFoundError:
    """Return the error for a gallery that the researcher named and that is not there."""
    return NotFoundError(
        f"there is no gallery {gallery.name!r} in resource group {gallery.resource_group!r}",
        hint="leave out --gallery: the account's own one is made where it is needed",
        status_code=404,
    )


# -- definition --------------------------------------------------------------------------------------------------


async def read_definition(azure: Azure, definition: ResourceId) -> Json | None:
    """Return an image definition's document, or None."""
    found = await azure.call_or_none(azure.compute_for(definition).gallery_images.get(**sdk_arguments(definition)))
    return None if found is None else document(found)


async def read_definition_cached(azure: Azure, definition: ResourceId) -> Json | None:
    """Return an image definition's document as it was a moment ago, or None."""
    return await read_cache.get_or_read(azure, str(definition), lambda: read_definition(azure, definition))


def definition_body(pool: str, source: Source, tags: Mapping[str, str]) -> Json:
    """Return the definition for images of a VM of this kind.

    Generation, architecture and security type are always said: what Azure takes where they are not depends on the
    api-version (from galleries 2025-03-03 on it is V2 and TrustedLaunchSupported). A purchase plan is carried on, and
    sizes that have NVMe alone take no image that does not say that it boots from it. Source: FACTS 2.
    """
    features = [{"name": "SecurityType", "value": source.security_type}]
    if "nvme" in source.controllers.lower():
        features.append({"name": "DiskControllerTypes", "value": source.controllers})
    return {
        "location": source.region,
        "tags": dict(tags),
        "properties": {
            "osType": source.os_type,
            "osState": "Generalized",
            "hyperVGeneration": source.generation,
            "architecture": source.architecture,
            "identifier": {"publisher": "batchimg", "offer": source.os_type.lower(), "sku": pool},
            "features": features,
            **({"purchasePlan": source.plan} if source.plan else {}),
        },
    }


#: What of a definition cannot be changed once it is there: the words for it, and the path.
_FIXED_PROPERTIES = {
    "operating system": ("osType",),
    "generation": ("hyperVGeneration",),
    "architecture": ("architecture",),
}


def definition_differences(found: Json, wanted: Json) -> list[str]:
    """Return in words how a definition that is there differs from the wanted one where it matters."""
    parts = [
        f"{words} is {dig(found, 'properties', *path)}, wanted {dig(wanted, 'properties', *path)}"
        for words, path in _FIXED_PROPERTIES.items()
        if str(dig(found, "properties", *path)).lower() != str(dig(wanted, "properties", *path)).lower()
    ]
    if (there := security_of(found)) != (here := security_of(wanted)):
        parts.append(f"security type is {there}, wanted {here}")
    carried, asked = (plan_words(dig(one, "properties", "purchasePlan")) for one in (found, wanted))
    if carried.lower() != asked.lower():
        parts.append(f"purchase plan is {carried or 'none'}, wanted {asked or 'none'}")
    return parts


def plan_words(plan: Json | None) -> str:
    """Return a purchase plan as publisher:product:name; empty for none."""
    return ":".join(str(plan.get(part)) for part in ("publisher", "product", "name")) if plan else ""


def security_of(definition: Json) -> str:
    """Return a definition's security type; Standard where it says nothing."""
    features = dig(definition, "properties", "features") or []
    found = [str(one.get("value")) for one in features if one.get("name") == "SecurityType"]
    return found[0] if found else "Standard"


async def make_definition(azure: Azure, definition: ResourceId, body: Json, *, first: bool = False) -> bool:
    """See to it that the image definition is there; tell whether it was made, and not found.

    Parameters
    ----------
    azure, definition, body
        Where, which, and what it says.
    first
        Whether its gallery was made just now, so that nothing can be in it.

    Raises
    ------
    ConflictError
        One of that name is there and is of another kind.
    """
    what = f"image definition {definition.name}"
    found = None if first else await read_definition(azure, definition)
    if found is not None:
        raise_if_other_kind(definition, found, body)

        async def poll() -> Json:
            return document(
                await azure.call(azure.compute_for(definition).gallery_images.get(**sdk_arguments(definition)))
            )

        await polling.wait_until_provisioned(azure, poll, what=what)
        return False
    begin = azure.compute_for(definition).gallery_images.begin_create_or_update(
        **sdk_arguments(definition), gallery_image=wire(body), **polling.NO_POLLING
    )
    await polling.create_and_wait(azure, begin, what=what, resource_id=str(definition))
    return True


def raise_if_other_kind(definition: ResourceId, found: Json, wanted: Json) -> None:
    """Raise ConflictError when the definition that is there is of another kind than the wanted one."""
    if parts := definition_differences(found, wanted):
        raise ConflictError(
            f"image definition {definition.name!r} is there already and differs: {'; '.join(parts)}",
            hint="Azure cannot change these: choose another name for the pool, or delete that definition",
            status_code=409,
        )


# -- version -----------------------------------------------------------------------------------------------------


# -- deletion ----------------------------------------------------------------------------------------------------


async def delete_definition(azure: Azure, definition: ResourceId) -> None:
    """Delete an image definition and wait until it is gone."""
    begin = azure.compute_for(definition).gallery_images.begin_delete(**sdk_arguments(definition), **polling.NO_POLLING)
    await polling.delete_and_wait(azure, begin, what=f"image definition {definition.name}", resource_id=str(definition))


async def delete_gallery_if_empty(azure: Azure, gallery: ResourceId) -> bool:
    """Delete a gallery of ours that holds nothing any more; tell whether it was deleted."""
    if await azure.list_documents(
        azure.compute_for(gallery).gallery_images.list_by_gallery(gallery.resource_group, gallery.name)
    ):
        return False
    begin = azure.compute_for(gallery).galleries.begin_delete(
        gallery.resource_group, gallery.name, **polling.NO_POLLING
    )
    try:
        await polling.delete_and_wait(azure, begin, what=f"gallery {gallery.name}", resource_id=str(gallery))
    except ServiceError as error:
        if error.status_code != 409:
            raise
        return False  # somebody put an image into it while we looked: it is in use
    return True


def is_made_for_account(gallery: Json | None, account: str) -> bool:
    """Tell whether a gallery was made by this tool for this account."""
    return str(dig(gallery, "tags", tags.ACCOUNT) or "").lower() == account.lower()
