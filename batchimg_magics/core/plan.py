"""What `create` does: a spec and what exists -> steps."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace as but
from functools import partial
from typing import TYPE_CHECKING

from batchimg_magics.core import (
    direct,
    image_steps,
    imaging,
    offers,
    pool_bodies,
    pool_changes,
    pools,
    preflight,
    resize,
)
from batchimg_magics.core.azure import region_key
from batchimg_magics.core.counts import Counts, present
from batchimg_magics.core.pools import Image
from batchimg_magics.core.steps import Outcome, Step
from batchimg_magics.core.wish import Wish

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchimg_magics.core.azure import Azure, Json
    from batchimg_magics.core.imaging import Imaging
    from batchimg_magics.core.pool_changes import Verdict
    from batchimg_magics.core.progress import Board
    from batchimg_magics.core.rules import Finding
    from batchimg_magics.core.sources import Source
    from batchimg_magics.resource_ids import ResourceId
    from batchimg_magics.spec import PoolSpec


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
    imaging: Imaging
    agent: str
    size: str
    account: ResourceId
    pool: Json | None
    findings: Sequence[Finding]
    verdict: Verdict | None = None

    @property
    def source(self) -> Source:
        """What the image is made from."""
        return self.imaging.road.source

    def body(self, image: Image) -> Json:
        """Return the ARM document of the pool."""
        return pool_bodies.body(self.spec, self.source, image, self.agent, self.size, self.account)

    @property
    def fate(self) -> str:
        """What becomes of the pool that is there: ``found``, ``changed`` or ``replaced``; empty where there is none."""
        return self.verdict.fate if self.verdict else ""

    @property
    def replacing(self) -> str:
        """What is deleted for the new pool, and why, in words."""
        if self.pool is None or self.verdict is None:
            return ""
        return f"{present(self.pool).total} nodes; {self.verdict.why}"


async def look(azure: Azure, spec: PoolSpec, *, yes: bool = False, replace: bool = False) -> Creation:
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
    SpecError, NotFoundError, ConflictError
        Something that was asked for is not there, does not fit, or is there already and differs.
    """
    region = region_key(str((await azure.account())["location"]))
    facts, road, findings = await preflight.before_create(azure, spec, yes=yes)
    source = road.source
    if spec.direct:
        imaging.refuse_direct_elsewhere(road, region)
    pool = facts.pool
    # What may not be read twice either is refused here, in Azure's words.
    images = facts.supported_images or await offers.supported_images(azure)
    size = offers.size_named(facts.sizes or await offers.sizes(azure), spec.vm_size)
    offers.check_slots(spec.task_slots, size)
    regions = pools.replicas_for(spec, source, region)
    pinned = None if pool is None else pools.image_of(pool)
    found = Creation(
        spec=spec,
        imaging=await imaging.find(azure, spec, road, regions, pinned),
        agent=offers.agent_for(images, source, spec.node_agent_sku),
        size=str(size["name"]),
        account=azure.scope.account_id,
        pool=pool,
        findings=findings,
    )
    if spec.direct:
        direct.refuse(found.body(Image(found.imaging.known_id, found.imaging.hash)))
    if pool is not None:
        image = Image(found.imaging.known_id or f"a new one of {source.what}", found.imaging.hash)
        found = but(found, verdict=pool_changes.judge(pool, found.body(image), replace=replace))
    return found


def creation_steps(azure: Azure, found: Creation, board: Board) -> list[Step]:
    """Return the steps from a source to a pool of nodes."""
    spec = found.spec

    async def make_pool(done: Mapping[str, Outcome]) -> Outcome:
        wanted = found.body(found.imaging.image(done))
        put = partial(direct.put, azure, spec, through=spec.through) if spec.direct else None
        action, changed = await pool_changes.see_to(azure, spec.name, wanted, through=spec.through, put=put)
        return Outcome(action, detail=changed or what)

    async def make_nodes(_: Mapping[str, Outcome]) -> Outcome:
        wish = Wish(spec.nodes, spec.spot, spec, grow_only=True)
        rounds = await resize.Controller(azure, spec.name, wish, board).run()
        count = len(rounds.columns["round"])
        return Outcome("changed" if count else "found", spec.until, str(rounds.attrs["nodes"]))

    async def pool_there() -> bool:
        return found.fate == "found"

    async def nodes_there() -> bool:
        if found.pool is None or found.fate == "replaced":
            return False
        now = (await pools.state(azure, spec.name)).target
        return now.dedicated >= spec.nodes and now.spot >= spec.spot

    pool = azure.scope.pool_id(spec.name)
    seconds = pools.EXPECTED_S
    what = f"{found.size}, {found.agent}"
    count = Counts(spec.nodes, spec.spot)
    replaced = [_replacement(azure, found)] if found.fate == "replaced" else []
    return [
        *image_steps.steps(found.imaging),
        *replaced,
        Step(
            "pool",
            pool,
            make_pool,
            (found.imaging.step, *(step.name for step in replaced)),
            seconds["pool"],
            found.verdict.why if found.verdict and found.fate == "changed" else what,
            "would change" if found.fate == "changed" else "would make",
            pool_there,
        ),
        Step(
            "nodes",
            pool,
            make_nodes,
            ("pool",),
            seconds["ready"],
            f"{count}, until {spec.until}",
            would="would change",
            there=nodes_there,
        ),
    ]


def _replacement(azure: Azure, found: Creation) -> Step:
    async def delete_pool(_: Mapping[str, Outcome]) -> Outcome:
        await pools.delete(azure, found.spec.name)
        return Outcome("deleted", "gone", found.replacing)

    # Only when its successor's image is there: until then the pool stays of use.
    return Step(
        "old pool",
        azure.scope.pool_id(found.spec.name),
        delete_pool,
        (found.imaging.step,),
        pools.EXPECTED_S["delete pool"],
        found.replacing,
        "would delete",
    )
