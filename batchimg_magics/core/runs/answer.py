"""The answer of a run: the columns of its table, then what came of each row."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from batchimg_magics.core.base import concurrency
from batchimg_magics.core.base.columns import Column
from batchimg_magics.core.base.schemas import SCHEMAS
from batchimg_magics.core.base.table import Table, TimeColumn
from batchimg_magics.core.batch.node_files import as_text
from batchimg_magics.core.runs.input_table import parse_values
from batchimg_magics.core.runs.jobs import job_url
from batchimg_magics.core.runs.request import row_of
from batchimg_magics.core.runs.tasks import Task, TaskCounts, TaskWithInput, read_tasks, read_tasks_with_input
from batchimg_magics.errors import ServiceError
from batchimg_magics.masking import make_visible, mask_tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.runs.input_table import InputTable
    from batchimg_magics.core.runs.jobs import RunJob

__all__ = ["MAX_TAILS", "TAIL_BYTES", "RunAnswer", "answer_columns", "read_answer"]

#: Rows that failed whose output is read, and how much of the end of each file.
MAX_TAILS, TAIL_BYTES = 10, 2_048
_OUTPUTS = {"stdout.txt": "stdout_tail", "stderr.txt": "stderr_tail"}


@dataclass(slots=True)
class RunAnswer:
    """The rows of a run that have tasks.

    Parameters
    ----------
    job
        The run.
    rows, ids
        The numbers of the rows and the ids of their tasks, in order.
    inputs
        The values of the columns, as texts.
    columns
        The columns of the answer.
    """

    job: RunJob
    rows: list[int] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    inputs: list[list[str | None]] = field(default_factory=list)
    columns: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def counts(self) -> TaskCounts:
        """How many rows wait, run and have ended."""
        states, failures = self.columns["state"], self.columns["failure"]
        failed = sum(one is not None for one in failures)
        done = states.count("completed")
        return TaskCounts(states.count("active"), len(states) - states.count("active") - done, done - failed, failed)

    def failed_rows(self) -> list[int]:
        """Return the numbers of the rows that failed."""
        return [row for row, failure in zip(self.rows, self.columns["failure"], strict=True) if failure is not None]

    def table(self, verb: str, caption: str, **attrs: Any) -> Table:
        """Return the table of a verb."""
        columns: dict[str, Sequence[Any]] = {}
        shown = answer_columns(self.job)
        for column, kept, texts in zip(shown, self.job.columns, self.inputs, strict=True):
            columns[column.name] = parse_values(texts, kept.kind)
        own = self.columns
        times = {name: TimeColumn(own[name]) for name in ("started", "ended")}
        columns |= {column.name: times.get(column.name, own[column.name]) for column in SCHEMAS[verb]}
        return Table(verb, columns, caption, {**self.facts(), **attrs}, shown)

    def facts(self) -> dict[str, Any]:
        """Return the counts, the money, and the rows an hour."""
        counts, usd = self.counts, self.columns["usd"]
        spent = [one for one in usd if one is not None]
        hours = _span_s(self.columns["started"], self.columns["ended"]) / 3600
        return {
            "run": self.job.id,
            "job": self.job.id,
            "resources": {"job": self.job.id},  # for the record of the result
            "pool": self.job.pool,
            "rows": len(self.rows),
            "table_rows": self.job.rows,
            "done": counts.done,
            "failed": counts.failed,
            "running": counts.running,
            "waiting": counts.active,
            "usd": round(sum(spent), 6) if spent or not counts.done else None,
            "rows_per_hour": round(counts.done / hours, 3) if hours else None,
            "mean_seconds": _mean(self.columns["seconds"]),
        }


def answer_columns(job: RunJob) -> tuple[Column, ...]:
    """Return the columns of the table of a run as the answer has them: a name of the answer gets ``_input``."""
    own = {column.name for column in SCHEMAS["run"]}
    names = {column.name for column in job.columns}
    found = []
    for column in job.columns:
        name = column.name
        while name in own or (name != column.name and name in names):
            name = f"{name}_input"
        found.append(Column(name, column.kind, "column of the table", dtype=column.dtype))
    return tuple(found)


async def read_answer(
    azure: Azure, job: RunJob, table: InputTable | None = None, *, values: bool = True, tails: bool = True
) -> RunAnswer:
    """Read the tasks of a run.

    Parameters
    ----------
    azure, job
        The connection and the run.
    table
        The table of the run; None: its values are read from the tasks.
    values
        Whether the answer has the values of the table.
    tails
        Whether the ends of the outputs of rows that failed are read.
    """
    answer = RunAnswer(job, inputs=[[] for _ in job.columns], columns={one.name: [] for one in SCHEMAS["run"]})
    if table is None and values:
        async for found in read_tasks_with_input(azure, job.id):
            _add_inputs(answer, found)
            _add_tasks(answer, found)
    else:
        async for page in read_tasks(azure, job.id):
            _add_tasks(answer, page)
        if table is not None:
            answer.inputs = [[column.texts[row] for row in answer.rows] for column in table.columns]
    if tails:
        await _read_tails(azure, answer)
    return answer


def _add_inputs(answer: RunAnswer, page: Sequence[TaskWithInput]) -> None:
    for task in page:
        if row_of(task.id) is None:
            continue
        for text, column in zip(task.texts(answer.job), answer.inputs, strict=True):
            column.append(text)


def _add_tasks(answer: RunAnswer, page: Sequence[Task]) -> None:
    columns = answer.columns
    for task in page:
        row = row_of(task.id)
        if row is None:
            continue  # somebody else's task in the job
        answer.rows.append(row)
        answer.ids.append(task.id)
        info = task.execution_info
        node = task.node_info.node_id if task.node_info else ""
        seconds = info.seconds if info else None
        price = answer.job.prices.of_node(node)
        columns["state"].append(task.state)
        columns["exit_code"].append(info.exit_code if info else None)
        columns["failure"].append(task.failure)
        columns["attempts"].append(task.attempts)
        columns["node_id"].append(node or None)
        columns["started"].append(info.start_time if info else None)
        columns["ended"].append(info.end_time if info else None)
        columns["seconds"].append(seconds)
        columns["usd"].append(None if seconds is None or price is None else seconds * price / 3600)
        columns["stdout_tail"].append(None)
        columns["stderr_tail"].append(None)


def _moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def _span_s(started: Sequence[str | None], ended: Sequence[str | None]) -> float:
    """Return the seconds from the first start to the last end."""
    first = min((one for one in started if one), default=None, key=_moment)
    last = max((one for one in ended if one), default=None, key=_moment)
    return max(0.0, (_moment(last) - _moment(first)).total_seconds()) if first and last else 0.0


def _mean(values: Sequence[float | None]) -> float | None:
    known = [one for one in values if one is not None]
    return round(sum(known) / len(known), 3) if known else None


# -- the outputs of rows that failed ---------------------------------------------------------------------------------


async def _read_tails(azure: Azure, answer: RunAnswer) -> None:
    failed = [place for place, failure in enumerate(answer.columns["failure"]) if failure is not None][:MAX_TAILS]
    tails = await concurrency.gather(*(_tails(azure, answer.job.id, answer.ids[place]) for place in failed), limit=4)
    for place, found in zip(failed, tails, strict=True):
        for name, column in _OUTPUTS.items():
            answer.columns[column][place] = found.get(name)


async def _tails(azure: Azure, job: str, task: str) -> dict[str, str]:
    """Return the ends of the outputs of a task; nothing if its node is gone."""
    below = f"/tasks/{quote(task, safe='')}/files"
    try:
        listed = (await azure.get(job_url(job, below), plane="batch")).json().get("value") or []
        sizes = {one["name"]: int((one.get("properties") or {}).get("contentLength") or 0) for one in listed}
        return {name: await _tail(azure, job, f"{below}/{name}", sizes[name]) for name in _OUTPUTS if sizes.get(name)}
    except ServiceError:
        return {}


async def _tail(azure: Azure, job: str, path: str, size: int) -> str:
    span = f"bytes={max(0, size - TAIL_BYTES)}-{size - 1}"
    content = (await azure.send("GET", job_url(job, path), plane="batch", headers={"ocp-range": span})).content
    text = mask_tokens(as_text(content[-TAIL_BYTES:]))
    return "\n".join(make_visible(line) for line in text.rstrip("\n").split("\n"))
