"""`create`: from a spec and the existing resources to the steps that create an image and a pool."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import TYPE_CHECKING

from batchimg_magics.core.azure import read_cache, tags
from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.base.durations import format_duration
from batchimg_magics.core.base.node_counts import Counts, current_counts, target_counts
from batchimg_magics.core.base.steps import Step, StepResult
from batchimg_magics.core.batch import expiry, legacy_pools, node_agents, pool_update, pools, vm_sizes
from batchimg_magics.core.batch.nodes import NO_NODES
from batchimg_magics.core.batch.pools import PoolImage
from batchimg_magics.core.checks import preflight, reader
from batchimg_magics.core.compute import image_versions
from batchimg_magics.core.estimates import workload
from batchimg_magics.core.images import build, packages
from batchimg_magics.core.operations import copies
from batchimg_magics.core.operations.creation import Creation
from batchimg_magics.core.operations.runner import StepRunner, step_rows
from batchimg_magics.core.scaling import context, controller
from batchimg_magics.core.scaling.request import ResizeRequest
from batchimg_magics.errors import BatchImgError, ConflictError, NotFoundError, SpecError
from batchimg_magics.pool_spec.package_task import has_package_list
from batchimg_magics.pool_spec.tags import check_resource_tags

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.base.consent import Consent
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.base.table import Table
    from batchimg_magics.core.checks.facts import Facts
    from batchimg_magics.core.images.origins.origin import ImageOrigin
    from batchimg_magics.core.operations.plan_file import SavedPlan
    from batchimg_magics.pool_spec.pool import PoolSpec


async def create(
    azure: Azure,
    spec: PoolSpec,
    board: Board,
    consent: Consent,
    *,
    replace: bool = False,
    saved: SavedPlan | None = None,
) -> Table:
    """Create a pool and the image of its nodes, or resume an earlier run.

    Parameters
    ----------
    azure, spec, board
        The connection, the requested pool, and the progress display.
    consent
        Whether the VM itself may be generalized and, with `replace`, a pool deleted.
    replace
        Whether an existing pool that differs is deleted and created again.
    saved
        The plan that is carried out; None: there is none.

    Returns
    -------
    Table
        One row per step.

    Raises
    ------
    SpecError, NotFoundError, ConflictError
        The request cannot succeed; nothing was changed.
    ProvisioningError, ResizeError
        A step failed in Azure.
    """
    with read_cache.share_reads():
        found = await read_creation(azure, spec, yes=consent.yes, replace=replace, saved=saved)
        run = StepRunner("create", creation_steps(azure, found, board), board)
        if saved is not None:
            saved.refuse_other_steps(await step_rows(run.steps))
        return await _run_steps(run, found, board, consent)


async def _run_steps(run: StepRunner, found: Creation, board: Board, consent: Consent) -> Table:
    spec = found.spec
    if consent.withheld and found.decision == "replaced":
        run.steps = run.steps[[step.name for step in run.steps].index("old pool") :]
        run.results = {step.name: StepResult(step.planned_action, "withheld", step.why) for step in run.steps}
        return consent.captioned(run.table(f"pool {spec.name} would be deleted and created again; nothing was changed"))
    if consent.withheld and found.may_remove_nodes:
        run.steps = [step for step in run.steps if step.name == "pool"]
        run.results = {"pool": StepResult("would change", "withheld", run.steps[0].why)}
        text = f"pool {spec.name}: another formula would set its size, and may remove nodes; nothing was changed"
        return consent.captioned(run.table(text))
    table = await run.run_with_cleanup(found.build, "")
    current = Counts() if found.kept_pool is None else target_counts(found.kept_pool)
    shrink_hint = "; the pool already has more nodes; use `%batchimg resize` to shrink it"
    hint = "" if Counts(spec.nodes, spec.spot).covers(current) else shrink_hint
    if run.results["nodes"].detail == NO_NODES:
        hint += f"; `%batchimg resize {spec.name} --nodes N` adds nodes"
    table.caption = (
        f"pool {spec.name}: {run.results['nodes'].detail}, "
        f"after {format_duration(board.finish())}{hint}{timeout_hint(spec)}{run.notes}"
    )
    if run.results["nodes"].detail != NO_NODES:
        await _keep_packages(found, run, table)
    return preflight.with_warnings(table, found.findings)


async def _keep_packages(found: Creation, run: StepRunner, table: Table) -> None:
    """Read the packages of the image from a node, and tell them with the table, or why they are not known."""
    image = found.build.image(run.results)
    pool = {"name": found.spec.name, **found.body(image)}
    if not has_package_list(str(dig(pool, "properties", "startTask", "commandLine") or "")):
        return
    tag = dig(found.build.version, "tags", tags.PACKAGES) or build.tags_after(found.build, run.results).get(
        tags.PACKAGES
    )
    known = await packages.keep_packages(found.build.azure, image.id, pool, tag or "")
    if isinstance(known, BatchImgError):
        # Nodes that are only allocated have no files yet.
        if found.spec.until == "ready":
            table.caption += f"; {known.message}"
        return
    table.attrs["packages"] = {"sha256": known.packages.sha256, "count": known.packages.count}


def timeout_hint(spec: PoolSpec) -> str:
    """Return what a caption says about a resize timeout that has no effect; empty: it has one, or none is given."""
    return f"; {expiry.TIMEOUT_TEXT}" if spec.timeout is not None and spec.lasting_s is not None else ""


# -- what is read before anything is changed ---------------------------------------------------------------------


async def read_creation(
    azure: Azure, spec: PoolSpec, *, yes: bool = False, replace: bool = False, saved: SavedPlan | None = None
) -> Creation:
    """Read everything that `create` depends on, and raise if it cannot succeed. Nothing is changed.

    Parameters
    ----------
    azure, spec
        The connection, and the requested pool.
    yes
        Whether the user confirmed that the VM itself is generalized.
    replace
        Whether an existing pool that differs may be deleted and created again.
    saved
        The plan that is carried out; None: there is none.

    Raises
    ------
    SpecError, NotFoundError, ConflictError, BudgetError
        Something does not exist, does not match, or exists and differs: all of it in one error.
    """
    check_resource_tags(tags.combined(azure.resource_tags, spec.tags))
    if saved is not None:
        saved.refuse_if_expired(azure)
    facts, origin = await reader.read_for_creation(azure, spec, yes=yes)
    facts, found = await examine_facts(azure, facts, origin, replace=replace)
    findings = preflight.run_rules(facts)
    if found is None or any(one.is_error for one in findings):
        if saved is not None:
            saved.refuse_if_moved(facts, None, findings)
        raise preflight.refusal(facts, findings)
    # What could not be read before is read again: if that fails, Azure's own error is raised.
    images = facts.supported_images or await node_agents.read_supported_images(azure)
    size = vm_sizes.find_size(facts.sizes or await vm_sizes.read_sizes(azure), facts.spec.vm_size)
    agent = node_agents.choose_node_agent(images, found.source, spec.node_agent_sku)
    cost = None if found.build.version is not None else await copies.read_copy_cost(azure, facts)
    counts = Counts(spec.nodes, spec.spot).minimum(facts.target)
    found = dataclasses.replace(
        found, agent=agent, size=str(size["name"]), findings=findings, copy_cost=cost, counts=counts
    )
    found = dataclasses.replace(found, first_node=await _is_first_node_wanted(azure, found), facts=facts)
    if saved is not None:
        saved.refuse_if_moved(facts, found, findings)
    return found


async def examine_facts(
    azure: Azure, facts: Facts, origin: ImageOrigin | None, *, replace: bool = False
) -> tuple[Facts, Creation | None]:
    """Read what exists of the requested image and pool, and decide what to do with an existing pool.

    Returns
    -------
    tuple
        The facts with the results; and what is to be created, None if its image cannot be created.
    """
    spec = facts.spec
    if origin is None:
        return facts, None
    try:
        regions = image_versions.replicas_for(spec, origin.source, facts.region)
        pinned = None if facts.pool is None else pools.image_of(facts.pool)
        image_build = await build.read_build(azure, spec, origin, regions, pinned)
    except (SpecError, NotFoundError, ConflictError) as error:
        return dataclasses.replace(facts, problem=error), None
    size = str((facts.size or {}).get("name") or spec.vm_size)
    account = (azure.scope.account_id, facts.user_subscription)
    found = Creation(spec, image_build, _agent(facts, origin), size, *account, facts, facts.pool, ())
    wanted = found.body(PoolImage(image_build.known_id or f"a new one of {found.source.description}", image_build.hash))
    if spec.direct:
        try:
            legacy_pools.raise_if_unsupported(spec, wanted)
        except SpecError as error:
            return dataclasses.replace(facts, problem=error), None
    if facts.pool is not None:
        try:
            found = dataclasses.replace(found, pool_decision=pool_update.decide(facts.pool, wanted, replace=replace))
        except ConflictError as error:
            return dataclasses.replace(facts, conflict=error), None
    return dataclasses.replace(facts, pool_decision=found.pool_decision), found


def _agent(facts: Facts, origin: ImageOrigin) -> str:
    """Return the node agent of the nodes; if it is unknown, which a rule reports, that of the existing pool."""
    try:
        return node_agents.choose_node_agent(facts.supported_images, origin.source, facts.spec.node_agent_sku)
    except SpecError:
        return pools.agent_of(facts.pool)


async def _is_first_node_wanted(azure: Azure, found: Creation) -> bool:
    """Return whether one node is started first, to test the image and the start task."""
    spec, kept = found.spec, found.kept_pool
    if spec.nodes + spec.spot <= 1 or spec.canary is False or (kept is not None and current_counts(kept).total):
        return False
    if spec.canary or not found.build.known_id:
        return True
    body = found.body(PoolImage(found.build.known_id, found.build.hash))
    image = await image_versions.read_image_version(azure, found.build.known_id)
    return await context.is_first_node_wanted(azure, body, image, await pools.read_all_cached(azure))


# -- steps -------------------------------------------------------------------------------------------------------


def creation_steps(azure: Azure, found: Creation, board: Board) -> list[Step]:
    """Return the steps from an image source to a pool with nodes."""
    replaced = [_old_pool_step(azure, found)] if found.decision == "replaced" else []
    pool = _pool_step(azure, found, after=(found.build.final_step, *(step.name for step in replaced)))
    image = copies.describe_copy(build.build_steps(found.build), found.copy_cost, found.spec.name)
    return [*image, *replaced, pool, _nodes_step(azure, found, board)]


def _pool_step(azure: Azure, found: Creation, after: tuple[str, ...]) -> Step:
    spec, what = found.spec, f"{found.size}, {found.agent}"

    async def make_pool(done: Mapping[str, StepResult]) -> StepResult:
        wanted = found.body(found.build.image(done))
        expires = None if spec.lasting_s is None else expiry.expires_after(azure, spec.lasting_s)
        idle_from = expiry.expires_after(azure, expiry.FIRST_TASK_S) if spec.then_zero else None
        put = partial(legacy_pools.create_pool_on_managed_image, azure, spec) if spec.direct else None
        new = found.kept_pool is None
        action, changed = await pool_update.ensure_pool(
            azure, spec.name, wanted, new=new, through=spec.api, put=put, expires=expires, idle_from=idle_from
        )
        return StepResult(action, detail=changed or what)

    async def pool_exists() -> bool:
        return found.decision == "exists"

    return Step(
        "pool",
        azure.scope.pool_id(spec.name),
        make_pool,
        after,
        pools.EXPECTED_S["pool"],
        found.pool_decision.why if found.pool_decision and found.decision == "changed" else what,
        "would change" if found.decision == "changed" else "would create",
        pool_exists,
    )


def nodes_expected_s(found: Creation) -> float:
    """Return the usual seconds until the requested nodes are there, in the state that is waited for."""
    spec, current = found.spec, Counts() if found.kept_pool is None else current_counts(found.kept_pool)
    more, os_type = max(0, found.counts.total - current.total), found.source.os_type
    if spec.until == "ready" and spec.formula is None:
        return workload.start_s(more, os_type, first_node=found.first_node)
    first_s = workload.start_s(1, os_type) if found.first_node else 0.0
    return first_s + workload.allocation_s(max(0, more - found.first_node))


def _nodes_step(azure: Azure, found: Creation, board: Board) -> Step:
    spec, count, asked = found.spec, found.counts, Counts(found.spec.nodes, found.spec.spot)
    quota = "" if count == asked else f" of {asked}: the quotas allow no more"

    async def make_nodes(_: Mapping[str, StepResult]) -> StepResult:
        if spec.formula is not None:
            state = await pools.wait_until_steady(azure, spec.name)
            return StepResult("exists", "steady", f"the formula asks for {state.target}")
        request = ResizeRequest(spec.nodes, spec.spot, spec, grow_only=True)
        attempts = await controller.ResizeController(azure, spec.name, request, board).run()
        return StepResult(nodes_action(attempts), spec.until, str(attempts.attrs["nodes"]))

    async def nodes_exist() -> bool:
        if none or found.kept_pool is None:
            return none
        return (await pools.read_state(azure, spec.name)).target.covers(count)

    size = f"{count}{quota}, until {spec.until}" if spec.formula is None else "as the autoscale formula sets"
    none = spec.formula is None and not count.total
    if none:
        size = f"no nodes were requested: `%batchimg resize {spec.name} --nodes N` adds them"
    return Step(
        "nodes",
        azure.scope.pool_id(spec.name),
        make_nodes,
        ("pool",),
        0.0 if none else nodes_expected_s(found),
        size,
        planned_action="would create" if found.kept_pool is None else "would change",
        is_done=nodes_exist,
    )


def nodes_action(attempts: Table) -> str:
    """Return what resize attempts did with the nodes of a pool: they made the first, or changed their number."""
    before = [*attempts.columns["dedicated_before"][:1], *attempts.columns["spot_before"][:1]]
    return "exists" if not before else "changed" if any(before) else "created"


def _old_pool_step(azure: Azure, found: Creation) -> Step:
    async def delete_pool(_: Mapping[str, StepResult]) -> StepResult:
        await pools.delete(azure, found.spec.name)
        return StepResult("deleted", "gone", found.replacement_reason)

    # The old pool stays usable until the image of the new pool exists.
    return Step(
        "old pool",
        azure.scope.pool_id(found.spec.name),
        delete_pool,
        (found.build.final_step,),
        pools.EXPECTED_S["delete pool"],
        found.replacement_reason,
        "would delete",
    )
