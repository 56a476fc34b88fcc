"""Run the steps of a plan: each as soon as what it needs is done, all others beside it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.base import concurrency
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.images import build
from batchimg_magics.errors import BatchImgError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.base.steps import Step, StepResult
    from batchimg_magics.core.images.build import ImageBuild


class StepRunner:
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
        self.results: dict[str, StepResult] = {}
        self.seconds: dict[str, float] = {}
        self.failed: dict[str, str] = {}
        self.extra_rows: list[dict[str, Any]] = []

    async def run(self, caption: str) -> Table:
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
            errors = await concurrency.gather(*(self._run_when_ready(step, ended) for step in self.steps))
            for error in errors:
                if error is not None:
                    raise error
        except BatchImgError as error:
            error.table = self.table("not finished")
            raise
        return self.table(caption)

    async def _run_when_ready(self, step: Step, ended: dict[str, asyncio.Event]) -> BatchImgError | None:
        """Run a step when its turn has come; where others go on after a failure, return it."""
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
        try:
            self.results[step.name] = await step.run(self.results)
        except BatchImgError as error:
            self.failed[step.name] = error.message
            raise
        finally:
            self.seconds[step.name] = self.board.end(step.name)

    def table(self, caption: str) -> Table:
        """Return how the steps stand."""
        return Table.from_rows(self.verb, [*(self._row(step) for step in self.steps), *self.extra_rows], caption)

    async def run_with_cleanup(self, image_build: ImageBuild, caption: str) -> Table:
        """Run all steps; where one fails, put away what was there only for the time being.

        Nothing is put away when somebody pressed Ctrl-C: the same line finds it and goes on.
        """
        try:
            return await self.run(caption)
        except BatchImgError as error:
            if image_build.plan.has_temporary:
                name = "putting throwaways away"
                self.board.begin(name)
                self.extra_rows = await build.clean_up_after_failure(image_build)
                self.board.end(name)
                error.table = self.table("not finished")
            raise

    def _row(self, step: Step) -> dict[str, Any]:
        outcome = self.results.get(step.name)
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
