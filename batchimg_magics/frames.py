"""From a verb's plain columns to a pandas DataFrame; pandas is imported when the first one is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from pandas.api.extensions import ExtensionArray

    from batchimg_magics.core.schemas import Column
    from batchimg_magics.core.tables import Table

__all__ = ["DTYPES", "frame"]

#: The dtype of each kind of column. `Any`: the stubs of `pandas.array` know literals only.
DTYPES: dict[str, Any] = {
    "text": "string",
    "int": "Int64",
    "float": "Float64",
    "bool": "boolean",
    "time": "datetime64[us, UTC]",
    "word": "category",
}


def frame(table: Table) -> pd.DataFrame:
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
    made = pd.DataFrame(columns)
    made.attrs.update(table.attrs, verb=table.verb, caption=table.caption)
    return made


def _array(column: Column, values: Sequence[Any]) -> ExtensionArray:
    import pandas as pd

    if column.kind == "word":
        unseen = dict.fromkeys(value for value in values if value is not None and value not in column.words)
        return pd.Categorical(list(values), categories=[*column.words, *unseen])
    made: ExtensionArray = pd.array(list(values), dtype=DTYPES[column.kind])
    return made
