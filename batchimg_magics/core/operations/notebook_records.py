"""Read the records in the outputs of an executed notebook, which is a file of anybody."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.base import files
from batchimg_magics.core.base.records import FORMAT_VERSION, MIME_TYPE, Record, parse_record
from batchimg_magics.errors import SpecError
from batchimg_magics.masking import make_visible

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CellRecord", "NotebookRecords", "read_notebook"]

#: The largest notebook that is read, in bytes, and the most records; pictures make notebooks large.
MAX_BYTES, MAX_RECORDS = 100 * 1024 * 1024, 50_000
#: The format of notebooks that is read. Format 3 is older than this package.
NOTEBOOK_FORMAT = 4


@dataclass(frozen=True, slots=True)
class CellRecord:
    """A record and where it stands.

    Parameters
    ----------
    cell
        The number of its cell, from 1; text cells count.
    execution
        The execution count of the cell; None: it has none.
    record
        The record.
    """

    cell: int
    execution: int | None
    record: Record


@dataclass(slots=True)
class NotebookRecords:
    """What was read of a notebook.

    Parameters
    ----------
    file
        The notebook.
    found
        Its records in the order of its cells, each once.
    newer, damaged, omitted
        The numbers of records that a newer version wrote, that are none, and that are too many.
    """

    file: str
    found: list[CellRecord] = field(default_factory=list)
    newer: int = 0
    damaged: int = 0
    omitted: int = 0

    def locks(self) -> dict[str, CellRecord]:
        """Return the last record of `lock` of each pool, by the name of the pool in lower case."""
        return {pool: one for one in self.found if one.record.lock is not None and (pool := _locked_pool(one.record))}


def read_notebook(notebook: str) -> NotebookRecords:
    """Return the records of a notebook.

    Raises
    ------
    SpecError
        It is no executed notebook with records that can be read.
    """
    shown = make_visible(notebook)
    try:
        document = json.loads(files.read_file(notebook, max_bytes=MAX_BYTES))
    except (ValueError, RecursionError) as error:
        if isinstance(error, SpecError):
            raise
        reason = "is nested too deeply" if isinstance(error, RecursionError) else f"is not JSON: {error}"
        raise SpecError(f"{shown} {reason}", hint="give a notebook: a file NAME.ipynb that Jupyter has saved") from None
    read = NotebookRecords(notebook)
    seen: set[bytes] = set()
    for number, cell in enumerate(_cells(document, shown), 1):
        for found in _records(cell):
            _add(read, number, cell, found, seen)
    if not read.found:
        raise _nothing(read, shown)
    return read


def _cells(document: object, shown: str) -> list[Any]:
    if not isinstance(document, dict) or "nbformat" not in document:
        raise SpecError(f"{shown} is not a notebook", hint="give a file NAME.ipynb that Jupyter has saved")
    version = document["nbformat"]
    if version != NOTEBOOK_FORMAT:
        told = version if isinstance(version, int) and abs(version) < 1000 else "unknown"
        raise SpecError(
            f"{shown} is a notebook of format {told}; format {NOTEBOOK_FORMAT} is read",
            hint="run it again in a present version of Jupyter, and save it",
        )
    cells = document.get("cells")
    if not isinstance(cells, list):
        raise SpecError(f"{shown} is a damaged notebook: it has no cells", hint="give the notebook as Jupyter saved it")
    return cells


def _records(cell: object) -> Iterator[object]:
    """Yield what the outputs of a cell have under our mime type: records, or several in one."""
    outputs = cell.get("outputs") if isinstance(cell, dict) else None
    for output in outputs if isinstance(outputs, list) else ():
        data = output.get("data") if isinstance(output, dict) else None
        if isinstance(data, dict) and MIME_TYPE in data:
            found = data[MIME_TYPE]
            several = found.get("records") if isinstance(found, dict) and "verb" not in found else None
            yield from several if isinstance(several, list) else (found,)


def _add(read: NotebookRecords, number: int, cell: dict[str, Any], found: object, seen: set[bytes]) -> None:
    version = found.get("version") if isinstance(found, dict) else None
    if isinstance(version, int) and version > FORMAT_VERSION:
        read.newer += 1
    elif version != FORMAT_VERSION or (record := parse_record(found)) is None:
        read.damaged += 1
    elif len(read.found) >= MAX_RECORDS:
        read.omitted += 1
    elif (digest := _digest(found)) not in seen:  # a table that is shown again has the same record
        seen.add(digest)
        count = cell.get("execution_count")
        is_count = isinstance(count, int) and 0 < count < 2**31
        read.found.append(CellRecord(number, count if is_count else None, record))


def _digest(found: object) -> bytes:
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).digest()


def _nothing(read: NotebookRecords, shown: str) -> SpecError:
    if read.newer:
        return SpecError(
            f"{shown} has records of a newer format than {FORMAT_VERSION}, which this version cannot read",
            hint="update batchimg_magics",
        )
    if read.damaged:
        return SpecError(f"the records of {shown} are damaged", hint="run the notebook again, and save it")
    return SpecError(
        f"{shown} has no records: it was not executed, it has no results of %batchimg, or its outputs were cleared",
        hint="run its cells with the present version of batchimg_magics, and save it",
    )


def _locked_pool(record: Record) -> str:
    pool = (record.lock or {}).get("pool")
    name = pool.get("name") if isinstance(pool, dict) else None
    return name.lower() if isinstance(name, str) else ""
