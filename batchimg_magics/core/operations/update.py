"""`update`: run commands on the image of a pool, as a new version of it, and move the pool to that version.

A run is known by the image version that the pool uses and the commands: the same line goes on with what an interrupted
run has made. Once the pool is on the result, the same line has nothing to do; `again` runs the commands on the result.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import read_cache, tags
from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.base import concurrency
from batchimg_magics.core.base.durations import format_duration
from batchimg_magics.core.base.node_counts import current_counts
from batchimg_magics.core.base.steps import Step, StepResult
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.batch import pools
from batchimg_magics.core.batch.pools import PoolImage
from batchimg_magics.core.checks import preflight, reader
from batchimg_magics.core.compute import image_versions, subnets
from batchimg_magics.core.estimates import prices
from batchimg_magics.core.images import build, temporary
from batchimg_magics.core.images import packages as image_packages
from batchimg_magics.core.images.build import TEMPORARY_RESOURCES
from batchimg_magics.core.images.origins.updated_version import UpdatedVersion, commands_hash
from batchimg_magics.core.operations import copies, packages, update_source
from batchimg_magics.core.operations.runner import StepRunner, step_rows
from batchimg_magics.core.operations.update_pool import PoolMove, test_pool_name
from batchimg_magics.errors import NotFoundError, SpecError
from batchimg_magics.pool_spec.pool import PoolSpec
from batchimg_magics.pool_spec.words import count_text
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.base.consent import Consent
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.checks.facts import Facts
    from batchimg_magics.core.checks.rules.rule import Finding
    from batchimg_magics.core.images.build import ImageBuild
    from batchimg_magics.core.images.copy_size import CopySizes
    from batchimg_magics.core.images.origins.updated_version import UpdatedVersion
    from batchimg_magics.core.operations.update_source import UpdateRequest
    from batchimg_magics.pool_spec.pool import PoolSpec

__all__ = ["update"]


@dataclass(frozen=True, slots=True)
class Update:
    """What `update` read before it changes anything.

    Parameters
    ----------
    pool
        The pool's document.
    old
        The document of the version that is updated.
    build
        The new version, and what exists of it; None: the pool is on it already.
    findings
        The findings of the rules, without errors.
    cost
        What the temporary VM costs; None: there is none.
    test_pool
        The document of the pool of the test node, if it exists.
    leftovers
        Whether temporary resources are left of a run that is done.
    """

    pool: Json
    old: Json | None
    build: ImageBuild | None
    findings: Sequence[Finding] = ()
    cost: copies.CopyCost | None = None
    test_pool: Json | None = None
    leftovers: bool = False


async def update(azure: Azure, name: str, request: UpdateRequest, board: Board, consent: Consent) -> Table:
    """Update the image of a pool, or go on with an update that was interrupted.

    Parameters
    ----------
    azure, name, request, board
        The connection, the pool, what is to be done, and the progress display.
    consent
        Whether the nodes of the pool may be removed.

    Returns
    -------
    Table
        The packages that differ between the two versions; one row per step where they are not known.

    Raises
    ------
    NotFoundError, SpecError, ConflictError
        The update is not possible; nothing was changed.
    ProvisioningError, ResizeError
        A step failed; the pool is on its old image.
    """
    with read_cache.share_reads():
        found = await read_update(azure, name, request)
    move = _move(azure, found, request, board)
    steps = update_steps(azure, found, move, request)
    removes = any(one.name == "nodes removed" for one in steps)
    if consent.dry_run or (consent.withheld and removes):
        return await _planned(found, steps, consent if removes else None)
    run = StepRunner("update", steps, board)
    if found.build is None:
        return _nothing_left(found, move, run, await run.run(""))
    if current_counts(found.pool).total and found.old is not None:
        # Its nodes have the list of the packages of the old version, and may be gone afterwards.
        await image_packages.keep_packages(azure, str(found.old["id"]), found.pool)
    done = await run.run_with_cleanup(found.build, "")
    table = await _answer(found, found.build.image(run.results).id, move, done, board)
    table.caption += run.notes
    return table


# -- what is read before anything is changed ---------------------------------------------------------------------


async def read_update(azure: Azure, name: str, request: UpdateRequest) -> Update:
    """Read everything that an update depends on, and raise if it cannot succeed. Nothing is changed."""
    pool = await pools.require(azure, name)
    used = await update_source.used_version(azure, pool)
    wanted = commands_hash(request.commands)
    if dig(used, "tags", tags.UPDATE) == wanted and not request.again:
        old_id = str(dig(used, "tags", tags.UPDATED_FROM) or "")
        old, left = await concurrency.gather(
            image_versions.read_image_version(azure, old_id), temporary.list_temporary(azure, str(pool["name"]))
        )
        return Update(pool, old.document, None, leftovers=bool(left))
    origin, spec, regions = await update_source.read_origin(azure, pool, used, request)
    found = await build.read_build(azure, spec, origin, regions, None)
    facts, findings, sizes = await _check(azure, pool, spec, origin, found)
    if any(one.is_error for one in findings):
        raise preflight.refusal(facts, findings)
    cost = None
    if found.version is None:
        rates = await prices.read_rates(azure, sizes.names[0], origin.source.os_type, None)
        cost = copies.CopyCost(sizes.names[0], rates.dedicated_usd_per_hour, None)
    return Update(pool, used, found, findings, cost, await pools.read(azure, test_pool_name(str(pool["name"]))))


async def _check(
    azure: Azure, pool: Json, spec: PoolSpec, origin: UpdatedVersion, found: ImageBuild
) -> tuple[Facts, list[Finding], CopySizes]:
    """Return the facts, what the rules find, and the sizes for the temporary VM."""
    facts, sizes, subnet = await concurrency.gather(
        reader.read_for_image(azure, str(origin.version["id"]), spec, pool_named=True, sized=True),
        origin.read_sizes(azure),
        subnets.read_subnet(azure, origin.subnet),
    )
    facts = dataclasses.replace(facts, pool=pool, makes_image=True)
    if found.version is None:
        _check_subnet(origin.subnet, subnet)
        if sizes.problem or not sizes.names:
            full = "; ".join(map(str, sizes.full))
            raise SpecError(
                f"--copy-size: {sizes.problem}"
                if sizes.problem
                else f"no VM size for the temporary VM is free: {full}",
                hint=sizes.hint or "request quota for one of these families, or name another size with --copy-size",
            )
    return facts, preflight.run_rules(facts), sizes


def _check_subnet(where: str, found: Json | None) -> None:
    """Raise SpecError if a VM in a subnet would not reach package servers."""
    name, hint = where.rpartition("/")[2], "choose another subnet with --copy-subnet ID"
    if found is None:
        raise SpecError(f"there is no subnet {where}", hint=hint)
    if services := subnets.delegations(found):
        raise SpecError(f"subnet {name} is delegated to {', '.join(services)}: Azure puts no VM into it", hint=hint)
    if not subnets.ways_out(found):
        raise SpecError(
            f"subnet {name} is private, and has no NAT gateway or route: no package server can be reached from it",
            hint=f"add a NAT gateway to it, or {hint}",
        )


# -- steps -------------------------------------------------------------------------------------------------------


def _move(azure: Azure, found: Update, request: UpdateRequest, board: Board) -> PoolMove:
    new = found.build
    after = () if new is None else (new.final_step, *([TEMPORARY_RESOURCES] if new.plan.has_temporary else []))

    def image(done: Mapping[str, StepResult]) -> PoolImage:
        return PoolImage(str(pools.image_of(found.pool)), "") if new is None else new.image(done)

    return PoolMove(azure, found.pool, board, request.how, image, after)


def update_steps(azure: Azure, found: Update, move: PoolMove, request: UpdateRequest) -> list[Step]:
    """Return the steps from the image in use to the pool on the new version."""
    steps: list[Step] = []
    if found.build is not None:
        steps = copies.describe_copy(build.build_steps(found.build), found.cost, move.name)
        # A pool that stayed on its image because of its nodes is not tested again.
        is_tested = found.build.version is not None and pools.tag_of(found.pool, tags.TESTED) == found.build.hash
        left = [move.removal_step(move.after)] if found.test_pool is not None else []
        steps += left if is_tested else move.test_steps()
        steps += move.move_steps((*move.after, *(one.name for one in steps[-1:])))
    else:
        steps += [_leftovers_step(azure, move.name)] if found.leftovers else []
        steps += (
            [move.nodes_step(())] if move.counts_before.total and pools.tag_of(found.pool, tags.NODES_BEFORE) else []
        )
    if found.old is not None and (found.build is None or not move.obstacle):
        steps += _end_of_life_steps(azure, found, request, tuple(one.name for one in steps[-1:]))
    return steps


def _leftovers_step(azure: Azure, pool: str) -> Step:
    async def run(_: Mapping[str, StepResult]) -> StepResult:
        deleted, left = await temporary.delete_temporary(azure, pool)
        if left:
            text = "; ".join(f"{one.resource.name}: {one.reason}" for one in left)
            return StepResult("kept", "not deleted", f"run the same command again: {text}")
        return StepResult("deleted", "gone", temporary.resources_text(deleted))

    return Step(TEMPORARY_RESOURCES, azure.scope.pool_id(pool), run, (), 60.0, "left of this update", "would delete")


def _end_of_life_steps(azure: Azure, found: Update, request: UpdateRequest, after: tuple[str, ...]) -> list[Step]:
    """Return the step that gives the old version its end of life; none if it has one, or is not of this pool."""
    old = found.old or {}
    if image_versions.end_of_life(old) is not None or not tags.is_tagged_for(
        old, str(found.pool["name"]), azure.scope.account
    ):
        return []
    version = ResourceId.parse(old["id"])

    async def run(_: Mapping[str, StepResult]) -> StepResult:
        end = dt.datetime.fromtimestamp(azure.now() + request.keep_s, dt.UTC)
        await image_versions.set_end_of_life(azure, old, end)
        return StepResult("changed", detail=f"end of life {end:%Y-%m-%d}")

    why = f"end of life in {request.keep_s / 86_400:.0f} days; nothing deletes it by itself"
    return [Step("old version", version, run, after, 60.0, why, "would change")]


# -- the answer --------------------------------------------------------------------------------------------------


async def _planned(found: Update, steps: Sequence[Step], consent: Consent | None) -> Table:
    """Return what an update would do, one step per row."""
    rows = await step_rows(steps)
    copies.add_copy_cost(rows, found.cost)
    minutes = sum(row["minutes"] or 0.0 for row in rows)
    text = f"plan of the update of pool {found.pool['name']}: {count_text(len(rows), 'step')}, about {minutes:.0f} min"
    table = preflight.with_warnings(Table.from_rows("plan", rows, f"{text} (dry run)"), found.findings)
    return table if consent is None else consent.captioned(table)


def _nothing_left(found: Update, move: PoolMove, run: StepRunner, table: Table) -> Table:
    """Return the table of an update that an earlier run has done."""
    number = str(pools.image_of(found.pool)).rpartition("/")[2]
    done = f"pool {move.name} is on image version {number}, which these commands made"
    table.caption = f"{done}; {'the rest is done' if run.steps else 'nothing was to do'}; --again runs them again"
    return table


async def _answer(found: Update, new: str, move: PoolMove, steps: Table, board: Board) -> Table:
    """Return the table of an update: what differs between the packages of the versions; else its steps, and why."""
    old = str((found.old or {}).get("id"))
    number, before = (ResourceId.parse(one).label for one in (new, old))
    try:
        table = await packages.diff_packages(move.azure, old, new)
        compared = table.caption
    except NotFoundError as error:
        table, compared = steps, f"their packages are not compared: {error.message}"
    table.attrs |= {"old_version": old, "steps": _plain_rows(steps)}
    table.attrs["resources"] = {"pool": str(move.azure.scope.pool_id(move.name)), "image_version": new}
    if move.obstacle:
        done = f"image version {number} works, and pool {move.name} stays on {before}: it {move.obstacle}; {move.hint}"
        table.attrs["withheld"] = True
    else:
        done = (
            f"pool {move.name} is on image version {number}, after {format_duration(board.finish())}; it was {before}"
        )
    table.caption = f"{done}; {compared}"
    return preflight.with_warnings(table, found.findings)


def _plain_rows(steps: Table) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if value is not None} for row in steps.rows()]
