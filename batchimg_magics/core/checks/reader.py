"""Reads what the rules look at, all at once; each thing by itself, so that one that is barred costs only its rules."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import tags
from batchimg_magics.core.azure.documents import dig, region_key
from batchimg_magics.core.azure.partial_reads import Reader
from batchimg_magics.core.base import concurrency
from batchimg_magics.core.base.node_counts import wanted
from batchimg_magics.core.batch import node_agents, pools, quotas, vm_sizes
from batchimg_magics.core.checks.facts import Facts, is_managed, permissions_in, sources_of
from batchimg_magics.core.compute import disks, galleries, image_versions, snapshots, virtual_machines
from batchimg_magics.core.estimates import prices
from batchimg_magics.core.images import build, inventory
from batchimg_magics.core.images.origins import image_version, managed_image, registry
from batchimg_magics.core.images.origins.generalized_vm import OfVm
from batchimg_magics.errors import SpecError
from batchimg_magics.resource_ids import ResourceId, same

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.checks.facts import Kind
    from batchimg_magics.core.compute.image_source import Source
    from batchimg_magics.core.images.origins.origin import Road
    from batchimg_magics.pool_spec.pool import PoolSpec

#: Of reads that no SDK client in use makes, or only in its own subscription.
_PERMISSIONS, _NETWORK, _IMAGES, _GALLERIES, _DISKS = (
    "2022-04-01", "2024-05-01", "2024-07-01", "2024-03-03", "2023-10-02",
)  # fmt: skip


# -- what is checked -----------------------------------------------------------------------------------------------


async def of_creation(
    azure: Azure, spec: PoolSpec, *, yes: bool = True, pool_named: bool = True
) -> tuple[Facts, Road | None]:
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
    reader = Reader(azure)
    origin, problem = await _road(azure, spec, yes=yes)
    vm = (
        origin.vm
        if isinstance(origin, OfVm)
        else await virtual_machines.find(azure, spec.from_vm)
        if spec.from_vm
        else None
    )
    source = origin.source if origin else await virtual_machines.source(azure, vm or {})
    touched = [source.id, *(disk.id for disk in source.disks), str(getattr(origin, "subnet", ""))]
    around, parts, image, pool = await concurrency.together(
        _around(reader, spec, touched),
        _parts(reader, spec, source),
        _image_of_pool(reader, spec, origin) if pool_named and not spec.from_version else _nothing(),
        reader.read("the pool", pools.seen(azure, spec.name), None) if pool_named else _none(),
    )
    found = around | image | parts | {"vm": vm, "source": source, "problem": problem, "pool": pool}
    # Of snapshots, those of these disks: others are another VM's.
    ids = {disk["id"].lower() for disk in found.get("disks", [])}
    found["snapshots"] = [one for one in found["snapshots"] if _origin(one) in ids]
    found |= {"warning": origin.warning if origin else "", "subnet": getattr(origin, "subnet", "")}
    kind: Kind = "vm" if vm else "image" if spec.from_image or spec.from_version else "disks"
    making = not spec.from_version and not spec.direct
    return await _priced(azure, _facts(reader, kind, spec, found, makes_image=making, pool_named=pool_named)), origin


async def _road(azure: Azure, spec: PoolSpec, *, yes: bool) -> tuple[Road | None, SpecError | None]:
    """Return the road to an image, or why a VM has none: that is told along with all else that is wrong with it."""
    try:
        return await registry.find(azure, spec, yes=yes), None
    except SpecError as error:
        if spec.from_vm is None:
            raise
        return None, error


async def of_image(azure: Azure, image_id: str, spec: PoolSpec, *, pool_named: bool, sized: bool) -> Facts:
    """Read what there is to know of a managed image, of an image version, or of a definition's highest version."""
    reader = Reader(azure)
    around, found = await concurrency.together(_around(reader, spec, [image_id]), _image(reader, image_id))
    image = {**found, "source": await _source(reader, found)}
    return await _priced(
        azure, _facts(reader, "image", spec, around | image, pool_named=pool_named, size_named_by_user=sized)
    )


async def of_pool(azure: Azure, pool: Json, spec: PoolSpec) -> Facts:
    """Read what there is to know of a pool and its image."""
    reader = Reader(azure)
    image_id = pools.image_of(pool)
    image = _image(reader, image_id) if image_id else _nothing()
    around, found = await concurrency.together(_around(reader, spec, [image_id or ""]), image)
    return await _priced(azure, _facts(reader, "pool", spec, around | found | {"pool": pool}))


def _facts(reader: Reader, kind: Kind, spec: PoolSpec, parts: dict[str, Any], **how: Any) -> Facts:
    known = {name: part for name, part in parts.items() if name in Facts.__dataclass_fields__}
    now, scope = reader.azure.now(), reader.azure.scope
    return Facts(kind=kind, now=now, scope=scope, spec=spec, unread=dict(reader.unread), **known, **how)


async def _nothing() -> dict[str, Any]:
    return {}


async def _priced(azure: Azure, facts: Facts) -> Facts:
    """Add what nodes cost, where the connection has a limit."""
    limit, size, system = azure.spending_limit.usd_per_hour, facts.size, facts.system
    if limit is None or size is None or system is None:
        return facts
    gib = [facts.spec.os_disk_gib or system.os_disk_gib, *(one for _, one in system.data_disks)]
    # A disk whose kind nobody said counts as the dearest that Batch attaches.
    kinds = [facts.spec.os_disk_type or prices.DEAREST, *(prices.DEAREST for _ in system.data_disks)]
    disks = [prices.Disk(kind, one) for kind, one in zip(kinds, gib, strict=True)]
    rates, *others = await concurrency.together(
        prices.rates(azure, str(size["name"]), system.os_type, disks),
        *(_cost(azure, pool) for pool in facts.other_pools),
    )
    return replace(facts, limit_usd=limit, rates=rates, others_usd=prices.added(others))


async def _cost(azure: Azure, pool: Json) -> float | None:
    """Return what a pool costs an hour at the size that it has, is to have, or is planned to have."""
    current = wanted(pool)
    counts = current.maximum(azure.spending_limit.planned.get(str(pool["name"]).lower(), current))
    return (await prices.of_pool(azure, pool)).cost(counts.dedicated, counts.spot) if counts.total else 0.0


async def _source(reader: Reader, found: dict[str, Any]) -> Source | None:
    """Return what an image that is there is, as a pool would be made from it."""
    if managed := found.get("managed_image"):
        call = managed_image.source(reader.azure, managed)
    elif (version := found.get("version")) and (definition := found.get("definition")):
        call = image_version.source(reader.azure, version, definition)
    else:
        return None
    return await reader.read("what the image was made from", call, None)


# -- the account and what is around it -----------------------------------------------------------------------------


async def _around(reader: Reader, spec: PoolSpec, touched: Iterable[str]) -> dict[str, Any]:
    """Read the account, what is offered in its region, what is in use, and what the caller may do where it matters."""
    azure = reader.azure
    account = await azure.account()
    region = region_key(str(account["location"]))
    subnet = ResourceId.parse(spec.subnet) if spec.subnet else None
    asked = [spec.subnet or "", spec.gallery or "", *spec.identities]
    ids = [one for one in (str(azure.scope.account_id), *touched, *asked) if one.startswith("/")]
    groups = {ResourceId.parse(one).group.lower() for one in ids}
    names = ("pools", "supported_images", "sizes", "skus", "usages", "snapshots", "gallery", "network", "permissions")
    found = await concurrency.together(
        reader.read("pools", pools.all_seen(azure), []),
        reader.read("supported images", node_agents.supported_images(azure), []),
        reader.read("Batch's VM sizes", vm_sizes.sizes(azure), []),
        reader.read("Compute's VM sizes", _skus(azure, region), []),
        reader.read("Compute's usages", quotas.compute_usages(azure, account), []),
        reader.read("snapshots", _snapshots(azure), []),
        reader.read("the gallery", galleries.seen_gallery(azure, ResourceId.parse(spec.gallery)), None)
        if spec.gallery
        else _none(),
        _network(reader, subnet) if subnet else _nothing(),
        _permissions(reader, sorted(groups)),
    )
    parts = dict(zip(names, found, strict=True))
    return {"account": account, **parts, **parts["network"], "network": parts["network"].get("network")}


async def _none() -> None:
    return None


async def _skus(azure: Azure, region: str) -> list[Json]:
    listed = await azure.list_documents(azure.compute.resource_skus.list(filter=f"location eq '{region}'"))
    return [one for one in listed if one.get("resourceType") == "virtualMachines"]


async def _snapshots(azure: Azure) -> list[Json]:
    """Return the snapshots that this tool took, for whichever pool."""
    return [one for one in await snapshots.of_group(azure) if tags.owner(one)]


def _origin(snapshot: Json) -> str:
    return str(dig(snapshot, "properties", "creationData", "sourceResourceId") or "").lower()


async def _network(reader: Reader, subnet: ResourceId) -> dict[str, Any]:
    """Read a subnet's virtual network, which has its subnets in it, and the subnet's security group."""
    home = ResourceId(subnet.subscription, subnet.resource_group, subnet.provider, subnet.path[:1])
    network = await reader.read("the virtual network", reader.read_document(str(home), _NETWORK), None)
    inside = next((one for one in dig(network, "properties", "subnets") or [] if same(one["id"], str(subnet))), None)
    group_id = dig(inside, "properties", "networkSecurityGroup", "id")
    group = (
        await reader.read("the network security group", reader.read_document(group_id, _NETWORK), None)
        if group_id
        else None
    )
    return {"network": network, "security_group": group}


async def _permissions(reader: Reader, groups: Sequence[str]) -> dict[str, list[Json]]:
    """Read what the caller may do in resource groups, given by their ids."""

    async def of_group(group: str) -> list[Json]:
        found: list[Json] = []
        url = f"{group}/providers/Microsoft.Authorization/permissions?api-version={_PERMISSIONS}"
        while url:
            page = (await reader.azure.get(url)).json()
            found += page["value"]
            url = page.get("nextLink") or ""
        return found

    read = [reader.read(permissions_in(group), of_group(group), []) for group in groups]
    return dict(zip(groups, await concurrency.together(*read), strict=True))


# -- VM and images -------------------------------------------------------------------------------------------------


async def _parts(reader: Reader, spec: PoolSpec, source: Source) -> dict[str, Any]:
    """Read what an image is made from: an image that is there, or disks and snapshots; what is gone is named."""
    if spec.from_image or spec.from_version:
        return await _image(reader, source.id)
    ids = [disk.id for disk in source.disks]
    found = await concurrency.together(*(reader.read("disks", _disk(reader, one), None) for one in ids))
    barred = "disks" in reader.unread
    return {
        "disks": [disk for disk in found if disk is not None],
        "missing_ids": [one for one, disk in zip(ids, found, strict=True) if disk is None and not barred],
    }


async def _disk(reader: Reader, key: str) -> Json | None:
    """Read what a disk of an image is: a managed disk, or a snapshot."""
    target = ResourceId.parse(key)
    if target.type.lower() == "microsoft.compute/disks":
        return await disks.seen(reader.azure, target)
    return await reader.read_document(key, _DISKS)


async def _image_of_pool(reader: Reader, spec: PoolSpec, origin: Road | None) -> dict[str, Any]:
    """Read the definition for a pool's image, and the version of it that was made by a road."""
    azure = reader.azure
    definition_id = galleries.definition_id(azure, spec.name, spec.gallery)
    definition, versions = await concurrency.together(
        reader.read("the image definition", galleries.seen_definition(azure, definition_id), None),
        reader.read("image versions", image_versions.seen_versions(azure, definition_id), []),
    )
    made = build.made_before(origin, versions) if origin else {}
    version = await _version(reader, made[max(made)]["id"]) if made else None
    return {"definition": definition, "version": version}


async def _version(reader: Reader, version_id: str) -> Json | None:
    asked = reader.read_document(version_id, _GALLERIES, **{"$expand": "ReplicationStatus"})
    return await reader.read("the image version", asked, None)


async def _image(reader: Reader, image_id: str) -> dict[str, Any]:
    """Read an image by its id, whatever kind it is of."""
    if is_managed(image_id):
        return await _managed(reader, image_id)
    where = ResourceId.parse(image_id)
    definition_id = str(ResourceId(where.subscription, where.resource_group, where.provider, where.path[:2]))
    definition = await reader.read("the image definition", reader.read_document(definition_id, _GALLERIES), None)
    version_id = image_id if len(where.path) > 2 else await _highest(reader, definition_id)
    version = await _version(reader, version_id) if version_id else None
    unread = {"the image definition", "the image version"} & reader.unread.keys()
    gone = definition is None or version is None
    return {"definition": definition, "version": version, "missing_ids": [image_id] if gone and not unread else []}


async def _highest(reader: Reader, definition_id: str) -> str:
    """Return the id of a definition's highest version, empty where it has none."""
    listed = await reader.read("image versions", reader.read_document(f"{definition_id}/versions", _GALLERIES), None)
    found = [one for one in (listed or {}).get("value", []) if one["name"].replace(".", "").isdigit()]
    best = max(found, key=lambda one: [int(part) for part in one["name"].split(".")], default=None)
    return "" if best is None else str(best["id"])


async def _managed(reader: Reader, image_id: str) -> dict[str, Any]:
    """Read a managed image, what of its sources is gone, and its siblings, which may share them."""
    subscription = f"/subscriptions/{ResourceId.parse(image_id).subscription}"
    image, siblings, (elsewhere, unseen) = await concurrency.together(
        reader.read("the managed image", reader.read_document(image_id, _IMAGES), None),
        reader.read(
            "managed images", reader.read_document(f"{subscription}/providers/Microsoft.Compute/images", _IMAGES), None
        ),
        inventory.other_pools(reader.azure),
    )
    if image is None:
        return {"missing_ids": [] if "the managed image" in reader.unread else [image_id]}
    there = await concurrency.together(*(_is_there(reader, one) for one in sources_of(image)))
    lost = [one for one, found in zip(sources_of(image), there, strict=True) if not found]
    alike = (siblings or {}).get("value", [])
    return {
        "managed_image": image,
        "sibling_images": alike,
        "missing_ids": lost,
        "other_account_pools": elsewhere,
        "unreadable_accounts": unseen,
    }


async def _is_there(reader: Reader, resource: str) -> bool:
    """Tell whether a disk or snapshot is there; one that may not be looked at gets the benefit of the doubt."""
    what = "the managed image's sources"
    found = await reader.read(what, reader.read_document(resource, _DISKS), None)
    return found is not None or what in reader.unread
