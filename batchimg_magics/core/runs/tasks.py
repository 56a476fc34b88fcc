"""The tasks of a run: add them in collections, count them, read them from raw pages, run them again."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from batchimg_magics.core.azure import pages
from batchimg_magics.core.base import concurrency
from batchimg_magics.core.runs.jobs import BATCH_JSON, job_url
from batchimg_magics.core.runs.request import row_of
from batchimg_magics.core.runs.variables import MISSING
from batchimg_magics.errors import ConflictError, NotFoundError, ServiceError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.runs.jobs import RunJob
    from batchimg_magics.core.runs.request import RunPlan

#: Tasks in one request at most, and the length of its body in bytes: less than 1 MB. Source: Batch service,
#: CreateTaskCollection.
AT_ONCE, MAX_BODY_BYTES = 100, 1_000_000
#: Requests at the same time.
PARALLEL = 8
#: How often a task is sent that the service did not take because of its own error.
TRIES = 3
_TOO_LARGE = "RequestBodyTooLarge"


class _Struct(msgspec.Struct, rename="camel", gc=False):
    """A structure without reference cycles: without garbage collection, decoding is twice as fast."""


class _Failure(_Struct):
    code: str = ""
    message: str = ""


class Execution(_Struct):
    """How a task ran."""

    start_time: str | None = None
    end_time: str | None = None
    exit_code: int | None = None
    retry_count: int = 0
    requeue_count: int = 0
    result: str = ""
    failure_info: _Failure | None = None

    @property
    def seconds(self) -> float | None:
        """How long it ran; None: it has not ended."""
        if not self.start_time or not self.end_time:
            return None
        began, ended = (dt.datetime.fromisoformat(text) for text in (self.start_time, self.end_time))
        return round((ended - began).total_seconds(), 3)


class _Node(_Struct):
    node_id: str = ""


class Setting(_Struct):
    """An environment variable of a task."""

    name: str
    value: str | None = None


class _Id(_Struct):
    id: str


class Task(_Id):
    """The fields of a task that its row needs."""

    state: str = ""
    execution_info: Execution | None = None
    node_info: _Node | None = None

    @property
    def has_failed(self) -> bool:
        """Whether it is over and has failed."""
        return self.state == "completed" and self.execution_info is not None and self.execution_info.result == "failure"

    @property
    def failure(self) -> str | None:
        """Why it failed; None: it did not."""
        if not self.has_failed or self.execution_info is None:
            return None
        info = self.execution_info.failure_info
        return f"{info.code}: {info.message}" if info is not None else "failure"

    @property
    def attempts(self) -> int:
        """How often it was started."""
        ran = self.execution_info
        return 1 + ran.retry_count + ran.requeue_count if ran is not None and ran.start_time else 0


class TaskWithInput(Task):
    """The same, with the variables that have the values of the row."""

    environment_settings: list[Setting] | None = None

    def texts(self, job: RunJob) -> list[str | None]:
        """Return the value of each column of its run as text; None: the cell was empty."""
        values = {one.name: one.value or "" for one in self.environment_settings or ()}
        missing = set(values.get(MISSING, "").split(","))
        return [None if str(number) in missing else values.get(name) for number, name in enumerate(job.variables)]


class _Page(msgspec.Struct):
    value: list[Any]
    next_link: str | None = msgspec.field(name="odata.nextLink", default=None)


class _TaskPage(_Page):
    value: list[Task]


class _InputPage(_Page):
    value: list[TaskWithInput]


class _IdPage(_Page):
    value: list[_Id]


_decode_tasks = msgspec.json.Decoder(_TaskPage).decode
_decode_inputs = msgspec.json.Decoder(_InputPage).decode
_decode_ids = msgspec.json.Decoder(_IdPage).decode
_FIELDS = "id,state,executionInfo,nodeInfo"


@dataclass(frozen=True, slots=True)
class TaskCounts:
    """How many tasks of a job wait, run, and have ended.

    Parameters
    ----------
    active, running, succeeded, failed
        The numbers.
    """

    active: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0

    @property
    def done(self) -> int:
        """How many have ended."""
        return self.succeeded + self.failed

    @property
    def total(self) -> int:
        """How many there are."""
        return self.active + self.running + self.done


async def read_counts(azure: Azure, job: str) -> TaskCounts:
    """Return the counts of a job, which may be some seconds old.

    Raises
    ------
    NotFoundError
        The job does not exist.
    """
    found = (await azure.get(job_url(job, "/taskcounts"), plane="batch")).json()
    counts = found.get("taskCounts") or found
    return TaskCounts(*(int(counts.get(name) or 0) for name in ("active", "running", "succeeded", "failed")))


def read_tasks(azure: Azure, job: str) -> AsyncIterator[list[Task]]:
    """Yield the tasks of a job page by page, in the order of their rows."""
    return pages.read_pages(azure, job_url(job, "/tasks", select=_FIELDS), _decode_tasks, plane="batch")


def read_tasks_with_input(azure: Azure, job: str) -> AsyncIterator[list[TaskWithInput]]:
    """Yield the tasks of a job page by page, with the values of their rows."""
    url = job_url(job, "/tasks", select=f"{_FIELDS},environmentSettings")
    return pages.read_pages(azure, url, _decode_inputs, plane="batch")


async def read_rows(azure: Azure, job: str) -> set[int]:
    """Return the rows that have tasks."""
    found: set[int] = set()
    async for page in pages.read_pages(azure, job_url(job, "/tasks", select="id"), _decode_ids, plane="batch"):
        found |= {row for row in (row_of(one.id) for one in page) if row is not None}
    return found


# -- adding ------------------------------------------------------------------------------------------------------


async def add_rows(azure: Azure, plan: RunPlan, rows: Iterable[int], on_added: Callable[[int], None]) -> None:
    """Add the tasks of rows; one that exists is as good as added, since an answer may have been lost.

    Parameters
    ----------
    azure, plan, rows
        The connection, the run, and the rows.
    on_added
        Called with the number of tasks that a request has added.

    Raises
    ------
    ServiceError
        Azure refused a task, or the job.
    """

    async def add(chunk: Sequence[int]) -> None:
        for part in _fitting(plan, chunk):
            await _add_collection(azure, plan.job_id, part)
        on_added(len(chunk))

    await concurrency.gather(*(add(chunk) for chunk in _chunks(rows)), limit=PARALLEL)


def _chunks(rows: Iterable[int]) -> Iterator[list[int]]:
    left = iter(rows)
    while chunk := list(islice(left, AT_ONCE)):
        yield chunk


def _fitting(plan: RunPlan, rows: Sequence[int]) -> list[list[Json]]:
    """Return the bodies of tasks in as few collections as the length of a request allows."""
    found: list[list[Json]] = []
    size = MAX_BODY_BYTES
    for row in rows:
        body = plan.task_body(row)
        own = len(json.dumps(body)) + 2  # as azure-core writes it
        if size + own > MAX_BODY_BYTES:
            found.append([])
            size = len('{"value": []}')
        found[-1].append(body)
        size += own
    return found


async def _add_collection(azure: Azure, job: str, bodies: Sequence[Json], tries: int = TRIES) -> None:
    try:
        url = job_url(job, "/addtaskcollection")
        answer = await azure.send("POST", url, {"value": list(bodies)}, plane="batch", headers=BATCH_JSON)
    except ServiceError as error:
        if error.code != _TOO_LARGE or len(bodies) == 1:
            raise
        half = len(bodies) // 2
        await _add_collection(azure, job, bodies[:half], tries)
        await _add_collection(azure, job, bodies[half:], tries)
        return
    again = set()
    for result in answer.json().get("value") or []:
        refused, status = result.get("error") or {}, str(result.get("status", "")).lower()
        if status == "success" or refused.get("code") == "TaskExists":
            continue
        if status == "servererror" and tries > 1:
            again.add(str(result.get("taskId")))
            continue
        raise _refusal(str(result.get("taskId")), refused)
    if again:
        await azure.sleep(1.0)
        await _add_collection(azure, job, [one for one in bodies if one["id"] in again], tries - 1)


def _refusal(task: str, error: Json) -> ServiceError:
    said = error.get("message") or {}
    text = str(said.get("value") if isinstance(said, dict) else said).split("\n")[0]
    values = "; ".join(f"{one.get('key')}: {one.get('value')}" for one in error.get("values") or [])
    return ServiceError(
        f"Azure refused the task of row {row_of(task)}: {text}{f' ({values})' if values else ''}",
        hint="the tasks before it are added; correct the command, the table or the options",
        status_code=400,
        code=str(error.get("code") or ""),
    )


# -- again -------------------------------------------------------------------------------------------------------


async def run_again(azure: Azure, plan: RunPlan, rows: Sequence[int]) -> None:
    """Let the tasks of rows that failed run again; where Batch does not reactivate one, it is replaced.

    Source: Batch service, Reactivate Task: it fails for tasks that are not completed, or have exit code 0.
    """

    async def again(row: int) -> None:
        path = f"/tasks/{quote(plan.task_id(row), safe='')}"
        try:
            await azure.send("POST", job_url(plan.job_id, f"{path}/reactivate"), plane="batch", headers=BATCH_JSON)
        except NotFoundError:
            await _add_collection(azure, plan.job_id, [plan.task_body(row)])
        except ConflictError as error:
            if error.code in ("JobCompleted", "JobBeingTerminated", "JobBeingDeleted"):
                raise
            found = (await azure.get(job_url(plan.job_id, path, select="state"), plane="batch")).json()
            if found.get("state") != "completed":
                return  # it runs again: the answer to an earlier request was lost
            await azure.call_or_none(azure.send("DELETE", job_url(plan.job_id, path), plane="batch"))
            await _add_collection(azure, plan.job_id, [plan.task_body(row)])

    await concurrency.gather(*(again(row) for row in rows), limit=PARALLEL)
