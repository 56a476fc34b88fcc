"""The jobs of runs: add, read, list, stop and go on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from batchimg_magics.core.azure import api_versions, tags
from batchimg_magics.core.azure.documents import parse_time
from batchimg_magics.core.runs import request
from batchimg_magics.core.runs.input_table import InputColumn
from batchimg_magics.core.runs.pool_facts import NodePrices
from batchimg_magics.errors import ConflictError, NotFoundError, ServiceError, SpecError

if TYPE_CHECKING:
    import datetime as dt

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.runs.request import RunPlan

__all__ = ["BATCH_JSON", "MAX_LISTED", "RunJob", "add_job", "enable", "end", "find_job", "job_url", "list_jobs", "stop"]

#: The type of bodies of the data plane.
BATCH_JSON = {"Content-Type": "application/json; odata=minimalmetadata"}
#: Runs that are listed at most.
MAX_LISTED = 1_000
_ID = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class RunJob:
    """The job of a run.

    Parameters
    ----------
    id
        Its id.
    state
        ``active``, ``disabled``, ``completed`` or another state of Azure.
    pool
        The name of the pool.
    created, ended
        When it was created and completed; None: not told.
    command
        The command, as the user wrote it.
    columns
        The columns of the table without values.
    variables
        The environment variable of each column.
    rows
        The number of rows of the table.
    hash
        The whole hash of the run.
    prices
        What the slots of one task cost.
    """

    id: str
    state: str
    pool: str
    created: dt.datetime | None
    ended: dt.datetime | None
    command: str
    columns: tuple[InputColumn, ...]
    variables: tuple[str, ...]
    rows: int
    hash: str
    prices: NodePrices

    @classmethod
    def of(cls, found: Json) -> RunJob | None:
        """Return the run of a job's document; None: the job is of no run."""
        kept = {str(one.get("name")): str(one.get("value") or "") for one in found.get("metadata") or []}
        if request.HASH not in kept:
            return None
        common = {str(one.get("name")): str(one.get("value")) for one in found.get("commonEnvironmentSettings") or []}
        names, variables = _columns(common.get(request.COLUMNS, "[]"))
        rows = kept.get(request.ROWS, "0")
        info = found.get("executionInfo") or {}
        return cls(
            str(found["id"]),
            str(found.get("state")),
            str(info.get("poolId") or kept.get(tags.POOL, "")),
            parse_time(found.get("creationTime")),
            parse_time(info.get("endTime")),
            kept.get(request.COMMAND, ""),
            names,
            variables,
            int(rows) if rows.isdecimal() else 0,
            kept[request.HASH],
            NodePrices.parse(kept.get(request.RATES, "")),
        )


def _columns(text: str) -> tuple[tuple[InputColumn, ...], tuple[str, ...]]:
    """Return the columns and their variables; anybody can change the metadata of a job."""
    try:
        found = [(str(name), str(variable), kind, str(dtype)) for name, variable, kind, dtype in json.loads(text)]
    except (ValueError, TypeError):
        return (), ()
    kinds: Any = {"int": "int", "float": "float", "bool": "bool"}
    columns = tuple(InputColumn(name, (), kinds.get(kind, "text"), dtype) for name, _, kind, dtype in found)
    return columns, tuple(variable for _, variable, _, _ in found)


def job_url(job: str, below: str = "", **query: str) -> str:
    """Return the path of a job on the data plane, or of something below it."""
    parts = [f"api-version={api_versions.BATCH}", *(f"${name}={quote(value)}" for name, value in query.items())]
    return f"/jobs/{quote(job, safe='')}{below}?{'&'.join(parts)}"


async def add_job(azure: Azure, plan: RunPlan, rates: str) -> bool:
    """Add the job of a run; return whether it is new.

    Raises
    ------
    ConflictError
        Azure refused it for another reason than that it exists.
    """
    url = f"/jobs?api-version={api_versions.BATCH}"
    try:
        await azure.send("POST", url, plan.job_body(rates), plane="batch", headers=BATCH_JSON)
    except ConflictError as error:
        if error.code != "JobExists":
            raise
        return False
    return True


async def read_job(azure: Azure, job: str) -> RunJob | None:
    """Return the run of a job; None: there is no such job, or it is of no run."""
    try:
        found = (await azure.get(job_url(job), plane="batch")).json()
    except NotFoundError:
        return None
    return RunJob.of(found)


async def list_jobs(azure: Azure) -> list[RunJob]:
    """Return the runs of the account, at most `MAX_LISTED`, the newest first."""
    condition = quote(f"startswith(id, '{request.ID_PREFIX}')")
    url: str | None = f"/jobs?api-version={api_versions.BATCH}&$filter={condition}"
    found: list[RunJob] = []
    while url and len(found) < MAX_LISTED:
        page = (await azure.get(url, plane="batch")).json()
        found += [run for run in map(RunJob.of, page.get("value") or []) if run is not None]
        url = page.get("odata.nextLink")
    return sorted(found, key=lambda run: run.created.timestamp() if run.created else 0.0, reverse=True)[:MAX_LISTED]


async def find_job(azure: Azure, name: str) -> RunJob:
    """Return the run of a name: the id of its job, or the beginning of it, with or without ``run-``.

    Raises
    ------
    NotFoundError
        There is no such run; the hint has those that are there.
    SpecError
        The name cannot be that of a run, or several runs begin with it.
    """
    digits = name.lower().removeprefix(request.ID_PREFIX)
    if not digits or not _ID.issuperset(digits):
        raise SpecError(f"{name!r} is not the name of a run", hint="`%batchimg runs` lists the runs")
    if (found := await read_job(azure, f"{request.ID_PREFIX}{digits}")) is not None:
        return found
    known = await list_jobs(azure)
    matching = [run for run in known if run.id.startswith(f"{request.ID_PREFIX}{digits}")]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise SpecError(f"several runs begin with {name!r}", hint=", ".join(run.id for run in matching[:8]))
    last = ", ".join(run.id for run in known[:5])
    raise NotFoundError(
        f"there is no run {name!r} in account {azure.scope.account!r}",
        hint=f"the last runs are: {last}" if last else "`%batchimg run POOL --over FILE -- COMMAND` starts one",
        status_code=404,
        code="JobNotFound",
    )


async def stop(azure: Azure, job: str) -> None:
    """Stop a job: its running tasks are ended, and those that wait do not begin, until it goes on."""
    body = {"disableTasks": "terminate"}
    await _change(azure, job, "/disable", body, done=("JobNotActive", "JobCompleted", "JobBeingTerminated"))


async def enable(azure: Azure, job: str) -> None:
    """Let a job go on that was stopped."""
    await _change(azure, job, "/enable", None, done=())


async def end(azure: Azure, job: str) -> None:
    """End a job whose tasks have all succeeded: an account has a quota of active jobs."""
    body = {"terminateReason": "AllRowsDone"}
    await _change(azure, job, "/terminate", body, done=("JobCompleted", "JobBeingTerminated"))


async def _change(azure: Azure, job: str, action: str, body: Json | None, *, done: tuple[str, ...]) -> None:
    try:
        await azure.send("POST", job_url(job, action), body, plane="batch", headers=BATCH_JSON)
    except ServiceError as error:
        if error.code not in done:
            raise
