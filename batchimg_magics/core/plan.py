"""What `create` does: a spec and what exists -> steps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from batchimg_magics.core import direct, image_steps, imaging, offers, pools, preflight, resize
from batchimg_magics.core.azure import region_key
from batchimg_magics.core.pools import Image
from batchimg_magics.core.steps import Outcome, Step, made

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchimg_magics.core.azure import Azure, Json
    from batchimg_magics.core.imaging import Imaging
    from batchimg_magics.core.progress import Board
    from batchimg_magics.core.rules import Finding
    from batchimg_magics.core.sources import Source
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
    pool
        The pool, where there is one.
    findings
        What the rules found; no error is among it.
    """

    spec: PoolSpec
    imaging: Imaging
    agent: str
    size: str
    pool: Json | None
    findings: Sequence[Finding]

    @property
    def source(self) -> Source:
        """What the image is made from."""
        return self.imaging.road.source

    def body(self, image: Image) -> Json:
        """Return the ARM document of the pool."""
        return pools.body(self.spec, self.source, image, self.agent, self.size)


async def look(azure: Azure, spec: PoolSpec, *, yes: bool = False) -> Creation:
    """Read everything that `create` depends on, and refuse what cannot work. Nothing is changed.

    Parameters
    ----------
    azure, spec
        Where, and what is wanted.
    yes
        Whether the researcher agreed to a VM being deprovisioned itself.

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
    sizes = facts.sizes or await offers.sizes(azure)
    regions = pools.replicas_for(spec, source, region)
    pinned = None if pool is None else pools.image_of(pool)
    found = Creation(
        spec=spec,
        imaging=await imaging.find(azure, spec, road, regions, pinned),
        agent=offers.agent_for(images, source, spec.node_agent_sku),
        size=str(offers.size_named(sizes, spec.vm_size)["name"]),
        pool=pool,
        findings=findings,
    )
    if spec.direct:
        direct.refuse(found.body(Image(found.imaging.known_id, found.imaging.hash)))
    if pool is not None:
        image = Image(found.imaging.known_id or f"a new one of {source.what}", found.imaging.hash)
        pools.refuse_other(pool, found.body(image), spec.name)
    return found


def creation_steps(azure: Azure, found: Creation, board: Board) -> list[Step]:
    """Return the steps from a source to a pool of nodes."""
    spec = found.spec

    async def make_pool(done: Mapping[str, Outcome]) -> Outcome:
        wanted = found.body(found.imaging.image(done))
        put = partial(direct.put, azure, spec, wanted) if spec.direct else None
        new = await pools.make(azure, spec.name, wanted, put)
        return made(new, f"{found.size}, {found.agent}")

    async def make_nodes(_: Mapping[str, Outcome]) -> Outcome:
        wish = resize.Wish(spec.nodes, spec.spot, spec.timeout, spec.until, grow_only=True)
        rounds = await resize.Controller(azure, spec.name, wish, board).run()
        count = len(rounds.columns["round"])
        return Outcome("changed" if count else "found", spec.until, str(rounds.attrs["nodes"]))

    async def pool_there() -> bool:
        return found.pool is not None

    async def nodes_there() -> bool:
        if found.pool is None:
            return False
        now = (await pools.state(azure, spec.name)).target
        return now.dedicated >= spec.nodes and now.spot >= spec.spot

    pool = azure.scope.pool_id(spec.name)
    seconds = pools.EXPECTED_S
    what = f"{found.size}, {found.agent}"
    count = pools.Counts(spec.nodes, spec.spot)
    return [
        *image_steps.steps(found.imaging),
        Step("pool", pool, make_pool, (found.imaging.step,), seconds["pool"], what, there=pool_there),
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
