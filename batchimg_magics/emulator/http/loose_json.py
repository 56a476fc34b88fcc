"""JSON as Azure Resource Manager reads templates: with comments, names without quotes, and single quotes.

Source: the Azure CLI puts the text of a template file into its request as it is, after a name without quotes; template
files may have comments ("Understand the structure and syntax of ARM templates").
"""

from __future__ import annotations

import re

import msgspec

_TOKEN = re.compile(
    r"""(?P<space>[\s\ufeff]+|//[^\n]*|/\*.*?\*/)"""
    r"""|(?P<text>"(?:[^"\\]|\\.)*")"""
    r"""|(?P<single>'(?:[^'\\]|\\.)*')"""
    r"""|(?P<number>-?\d[\d.eE+-]*)"""
    r"""|(?P<name>[A-Za-z_$][\w$]*)"""
    r"""|(?P<sign>[{}\[\]:,])""",
    re.DOTALL,
)
_WORDS = frozenset({"true", "false", "null"})
_CONTROLS = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def strict_json(text: str) -> str:
    """Return strict JSON for a text that may have comments, other quotes, and commas at the end of a list.

    Raises
    ------
    msgspec.DecodeError
        The text has a character that no JSON has.
    """
    found: list[str] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise msgspec.DecodeError(f"JSON is malformed: invalid character (byte {at})")
        at = match.end()
        if match.lastgroup == "space":
            continue
        if match[0] in ("}", "]") and found and found[-1] == ",":
            found.pop()
        found.append(_strict(match))
    return "".join(found)


def _strict(match: re.Match[str]) -> str:
    if match.lastgroup == "name" and match[0] not in _WORDS:
        return f'"{match[0]}"'
    if match.lastgroup not in ("text", "single"):
        return match[0]
    inner = match[0][1:-1]
    if match.lastgroup == "single":
        inner = inner.replace("\\'", "'").replace('"', '\\"')
    for sign, escaped in _CONTROLS.items():  # a string may go over several lines
        inner = inner.replace(sign, escaped)
    return f'"{inner}"'
