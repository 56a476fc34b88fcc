"""The formats of ``printf``, of the shell and of awk."""

from __future__ import annotations

import re

from batchimg_magics.emulator.compute.guest.shell_words import unescape

_PLACE = re.compile(r"%([-+ 0#]*)(\*|\d*)(?:\.(\*|\d*))?([%a-zA-Z])")


def formatted(form: str, words: list[str]) -> tuple[str, list[str]]:
    """Return a format with words in its places, and the words that are left."""
    left = list(words)

    def place(match: re.Match[str]) -> str:
        flags, width, precision, letter = match.groups()
        if letter == "%":
            return "%"
        width = left.pop(0) if width == "*" and left else width
        text = _shown(left.pop(0) if left else "", letter, precision)
        if not width:
            return text
        if "-" in flags:
            return text.ljust(int(width))
        return text.rjust(int(width), "0" if "0" in flags and letter in "dixXofeEgG" else " ")

    return _PLACE.sub(place, form), left


def _whole(word: str) -> int:
    match = re.match(r"\s*([-+]?\d+)", word)
    return int(match[1]) if match else 0


def _decimal(word: str) -> float:
    match = re.match(r"\s*([-+]?\d+(?:\.\d+)?)", word)
    return float(match[1]) if match else 0.0


def _shown(word: str, letter: str, precision: str | None) -> str:
    """Return a word as a letter of a format shows it."""
    if letter in "dixXo":
        return format(_whole(word), "d" if letter == "i" else letter)
    if letter in "feEgG":
        return f"%.{precision or 6}{letter}" % _decimal(word)
    if letter == "b":
        return unescape(word)
    if letter == "q":
        return "'" + word.replace("'", "'\\''") + "'" if re.search(r"[^\w./:=@%+,-]", word) or not word else word
    size = 1 if letter == "c" else int(precision) if precision else None
    return word[:size]
