"""From a line to a verb and its options: argparse splits, the table of verbs says what each word means."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NoReturn

from batchimg_magics.errors import SpecError
from batchimg_magics.ui.verbs import VERBS, Option, Verb

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from batchimg_magics.core.base.table import Table

__all__ = ["HelpRequested", "ParsedLine", "help_table", "parse_line", "split_line", "verbs_overview"]


@dataclass(frozen=True, slots=True)
class ParsedLine:
    """What a line asks for.

    Parameters
    ----------
    verb
        The verb.
    options
        Keywords of the `Session` method; only those that were given.
    shared
        Options of the door itself, e.g. ``json``; only those that were given.
    """

    verb: Verb
    options: dict[str, Any]
    shared: dict[str, Any]


class HelpRequested(Exception):  # noqa: N818 - no error: the way out of argparse with the text that was asked for
    """Somebody wrote ``-h``; the exception's text is the help."""


class _Parser(argparse.ArgumentParser):
    """A parser that raises our errors instead of printing and leaving the process."""

    def __init__(self, options: Iterable[Option], hint: str = "", **settings: Any) -> None:
        super().__init__(**settings, add_help=False, allow_abbrev=False)
        self.color = False  # Python 3.14 would colour help by the terminal of the server, not the reader's
        self._hint = hint
        for option in options:
            _add(self, option)

    def error(self, message: str) -> NoReturn:
        raise SpecError(message.removeprefix("argument "), hint=self._hint)


class _Help(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        raise HelpRequested(parser.format_help())


def _add(parser: argparse.ArgumentParser, option: Option) -> None:
    help_text = option.help.replace("%", "%%")  # argparse formats it
    settings: dict[str, Any] = {"default": argparse.SUPPRESS, "help": help_text}
    if not option.is_positional:
        settings["dest"] = option.keyword
    if not option.metavar:
        settings |= {"action": "store_const", "const": option.const}
    else:
        settings["metavar"] = option.metavar
        if option.combine:
            settings |= {"nargs": "+"} if option.is_positional else {"action": "append"}
    if option.optional:
        settings["nargs"] = "?"
    parser.add_argument(option.flag, **settings)


@cache
def _parser(prog: str, name: str) -> _Parser:
    verb = find_verb(name)
    usage = f"{prog} {verb.usage}"
    parser = _Parser(
        verb.options,
        hint=f"usage: {usage}",
        usage=usage.replace("%", "%%"),  # argparse formats it
        description=f"{verb.summary[0].upper()}{verb.summary[1:]}.",
        epilog="\n".join(["examples:", *(f"  {prog} {line}" for line in verb.examples)]),
        formatter_class=partial(argparse.RawDescriptionHelpFormatter, width=100, max_help_position=28),
    )
    parser.add_argument("-h", "--help", action=_Help, nargs=0, default=argparse.SUPPRESS, help="show this")
    return parser


def find_verb(name: str) -> Verb:
    """Return the verb of that name.

    Raises
    ------
    SpecError
        There is none; the nearest is named.
    """
    for verb in VERBS:
        if verb.name == name:
            return verb
    raise SpecError(f"there is no verb {name!r}", hint=_suggest_name(name, (verb.name for verb in VERBS)))


def _suggest_name(word: str, known: Iterable[str]) -> str:
    # Only now: the spec's room brings pydantic along.
    from batchimg_magics.pool_spec.values import suggest_name

    return suggest_name(word, known)


def split_line(line: str) -> list[str]:
    """Split a line into words. Quotes group; a backslash is a backslash, as Windows' paths need it.

    Raises
    ------
    SpecError
        A quote is not closed.
    """
    lexer = shlex.shlex(line, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.escape = ""
    lexer.commenters = ""
    try:
        return list(lexer)
    except ValueError as error:
        raise SpecError("a quote is not closed", hint=f"in: {line.strip()}") from error


def parse_line(words: Sequence[str], *, prog: str = "%batchimg", shared: tuple[Option, ...] = ()) -> ParsedLine:
    """Read a line.

    Parameters
    ----------
    words
        The verb and what follows it. No words at all ask for help.
    prog
        How the door is called, for usage lines.
    shared
        Options of the door, which may stand before the verb or after it.

    Raises
    ------
    SpecError
        The verb, an option or a value makes no sense.
    HelpAsked
        The line has ``-h``.
    """
    given, rest = _Parser(shared, hint=f"usage: {prog} VERB ...").parse_known_args(list(words))
    name, *others = rest or ["help"]
    if name in ("-h", "--help"):
        raise HelpRequested(verbs_overview(prog))
    verb = find_verb(name)
    verb_arguments, extra = _parser(prog, name).parse_known_args(others)
    if extra:
        raise _unexpected_argument_error(extra, verb, prog)
    # An option that the door and the verb share (connect --profile) is the verb's.
    options = _read_options(verb.options, vars(given) | vars(verb_arguments))
    return ParsedLine(
        verb,
        options,
        {name: value for name, value in _read_options(shared, vars(given)).items() if name not in options},
    )


def _unexpected_argument_error(extra: list[str], verb: Verb, prog: str) -> SpecError:
    dashed = [word for word in extra if word.startswith("-")]
    if not dashed:
        return SpecError(f"{extra[0]!r} is one word too many", hint=f"usage: {prog} {verb.usage}")
    flags = [option.flag for option in verb.options if not option.is_positional]
    word = dashed[0].partition("=")[0]
    return SpecError(f"{verb.name} has no option {word}", hint=_suggest_name(word, flags))


def _read_options(options: Iterable[Option], given: dict[str, Any]) -> dict[str, Any]:
    read: dict[str, Any] = {}
    for option in options:
        if option.keyword not in given:
            continue
        word = given[option.keyword]
        if not option.metavar:
            read[option.keyword] = word
        elif option.combine:
            read[option.keyword] = option.combine(option.value(one) for one in word)
        else:
            read[option.keyword] = option.value(word)
    return read


def verbs_overview(prog: str = "%batchimg") -> str:
    """Return the verbs with one line each, as text."""
    width = max(len(verb.usage) for verb in VERBS)
    lines = [f"  {verb.usage:<{width}}  {verb.summary}" for verb in VERBS]
    return "\n".join([f"usage: {prog} VERB ...", "", *lines, "", f"{prog} VERB -h shows a verb's options.", ""])


def help_table(about: str | None = None, prog: str = "%batchimg") -> Table:
    """Return the verbs, or one verb and its options, as a table.

    Raises
    ------
    SpecError
        There is no such verb.
    """
    from batchimg_magics.core.base.table import Table

    if about is None:
        rows = [{"verb": verb.name, "does": verb.summary, "line": f"{prog} {verb.usage}"} for verb in VERBS]
        return Table.from_rows("help", rows, f"the verbs; {prog} VERB -h shows one")
    verb = find_verb(about)
    rows = [{"verb": verb.name, "does": verb.summary, "line": f"{prog} {verb.usage}"}]
    rows += [{"verb": verb.name, "does": option.help, "line": option.usage} for option in verb.options]
    return Table.from_rows("help", rows, f"{verb.name}: {verb.summary}")
