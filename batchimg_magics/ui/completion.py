"""Tab completion after ``%batchimg``: verbs, options and values, all from the entries of `verbs`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batchimg_magics.pool_spec.words import ACCEPTABLE_RULES
from batchimg_magics.verbs.registry import VERB_NAMES, load_verb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from batchimg_magics.verbs.verb import Option, Verb

__all__ = ["complete", "describe"]

#: After ``%``, ``%%``, ``x = %``, and ``%%batchimg x <<``; what follows is the line so far.
_MAGIC_PREFIX = re.compile(r"^\s*(?:[\w.\[\]'\", ]+=\s*)?%{1,2}batchimg\s+(?:\w+\s*<<\s*)?(?P<line>.*)$")


def complete(before: str, names: Callable[[str], list[str]]) -> tuple[str, list[str]]:
    """Return the completions at the cursor.

    Parameters
    ----------
    before
        The text of the line up to the cursor.
    names
        Returns the known names of a kind (``pool``, ``vm``, ``vm_size``, ``profile``), as `Session.names`.

    Returns
    -------
    tuple of str and list of str
        The word before the cursor and its completions: none if the line is not a `%batchimg` line, or for a file name,
        which other completers know.
    """
    match = _MAGIC_PREFIX.match(before)
    if not match:
        return "", []
    *words, last = re.split(r"\s+", match["line"])
    if not words:
        return last, _with_prefix(last, VERB_NAMES)
    if words[0] not in VERB_NAMES:
        return last, []
    verb = load_verb(words[0])
    option = _option_at_cursor(verb, words[1:], last)
    if option is None:
        return last, _with_prefix(last, _flags(verb, words))
    return last, _with_prefix(last, _values(option, names))


def describe(before: str) -> Mapping[str, str]:
    """Return descriptions of the completions at the cursor, of those that have one.

    Parameters
    ----------
    before
        The text of the line up to the cursor.
    """
    match = _MAGIC_PREFIX.match(before)
    words = re.split(r"\s+", match["line"]) if match else []
    if len(words) < 2 or words[0] not in VERB_NAMES:
        return {}
    option = _option_at_cursor(load_verb(words[0]), words[1:-1], words[-1])
    return option.describe() if option is not None and option.describe else {}


def _flags(verb: Verb, words: list[str]) -> list[str]:
    """Return the options that are not on the line yet."""
    return [one.flag for one in verb.options if not one.is_positional and (one.combine or one.flag not in words)]


def _option_at_cursor(verb: Verb, words: list[str], last: str) -> Option | None:
    """Return the option or argument whose value is at the cursor; None: the name of an option is expected."""
    by_flag = {option.flag: option for option in verb.options if not option.is_positional}
    if words and (option := by_flag.get(words[-1])) and option.metavar and not option.implied:
        return option
    if last.startswith("-"):
        return None
    before = [by_flag.get(word) for word in [verb.name, *words]]
    taken = sum(
        not word.startswith("-") and not (option and option.metavar)
        for option, word in zip(before, words, strict=False)
    )
    places = [option for option in verb.options if option.is_positional]
    if taken >= len(places) and places and places[-1].combine:
        return places[-1]
    return places[taken] if taken < len(places) else None


def _values(option: Option, names: Callable[[str], list[str]]) -> list[str]:
    if option.choices:
        return list(option.choices)
    if option.describe:
        return list(option.describe())
    if option.completion == "verb":
        return list(VERB_NAMES)
    if option.completion == "rule":
        return list(ACCEPTABLE_RULES)
    return names(option.completion) if option.completion not in ("", "file") else []


def _with_prefix(fragment: str, words: Iterable[str]) -> list[str]:
    low = fragment.lower()
    return [word for word in words if word.lower().startswith(low)]
