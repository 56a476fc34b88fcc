"""The runs of the account, with their counts and what they cost so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.core.base import concurrency
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.runs import jobs, tasks
from batchimg_magics.core.runs.answer import read_answer
from batchimg_magics.errors import NotFoundError
from batchimg_magics.pool_spec.words import count_text

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.runs.jobs import RunJob
    from batchimg_magics.core.runs.tasks import TaskCounts

__all__ = ["list_runs", "run_row"]

#: Runs whose tasks are counted at the same time; and tasks up to which the money of a run is read.
AT_ONCE, MAX_PRICED_TASKS = 5, 1_000


async def list_runs(azure: Azure, pool: str | None, limit: int) -> Table:
    """Return one row per run, the newest first.

    Parameters
    ----------
    azure
        The connection.
    pool
        The name of a pool, whose runs are listed; None: all.
    limit
        The most runs.
    """
    found = [run for run in await jobs.list_jobs(azure) if pool is None or run.pool.lower() == pool.lower()]
    rows = [row for row in await concurrency.gather(*(_row(azure, run) for run in found[:limit]), limit=AT_ONCE) if row]
    caption = f"{count_text(len(found), 'run')}{f' on {pool}' if pool else ''}"
    return Table.from_rows("runs", rows, caption, all_rows=len(found), more="--limit N shows more")


async def _row(azure: Azure, run: RunJob) -> dict[str, Any] | None:
    try:
        counts = await tasks.read_counts(azure, run.id)
        # The money needs every task: one page is cheap, a hundred are not.
        answer = (
            await read_answer(azure, run, values=False, tails=False) if 0 < counts.total <= MAX_PRICED_TASKS else None
        )
    except NotFoundError:
        return None  # deleted meanwhile
    spent = {"usd": None if answer is None else answer.facts()["usd"]}
    return run_row(run, counts) | spent | {"created": run.created, "ended": run.ended, "command": run.command}


def run_row(run: RunJob, counts: TaskCounts) -> dict[str, Any]:
    """Return the row of a run."""
    return {
        "run": run.id,
        "pool": run.pool,
        "state": run.state,
        "rows": run.rows,
        "waiting": counts.active,
        "running": counts.running,
        "succeeded": counts.succeeded,
        "failed": counts.failed,
        "missing": max(0, run.rows - counts.total),
    }
