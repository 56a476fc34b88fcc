"""Convert the table of a verb to a pandas DataFrame; pandas is imported with the first one."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.base.table import TimeColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd
    from pandas.api.extensions import ExtensionArray

    from batchimg_magics.core.base.columns import Column
    from batchimg_magics.core.base.table import Table
    from batchimg_magics.session.record_output import Result

__all__ = ["DTYPES", "to_displayed_frame", "to_frame", "with_words"]

#: The dtype of each kind of column. `Any`: the stubs of `pandas.array` know literals only.
DTYPES: dict[str, Any] = {
    "text": "string",
    "int": "Int64",
    "float": "Float64",
    "bool": "boolean",
    "time": "datetime64[us, UTC]",
    "word": "category",
}

#: The columns that say what to do.
_ADVICE = ("fix", "hint", "next")


def to_frame(table: Table) -> pd.DataFrame:
    """Return a DataFrame whose dtypes depend on the verb only, never on its rows.

    Parameters
    ----------
    table
        The table of a verb.

    Returns
    -------
    pandas.DataFrame
        The schema's columns: ``string``, ``Int64``, ``Float64``, ``boolean``, ``datetime64[us, UTC]``, and ``category``
        with the known words of the service first and unknown words after them. Missing values are ``<NA>``.
        ``attrs`` holds JSON only: ``verb``, ``caption`` and further facts of the verb.
    """
    import pandas as pd

    columns = {column.name: _array(column, table.columns[column.name]) for column in table.schema}
    made = pd.DataFrame(columns, copy=False)  # these arrays have no other user
    made.attrs.update(table.attrs, verb=table.verb, caption=table.caption)
    return made


def to_displayed_frame(table: Table, label: str, result: Result | None = None) -> pd.DataFrame:
    """Return the DataFrame of a table that IPython shows with its caption.

    Parameters
    ----------
    table
        The table of a verb.
    label
        The label of its connection, which the caption begins with; empty for a table without one.
    result
        Its record, which an output that shows the table contains beside text and HTML.
    """
    from batchimg_magics.display.dataframe import attach_display
    from batchimg_magics.display.tables import add_label

    made = to_frame(table)
    made.attrs["caption"] = add_label(table.caption, label)
    return attach_display(made, None if result is None else result.bundle)


def with_words(table: Table, say: Callable[[str], str]) -> Table:
    """Return a table whose caption, notes and advice are in the words of a front end."""

    def say_text(text: Any) -> Any:  # noqa: ANN401 - a missing value is None
        return say(text) if isinstance(text, str) else text

    attrs = dict(table.attrs)
    if "text" in attrs:
        attrs["text"] = say_text(attrs["text"])
    if "warnings" in attrs:
        attrs["warnings"] = [{**one, "found": say(one["found"]), "fix": say(one["fix"])} for one in attrs["warnings"]]
    columns = {name: list(map(say_text, kept)) if name in _ADVICE else kept for name, kept in table.columns.items()}
    if table.verb == "show":  # the rows of this section are advice, too
        is_next = [section == "next" for section in columns["section"]]
        columns["value"] = [
            say_text(kept) if advice else kept for kept, advice in zip(columns["value"], is_next, strict=True)
        ]
        advised = {name for name, advice in zip(columns["property"], is_next, strict=True) if advice}
        attrs["values"] = {name: say_text(kept) if name in advised else kept for name, kept in attrs["values"].items()}
    return replace(table, columns=columns, caption=say(table.caption), attrs=attrs)


def _array(column: Column, values: Sequence[Any]) -> ExtensionArray:
    import numpy as np
    import pandas as pd

    made: ExtensionArray
    if column.dtype:
        return _array_of_dtype(column, values)
    if len(values) > 1 and not isinstance(values, TimeColumn) and _is_constant(values):
        made = _array(column, values[:1]).repeat(
            len(values)
        )  # pandas would inspect each value, which takes many times as long
        return made
    if column.kind == "word":
        return _categorical(column, values)
    dtype = DTYPES[column.kind]
    plain: Any = _timestamps(values) if isinstance(values, TimeColumn) else list(values)
    if column.kind == "bool" and None not in plain:
        plain = np.frombuffer(bytearray(plain), bool)  # the same result in a tenth of the time
    made = pd.array(plain, dtype=dtype)
    return made


def _array_of_dtype(column: Column, values: Sequence[Any]) -> ExtensionArray:
    """Return the values of a column of a user's table with the dtype that it had, or one that has missing values."""
    import pandas as pd

    made: ExtensionArray
    dtype: Any = column.dtype  # the stubs of pandas know literals only
    series: pd.Series[Any] = pd.Series(pd.array(list(values), dtype=DTYPES[column.kind]))
    try:
        if dtype == "object":
            series = series.astype(object).where(series.notna(), None)
        elif dtype == "category" and column.kind == "text":
            series = pd.Series(pd.Categorical(list(values)))
        elif dtype.startswith("datetime64"):
            series = pd.to_datetime(series, format="ISO8601").astype(dtype)
        elif dtype.startswith("timedelta64"):
            series = pd.to_timedelta(series).astype(dtype)
        else:
            series = series.astype(dtype)
    except (TypeError, ValueError):  # it has missing values, or this pandas has no such dtype
        return _array(replace(column, dtype=""), values)
    made = series.array
    return made


def _is_constant(values: Sequence[Any]) -> bool:
    """Tell whether all values of a column are equal, as the VM size and the image of a pool are."""
    return values[0] == values[-1] and values.count(values[0]) == len(values)


def _categorical(column: Column, values: Sequence[Any]) -> pd.Categorical[Any]:
    """Return a categorical made from codes: the conversion of pandas takes three times as long."""
    import numpy as np
    import pandas as pd

    codes, dtype = _categories(column.allowed_values)
    try:
        found = np.fromiter(map(codes.__getitem__, values), np.int32, len(values))
    except KeyError:  # an unknown word
        codes, dtype = _categories(
            tuple(dict.fromkeys([*column.allowed_values, *(one for one in values if one is not None)]))
        )
        found = np.fromiter(map(codes.__getitem__, values), np.int32, len(values))
    return pd.Categorical.from_codes(found, dtype=dtype)


@lru_cache(maxsize=100)
def _categories(words: tuple[str, ...]) -> tuple[dict[str | None, int], pd.CategoricalDtype[Any]]:
    """Return the code of each word, and the dtype of the words."""
    import pandas as pd

    return {None: -1, **{word: code for code, word in enumerate(words)}}, pd.CategoricalDtype(
        pd.Index(words, dtype=str)
    )


def _timestamps(moments: TimeColumn) -> Any:  # noqa: ANN401 - an array of numpy's datetime64[us]
    """Parse all times of a page at once; numpy treats them as UTC and rejects a Z."""
    import numpy as np

    parts = [np.array(_utc_times(page), "datetime64[us]") for page in moments.pages]
    return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, "datetime64[us]"), *parts])


def _utc_times(page: str) -> Sequence[str] | Sequence[dt.datetime | None]:
    """Return the times of a page, in UTC."""
    texts = page.split("Z\n")
    if len(texts) == page.count("\n") + 1:
        return texts[:-1]
    lines = page.split("\n")[:-1]
    if all(line[-1:] in ("Z", "") for line in lines):
        return [line[:-1] or "NaT" for line in lines]
    moments = (dt.datetime.fromisoformat(line) if line else None for line in lines)
    return [moment and moment.astimezone(dt.UTC).replace(tzinfo=None) for moment in moments]
