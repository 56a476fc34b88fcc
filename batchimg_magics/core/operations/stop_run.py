"""Stop a run: its running tasks are ended, and those that wait do not begin."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from batchimg_magics.core.base.table import Table
from batchimg_magics.core.operations.runs import run_row
from batchimg_magics.core.runs import jobs, tasks
from batchimg_magics.pool_spec.words import count_text

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.base.consent import Consent

__all__ = ["stop_run"]


async def stop_run(azure: Azure, name: str, consent: Consent) -> Table:
    """Stop a run, unless it is over; the same line as before goes on with it.

    Raises
    ------
    NotFoundError
        There is no such run.
    """
    run = await jobs.find_job(azure, name)
    counts = await tasks.read_counts(azure, run.id)
    what = f"{count_text(counts.running, 'running row')} and {count_text(counts.active, 'waiting row')}"
    if run.state != "active" or not counts.running + counts.active:
        table = Table.from_rows("stop-run", [run_row(run, counts)], f"run {run.id}: nothing of it waits or runs")
        return replace(table, caption=f"{table.caption} ({run.state})") if run.state != "active" else table
    if consent.shows_only:
        return consent.captioned(
            Table.from_rows("stop-run", [run_row(run, counts)], f"run {run.id}: would stop {what}")
        )
    await jobs.stop(azure, run.id)
    stopped = replace(run, state="disabled")
    caption = f"run {run.id}: stopped, with {what}; the line that started it goes on with it"
    return Table.from_rows("stop-run", [run_row(stopped, await tasks.read_counts(azure, run.id))], caption)
