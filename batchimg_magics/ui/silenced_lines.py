"""The semicolon at the end of a `%batchimg` line: it hides the table of a line, and a variable still gets it.

IPython's own decorator for that returns None to ``x = %batchimg vms;``, too. Here the line returns its table, and the
cell drops it if it is the value of a statement.
"""

from __future__ import annotations

import ast

from batchimg_magics.errors import SpecError
from batchimg_magics.ui.line_words import split_line

__all__ = ["drop_silenced"]

_CALLS = ("run_line_magic", "run_cell_magic")


def drop_silenced(lines: list[str]) -> list[str]:
    """Return the lines of a cell, in which a silenced magic is not an expression; an input transformer of IPython."""
    return [_as_statement(line) if _is_silenced(line) else line for line in lines]


def _is_silenced(line: str) -> bool:
    if "_magic('batchimg', " not in line or ";" not in line:
        return False
    try:
        (statement,) = ast.parse(line.strip()).body
    except (SyntaxError, ValueError):
        return False  # a part of a longer statement, or none
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr=name), args=[_, ast.Constant(value=str(text)), *_])):
            try:
                return name in _CALLS and split_line(text).is_silenced
            except SpecError:
                return False  # the line reports it
    return False


def _as_statement(line: str) -> str:
    indent = line[: len(line) - len(line.lstrip())]
    return f"{indent}if {line.strip()} is None: pass\n"
