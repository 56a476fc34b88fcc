"""The jobs of a pool, and how many of their tasks wait, run and have ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from batchimg_magics.core.azure import api_versions
from batchimg_magics.core.base import concurrency

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure

#: Jobs that are listed, and jobs whose tasks are counted, at most: an account can have very many.
MAX_JOBS, MAX_COUNTED = 1_000, 20
#: Jobs whose tasks are counted at the same time.
AT_ONCE = 5


@dataclass(frozen=True, slots=True)
class PoolJobs:
    """The jobs of a pool.

    Parameters
    ----------
    active
        IDs of the jobs that are not completed, at most `MAX_JOBS`.
    tasks
        Number of tasks by state: active, running, completed, succeeded, failed.
    counted
        The number of jobs whose tasks were counted.
    """

    active: tuple[str, ...]
    tasks: dict[str, int]
    counted: int


async def read_jobs(azure: Azure, pool: str) -> PoolJobs:
    """Return the active jobs of a pool.

    Raises
    ------
    ServiceError
        Azure refused it.
    """
    condition = quote(f"executionInfo/poolId eq '{pool}' and state ne 'completed'")
    url: str | None = f"/jobs?api-version={api_versions.BATCH}&$filter={condition}&$select=id,state"
    found: list[str] = []
    while url and len(found) < MAX_JOBS:
        page = (await azure.get(url, plane="batch")).json()
        found += [str(one["id"]) for one in page.get("value") or []]
        url = page.get("odata.nextLink")
    counts = await concurrency.gather(*(_count(azure, job) for job in found[:MAX_COUNTED]), limit=AT_ONCE)
    names = ("active", "running", "completed", "succeeded", "failed")
    tasks = {name: sum(int(one.get(name) or 0) for one in counts) for name in names}
    return PoolJobs(tuple(found[:MAX_JOBS]), tasks, len(counts))


async def _count(azure: Azure, job: str) -> dict[str, Any]:
    url = f"/jobs/{quote(job, safe='')}/taskcounts?api-version={api_versions.BATCH}"
    found = (await azure.get(url, plane="batch")).json()
    return dict(found.get("taskCounts") or found)
