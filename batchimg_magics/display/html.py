"""Render a table as HTML that reads well in trusted and untrusted notebooks, in exports and on GitHub.

Only inline styles: JupyterLab removes ``<style>``, scripts and event handlers from notebooks that are not trusted, and
each declaration whose value it does not know (``var()``, ``min()``, ``sticky``, widths in ``ch``). Such a declaration
stands after a plain one of the same property, which then remains.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote

from batchimg_magics.display.arrange import arrange
from batchimg_magics.display.cells import NO_VALUE, escape_html, split_code
from batchimg_magics.display.labels import caption_html

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from batchimg_magics.display.arrange import Note, ShownColumn, ShownTable

__all__ = ["render_html"]

#: Texts up to this length stand on one line; longer ones wrap.
ONE_LINE = 24
#: Code in advice that is longer is a block with a button to copy it.
INLINE_CODE = 40
#: A table of about so many characters fits a page on paper; a wider one is printed smaller.
PAPER_WIDTH = 80

_ALIGN = "text-align:left;vertical-align:top;"
_PAGE = "var(--jp-layout-color0,var(--vscode-editor-background,Canvas))"
#: The first column stays in place when a wide table is scrolled.
_STICKY = f"position:sticky;left:0;z-index:1;background:{_PAGE};"
_LINE = "white-space:nowrap;"
_WRAP = "white-space:normal;overflow-wrap:break-word;max-width:36em;"
_WIDE = "min-width:10em;min-width:min(16em,22vw);"
_WIDE_CODE = "min-width:18em;min-width:min(32em,40vw);"
_CODE = (
    "margin:0;padding:.2em .4em;white-space:pre-wrap;word-break:normal;overflow-wrap:break-word;text-align:left;"
    "font-family:monospace;font-family:var(--jp-code-font-family,monospace);max-width:60em;"
)
# The button is of no use without its event handler: where that is removed, so is the second `display`.
# JupyterLab keeps a value of `display` that has a word such as "block" anywhere: this one has none.
_BUTTON = (
    '<input type="button" value="Copy" style="display:none;display:var(--batchimg-copy,initial);'
    'font-size:85%;padding:0 .6em;margin:.1em 0;cursor:pointer">'
)
#: One handler for all buttons of a table. It selects the code, too: a page that is no secure context has no clipboard.
_COPY = (
    "var b=event.target,p=b.type=='button'&amp;&amp;b.parentNode.querySelector('pre');if(p){"
    "var r=document.createRange(),s=getSelection();r.selectNodeContents(p);s.removeAllRanges();s.addRange(r);"
    "if(document.execCommand('copy'))b.value='Copied'}"
)
#: On paper nothing scrolls: long texts and IDs wrap at any place, and wide tables are smaller. A style sheet as data
#: needs no request, and where it is removed, no text of it is left, as would be of ``<style>`` in Markdown.
_PRINT = quote(
    ".batchimg div{overflow:visible!important}.batchimg input{display:none!important}"
    ".batchimg table.wide{font-size:62%!important}.batchimg table.widest{font-size:48%!important}"
    ".batchimg td,.batchimg th{position:static!important;white-space:normal!important;padding:.2em .4em!important;"
    "min-width:0!important}"
    ".batchimg td.wrap,.batchimg th.wrap{min-width:8em!important}"
    ".batchimg .wrap,.batchimg .wrap *{white-space:normal!important;overflow:visible!important;"
    "overflow-wrap:anywhere!important;max-width:none!important;direction:ltr!important}"
    ".batchimg .wrap>span{display:inline!important}.batchimg .wrap pre{white-space:pre-wrap!important}",
    safe=".,:;{}!* ",
)
_PAPER = f'<link rel="stylesheet" media="print" href="data:text/css,{_PRINT}">'
#: Background and text of the word that names a severity: they are readable on light and on dark pages.
_SEVERITIES = {
    "error": ("#b3261e", "#ffffff"),
    "warning": ("#f2b134", "#201600"),
    "info": ("#4a6785", "#ffffff"),
    "passed": ("#2e6b34", "#ffffff"),
    "not checked": ("#666666", "#ffffff"),
}
_PROBLEM = "color:#d8433b;color:var(--jp-error-color1,#d8433b);"


def render_html(
    columns: Mapping[str, Sequence[Any]],
    *,
    verb: str = "",
    caption: str = "",
    attrs: Mapping[Any, Any] | None = None,
    rows: int = 0,
) -> str:
    """Return a table as HTML with inline styles: long text wraps, and IDs are shortened by the browser only.

    The parameters are those of `arrange`.
    """
    return to_html(arrange(columns, verb=verb, caption=caption, attrs=attrs, rows=rows))


def to_html(shown: ShownTable) -> str:
    """Return an arranged table as HTML."""
    above = f'<div style="margin:2px 0 6px"><b>{caption_html(shown.caption)}</b></div>' if shown.caption else ""
    table = _list(shown.columns) if shown.is_list else _table(shown.columns)
    body = f'<div style="overflow-x:auto;max-width:100%">{table}</div>' if shown.columns else ""
    notes = "".join(map(_note, shown.notes))
    lines = "".join(f'<div style="margin:4px 0;{_WRAP}max-width:60em">{_text(line)}</div>' for line in shown.lines)
    code = "".join(f'<div style="margin:6px 0">{_code_block(block)}</div>' for block in shown.code)
    return f'<div class="batchimg" onclick="{_COPY}">{_PAPER}{above}{body}{notes}{lines}{code}</div>'


def _table(columns: list[ShownColumn]) -> str:
    heads, cells, width = [], [], 0
    for place, column in enumerate(columns):
        style = f"{_ALIGN}{_STICKY}" if place == 0 else _ALIGN.replace("left", "right") if column.is_number else _ALIGN
        tag = 'th scope="row"' if place == 0 else "td"
        long = column.is_text and max(map(len, column.cells)) > ONE_LINE and column.form != "id"
        head = style + ("" if not long else _WIDE_CODE if column.form == "code" else _WIDE)
        heads.append(f'<th scope="col" style="{head}">{escape_html(column.name).replace("_", "_<wbr>")}</th>')
        content, close = _content(column), tag[:2]
        weight = "font-weight:normal;" if place == 0 else ""
        wraps = ' class="wrap"' if long or column.form in ("id", "code") else ""
        width += ONE_LINE if wraps else max(map(len, [column.name, *column.cells]))
        opening = f'<{tag}{wraps} style="{style}{weight}{_WRAP if long else _LINE}">'
        cells.append([f"{opening}{content(cell)}</{close}>" for cell in column.cells])
    rows = "".join(f"<tr>{''.join(row)}</tr>" for row in zip(*cells, strict=True))
    wide = " widest" if width > 1.5 * PAPER_WIDTH else " wide" if width > PAPER_WIDTH else ""
    head = f"<thead><tr>{''.join(heads)}</tr></thead>"
    return f'<table border="1" class="dataframe{wide}">{head}<tbody>{rows}</tbody></table>'


def _list(columns: list[ShownColumn]) -> str:
    """Return the only row as one line per column."""
    value = f'<td class="wrap" style="{_ALIGN}{_WRAP}max-width:60em">'
    rows = "".join(
        f'<tr><th scope="row" style="{_ALIGN}{_LINE}">{escape_html(column.name)}</th>'
        f"{value}{_content(column, whole=True)(column.cells[0])}</td></tr>"
        for column in columns
    )
    return f'<table border="1" class="dataframe"><tbody>{rows}</tbody></table>'


def _content(column: ShownColumn, *, whole: bool = False) -> Callable[[str], str]:
    """Return the function that makes the HTML of a column's cells."""
    match column.form:
        case "id":
            return escape_html if whole else _id
        case "code":
            return _code
        case "advice":
            return _text
        case "severity":
            return _badge
        case "problem":
            return _problem
        case _:
            return escape_html


def _id(text: str) -> str:
    """Return an ID that the browser shortens, and of which all is there to be copied: of a path, the end is shown."""
    if len(text) <= ONE_LINE:
        return escape_html(text)
    box = "display:inline-block;vertical-align:bottom;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;"
    title, shown = escape(text), escape_html(text)
    if not text.startswith("/"):
        return f'<span title="{title}" style="{box}max-width:13em">{shown}</span>'
    inner = f'<span style="direction:ltr;unicode-bidi:embed">{shown}</span>'
    return f'<span title="{title}" style="{box}max-width:24em;direction:rtl;text-align:left">{inner}</span>'


def _code(text: str) -> str:
    return text if text == NO_VALUE else _code_block(text)


def _code_block(text: str) -> str:
    # Markdown ends HTML at an empty line: there are no line breaks in the page.
    lines = escape(text).replace("\n", "&#10;")
    return f'<div><pre style="{_CODE}">{lines}</pre>{_BUTTON}</div>'


def _text(text: str) -> str:
    """Return advice: its commands are code, the long ones with a button to copy them."""
    return "".join(
        escape_html(part)
        if not is_code
        else _code_block(part)
        if len(part) > INLINE_CODE
        else f'<code style="white-space:pre-wrap">{escape(part)}</code>'
        for part, is_code in split_code(text)
    )


def _problem(text: str) -> str:
    return text if text == NO_VALUE else f'<span style="{_PROBLEM}">{escape_html(text)}</span>'


def _badge(severity: str) -> str:
    back, front = _SEVERITIES.get(severity, _SEVERITIES["info"])
    look = f"background-color:{back};color:{front};padding:.05em .5em;border-radius:3px;font-weight:bold;{_LINE}"
    return f'<span style="{look}">{escape_html(severity)}</span>'


def _note(note: Note) -> str:
    advice = f" → {_text(note.advice)}" if note.advice else ""
    return f'<div style="margin:6px 0;{_WRAP}max-width:60em">{_badge(note.severity)} {_text(note.text)}{advice}</div>'
