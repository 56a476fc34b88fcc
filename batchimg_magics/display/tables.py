"""The displays of tables: text for pipes and notebooks, text for terminals, HTML. They take plain columns."""

from __future__ import annotations

from batchimg_magics.display.cells import NO_VALUE, format_cell
from batchimg_magics.display.html import render_html
from batchimg_magics.display.text import render_terminal, render_text

__all__ = ["NO_VALUE", "add_label", "format_cell", "render_html", "render_terminal", "render_text"]


def add_label(caption: str, label: str) -> str:
    """Return a table's caption after the label of its connection: LOCAL for the emulator."""
    return f"{label} · {caption}" if label else caption
