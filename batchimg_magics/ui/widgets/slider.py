"""A slider for counts, as a widget."""

from __future__ import annotations

from importlib import resources

import anywidget
import traitlets

__all__ = ["Slider"]

_HERE = resources.files("batchimg_magics.ui.widgets")


class Slider(anywidget.AnyWidget):
    """A slider from 0 to `max`.

    Attributes
    ----------
    value, max
        Its value, and its upper end.
    name
        Its accessible name, for screen readers.
    """

    _esm = _HERE.joinpath("slider.js").read_text(encoding="utf-8")
    _css = _HERE.joinpath("slider.css").read_text(encoding="utf-8")
    value = traitlets.Int(0).tag(sync=True)
    max = traitlets.Int(100).tag(sync=True)
    name = traitlets.Unicode("").tag(sync=True)
