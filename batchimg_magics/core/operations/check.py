"""`check NAME`: find out what a name means, and what the rules say to it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import partial_reads, tags
from batchimg_magics.core.azure.documents import dig, document, seconds_of
from batchimg_magics.core.base import concurrency
from batchimg_magics.core.base.node_counts import current_or_target
from batchimg_magics.core.batch import pools
from batchimg_magics.core.checks import preflight, reader
from batchimg_magics.core.compute import galleries
from batchimg_magics.core.operations import create
from batchimg_magics.errors import NotFoundError, SpecError
from batchimg_magics.pool_spec.pool import PoolSpec
from batchimg_magics.pool_spec.values import suggest_name
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.base.table import Table
    from batchimg_magics.core.checks.facts import Facts

_TYPES = {
    "microsoft.compute/virtualmachines": "vm",
    "microsoft.compute/images": "image",
    "microsoft.compute/galleries/images": "image",
    "microsoft.compute/galleries/images/versions": "image",
    "microsoft.batch/batchaccounts/pools": "pool",
}
_NUMBER = re.compile(r"\d+\.\d+\.\d+")
#: Stands where a spec wants a word and nothing was said.
_PLACEHOLDER_POOL = "POOL"


async def check_resource(
    azure: Azure, name: str, *, kind: str | None, pool: str | None, asked: Mapping[str, Any]
) -> Table:
    """Check a VM, an image or a pool.

    Parameters
    ----------
    azure
        Where.
    name
        Its name, its resource id, or of an image GALLERY/DEFINITION[/VERSION].
    kind
        One of `words.CHECK_KINDS`, where a name means several things.
    pool
        The pool that a VM or image is to be for.
    asked
        What `create` would be asked for.

    Raises
    ------
    NotFoundError
        Nothing has that name.
    SpecError
        Several things have it; or what is asked for makes no sense.
    """
    found = await _find_matches(azure, name)
    which = _choose_match(found, name, kind)
    facts = await _facts(azure, which, found[which], pool, dict(asked))
    what = f"{which} {ResourceId.parse(found[which]).name}"
    if which == "image":
        what = "image " + "/".join(part for _, part in ResourceId.parse(found[which]).path)
    return preflight.with_full_cells(preflight.findings_table(facts, preflight.run_rules(facts), what))


async def _find_matches(azure: Azure, name: str) -> dict[str, str]:
    """Return kind to resource id of everything that a name means."""
    if name.startswith("/"):
        kind = _TYPES.get(ResourceId.parse(name).type.lower())
        if kind is None:
            raise SpecError(f"{name} is neither a VM nor an image nor a pool", hint="give one of them")
        return {kind: name}
    if "/" in name:
        return {"image": str(_gallery_id(azure, name))}
    scope = azure.scope
    group = scope.resource_group
    definition_id = galleries.definition_id(azure, name)
    reads = partial_reads.PartialReader(azure)
    vm, managed, pool, definition = await concurrency.gather(
        reads.read("VMs", azure.call_or_none(azure.compute.virtual_machines.get(group, name)), None),
        reads.read("managed images", azure.call_or_none(azure.compute.images.get(group, name)), None),
        reads.read("pools", pools.read(azure, name), None),
        reads.read("gallery images", galleries.read_definition(azure, definition_id), None),
    )
    found = {"vm": vm and document(vm)["id"], "pool": pool and pool["id"]}
    if managed is not None and definition is not None:
        raise SpecError(
            f"{name!r} is a managed image and an image in gallery {definition_id.path[0][1]}",
            hint="give its resource id, or GALLERY/DEFINITION",
        )
    # The image that was made for a pool has its name, and is checked with it.
    if managed is not None:
        found["image"] = document(managed)["id"]
    elif definition is not None and not (pool and tags.is_tagged_for(definition, pool["name"])):
        found["image"] = definition["id"]
    known = {kind: str(key) for kind, key in found.items() if key}
    if not known:
        raise await _not_found_error(azure, name, reads.unread)
    return known


def _gallery_id(azure: Azure, name: str) -> ResourceId:
    """Return the id that GALLERY/DEFINITION[/VERSION] or DEFINITION/VERSION means."""
    first, *rest = name.strip("/").split("/")
    if len(rest) == 1 and _NUMBER.fullmatch(rest[0]):
        return galleries.definition_id(azure, first).child("versions", rest[0])
    if len(rest) not in (1, 2) or not all(rest):
        raise SpecError(
            f"{name!r} is no name of an image", hint="write GALLERY/DEFINITION or GALLERY/DEFINITION/VERSION"
        )
    definition = azure.scope.compute_id(("galleries", first), ("images", rest[0]))
    return definition.child("versions", rest[1]) if rest[1:] else definition


async def _not_found_error(azure: Azure, name: str, unread: Mapping[str, str]) -> NotFoundError:
    """Return the error for a name that means nothing; the hint names the nearest of what there is."""
    reads = partial_reads.PartialReader(azure)
    vms, there = await concurrency.gather(
        reads.read("VMs", azure.list_documents(azure.compute.virtual_machines.list(azure.scope.resource_group)), []),
        reads.read("pools", pools.read_all(azure), []),
    )
    known = [str(one["name"]) for one in [*vms, *there]]
    barred = f"; could not look at {', '.join(unread)}" if unread else ""
    return NotFoundError(
        f"there is no VM, no image and no pool {name!r}{barred}",
        hint=suggest_name(name, known) or "`%batchimg vms`, `images` and `pools` list what there is",
        status_code=404,
    )


def _choose_match(found: Mapping[str, str], name: str, kind: str | None) -> str:
    """Return which of the things that a name means is meant."""
    if kind is None and len(found) == 1:
        return next(iter(found))
    if kind in found:
        return str(kind)
    if kind is None:
        raise SpecError(
            f"{name!r} is {' and '.join(f'a {one}' if one != 'image' else 'an image' for one in found)}",
            hint=f"say which: {', '.join(f'--as {one}' for one in found)}; or give its resource id",
        )
    raise NotFoundError(
        f"there is no {kind} {name!r}", hint=f"it is a {', '.join(found)}: leave --as out", status_code=404
    )


async def _facts(azure: Azure, kind: str, key: str, pool: str | None, asked: dict[str, Any]) -> Facts:
    name = pool or _PLACEHOLDER_POOL
    if kind == "vm":
        target = ResourceId.parse(key)
        size = asked.pop("vm_size", None) or await _vm_size_of(azure, target)
        spec = PoolSpec.build(name, asked.pop("spec", None), from_vm=key, vm_size=size, **asked)
        facts, origin = await reader.read_for_creation(azure, spec, pool_named=pool is not None)
        return facts if pool is None else (await create.examine_facts(azure, facts, origin))[0]
    if kind == "image":
        sized = asked.get("vm_size") is not None
        spec = _build_spec(name, asked, {})
        return await reader.read_for_image(azure, key, spec, pool_named=pool is not None, sized=sized)
    found = await pools.require(azure, ResourceId.parse(key).name)
    return await reader.read_for_pool(azure, found, _build_spec(found["name"], asked, _options_of_pool(found)))


async def _vm_size_of(azure: Azure, vm: ResourceId) -> str:
    found = await azure.call(azure.compute.virtual_machines.get(vm.resource_group, vm.name))
    return str(document(found)["properties"]["hardwareProfile"]["vmSize"])


def _options_of_pool(pool: Json) -> dict[str, Any]:
    """Return a pool that is there as what could have been asked for; node agent and image it has already."""
    props = pool["properties"]
    current = current_or_target(pool)
    network = props.get("networkConfiguration") or {}
    timeout = dig(props, "scaleSettings", "fixedScale", "resizeTimeout")
    os_disk = dig(props, "deploymentConfiguration", "virtualMachineConfiguration", "osDisk") or {}
    public = dig(network, "publicIPAddressConfiguration", "provision")
    return {
        "vm_size": props["vmSize"],
        "nodes": current.dedicated,
        "spot": current.spot,
        "timeout": None if timeout is None else seconds_of(str(timeout)),
        "subnet": network.get("subnetId"),
        "no_public_address": str(public).lower() == "nopublicipaddresses" or None,
        "task_slots": props.get("taskSlotsPerNode"),
        "os_disk_gib": os_disk.get("diskSizeGB"),
        "os_disk_type": dig(os_disk, "managedDisk", "storageAccountType"),
    }


def _build_spec(name: str, asked: dict[str, Any], there: Mapping[str, Any]) -> PoolSpec:
    """Make a spec of what is asked for, over what is there, where no origin is spoken of."""
    body = asked.pop("spec", None)
    given = {key: value for key, value in asked.items() if value is not None}
    return PoolSpec.build(name, body, **{"from_vm": _PLACEHOLDER_POOL, "vm_size": _PLACEHOLDER_POOL, **there, **given})
