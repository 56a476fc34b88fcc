"""From a verb's plain columns to a pandas DataFrame; pandas is imported when the first one is made."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.base.table import TimeColumn

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from pandas.api.extensions import ExtensionArray

    from batchimg_magics.core.base.schemas import Column
    from batchimg_magics.core.base.table import Table

__all__ = ["DTYPES", "to_frame"]

#: The dtype of each kind of column. `Any`: the stubs of `pandas.array` know literals only.
DTYPES: dict[str, Any] = {
    "text": "string",
    "int": "Int64",
    "float": "Float64",
    "bool": "boolean",
    "time": "datetime64[us, UTC]",
    "word": "category",
}


def to_frame(table: Table) -> pd.DataFrame:
    """Make a DataFrame whose dtypes depend on the verb alone, never on its rows.

    Parameters
    ----------
    table
        A verb's answer.

    Returns
    -------
    pandas.DataFrame
        The schema's columns: ``string``, ``Int64``, ``Float64``, ``boolean``, ``datetime64[us, UTC]``, and ``category``
        with the service's words first and words that nobody foresaw after them. Missing values are ``<NA>``.
        ``attrs`` holds JSON only: ``verb``, ``caption`` and what the verb has to say beside its rows.
    """
    import pandas as pd

    columns = {column.name: _array(column, table.columns[column.name]) for column in table.schema}
    made = pd.DataFrame(columns, copy=False)  # nobody else holds these arrays
    made.attrs.update(table.attrs, verb=table.verb, caption=table.caption)
    return made


def _array(column: Column, values: Sequence[Any]) -> ExtensionArray:
    import numpy as np
    import pandas as pd

    made: ExtensionArray
    if len(values) > 1 and not isinstance(values, TimeColumn) and _is_constant(values):
        made = _array(column, values[:1]).repeat(len(values))  # pandas would look at each, at many times the time
        return made
    if column.kind == "word":
        return _categorical(column, values)
    dtype = DTYPES[column.kind]
    plain: Any = _timestamps(values) if isinstance(values, TimeColumn) else list(values)
    if column.kind == "bool" and None not in plain:
        plain = np.array(plain, bool)  # the same, at five times the time
    made = pd.array(plain, dtype=dtype)
    return made


def _is_constant(values: Sequence[Any]) -> bool:
    """Tell whether a column is one value all the way down, as a pool's VM size and image are."""
    return values[0] == values[-1] and values.count(values[0]) == len(values)


def _categorical(column: Column, values: Sequence[Any]) -> pd.Categorical[Any]:
    """Return a categorical, of codes: pandas would look each value up in its own way, at three times the time."""
    import numpy as np
    import pandas as pd

    codes, dtype = _categories(column.allowed_values)
    try:
        found = np.fromiter(map(codes.__getitem__, values), np.int32, len(values))
    except KeyError:  # a word that nobody foresaw
        codes, dtype = _categories(
            tuple(dict.fromkeys([*column.allowed_values, *(one for one in values if one is not None)]))
        )
        found = np.fromiter(map(codes.__getitem__, values), np.int32, len(values))
    return pd.Categorical.from_codes(found, dtype=dtype)


@lru_cache(maxsize=100)
def _categories(words: tuple[str, ...]) -> tuple[dict[str | None, int], pd.CategoricalDtype[Any]]:
    """Return the code of each word, and the dtype that has them."""
    import pandas as pd

    return {None: -1, **{word: code for code, word in enumerate(words)}}, pd.CategoricalDtype(
        pd.Index(words, dtype=str)
    )


def _timestamps(moments: TimeColumn) -> Any:  # noqa: ANN401 - an array of numpy's datetime64[us]
    """Read all times of a page at once; numpy takes them for UTC, and does not want to be told so by a Z."""
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
