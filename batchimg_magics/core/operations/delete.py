"""`delete`: a pool with the resources of its image, or a single image, version, snapshot or disk.

Only resources with ownership tags are deleted, and none that is in use. Each resource is deleted after those that
use it, and snapshots last: while a snapshot exists, the same command finds what is left to delete.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from batchimg_magics.core.azure import tags
from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.base import concurrency
from batchimg_magics.core.base.steps import Step, StepResult
from batchimg_magics.core.batch import pools
from batchimg_magics.core.compute import (
    disks,
    galleries,
    image_versions,
    managed_images,
    snapshots,
    virtual_machines,
)
from batchimg_magics.core.estimates import spending
from batchimg_magics.core.images import inventory, temporary
from batchimg_magics.core.images.stopped_vms import find_stopped, restart_vm
from batchimg_magics.core.images.usage import ResourceUsage
from batchimg_magics.core.operations.runner import StepRunner
from batchimg_magics.errors import BatchImgError, ConflictError, InUseError, NotFoundError, SpecError
from batchimg_magics.pool_spec.line import shell_word
from batchimg_magics.pool_spec.words import count_text
from batchimg_magics.resource_ids import ResourceId, is_same_resource

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.base.table import Table
    from batchimg_magics.core.images.inventory import Inventory
    from batchimg_magics.core.images.stopped_vms import StoppedVm
    from batchimg_magics.core.images.usage import ResourceUser

#: Maps the type in a resource id to the name of the kind and the function that deletes it.
KINDS: dict[str, tuple[str, Callable[[Azure, ResourceId], Awaitable[bool | None]]]] = {
    "galleries/images/versions": ("image version", image_versions.delete_version),
    "galleries/images": ("image definition", galleries.delete_definition),
    "galleries": ("gallery", galleries.delete_gallery_if_empty),
    "images": ("managed image", managed_images.delete),
    "virtualmachines": ("VM", temporary.delete_vm),
    "networkinterfaces": ("network interface", temporary.delete_one),
    "networksecuritygroups": ("network security group", temporary.delete_one),
    "disks": ("disk", disks.delete_disk),
    "snapshots": ("snapshot", snapshots.delete_snapshot),
}
#: Kinds that a user can name. Galleries are deleted with their last image, temporary VMs with their pool.
_NAMED_KINDS = frozenset({"galleries/images/versions", "galleries/images", "images", "disks", "snapshots"})


@dataclass(frozen=True, slots=True)
class Deletion:
    """The resources to delete.

    Parameters
    ----------
    pool
        The pool's id, if there is one.
    resources
        The documents of all other resources.
    unchecked
        What could not be read, as text.
    stopped
        The VMs that were stopped for a copy for the pool: they are started again.
    """

    pool: ResourceId | None
    resources: tuple[Json, ...] = ()
    unchecked: str = ""
    stopped: tuple[StoppedVm, ...] = ()


async def delete(azure: Azure, name: str, board: Board, *, image: bool, dry_run: bool, blindly: bool = False) -> Table:
    """Delete a pool and, if requested, its image with all of its resources; or a single image or snapshot.

    Parameters
    ----------
    azure, board
        The connection, and the progress display.
    name
        The pool's name, or a resource's id.
    image
        Whether the pool's image is deleted too.
    dry_run
        Whether to report only what would be deleted.
    blindly
        Whether to delete an image or a resource even if some resources that might use it could not be read.

    Returns
    -------
    Table
        One row per resource.

    Raises
    ------
    NotFoundError
        Nothing has this name.
    InUseError
        Other resources use it; nothing was deleted.
    """
    if "/" in name:
        found = await read_resource_deletion(azure, name, blindly=blindly or dry_run)
        what = name.rpartition("/")[2]
    else:
        found = await read_pool_deletion(azure, name, image=image, blindly=blindly or dry_run)
        what = f"pool {name}"
    table = await delete_resources(azure, found, board, what=what, dry_run=dry_run)
    if found.pool is not None and not dry_run:
        table.caption += _cost_text(azure, name)
    if "/" not in name and not image:
        table.caption += "; its image, if any, is kept (see `%batchimg cleanup`)"
    return table


def _cost_text(azure: Azure, pool: str) -> str:
    """Return what a pool has cost, for the caption; empty where that is not known."""
    costs = spending.costs_of(azure, pool, exists=False)
    if not costs or costs[-1].usd is None:
        return ""
    return f"; it cost about ${costs[-1].usd:.2f}, as seen from this computer"


async def read_pool_deletion(azure: Azure, name: str, *, image: bool, blindly: bool = True) -> Deletion:
    """Read a pool and, if requested, the resources of its image.

    Raises
    ------
    NotFoundError
        Neither exists.
    InUseError
        Other resources use its image.
    ConflictError
        It is unknown whether its image is in use, and `blindly` is false.
    """
    pool, found = await concurrency.gather(
        pools.read(azure, name), inventory.read_inventory(azure) if image else inventory.read_machines(azure)
    )
    resources: list[Json] = []
    stopped = await find_stopped(azure, found.machines, name)
    if image:
        resources = resources_of_pool(azure, found, name)
        usage = ResourceUsage(found, azure.scope.account_id)
        _raise_if_used(usage, resources, but=str(azure.scope.pool_id(name)))
        if resources:
            raise_if_unchecked(found, blindly=blindly)
    if pool is None and not stopped and not [one for one in resources if kind_of(one) != "galleries"]:
        what = "and nothing of its image" if image else "so there is nothing to delete"
        raise pools.not_found_error(azure, name, await pools.read_all(azure), f"there is no pool {name!r}, {what}")
    unchecked = found.unreadable_text if image else ""
    return Deletion(
        azure.scope.pool_id(name) if pool is not None else None, tuple(resources), unchecked, tuple(stopped)
    )


def kind_of(document: Json) -> str:
    """Return a resource's type without its provider, e.g. ``galleries/images``."""
    return "/".join(word.lower() for word, _ in ResourceId.parse(document["id"]).path)


def resources_of_pool(azure: Azure, found: Inventory, pool: str) -> list[Json]:
    """Return all resources with the ownership tags of a pool, and the gallery that this tool made for the account."""
    account = azure.scope.account
    tagged = [
        document
        for documents in (
            found.machines,
            found.interfaces,
            found.security_groups,
            found.temporary,
            found.versions,
            found.definitions,
            found.managed_images,
            found.disks,
            found.snapshots,
        )
        for document in documents
        if tags.is_tagged_for(document, pool, account) and is_in_scope(azure, document)
    ]
    return tagged + [
        one for one in found.galleries if galleries.is_made_for_account(one, account) and is_in_scope(azure, one)
    ]


def is_in_scope(azure: Azure, document: Json) -> bool:
    """Return whether this tool may delete a resource with ownership tags of a pool of the account.

    It is in the resource group of the connection, in a gallery of its subscription, or temporary: the copy of a VM of
    another subscription is in the resource group of that VM.
    """
    where = ResourceId.parse(document["id"])
    scope = azure.scope
    if dig(document, "tags", tags.TEMPORARY) is not None:
        return True
    if where.subscription.lower() != scope.subscription.lower():
        return False
    return where.path[0][0].lower() == "galleries" or where.resource_group.lower() == scope.resource_group.lower()


def _raise_if_used(usage: ResourceUsage, resources: Iterable[Json], *, but: str = "") -> None:
    users: dict[str, ResourceUser] = {}
    used = []
    for document in resources:
        if kind_of(document) == "galleries":
            continue  # it is deleted only if it is empty
        needed = usage.needed_by(document["id"], but=but)
        # A temporary VM is deleted with its disks.
        needed = [user for user in needed if not any(is_same_resource(user.id, one["id"]) for one in resources)]
        if needed:
            used.append(ResourceId.parse(document["id"]).name)
        users |= {user.id.lower(): user for user in needed}
    if users:
        names = ", ".join(sorted(user.name for user in users.values()))
        raise InUseError(
            f"{', '.join(used)}: in use by {names}",
            users=sorted(user.id for user in users.values()),
            hint="nothing was deleted; delete what uses it first (`%batchimg delete NAME` deletes a pool)",
        )


async def read_resource_deletion(azure: Azure, resource_id: str, *, blindly: bool = False) -> Deletion:
    """Read a single image, version, snapshot or disk to delete.

    Parameters
    ----------
    azure, resource_id
        The connection, and the resource.
    blindly
        Whether to delete it even if some resources that might use it could not be read.

    Raises
    ------
    SpecError
        It is of another kind.
    NotFoundError
        It does not exist.
    InUseError
        Other resources use it, or what was made from it; all of them are named.
    ConflictError
        This tool did not create it, or it is unknown whether it is in use.
    """
    where = ResourceId.parse(resource_id)
    kind = "/".join(word.lower() for word, _ in where.path)
    if kind not in _NAMED_KINDS or where.provider.lower() != "microsoft.compute":
        known = ", ".join(sorted(KINDS[one][0] for one in _NAMED_KINDS))
        raise SpecError(
            f"{where.name} is a {where.type}", hint=f"specify the name of a pool, or the id of one of: {known}"
        )
    found = await inventory.read_inventory(azure)
    existing = next((one for one in found.all_resources if is_same_resource(one["id"], str(where))), None)
    if existing is None:
        raise NotFoundError(
            f"there is no {KINDS[kind][0]} {where.name!r}",
            hint="`%batchimg images --sources` lists the existing resources with their ids",
            status_code=404,
        )
    within = [one for one in found.versions if one["id"].lower().startswith(f"{str(where).lower()}/versions/")]
    whole = (*within, existing)
    _raise_if_used(ResourceUsage(found, azure.scope.account_id), whole)
    for one in whole:
        if tags.owner_pool(one) is None:
            raise ConflictError(
                f"this tool did not create {KINDS[kind_of(one)][0]} {one['name']!r}",
                hint="it deletes only what it created; to delete this anyway: "
                f"`az resource delete --ids {shell_word(one['id'])}`",
                status_code=409,
            )
    raise_if_unchecked(found, blindly=blindly)
    return Deletion(None, whole, found.unreadable_text)


def raise_if_unchecked(found: Inventory, *, blindly: bool) -> None:
    """Raise ConflictError if a resource that could not be read may use what is to be deleted."""
    if found.unreadable and not blindly:
        raise ConflictError(
            f"{found.unreadable_text}; it is unknown whether they use it",
            hint="nothing was deleted; add --yes to delete it anyway",
            status_code=409,
        )


# -- steps -------------------------------------------------------------------------------------------------------

#: The kinds that must be deleted before a kind.
_DEPENDENTS: dict[str, tuple[str, ...]] = {
    "pool": (),
    "virtualmachines": (),
    "networkinterfaces": ("virtualmachines",),
    "networksecuritygroups": ("virtualmachines", "networkinterfaces"),
    "galleries/images/versions": ("pool",),
    "galleries/images": ("pool", "galleries/images/versions"),
    "galleries": ("pool", "galleries/images/versions", "galleries/images"),
    "images": ("pool", "galleries/images/versions"),
    "disks": ("pool", "virtualmachines", "galleries/images/versions", "images"),
}
_EXPECTED_S = {
    "galleries/images/versions": galleries.EXPECTED_S["delete version"],
    "pool": pools.EXPECTED_S["delete pool"],
}


def deletion_steps(azure: Azure, found: Deletion) -> list[Step]:
    """Return one step per resource, after the steps of the resources that use it."""
    listed: list[tuple[str, str, ResourceId]] = []
    if found.pool is not None:
        listed.append(("pool", "pool", found.pool))
    for kind in KINDS:
        ids = [ResourceId.parse(one["id"]) for one in found.resources if kind_of(one) == kind]
        for one in ids:
            kind_name = KINDS[kind][0]
            single = kind in ("galleries", "galleries/images") and len(ids) == 1
            listed.append(
                (
                    kind,
                    kind_name if single else f"{kind_name} {'/'.join(part for _, part in one.path[1:]) or one.name}",
                    one,
                )
            )
    starts = [_start_step(azure, one) for one in found.stopped]
    return [*starts, *(_step(azure, kind, name, one, listed) for kind, name, one in listed)]


def _start_step(azure: Azure, vm: StoppedVm) -> Step:
    """Return the step that starts a VM again, which an interrupted run stopped."""

    async def run(_: Mapping[str, StepResult]) -> StepResult:
        started = await restart_vm(azure, vm.id, vm.pool)
        return StepResult("changed" if started else "exists", "running", "started again: it was stopped for a copy")

    seconds = virtual_machines.EXPECTED_S["start"]
    return Step(f"start VM {vm.id.name}", vm.id, run, (), seconds, planned_action="would change", kind="VM")


def _step(azure: Azure, kind: str, name: str, one: ResourceId, listed: list[tuple[str, str, ResourceId]]) -> Step:
    users = _DEPENDENTS.get(kind, tuple(_DEPENDENTS))
    after = tuple(other for other_kind, other, _ in listed if other_kind in users)
    if kind == "pool":
        delete: Callable[[ResourceId], Awaitable[bool | None]] = lambda pool: pools.delete(azure, pool.name)  # noqa: E731
    else:
        delete = partial(KINDS[kind][1], azure)

    async def run(_: Mapping[str, StepResult]) -> StepResult:
        if await delete(one) is False:
            return StepResult("kept", "in use", "contains other images")
        return StepResult("deleted", "gone")

    return Step(name, one, run, after, _EXPECTED_S.get(kind), kind=KINDS[kind][0] if kind in KINDS else kind)


async def delete_resources(azure: Azure, found: Deletion, board: Board, *, what: str, dry_run: bool) -> Table:
    """Delete resources, or report what would be deleted."""
    run = StepRunner("delete", deletion_steps(azure, found), board, keep_going=True)
    unchecked = f"; {found.unchecked}" if found.unchecked else ""
    if dry_run:
        starts = {f"start VM {one.id.name}" for one in found.stopped}
        run.results = {
            step.name: StepResult("would change" if step.name in starts else "would delete", "exists")
            for step in run.steps
        }
        resources = count_text(len(run.steps) - len(starts), "resource")
        return run.table(f"{what}: dry run, {resources} would be deleted{unchecked}")
    try:
        return await run.run(f"{what}: deleted{unchecked}")
    except BatchImgError as error:
        error.hint = "the table shows what is left; run the same command again to finish"
        raise
