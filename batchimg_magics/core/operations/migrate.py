"""Pools made from managed images or VHDs, which Azure no longer makes: to a new pool from a gallery image version.

The new pool is what the old one is, with another image; both are there until the old one is deleted. What Azure does
not tell (passwords, keys of storage) cannot be carried over, and is named.
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
from batchimg_magics.core.compute import image_versions
from batchimg_magics.core.images import build
from batchimg_magics.core.images.origins import registry
from batchimg_magics.core.operations import plan
from batchimg_magics.core.operations.runner import StepRunner
from batchimg_magics.core.scaling import controller
from batchimg_magics.core.scaling.request import ResizeRequest
from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.pool import PoolSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.images.build import ImageBuild

_MACHINE = ("deploymentConfiguration", "virtualMachineConfiguration")
#: What Azure sets of a pool, and nobody asks for. Source: Batch Management's OpenAPI, readOnly.
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
    """What `migrate` found.

    Parameters
    ----------
    pool
        The old pool's document.
    spec, imaging
        The new pool as far as its image and size go, and its image.
    counts
        How many nodes the old pool is to have; None: a formula says.
    """

    pool: Json
    spec: PoolSpec
    build: ImageBuild
    counts: Counts | None

    @property
    def name(self) -> str:
        """The old pool's."""
        return str(self.pool["name"])

    def body(self, image: PoolImage) -> Json:
        """Return the ARM document of the new pool, without nodes yet."""
        return new_pool_body(self.pool, self.spec.name, image)


def legacy_image(pool: Json) -> dict[str, str]:
    """Return what a pool is made from, as the option of a spec, where Azure no longer makes such pools; else nothing.

    Source: FACTS 2; pools of VHDs name them as ``osDisk.imageUris``, which api-versions until 2017 took.
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
    """Read what a migration depends on, and refuse what cannot work. Nothing is changed.

    Parameters
    ----------
    azure, name
        Where, and the old pool.
    new
        The new pool's name.

    Raises
    ------
    NotFoundError
        There is no such pool, or its image is gone.
    SpecError
        There is nothing to migrate.
    ConflictError
        There is something of the new name that is not this tool's.
    """
    pool = await pools.require(azure, name)
    origin = legacy_image(pool)
    if not origin:
        raise SpecError(
            f"pool {name!r} is made from neither a managed image nor a VHD: there is nothing to migrate",
            hint="`%batchimg migrate` alone lists the pools that have to be",
        )
    if new.lower() == name.lower():
        raise SpecError("the new pool needs another name than the old one", hint="give it with --to")
    spec = PoolSpec.build(new, **_spec_options(pool, origin))
    road = await registry.find(azure, spec, yes=False)
    if not road.source.generalized:
        raise SpecError(
            f"{road.source.description} is not of a generalized system",
            hint="Batch makes pools of generalized images only: make an image of a VM that was deprovisioned",
        )
    region = await azure.region()
    await vm_sizes.read_size(azure, spec.vm_size)
    existing = await pools.read(azure, new)
    pinned = None if existing is None else pools.image_of(existing)
    found = Migration(
        pool=pool,
        spec=spec,
        build=await build.read_build(azure, spec, road, image_versions.replicas_for(spec, road.source, region), pinned),
        counts=_counts(pool),
    )
    if existing is not None:
        image = PoolImage(found.build.known_id or f"a new one of {road.source.description}", found.build.hash)
        pool_update.decide(existing, found.body(image))
    return found


def _spec_options(pool: Json, origin: dict[str, str]) -> dict[str, Any]:
    props = pool["properties"]
    counts = _counts(pool) or Counts()
    machine = dig(props, *_MACHINE) or {}
    agent = str(machine.get("nodeAgentSkuId"))
    asked: dict[str, Any] = {"vm_size": props["vmSize"], "node_agent_sku": agent, **origin}
    if "from_vhd" in origin:
        # Nothing tells of what is in a VHD; that the old pool's nodes work of it does. Batch knew no other generation.
        system = "Windows" if "windows" in agent.lower() else "Linux"
        asked |= {"generalized": True, "os_type": system, "generation": "V1"}
    return {**asked, "nodes": counts.dedicated, "spot": counts.spot}


def _counts(pool: Json) -> Counts | None:
    return None if dig(pool, "properties", "scaleSettings", "fixedScale") is None else target_counts(pool)


# -- the new pool ------------------------------------------------------------------------------------------------


def new_pool_body(old: Json, name: str, image: PoolImage) -> Json:
    """Return the ARM document of a pool that is what another one is, but for its image; it has no nodes yet."""
    props = {key: copy.deepcopy(value) for key, value in old["properties"].items() if key not in _READ_ONLY}
    machine = props["deploymentConfiguration"]["virtualMachineConfiguration"]
    machine["imageReference"] = {"id": image.id}
    dig(machine, "osDisk") and machine["osDisk"].pop("imageUris", None)
    if "fixedScale" in (props.get("scaleSettings") or {}):
        props["scaleSettings"] = {"fixedScale": {"targetDedicatedNodes": 0, "targetLowPriorityNodes": 0}}
    for path in _SECRET:
        _remove_secret_rows(props, path)
    kept = [one for one in props.pop("metadata", None) or [] if not str(one.get("name")).startswith("batchimg-")]
    ours = {tags.POOL: name, tags.IMAGE: image.hash, tags.SPEC: tags.digest(props), **tags.tool_tags()}
    props["metadata"] = [*kept, *({"name": key, "value": value} for key, value in ours.items())]
    resource_tags = {key: value for key, value in (old.get("tags") or {}).items() if not key.startswith("batchimg-")}
    whole: Json = {"properties": props, "tags": {**resource_tags, **ours}}
    if users := dig(old, "identity", "userAssignedIdentities"):
        whole["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {user: {} for user in users}}
    return whole


#: Lists whose rows may need a secret that Azure does not tell: the words for them, their path, and what in a row shows
#: that it needs none.
_SECRET: dict[tuple[str, ...], tuple[str, str]] = {
    ("userAccounts",): ("user accounts", ""),
    ("mountConfiguration",): ("mounts", "identityReference"),
    (*_MACHINE, "containerConfiguration", "containerRegistries"): ("container registries", "identityReference"),
}


def _remove_secret_rows(props: Json, path: tuple[str, ...]) -> None:
    """Take rows away that need a secret which Azure does not tell."""
    *above, last = path
    home = dig(props, *above) if above else props
    if not isinstance(home, dict) or not home.get(last):
        return
    _, enough = _SECRET[path]
    rows = [row for row in home[last] if enough and f"'{enough}'" in repr(row)]
    if rows:
        home[last] = rows
    else:
        del home[last]


def omitted_settings(old: Json) -> str:
    """Return in words what of a pool cannot be carried over, since Azure does not tell the secrets in it."""
    parts = []
    for path, (words, enough) in _SECRET.items():
        rows = dig(old, "properties", *path) or []
        if any(not enough or f"'{enough}'" not in repr(row) for row in rows):
            parts.append(words)
    return f"without {' and '.join(parts)}: Azure does not tell their secrets" if parts else ""


def migration_steps(azure: Azure, found: Migration, board: Board, *, delete_old: bool) -> list[Step]:
    """Return the steps from an old pool to a new one."""
    spec = found.spec

    async def make_pool(done: Mapping[str, StepResult]) -> StepResult:
        action, changed = await pool_update.ensure_pool(azure, spec.name, found.body(found.build.image(done)))
        return StepResult(action, detail=changed or omitted_settings(found.pool) or f"as {found.name}")

    async def make_nodes(_: Mapping[str, StepResult]) -> StepResult:
        if found.counts is None:
            return StepResult("exists", "steady", "the formula of the old pool says how many")
        request = ResizeRequest(found.counts.dedicated, found.counts.spot, grow_only=True)
        rounds = await controller.ResizeController(azure, spec.name, request, board).run()
        return StepResult("changed" if rounds.columns["round"] else "exists", "ready", str(rounds.attrs["nodes"]))

    async def delete_pool(_: Mapping[str, StepResult]) -> StepResult:
        await pools.delete(azure, found.name)
        return StepResult("deleted", "gone")

    new, old = azure.scope.pool_id(spec.name), azure.scope.pool_id(found.name)
    seconds = pools.EXPECTED_S
    size = str(found.counts or "as the formula says")
    there = partial(_pool_exists, azure, spec.name)
    chain = [
        *build.build_steps(found.build),
        Step(
            "pool",
            new,
            make_pool,
            (found.build.final_step,),
            seconds["pool"],
            omitted_settings(found.pool) or f"as {found.name}",
            is_done=there,
        ),
        Step(
            "nodes", new, make_nodes, ("pool",), seconds["ready"], f"{size}, until ready", planned_action="would change"
        ),
    ]
    if delete_old:
        why = "its tasks end with it"
        chain.append(
            Step("old pool", old, delete_pool, ("nodes",), seconds["delete pool"], why, planned_action="would delete")
        )
    return chain


async def _pool_exists(azure: Azure, name: str) -> bool:
    return await pools.read(azure, name) is not None


async def migrate(azure: Azure, name: str, new: str, board: Board, *, dry_run: bool, delete_old: bool) -> Table:
    """Make a pool from a gallery image of what another pool is, which is made from a managed image or a VHD.

    Parameters
    ----------
    azure, name, new, board
        Where; the old pool and the new one's name; whom to tell how it goes.
    dry_run
        Only say what would be done.
    delete_old
        Whether the old pool is deleted when the new one's nodes are ready.

    Returns
    -------
    Table
        One row a step.

    Raises
    ------
    NotFoundError, SpecError, ConflictError
        It cannot be; nothing was changed.
    """
    found = await read_migration(azure, name, new)
    chain = migration_steps(azure, found, board, delete_old=delete_old)
    if dry_run:
        rows = [{**row, "state": "not begun", "detail": row["why"]} for row in await plan.step_rows(chain)]
        return Table.from_rows("migrate", rows, f"pool {name}: this is what would be done; nothing was changed")
    run = StepRunner("migrate", chain, board)
    table = await run.run_with_cleanup(found.build, "")
    old = "is deleted" if delete_old else f"stays: `%batchimg delete {name}` when nothing needs it"
    table.caption = f"pool {new} is there in place of {name}, which {old}"
    return table


async def list_legacy_pools(azure: Azure) -> Table:
    """Return the pools that Azure would not make any more, one a row."""
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
