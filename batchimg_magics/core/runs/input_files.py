"""Read the table of a run from a file: CSV, or Parquet with the extra ``parquet``."""

from __future__ import annotations

import csv
import datetime as dt
import decimal
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.base.files import read_file
from batchimg_magics.core.runs.input_table import InputColumn, InputTable
from batchimg_magics.errors import SpecError

if TYPE_CHECKING:
    from batchimg_magics.core.base.columns import Kind

__all__ = ["MAX_BYTES", "read_table", "value_text"]

#: A file that is larger is not read: the rows are kept in memory.
MAX_BYTES = 256 * 1024**2
_INTEGER = re.compile(r"-?(?:0|[1-9]\d{0,17})")
_NUMBER = re.compile(r"[-+]?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d{1,3})?")
_PARQUET = (".parquet", ".pq")


def read_table(path: str) -> InputTable:
    """Read a table; the ending of the file's name tells its format, and what has no known ending is CSV.

    Raises
    ------
    SpecError
        The file cannot be read, is too large, or is not a table.
    """
    if path.lower().endswith(_PARQUET):
        return _read_parquet(path)
    try:
        text = read_file(path, max_bytes=MAX_BYTES)
    except SpecError as error:
        raise SpecError(f"--over: {error.message}", hint="give a CSV or Parquet file, or $df for a DataFrame") from None
    return _parse_csv(text, path)


# -- CSV -----------------------------------------------------------------------------------------------------------


def _parse_csv(text: str, path: str) -> InputTable:
    """Return the table of a CSV text: names in the first line; an empty field is a missing value."""
    csv.field_size_limit(MAX_BYTES)
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    try:
        names = next(reader, [])
        rows = [row for row in reader if row]
    except csv.Error as error:
        raise SpecError(f"--over {path}, line {reader.line_num}: {error}", hint=_CSV_HINT) from None
    for number, row in enumerate(rows):
        if len(row) != len(names):
            raise SpecError(
                f"--over {path}: row {number} has {len(row)} fields, and the first line {len(names)} names",
                hint=_CSV_HINT,
            )
    columns = zip(*rows, strict=True) if rows else ((),) * len(names)
    return InputTable(tuple(_csv_column(name, texts) for name, texts in zip(names, columns, strict=True)), path)


_CSV_HINT = "the file has comma-separated values with names in the first line; texts with commas are in double quotes"


def _csv_column(name: str, texts: tuple[str, ...]) -> InputColumn:
    return InputColumn(name, [text or None for text in texts], _kind_of(texts))


def _kind_of(texts: tuple[str, ...]) -> Kind:
    """Return the kind of a column: numbers only if every text is one as Python writes it, so that 007 stays text."""
    found = [text for text in texts if text]
    if not found:
        return "text"
    if all(map(_INTEGER.fullmatch, found)):
        return "int"
    return "float" if all(map(_NUMBER.fullmatch, found)) else "text"


# -- Parquet -------------------------------------------------------------------------------------------------------


def _read_parquet(path: str) -> InputTable:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise SpecError(
            f"--over {path}: reading Parquet needs pyarrow", hint="pip install 'batchimg_magics[parquet]'"
        ) from None
    file = Path(path).expanduser()
    try:
        if file.stat().st_size > MAX_BYTES:
            raise SpecError(f"{path} is larger than {MAX_BYTES:,} bytes", hint="check that it is the right file")
        found = pq.read_table(file)
    except OSError as error:
        raise SpecError(f"--over {path}: {error.strerror or error}", hint="check the path") from None
    except pa.ArrowException as error:
        raise SpecError(f"--over {path}: {error}".splitlines()[0], hint="the file is not Parquet") from None
    columns = []
    for field, column in zip(found.schema, found.columns, strict=True):
        values = column.to_pylist()
        kind: Kind = "text"
        if pa.types.is_boolean(field.type):
            kind = "bool"
        elif pa.types.is_integer(field.type):
            kind = "int"
        elif pa.types.is_floating(field.type):
            kind = "float"
        columns.append(InputColumn(field.name, [value_text(one, field.name) for one in values], kind))
    return InputTable(tuple(columns), path)


def value_text(value: Any, column: str) -> str | None:  # noqa: ANN401 - any value of a table
    """Return a value as a task gets it; None for a missing one.

    Numbers and booleans are written as in Python (``0.5``, ``True``), times as in ISO 8601.

    Raises
    ------
    SpecError
        It is a list, a mapping or another object.
    """
    if value is None or (isinstance(value, float) and value != value):  # noqa: PLR0124 - only NaN differs from itself
        return None
    if isinstance(value, str):
        return str(value)
    if isinstance(value, (bool, int, decimal.Decimal, Path)):
        return str(value)
    if isinstance(value, float):
        return repr(float(value))
    if isinstance(value, (dt.datetime, dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return str(value)
    raise SpecError(
        f"--over: column {column!r} has a {type(value).__name__}",
        hint="a cell is a text, a number, a boolean or a time; convert the column first",
    )
