"""Run the steps of a plan: each as soon as what it needs is done, all others beside it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchimg_magics.core import deletion, image_steps, outlook, plan
from batchimg_magics.core import migrate as migrating
from batchimg_magics.core.azure import polling, read_cache
from batchimg_magics.core.base.node_counts import Counts, targets
from batchimg_magics.core.base.steps import Outcome
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.checks import preflight
from batchimg_magics.errors import BatchImgError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.base.steps import Step
    from batchimg_magics.core.deletion import Deletion
    from batchimg_magics.core.images.build import Imaging
    from batchimg_magics.spec import PoolSpec


class Run:
    """One run through the steps of a plan.

    Parameters
    ----------
    verb
        Whose table the steps make.
    steps
        In the order of the table.
    board
        Told how it goes.
    keep_going
        Whether one step that fails leaves alone those that do not need it.
    """

    def __init__(self, verb: str, steps: Sequence[Step], board: Board, *, keep_going: bool = False) -> None:
        self.verb = verb
        self.steps = steps
        self.board = board
        self.keep_going = keep_going
        self.done: dict[str, Outcome] = {}
        self.seconds: dict[str, float] = {}
        self.failed: dict[str, str] = {}
        self.more: list[dict[str, Any]] = []

    async def go(self, caption: str) -> Table:
        """Run all steps.

        Returns
        -------
        Table
            One row a step.

        Raises
        ------
        BatchImgError
            What the first step that failed raised; its table has what was done by then.
        """
        ended = {step.name: asyncio.Event() for step in self.steps}
        try:
            errors = await polling.together(*(self._one(step, ended) for step in self.steps))
            for error in errors:
                if error is not None:
                    raise error
        except BatchImgError as error:
            error.table = self.table("not finished")
            raise
        return self.table(caption)

    async def _one(self, step: Step, ended: dict[str, asyncio.Event]) -> BatchImgError | None:
        """Run a step when its turn has come; where others go on after a failure, return it."""
        for name in step.after:
            await ended[name].wait()
        try:
            if all(name in self.done for name in step.after):
                await self._run(step)
        except BatchImgError as error:
            if not self.keep_going:
                raise
            return error
        finally:
            ended[step.name].set()
        return None

    async def _run(self, step: Step) -> None:
        self.board.begin(step.name, expected_s=step.expected_s)
        try:
            self.done[step.name] = await step.run(self.done)
        except BatchImgError as error:
            self.failed[step.name] = error.message
            raise
        finally:
            self.seconds[step.name] = self.board.end(step.name)

    def table(self, caption: str) -> Table:
        """Return how the steps stand."""
        return Table.of(self.verb, [*(self._row(step) for step in self.steps), *self.more], caption)

    async def tidily(self, imaged: Imaging, caption: str) -> Table:
        """Run all steps; where one fails, put away what was there only for the time being.

        Nothing is put away when somebody pressed Ctrl-C: the same line finds it and goes on.
        """
        try:
            return await self.go(caption)
        except BatchImgError as error:
            if imaged.way.temporary:
                name = "putting throwaways away"
                self.board.begin(name)
                self.more = await image_steps.tidy_after_failure(imaged)
                self.board.end(name)
                error.table = self.table("not finished")
            raise

    def _row(self, step: Step) -> dict[str, Any]:
        outcome = self.done.get(step.name)
        row: dict[str, Any] = {"step": step.name, "resource": step.resource.name, "type": step.resource.type}
        if step.name in self.seconds:
            row["seconds"] = round(self.seconds[step.name], 1)
        if outcome is None:
            begun = "interrupted" if step.name in self.seconds else "not begun"
            state = "failed" if step.name in self.failed else begun
            return {**row, "state": state, "detail": self.failed.get(step.name, state), "id": str(step.resource)}
        resource_id = outcome.id or str(step.resource)
        return {
            **row,
            "resource": resource_id.rpartition("/")[2],
            "action": outcome.action,
            "state": outcome.state,
            "detail": outcome.detail or None,
            "id": resource_id,
        }


@dataclass(frozen=True, slots=True)
class Agreed:
    """What the researcher agreed to.

    Parameters
    ----------
    yes
        That a VM is deprovisioned itself.
    replace
        That a pool that is there and differs is deleted and made anew.
    withheld
        That this is only said, and not done.
    """

    yes: bool = False
    replace: bool = False
    withheld: bool = False


async def create(azure: Azure, spec: PoolSpec, board: Board, agreed: Agreed) -> Table:
    """Make a pool and the image its nodes are made from, or go on with it.

    Parameters
    ----------
    azure, spec, board
        Where, what, and whom to tell how it goes.
    agreed
        What may be done.

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
    with read_cache.shared():
        return await _create(azure, spec, board, agreed)


async def _create(azure: Azure, spec: PoolSpec, board: Board, agreed: Agreed) -> Table:
    began = azure.now()
    found = await plan.look(azure, spec, yes=agreed.yes, replace=agreed.replace)
    run = Run("create", plan.creation_steps(azure, found, board), board)
    if agreed.withheld and found.fate == "replaced":
        run.steps = run.steps[[step.name for step in run.steps].index("old pool") :]
        run.done = {step.name: Outcome(step.would, "withheld", step.why) for step in run.steps}
        return run.table(f"pool {spec.name} would be deleted and made anew; nothing was changed; add --yes to do it")
    table = await run.tidily(found.imaging, "")
    minutes = (azure.now() - began) / 60
    there = Counts() if found.staying is None else targets(found.staying)
    more = "" if Counts(spec.nodes, spec.spot).covers(there) else "; it keeps what it had, `%batchimg resize` shrinks"
    table.caption = f"pool {spec.name}: {run.done['nodes'].detail}, after {minutes:.0f} min{more}"
    return preflight.with_warnings(table, found.findings)


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
    found = await migrating.look(azure, name, new)
    steps = migrating.steps(azure, found, board, delete_old=delete_old)
    if dry_run:
        rows = [{**row, "state": "not begun", "detail": row["why"]} for row in await outlook.rows(steps)]
        return Table.of("migrate", rows, f"pool {name}: this is what would be done; nothing was changed")
    run = Run("migrate", steps, board)
    table = await run.tidily(found.imaging, "")
    old = "is deleted" if delete_old else f"stays: `%batchimg delete {name}` when nothing needs it"
    table.caption = f"pool {new} is there in place of {name}, which {old}"
    return table


async def to_migrate(azure: Azure) -> Table:
    """Return the pools that Azure would not make any more, one a row."""
    rows = [
        {
            "step": "migrate",
            "resource": pool["name"],
            "action": "would make",
            "state": "not begun",
            "detail": "made from " + " ".join(migrating.legacy_image(pool).values()).rpartition("/")[2],
            "id": pool["id"],
        }
        for pool in await migrating.find(azure)
    ]
    return Table.of("migrate", rows, f"pools made from managed images or VHDs: {len(rows)}")


async def delete(azure: Azure, name: str, board: Board, *, image: bool, dry_run: bool, blindly: bool = False) -> Table:
    """Take a pool away and, where asked, its image with all that was made for it; or a single image or snapshot.

    Parameters
    ----------
    azure, board
        Where, and whom to tell how it goes.
    name
        The pool's name, or a resource's id.
    image
        Whether the pool's image goes too.
    dry_run
        Whether to say only what would go.
    blindly
        Whether a single resource may go although not all that might use it could be looked at.

    Returns
    -------
    Table
        One row a resource.

    Raises
    ------
    NotFoundError
        There is nothing of that name.
    InUseError
        Somebody needs it; nothing was deleted.
    """
    if "/" in name:
        found = await deletion.look_for_one(azure, name, blindly=blindly or dry_run)
        what = name.rpartition("/")[2]
    else:
        found = await deletion.look_for_pool(azure, name, image=image)
        what = f"pool {name}"
    table = await take_away(azure, found, board, what=what, dry_run=dry_run)
    if "/" not in name and not image:
        table.caption += "; its image, if it has one, stays: `%batchimg orphans` tells"
    return table


async def take_away(azure: Azure, found: Deletion, board: Board, *, what: str, dry_run: bool) -> Table:
    """Delete what was found, or say what would go."""
    run = Run("delete", deletion.steps(azure, found), board, keep_going=True)
    blind = f"; {found.blind}" if found.blind else ""
    if dry_run:
        run.done = {step.name: Outcome("would delete", "there") for step in run.steps}
        return run.table(f"{what}: this is what would go; nothing was changed{blind}")
    try:
        return await run.go(f"{what}: deleted{blind}")
    except BatchImgError as error:
        error.hint = "the table says what is left; run the same line again and it finishes"
        raise
