"""Display a verb's DataFrame in IPython with a caption; it remains a plain DataFrame."""

from __future__ import annotations

import shutil
import sys
import weakref
from typing import TYPE_CHECKING, Any

from batchimg_magics.display import tables

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

__all__ = ["attach_display", "mime_bundle"]

#: Maximum number of rows shown; of a longer table, the first ones.
MAX_SHOWN_ROWS = 60
#: Columns and lines to assume without a terminal, as for the text/plain output of a kernel.
DEFAULT_TERMINAL_SIZE = (150, 24)


def attach_display(frame: pd.DataFrame, extra: Callable[[], dict[str, Any]] | None = None) -> pd.DataFrame:
    """Let IPython show this frame with its caption, without its index, and with long ids shortened.

    The frame remains a plain `pandas.DataFrame`: only this object gets a display method, which IPython calls. Whatever
    is computed from it, such as a selection or a copy, is displayed by pandas, and no formatter of the user is changed.

    Parameters
    ----------
    frame
        The frame.
    extra
        Returns further forms of it by mime type, for programs.
    """
    # A strong reference would create a cycle, and a large frame would stay in memory after its last use.
    frame_ref = weakref.ref(frame)

    def _repr_mimebundle_(**_: object) -> dict[str, Any]:
        live_frame = frame_ref()
        if live_frame is None:
            return {}
        return {**mime_bundle(live_frame), **(extra() if extra is not None else {})}

    # Setting it on a frame would make pandas look for a column of that name, and warn about some values.
    object.__setattr__(frame, "_repr_mimebundle_", _repr_mimebundle_)
    return frame


def mime_bundle(frame: pd.DataFrame) -> dict[str, str]:
    """Return the frame as text and as HTML, by mime type."""
    attrs, top = frame.attrs, frame.head(MAX_SHOWN_ROWS)
    columns = {str(name): _plain_values(column) for name, column in top.items()}
    if len(top) < len(frame):
        attrs = {**attrs, "more": "the DataFrame has all"}
    verb, caption = str(attrs.get("verb", "")), str(attrs.get("caption", ""))
    width = shutil.get_terminal_size(DEFAULT_TERMINAL_SIZE).columns
    if _is_terminal():
        plain = tables.render_terminal(columns, verb=verb, caption=caption, attrs=attrs, rows=len(frame), width=width)
    else:
        plain = tables.render_text(columns, verb=verb, caption=caption, attrs=attrs, rows=len(frame), width=width)
    page = tables.render_html(columns, verb=verb, caption=caption, attrs=attrs, rows=len(frame))
    return {"text/plain": plain, "text/html": page}


def _is_terminal() -> bool:
    """Tell whether IPython runs in a terminal; the output of a kernel is stored in a notebook, without colors."""
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    return shell is not None and not hasattr(shell, "kernel") and sys.stdout.isatty()


def _plain_values(column: pd.Series[Any]) -> list[Any]:
    missing = column.isna()
    return [None if is_missing else value for value, is_missing in zip(column.tolist(), missing, strict=True)]
