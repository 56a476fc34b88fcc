"""What was asked for as a `%batchimg` line again, to be typed or pasted."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from batchimg_magics.masking import without_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["line", "option_of"]

#: Keywords that hold several values of an option, which names one.
_PLURALS = {"data_snapshots": "data_snapshot"}


def option_of(keyword: str) -> str:
    """Return the option that a keyword of a verb is on a line."""
    return "--" + _PLURALS.get(keyword, keyword).replace("_", "-")


def line(verb: str, options: Mapping[str, Any], *, cell: bool = False) -> str:
    """Return the `%batchimg` line for a verb with options; no token in a link is in it.

    Parameters
    ----------
    verb, options
        Which, and its keywords; the pool's name is ``name``.
    cell
        Whether it is the first line of a cell with a body.
    """
    words = [verb]
    if name := options.get("name"):
        words.append(_word(name))
    for key, value in options.items():
        option = option_of(key)
        # By identity: 0 equals False, and `--nodes 0` means something.
        if key == "name" or value is None or value is False or value in ((), {}):
            continue
        if value is True:
            words.append(option)
        elif isinstance(value, dict):
            words += [f"{option} {_word(f'{part}={one}')}" for part, one in value.items()]
        else:
            words.append(f"{option} {_word(value)}")
    return f"{'%%' if cell else '%'}batchimg {' '.join(words)}"


def _word(value: object) -> str:
    return shlex.quote(without_tokens(str(value)))
