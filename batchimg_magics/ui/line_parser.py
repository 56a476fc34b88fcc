"""Parse a line into a verb and its options: argparse splits it, and the entries of `verbs` define each word."""

from __future__ import annotations

import argparse
import textwrap
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NoReturn

from batchimg_magics.errors import SpecError
from batchimg_magics.ui import line_words
from batchimg_magics.ui.help_text import text_width, verbs_overview, version_text
from batchimg_magics.verbs import renamed
from batchimg_magics.verbs.grouped_options import group_options
from batchimg_magics.verbs.registry import VERB_NAMES, load_verb, unknown_verb_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from batchimg_magics.verbs.verb import Option, Verb

__all__ = ["HelpRequested", "ParsedLine", "parse_line", "split_line"]


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
        Options of the front end itself, e.g. ``json``; only those that were given.
    """

    verb: Verb
    options: dict[str, Any]
    shared: dict[str, Any]


class HelpRequested(Exception):  # noqa: N818 - not an error: the way out of argparse with the help text
    """The line has ``-h`` or ``--version``; the text of the exception is the answer."""


class _Parser(argparse.ArgumentParser):
    """A parser that raises `SpecError` instead of printing and exiting."""

    def __init__(self, options: Sequence[Option], hint: str = "", **settings: Any) -> None:
        super().__init__(**settings, add_help=False, allow_abbrev=False)
        self._described = [option for option in options if option.describe]
        self.color = False  # Python 3.14 would colour help by the terminal of the server, not the reader's
        self._hint = hint
        for option in options:
            if option.is_positional:
                _add(self, option)
        for title, grouped in group_options(tuple(options)).items():
            group = self.add_argument_group(title)
            for option in grouped:
                _add(group, option)

    def format_help(self) -> str:
        """Return the help, with the values of options that have descriptions."""
        listed = [_described_values(option) for option in self._described]
        return "\n".join([super().format_help(), *listed])

    def error(self, message: str) -> NoReturn:
        raise SpecError(message.removeprefix("argument "), hint=self._hint)


def _described_values(option: Option) -> str:
    values = option.describe() if option.describe else {}
    width = max(map(len, values), default=0)
    return "\n".join([f"{option.usage}:", *(f"  {name:<{width}}  {text}" for name, text in values.items()), ""])


class _Help(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        raise HelpRequested(parser.format_help())


def _add(parser: argparse._ActionsContainer, option: Option) -> None:
    help_text = option.full_help.replace("%", "%%")  # argparse formats it
    settings: dict[str, Any] = {"default": argparse.SUPPRESS, "help": help_text}
    if not option.is_positional:
        settings["dest"] = option.keyword
    if not option.metavar:
        settings |= {"action": "store_const", "const": option.const}
    else:
        settings["metavar"] = option.metavar
        if option.combine:
            settings |= {"nargs": "+"} if option.is_positional else {"action": "append"}
    if option.optional or option.told_by:
        settings["nargs"] = "?"
    parser.add_argument(*([option.short] if option.short else []), option.flag, **settings)


@cache
def _parser(prog: str, name: str, shared: tuple[Option, ...] = ()) -> _Parser:
    verb = load_verb(name)
    usage = f"{prog} {verb.usage}"
    parser = _Parser(
        verb.options,
        hint=f"usage: {usage}",
        usage=usage.replace("%", "%%"),  # argparse formats it
        description=textwrap.fill(f"{verb.summary}.", text_width()),
        epilog="\n".join(["examples:", *(f"  {prog} {line}" for line in verb.examples)]),
        formatter_class=partial(argparse.RawDescriptionHelpFormatter, width=text_width(), max_help_position=28),
    )
    if shared:
        group = parser.add_argument_group("options of every command")  # for help: they are read before
        for option in shared:
            _add(group, option)
    parser.add_argument("-h", "--help", action=_Help, nargs=0, default=argparse.SUPPRESS, help="Show this help")
    return parser


def _suggest_name(word: str, known: Iterable[str]) -> str:
    from batchimg_magics.pool_spec.values import suggest_name  # only an error needs it

    return suggest_name(word, known)


def split_line(line: str) -> list[str]:
    """Split a line into words, without replacing variables.

    Raises
    ------
    SpecError
        A quote is not closed.
    """
    return [word.source for word in line_words.split_line(line).words]


def parse_line(
    words: Sequence[str],
    *,
    prog: str = "%batchimg",
    shared: tuple[Option, ...] = (),
    commands: tuple[tuple[str, str], ...] = (),
    epilog: str = "",
) -> ParsedLine:
    """Parse a line.

    Parameters
    ----------
    words
        The verb and its words. Without any word, the verb is ``help``.
    prog
        The name of the front end, for usage lines.
    shared
        Options of the front end, which can be before or after the verb.
    commands
        Usage and summary of the commands that only the front end has, for the list of verbs.
    epilog
        Text for the end of that list.

    Raises
    ------
    SpecError
        The verb, an option or a value is not valid.
    HelpRequested
        The line has ``-h`` or ``--version``.
    """
    hint = f"usage: {prog} VERB ..."
    before = list(words)[: list(words).index("--")] if "--" in words else list(words)
    _, rest = _Parser(shared, hint=hint).parse_known_args(before)
    name = rest[0] if rest else "help"
    if name in ("-h", "--help"):
        raise HelpRequested(verbs_overview(prog, commands, shared, epilog))
    if name in ("-V", "--version"):
        raise HelpRequested(version_text())
    if name not in (*VERB_NAMES, *renamed.VERBS):
        raise unknown_verb_error(name, tuple(dict.fromkeys(usage.split()[0] for usage, _ in commands)))
    verb = load_verb(name)
    shared = _shared_beside(verb, shared)
    words, after = _split_dashes(verb, words)
    given, rest = _Parser(shared, hint=hint).parse_known_args(list(words))
    others = rest[1:]
    verb_arguments, extra = _parser(prog, name, shared).parse_known_args(_with_implied_values(verb, others))
    if extra:
        raise _unexpected_argument_error(extra, verb, prog)
    # An option that the front end and the verb share (connect --profile) belongs to the verb.
    options = _read_options(verb.options, vars(given) | vars(verb_arguments))
    if after is not None:
        if verb.words_after_dashes in options:
            raise SpecError(f"--{verb.words_after_dashes} and -- cannot be combined", hint="use one of them")
        options[verb.words_after_dashes] = after
    return ParsedLine(
        verb,
        options,
        {name: value for name, value in _read_options(shared, vars(given)).items() if name not in options},
    )


def _split_dashes(verb: Verb, words: Sequence[str]) -> tuple[Sequence[str], tuple[str, ...] | None]:
    """Return the words before ``--`` and those after it, of a verb that takes a command; None: there is none."""
    if not verb.words_after_dashes or "--" not in words:
        return words, None
    place = list(words).index("--")
    return words[:place], tuple(words[place + 1 :])


def _shared_beside(verb: Verb, shared: tuple[Option, ...]) -> tuple[Option, ...]:
    """Return the options of the front end; where the verb has one of that name, the short form is left, or nothing."""
    flags = {option.flag for option in verb.options}
    beside = (replace(one, flag=one.short, short="") if one.flag in flags else one for one in shared)
    return tuple(one for one in beside if one.flag)


def _with_implied_values(verb: Verb, words: list[str]) -> list[str]:
    """Return the words, with the value of options that stand without one: argparse would take the next word."""
    implied = {option.flag: option.implied for option in verb.options if option.implied}
    return [
        f"{word}={implied[word]}" if word in implied and not following.startswith("/") else word
        for word, following in zip(words, [*words, ""][1:], strict=True)
    ]


def _unexpected_argument_error(extra: list[str], verb: Verb, prog: str) -> SpecError:
    dashed = [word for word in extra if word.startswith("-")]
    if not dashed:
        return SpecError(f"unexpected argument {extra[0]!r}", hint=f"usage: {prog} {verb.usage}")
    flags = [option.flag for option in verb.options if not option.is_positional]
    word = dashed[0].partition("=")[0]
    if renamed.OPTIONS.get(word) in flags:
        return SpecError(f"{verb.name} {word} was renamed to {renamed.OPTIONS[word]}")
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
