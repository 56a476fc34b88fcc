"""The label of a connection in captions: plain for the emulator, in the colour of errors where nodes cost money."""

from __future__ import annotations

import re

from batchimg_magics.display.cells import escape_html

__all__ = ["caption_html", "split_label"]

#: The label of a connection to Azure: account, and cost per hour where it is known.
_AZURE_LABEL = re.compile(r"AZURE · [\w-]+( · \$[\d,]+\.\d\d/h)?(?= · |$)")
# Inline, since notebook front ends remove style sheets of notebooks that are not trusted.
_LOUD = "color:#d8433b;color:var(--jp-error-color1,#d32f2f);font-weight:700"


def split_label(caption: str) -> tuple[str, str]:
    """Return the label of a connection to Azure at the start of a caption, and the rest; no label: an empty text."""
    found = _AZURE_LABEL.match(caption)
    return (found[0], caption[found.end() :]) if found else ("", caption)


def caption_html(caption: str) -> str:
    """Return a caption as HTML; its text is escaped, and the label of a connection to Azure is in colour."""
    label, rest = split_label(caption)
    return (f'<span style="{_LOUD}">{escape_html(label)}</span>' if label else "") + escape_html(rest)
