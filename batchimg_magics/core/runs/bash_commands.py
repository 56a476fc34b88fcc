"""Command lines for Linux nodes: a value is quoted for the place in the script where it stands.

Outside of quotes a value is one word. Inside of double or single quotes it is a part of that word. Where bash would
expand a value again, whatever its quotes (backticks, ``$((...))``, ``${...}``, here-documents), a column is refused.
Source: Bash Reference Manual, "Quoting", "Shell Expansions", "Here Documents".
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from batchimg_magics.core.runs.template import Reference, Token, parse_text
from batchimg_magics.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

__all__ = ["MAX_BYTES", "ScriptPart", "command_line", "copying", "render", "split_script", "split_words"]

#: The longest script in bytes. Source: Linux, execve(2): MAX_ARG_STRLEN is 32 pages, with the NUL at the end.
MAX_BYTES = 131_071
#: Text, or a reference and how its value is quoted there.
ScriptPart = str | tuple[Reference, str]
_DOUBLE_QUOTED = re.compile(r'[\\"$`]')
#: A reference to an environment variable.
_VARIABLE = re.compile(r"\$(?:[A-Za-z_]\w*|\{[A-Za-z_]\w*\})")
_QUOTES: dict[str, Callable[[str], str]] = {
    "plain": shlex.quote,
    "double": lambda text: _DOUBLE_QUOTED.sub(lambda match: f"\\{match[0]}", text),
    "single": lambda text: text.replace("'", "'\"'\"'"),
    "ansi": lambda text: f"'{shlex.quote(text)}$'",
}
_REFUSED = {
    "backtick": "in backticks: write $(...) instead",
    "arithmetic": "in arithmetic, which bash would run as a command: compute it in a program",
    "parameter": "in ${...}: assign it to a variable first",
    "here-document": "in a here-document: use the environment variable of the column there, for example $NAME",
    "backslash": "after a backslash: remove it",
    "case": "after `case` inside $(...): move `case` out of it",
}


def command_line(script: str) -> str:
    """Return the command line of a task that runs a script."""
    return f"/bin/bash -c {shlex.quote(script)}"


#: Runs a script, copies its outputs whatever became of it, and ends as the script did, or with 1 if a copy fails.
_COPYING = """(
{script}
)
batchimg_status=$?
batchimg_to="$AZ_BATCH_NODE_MOUNTS_DIR"/{folder}/"$AZ_BATCH_JOB_ID/$AZ_BATCH_TASK_ID"
cd "$AZ_BATCH_TASK_WORKING_DIR" && shopt -s globstar nullglob && mkdir -p "$batchimg_to" || exit 1
for batchimg_file in {patterns}; do
  if [ -f "$batchimg_file" ]; then cp --parents -- "$batchimg_file" "$batchimg_to" || batchimg_failed=1; fi
done
[ "$batchimg_status" -ne 0 ] || batchimg_status=${{batchimg_failed:-0}}
exit "$batchimg_status"
"""
#: What a pattern of files may have that bash expands.
_GLOB = re.compile(r"([*?\[\]]+)")


def copying(script: str, patterns: Sequence[str], folder: str) -> str:
    """Return a script that also copies files of the working directory to a mount of the node.

    Parameters
    ----------
    script
        The script.
    patterns
        Patterns of files, relative to the working directory; ``**`` is any folders.
    folder
        The folder of the mount, below `AZ_BATCH_NODE_MOUNTS_DIR`; the files are in it below the job and the task.
    """
    return _COPYING.format(script=script, folder=shlex.quote(folder), patterns=" ".join(map(_glob, patterns))).rstrip(
        "\n"
    )


def _glob(pattern: str) -> str:
    """Return a pattern for bash: nothing of it is expanded but what stands for files."""
    parts = _GLOB.split(pattern)
    return "".join(part if number % 2 else shlex.quote(part) if part else "" for number, part in enumerate(parts))


def render(parts: Sequence[ScriptPart], value_of: Callable[[Reference], str]) -> str:
    """Return a script with the values of one row."""
    return "".join(part if isinstance(part, str) else _QUOTES[part[1]](value_of(part[0])) for part in parts)


def split_words(words: Sequence[str], columns: Collection[str]) -> list[ScriptPart]:
    """Return the script of one program: each word is one argument; ``$NAME`` is a variable of the node."""
    parts: list[ScriptPart] = []
    for word in words:
        tokens = parse_text(word, columns)
        text = "".join(token if isinstance(token, str) else "\0" for token in tokens)
        variables = {place for match in _VARIABLE.finditer(text) for place in range(*match.span())}
        parts += [" "] if parts else []
        if not variables and len(tokens) == 1 and isinstance(tokens[0], Reference):
            parts.append((tokens[0], "plain"))
        elif not variables and not any(isinstance(token, Reference) for token in tokens):
            parts.append(shlex.quote(text))
        else:
            parts += ['"', *_in_double_quotes(tokens, variables), '"']
    return _joined(parts)


def _in_double_quotes(tokens: Sequence[Token], variables: set[int]) -> list[ScriptPart]:
    escape = _QUOTES["double"]
    return [
        (token, "double") if isinstance(token, Reference) else token if place in variables else escape(token)
        for place, token in enumerate(tokens)
    ]


def split_script(script: str, columns: Collection[str]) -> list[ScriptPart]:
    """Return the parts of a script.

    Raises
    ------
    SpecError
        A column stands where no quotes keep bash from expanding its value, or there is no such column.
    """
    return _joined(_Scanner(parse_text(script, columns)).parts())


def _joined(parts: Sequence[ScriptPart]) -> list[ScriptPart]:
    """Return the parts, with neighbouring texts as one."""
    found: list[ScriptPart] = []
    for part in parts:
        if isinstance(part, str) and found and isinstance(last := found[-1], str):
            found[-1] = last + part
        else:
            found.append(part)
    return found


class _Scanner:
    """Follows the quotes and the nesting of a script."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._place = 0
        self._stack = ["plain"]
        self._documents: list[tuple[str, bool]] = []
        self._word_begins = True
        self._case = False
        self._parts: list[ScriptPart] = []

    def parts(self) -> list[ScriptPart]:
        """Return the parts of the script."""
        while self._place < len(self._tokens):
            token = self._tokens[self._place]
            if isinstance(token, Reference):
                self._parts.append((token, self._quotes(token)))
                self._place += 1
                self._word_begins = False
            else:
                getattr(self, f"_in_{self._stack[-1]}")(token)
        return self._parts

    def _quotes(self, token: Reference) -> str:
        mode = self._stack[-1]
        if mode == "comment":
            return "comment"
        if self._case:  # the parenthesis of a pattern may have ended what is nested too early
            mode = "case"
        mode = "plain" if mode == "command" else mode
        if mode in _QUOTES:
            return mode
        raise _refused(token, mode)

    def _ahead(self, text: str) -> bool:
        found = self._tokens[self._place : self._place + len(text)]
        return list(text) == list(found)

    def _take(self, count: int = 1) -> None:
        taken = self._tokens[self._place : self._place + count]
        self._parts += [one for one in taken if isinstance(one, str)]
        self._place += len(taken)

    def _escape(self) -> None:
        """Take a backslash and the character after it."""
        after = self._tokens[self._place + 1 : self._place + 2]
        if after and isinstance(after[0], Reference):
            raise _refused(after[0], "backslash")
        self._take(2)

    def _open(self, mode: str, count: int = 1) -> None:
        self._take(count)
        self._stack.append(mode)

    def _close(self, count: int = 1) -> None:
        self._take(count)
        if len(self._stack) > 1:
            self._stack.pop()

    def _in_single(self, sign: str) -> None:
        self._close() if sign == "'" else self._take()

    def _in_ansi(self, sign: str) -> None:
        self._escape() if sign == "\\" else self._in_single(sign)

    def _in_backtick(self, sign: str) -> None:
        self._escape() if sign == "\\" else self._close() if sign == "`" else self._take()

    def _in_comment(self, sign: str) -> None:
        if sign == "\n":
            self._stack.pop()  # the end of the line belongs to the code around it
        else:
            self._take()

    def _in_parameter(self, sign: str) -> None:
        if sign == "\\":
            self._escape()
        elif sign == "}":
            self._close()
        elif self._ahead("${"):
            self._open("parameter", 2)
        else:
            self._take()

    def _in_arithmetic(self, sign: str) -> None:
        if sign == "(":
            self._open("arithmetic")
        elif sign == ")":
            self._close()
        else:
            self._take()

    def _in_double(self, sign: str) -> None:
        if sign == "\\":
            self._escape()
        elif sign == '"':
            self._close()
        else:
            self._expansion(sign)

    def _expansion(self, sign: str) -> None:
        """Take what is expanded in double quotes, too."""
        if sign == "`":
            self._open("backtick")
        elif self._ahead("$(("):
            self._open("arithmetic", 2)
            self._open("arithmetic")
        elif self._ahead("$("):
            self._open("command", 2)
            self._word_begins = True
        elif self._ahead("${"):
            self._open("parameter", 2)
        else:
            self._take()

    def _in_command(self, sign: str) -> None:
        if self._word_begins and self._ahead("case "):
            self._case = True
        if sign == ")":
            self._close()
            self._word_begins = False
        else:
            self._in_plain(sign)

    def _in_plain(self, sign: str) -> None:
        begins, self._word_begins = self._word_begins, sign in " \t\n;|&(<>"
        if sign == "\n":
            self._take()
            self._read_documents()
        elif sign == "\\":
            self._escape()
        elif sign == "#" and begins:
            self._open("comment")
        elif sign == "'" or self._ahead("$'"):
            self._open("ansi", 2) if sign == "$" else self._open("single")
        elif sign == '"':
            self._open("double")
        elif self._ahead("((") and begins:
            self._open("arithmetic")
            self._open("arithmetic")
        elif sign == "(":
            self._open("command")
        elif self._ahead("<<<"):
            self._take(3)
        elif self._ahead("<<"):
            self._begin_document()
        else:
            self._expansion(sign)

    def _begin_document(self) -> None:
        """Read the delimiter of a here-document, whose text begins with the next line."""
        start = self._place
        while start < len(self._tokens) and self._tokens[start] != "\n":
            start += 1
        line = self._tokens[self._place : start]
        text = "".join(one if isinstance(one, str) else "\0" for one in line)
        match = re.match(r"<<(-?)[ \t]*((?:'[^']*'|\"[^\"]*\"|\\.|[^\s;|&<>()'\"\\])+)", text)
        if match is None or "\0" in match[0]:
            reference = next((one for one in line if isinstance(one, Reference)), None)
            if reference is not None:
                raise _refused(reference, "here-document")
            self._take(2)
            return
        self._documents.append((re.sub(r"['\"\\]", "", match[2]), bool(match[1])))
        self._take(len(match[0]))

    def _read_documents(self) -> None:
        """Take the texts of the here-documents of the line that has ended."""
        for delimiter, tabs in self._documents:
            line = None
            while self._place < len(self._tokens) and line != delimiter:
                end = self._place
                while end < len(self._tokens) and self._tokens[end] != "\n":
                    end += 1
                found = self._tokens[self._place : end]
                if (reference := next((one for one in found if isinstance(one, Reference)), None)) is not None:
                    raise _refused(reference, "here-document")
                line = "".join(map(str, found))
                line = line.lstrip("\t") if tabs else line
                self._take(end - self._place + 1)
        self._documents.clear()


_QUOTES["comment"] = lambda text: re.sub(r"\s", " ", text)


def _refused(reference: Reference, mode: str) -> SpecError:
    return SpecError(
        f"{{{reference.name}}} cannot stand {_REFUSED[mode].partition(': ')[0]}", hint=_REFUSED[mode].partition(": ")[2]
    )
