"""What the words of a shell script stand for: variables, substitutions, arithmetic, and names of files."""

from __future__ import annotations

import ast
import fnmatch
import operator
import re
from typing import TYPE_CHECKING

from batchimg_magics.emulator.compute.guest.scripts import ScriptEndsError, UnsupportedLineError
from batchimg_magics.emulator.compute.guest.shell_base import ENVIRONMENT
from batchimg_magics.emulator.compute.guest.shell_words import parse_double_quoted

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.emulator.compute.guest.shell_base import ShellBase
    from batchimg_magics.emulator.compute.guest.shell_words import Part, Word

_GLOB = re.compile(r"[*?\[]")


def expand(shell: ShellBase, word: Word) -> list[str]:
    """Return the words that a word stands for: unquoted substitutions are split, and patterns are names of files."""
    found: list[_Field] = []
    current: _Field | None = None
    for part in word:
        if part.kind == "variable" and part.value == "@" and part.quoted and not part.operator:
            current = _all_parameters(shell, found, current)
            continue
        text = _value(shell, part)
        if part.kind == "text" or part.quoted:
            current = (current or _Field()).add(text, plain=not part.quoted)
            continue
        pieces = _split(shell, text)
        if pieces and pieces[0] == "" and current is not None:  # it begins with a separator
            found.append(current)
            current = None
        pieces_left = [one for one in pieces if one]
        for number, piece in enumerate(pieces_left):
            if number and current is not None:
                found.append(current)
                current = None
            current = (current or _Field()).add(piece, plain=True)
        if pieces_left and pieces[-1] == "" and current is not None:
            found.append(current)
            current = None
    if current is not None:
        found.append(current)
    return [name for field in found for name in field.names(shell)]


class _Field:
    """A word that is put together: its text, and its pattern, in which what was quoted stands for itself."""

    def __init__(self) -> None:
        self.text = self.pattern = ""

    def add(self, text: str, *, plain: bool) -> _Field:
        self.text += text
        self.pattern += text if plain else re.sub(r"([*?\[])", r"[\1]", text)
        return self

    def names(self, shell: ShellBase) -> list[str]:
        """Return the names of files that it matches, or the word itself."""
        if self.pattern == self.text and not _GLOB.search(self.text):
            return [self.text]
        if not _GLOB.search(re.sub(r"\[[*?\[]\]", "", self.pattern)):
            return [self.text]
        return matching_paths(shell, self.pattern) or [self.text]


def _all_parameters(shell: ShellBase, found: list[_Field], current: _Field | None) -> _Field | None:
    """Add ``"$@"``: each parameter is a word of its own."""
    for number, one in enumerate(shell.parameters[1:]):
        if number and current is not None:
            found.append(current)
            current = None
        current = (current or _Field()).add(one, plain=False)
    return current


def _split(shell: ShellBase, text: str) -> list[str]:
    separators = shell.variables.get("IFS", " \t\n")
    if not separators:
        return [text]
    blanks = "".join(one for one in separators if one.isspace())
    if blanks == separators:
        return re.split(rf"[{re.escape(separators)}]+", text)
    return re.split(rf"[{re.escape(blanks)}]*[{re.escape(separators)}]", text) if text else []


def matching_paths(shell: ShellBase, pattern: str) -> list[str]:
    """Return the paths that match a pattern of a shell, sorted."""
    absolute = pattern if pattern.startswith("/") else f"{shell.cwd.rstrip('/')}/{pattern}"
    steps = [one for one in absolute.split("/") if one]
    found = ["/"]
    for step in steps:
        if _GLOB.search(step):
            listed = [(top, name) for top in found for name in shell.names_in(top)]
            kept = [one for one in listed if fnmatch.fnmatchcase(one[1], step)]
            found = [f"{top.rstrip('/')}/{name}" for top, name in kept if step[0] == "." or not name.startswith(".")]
        else:
            found = [f"{top.rstrip('/')}/{step}" for top in found]
            found = [one for one in found if shell.kind_of(one)]
    if pattern.startswith("/"):
        return sorted(found)
    return sorted(one.removeprefix(f"{shell.cwd.rstrip('/')}/") for one in found)


def expand_one(shell: ShellBase, word: Word) -> str:
    """Return the text of a word, without splitting it."""
    return "".join(_value(shell, part) for part in word)


def expand_pattern(shell: ShellBase, word: Word) -> str:
    """Return the pattern of a word: what was quoted stands for itself."""
    field = _Field()
    for part in word:
        field.add(_value(shell, part), plain=not part.quoted)
    return field.pattern


def _value(shell: ShellBase, part: Part) -> str:
    if part.kind == "text":
        return part.value
    if part.kind == "arithmetic":
        return str(calculate(shell, part.value))
    if part.kind == "variable":
        return _variable_with(shell, part)
    child = shell.fork()
    child.stderr = shell.stderr
    child.errexit = shell.errexit
    try:
        shell.status = child.run_text(part.value)
    except ScriptEndsError as end:
        shell.status = end.code
    shell.seconds = child.seconds
    return "".join(child.stdout).rstrip("\n")


def _variable_with(shell: ShellBase, part: Part) -> str:
    """Return a variable, with what its operator does to it."""
    value, sign = variable(shell, part.value), part.operator
    if not sign:
        if value is None and shell.nounset:
            shell.stderr.append(f"{shell.parameters[0]}: {shell.line}: {part.value}: parameter not set\n")
            raise ScriptEndsError(2)
        return value or ""
    if sign == "length":
        return str(len(value or ""))
    if sign.removeprefix(":") in ("-", "+", "=", "?"):
        missing = value is None or (sign.startswith(":") and not value)
        return _other(shell, part, value or "", missing=missing)
    return _trimmed(value or "", sign, expand_pattern(shell, part.operand))


def _other(shell: ShellBase, part: Part, value: str, *, missing: bool) -> str:
    """Return a variable, or what stands for it if it is missing (or, with ``+``, if it is not)."""
    sign = part.operator[-1]
    if missing is (sign == "+"):
        return "" if missing else value if sign != "+" else expand_one(shell, part.operand)
    text = expand_one(shell, part.operand)
    if sign == "=":
        shell.variables[part.value] = text
    elif sign == "?":
        shell.stderr.append(f"{shell.parameters[0]}: {shell.line}: {part.value}: {text or 'parameter not set'}\n")
        raise ScriptEndsError(2)
    return text


def _trimmed(value: str, sign: str, pattern: str) -> str:
    if sign in ("/", "//"):
        wanted, _, other = pattern.partition("/")
        regex = fnmatch.translate(wanted).removesuffix("\\Z").removesuffix(r"\z")
        return re.sub(regex, lambda _: other, value, count=0 if sign == "//" else 1)
    lengths = range(len(value) + 1)
    if sign[0] == "#":
        order = lengths if sign == "#" else reversed(lengths)
        return next((value[n:] for n in order if fnmatch.fnmatchcase(value[:n], pattern)), value)
    order = reversed(lengths) if sign == "%" else lengths
    return next((value[:n] for n in order if fnmatch.fnmatchcase(value[n:], pattern)), value)


def variable(shell: ShellBase, name: str) -> str | None:
    """Return the value of a variable or a parameter, None if it is not set."""
    if name.isdigit():
        return shell.parameters[int(name)] if int(name) < len(shell.parameters) else None
    special = {
        "?": str(shell.status),
        "#": str(len(shell.parameters) - 1),
        "@": " ".join(shell.parameters[1:]),
        "*": " ".join(shell.parameters[1:]),
        "$": "4242",
        "!": "4243",
        "-": "e" if shell.errexit else "",
        "PWD": shell.cwd,
    }
    if name in special:
        return special[name]
    return shell.variables.get(name, ENVIRONMENT.get(name))


_BINARY: dict[type[ast.AST], Callable[[int, int], int]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.FloorDiv: lambda a, b: int(a / b), ast.Mod: lambda a, b: a - b * int(a / b),
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.BitAnd: operator.and_, ast.BitOr: operator.or_,
}  # fmt: skip


def calculate(shell: ShellBase, text: str) -> int:
    """Return the value of an arithmetic expression of a shell."""
    lexer_text = re.sub(r"\$\{?(\w+)\}?", lambda match: variable(shell, match[1]) or "0", text)
    lexer_text = expand_one(shell, parse_double_quoted(lexer_text))
    filled = re.sub(r"\b[A-Za-z_]\w*", lambda match: variable(shell, match[0]) or "0", lexer_text)
    python = filled.replace("&&", " and ").replace("||", " or ").replace("/", "//")
    try:
        return int(_number(ast.parse(python.strip() or "0", mode="eval").body))
    except (SyntaxError, ValueError, ZeroDivisionError) as error:
        raise UnsupportedLineError(f"$(({text}))") from error


def _number(node: ast.AST) -> int:
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return node.value
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        return int(_BINARY[type(node.op)](_number(node.left), _number(node.right)))
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _BINARY:
        return int(_BINARY[type(node.ops[0])](_number(node.left), _number(node.comparators[0])))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_number(node.operand)
    if isinstance(node, ast.BoolOp):
        values = [bool(_number(one)) for one in node.values]
        return int(all(values) if isinstance(node.op, ast.And) else any(values))
    raise ValueError(ast.dump(node))
