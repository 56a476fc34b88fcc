"""What `create` does: a spec and what exists -> steps."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace as but
from functools import partial
from typing import TYPE_CHECKING

from batchimg_magics.core.azure import read_cache
from batchimg_magics.core.base.node_counts import Counts, current_counts, target_counts
from batchimg_magics.core.base.steps import Step, StepResult
from batchimg_magics.core.batch import legacy_pools, node_agents, pool_request, pool_update, pools, vm_sizes
from batchimg_magics.core.batch.pools import PoolImage
from batchimg_magics.core.checks import preflight, reader
from batchimg_magics.core.compute import image_versions
from batchimg_magics.core.images import build
from batchimg_magics.core.operations.runner import StepRunner
from batchimg_magics.core.scaling import controller
from batchimg_magics.core.scaling.request import ResizeRequest
from batchimg_magics.errors import ConflictError, NotFoundError, SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.base.consent import Consent
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.base.table import Table
    from batchimg_magics.core.batch.pool_update import PoolDecision
    from batchimg_magics.core.checks.facts import Facts
    from batchimg_magics.core.checks.rules.rule import Finding
    from batchimg_magics.core.compute.image_source import Source
    from batchimg_magics.core.images.build import ImageBuild
    from batchimg_magics.core.images.origins.origin import ImageOrigin
    from batchimg_magics.pool_spec.pool import PoolSpec
    from batchimg_magics.resource_ids import ResourceId


@dataclass(frozen=True, slots=True)
class Creation:
    """What `create` found out before it changes anything.

    Parameters
    ----------
    spec
        What is wanted.
    imaging
        The image, and what there is of it.
    agent, size
        Node agent SKU, and the VM size as Azure spells it.
    account
        The Batch account's id.
    pool
        The pool, where there is one.
    findings
        What the rules found; no error is among it.
    verdict
        What is to become of the pool that is there.
    """

    spec: PoolSpec
    build: ImageBuild
    agent: str
    size: str
    account: ResourceId
    pool: Json | None
    findings: Sequence[Finding]
    pool_decision: PoolDecision | None = None

    @property
    def source(self) -> Source:
        """What the image is made from."""
        return self.build.origin.source

    def body(self, image: PoolImage) -> Json:
        """Return the ARM document of the pool."""
        return pool_request.pool_body(self.spec, self.source, image, self.agent, self.size, self.account)

    @property
    def decision(self) -> str:
        """What becomes of the pool that is there: ``found``, ``changed`` or ``replaced``; empty where there is none."""
        return self.pool_decision.action if self.pool_decision else ""

    @property
    def kept_pool(self) -> Json | None:
        """The pool that is there and stays; None where one is to be made."""
        return None if self.decision == "replaced" else self.pool

    @property
    def replacement_reason(self) -> str:
        """What is deleted for the new pool, and why, in words."""
        if self.pool is None or self.pool_decision is None:
            return ""
        return f"{current_counts(self.pool).total} nodes; {self.pool_decision.why}"


async def read_creation(azure: Azure, spec: PoolSpec, *, yes: bool = False, replace: bool = False) -> Creation:
    """Read everything that `create` depends on, and refuse what cannot work. Nothing is changed.

    Parameters
    ----------
    azure, spec
        Where, and what is wanted.
    yes
        Whether the researcher agreed to a VM being deprovisioned itself.
    replace
        Whether a pool that is there and differs may be deleted and made anew.

    Raises
    ------
    SpecError, NotFoundError, ConflictError, BudgetError
        Something that was asked for is not there, does not fit, or is there already and differs: all of it at once.
    """
    facts, origin = await reader.read_for_creation(azure, spec, yes=yes)
    facts, found = await examine_facts(azure, facts, origin, replace=replace)
    findings = preflight.run_rules(facts)
    if found is None or any(one.is_error for one in findings):
        raise preflight.refusal(facts, findings)
    # What may not be read twice either is refused here, in Azure's words.
    images = facts.supported_images or await node_agents.read_supported_images(azure)
    size = vm_sizes.find_size(facts.sizes or await vm_sizes.read_sizes(azure), spec.vm_size)
    agent = node_agents.choose_node_agent(images, found.source, spec.node_agent_sku)
    return but(found, agent=agent, size=str(size["name"]), findings=findings)


async def examine_facts(
    azure: Azure, facts: Facts, origin: ImageOrigin | None, *, replace: bool = False
) -> tuple[Facts, Creation | None]:
    """Find out what there is of an image and a pool that are wanted, and whether it is in the way.

    Returns
    -------
    tuple
        The facts with what was found; and what is to be created, None where there is no way to its image.
    """
    spec = facts.spec
    if origin is None:
        return facts, None
    try:
        regions = image_versions.replicas_for(spec, origin.source, facts.region)
        pinned = None if facts.pool is None else pools.image_of(facts.pool)
        image_build = await build.read_build(azure, spec, origin, regions, pinned)
    except (SpecError, NotFoundError, ConflictError) as error:
        return but(facts, problem=error), None
    size = str((facts.size or {}).get("name") or spec.vm_size)
    found = Creation(spec, image_build, _agent(facts, origin), size, azure.scope.account_id, facts.pool, ())
    wanted = found.body(PoolImage(image_build.known_id or f"a new one of {found.source.description}", image_build.hash))
    if spec.direct:
        try:
            legacy_pools.raise_if_unsupported(spec, wanted)
        except SpecError as error:
            return but(facts, problem=error), None
    if facts.pool is not None:
        try:
            found = but(found, pool_decision=pool_update.decide(facts.pool, wanted, replace=replace))
        except ConflictError as error:
            return but(facts, conflict=error), None
    return but(facts, pool_decision=found.pool_decision), found


def _agent(facts: Facts, origin: ImageOrigin) -> str:
    """Return the node agent that the nodes will have; where that is in doubt, which a rule tells, the pool's own."""
    try:
        return node_agents.choose_node_agent(facts.supported_images, origin.source, facts.spec.node_agent_sku)
    except SpecError:
        return pools.agent_of(facts.pool)


def creation_steps(azure: Azure, found: Creation, board: Board) -> list[Step]:
    """Return the steps from a source to a pool of nodes."""
    replaced = [_old_pool_step(azure, found)] if found.decision == "replaced" else []
    pool = _pool_step(azure, found, after=(found.build.final_step, *(step.name for step in replaced)))
    return [*build.build_steps(found.build), *replaced, pool, _nodes_step(azure, found, board)]


def _pool_step(azure: Azure, found: Creation, after: tuple[str, ...]) -> Step:
    spec, what = found.spec, f"{found.size}, {found.agent}"

    async def make_pool(done: Mapping[str, StepResult]) -> StepResult:
        wanted = found.body(found.build.image(done))
        put = partial(legacy_pools.create_pool_on_managed_image, azure, spec) if spec.direct else None
        new = found.kept_pool is None
        action, changed = await pool_update.ensure_pool(azure, spec.name, wanted, new=new, through=spec.api, put=put)
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


def _nodes_step(azure: Azure, found: Creation, board: Board) -> Step:
    spec, count = found.spec, Counts(found.spec.nodes, found.spec.spot)

    async def make_nodes(_: Mapping[str, StepResult]) -> StepResult:
        request = ResizeRequest(spec.nodes, spec.spot, spec, grow_only=True)
        rounds = await controller.ResizeController(azure, spec.name, request, board).run()
        changed = len(rounds.columns["round"]) > 0
        return StepResult("changed" if changed else "exists", spec.until, str(rounds.attrs["nodes"]))

    async def nodes_exist() -> bool:
        if found.kept_pool is None:
            return False
        return (await pools.read_state(azure, spec.name)).target.covers(count)

    return Step(
        "nodes",
        azure.scope.pool_id(spec.name),
        make_nodes,
        ("pool",),
        pools.EXPECTED_S["ready"],
        f"{count}, until {spec.until}",
        planned_action="would change",
        is_done=nodes_exist,
    )


def _old_pool_step(azure: Azure, found: Creation) -> Step:
    async def delete_pool(_: Mapping[str, StepResult]) -> StepResult:
        await pools.delete(azure, found.spec.name)
        return StepResult("deleted", "gone", found.replacement_reason)

    # Only when its successor's image is there: until then the pool stays of use.
    return Step(
        "old pool",
        azure.scope.pool_id(found.spec.name),
        delete_pool,
        (found.build.final_step,),
        pools.EXPECTED_S["delete pool"],
        found.replacement_reason,
        "would delete",
    )


async def create(azure: Azure, spec: PoolSpec, board: Board, consent: Consent, *, replace: bool = False) -> Table:
    """Make a pool and the image its nodes are made from, or go on with it.

    Parameters
    ----------
    azure, spec, board
        Where, what, and whom to tell how it goes.
    consent
        Whether a VM may be deprovisioned in place and, with `replace`, a pool deleted.
    replace
        Whether an existing pool that differs is deleted and created again.

    Returns
    -------
    Table
        One row a step: made, or found.

    Raises
    ------
    SpecError, NotFoundError, ConflictError
        What was asked for cannot be; nothing was changed.
    ProvisioningError, ResizeError
        Azure failed at a step.
    """
    with read_cache.share_reads():
        return await _create_pool(azure, spec, board, consent, replace=replace)


async def _create_pool(azure: Azure, spec: PoolSpec, board: Board, consent: Consent, *, replace: bool) -> Table:
    began = azure.now()
    found = await read_creation(azure, spec, yes=consent.yes, replace=replace)
    run = StepRunner("create", creation_steps(azure, found, board), board)
    if consent.withheld and found.decision == "replaced":
        run.steps = run.steps[[step.name for step in run.steps].index("old pool") :]
        run.results = {step.name: StepResult(step.planned_action, "withheld", step.why) for step in run.steps}
        return consent.captioned(run.table(f"pool {spec.name} would be deleted and made anew; nothing was changed"))
    table = await run.run_with_cleanup(found.build, "")
    minutes = (azure.now() - began) / 60
    current = Counts() if found.kept_pool is None else target_counts(found.kept_pool)
    more = "" if Counts(spec.nodes, spec.spot).covers(current) else "; it keeps what it had, `%batchimg resize` shrinks"
    table.caption = f"pool {spec.name}: {run.results['nodes'].detail}, after {minutes:.0f} min{more}"
    return preflight.with_warnings(table, found.findings)
