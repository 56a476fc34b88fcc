"""The files of the rows of a run: what their commands printed, and other files of their tasks."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from batchimg_magics.core.azure.documents import dig, parse_time
from batchimg_magics.core.base import concurrency
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.batch.node_files import as_text
from batchimg_magics.core.runs import jobs
from batchimg_magics.core.runs.answer import RunAnswer, read_answer
from batchimg_magics.errors import NotFoundError, ServiceError
from batchimg_magics.pool_spec.words import count_text

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json

__all__ = ["OutputQuery", "read_files", "read_outputs"]

#: Rows that are read where none is named, requests at the same time, and seconds for the files of one row.
DEFAULT_ROWS, AT_ONCE, ROW_TIMEOUT_S = 10, 8, 90.0
#: Bytes that are read of the end of each file: of several rows, and of one.
MANY_BYTES, ONE_BYTES = 64 * 1024, 1024**2
_OUTPUTS = ("stderr.txt", "stdout.txt")


@dataclass(frozen=True, slots=True)
class OutputQuery:
    """What is read of a run.

    Parameters
    ----------
    run
        The name of the run, or the beginning of it.
    row
        The number of a row; None: the rows that failed, otherwise the first ones.
    lines
        The last lines of each file only; None: all that are read.
    max_bytes
        The bytes to read of the end of each file; None: 1 MiB for one row, otherwise 64 KiB.
    max_rows
        The rows to read; None: at most 10.
    """

    run: str
    row: int | None = None
    lines: int | None = None
    max_bytes: int | None = None
    max_rows: int | None = None

    @property
    def bytes_per_file(self) -> int:
        """The bytes to read of the end of each file."""
        return self.max_bytes or (MANY_BYTES if self.row is None else ONE_BYTES)


async def read_outputs(azure: Azure, query: OutputQuery) -> Table:
    """Return the ends of the output files of rows, one row per file; a row without files has the reason.

    Raises
    ------
    NotFoundError
        There is no such run, or it has no such row.
    """
    job = await jobs.find_job(azure, query.run)
    answer = await read_answer(azure, job, values=False, tails=False)
    chosen = _choose(answer, query)
    found = await concurrency.gather(*(_read_row(azure, answer, place, query) for place in chosen), limit=AT_ONCE)
    failed = len(answer.failed_rows())
    caption = f"outputs of {job.id}: {len(chosen)} of {count_text(len(answer.rows), 'row')}"
    caption += f"; {failed:,} failed" if failed else ""
    attrs = {"run": job.id, "pool": job.pool}
    table = Table.from_rows("run logs", [row for of_row in found for row in of_row], caption)
    table.attrs = {**table.attrs, **attrs}
    return table


def _choose(answer: RunAnswer, query: OutputQuery) -> list[int]:
    """Return the places of the rows to read."""
    if query.row is not None:
        if query.row not in answer.rows:
            last = max(answer.rows, default=None)
            raise NotFoundError(
                f"run {answer.job.id} has no row {query.row}",
                hint="no row has a task yet" if last is None else f"its rows with tasks end with {last}",
            )
        return [answer.rows.index(query.row)]
    failed = [place for place, failure in enumerate(answer.columns["failure"]) if failure is not None]
    return (failed or list(range(len(answer.rows))))[: query.max_rows or DEFAULT_ROWS]


async def _read_row(azure: Azure, answer: RunAnswer, place: int, query: OutputQuery) -> list[dict[str, Any]]:
    own = answer.columns
    common = {"row": answer.rows[place]} | {
        name: own[name][place] for name in ("state", "exit_code", "failure", "node_id")
    }
    return [common | part for part in await read_files(azure, answer.job.id, answer.ids[place], query)]


async def read_files(azure: Azure, job: str, task: str, query: OutputQuery) -> list[dict[str, Any]]:
    """Return the ends of what a task printed, one document per file, or one with the reason why there is none.

    Raises
    ------
    ServiceError
        There is no connection, or nobody is signed in.
    """
    below = f"/tasks/{quote(task, safe='')}/files"
    try:
        async with asyncio.timeout(ROW_TIMEOUT_S):
            listed = (await azure.get(jobs.job_url(job, below), plane="batch")).json().get("value") or []
            files = {str(one.get("name")): one for one in listed}
            wanted = [files[name] for name in _OUTPUTS if name in files]
            parts = [await _read_file(azure, job, below, one, query) for one in wanted]
    except TimeoutError:
        return [{"error": f"the node did not answer within {ROW_TIMEOUT_S:.0f} s"}]
    except ServiceError as error:
        if error.status_code in (0, 401):
            raise
        gone = isinstance(error, NotFoundError)
        return [{"error": "the node or the task is gone, and its files with it" if gone else error.message}]
    return parts or [{"error": "the command has not written anything yet"}]


async def _read_file(azure: Azure, job: str, below: str, file: Json, query: OutputQuery) -> dict[str, Any]:
    size, most = int(dig(file, "properties", "contentLength") or 0), query.bytes_per_file
    row = {"file": file["name"], "size_bytes": size, "modified": parse_time(dig(file, "properties", "lastModified"))}
    if not size:
        return row | {"text": "", "shown": "all"}
    url, span = jobs.job_url(job, f"{below}/{file['name']}"), f"bytes={max(0, size - most)}-{size - 1}"
    content = (await azure.send("GET", url, plane="batch", headers={"ocp-range": span})).content[-most:]
    text, shown = as_text(content), "all" if size <= most else f"last {most:,} bytes of {size:,}"
    lines = text.splitlines()
    if query.lines is not None and len(lines) > query.lines:
        text, shown = "\n".join(lines[-query.lines :]), f"last {count_text(query.lines, 'line')}"
    return row | {"text": text, "shown": shown}
