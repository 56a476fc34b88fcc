"""References to variables in a text: ``$name`` and ``{expression}``. What cannot be one of them is text."""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass

__all__ = ["Part", "Reference", "Unescape", "read_braces", "read_dollar"]

_DOLLAR = re.compile(r"\$(?P<name>[^\W\d]\w*)(?P<attributes>(?:\.[^\W\d]\w*)*)")
_SHELL_VARIABLE = re.compile(r"\$\{[^{}\n]*\}?")
_CONVERSION = re.compile(r"(?P<code>.*[^!<>=])!(?P<conversion>[rsa])", re.DOTALL)
#: Constants, which a text has in braces for other reasons (``[0-9]{3}``), and what has no value for a line.
_NEVER_A_VALUE = (
    ast.Constant, ast.Tuple, ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp, ast.GeneratorExp,
    ast.Lambda, ast.Starred, ast.Yield, ast.YieldFrom, ast.NamedExpr,
)  # fmt: skip
#: The start of a mapping in JSON, whose values may have many braces.
_JSON_KEY = re.compile(r"\{(?:\"[^\"\n]*\"|'[^'\n]*')\s*:")
#: Maximum number of braces that may be the end of an expression.
_MAX_ENDS = 6
#: Maximum length of an expression: each brace in a text starts a search for its end.
_MAX_LENGTH = 400


@dataclass(frozen=True, slots=True)
class Reference:
    """One reference.

    Parameters
    ----------
    source
        The text, for example ``{n * 2:03d}`` or ``$name``.
    code
        The Python expression.
    conversion, format_spec
        Their parts as in an f-string; `format_spec` is None if there is none.
    attributes
        After ``$name``: the names after dots, which are attributes, or text such as ``.json``.
    """

    source: str
    code: str
    conversion: str = ""
    format_spec: str | None = None
    attributes: tuple[str, ...] = ()

    @property
    def is_dollar(self) -> bool:
        """Whether it is written ``$name``."""
        return self.source.startswith("$")


#: A piece of a word.
Part = str | Reference


def read_dollar(text: str, start: int) -> tuple[Part, int]:
    """Read what begins with the ``$`` at `start`; return it and the index after it.

    ``$$`` is a dollar sign. ``$5``, ``${NAME}`` of the shell, and a ``$`` alone are text.
    """
    if text.startswith("$$", start):
        return "$", start + 2
    if match := _SHELL_VARIABLE.match(text, start):
        return match[0], match.end()
    if match := _DOLLAR.match(text, start):
        attributes = tuple(match["attributes"].split(".")[1:])
        return Reference(match[0], match["name"], attributes=attributes), match.end()
    return "$", start + 1


def read_braces(text: str, start: int) -> tuple[Part, int]:
    """Read what begins with the ``{`` at `start`; return it and the index after it.

    The text is an expression up to the first ``}`` that makes it valid Python. A constant, a list, a mapping, and
    what begins with a space are text: JSON, YAML and the groups of a shell look like that.
    """
    if text[start + 1 : start + 2].strip() not in ("", "{", "}") and not _JSON_KEY.match(text, start):
        line_end = text.find("\n", start)
        limit = min(start + _MAX_LENGTH, len(text) if line_end < 0 else line_end)
        end, tries = text.find("}", start, limit), 0
        while end > 0 and tries < _MAX_ENDS:
            tries += 1
            if (reference := _parse(text[start : end + 1])) is not None:
                return reference, end + 1
            end = text.find("}", end + 1, limit)
    return "{", start + 1


def _parse(source: str) -> Reference | None:
    inside = source[1:-1]
    if _is_expression(inside):
        return Reference(source, inside)
    if (match := _CONVERSION.fullmatch(inside)) and _is_expression(match["code"]):
        return Reference(source, match["code"], match["conversion"])
    for place in (match.start() for match in re.finditer(":", inside)):
        code, spec = inside[:place], inside[place + 1 :]
        if spec[:1].isspace() or {"{", "}"} & set(spec):
            continue  # `key: value` of a mapping
        conversion = _CONVERSION.fullmatch(code)
        if conversion and _is_expression(conversion["code"]):
            return Reference(source, conversion["code"], conversion["conversion"], spec)
        if _is_expression(code):
            return Reference(source, code, "", spec)
    return None


def _is_expression(code: str) -> bool:
    """Return whether a text is a Python expression that can have a value for a line."""
    if not code.strip() or code != code.lstrip():
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes in a text that may be no Python at all
            tree = ast.parse(f"({code}\n)", mode="eval").body
            compile(f"({code}\n)", "<expression>", "eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False
    if isinstance(tree, ast.UnaryOp):
        tree = tree.operand
    return not isinstance(tree, _NEVER_A_VALUE)


class Unescape:
    """Reads ``{{`` as ``{``, and as ``}`` each ``}}`` that closes one: the end of nested JSON stays as it is."""

    def __init__(self) -> None:
        self._open = 0

    def read(self, text: str, start: int) -> tuple[str, int] | None:
        """Return a brace and the index after it if an escaped one is at `start`."""
        if text.startswith("{{", start):
            self._open += 1
            return "{", start + 2
        if self._open and text.startswith("}}", start):
            self._open -= 1
            return "}", start + 2
        return None
