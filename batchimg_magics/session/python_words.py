"""Say in Python's words what a text says in those of a command line: ``nodes=5`` for ``--nodes 5``.

Errors, captions and warnings are written once, with the commands and options of `%batchimg`. `batchimg_magics.Session`
says the same as calls and keywords, by the options of the verbs.
"""

from __future__ import annotations

import json
import re
import shlex
from functools import cache
from typing import TYPE_CHECKING, Any

from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.line import unescape_braces
from batchimg_magics.verbs.registry import VERB_NAMES, all_verbs, load_verb
from batchimg_magics.verbs.verb import NAME, read_text_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchimg_magics.verbs.verb import Option, Verb

__all__ = ["in_python_words"]

#: What is translated as a whole: code in backticks, a command without them, and a line of the Azure CLI, which stays.
_SPAN = re.compile(r"`(?P<code>[^`]+)`|(?P<command>%{1,2}batchimg [^;`]+)|(?P<other>\baz [a-z][^;`)]*)")
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*[a-z]")
_VALUE = re.compile(r"[ =]('[^']*'|\"[^\"]*\"|[^\s,;:)`]+)")
#: How a text tells what the body of a cell may contain instead; a call has no body.
_BODY = re.compile(
    r",? or `\w+:` in (?:a|the) body| \(`\w+:` in (?:a|the) body\)|(?<=`), in a cell(?= with .* in its body)"
)
#: Words before a switch that is to be given.
_GIVEN = re.compile(r"\b(?:add|give|use|specify|with|set) $")
#: A value in a sentence, where any word may follow an option: a placeholder, a number or an id, something quoted.
_VALUE_IN_SENTENCE = re.compile(r"['\"@/].*|[A-Z][A-Z_0-9]*(?:=\S*)?|\S*\d\S*|[a-z]+(?:-[a-z]+)+|\w+=\S+")
#: What follows the subject of a sentence.
_SUBJECT = re.compile(r":| (?:is|are|needs|cannot|uses)\b")
_SUBJECTS = re.compile(r"(?:--[a-z-]+(?:, | and | or ))*")
_PLACEHOLDER = re.compile(r"[A-Z][A-Z_]*")


def in_python_words(text: str, verb: str = "", pool: str = "") -> str:
    """Return a text with calls of a `Session` and keywords in place of commands and options.

    Parameters
    ----------
    text
        A message, a hint or a caption.
    verb
        The verb that it is about: its options are looked up first.
    pool
        The name of a pool that has a handle: what concerns it is a call of ``pool``.
    """
    if "--" not in text and "batchimg" not in text and "body" not in text:
        return text
    has_command = "batchimg" in text
    out, end = [], 0
    for match in _SPAN.finditer(text := _BODY.sub("", text)):
        out.append(_sentence(text[end : match.start()], verb))
        out.append(_span(match, verb, pool, has_command=has_command))
        end = match.end()
    return "".join([*out, _sentence(text[end:], verb)])


def _span(match: re.Match[str], verb: str, pool: str, *, has_command: bool) -> str:
    """Return the translation of code."""
    if match["other"]:
        return match[0]
    code = match["code"] or match["command"]
    if code.startswith("--"):
        return f"`{_sentence(code, verb)}`"
    words = re.sub(r"^%{0,2}batchimg ", "", code)
    # Beside a command, the name of another verb needs no `%batchimg`; options always belong to a verb.
    if words != code or (words.partition(" ")[0] in VERB_NAMES and (has_command or " --" in words)):
        call = _call(words.strip(), pool)
        return match[0] if call is None else f"`{call}`" if match["code"] else call
    return match[0]


# -- commands ----------------------------------------------------------------------------------------------------


def _call(line: str, pool: str) -> str | None:
    """Return the call of a command; None where it names no verb."""
    name, _, rest = unescape_braces(line).partition(" ")
    if name not in VERB_NAMES:
        return None
    verb = load_verb(name)
    if name == "help":
        return "help(session)"
    try:
        words = shlex.split(rest)
    except ValueError:
        return f"session.{verb.method}(...)"
    found = _arguments(verb, words)
    if found is None:
        return f"session.{verb.method}(...)"
    names, options = found
    if not words and any(one.is_positional and not one.optional for one in verb.options):
        options = "..."
    receiver = "session"
    if pool and names == [json.dumps(pool, ensure_ascii=False)] and verb.options[0].keyword == NAME.keyword:
        receiver, names = "pool", []
    if len(names) > 1:
        names = [f"[{', '.join(names)}]"]
    return f"{receiver}.{verb.method}({', '.join(filter(None, [*names, options]))})"


def _arguments(verb: Verb, words: list[str]) -> tuple[list[str], str] | None:
    """Return the arguments of a call: by position, and by keyword; None for an option that the verb does not have."""
    by_flag = {option.flag: option for option in verb.options}
    names: list[str] = []
    given: list[tuple[Option, str]] = []
    left = iter(words)
    for word in left:
        if not word.startswith("--"):
            names.append("..." if word == "..." else _quoted(word))
            continue
        flag, equals, value = word.partition("=")
        if (option := by_flag.get(flag)) is None:
            return None
        if option.metavar and not equals and not option.implied:
            value = next(left, "...")
        given.append((option, value))
    return names, _keywords(given)


def _keywords(given: list[tuple[Option, str]]) -> str:
    """Return options with their values as keyword arguments."""
    by_keyword: dict[str, list[tuple[Option, str]]] = {}
    for option, word in given:
        by_keyword.setdefault(option.keyword, []).append((option, word))
    return ", ".join(f"{keyword}={_combined(values)}" for keyword, values in by_keyword.items())


def _combined(given: list[tuple[Option, str]]) -> str:
    """Return one value of all that are given with an option."""
    option = given[0][0]
    values = [_literal(one, word) for one, word in given]
    if option.combine is dict:
        return f"{{{', '.join(values)}}}"
    return f"[{', '.join(values)}]" if option.combine else values[0]


# -- sentences ---------------------------------------------------------------------------------------------------


def _sentence(text: str, verb: str) -> str:
    """Return a text without code, with keywords in place of options."""
    out: list[str] = []
    run: list[tuple[Option, str]] = []  # options that follow each other: arguments
    end = 0
    for match in _OPTION.finditer(text):
        option = _find_option(match[0], verb)
        if option is None or match.start() < end:
            continue
        between, end = text[end : match.start()], match.end()
        if run and between != " ":
            out.append(_keywords(run))
            run = []
        out.append("" if run else between)
        value = _VALUE.match(text, end)
        word = value[1].rstrip(".") if value else ""
        if value and option.metavar and _is_value(option, word):
            end = value.start(1) + len(word)
            run.append((option, _unquoted(word)))
        elif not option.metavar and (run or not option.const or _GIVEN.search(text[: match.start()])):
            run.append((option, ""))
        else:
            # Where the text speaks of the option itself, its bare name reads better.
            is_subject = _SUBJECT.match(text, end) or _SUBJECTS.fullmatch(text, 0, match.start())
            sign = "=" if option.metavar and not is_subject else ""
            out += [_keywords(run), " " if run else "", f"{option.keyword}{sign}"]
            run = []
    return "".join([*out, _keywords(run), text[end:]])


def _is_value(option: Option, word: str) -> bool:
    return word in option.choices or bool(_VALUE_IN_SENTENCE.fullmatch(word))


def _find_option(flag: str, verb: str) -> Option | None:
    """Return the option of the verb, otherwise of the first verb that has it."""
    return next((found[flag] for found in _tables(verb) if flag in found), None)


def _tables(verb: str) -> Iterator[dict[str, Option]]:
    if verb in VERB_NAMES:
        yield {option.flag: option for option in load_verb(verb).options}
    yield _all_options()


@cache
def _all_options() -> dict[str, Option]:
    return {option.flag: option for verb in reversed(all_verbs()) for option in verb.options}


# -- values ------------------------------------------------------------------------------------------------------


def _literal(option: Option, word: str) -> str:
    """Return the value of an option as Python source."""
    if not option.metavar:
        return str(option.const)
    if word == "..." or (option.implied and not word):
        return word or "True"
    if option.parse is read_text_file:
        return f"Path({_quoted(word)}).read_text()"
    try:
        value = word if word.startswith("@") else option.value(word)
    except SpecError:  # a placeholder such as N, or what the text says is wrong
        return word if _PLACEHOLDER.fullmatch(word) and not option.combine else _quoted(word)
    if isinstance(value, tuple):
        return f"{_quoted(value[0])}: {_plain(value[1])}"
    return _plain(value)


def _plain(value: Any) -> str:  # noqa: ANN401 - what `parse` of an option returns
    return _quoted(value) if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else repr(value)


def _quoted(word: str) -> str:
    return json.dumps(word, ensure_ascii=False)


def _unquoted(word: str) -> str:
    return word[1:-1] if word[:1] in ("'", '"') else word
