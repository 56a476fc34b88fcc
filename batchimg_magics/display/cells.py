"""Format the values of a table: times, numbers, money; what would control a terminal or a notebook is made visible."""

from __future__ import annotations

import datetime as dt
import re
from html import escape
from typing import TYPE_CHECKING

from batchimg_magics.masking import make_visible

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["NO_VALUE", "escape_html", "format_cell", "format_money", "split_code"]

#: Text of a missing value.
NO_VALUE = "-"
#: What begins and ends a formula.
_FORMULA = re.compile(r"\$|\\(?=[()\[\]]|begin|end)")
#: Commands in a text: in backticks, or a line of this tool, of the Azure CLI or of a shell up to the next part.
_CODE = re.compile(
    r"`(?P<quoted>[^`\n]+)`"
    r"|(?P<bare>%batchimg [^;\n]+|(?<![\w-])az [a-z][a-z-]+ [^;\n]*--[^;\n]+|/bin/(?:ba)?sh -c '.*'|powershell .*\S)"
)


def escape_html(text: str) -> str:
    r"""Return a text as HTML, outside attributes.

    Front ends typeset what stands between two dollar signs, or after ``\(``, as a formula, such as prices and shell
    commands. They look for it in text without tags only, so that each sign is in an element of its own. Control
    characters are visible.
    """
    return _FORMULA.sub(r"<span>\g<0></span>", escape(make_visible(text)))


def format_cell(value: object, *, time_format: str = "%Y-%m-%d %H:%M:%SZ") -> str:
    """Return a value as text on one line: times in UTC to the second, yes or no, numbers with one decimal."""
    if value is None:
        return NO_VALUE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).strftime(time_format)
    if isinstance(value, float):
        return f"{value:.1f}"
    return make_visible(" ".join(str(value).split()))


def format_money(value: object) -> str:
    """Return an amount of money with two decimals, or three below one."""
    return format_cell(value) if not isinstance(value, float) else f"{value:,.2f}" if value >= 1 else f"{value:.3f}"


def split_code(text: str) -> Iterator[tuple[str, bool]]:
    """Split advice into parts, each with whether it is code: a command, or what stands in backticks."""
    end = 0
    for match in _CODE.finditer(text):
        if match.start() > end:
            yield text[end : match.start()], False
        yield match["quoted"] or match["bare"].rstrip(), True
        end = match.end()
    if end < len(text):
        yield text[end:], False
