"""Colours of the states of nodes and rows, for pictures without JavaScript; `squares.js` has them and says why."""

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
    tables = [script.partition(f"const {name} = {{")[2].partition("};")[0] for name in ("ROW_STYLES", "STATE_STYLES")]
    return dict(re.findall(r'(\w+): \["(#[0-9a-f]{6})"', "".join(tables)))


def state_colour(state: str) -> str:
    """Return the colour of a state of nodes or rows as ``#rrggbb``."""
    return _state_colours().get(state, _OTHER_COLOUR)
