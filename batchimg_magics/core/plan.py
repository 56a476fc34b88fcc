"""Steps: a spec and what exists -> what is to be done, in which order.

A `Step` sees to it that one thing is there (or gone): it finds it, or makes it. That is all there is to resuming: the
same line plans the same steps, and those that are done find their work done.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from batchimg_magics.core import capture, galleries, marks, offers, pools, preflight, resize, vms, waiting
from batchimg_magics.core.azure import region_key
from batchimg_magics.errors import ConflictError, NotFoundError
from batchimg_magics.resource_ids import ResourceId
from batchimg_magics.spec import closest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from batchimg_magics.core.azure import Azure, Json
    from batchimg_magics.core.progress import Board
    from batchimg_magics.core.vms import Disk, Source
    from batchimg_magics.spec import PoolSpec


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a step.

    Parameters
    ----------
    action
        One of `schemas.ACTIONS`.
    state, detail
        Words for the table.
    id
        Resource id, where it is known only now.
    """

    action: str
    state: str = "Succeeded"
    detail: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to see to.

    Parameters
    ----------
    name
        What it is; unique in its plan.
    resource
        Its id.
    run
        Sees to it, given the outcomes of the steps before.
    after
        Names of the steps that have to be done first.
    expected_s
        How long it usually takes, where it has to be made.
    """

    name: str
    resource: ResourceId
    run: Callable[[Mapping[str, Outcome]], Awaitable[Outcome]]
    after: tuple[str, ...] = ()
    expected_s: float | None = None


@dataclass(frozen=True, slots=True)
class Creation:
    """What `create` found out before it changes anything.

    Parameters
    ----------
    spec, source
        What is wanted, and the VM that the image is made from.
    image
        The image's hash.
    region
        The pool's.
    agent, size
        Node agent SKU, and the VM size as Azure spells it.
    version
        The image version with this hash, where there is one.
    pool
        The pool, where there is one.
    """

    spec: PoolSpec
    source: Source
    image: str
    region: str
    agent: str
    size: str
    version: Json | None
    pool: Json | None


async def look(azure: Azure, spec: PoolSpec) -> Creation:
    """Read everything that `create` depends on, and refuse what cannot work. Nothing is changed.

    Raises
    ------
    SpecError, NotFoundError, ConflictError
        Something that was asked for is not there, does not fit, or is there already and differs.
    """
    account = await azure.account()
    source = await vms.read(azure, spec.from_vm)
    preflight.refuse(preflight.check(source, spec))
    definition = galleries.definition_id(azure, spec.name)
    image = marks.image_hash(source)
    agent, size, there, versions, pool = await waiting.together(
        offers.node_agent(azure, source, spec.node_agent_sku),
        offers.vm_size(azure, spec.vm_size),
        galleries.read_definition(azure, definition),
        galleries.versions(azure, definition),
        pools.read(azure, spec.name),
    )
    if there is not None:
        if not marks.is_for(there, spec.name):
            raise ConflictError(
                f"there is an image definition {spec.name!r} already, and this tool did not make it for this pool",
                hint="choose another name for the pool",
                status_code=409,
            )
        wanted = galleries.definition_body(spec.name, source, {})
        galleries.refuse_other_kind(definition, there, wanted)
    creation = Creation(
        spec=spec,
        source=source,
        image=image,
        region=region_key(str(account["location"])),
        agent=agent,
        size=str(size["name"]),
        version=galleries.version_for(versions, image),
        pool=pool,
    )
    _refuse_other_pool(creation)
    return creation


def _refuse_other_pool(creation: Creation) -> None:
    """Refuse a pool that is there and is not the one that is wanted."""
    if creation.pool is None:
        return
    version_id = str(creation.version["id"]) if creation.version else "a new one of this VM"
    wanted = pools.body(creation.spec, creation.source, version_id, creation.agent, creation.size)
    pools.refuse_other(creation.pool, wanted, creation.spec.name)


def creation_steps(azure: Azure, found: Creation, board: Board) -> list[Step]:
    """Return the steps from a VM to a pool of nodes."""
    spec, source = found.spec, found.source
    tags = marks.of_image(spec.name, found.image)
    gallery, definition = galleries.gallery_id(azure), galleries.definition_id(azure, spec.name)
    snapshots = {disk: capture.snapshot_id(azure, spec.name, found.image, disk) for disk in source.disks}
    regions = pools.replicas_for(spec, source, found.region)
    body = galleries.version_body(source, snapshots, regions, tags)

    async def make_gallery(_: Mapping[str, Outcome]) -> Outcome:
        return _made(await galleries.make_gallery(azure, gallery, source.region))

    async def make_definition(_: Mapping[str, Outcome]) -> Outcome:
        wanted = galleries.definition_body(spec.name, source, tags)
        made = await galleries.make_definition(azure, definition, wanted)
        return _made(made, f"{source.os_type} {source.generation} {source.architecture} {source.security_type}")

    async def make_version(_: Mapping[str, Outcome]) -> Outcome:
        version, made = await galleries.make_version(azure, definition, body)
        detail = ", ".join(f"{region}={count}" for region, count in regions.items())
        return _made(made, f"replicas {detail}", str(version["id"]))

    async def make_pool(done: Mapping[str, Outcome]) -> Outcome:
        wanted = pools.body(spec, source, done["image version"].id, found.agent, found.size)
        return _made(await pools.make(azure, spec.name, wanted), f"{found.size}, {found.agent}")

    async def make_nodes(_: Mapping[str, Outcome]) -> Outcome:
        wish = resize.Wish(spec.nodes, spec.spot, spec.timeout, spec.until, grow_only=True)
        rounds = await resize.Controller(azure, spec.name, wish, board).run()
        count = len(rounds.columns["round"])
        return Outcome("changed" if count else "found", spec.until, str(rounds.attrs["nodes"]))

    taken = [_snapshot_step(azure, found, disk, snapshot, tags) for disk, snapshot in snapshots.items()]
    pool = azure.scope.pool_id(spec.name)
    return [
        *([] if found.version else taken),
        Step("gallery", gallery, make_gallery, (), galleries.EXPECTED_S["gallery"]),
        Step("image definition", definition, make_definition, ("gallery",), galleries.EXPECTED_S["definition"]),
        Step(
            "image version",
            definition.child("versions", "new"),
            make_version,
            ("image definition", *(() if found.version else (step.name for step in taken))),
            galleries.EXPECTED_S["version"],
        ),
        Step("pool", pool, make_pool, ("image version",), pools.EXPECTED_S["pool"]),
        Step("nodes", pool, make_nodes, ("pool",), pools.EXPECTED_S["ready"]),
    ]


def _snapshot_step(azure: Azure, found: Creation, disk: Disk, snapshot: ResourceId, tags: dict[str, str]) -> Step:
    async def take(_: Mapping[str, Outcome]) -> Outcome:
        made = await capture.take(azure, snapshot, disk, region=found.source.region, tags=tags)
        return _made(made, f"of {ResourceId.parse(disk.id).name}")

    name = "snapshot of OS disk" if disk.lun is None else f"snapshot of data disk, LUN {disk.lun}"
    return Step(name, snapshot, take, (), capture.EXPECTED_S)


def _made(made: bool, detail: str = "", resource_id: str = "") -> Outcome:  # noqa: FBT001 - one word says it
    return Outcome("made" if made else "found", detail=detail, id=resource_id)


@dataclass(frozen=True, slots=True)
class Deletion:
    """What `delete` found.

    Parameters
    ----------
    name
        The pool's.
    pool
        Its document, where it is there.
    versions, definition, gallery, snapshots
        The chain, as far as it bears our marks for this pool; the gallery, where it is ours.
    """

    name: str
    pool: Json | None
    versions: list[Json]
    definition: Json | None
    gallery: Json | None
    snapshots: list[Json]

    @property
    def nothing(self) -> bool:
        """Whether there is nothing to delete."""
        return self.pool is None and not (self.versions or self.definition or self.snapshots)


async def look_for_deletion(azure: Azure, name: str, *, image: bool) -> Deletion:
    """Read what there is of a pool and, where asked, of its image.

    Raises
    ------
    NotFoundError
        There is neither.
    """
    pool = await pools.read(azure, name)
    found = Deletion(name, pool, [], None, None, [])
    if image:
        definition_id = galleries.definition_id(azure, name)
        definition, versions, gallery, snapshots = await waiting.together(
            galleries.read_definition(azure, definition_id),
            galleries.versions(azure, definition_id),
            galleries.read_gallery(azure, galleries.gallery_id(azure)),
            capture.owned(azure, name),
        )
        found = Deletion(
            name=name,
            pool=pool,
            versions=[one for one in versions if marks.is_for(one, name)],
            definition=definition if marks.is_for(definition, name) else None,
            gallery=gallery if galleries.is_ours(gallery, azure.scope.account) else None,
            snapshots=snapshots,
        )
    if found.nothing:
        known = [one["name"] for one in await pools.listed(azure)]
        what = "nor anything of its image" if image else "so there is nothing to delete"
        raise NotFoundError(
            f"there is no pool {name!r}, {what}",
            hint=closest(name, known) or "`%batchimg pools` lists what there is",
            status_code=404,
            code="PoolNotFound",
        )
    return found


def deletion_steps(azure: Azure, found: Deletion) -> list[Step]:
    """Return the steps that take a pool and its image away: each after what needs it.

    Snapshots come last: as long as one is there, running the same line again finds that there is work left.
    """
    steps: list[Step] = []
    if found.pool is not None:
        steps.append(_deletion("pool", azure.scope.pool_id(found.name), (), lambda _: pools.delete(azure, found.name)))
    before = tuple(step.name for step in steps)
    ids = [ResourceId.parse(version["id"]) for version in found.versions]
    versions = [
        _deletion(f"image version {one.name}", one, before, partial(galleries.delete_version, azure)) for one in ids
    ]
    chain = [*steps, *versions]
    for name, there, delete in (
        ("image definition", found.definition, galleries.delete_definition),
        ("gallery", found.gallery, galleries.delete_empty),
    ):
        if there is not None:
            after = tuple(step.name for step in chain)
            chain.append(_deletion(name, ResourceId.parse(there["id"]), after, partial(delete, azure)))
    after = tuple(step.name for step in chain)
    snapshots = [ResourceId.parse(one["id"]) for one in found.snapshots]
    return [
        *chain,
        *(_deletion(f"snapshot {one.name}", one, after, partial(capture.delete, azure)) for one in snapshots),
    ]


def _deletion(
    name: str, resource: ResourceId, after: tuple[str, ...], delete: Callable[[ResourceId], Awaitable[bool | None]]
) -> Step:
    async def run(_: Mapping[str, Outcome]) -> Outcome:
        if await delete(resource) is False:
            return Outcome("kept", "in use", "holds other images")
        return Outcome("deleted", "gone")

    return Step(name, resource, run, after, galleries.EXPECTED_S["delete version"] if "version" in name else None)
