"""A `%batchimg` command with a button that copies it, as a widget."""

from __future__ import annotations

from importlib import resources

import anywidget
import traitlets

__all__ = ["CopyLine"]

_HERE = resources.files("batchimg_magics.ui.widgets")


class CopyLine(anywidget.AnyWidget):
    """A command to copy.

    Attributes
    ----------
    line
        The command.
    """

    _esm = _HERE.joinpath("copy_line.js").read_text(encoding="utf-8")
    _css = _HERE.joinpath("copy_line.css").read_text(encoding="utf-8")
    line = traitlets.Unicode("").tag(sync=True)
