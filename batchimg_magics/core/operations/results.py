"""The table of a run, read from its job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.operations.run import answer_caption, answer_facts
from batchimg_magics.core.runs import jobs
from batchimg_magics.core.runs.answer import read_answer

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.base.table import Table

__all__ = ["read_results"]


async def read_results(azure: Azure, name: str) -> Table:
    """Return the rows of a run that have tasks, as they are now; the input columns are read from the tasks.

    Raises
    ------
    NotFoundError
        There is no such run.
    """
    answer = await read_answer(azure, await jobs.find_job(azure, name))
    return answer.table("results", answer_caption(answer), **answer_facts(answer))
