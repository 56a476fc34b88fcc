"""The state of each row of a run, as a map shows it, and what is known of one row."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from batchimg_magics.core.base.durations import format_duration
from batchimg_magics.core.runs import tasks
from batchimg_magics.core.runs.jobs import job_url
from batchimg_magics.core.runs.outputs import OutputQuery, read_files
from batchimg_magics.core.runs.request import row_of

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.runs.jobs import RunJob
    from batchimg_magics.core.runs.tasks import Task, TaskWithInput

__all__ = ["ROW_STATES", "RowDetails", "RowStates", "read_row", "read_row_states"]

#: The states of rows in the order in which a map shows them. A row without a task is missing.
ROW_STATES = ("failed", "running", "preparing", "waiting", "missing", "succeeded")
_CODES = {word: code for code, word in enumerate(ROW_STATES)}
#: Failed rows whose reason is kept.
MAX_REASONS = 20
_decode_task = msgspec.json.Decoder(tasks.TaskWithInput).decode


@dataclass(slots=True)
class RowStates:
    """The rows of a run, those that failed first.

    Parameters
    ----------
    rows, codes
        The number of each row, and the place of its state in `ROW_STATES`, in the order of the map.
    ids
        Row -> the id of its task; a missing row has none.
    reasons
        Row -> why it failed, of the first `MAX_REASONS` rows that failed.
    """

    rows: list[int] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    ids: dict[int, str] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)

    def counts(self) -> dict[str, int]:
        """Return the number of rows by state, for states that have rows."""
        found = {word: self.codes.count(code) for word, code in _CODES.items()}
        return {word: count for word, count in found.items() if count}


@dataclass(frozen=True, slots=True)
class RowDetails:
    """What is known of one row.

    Parameters
    ----------
    state
        One of `ROW_STATES`.
    reason
        Why it failed; empty: it did not.
    facts
        The node, the seconds and the attempts as short texts.
    values
        The values of the row: name of the column and text.
    files
        What it printed: one document per file, with ``file``, ``text``, ``shown``, or with ``error``.
    """

    state: str
    reason: str
    facts: tuple[str, ...]
    values: tuple[tuple[str, str], ...]
    files: tuple[dict[str, Any], ...]


async def read_row_states(azure: Azure, job: RunJob) -> RowStates:
    """Return the state of each row of a run.

    Raises
    ------
    NotFoundError
        The job does not exist.
    """
    found, reasons = RowStates(), {}
    states = dict.fromkeys(range(job.rows), _CODES["missing"])
    async for page in tasks.read_tasks(azure, job.id):
        for task in page:
            if (row := row_of(task.id)) is None:
                continue
            states[row] = _CODES[_state(task)]
            found.ids[row] = task.id
            if task.has_failed:
                reasons[row] = task.failure or ""
    ordered = sorted(states, key=lambda row: (states[row], row))
    found.rows, found.codes = ordered, [states[row] for row in ordered]
    found.reasons = {row: reasons[row] for row in sorted(reasons)[:MAX_REASONS]}
    return found


async def read_row(azure: Azure, job: RunJob, task_id: str, max_bytes: int) -> RowDetails:
    """Return what is known of a row, with the ends of what it printed.

    Parameters
    ----------
    azure, job, task_id
        The connection, the run, and the task of the row.
    max_bytes
        The bytes to read of the end of each file.

    Raises
    ------
    NotFoundError
        The task does not exist.
    """
    url = job_url(job.id, f"/tasks/{quote(task_id, safe='')}")
    task = _decode_task((await azure.get(url, plane="batch")).content)
    query = OutputQuery(job.id, max_bytes=max_bytes)
    files = await read_files(azure, job.id, task_id, query)
    return RowDetails(_state(task), task.failure or "", _facts(task), _values(job, task), tuple(files))


def _state(task: Task) -> str:
    if task.state == "completed":
        return "failed" if task.has_failed else "succeeded"
    return task.state if task.state in ("running", "preparing") else "waiting"


def _facts(task: Task) -> tuple[str, ...]:
    ran, node = task.execution_info, task.node_info
    found = [] if node is None or not node.node_id else [f"node {node.node_id}"]
    if ran is not None and ran.exit_code is not None:
        found.append(f"exit code {ran.exit_code}")
    if ran is not None and ran.seconds is not None:
        found.append(format_duration(ran.seconds))
    if task.attempts > 1:
        found.append(f"{task.attempts} attempts")
    return tuple(found)


def _values(job: RunJob, task: TaskWithInput) -> tuple[tuple[str, str], ...]:
    """Return the values of the table that the row has."""
    pairs = zip(job.columns, task.texts(job), strict=True)
    return tuple((column.name, text) for column, text in pairs if text is not None)
