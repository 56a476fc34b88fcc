r"""Command lines for Windows nodes: cmd never reads a value.

A value travels in an environment variable, quoted as programs read their arguments, and the command line has a delayed
expansion (``!NAME!``), which cmd replaces after it has parsed the line: ``%``, ``^``, ``&``, quotes and line breaks
arrive as they are. Where cmd would parse the line again, or take a character for something else, a column is refused.
Source: Microsoft, "cmd" (``/v:on``, ``/s``) and "CommandLineToArgvW".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batchimg_magics.core.runs.template import Reference, Token, parse_text
from batchimg_magics.core.runs.variables import OWN_PREFIX
from batchimg_magics.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

__all__ = ["MAX_LENGTH", "WindowsCommand", "quote_argument", "split_script", "split_words"]

#: The longest command line in characters. Source: Microsoft, "Command prompt line string limitation".
MAX_LENGTH = 8191
#: A word that neither cmd nor a program reads as anything else.
_SAFE = re.compile(r"[A-Za-z0-9_./:\\+@-]+")
#: What parses its line again: `{column}` would be lost or read as code there.
_PARSES_AGAIN = re.compile(r"(?:^|[&|(@\s])(for|call|setlocal|endlocal|start|cmd(?:\.exe)?)\s", re.IGNORECASE)


def quote_argument(text: str) -> str:
    r"""Return one argument as programs read it: in double quotes, with a backslash before each quote.

    Backslashes count only before a quote, where each is doubled. Source: Microsoft, "CommandLineToArgvW".
    """
    escaped = re.sub(r'(\\*)"', r'\1\1\\"', text)
    ends = len(escaped) - len(escaped.rstrip("\\"))
    return '"' + escaped + "\\" * ends + '"'


class WindowsCommand:
    """The command of a run for Windows nodes.

    Parameters
    ----------
    script
        What cmd reads.
    arguments
        Environment variable -> what its value is made of, before it is quoted.
    """

    def __init__(self, script: str, arguments: dict[str, list[Token]]) -> None:
        self.script = script
        self.arguments = arguments

    def line(self) -> str:
        """Return the command line; it is the same for every row."""
        option = "/v:on " if self.arguments else ""
        return f'cmd {option}/s /c "{self.script}"'

    def variables(self, value_of: Callable[[Reference], str]) -> dict[str, str]:
        """Return the variables of one row."""
        return {
            name: quote_argument("".join(part if isinstance(part, str) else value_of(part) for part in parts))
            for name, parts in self.arguments.items()
        }


def split_words(words: Sequence[str], columns: Collection[str]) -> WindowsCommand:
    """Return the command of one program: each word is one argument; what cmd could read travels in a variable."""
    arguments: dict[str, list[Token]] = {}
    shown = []
    for number, word in enumerate(words):
        tokens = parse_text(word, columns)
        text = "".join(part if isinstance(part, str) else "\0" for part in tokens)
        if _SAFE.fullmatch(text) and not (number and text.startswith("/")):
            shown.append(text)
        else:
            name = f"{OWN_PREFIX}ARGUMENT_{number}"
            arguments[name] = tokens
            shown.append(f"!{name}!")
    return WindowsCommand(" ".join(shown), arguments)


def split_script(script: str, columns: Collection[str]) -> WindowsCommand:
    """Return the command of a script: its lines one after the other, whatever the outcome of the one before.

    Raises
    ------
    SpecError
        A column stands where cmd would read its value, or there is no such column.
    """
    arguments: dict[str, list[Token]] = {}
    lines = [line.strip() for line in script.splitlines()]
    shown = [_line(line, columns, arguments) for line in lines if line and not _is_comment(line)]
    text = " & ".join(shown)
    if arguments and (found := re.search(r"[\^!]", re.sub(rf"!{OWN_PREFIX}ARGUMENT_\d+!", "", text))):
        raise SpecError(
            f"on Windows, {found[0]} cannot stand in a script with {{column}}",
            hint="cmd reads it as an escape there; put that line into a batch file of the image",
        )
    return WindowsCommand(text, arguments)


def _is_comment(line: str) -> bool:
    return line.startswith("::") or line.lower().split()[0] in ("rem", "@rem")


def _line(line: str, columns: Collection[str], arguments: dict[str, list[Token]]) -> str:
    tokens = parse_text(line, columns)
    references = [part for part in tokens if isinstance(part, Reference)]
    if line.endswith("(") or line.startswith(")"):
        raise SpecError(
            "on Windows, a script has no blocks in parentheses over several lines",
            hint="write the block in one line, or put it into a batch file of the image",
        )
    if not references:
        return "".join(part for part in tokens if isinstance(part, str))
    text = "".join(part if isinstance(part, str) else "\0" for part in tokens)
    again = _PARSES_AGAIN.search(text)
    if again or re.search(r"(?<!\|)\|(?!\|)", text):
        raise SpecError(
            f"on Windows, {{{references[0].name}}} cannot stand in a line with {again[1] if again else '|'}",
            hint="cmd reads such a line twice; put it into a batch file of the image, which gets %NAME%",
        )
    return _with_variables(tokens, arguments)


#: What ends a word for cmd, or is expanded by it.
_ENDS_WORD = frozenset(' \t&|<>()%;,"')


def _with_variables(tokens: Sequence[Token], arguments: dict[str, list[Token]]) -> str:
    """Return a line with one variable for each word that has a column: the rest of the word is in its value."""
    shown, quoted, word = "", False, list[Token]()
    for part in [*tokens, " "]:
        if isinstance(part, Reference) and quoted:
            raise SpecError(
                f"on Windows, {{{part.name}}} cannot stand in double quotes", hint="remove them: it has its own"
            )
        if isinstance(part, Reference) or (part not in _ENDS_WORD and not quoted):
            word.append(part)
            continue
        reference = next((one for one in word if isinstance(one, Reference)), None)
        if reference is not None and '"' in (part, shown[-1:]):
            raise SpecError(
                f"on Windows, {{{reference.name}}} cannot stand beside double quotes", hint="it has its own quotes"
            )
        shown += _variable(word, arguments) if reference is not None else "".join(map(str, word))
        shown += part
        word = []
        quoted ^= part == '"'
    return shown[:-1]


def _variable(word: list[Token], arguments: dict[str, list[Token]]) -> str:
    name = next((name for name, parts in arguments.items() if parts == word), f"{OWN_PREFIX}ARGUMENT_{len(arguments)}")
    arguments[name] = word
    return f"!{name}!"
