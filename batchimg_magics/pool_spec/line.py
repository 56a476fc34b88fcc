"""Format a verb and its options as a `%batchimg` command, to be typed or pasted."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

from batchimg_magics.masking import make_visible, mask_tokens
from batchimg_magics.pool_spec.values import value_text

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "escape_braces",
    "format_line",
    "magic_word",
    "needs_body",
    "option_flag",
    "pool_names",
    "shell_word",
    "unescape_braces",
]

#: Keywords with several values, whose option has one value and a singular name.
_PLURALS = {"data_snapshots": "data_snapshot"}
#: A table of the notebook on a line.
_VARIABLE = re.compile(r"\$[^\W\d]\w*")
#: They end a quoted text, as the straight ones do. Source: the tokenizer of PowerShell.
_QUOTES_OF_POWERSHELL = re.compile("[\u2018-\u201e]")
#: Options for the value False of keywords whose default is neither True nor False.
_NEGATIVE_FLAGS = {"canary": "--no-canary", "prices": "--no-prices"}


def option_flag(keyword: str) -> str:
    """Return the command-line option of a verb's keyword."""
    return "--" + _PLURALS.get(keyword, keyword).replace("_", "-")


def format_line(verb: str, options: Mapping[str, Any], *, cell: bool = False) -> str:
    """Return the `%batchimg` command for a verb with options; SAS tokens are removed, and braces are escaped.

    Parameters
    ----------
    verb, options
        The verb and its keyword arguments; ``name`` is the name of the pool.
    cell
        Whether it is the first line of a cell with a body.
    """
    words, tail = [verb, *map(_quote, pool_names(options))], ""
    for key, value in options.items():
        # Compared by identity: 0 equals False, but `--nodes 0` must be kept.
        if key == "name" or value is None or value in ((), [], {}):
            continue
        if value is False:
            words += [flag for keyword, flag in _NEGATIVE_FLAGS.items() if keyword == key]
            continue
        if key == "command" and isinstance(value, (list, tuple)):
            tail = f" -- {' '.join(map(_quote, value))}"  # braces there are columns of a table
        elif needs_body(key, value):
            cell = True  # a value given in Python that belongs in the cell's body
        else:
            words += _option_words(option_flag(key), value)
    return f"{'%%' if cell else '%'}batchimg {escape_braces(' '.join(words))}{tail}"


def escape_braces(line: str) -> str:
    """Return a line on which braces are text for `%batchimg`, which reads ``{name}`` as a variable.

    A dollar sign needs no escape: `format_line` writes it in single quotes, where it is text.
    """
    depth, out = 0, []
    for sign in line:
        is_brace = sign == "{" or (sign == "}" and depth > 0)
        depth += (1 if sign == "{" else -1) if is_brace else 0
        out.append(sign * 2 if is_brace else sign)
    return "".join(out)


def unescape_braces(line: str) -> str:
    """Return the line that `escape_braces` has got, for a shell or for Python."""
    depth = 0

    def read(match: re.Match[str]) -> str:
        nonlocal depth
        if match[0] == "}}" and not depth:
            return match[0]
        depth += 1 if match[0] == "{{" else -1
        return match[0][0]

    return re.sub(r"\{\{|\}\}", read, line)


def pool_names(options: Mapping[str, Any]) -> list[str]:
    """Return the pool names among a verb's options."""
    name = options.get("name") or ()
    return [name] if isinstance(name, str) else list(name)


def _option_words(option: str, value: object) -> list[str]:
    if value is True:
        return [option]
    if isinstance(value, dict):
        pairs = (str(part) if one is None else f"{part}={one}" for part, one in value.items())
        return [f"{option} {_quote(pair)}" for pair in pairs]
    listed = value if isinstance(value, (list, tuple)) else (value,)
    return [f"{option} {_quote(one)}" for one in listed]


def shell_word(value: object) -> str:
    """Return a text of the service or of a file as one word of bash and of PowerShell, on one line.

    Line ends and control characters become escapes: the rest of such a text would be a line of its own. So do the
    typographic quotes that end a text in PowerShell.
    """
    visible = _QUOTES_OF_POWERSHELL.sub(lambda match: f"\\u{ord(match[0]):04x}", make_visible(str(value)))
    return shlex.quote(_on_one_line(visible))


def magic_word(value: object) -> str:
    """Return a text as `shell_word` does, for a line of `%batchimg`, which reads ``{name}`` as an expression."""
    return escape_braces(shell_word(value))


def _on_one_line(text: str) -> str:
    return text.replace("\n", "\\n").replace("\t", "\\t")


def _quote(value: object) -> str:
    written = getattr(value, "on_line", None)
    if written is not None and _VARIABLE.fullmatch(str(written)):
        return str(written)
    shown = str(written) if written is not None else value_text(value) if isinstance(value, int) else str(value)
    return shlex.quote(make_visible(mask_tokens(shown)).replace("\n", "\\n"))


def needs_body(key: str, value: object) -> bool:
    """Return whether a value cannot be an option, but belongs in the cell's body."""
    if isinstance(value, str) and key != "name" and len(f"{value}.".splitlines()) > 1:
        return True  # a line has no place for it
    if (key == "start_task" and isinstance(value, dict)) or (key == "command" and isinstance(value, str)):
        return True
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return any(isinstance(one, (dict, list, tuple)) for one in inside)
