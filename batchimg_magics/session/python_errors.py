"""An error of a verb as a method of `Session` raises it: with its hint in the traceback, which begins at the call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.pool_spec.words import count_text
from batchimg_magics.session.python_words import in_python_words

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from batchimg_magics.core.base.table import Table
    from batchimg_magics.errors import BatchImgError

__all__ = ["to_python_error"]


def to_python_error(
    error: BatchImgError, verb: str, say: Callable[[str], str], to_frame: Callable[[Table], pd.DataFrame]
) -> BatchImgError:
    """Return a copy of an error, to be raised from None: its traceback begins where it is raised.

    Parameters
    ----------
    error
        The error, with commands and options. Other waiters of the same work may hold it too.
    verb
        The verb that raised it.
    say
        Returns a text in the words of the front end.
    to_frame
        Makes the DataFrame of the table of the error.
    """
    made = error.copy(say(error.message), say(error.hint))
    if made.hint:
        made.add_note(f"Hint: {in_python_words(made.hint, verb)}")
    if error.table is not None:
        made.frame = to_frame(error.table)
        if count := len(made.frame):
            made.add_note(f"Until then: {count_text(count, 'row')} in the attribute `frame` of this error")
    return made
