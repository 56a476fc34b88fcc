"""How a verb's DataFrame looks in IPython, without being anything but a DataFrame."""

from __future__ import annotations

import shutil
import weakref
from typing import TYPE_CHECKING, Any

from batchimg_magics.ui import tables

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["attach_display", "mime_bundle"]

#: Longest table that is shown whole; of a longer one, this many rows from its top.
MAX_SHOWN_ROWS = 60
#: Where there is no terminal (a kernel's text/plain), a line has this many characters.
DEFAULT_TERMINAL_SIZE = (150, 24)


def attach_display(frame: pd.DataFrame) -> pd.DataFrame:
    """Let IPython show this very frame with its caption, without its index, and with long ids shortened.

    The frame stays a plain `pandas.DataFrame`: the looks hang on this one object and IPython asks it for them. Whatever
    is computed from it (a selection, a copy) looks as pandas has it, and no formatter of the user's is touched.
    """
    # A strong reference would make a cycle, and a large frame would outlive its last name.
    alive = weakref.ref(frame)

    def _repr_mimebundle_(**_: object) -> dict[str, str]:
        shown = alive()
        return {} if shown is None else mime_bundle(shown)

    # pandas would look for a column of that name and warn about some values.
    object.__setattr__(frame, "_repr_mimebundle_", _repr_mimebundle_)
    return frame


def mime_bundle(frame: pd.DataFrame) -> dict[str, str]:
    """Return the frame as text and as HTML, by mime type."""
    top = frame.head(MAX_SHOWN_ROWS)
    columns = {str(name): _plain_values(column) for name, column in top.items()}
    caption = str(frame.attrs.get("caption", ""))
    more = f"the first {MAX_SHOWN_ROWS} of {len(frame)} rows" if len(frame) > MAX_SHOWN_ROWS else ""
    below = "\n".join(filter(None, (more, tables.format_notes(frame.attrs))))
    width = shutil.get_terminal_size(DEFAULT_TERMINAL_SIZE).columns
    plain = tables.render_text(columns, caption=caption, width=width)
    return {
        "text/plain": f"{plain}\n{below}" if below else plain,
        "text/html": tables.render_html(columns, caption=caption, below=below),
    }


def _plain_values(column: pd.Series[Any]) -> list[Any]:
    missing = column.isna()
    return [None if is_missing else value for value, is_missing in zip(column.tolist(), missing, strict=True)]
