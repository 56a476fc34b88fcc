"""`estimate --from-run`: what is left of a run, with the time that its rows have taken."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from batchimg_magics.core.estimates import options
from batchimg_magics.core.runs import jobs
from batchimg_magics.core.runs.answer import read_answer
from batchimg_magics.errors import SpecError

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.base.table import Table
    from batchimg_magics.core.estimates.options import SizingQuery

__all__ = ["estimate_from_run"]


async def estimate_from_run(azure: Azure, run: str, query: SizingQuery, *, all_rows: bool) -> Table:
    """Return the options for the rows of a run that have not succeeded yet.

    Parameters
    ----------
    azure, run
        The connection, and the name of the run, or the beginning of it.
    query
        The question. Its tasks and minutes are those of the run; its pool is that of the run where it names none.
    all_rows
        Whether the number of tasks in the query is kept.

    Raises
    ------
    NotFoundError
        There is no such run.
    SpecError
        No row of it has ended, or none is left.
    """
    job = await jobs.find_job(azure, run)
    answer = await read_answer(azure, job, values=False, tails=False)
    seconds = answer.facts()["mean_seconds"]
    if not seconds:
        raise SpecError(
            f"no row of run {job.id} has ended, so that its time is not known",
            hint="wait for some rows, or give --tasks and --minutes",
        )
    left = job.rows - answer.counts.succeeded
    if not all_rows and left < 1:
        raise SpecError(f"all rows of run {job.id} have succeeded", hint="add --tasks N for another table")
    tasks = query.tasks if all_rows else left
    table = await options.list_options(
        azure, replace(query, tasks=tasks, minutes=seconds / 60, name=query.name or job.pool)
    )
    table.attrs = {**table.attrs, "run": job.id}
    return table
