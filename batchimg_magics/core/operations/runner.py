"""Run the steps of a plan: each as soon as the steps before it have finished, otherwise concurrently."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.base import concurrency
from batchimg_magics.core.base.progress import PlannedStep
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.images import failed_build
from batchimg_magics.core.images.build import TEMPORARY_RESOURCES
from batchimg_magics.errors import BatchImgError
from batchimg_magics.resource_ids import ResourceId, resources_by_role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.base.steps import Step, StepResult
    from batchimg_magics.core.images.build import ImageBuild


def known_id(resource_id: str) -> str | None:
    """Return a resource id; None for an image version whose number is not known yet."""
    return None if ResourceId.parse(resource_id).is_planned else resource_id


async def step_rows(steps: Sequence[Step]) -> list[dict[str, Any]]:
    """Return one row per step: what it would do, and how long that takes."""
    done = await concurrency.gather(*(_is_done(step) for step in steps))
    return [_step_row(step, done=one) for step, one in zip(steps, done, strict=True)]


async def _is_done(step: Step) -> bool:
    return step.is_done is not None and await step.is_done()


def _step_row(step: Step, *, done: bool) -> dict[str, Any]:
    return {
        "step": step.name,
        "resource": step.resource.label,
        "action": "exists" if done else step.planned_action,
        "why": step.why or None,
        "minutes": 0.0 if done else None if step.expected_s is None else round(step.expected_s / 60, 1),
        "id": str(step.resource),
    }


class StepRunner:
    """One run of the steps of a plan.

    Parameters
    ----------
    verb
        The verb, whose schema the table has.
    steps
        The steps, in the order of the table.
    board
        The progress display.
    keep_going
        Whether steps that do not depend on a failed step still run.
    """

    def __init__(self, verb: str, steps: Sequence[Step], board: Board, *, keep_going: bool = False) -> None:
        self.verb = verb
        self.steps = steps
        self.board = board
        self.keep_going = keep_going
        self.results: dict[str, StepResult] = {}
        self.seconds: dict[str, float] = {}
        self.failed: dict[str, str] = {}
        self.extra_rows: list[dict[str, Any]] = []

    async def run(self, caption: str) -> Table:
        """Run all steps.

        Returns
        -------
        Table
            One row per step.

        Raises
        ------
        BatchImgError
            The error of the first step that failed; its table has what was done until then.
        """
        ended = {step.name: asyncio.Event() for step in self.steps}
        planned = [PlannedStep(step.name, step.expected_s, tuple(step.after)) for step in self.steps]
        self.board.plan(planned, is_whole=True)
        try:
            errors = await concurrency.gather(*(self._run_when_ready(step, ended) for step in self.steps))
            for error in errors:
                if error is not None:
                    raise error
        except BatchImgError as error:
            error.table = self.table("not finished")
            raise
        return self.table(caption)

    async def _run_when_ready(self, step: Step, ended: dict[str, asyncio.Event]) -> BatchImgError | None:
        """Run a step when the steps before it have ended; with `keep_going` return its error instead of raising it."""
        for name in step.after:
            await ended[name].wait()
        try:
            if all(name in self.results for name in step.after):
                await self._run_step(step)
        except BatchImgError as error:
            if not self.keep_going:
                raise
            return error
        finally:
            ended[step.name].set()
        return None

    async def _run_step(self, step: Step) -> None:
        self.board.begin(step.name, expected_s=step.expected_s)
        if step.leaves:
            self.board.add_cleanup(step.name, step.leaves)
        try:
            self.results[step.name] = await step.run(self.results)
            if step.undoes:
                self.board.cleanup_done(step.undoes)
            if step.name == TEMPORARY_RESOURCES:
                self._nothing_left()
        except BatchImgError as error:
            self.failed[step.name] = error.message
            raise
        finally:
            self.seconds[step.name] = self.board.end(step.name)

    @property
    def notes(self) -> str:
        """What a caption says about the steps, after a semicolon; empty for nothing."""
        return "".join(f"; {one.note}" for one in self.results.values() if one.note)

    def table(self, caption: str) -> Table:
        """Return the state of the steps as a table."""
        rows = [*(self._row(step) for step in self.steps), *self.extra_rows]
        touched = (row for row in rows if row.get("action") and not row["action"].startswith("would "))
        found = resources_by_role(row["id"] for row in touched if row.get("id"))
        return Table.from_rows(self.verb, rows, caption, **({"resources": found} if found else {}))

    async def run_with_cleanup(self, image_build: ImageBuild, caption: str) -> Table:
        """Run all steps; if one fails, delete the temporary resources, and tell what is left of them.

        After Ctrl-C nothing is deleted: the same command finds the resources and resumes. The temporary VM is
        deallocated, so that it costs nothing until then.
        """
        try:
            table = await self.run(caption)
        except BatchImgError as error:
            if image_build.plan.has_temporary:
                name = "delete temporary resources"
                self.board.begin(name)
                self.extra_rows = await failed_build.clean_up_after_failure(image_build)
                self.board.end(name)
                error.table = self.table("not finished")
                if any(row["action"] == "kept" for row in self.extra_rows) and self.board.pending_cleanup:
                    error.hint = "; ".join(filter(None, [error.hint, self.board.pending_cleanup]))
            self._nothing_left()
            raise
        except (Exception, asyncio.CancelledError, KeyboardInterrupt, SystemExit):
            # An interruption, or an error of this program: the temporary VM must not run on.
            if image_build.plan.has_temporary:
                await failed_build.stop_after_interruption(image_build)
            raise  # the note of what is left stays: the user is told
        self._nothing_left()
        return table

    def _nothing_left(self) -> None:
        for step in self.steps:
            self.board.cleanup_done(step.name)

    def _row(self, step: Step) -> dict[str, Any]:
        outcome = self.results.get(step.name)
        row: dict[str, Any] = {"step": step.name, "resource": step.resource.label, "type": step.kind}
        if step.name in self.seconds:
            row["seconds"] = round(self.seconds[step.name], 1)
        if outcome is None:
            unfinished = "interrupted" if step.name in self.seconds else "not begun"
            state = "failed" if step.name in self.failed else unfinished
            return {
                **row,
                "state": state,
                "detail": self.failed.get(step.name, state),
                "id": known_id(str(step.resource)),
            }
        resource_id = outcome.id or str(step.resource)
        return {
            **row,
            "resource": ResourceId.parse(resource_id).label,
            "action": outcome.action,
            "state": outcome.state,
            "detail": outcome.detail or None,
            "id": resource_id,
        }
