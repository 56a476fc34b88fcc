"""Colours of node states for what is drawn without a script; `squares.js` has the same ones and says whose they are."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

__all__ = ["state_colour"]

#: For a word that nobody foresaw.
_OTHER_COLOUR = "#7a5c99"


@cache
def _state_colours() -> dict[str, str]:
    # One table of colours: the script's, which a front end needs as a whole.
    script = resources.files("batchimg_magics.ui.widgets").joinpath("squares.js").read_text(encoding="utf-8")
    table = script.partition("const LOOKS = {")[2].partition("};")[0]
    return dict(re.findall(r'(\w+): \["(#[0-9a-f]{6})"', table))


def state_colour(state: str) -> str:
    """Return a node state's colour as ``#rrggbb``."""
    return _state_colours().get(state, _OTHER_COLOUR)
