"""Regular expressions of POSIX tools (basic and extended), as Python's."""

from __future__ import annotations

import functools
import re

from batchimg_magics.emulator.compute.guest.scripts import UnsupportedLineError

_CLASSES = {
    "alpha": "a-zA-Z", "digit": "0-9", "alnum": "a-zA-Z0-9", "upper": "A-Z", "lower": "a-z", "space": r"\s",
    "blank": r" \t", "punct": r"!-/:-@\[-`{-~", "xdigit": "0-9A-Fa-f", "cntrl": r"\x00-\x1f", "print": r"\x20-\x7e",
    "graph": r"\x21-\x7e",
}  # fmt: skip
#: What a backslash turns into an operator in basic expressions, and what it leaves a character in both.
_BASIC_OPERATORS = "(){}|+?"
_AFTER_BACKSLASH = {"<": r"\b", ">": r"\b", "n": r"\n", "t": r"\t"}


@functools.lru_cache(maxsize=256)
def compiled(pattern: str, *, extended: bool = False, ignore_case: bool = False) -> re.Pattern[str]:
    """Return a pattern of grep, sed or awk as a compiled one.

    Raises
    ------
    UnsupportedLineError
        It is not a regular expression.
    """
    try:
        return re.compile(translated(pattern, extended=extended), re.IGNORECASE if ignore_case else 0)
    except re.error as error:
        raise UnsupportedLineError(pattern) from error


def translated(pattern: str, *, extended: bool) -> str:
    """Return a pattern in Python's syntax."""
    found, at = [], 0
    while at < len(pattern):
        one = pattern[at]
        if one == "[":
            text, at = _bracket(pattern, at)
            found.append(text)
            continue
        if one == "\\" and at + 1 < len(pattern):
            found.append(_escaped(pattern[at + 1], extended=extended))
            at += 2
            continue
        if not extended and one in _BASIC_OPERATORS:
            found.append(re.escape(one))
        elif one == "*" and (not found or found[-1] in ("^", "(")):
            found.append(r"\*")
        elif not extended and one == "^" and found and found[-1] not in ("(", "|"):
            found.append(r"\^")
        else:
            found.append(one)
        at += 1
    return "".join(found)


def _escaped(one: str, *, extended: bool) -> str:
    if one in _AFTER_BACKSLASH:
        return _AFTER_BACKSLASH[one]
    if one in _BASIC_OPERATORS:
        return re.escape(one) if extended else one
    if one in "wWsSbB" or one.isdigit():
        return f"\\{one}"
    return re.escape(one)


def _bracket(pattern: str, at: int) -> tuple[str, int]:
    """Return a bracket expression, and the place after it."""
    place = at + 1
    text = "["
    if pattern[place : place + 1] == "^":
        text += "^"
        place += 1
    first = True
    while place < len(pattern):
        one = pattern[place]
        if one == "]" and not first:
            return f"{text}]", place + 1
        if match := re.compile(r"\[:(\w+):\]").match(pattern, place):
            if match[1] not in _CLASSES:
                break
            text += _CLASSES[match[1]]
            place = match.end()
        elif one == "\\" and pattern[place + 1 : place + 2] in ("n", "t", "\\", "]"):
            text += pattern[place : place + 2]
            place += 2
        else:
            text += f"\\{one}" if one in "\\[]&~|" or (one == "^" and first) else one
            place += 1
        first = False
    raise UnsupportedLineError(pattern)
