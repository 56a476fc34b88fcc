"""What a verb's job is: its options are taken apart at once, the work is done on the session's loop."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeAlias

from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.values import suggest_name

if TYPE_CHECKING:
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.base.table import Table

#: The options have made sense; given the board it says how it goes on, this does the work.
VerbCall: TypeAlias = Callable[["Board"], Coroutine[Any, Any, "Table"]]
UNTIL_STATES = ("ready", "steady")


def check_choice(word: str, option: str, allowed: tuple[str, ...]) -> str:
    """Return the word when it is among those allowed.

    Raises
    ------
    SpecError
        It is not; the nearest is named.
    """
    if word not in allowed:
        raise SpecError(f"{option} is {word!r}", hint=suggest_name(word, allowed))
    return word
