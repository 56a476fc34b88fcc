"""Completion of a line: verbs, options and values, all from the entries of `verbs`; for the magic and the shells.

Nothing here is imported that takes long: a shell starts a process for each completion.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from batchimg_magics.pool_spec.words import ACCEPTABLE_RULES
from batchimg_magics.verbs.registry import VERB_NAMES, load_verb

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batchimg_magics.verbs.verb import Option, Verb

__all__ = ["Candidate", "Names", "complete_line", "complete_words", "split_unfinished", "with_prefix"]

#: Examples of durations.
_DURATIONS = ("30m", "1h", "2h", "8h", "1d")
#: What has a name of its own in a list of completions; other kinds are those of `Option.completion`.
_KINDS = {"checkable": "resource", "vm_size": "size"}
#: Names that need no connection.
_FIXED = {"verb": VERB_NAMES, "rule": ACCEPTABLE_RULES}
_COMPARISON = re.compile(r"(?P<column>\w+)\s*(?:==|!=|not\s+in\s*\[[^\]]*|in\s*\[[^\]]*)\s*(?P<quote>['\"]?)\w*$")


@dataclass(frozen=True, slots=True)
class Candidate:
    """One completion.

    Parameters
    ----------
    text
        What takes the place of the fragment.
    kind
        What it is: ``verb``, ``option``, ``pool``, ``vm``, ``value``, ...
    description
        One line, for shells that show it.
    """

    text: str
    kind: str
    description: str = ""


class Names(Protocol):
    """Returns the known names of a kind, as `Session.names`."""

    def __call__(self, kind: str, of: str = "") -> list[str]:
        """Return the names; `of` is the pool of the kind ``node``."""


def split_unfinished(line: str) -> tuple[list[str], str]:
    """Split a line up to the cursor into its words, and the word at the cursor without its opening quote."""
    words: list[str] = []
    word: str | None = None
    quote = ""
    for character in line:
        if quote:
            if character == quote:
                quote = ""
            else:
                word = f"{word or ''}{character}"
        elif character in "'\"":
            quote, word = character, word or ""
        elif character.isspace():
            if word is not None:
                words.append(word)
            word = None
        else:
            word = f"{word or ''}{character}"
    return words, word or ""


def complete_line(line: str, names: Names) -> tuple[str, list[Candidate]]:
    """Return the fragment at the end of a line that is completed, and its completions.

    Parameters
    ----------
    line
        The verb and its words, up to the cursor.
    names
        Returns known names.
    """
    words, last = split_unfinished(line)
    return complete_words(words, last, names)


def complete_words(words: list[str], last: str, names: Names) -> tuple[str, list[Candidate]]:
    """Return the fragment at the end of the last word that is completed, and its completions.

    Parameters
    ----------
    words, last
        The finished words, and the word at the cursor.
    names
        Returns known names.
    """
    if not words:
        verbs = with_prefix(last, VERB_NAMES)
        return last, [Candidate(name, "verb", load_verb(name).summary) for name in verbs]
    if words[0] not in VERB_NAMES:
        return last, []
    verb = load_verb(words[0])
    flag, equals, fragment = last.partition("=")
    option = _option_at_cursor(verb, words[1:], last)
    if option is None and equals:
        option, last = next((one for one in verb.options if one.flag == flag and one.metavar), None), fragment
    if option is None:
        found = {one.flag: one for one in verb.options if _is_offered(one, words)}
        return last, [Candidate(text, "option", found[text].help) for text in with_prefix(last, found)]
    if option.completion == "where":
        return _complete_condition(last)
    return last, [one for one in _values(option, words, last, names) if one.text.lower().startswith(last.lower())]


def _is_offered(option: Option, words: list[str]) -> bool:
    """Return whether an option can be added to a line."""
    return not option.is_positional and (option.combine is not None or option.flag not in words)


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


def _values(option: Option, words: list[str], last: str, names: Names) -> list[Candidate]:
    """Return the values of an option."""
    if option.choices:
        return [Candidate(one, "value") for one in option.choices]
    if option.describe:
        # Notebooks show the kind beside the word; what such a value does says more than that it is one.
        return [Candidate(one, text, text) for one, text in option.describe().items()]
    if option.completion in _FIXED:
        return [Candidate(one, option.completion) for one in _FIXED[option.completion]]
    if option.completion == "file" or (option.is_code and last.startswith("@")):
        mark = "@" if option.is_code else ""
        return [Candidate(f"{mark}{one.text}", one.kind) for one in _files(last.removeprefix(mark))]
    if option.completion:
        of = next((word for word in words[1:] if not word.startswith("-")), "") if option.completion == "node" else ""
        kind = _KINDS.get(option.completion, option.completion)
        return [Candidate(one, kind) for one in names(option.completion, of)]
    return [Candidate(one, "duration") for one in _DURATIONS] if option.metavar == "DURATION" else []


def _files(fragment: str) -> list[Candidate]:
    """Return the files and folders whose paths begin with a text."""
    folder, slash, start = fragment.rpartition("/")
    try:
        found = sorted(Path(f"{folder}{slash}" or ".").expanduser().iterdir())
    except OSError:
        return []
    shown = [one for one in found if start.startswith(".") or not one.name.startswith(".")]
    return [
        Candidate(f"{folder}{slash}{one.name}/", "folder")
        if one.is_dir()
        else Candidate(f"{folder}{slash}{one.name}", "file")
        for one in shown
    ]


def _complete_condition(text: str) -> tuple[str, list[Candidate]]:
    """Complete a condition on the columns of the nodes."""
    from batchimg_magics.core.base.schemas import SCHEMAS  # completion only

    fragment = text[len(text.rstrip("abcdefghijklmnopqrstuvwxyz_ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")) :]
    columns = {column.name: column for column in SCHEMAS["nodes"]}
    if (match := _COMPARISON.search(text)) and match["column"] in columns:
        # Outer quotes are known only to the line: values are in single ones, as in the examples.
        mark = "" if match["quote"] else "'"
        allowed = columns[match["column"]].allowed_values
        return fragment, [Candidate(f"{mark}{one}'", "value") for one in with_prefix(fragment, allowed)]
    found = [Candidate(one, "column", columns[one].doc) for one in with_prefix(fragment, columns)]
    if text.strip() != fragment or not fragment:
        found += (
            [Candidate(one, "operator") for one in with_prefix(fragment, ("and", "or", "not", "in"))]
            if text.strip()
            else []
        )
    return fragment, found


def with_prefix(fragment: str, words: Iterable[str]) -> list[str]:
    """Return the words that begin with a fragment, in any case."""
    low = fragment.lower()
    return [word for word in words if word.lower().startswith(low)]
