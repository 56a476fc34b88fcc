"""What a verb and an option are, how their words are read, and the options that several verbs have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from batchimg_magics.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = [
    "DRY_RUN",
    "JSON",
    "NAME",
    "NAMES",
    "NODES",
    "NO_WAIT",
    "PROFILE",
    "RESIZE_TIMEOUT",
    "SPOT",
    "UNTIL",
    "YES",
    "Option",
    "Verb",
    "combine_names",
    "parse_count",
    "parse_integer",
    "parse_number",
    "parse_replica",
    "parse_share",
    "read_text_file",
    "read_text_or_file",
]

#: What completion offers for a value: what `Session.names` knows, files, or the verbs themselves.
CompletionKind = Literal["", "checkable", "pool", "vm", "vm_size", "profile", "file", "verb"]


@dataclass(frozen=True, slots=True)
class Option:
    """One option or argument of a verb.

    Parameters
    ----------
    flag
        ``--vm-size``; an argument that stands by its place has no dashes.
    help
        What it says, in one line.
    metavar
        What stands for its value in help; empty for a switch, which takes none.
    read
        From the word on the line to the value. Raises `ValueError` with what is wrong.
    words
        The only values that it takes, if there are only some.
    offer
        What completion offers.
    dest
        The keyword of the `Session` method; by default the flag's own name.
    const
        What a switch says.
    gather
        Makes one value of the values of an option that may be given several times, or of an argument's words.
    optional
        For an argument: it may be left out.
    """

    flag: str
    help: str
    metavar: str = ""
    parse: Callable[[str], Any] = str
    choices: tuple[str, ...] = ()
    completion: CompletionKind = ""
    dest: str = ""
    const: bool = True
    combine: Callable[[Iterable[Any]], Any] | None = None
    optional: bool = False

    @property
    def is_positional(self) -> bool:
        """Whether it stands by its place, without dashes."""
        return not self.flag.startswith("-")

    @property
    def keyword(self) -> str:
        """The keyword of the `Session` method."""
        return self.dest or self.flag.lstrip("-").replace("-", "_")

    @property
    def usage(self) -> str:
        """How it is written on a line."""
        if self.is_positional:
            return f"[{self.metavar}]" if self.optional else f"{self.metavar} ..." if self.combine else self.metavar
        return f"{self.flag} {self.metavar}" if self.metavar else self.flag

    def value(self, word: str) -> Any:  # noqa: ANN401 - what it is, each option's `read` knows
        """Read a word on the line.

        Raises
        ------
        SpecError
            It is not among the words, or `read` does not take it.
        """
        if self.choices and word not in self.choices:
            raise SpecError(f"{self.flag} is {word!r}", hint=f"it is one of: {', '.join(self.choices)}")
        try:
            return self.parse(word)
        except ValueError as error:
            raise SpecError(f"{self.flag} is {word!r}: {error}", hint=f"it reads {self.usage}") from error


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb.

    Parameters
    ----------
    name
        The verb.
    does
        What it does, in one line.
    options
        Its arguments and options, in the order of help.
    examples
        Lines without ``%batchimg``.
    takes_body
        Whether a cell's body (YAML) belongs to it.
    """

    name: str
    summary: str
    options: tuple[Option, ...] = ()
    examples: tuple[str, ...] = ()
    takes_body: bool = False

    @property
    def usage(self) -> str:
        """How it is used, in short."""
        parts = [self.name, *(option.usage for option in self.options if option.is_positional)]
        if any(not option.is_positional for option in self.options):
            parts.append("[options]")
        return " ".join(parts)


def parse_count(word: str) -> int:
    """Read a number of things.

    Upper bounds belong to the spec and to the session, which see what the count is of.
    """
    if not word.removeprefix("-").isdecimal():
        raise ValueError("a count is a whole number")
    if word.startswith("-"):
        raise ValueError("a count is 0 or more")
    return int(word)


def parse_integer(word: str) -> int:
    """Read a whole number."""
    try:
        return int(word)
    except ValueError:
        raise ValueError("it is a whole number") from None


def parse_number(word: str) -> float:
    """Read a number."""
    try:
        return float(word)
    except ValueError:
        raise ValueError("it is a number") from None


def parse_share(word: str) -> float:
    """Read a share: ``0.05`` or ``5%``."""
    return parse_number(word.removesuffix("%")) / (100 if word.endswith("%") else 1)


def parse_replica(word: str) -> tuple[str, int]:
    """Read ``REGION=N``."""
    region, equals, number = word.rpartition("=")
    if not equals or not region:
        raise ValueError("a region and a number belong here")
    return region, parse_count(number)


def combine_names(words: Iterable[str]) -> str | tuple[str, ...]:
    """Return the one name that was given, or all of them."""
    given = tuple(words)
    return given[0] if len(given) == 1 else given


def read_text_file(path: str) -> str:
    """Read a file of text."""
    from pathlib import Path

    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(getattr(error, "strerror", None) or "the file is not text") from error


def read_text_or_file(word: str) -> str:
    """Read a text, or ``@FILE`` that has it."""
    return read_text_file(word[1:]) if word.startswith("@") else word


NAME = Option("name", "the pool's name", metavar="NAME", completion="pool")
NAMES = Option(
    "name",
    "a pool's name, or a pattern such as 'sim-*'; several may follow",
    metavar="NAME",
    completion="pool",
    combine=combine_names,
)
NODES = Option("--nodes", "how many dedicated nodes", metavar="N", parse=parse_count)
SPOT = Option("--spot", "how many spot nodes (cheaper; Azure may take them back)", metavar="N", parse=parse_count)
RESIZE_TIMEOUT = Option(
    "--timeout", "resize timeout of Azure's, e.g. 30m; at least 5m, by default as the size needs", metavar="DURATION"
)
YES = Option("--yes", "really do it, on a real connection")
DRY_RUN = Option("--dry-run", "only show what would be done")
UNTIL = Option(
    "--until",
    "ready: wait until the nodes are idle or running (default); steady: only until they are allocated",
    metavar="STATE",
    choices=("ready", "steady"),
)
NO_WAIT = Option("--no-wait", "return at once; the notebook's kernel goes on with the work", dest="wait", const=False)
PROFILE = Option("--profile", "connect as `connect --save-as NAME` saved it", metavar="NAME", completion="profile")
JSON = Option("--json", "print the rows as JSON, for machines")
