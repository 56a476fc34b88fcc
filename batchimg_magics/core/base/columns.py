"""The kinds of columns of tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Column", "Form", "Kind"]

#: The kind of the values of a column. In pandas: ``string``, ``Int64``, ``Float64``, ``boolean``,
#: ``datetime64[us, UTC]`` and ``category``. A missing value is None here and ``<NA>`` there.
Kind = Literal["text", "int", "float", "bool", "time", "word"]
#: What a text is, for displays: an ID, which may be shortened; a command, a formula or other code, which is copied;
#: advice in words with commands in it; the text or code of an error; the severity of a finding.
Form = Literal["plain", "id", "code", "advice", "problem", "severity"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Parameters
    ----------
    name
        The name, with its unit where it has one (``seconds``, ``size_gib``).
    kind
        The kind of its values.
    doc
        The description, in one line.
    allowed_values
        For ``word``: the known words; others are appended.
    form
        What its texts are, for displays. `views` has the order in which displays show the columns.
    dtype
        The dtype in pandas, if it is not that of the kind: of a column that came from a user's table.
    """

    name: str
    kind: Kind
    doc: str
    allowed_values: tuple[str, ...] = ()
    form: Form = "plain"
    dtype: str = ""
