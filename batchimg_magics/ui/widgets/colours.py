"""Colours of node states for pictures drawn without JavaScript, read from `squares.js`, which documents them."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

__all__ = ["state_colour"]

#: For states that `squares.js` does not list.
_OTHER_COLOUR = "#7a5c99"


@cache
def _state_colours() -> dict[str, str]:
    # The script has the only table of colours, so that map and static picture agree.
    script = resources.files("batchimg_magics.ui.widgets").joinpath("squares.js").read_text(encoding="utf-8")
    table = script.partition("const STATE_STYLES = {")[2].partition("};")[0]
    return dict(re.findall(r'(\w+): \["(#[0-9a-f]{6})"', table))


def state_colour(state: str) -> str:
    """Return a node state's colour as ``#rrggbb``."""
    return _state_colours().get(state, _OTHER_COLOUR)
