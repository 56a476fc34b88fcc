"""DataFrames of a user as plain columns: `core` knows no pandas."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from batchimg_magics.errors import SpecError
from batchimg_magics.verbs.registry import LOCAL_VERBS, load_verb

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from batchimg_magics.core.base.columns import Kind
    from batchimg_magics.core.runs.input_table import InputColumn, InputTable

__all__ = ["is_frame", "plain_tables", "to_input_table"]


def is_frame(value: object) -> bool:
    """Tell whether a value is a DataFrame; pandas is not imported for it."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, pandas.DataFrame)


def plain_tables(verb: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a verb, with DataFrames as tables of plain columns.

    Raises
    ------
    SpecError
        A DataFrame has columns or values that no task can get.
    """
    if verb in LOCAL_VERBS or not any(map(is_frame, options.values())):
        return dict(options)
    tables = {option.keyword for option in load_verb(verb).options if option.is_table}
    return {
        name: to_input_table(value) if name in tables and is_frame(value) else value for name, value in options.items()
    }


def to_input_table(frame: pd.DataFrame, on_line: str = "$table") -> InputTable:
    """Return a DataFrame as plain columns; its index is left out.

    Parameters
    ----------
    frame
        The DataFrame.
    on_line
        How a line refers to it.
    """
    from batchimg_magics.core.runs.input_table import InputTable

    if frame.columns.nlevels > 1:
        raise SpecError("--over: the columns of the DataFrame have several levels", hint="join their names first")
    places = range(frame.shape[1])
    return InputTable(tuple(_column(str(frame.columns[place]), frame.iloc[:, place]) for place in places), on_line)


def _column(name: str, values: pd.Series[Any]) -> InputColumn:
    import pandas as pd

    from batchimg_magics.core.runs.input_files import value_text
    from batchimg_magics.core.runs.input_table import InputColumn

    kind: Kind = "text"
    if pd.api.types.is_bool_dtype(values.dtype):
        kind = "bool"
    elif pd.api.types.is_integer_dtype(values.dtype):
        kind = "int"
    elif pd.api.types.is_float_dtype(values.dtype):
        kind = "float"
    elif isinstance(values.dtype, pd.CategoricalDtype):
        kind = _column(name, pd.Series(values.cat.categories)).kind
    missing = values.isna().to_list()
    plain = values.astype(object).to_list()
    texts = [None if absent else value_text(_plain(one), name) for absent, one in zip(missing, plain, strict=True)]
    return InputColumn(name, texts, kind, str(values.dtype))


def _plain(value: Any) -> Any:  # noqa: ANN401 - any object
    """Return a scalar of NumPy as Python has it."""
    return value.item() if type(value).__module__ == "numpy" and hasattr(value, "item") and not value.shape else value
