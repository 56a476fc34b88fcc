"""`check NAME`: find the resource with a name and check it against the rules."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import partial_reads, resources, tags
from batchimg_magics.core.azure.documents import dig, seconds_of
from batchimg_magics.core.base import concurrency
from batchimg_magics.core.base.node_counts import current_or_target
from batchimg_magics.core.batch import pools
from batchimg_magics.core.batch.vm_size_names import canonical_size
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
#: Used where a spec requires a value and none was given.
_PLACEHOLDER_POOL = "POOL"


async def check_resource(
    azure: Azure, name: str, *, kind: str | None, pool: str | None, asked: Mapping[str, Any], every: bool = False
) -> Table:
    """Check a VM, an image or a pool.

    Parameters
    ----------
    azure
        The connection.
    name
        Its name or resource id; for an image also GALLERY/DEFINITION[/VERSION].
    kind
        One of `words.CHECK_KINDS`, if several resources have the name.
    pool
        The pool that a VM or image is intended for.
    asked
        The options of `create` to check.
    every
        Whether all checks are shown; otherwise those that failed.

    Raises
    ------
    NotFoundError
        No resource has this name.
    SpecError
        Several resources have this name, or an option is not valid.
    """
    found = await _find_matches(azure, name)
    which = _choose_match(found, name, kind)
    facts = await _facts(azure, which, found[which], pool, dict(asked))
    what = f"{which} {ResourceId.parse(found[which]).name}"
    if which == "image":
        what = "image " + "/".join(part for _, part in ResourceId.parse(found[which]).path)
    return preflight.findings_table(facts, preflight.run_rules(facts), what, every=every)


async def _find_matches(azure: Azure, name: str) -> dict[str, str]:
    """Return a map from kind to resource id of all resources with a name."""
    if name.startswith("/"):
        kind = _TYPES.get(ResourceId.parse(name).type.lower())
        if kind is None:
            raise SpecError(f"{name} is not a VM, an image or a pool", hint="specify one of these")
        return {kind: name}
    if "/" in name:
        return {"image": str(_gallery_id(azure, name))}
    scope = azure.scope
    definition_id = galleries.definition_id(azure, name)
    reads = partial_reads.PartialReader(azure)
    vm, managed, pool, definition = await concurrency.gather(
        reads.read("VMs", resources.read_or_none(azure, scope.compute_id(("virtualMachines", name))), None),
        reads.read("managed images", resources.read_or_none(azure, scope.compute_id(("images", name))), None),
        reads.read("pools", pools.read(azure, name), None),
        reads.read("gallery images", galleries.read_definition(azure, definition_id), None),
    )
    found = {"vm": vm and vm["id"], "pool": pool and pool["id"]}
    if managed is not None and definition is not None:
        raise SpecError(
            f"{name!r} is a managed image and an image in gallery {definition_id.path[0][1]}",
            hint="specify its resource id, or GALLERY/DEFINITION",
        )
    # The image that was created for a pool has the name of the pool, and is checked with the pool.
    if managed is not None:
        found["image"] = managed["id"]
    elif definition is not None and not (pool and tags.is_tagged_for(definition, pool["name"])):
        found["image"] = definition["id"]
    known = {kind: str(key) for kind, key in found.items() if key}
    if not known:
        raise await _not_found_error(azure, name, reads.unread)
    return known


def _gallery_id(azure: Azure, name: str) -> ResourceId:
    """Return the resource id of GALLERY/DEFINITION[/VERSION] or DEFINITION/VERSION."""
    first, *rest = name.strip("/").split("/")
    if len(rest) == 1 and _NUMBER.fullmatch(rest[0]):
        return galleries.definition_id(azure, first).child("versions", rest[0])
    if len(rest) not in (1, 2) or not all(rest):
        raise SpecError(
            f"{name!r} is not the name of an image", hint="specify GALLERY/DEFINITION or GALLERY/DEFINITION/VERSION"
        )
    definition = azure.scope.compute_id(("galleries", first), ("images", rest[0]))
    return definition.child("versions", rest[1]) if rest[1:] else definition


async def _not_found_error(azure: Azure, name: str, unread: Mapping[str, str]) -> NotFoundError:
    """Return the error for an unknown name; the hint has the most similar existing name."""
    reads = partial_reads.PartialReader(azure)
    vms, existing_pools = await concurrency.gather(
        reads.read("VMs", resources.read_list(azure, azure.scope.compute_list("virtualMachines")), []),
        reads.read("pools", pools.read_all(azure), []),
    )
    known = [str(one["name"]) for one in [*vms, *existing_pools]]
    denied = f"; could not read {', '.join(unread)}" if unread else ""
    return NotFoundError(
        f"there is no VM, image or pool {name!r}{denied}",
        hint=suggest_name(name, known) or "`%batchimg vms`, `images` and `pools` list the existing resources",
        status_code=404,
    )


def _choose_match(found: Mapping[str, str], name: str, kind: str | None) -> str:
    """Return the kind of the resource that is meant."""
    if kind is None and len(found) == 1:
        return next(iter(found))
    if kind in found:
        return str(kind)
    if kind is None:
        raise SpecError(
            f"{name!r} is {' and '.join(f'a {one}' if one != 'image' else 'an image' for one in found)}",
            hint=f"specify one: {', '.join(f'--as {one}' for one in found)}; or its resource id",
        )
    raise NotFoundError(f"there is no {kind} {name!r}", hint=f"it is a {', '.join(found)}: omit --as", status_code=404)


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
    return canonical_size((await resources.read(azure, vm))["properties"]["hardwareProfile"]["vmSize"])


def _options_of_pool(pool: Json) -> dict[str, Any]:
    """Return the properties of an existing pool as options of `create`, except its node agent and image."""
    props = pool["properties"]
    current = current_or_target(pool)
    network = props.get("networkConfiguration") or {}
    timeout = dig(props, "scaleSettings", "fixedScale", "resizeTimeout")
    os_disk = dig(props, "deploymentConfiguration", "virtualMachineConfiguration", "osDisk") or {}
    public = dig(network, "publicIPAddressConfiguration", "provision")
    return {
        "vm_size": canonical_size(props["vmSize"]),
        "nodes": current.dedicated,
        "spot": current.spot,
        "timeout": None if timeout is None else seconds_of(str(timeout)),
        "subnet": network.get("subnetId"),
        "no_public_address": str(public).lower() == "nopublicipaddresses" or None,
        "task_slots": props.get("taskSlotsPerNode"),
        "os_disk_gib": os_disk.get("diskSizeGB"),
        "os_disk_type": dig(os_disk, "managedDisk", "storageAccountType"),
    }


def _build_spec(name: str, asked: dict[str, Any], existing: Mapping[str, Any]) -> PoolSpec:
    """Build a spec from the given options and the existing properties; the image source is a placeholder."""
    body = asked.pop("spec", None)
    given = {key: value for key, value in asked.items() if value is not None}
    return PoolSpec.build(
        name, body, **{"from_vm": _PLACEHOLDER_POOL, "vm_size": _PLACEHOLDER_POOL, **existing, **given}
    )
