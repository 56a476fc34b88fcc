"""What was asked for as a `%batchimg` line again, to be typed or pasted."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from batchimg_magics.masking import mask_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["format_line", "option_flag", "pool_names"]

#: Keywords that hold several values of an option, which names one.
_PLURALS = {"data_snapshots": "data_snapshot"}
#: What says no, where leaving an option out says neither yes nor no.
_NEGATIVE_FLAGS = {"canary": "--no-canary", "prices": "--no-prices"}


def option_flag(keyword: str) -> str:
    """Return the option that a keyword of a verb is on a line."""
    return "--" + _PLURALS.get(keyword, keyword).replace("_", "-")


def format_line(verb: str, options: Mapping[str, Any], *, cell: bool = False) -> str:
    """Return the `%batchimg` line for a verb with options; no token in a link is in it.

    Parameters
    ----------
    verb, options
        Which, and its keywords; the pool's name is ``name``.
    cell
        Whether it is the first line of a cell with a body.
    """
    words = [verb, *map(_quote, pool_names(options))]
    for key, value in options.items():
        # By identity: 0 equals False, and `--nodes 0` means something.
        if key == "name" or value is None or value in ((), [], {}):
            continue
        if value is False:
            words += [denial for one, denial in _NEGATIVE_FLAGS.items() if one == key]
            continue
        if _needs_body(key, value):
            cell = True  # it was said in Python; on a line, the cell's body says it
        else:
            words += _option_words(option_flag(key), value)
    return f"{'%%' if cell else '%'}batchimg {' '.join(words)}"


def pool_names(options: Mapping[str, Any]) -> list[str]:
    """Return the names of pools among a verb's options."""
    name = options.get("name") or ()
    return [name] if isinstance(name, str) else list(name)


def _option_words(option: str, value: object) -> list[str]:
    if value is True:
        return [option]
    if isinstance(value, dict):
        pairs = (str(part) if one is None else f"{part}={one}" for part, one in value.items())
        return [f"{option} {_quote(pair)}" for pair in pairs]
    listed = value if isinstance(value, (list, tuple)) else (value,)
    return [f"{option} {_quote(one)}" for one in listed]


def _quote(value: object) -> str:
    return shlex.quote(mask_tokens(str(value)))


def _needs_body(key: str, value: object) -> bool:
    """Tell whether a value is more than an option can say."""
    if key == "start_task" and isinstance(value, dict):
        return True
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return any(isinstance(one, (dict, list, tuple)) for one in inside)
