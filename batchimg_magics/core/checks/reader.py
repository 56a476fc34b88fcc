"""Reads the facts for the rules concurrently. A read that is denied affects only the rules that need it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import api_versions, pages, tags
from batchimg_magics.core.azure.documents import dig, region_key
from batchimg_magics.core.azure.partial_reads import PartialReader
from batchimg_magics.core.base import concurrency
from batchimg_magics.core.base.node_counts import current_or_target
from batchimg_magics.core.batch import machine_request, node_agents, pool_request, pools, quotas, vm_sizes
from batchimg_magics.core.checks import governance
from batchimg_magics.core.checks.facts import Facts, is_managed, permissions_in, source_ids_of
from batchimg_magics.core.compute import disks, galleries, image_versions, snapshots, subnets, virtual_machines
from batchimg_magics.core.estimates import prices
from batchimg_magics.core.images import build, copy_size, inventory
from batchimg_magics.core.images.origins import image_version, managed_image, registry
from batchimg_magics.core.images.origins.generalized_vm import VmOrigin
from batchimg_magics.core.images.origins.vm_copy import VmCopyOrigin
from batchimg_magics.errors import NotFoundError, SpecError
from batchimg_magics.pool_spec.words import OWN_VM_SIZE
from batchimg_magics.resource_ids import ResourceId, is_same_resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.checks.facts import Kind
    from batchimg_magics.core.compute.image_source import Source
    from batchimg_magics.core.estimates.prices import Rates
    from batchimg_magics.core.images.origins.origin import ImageOrigin
    from batchimg_magics.pool_spec.pool import PoolSpec


# -- what is checked -----------------------------------------------------------------------------------------------


async def _with_own_vm_size(azure: Azure, spec: PoolSpec) -> PoolSpec:
    """Return a spec with the VM size of the existing pool, else of the VM; if there is no VM, that is the error."""
    pool = await pools.read_cached(azure, spec.name)
    vm = None if pool is not None else await _find_vm(azure, spec.from_vm)
    size = dig(pool, "properties", "vmSize") or dig(vm, "properties", "hardwareProfile", "vmSize")
    return spec.model_copy(update={"vm_size": str(size)}) if size else spec


async def read_for_creation(
    azure: Azure, spec: PoolSpec, *, yes: bool = True, pool_named: bool = True
) -> tuple[Facts, ImageOrigin | None]:
    """Read the facts about an image source and the pool that is to be created from it.

    Parameters
    ----------
    azure, spec
        The connection, and the requested pool.
    yes
        Whether the user confirmed that the VM itself is generalized.
    pool_named
        Whether the spec names a pool; otherwise its name is a placeholder.

    Returns
    -------
    tuple
        The facts, and the image origin; None if the source does not exist, or no image can be made from it: the facts
        have the reason.
    """
    reader = PartialReader(azure)
    if spec.vm_size == OWN_VM_SIZE:
        spec = await _with_own_vm_size(azure, spec)
    origin, problem = await _find_origin(azure, spec, yes=yes)
    vm = origin.vm if isinstance(origin, VmOrigin) else await _find_vm(azure, spec.from_vm)
    source = origin.source if origin else await _source_of_vm(azure, vm) if vm else None
    of_source = [source.id, *(disk.id for disk in source.disks)] if source else []
    account, copied, parts, image, pool = await concurrency.gather(
        _read_account(reader, spec, [*of_source, str(getattr(origin, "subnet", ""))]),
        _copy(reader, spec, origin) if isinstance(origin, VmCopyOrigin) else _no_values(),
        _parts(reader, spec, source) if source else _no_values(),
        _image_of_pool(reader, spec, origin) if pool_named and not spec.from_version else _no_values(),
        reader.read("the pool", pools.read_cached(azure, spec.name), None) if pool_named else _no_value(),
    )
    found = account | copied | image | parts | {"vm": vm, "source": source, "problem": problem, "pool": pool}
    # Only the snapshots of these disks: the others are of other VMs.
    ids = {disk["id"].lower() for disk in found.get("disks", [])}
    found["snapshots"] = [one for one in found["snapshots"] if _source_id_of(one) in ids]
    found |= {"warning": origin.warning if origin else "", "subnet": getattr(origin, "subnet", "")}
    kind: Kind = "vm" if spec.from_vm else "image" if spec.from_image or spec.from_version else "disks"
    makes_image = not spec.from_version and not spec.direct
    return await _with_prices(
        azure, _facts(reader, kind, spec, found, makes_image=makes_image, pool_named=pool_named)
    ), origin


async def _find_origin(
    azure: Azure, spec: PoolSpec, *, yes: bool
) -> tuple[ImageOrigin | None, SpecError | NotFoundError | None]:
    """Return the image origin, or the error of a source that is none: it is reported with the other findings."""
    try:
        return await registry.find(azure, spec, yes=yes), None
    except (SpecError, NotFoundError) as error:
        return None, error


async def _find_vm(azure: Azure, name: str | None) -> Json | None:
    """Return the VM of a source that is none, for the rules; None if it does not exist."""
    try:
        return await virtual_machines.find_vm(azure, name) if name else None
    except NotFoundError:
        return None


async def _source_of_vm(azure: Azure, vm: Json) -> Source:
    """Return the image source that a VM is, as far as it is known if its OS disk does not exist."""
    try:
        return await virtual_machines.read_source(azure, vm)
    except NotFoundError:
        return virtual_machines.source_of_vm(vm, {})


async def read_for_image(azure: Azure, image_id: str, spec: PoolSpec, *, pool_named: bool, sized: bool) -> Facts:
    """Read the facts about a managed image, an image version, or the highest version of a definition."""
    reader = PartialReader(azure)
    account, found = await concurrency.gather(_read_account(reader, spec, [image_id]), _image(reader, image_id))
    image = {**found, "source": await _source(reader, found)}
    return await _with_prices(
        azure, _facts(reader, "image", spec, account | image, pool_named=pool_named, size_named_by_user=sized)
    )


async def read_for_pool(azure: Azure, pool: Json, spec: PoolSpec) -> Facts:
    """Read the facts about a pool and its image."""
    reader = PartialReader(azure)
    image_id = pools.image_of(pool)
    image = _image(reader, image_id) if image_id else _no_values()
    account, found = await concurrency.gather(_read_account(reader, spec, [image_id or ""], creates=False), image)
    return await _with_prices(azure, _facts(reader, "pool", spec, account | found | {"pool": pool}))


def _facts(reader: PartialReader, kind: Kind, spec: PoolSpec, parts: dict[str, Any], **options: Any) -> Facts:
    known = {name: part for name, part in parts.items() if name in Facts.__dataclass_fields__}
    now, scope = reader.azure.now(), reader.azure.scope
    options["resource_tags"] = reader.azure.resource_tags
    return Facts(kind=kind, now=now, scope=scope, spec=spec, unread=dict(reader.unread), **known, **options)


async def _no_values() -> dict[str, Any]:
    return {}


async def _with_prices(azure: Azure, facts: Facts) -> Facts:
    """Add the prices of nodes, if the connection has a spending limit."""
    limit, size, system = azure.spending_limit.usd_per_hour, facts.size, facts.system
    if limit is None or size is None or system is None:
        return facts
    of_pool = dig(facts.pool, "properties", "deploymentConfiguration", "virtualMachineConfiguration")
    machine = of_pool if facts.kind == "pool" and of_pool else machine_request.disks_of(facts.spec)
    disks = prices.node_disks(machine, [system.os_disk_gib, *(one for _, one in system.data_disks)])
    rates, *others = await concurrency.gather(
        _read_rates(azure, facts, str(size["name"]), system.os_type, disks),
        *(_cost(azure, pool) for pool in facts.other_pools),
    )
    return replace(facts, limit_usd=limit, rates=rates, others_usd=prices.sum_or_none(others))


async def _read_rates(
    azure: Azure, facts: Facts, size: str, os_type: str, disks: list[prices.NodeDisk] | None
) -> Rates:
    rates = await prices.read_rates(azure, size, os_type, disks)
    network = dig(facts.pool, "properties", "networkConfiguration") if facts.kind == "pool" else None
    return await prices.with_network(azure, rates, network or pool_request.network_of(facts.spec))


async def _cost(azure: Azure, pool: Json) -> float | None:
    """Return the cost of a pool per hour at its current, target or planned size, whichever is largest."""
    current = current_or_target(pool)
    counts = current.maximum(azure.spending_limit.planned.get(str(pool["name"]).lower(), current))
    return (await prices.read_pool_rates(azure, pool)).cost(counts.dedicated, counts.spot) if counts.total else 0.0


async def _source(reader: PartialReader, found: dict[str, Any]) -> Source | None:
    """Return an existing image as an image source."""
    if managed := found.get("managed_image"):
        call = managed_image.source_of(reader.azure, managed)
    elif (version := found.get("version")) and (definition := found.get("definition")):
        call = image_version.source_of(reader.azure, version, definition)
    else:
        return None
    return await reader.read("what the image was made from", call, None)


# -- the account and its region ------------------------------------------------------------------------------------


async def _read_account(
    reader: PartialReader, spec: PoolSpec, used_ids: Iterable[str], *, creates: bool = True
) -> dict[str, Any]:
    """Read the account, the offers and usage in its region, and the caller's permissions where they are needed.

    The locks and policies of these resource groups matter only where something is created.
    """
    azure = reader.azure
    account = await azure.account()
    region = region_key(str(account["location"]))
    subnet = ResourceId.parse(spec.subnet) if spec.subnet else None
    spec_ids = [spec.subnet or "", spec.gallery or "", *spec.identities]
    ids = [one for one in (str(azure.scope.account_id), *used_ids, *spec_ids) if one.startswith("/")]
    groups = {ResourceId.parse(one).group.lower() for one in ids}
    names = (
        "pools", "supported_images", "sizes", "skus", "usages", "snapshots", "gallery", "network", "permissions",
        "public_addresses", "governance",
    )  # fmt: skip
    found = await concurrency.gather(
        reader.read("pools", pools.read_all_cached(azure), []),
        reader.read("supported images", node_agents.read_supported_images(azure), []),
        reader.read("Batch's VM sizes", vm_sizes.read_sizes(azure), []),
        reader.read("Compute's VM sizes", copy_size.read_region_sizes(azure, azure.scope.subscription, region), []),
        reader.read("Compute's usages", quotas.read_compute_usages(azure, account), []),
        reader.read("snapshots", _snapshots(azure), []),
        reader.read("the gallery", galleries.read_gallery_cached(azure, ResourceId.parse(spec.gallery)), None)
        if spec.gallery
        else _no_value(),
        _network(reader, subnet) if subnet else _no_values(),
        _permissions(reader, sorted(groups)),
        _public_addresses(reader, spec),
        governance.read_governance(
            reader, sorted(groups) if creates else (), _foreign_subscriptions(ids, azure.scope.subscription)
        ),
    )
    parts = dict(zip(names, found, strict=True))
    network = {"network": None, **parts["network"]}
    return {"account": account, **parts, **parts["governance"], **network}


def _foreign_subscriptions(ids: Iterable[str], home: str) -> set[str]:
    """Return the subscriptions of galleries, other than the account's."""
    galleries_of = {ResourceId.parse(one).subscription.lower() for one in ids if "/galleries/" in one.lower()}
    return galleries_of - {home.lower()}


async def _public_addresses(reader: PartialReader, spec: PoolSpec) -> dict[str, Json]:
    """Read the public addresses that a pool is to use, by id in lower case; a missing one is left out."""
    reads = (reader.read("public addresses", reader.read_document(one), None) for one in spec.public_addresses)
    found = dict(zip(spec.public_addresses, await concurrency.gather(*reads), strict=True))
    return {key.lower(): document for key, document in found.items() if document is not None}


async def _no_value() -> None:
    return None


async def _snapshots(azure: Azure) -> list[Json]:
    """Return the snapshots that this tool took, for any pool."""
    return [one for one in await snapshots.list_snapshots(azure) if tags.owner_pool(one)]


def _source_id_of(snapshot: Json) -> str:
    return str(dig(snapshot, "properties", "creationData", "sourceResourceId") or "").lower()


async def _network(reader: PartialReader, subnet: ResourceId) -> dict[str, Any]:
    """Read the virtual network of a subnet, with its subnets, and the subnet's network security group."""
    network_id = ResourceId(subnet.subscription, subnet.resource_group, subnet.provider, subnet.path[:1])
    network = await reader.read("the virtual network", reader.read_document(str(network_id)), None)
    found = next(
        (one for one in dig(network, "properties", "subnets") or [] if is_same_resource(one["id"], str(subnet))), None
    )
    group_id = dig(found, "properties", "networkSecurityGroup", "id")
    group = await reader.read("the network security group", reader.read_document(group_id), None) if group_id else None
    return {"network": network, "security_group": group}


async def _permissions(reader: PartialReader, groups: Sequence[str]) -> dict[str, list[Json]]:
    """Read the caller's permissions in resource groups, by the ids of the groups."""

    async def of_group(group: str) -> list[Json]:
        url = f"{group}/providers/Microsoft.Authorization/permissions?api-version={api_versions.PERMISSIONS}"
        return await pages.read_all(reader.azure, url)

    read = [reader.read(permissions_in(group), of_group(group), []) for group in groups]
    return dict(zip(groups, await concurrency.gather(*read), strict=True))


# -- VM and images -------------------------------------------------------------------------------------------------


async def _parts(reader: PartialReader, spec: PoolSpec, source: Source) -> dict[str, Any]:
    """Read the source of an image: an existing image, or disks and snapshots; name those that are missing."""
    if spec.from_image or spec.from_version:
        return await _image(reader, source.id)
    ids = [disk.id for disk in source.disks]
    found = await concurrency.gather(*(reader.read("disks", _disk(reader, one), None) for one in ids))
    denied = "disks" in reader.unread
    return {
        "disks": [disk for disk in found if disk is not None],
        "missing_ids": [one for one, disk in zip(ids, found, strict=True) if disk is None and not denied],
    }


async def _disk(reader: PartialReader, key: str) -> Json | None:
    """Read a disk of an image: a managed disk or a snapshot."""
    target = ResourceId.parse(key)
    if target.type.lower() == "microsoft.compute/disks":
        return await disks.read_disk_cached(reader.azure, target)
    return await reader.read_document(key)


async def _copy(reader: PartialReader, spec: PoolSpec, origin: VmCopyOrigin) -> dict[str, Any]:
    """Read the VM sizes and the subnet for a temporary copy of a VM."""
    azure = reader.azure
    sizes = copy_size.read_copy_sizes(azure, origin.vm, origin.source, spec.copy_size)
    found = await concurrency.gather(
        reader.read("the VM sizes and quotas for a copy", sizes, None),
        reader.read("the subnet of the copy", subnets.read_subnet(azure, origin.subnet), None),
    )
    return dict(zip(("copy_sizes", "copy_subnet"), found, strict=True))


async def _image_of_pool(reader: PartialReader, spec: PoolSpec, origin: ImageOrigin | None) -> dict[str, Any]:
    """Read the definition of a pool's image, and its version that was made from an origin."""
    azure = reader.azure
    definition_id = galleries.definition_id(azure, spec.name, spec.gallery)
    definition, versions = await concurrency.gather(
        reader.read("the image definition", galleries.read_definition_cached(azure, definition_id), None),
        reader.read("image versions", image_versions.read_versions_cached(azure, definition_id), []),
    )
    revisions = build.versions_by_revision(origin, versions) if origin else {}
    version = await _version(reader, revisions[max(revisions)]["id"]) if revisions else None
    return {"definition": definition, "version": version}


async def _version(reader: PartialReader, version_id: str) -> Json | None:
    document = reader.read_document(version_id, **{"$expand": "ReplicationStatus"})
    return await reader.read("the image version", document, None)


async def _image(reader: PartialReader, image_id: str) -> dict[str, Any]:
    """Read a managed image, image version or definition by its id."""
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
    """Return the id of a definition's highest version; empty if it has none."""
    listed = await reader.read("image versions", reader.read_document(f"{definition_id}/versions"), None)
    found = [one for one in (listed or {}).get("value", []) if one["name"].replace(".", "").isdigit()]
    best = max(found, key=lambda one: [int(part) for part in one["name"].split(".")], default=None)
    return "" if best is None else str(best["id"])


async def _managed(reader: PartialReader, image_id: str) -> dict[str, Any]:
    """Read a managed image, its missing sources, and the other managed images, which may share its sources."""
    subscription = f"/subscriptions/{ResourceId.parse(image_id).subscription}"
    image, siblings, (other_pools, unreadable) = await concurrency.gather(
        reader.read("the managed image", reader.read_document(image_id), None),
        reader.read("managed images", reader.read_document(f"{subscription}/providers/Microsoft.Compute/images"), None),
        inventory.read_other_pools(reader.azure),
    )
    if image is None:
        return {"missing_ids": [] if "the managed image" in reader.unread else [image_id]}
    existing = await concurrency.gather(*(_exists(reader, one) for one in source_ids_of(image)))
    missing = [one for one, exists in zip(source_ids_of(image), existing, strict=True) if not exists]
    return {
        "managed_image": image,
        "sibling_images": (siblings or {}).get("value", []),
        "missing_ids": missing,
        "other_account_pools": other_pools,
        "unreadable_accounts": unreadable,
    }


async def _exists(reader: PartialReader, resource: str) -> bool:
    """Return whether a disk or snapshot exists; one that cannot be read counts as existing."""
    what = "the managed image's sources"
    found = await reader.read(what, reader.read_document(resource), None)
    return found is not None or what in reader.unread
