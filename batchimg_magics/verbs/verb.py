"""What a verb and an option are, how option values are parsed, and the options that many verbs share."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.words import UNTIL_STATES, decode_text, read_share

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.base.table import Table

__all__ = [
    "DRY_RUN",
    "JSON",
    "NAME",
    "NAMES",
    "NODES",
    "NO_WAIT",
    "OUTPUT",
    "PROFILE",
    "RESIZE_TIMEOUT",
    "SHARED",
    "SPOT",
    "UNTIL",
    "Option",
    "Verb",
    "VerbCall",
    "check_choice",
    "combine_names",
    "parse_count",
    "parse_integer",
    "parse_number",
    "parse_pair",
    "parse_replica",
    "parse_share",
    "read_text_file",
    "read_text_or_file",
]

#: The work of a verb whose options are valid; it reports its progress on the board.
VerbCall: TypeAlias = Callable[["Board"], Coroutine[Any, Any, "Table"]]
#: What completion offers for a value: what `Session.names` knows, files, or the verbs themselves.
CompletionKind = Literal[
    "",
    "checkable",
    "image",
    "pool",
    "vm",
    "vm_size",
    "profile",
    "cloud",
    "file",
    "verb",
    "rule",
    "node",
    "where",
    "run",
]


@dataclass(frozen=True, slots=True)
class Option:
    """One option or argument of a verb.

    Parameters
    ----------
    flag
        ``--vm-size``; a positional argument has no dashes.
    help
        The help text, in one line.
    metavar
        The placeholder of its value in help; empty for a switch, which takes no value.
    parse
        From the word on the line to the value. Raises `ValueError` with the reason.
    choices
        The allowed values, if they are limited.
    completion
        What completion offers.
    dest
        The keyword of the `Session` method; by default the name of the flag.
    const
        The value of a switch.
    combine
        Makes one value of all values, for an option that can be repeated or an argument of several words.
    optional
        For a positional argument: whether it can be omitted.
    annotation
        The type of the keyword in Python, where it differs from the type of the value on a line.
    is_table
        Whether its value can be a DataFrame of the notebook, given by the name of a variable.
    is_code
        Whether its value is a command line or a formula, in which ``$`` has a meaning of its own.
    short
        A short form with one dash.
    told_by
        The option whose file has its value; the argument can be omitted beside it.
    describe
        Returns the allowed values with a description of each, for help and completion; read only when it is needed.
    implied
        The value of an option without a value on the line; its other values are paths that begin with a slash.
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
    annotation: str = ""
    implied: str = ""
    is_table: bool = False
    is_code: bool = False
    short: str = ""
    told_by: str = ""
    describe: Callable[[], Mapping[str, str]] | None = None

    @property
    def is_positional(self) -> bool:
        """Whether it is an argument without dashes."""
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
        value = f"[{self.metavar}]" if self.implied else self.metavar
        return f"{self.flag} {value}" if value else self.flag

    @property
    def full_help(self) -> str:
        """The help text; it tells what holds without the option."""
        said = any(word in self.help for word in ("default", "required", "repeat"))
        if said or not self.metavar or self.is_positional or self.flag.startswith("--from-"):
            return self.help
        return f"{self.help} (default: not set)"

    def value(self, word: str) -> Any:  # noqa: ANN401 - its type depends on `parse`
        """Parse a word on the line.

        Raises
        ------
        SpecError
            It is not among the choices, or `parse` rejects it.
        """
        if self.choices and word not in self.choices:
            raise SpecError(f"{self.flag} is {word!r}", hint=f"it is one of: {', '.join(self.choices)}")
        try:
            return self.parse(word)
        except ValueError as error:
            raise SpecError(f"{self.flag} is {word!r}: {error}", hint=f"expected {self.usage}") from error


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb.

    Parameters
    ----------
    name
        The verb.
    summary
        What it does, in one line.
    options
        Its arguments and options, in the order of help.
    examples
        Lines without ``%batchimg``.
    start
        Validates the options and returns the work; None where a front end or the session itself runs the verb.
    returns, raises
        The rows that it returns, and its errors with their reasons, for the docstring of the `Session` method.
    takes_body
        Whether the body of a cell (YAML) is its input; it then takes all fields of `PoolSpec`.
    text_body
        The option whose value can be the body of a cell instead, as it is.
    words_after_dashes
        The option whose value is the words after ``--``, as they are.
    changes
        Whether it changes a pool: such verbs run one at a time per pool.
    complete
        Returns the options with those that a file among them has, for example the name of the pool.
    extra_tables
        Further schemas that it can return, each with the text that introduces it on the reference page.
    """

    name: str
    summary: str
    options: tuple[Option, ...] = ()
    examples: tuple[str, ...] = ()
    start: Callable[..., VerbCall] | None = None
    returns: str = ""
    raises: tuple[tuple[str, str], ...] = ()
    takes_body: bool = False
    text_body: str = ""
    words_after_dashes: str = ""
    changes: bool = False
    complete: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    extra_tables: tuple[tuple[str, str], ...] = ()

    @property
    def method(self) -> str:
        """The name of the `Session` method."""
        return self.name.replace("-", "_")

    @property
    def usage(self) -> str:
        """The usage line."""
        parts = [self.name, *(option.usage for option in self.options if option.is_positional)]
        if any(not option.is_positional for option in self.options):
            parts.append("[options]")
        if self.words_after_dashes:
            parts.append("-- COMMAND ...")
        return " ".join(parts)


def check_choice(word: str, option: str, allowed: tuple[str, ...]) -> str:
    """Return the word if it is allowed.

    Raises
    ------
    SpecError
        It is not allowed; the hint names the nearest allowed word.
    """
    if word not in allowed:
        from batchimg_magics.pool_spec.values import suggest_name

        raise SpecError(f"{option} is {word!r}", hint=suggest_name(word, allowed))
    return word


def parse_count(word: str) -> int:
    """Parse a count; upper limits are checked where it is known what is counted."""
    try:
        # As Python writes numbers: 1000000, 1_000_000, 1e6.
        number = int(word) if "e" not in word.lower() else float(word)
        count = int(number)
    except (ValueError, OverflowError):
        count = number = -1
    if count != number or count < 0 or not word.strip()[:1].isdecimal():
        raise ValueError("N is not an integer of 0 or more")
    return count


def parse_integer(word: str) -> int:
    """Parse a whole number."""
    try:
        return int(word)
    except ValueError:
        raise ValueError("it is not an integer") from None


def parse_number(word: str) -> float:
    """Parse a number."""
    try:
        return float(word)
    except ValueError:
        raise ValueError("it is not a number") from None


def parse_share(word: str) -> float:
    """Parse a share: ``0.05`` or ``5%``."""
    try:
        return read_share(word)
    except ValueError:
        raise ValueError("it is not a number") from None


def parse_pair(word: str) -> tuple[str, str]:
    """Read ``NAME=VALUE``."""
    name, equals, value = word.partition("=")
    if not equals or not name:
        raise ValueError("it is not a name and a value")
    return name, value


def parse_replica(word: str) -> tuple[str, int]:
    """Parse ``REGION=N``."""
    region, equals, number = word.rpartition("=")
    if not equals or not region:
        raise ValueError("it is not a region and a number")
    return region, parse_count(number)


def combine_names(words: Iterable[str]) -> str | tuple[str, ...]:
    """Return the name if there is one, otherwise all names."""
    given = tuple(words)
    return given[0] if len(given) == 1 else given


def read_text_file(path: str) -> str:
    """Read a text file in UTF-8, or in UTF-16 as PowerShell writes it; its size is limited."""
    from pathlib import Path

    from batchimg_magics.core.base.files import MAX_BYTES, read_bytes

    try:
        content = read_bytes(Path(path))
        if content is None:
            raise ValueError(f"the file is larger than {MAX_BYTES:,} bytes")
        return decode_text(content)
    except UnicodeDecodeError as error:
        raise ValueError("the file is not text") from error
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from error


def read_text_or_file(word: str) -> str:
    """Return the text, or the content of the file for ``@FILE``."""
    return read_text_file(word[1:]) if word.startswith("@") else word


NAME = Option("name", "Name of the pool", metavar="NAME", completion="pool")
NAMES = Option(
    "name",
    "Name of a pool, or a pattern such as 'sim-*'; several can be given",
    metavar="NAME",
    completion="pool",
    combine=combine_names,
)
NODES = Option(
    "--nodes",
    "Set the number of dedicated nodes (default: 0 for a new pool, otherwise unchanged)",
    metavar="N",
    parse=parse_count,
)
SPOT = Option(
    "--spot",
    "Set the number of Spot nodes, which Azure can evict (default: 0 for a new pool, otherwise unchanged)",
    metavar="N",
    parse=parse_count,
)
RESIZE_TIMEOUT = Option(
    "--timeout",
    "Set the Azure resizeTimeout per attempt; no effect with --ttl (default: by pool size; minimum 5m)",
    metavar="DURATION",
)
DRY_RUN = Option("--dry-run", "Show what would be done, without changing anything")
UNTIL = Option(
    "--until",
    "Wait until the nodes are ready (idle or running, default) or the pool is steady (nodes allocated)",
    metavar="STATE",
    choices=UNTIL_STATES,
)
NO_WAIT = Option(
    "--no-wait", "Return immediately; the work continues in the kernel of the notebook", dest="wait", const=False
)
PROFILE = Option(
    "--profile", "Use the connection that `connect --save-as NAME` saved", metavar="NAME", completion="profile"
)
OUTPUT = Option(
    "--output",
    "Set the output format: table (default), json, or tsv (tab-separated values without a header)",
    metavar="FORMAT",
    choices=("table", "json", "tsv"),
    dest="output_format",
    short="-o",
)
JSON = Option("--json", "Print the rows as JSON, as --output json does")
#: The options of every command on the command line.
SHARED = (OUTPUT, JSON, PROFILE)
