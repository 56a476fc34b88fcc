"""Azure Compute Gallery: galleries and image definitions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import api_versions, polling, read_cache, resources, tags
from batchimg_magics.core.azure.documents import dig, wire
from batchimg_magics.core.compute.image_source import STANDARD
from batchimg_magics.core.compute.replication import sdk_arguments
from batchimg_magics.errors import ConflictError, NotFoundError
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.compute.image_source import Source

#: Median seconds. Source: recordings; a gallery and a definition took less than a second.
EXPECTED_S = {"gallery": 1.0, "definition": 1.0, "version": 438.0, "delete version": 90.0}
#: The code of a 409 for a gallery or a definition that Azure does not count as empty yet.
CANNOT_DELETE = "cannotdeleteresource"
#: How long that may last, and how often it is tried again, in seconds. Public reports have 15 to 30 s.
RELEASE_TIMEOUT_S = 300.0
_RELEASE_PACE = polling.PollPace(1 / 2, 5.0, 20.0)


def gallery_id(azure: Azure, adopted: str | None = None) -> ResourceId:
    """Return the id of the gallery for the account's images: the given one, else the account's own."""
    if adopted is not None:
        return ResourceId.parse(adopted)
    return azure.scope.compute_id(("galleries", tags.gallery_name(azure.scope.account)))


def definition_id(azure: Azure, pool: str, adopted: str | None = None) -> ResourceId:
    """Return the id of the image definition for a pool's image."""
    return gallery_id(azure, adopted).child("images", tags.legal_name(pool))


# -- gallery -----------------------------------------------------------------------------------------------------


async def read_gallery(azure: Azure, gallery: ResourceId) -> Json | None:
    """Return a gallery's document; None where it does not exist."""
    return await resources.read_or_none(azure, gallery)


async def read_gallery_cached(azure: Azure, gallery: ResourceId) -> Json | None:
    """Return a gallery's document from the cache or from Azure; None where it does not exist."""
    return await read_cache.get_or_read(azure, str(gallery), lambda: read_gallery(azure, gallery))


async def make_gallery(
    azure: Azure,
    gallery: ResourceId,
    region: str,
    *,
    adopted: bool = False,
    extra_tags: Mapping[str, str] | None = None,
) -> bool:
    """Create the gallery unless it exists, and wait for it; return whether it was created.

    Raises
    ------
    NotFoundError
        The gallery was given by the user and does not exist: only the account's own gallery is created.
    """
    what = f"gallery {gallery.name}"
    if await read_gallery_cached(azure, gallery) is not None:

        async def poll() -> Json:
            return await resources.read(azure, gallery)

        await polling.wait_until_provisioned(azure, poll, what=what)
        return False
    if adopted:
        raise gallery_not_found_error(gallery)
    body = {
        "location": region,
        "tags": tags.combined(
            azure.resource_tags, extra_tags or {}, {tags.ACCOUNT: azure.scope.account, **tags.tool_tags()}
        ),
        "properties": {"description": f"Images of Batch account {azure.scope.account}"},
    }
    begin = azure.compute.galleries.begin_create_or_update(
        gallery.resource_group, gallery.name, wire(body), **polling.NO_POLLING
    )
    await polling.create_and_wait(azure, begin, what=what, resource_id=str(gallery))
    return True


def gallery_not_found_error(gallery: ResourceId) -> NotFoundError:
    """Return the error for a gallery that was given by the user and does not exist."""
    return NotFoundError(
        f"there is no gallery {gallery.name!r} in resource group {gallery.resource_group!r}",
        hint="leave out --gallery: the account's own gallery is created if needed",
        status_code=404,
    )


# -- definition --------------------------------------------------------------------------------------------------


async def read_definition(azure: Azure, definition: ResourceId) -> Json | None:
    """Return an image definition's document; None where it does not exist."""
    return await resources.read_or_none(azure, definition)


async def read_definition_cached(azure: Azure, definition: ResourceId) -> Json | None:
    """Return an image definition's document from the cache or from Azure; None where it does not exist."""
    return await read_cache.get_or_read(azure, str(definition), lambda: read_definition(azure, definition))


def definition_body(sku: str, source: Source, tags: Mapping[str, str]) -> Json:
    """Return the body of an image definition for images from an image source.

    Generation, architecture and security type are always set: Azure's defaults depend on the api-version (since
    galleries 2025-03-03 they are V2 and TrustedLaunchSupported). A Standard image has no feature ``SecurityType``:
    Standard is none of its values, see `make_definition`. The purchase plan is copied. VM sizes with NVMe only need an
    image whose definition declares NVMe. Source: Microsoft's table of the features of definitions.
    """
    features = []
    if source.security_type != STANDARD:
        features.append({"name": "SecurityType", "value": source.security_type})
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
            "identifier": {"publisher": "batchimg", "offer": source.os_type.lower(), "sku": sku},
            **({"features": features} if features else {}),
            **({"purchasePlan": source.plan} if source.plan else {}),
        },
    }


#: Properties of an image definition that cannot be changed: label to path.
_FIXED_PROPERTIES = {
    "operating system": ("osType",),
    "generation": ("hyperVGeneration",),
    "architecture": ("architecture",),
}


def definition_differences(found: Json, wanted: Json) -> list[str]:
    """Return texts for the fixed properties in which an existing definition differs from the wanted one."""
    parts = [
        f"{label} is {dig(found, 'properties', *path)}, wanted {dig(wanted, 'properties', *path)}"
        for label, path in _FIXED_PROPERTIES.items()
        if str(dig(found, "properties", *path)).lower() != str(dig(wanted, "properties", *path)).lower()
    ]
    existing, expected = security_of(found), security_of(wanted)
    if existing != expected:
        parts.append(f"security type is {existing}, wanted {expected}")
    existing, expected = (plan_words(dig(one, "properties", "purchasePlan")) for one in (found, wanted))
    if existing.lower() != expected.lower():
        parts.append(f"purchase plan is {existing or 'none'}, wanted {expected or 'none'}")
    return parts


def plan_words(plan: Json | None) -> str:
    """Return a purchase plan as publisher:product:name; empty for none."""
    return ":".join(str(plan.get(part)) for part in ("publisher", "product", "name")) if plan else ""


def security_of(definition: Json) -> str:
    """Return a definition's security type; Standard where it has no such feature."""
    features = dig(definition, "properties", "features") or []
    found = [str(one.get("value")) for one in features if one.get("name") == "SecurityType"]
    return found[0] if found else STANDARD


async def make_definition(azure: Azure, definition: ResourceId, body: Json, *, first: bool = False) -> bool:
    """Create an image definition unless it exists, and wait for it; return whether it was created.

    Parameters
    ----------
    azure, definition, body
        The connection, the id of the definition, and its body.
    first
        Whether its gallery was created just now and is empty.

    Raises
    ------
    ConflictError
        A definition with this name exists and differs in a fixed property.
    """
    what = f"image definition {definition.name}"
    found = None if first else await read_definition(azure, definition)
    if found is not None:
        raise_if_other_kind(definition, found, body)

        async def poll() -> Json:
            return await resources.read(azure, definition)

        await polling.wait_until_provisioned(azure, poll, what=what)
        return False
    if security_of(body) == STANDARD:
        # A definition without a security type is Standard with old api-versions only; the SDK client sends a new one.
        begun = polling.begin_put(azure, definition, api_versions.STANDARD_DEFINITIONS, wire(body))
    else:
        begin = azure.compute_for(definition).gallery_images.begin_create_or_update(
            **sdk_arguments(definition), gallery_image=wire(body), **polling.NO_POLLING
        )
        begun = polling.begin_operation(azure, begin)
    await polling.wait_for_creation(azure, begun, what=what, resource_id=str(definition))
    return True


def raise_if_other_kind(definition: ResourceId, found: Json, wanted: Json) -> None:
    """Raise ConflictError where an existing definition differs from the wanted one in a fixed property."""
    if parts := definition_differences(found, wanted):
        raise ConflictError(
            f"image definition {definition.name!r} already exists and differs: {'; '.join(parts)}",
            hint="these properties cannot be changed: choose another name for the pool, or delete that definition",
            status_code=409,
        )


# -- deletion ----------------------------------------------------------------------------------------------------


async def delete_definition(azure: Azure, definition: ResourceId) -> None:
    """Delete an image definition and wait until it is deleted, also while Azure still counts its last versions.

    Raises
    ------
    ConflictError
        It has versions.
    """
    images = azure.compute_for(definition)

    async def has_versions() -> bool:
        return bool(await resources.read_list(azure, f"{definition}/versions"))

    await _delete_when_empty(
        azure,
        lambda: images.gallery_images.begin_delete(**sdk_arguments(definition), **polling.NO_POLLING),
        has_versions,
        what=f"image definition {definition.name}",
        resource_id=str(definition),
    )


async def delete_gallery_if_empty(azure: Azure, gallery: ResourceId) -> bool:
    """Delete a gallery of this tool if it is empty; return whether it was deleted."""
    galleries = azure.compute_for(gallery)

    async def has_definitions() -> bool:
        return bool(await resources.read_list(azure, f"{gallery}/images"))

    if await has_definitions():
        return False
    try:
        await _delete_when_empty(
            azure,
            lambda: galleries.galleries.begin_delete(gallery.resource_group, gallery.name, **polling.NO_POLLING),
            has_definitions,
            what=f"gallery {gallery.name}",
            resource_id=str(gallery),
        )
    except ConflictError as error:
        if error.code.lower() != CANNOT_DELETE or not await has_definitions():
            raise
        return False  # an image was added meanwhile: the gallery is in use
    return True


async def _delete_when_empty(
    azure: Azure,
    begin: Callable[[], Awaitable[Any]],
    has_nested: Callable[[], Awaitable[bool]],
    *,
    what: str,
    resource_id: str,
) -> None:
    """Delete a resource whose nested resources were deleted.

    For about 20 s after that, Azure refuses with CannotDeleteResource. Source: azure-sdk-for-python #25506,
    azure-sdk-for-net #30258, azure-sdk-for-go #8314.
    """

    async def attempt() -> polling.PollResult[None]:
        try:
            await polling.delete_and_wait(azure, begin(), what=what, resource_id=resource_id)
        except ConflictError as error:
            if error.code.lower() != CANNOT_DELETE or await has_nested():
                raise
            return polling.PollResult(done=False, value=None)
        return polling.PollResult(done=True, value=None)

    await polling.poll_until(
        azure, attempt, what=f"deletion of {what}", timeout_s=RELEASE_TIMEOUT_S, pace=_RELEASE_PACE
    )


def is_made_for_account(gallery: Json | None, account: str) -> bool:
    """Tell whether this tool created a gallery for an account."""
    return str(dig(gallery, "tags", tags.ACCOUNT) or "").lower() == account.lower()
