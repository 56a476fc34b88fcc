"""`migrate`: replace a pool made from a managed image or VHD with a pool made from a gallery image version.

Azure no longer creates the former. The new pool has the settings of the old one and another image; both exist until
the old one is deleted. Secrets that Azure does not return (passwords, storage keys) are not copied, and are named.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import tags
from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.base.node_counts import Counts, target_counts
from batchimg_magics.core.base.steps import Step, StepResult
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.batch import pool_update, pools, vm_sizes
from batchimg_magics.core.batch.pools import PoolImage
from batchimg_magics.core.batch.vm_size_names import canonical_size
from batchimg_magics.core.compute import image_versions
from batchimg_magics.core.images import build
from batchimg_magics.core.images.origins import registry
from batchimg_magics.core.operations import create
from batchimg_magics.core.operations.runner import StepRunner, step_rows
from batchimg_magics.core.scaling import controller
from batchimg_magics.core.scaling.request import ResizeRequest
from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.pool import PoolSpec
from batchimg_magics.pool_spec.words import count_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.images.build import ImageBuild

_MACHINE = ("deploymentConfiguration", "virtualMachineConfiguration")
#: Properties of a pool that only Azure sets. Source: Batch Management's OpenAPI, readOnly.
_READ_ONLY = frozenset(
    {
        "lastModified",
        "creationTime",
        "provisioningState",
        "provisioningStateTransitionTime",
        "allocationState",
        "allocationStateTransitionTime",
        "currentDedicatedNodes",
        "currentLowPriorityNodes",
        "autoScaleRun",
        "resizeOperationStatus",
        "currentNodeCommunicationMode",
        "certificates",
    }
)


@dataclass(frozen=True, slots=True)
class Migration:
    """What `migrate` read before it changes anything.

    Parameters
    ----------
    pool
        The old pool's document.
    spec, build
        The new pool as far as its image and VM size, and its image.
    counts
        The target node counts of the old pool; None: an autoscale formula sets them.
    """

    pool: Json
    spec: PoolSpec
    build: ImageBuild
    counts: Counts | None

    @property
    def name(self) -> str:
        """The old pool's name."""
        return str(self.pool["name"])

    def body(self, image: PoolImage) -> Json:
        """Return the ARM document of the new pool, which has no nodes."""
        return new_pool_body(self.pool, self.spec.name, image, self.build.azure.resource_tags)


def legacy_image(pool: Json) -> dict[str, str]:
    """Return the source of a pool as the option of a spec, if Azure no longer creates such pools; else nothing.

    Pools of VHDs have ``osDisk.imageUris``, which API versions until 2017 accepted.
    """
    machine = dig(pool, "properties", *_MACHINE) or {}
    uris = dig(machine, "osDisk", "imageUris") or []
    if uris:
        return {"from_vhd": str(uris[0])}
    image = str(pools.image_of(pool) or "")
    is_managed = "/providers/microsoft.compute/images/" in image.lower()
    return {"from_image": image} if is_managed else {}


async def read_legacy_pools(azure: Azure) -> list[Json]:
    """Return the account's pools that are made from managed images or VHDs."""
    return [pool for pool in await pools.read_all(azure) if legacy_image(pool)]


async def read_migration(azure: Azure, name: str, new: str) -> Migration:
    """Read everything that a migration depends on, and raise if it cannot succeed. Nothing is changed.

    Parameters
    ----------
    azure, name
        The connection, and the old pool.
    new
        The new pool's name.

    Raises
    ------
    NotFoundError
        There is no such pool, or its image is missing.
    SpecError
        There is nothing to migrate.
    ConflictError
        A resource with the new name exists that this tool did not create.
    """
    pool = await pools.require(azure, name)
    origin = legacy_image(pool)
    if not origin:
        raise SpecError(
            f"pool {name!r} is made from neither a managed image nor a VHD: there is nothing to migrate",
            hint="`%batchimg migrate` without a name lists the pools that need it",
        )
    if new.lower() == name.lower():
        raise SpecError("the new pool needs another name than the old one", hint="specify it with --to")
    spec = PoolSpec.build(new, **_spec_options(pool, origin))
    image_origin = await registry.find(azure, spec, yes=False)
    if not image_origin.source.generalized:
        raise SpecError(
            f"{image_origin.source.description} is not of a generalized system",
            hint="Batch creates pools from generalized images only: create an image of a generalized VM",
        )
    region = await azure.region()
    await vm_sizes.read_size(azure, spec.vm_size)
    existing = await pools.read(azure, new)
    replicas = image_versions.replicas_for(spec, image_origin.source, region)
    pinned = None if existing is None else pools.image_of(existing)
    found = Migration(
        pool=pool,
        spec=spec,
        build=await build.read_build(azure, spec, image_origin, replicas, pinned),
        counts=_counts(pool),
    )
    if existing is not None:
        image = PoolImage(found.build.known_id or f"a new one of {image_origin.source.description}", found.build.hash)
        pool_update.decide(existing, found.body(image))
    return found


def _spec_options(pool: Json, origin: dict[str, str]) -> dict[str, Any]:
    props = pool["properties"]
    counts = _counts(pool) or Counts()
    machine = dig(props, *_MACHINE) or {}
    agent = str(machine.get("nodeAgentSkuId"))
    options: dict[str, Any] = {"vm_size": canonical_size(props["vmSize"]), "node_agent_sku": agent, **origin}
    if "from_vhd" in origin:
        # A VHD has no metadata, but the old pool's nodes run from it; Batch supported only generation 1 then.
        system = "Windows" if "windows" in agent.lower() else "Linux"
        options |= {"generalized": True, "os_type": system, "generation": "V1"}
    return {**options, "nodes": counts.dedicated, "spot": counts.spot}


def _counts(pool: Json) -> Counts | None:
    return None if dig(pool, "properties", "scaleSettings", "fixedScale") is None else target_counts(pool)


# -- the new pool ------------------------------------------------------------------------------------------------


def new_pool_body(old: Json, name: str, image: PoolImage, connection_tags: Mapping[str, str]) -> Json:
    """Return the ARM document of a pool with the settings of another one and a new image; it has no nodes."""
    props = {key: copy.deepcopy(value) for key, value in old["properties"].items() if key not in _READ_ONLY}
    machine = props["deploymentConfiguration"]["virtualMachineConfiguration"]
    machine["imageReference"] = {"id": image.id}
    dig(machine, "osDisk") and machine["osDisk"].pop("imageUris", None)
    if "fixedScale" in (props.get("scaleSettings") or {}):
        props["scaleSettings"] = {"fixedScale": {"targetDedicatedNodes": 0, "targetLowPriorityNodes": 0}}
    for path in _SECRET_LISTS:
        _remove_secret_rows(props, path)
    kept = [one for one in props.pop("metadata", None) or [] if not str(one.get("name")).startswith("batchimg-")]
    own_tags = {tags.POOL: name, tags.IMAGE: image.hash, tags.SPEC: tags.digest(props), **tags.tool_tags()}
    props["metadata"] = [*kept, *({"name": key, "value": value} for key, value in own_tags.items())]
    resource_tags = {key: value for key, value in (old.get("tags") or {}).items() if not key.startswith("batchimg-")}
    body: Json = {"properties": props, "tags": tags.combined(connection_tags, resource_tags, own_tags)}
    if users := dig(old, "identity", "userAssignedIdentities"):
        body["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {user: {} for user in users}}
    return body


#: Lists whose rows may need a secret that Azure does not return: path to their name, and the key in a row that shows
#: that it needs no secret.
_SECRET_LISTS: dict[tuple[str, ...], tuple[str, str]] = {
    ("userAccounts",): ("user accounts", ""),
    ("mountConfiguration",): ("mounts", "identityReference"),
    (*_MACHINE, "containerConfiguration", "containerRegistries"): ("container registries", "identityReference"),
}


def _remove_secret_rows(props: Json, path: tuple[str, ...]) -> None:
    """Remove the rows that need a secret which Azure does not return."""
    *parents, last = path
    parent = dig(props, *parents) if parents else props
    if not isinstance(parent, dict) or not parent.get(last):
        return
    _, no_secret_key = _SECRET_LISTS[path]
    rows = [row for row in parent[last] if no_secret_key and f"'{no_secret_key}'" in repr(row)]
    if rows:
        parent[last] = rows
    else:
        del parent[last]


def omitted_settings(old: Json) -> str:
    """Return, as text, the settings of a pool that are not copied, since Azure does not return their secrets."""
    parts = []
    for path, (name, no_secret_key) in _SECRET_LISTS.items():
        rows = dig(old, "properties", *path) or []
        if any(not no_secret_key or f"'{no_secret_key}'" not in repr(row) for row in rows):
            parts.append(name)
    return f"without {' and '.join(parts)}: Azure does not return their secrets" if parts else ""


def migration_steps(azure: Azure, found: Migration, board: Board, *, delete_old: bool) -> list[Step]:
    """Return the steps that replace an old pool with a new one."""
    spec = found.spec

    async def make_pool(done: Mapping[str, StepResult]) -> StepResult:
        action, changed = await pool_update.ensure_pool(azure, spec.name, found.body(found.build.image(done)))
        return StepResult(action, detail=changed or omitted_settings(found.pool) or f"as {found.name}")

    async def make_nodes(_: Mapping[str, StepResult]) -> StepResult:
        if found.counts is None:
            return StepResult("exists", "steady", "the autoscale formula of the old pool sets the size")
        request = ResizeRequest(found.counts.dedicated, found.counts.spot, grow_only=True)
        attempts = await controller.ResizeController(azure, spec.name, request, board).run()
        return StepResult(create.nodes_action(attempts), "ready", str(attempts.attrs["nodes"]))

    async def delete_pool(_: Mapping[str, StepResult]) -> StepResult:
        await pools.delete(azure, found.name)
        return StepResult("deleted", "gone")

    new, old = azure.scope.pool_id(spec.name), azure.scope.pool_id(found.name)
    seconds = pools.EXPECTED_S
    size = str(found.counts or "as the autoscale formula sets")
    exists = partial(_pool_exists, azure, spec.name)
    steps = [
        *build.build_steps(found.build),
        Step(
            "pool",
            new,
            make_pool,
            (found.build.final_step,),
            seconds["pool"],
            omitted_settings(found.pool) or f"as {found.name}",
            is_done=exists,
        ),
        Step(
            "nodes", new, make_nodes, ("pool",), seconds["ready"], f"{size}, until ready", planned_action="would create"
        ),
    ]
    if delete_old:
        why = "its tasks end with it"
        steps.append(
            Step("old pool", old, delete_pool, ("nodes",), seconds["delete pool"], why, planned_action="would delete")
        )
    return steps


async def _pool_exists(azure: Azure, name: str) -> bool:
    return await pools.read(azure, name) is not None


async def migrate(azure: Azure, name: str, new: str, board: Board, *, dry_run: bool, delete_old: bool) -> Table:
    """Create a pool from a gallery image that replaces a pool made from a managed image or a VHD.

    Parameters
    ----------
    azure, name, new, board
        The connection; the old pool and the new pool's name; the progress display.
    dry_run
        Only report what would be done.
    delete_old
        Whether the old pool is deleted when the new one's nodes are ready.

    Returns
    -------
    Table
        One row per step.

    Raises
    ------
    NotFoundError, SpecError, ConflictError
        The migration cannot succeed; nothing was changed.
    """
    found = await read_migration(azure, name, new)
    steps = migration_steps(azure, found, board, delete_old=delete_old)
    if dry_run:
        rows = [{**row, "state": "not begun", "detail": row["why"]} for row in await step_rows(steps)]
        return Table.from_rows("migrate", rows, f"pool {name}: plan of {count_text(len(rows), 'step')} (dry run)")
    run = StepRunner("migrate", steps, board)
    table = await run.run_with_cleanup(found.build, "")
    old = "is deleted" if delete_old else f"still exists: `%batchimg delete {name}` when you no longer need it"
    table.caption = f"pool {new} replaces pool {name}, which {old}"
    return table


async def list_legacy_pools(azure: Azure) -> Table:
    """Return the pools that Azure would no longer create, one per row."""
    rows = [
        {
            "step": "migrate",
            "resource": pool["name"],
            "action": "would create",
            "state": "not begun",
            "detail": "made from " + " ".join(legacy_image(pool).values()).rpartition("/")[2],
            "id": pool["id"],
        }
        for pool in await read_legacy_pools(azure)
    ]
    return Table.from_rows("migrate", rows, f"pools made from managed images or VHDs: {len(rows)}")
