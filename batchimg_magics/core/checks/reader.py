"""Reads what the rules look at, all at once; each thing by itself, so that one that is barred costs only its rules."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import api_versions, pages, tags
from batchimg_magics.core.azure.documents import dig, region_key
from batchimg_magics.core.azure.partial_reads import PartialReader
from batchimg_magics.core.base import concurrency
from batchimg_magics.core.base.node_counts import current_or_target
from batchimg_magics.core.batch import node_agents, pools, quotas, vm_sizes
from batchimg_magics.core.checks.facts import Facts, is_managed, permissions_in, source_ids_of
from batchimg_magics.core.compute import disks, galleries, image_versions, snapshots, virtual_machines
from batchimg_magics.core.estimates import prices
from batchimg_magics.core.images import build, inventory
from batchimg_magics.core.images.origins import image_version, managed_image, registry
from batchimg_magics.core.images.origins.generalized_vm import VmOrigin
from batchimg_magics.errors import SpecError
from batchimg_magics.resource_ids import ResourceId, is_same_resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.checks.facts import Kind
    from batchimg_magics.core.compute.image_source import Source
    from batchimg_magics.core.images.origins.origin import ImageOrigin
    from batchimg_magics.pool_spec.pool import PoolSpec


# -- what is checked -----------------------------------------------------------------------------------------------


async def read_for_creation(
    azure: Azure, spec: PoolSpec, *, yes: bool = True, pool_named: bool = True
) -> tuple[Facts, ImageOrigin | None]:
    """Read what there is to know of what an image is to be made from, and of the pool that is to be made from that.

    Parameters
    ----------
    azure, spec
        Where, and what is wanted.
    yes
        Whether the researcher agreed to a VM being deprovisioned itself.
    pool_named
        Whether the spec's pool is one, or stands for any.

    Returns
    -------
    tuple
        The facts, and the road to the image; None where a VM has none: the facts say why.

    Raises
    ------
    NotFoundError, SpecError
        It is not there, or no image can be made of it.
    """
    reader = PartialReader(azure)
    origin, problem = await _find_origin(azure, spec, yes=yes)
    vm = (
        origin.vm
        if isinstance(origin, VmOrigin)
        else await virtual_machines.find_vm(azure, spec.from_vm)
        if spec.from_vm
        else None
    )
    source = origin.source if origin else await virtual_machines.read_source(azure, vm or {})
    touched = [source.id, *(disk.id for disk in source.disks), str(getattr(origin, "subnet", ""))]
    around, parts, image, pool = await concurrency.gather(
        _read_account(reader, spec, touched),
        _parts(reader, spec, source),
        _image_of_pool(reader, spec, origin) if pool_named and not spec.from_version else _no_values(),
        reader.read("the pool", pools.read_cached(azure, spec.name), None) if pool_named else _no_value(),
    )
    found = around | image | parts | {"vm": vm, "source": source, "problem": problem, "pool": pool}
    # Of snapshots, those of these disks: others are another VM's.
    ids = {disk["id"].lower() for disk in found.get("disks", [])}
    found["snapshots"] = [one for one in found["snapshots"] if _source_id_of(one) in ids]
    found |= {"warning": origin.warning if origin else "", "subnet": getattr(origin, "subnet", "")}
    kind: Kind = "vm" if vm else "image" if spec.from_image or spec.from_version else "disks"
    making = not spec.from_version and not spec.direct
    return await _with_prices(
        azure, _facts(reader, kind, spec, found, makes_image=making, pool_named=pool_named)
    ), origin


async def _find_origin(azure: Azure, spec: PoolSpec, *, yes: bool) -> tuple[ImageOrigin | None, SpecError | None]:
    """Return the road to an image, or why a VM has none: that is told along with all else that is wrong with it."""
    try:
        return await registry.find(azure, spec, yes=yes), None
    except SpecError as error:
        if spec.from_vm is None:
            raise
        return None, error


async def read_for_image(azure: Azure, image_id: str, spec: PoolSpec, *, pool_named: bool, sized: bool) -> Facts:
    """Read what there is to know of a managed image, of an image version, or of a definition's highest version."""
    reader = PartialReader(azure)
    around, found = await concurrency.gather(_read_account(reader, spec, [image_id]), _image(reader, image_id))
    image = {**found, "source": await _source(reader, found)}
    return await _with_prices(
        azure, _facts(reader, "image", spec, around | image, pool_named=pool_named, size_named_by_user=sized)
    )


async def read_for_pool(azure: Azure, pool: Json, spec: PoolSpec) -> Facts:
    """Read what there is to know of a pool and its image."""
    reader = PartialReader(azure)
    image_id = pools.image_of(pool)
    image = _image(reader, image_id) if image_id else _no_values()
    around, found = await concurrency.gather(_read_account(reader, spec, [image_id or ""]), image)
    return await _with_prices(azure, _facts(reader, "pool", spec, around | found | {"pool": pool}))


def _facts(reader: PartialReader, kind: Kind, spec: PoolSpec, parts: dict[str, Any], **how: Any) -> Facts:
    known = {name: part for name, part in parts.items() if name in Facts.__dataclass_fields__}
    now, scope = reader.azure.now(), reader.azure.scope
    return Facts(kind=kind, now=now, scope=scope, spec=spec, unread=dict(reader.unread), **known, **how)


async def _no_values() -> dict[str, Any]:
    return {}


async def _with_prices(azure: Azure, facts: Facts) -> Facts:
    """Add what nodes cost, where the connection has a limit."""
    limit, size, system = azure.spending_limit.usd_per_hour, facts.size, facts.system
    if limit is None or size is None or system is None:
        return facts
    gib = [facts.spec.os_disk_gib or system.os_disk_gib, *(one for _, one in system.data_disks)]
    # A disk whose kind nobody said counts as the dearest that Batch attaches.
    kinds = [facts.spec.os_disk_type or prices.DEAREST_DISK_SKU, *(prices.DEAREST_DISK_SKU for _ in system.data_disks)]
    disks = [prices.NodeDisk(kind, one) for kind, one in zip(kinds, gib, strict=True)]
    rates, *others = await concurrency.gather(
        prices.read_rates(azure, str(size["name"]), system.os_type, disks),
        *(_cost(azure, pool) for pool in facts.other_pools),
    )
    return replace(facts, limit_usd=limit, rates=rates, others_usd=prices.sum_or_none(others))


async def _cost(azure: Azure, pool: Json) -> float | None:
    """Return what a pool costs an hour at the size that it has, is to have, or is planned to have."""
    current = current_or_target(pool)
    counts = current.maximum(azure.spending_limit.planned.get(str(pool["name"]).lower(), current))
    return (await prices.read_pool_rates(azure, pool)).cost(counts.dedicated, counts.spot) if counts.total else 0.0


async def _source(reader: PartialReader, found: dict[str, Any]) -> Source | None:
    """Return what an image that is there is, as a pool would be made from it."""
    if managed := found.get("managed_image"):
        call = managed_image.source_of(reader.azure, managed)
    elif (version := found.get("version")) and (definition := found.get("definition")):
        call = image_version.source_of(reader.azure, version, definition)
    else:
        return None
    return await reader.read("what the image was made from", call, None)


# -- the account and what is around it -----------------------------------------------------------------------------


async def _read_account(reader: PartialReader, spec: PoolSpec, touched: Iterable[str]) -> dict[str, Any]:
    """Read the account, what is offered in its region, what is in use, and what the caller may do where it matters."""
    azure = reader.azure
    account = await azure.account()
    region = region_key(str(account["location"]))
    subnet = ResourceId.parse(spec.subnet) if spec.subnet else None
    asked = [spec.subnet or "", spec.gallery or "", *spec.identities]
    ids = [one for one in (str(azure.scope.account_id), *touched, *asked) if one.startswith("/")]
    groups = {ResourceId.parse(one).group.lower() for one in ids}
    names = ("pools", "supported_images", "sizes", "skus", "usages", "snapshots", "gallery", "network", "permissions")
    found = await concurrency.gather(
        reader.read("pools", pools.read_all_cached(azure), []),
        reader.read("supported images", node_agents.read_supported_images(azure), []),
        reader.read("Batch's VM sizes", vm_sizes.read_sizes(azure), []),
        reader.read("Compute's VM sizes", _skus(azure, region), []),
        reader.read("Compute's usages", quotas.read_compute_usages(azure, account), []),
        reader.read("snapshots", _snapshots(azure), []),
        reader.read("the gallery", galleries.read_gallery_cached(azure, ResourceId.parse(spec.gallery)), None)
        if spec.gallery
        else _no_value(),
        _network(reader, subnet) if subnet else _no_values(),
        _permissions(reader, sorted(groups)),
    )
    parts = dict(zip(names, found, strict=True))
    return {"account": account, **parts, **parts["network"], "network": parts["network"].get("network")}


async def _no_value() -> None:
    return None


async def _skus(azure: Azure, region: str) -> list[Json]:
    listed = await azure.list_documents(azure.compute.resource_skus.list(filter=f"location eq '{region}'"))
    return [one for one in listed if one.get("resourceType") == "virtualMachines"]


async def _snapshots(azure: Azure) -> list[Json]:
    """Return the snapshots that this tool took, for whichever pool."""
    return [one for one in await snapshots.list_snapshots(azure) if tags.owner_pool(one)]


def _source_id_of(snapshot: Json) -> str:
    return str(dig(snapshot, "properties", "creationData", "sourceResourceId") or "").lower()


async def _network(reader: PartialReader, subnet: ResourceId) -> dict[str, Any]:
    """Read a subnet's virtual network, which has its subnets in it, and the subnet's security group."""
    home = ResourceId(subnet.subscription, subnet.resource_group, subnet.provider, subnet.path[:1])
    network = await reader.read("the virtual network", reader.read_document(str(home)), None)
    inside = next(
        (one for one in dig(network, "properties", "subnets") or [] if is_same_resource(one["id"], str(subnet))), None
    )
    group_id = dig(inside, "properties", "networkSecurityGroup", "id")
    group = await reader.read("the network security group", reader.read_document(group_id), None) if group_id else None
    return {"network": network, "security_group": group}


async def _permissions(reader: PartialReader, groups: Sequence[str]) -> dict[str, list[Json]]:
    """Read what the caller may do in resource groups, given by their ids."""

    async def of_group(group: str) -> list[Json]:
        url = f"{group}/providers/Microsoft.Authorization/permissions?api-version={api_versions.PERMISSIONS}"
        return await pages.read_all(reader.azure, url)

    read = [reader.read(permissions_in(group), of_group(group), []) for group in groups]
    return dict(zip(groups, await concurrency.gather(*read), strict=True))


# -- VM and images -------------------------------------------------------------------------------------------------


async def _parts(reader: PartialReader, spec: PoolSpec, source: Source) -> dict[str, Any]:
    """Read what an image is made from: an image that is there, or disks and snapshots; what is gone is named."""
    if spec.from_image or spec.from_version:
        return await _image(reader, source.id)
    ids = [disk.id for disk in source.disks]
    found = await concurrency.gather(*(reader.read("disks", _disk(reader, one), None) for one in ids))
    barred = "disks" in reader.unread
    return {
        "disks": [disk for disk in found if disk is not None],
        "missing_ids": [one for one, disk in zip(ids, found, strict=True) if disk is None and not barred],
    }


async def _disk(reader: PartialReader, key: str) -> Json | None:
    """Read what a disk of an image is: a managed disk, or a snapshot."""
    target = ResourceId.parse(key)
    if target.type.lower() == "microsoft.compute/disks":
        return await disks.read_disk_cached(reader.azure, target)
    return await reader.read_document(key)


async def _image_of_pool(reader: PartialReader, spec: PoolSpec, origin: ImageOrigin | None) -> dict[str, Any]:
    """Read the definition for a pool's image, and the version of it that was made by a road."""
    azure = reader.azure
    definition_id = galleries.definition_id(azure, spec.name, spec.gallery)
    definition, versions = await concurrency.gather(
        reader.read("the image definition", galleries.read_definition_cached(azure, definition_id), None),
        reader.read("image versions", image_versions.read_versions_cached(azure, definition_id), []),
    )
    made = build.versions_by_revision(origin, versions) if origin else {}
    version = await _version(reader, made[max(made)]["id"]) if made else None
    return {"definition": definition, "version": version}


async def _version(reader: PartialReader, version_id: str) -> Json | None:
    asked = reader.read_document(version_id, **{"$expand": "ReplicationStatus"})
    return await reader.read("the image version", asked, None)


async def _image(reader: PartialReader, image_id: str) -> dict[str, Any]:
    """Read an image by its id, whatever kind it is of."""
    if is_managed(image_id):
        return await _managed(reader, image_id)
    where = ResourceId.parse(image_id)
    definition_id = str(ResourceId(where.subscription, where.resource_group, where.provider, where.path[:2]))
    definition = await reader.read("the image definition", reader.read_document(definition_id), None)
    version_id = image_id if len(where.path) > 2 else await _highest(reader, definition_id)
    version = await _version(reader, version_id) if version_id else None
    unread = {"the image definition", "the image version"} & reader.unread.keys()
    states = (image_versions.image_state(definition), image_versions.image_state(version))
    gone = image_versions.ImageState.MISSING in states
    return {"definition": definition, "version": version, "missing_ids": [image_id] if gone and not unread else []}


async def _highest(reader: PartialReader, definition_id: str) -> str:
    """Return the id of a definition's highest version, empty where it has none."""
    listed = await reader.read("image versions", reader.read_document(f"{definition_id}/versions"), None)
    found = [one for one in (listed or {}).get("value", []) if one["name"].replace(".", "").isdigit()]
    best = max(found, key=lambda one: [int(part) for part in one["name"].split(".")], default=None)
    return "" if best is None else str(best["id"])


async def _managed(reader: PartialReader, image_id: str) -> dict[str, Any]:
    """Read a managed image, what of its sources is gone, and its siblings, which may share them."""
    subscription = f"/subscriptions/{ResourceId.parse(image_id).subscription}"
    image, siblings, (elsewhere, unseen) = await concurrency.gather(
        reader.read("the managed image", reader.read_document(image_id), None),
        reader.read("managed images", reader.read_document(f"{subscription}/providers/Microsoft.Compute/images"), None),
        inventory.read_other_pools(reader.azure),
    )
    if image is None:
        return {"missing_ids": [] if "the managed image" in reader.unread else [image_id]}
    there = await concurrency.gather(*(_exists(reader, one) for one in source_ids_of(image)))
    lost = [one for one, found in zip(source_ids_of(image), there, strict=True) if not found]
    alike = (siblings or {}).get("value", [])
    return {
        "managed_image": image,
        "sibling_images": alike,
        "missing_ids": lost,
        "other_account_pools": elsewhere,
        "unreadable_accounts": unseen,
    }


async def _exists(reader: PartialReader, resource: str) -> bool:
    """Tell whether a disk or snapshot is there; one that may not be looked at gets the benefit of the doubt."""
    what = "the managed image's sources"
    found = await reader.read(what, reader.read_document(resource), None)
    return found is not None or what in reader.unread
