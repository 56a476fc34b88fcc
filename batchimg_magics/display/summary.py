"""Show an object by its facts, one per line: as text and as HTML with inline styles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.display.cells import escape_html
from batchimg_magics.display.labels import caption_html
from batchimg_magics.masking import make_visible

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["summary_bundle"]

_STYLE = 'style="text-align:left;vertical-align:top;white-space:normal;overflow-wrap:break-word"'


def summary_bundle(caption: str, facts: Mapping[str, str]) -> dict[str, str]:
    """Return a caption and facts by mime type; what they contain is shown as text."""
    width = max(map(len, facts), default=0)
    lines = [caption, *(f"  {name:<{width}}  {text}" for name, text in facts.items())]
    rows = "".join(
        f'<tr><th scope="row" {_STYLE}>{escape_html(name)}</th><td {_STYLE}>{escape_html(make_visible(text))}</td></tr>'
        for name, text in facts.items()
    )
    head = f'<div style="margin:2px 0 6px"><b>{caption_html(make_visible(caption))}</b></div>'
    html = f'<div class="batchimg">{head}<table border="1" class="dataframe"><tbody>{rows}</tbody></table></div>'
    return {"text/plain": "\n".join(map(make_visible, lines)), "text/html": html}
