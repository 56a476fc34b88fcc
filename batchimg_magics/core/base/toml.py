"""TOML documents that people review in a diff: one value a line, in the order of the mapping; and bounded reading."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.base.files import read_file
from batchimg_magics.errors import SpecError
from batchimg_magics.masking import visible_toml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["MAX_BYTES", "MAX_DEPTH", "read_toml", "toml_text"]

#: The largest document that is read, and the most tables and lists that are inside each other.
MAX_BYTES, MAX_DEPTH = 1024 * 1024, 16
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def toml_text(document: Mapping[str, Any], comment: str = "") -> str:
    """Return a document as TOML.

    Parameters
    ----------
    document
        Text, numbers, booleans, lists and mappings; mappings are written as tables, after the plain values beside them.
    comment
        Lines for the beginning, without the number sign.
    """
    head = [f"# {line}".rstrip() for line in comment.splitlines()]
    return "\n".join([*head, *_table(document, ())]) + "\n"


def _table(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    plain = {key: value for key, value in table.items() if not _is_table(value)}
    for key, value in plain.items():
        yield f"{_key(key)} = {_value(value)}"
    for key, value in table.items():
        if key in plain:
            continue
        inner = (*path, _key(key))
        for one in value if isinstance(value, list) else (value,):
            yield ""
            yield f"[[{'.'.join(inner)}]]" if isinstance(value, list) else f"[{'.'.join(inner)}]"
            yield from _table(one, inner)


def _is_table(value: object) -> bool:
    is_list = isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)
    return is_list or isinstance(value, dict)


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _string(key)


def _string(text: str) -> str:
    return visible_toml(json.dumps(text, ensure_ascii=False))


def _value(value: Any) -> str:  # noqa: ANN401 - any value of a document
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]" if len(value) < 2 else _lines(value)
    if isinstance(value, dict):  # in a list of lists
        return f"{{{', '.join(f'{_key(key)} = {_value(one)}' for key, one in value.items())}}}"
    return _string(str(value))


def _lines(values: list[Any]) -> str:
    return "\n".join(["[", *(f"    {_value(one)}," for one in values), "]"])


def read_toml(path: str | Path, *, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """Read a TOML document of a user.

    Raises
    ------
    SpecError
        The file cannot be read, is too large or too deep, or is not TOML; the message has the line.
    """
    import tomllib  # only few verbs read such a file

    text = read_file(path, max_bytes=max_bytes)
    try:
        # As written by other programs, too: TOML knows no other ends of lines.
        document = tomllib.loads(text.replace("\r\n", "\n"))
    except RecursionError:
        raise _too_deep(path) from None
    except ValueError as error:  # also a number of too many digits
        raise SpecError(f"{path} is not TOML: {error}", hint="check that it is the right file") from None
    if _is_deeper(document, MAX_DEPTH):
        raise _too_deep(path)
    return document


def _too_deep(path: str | Path) -> SpecError:
    return SpecError(
        f"{path} has more than {MAX_DEPTH} tables inside each other", hint="check that it is the right file"
    )


def _is_deeper(document: dict[str, Any], depth: int) -> bool:
    """Tell whether a document has more levels; not by recursion, since it may have any number of them."""
    level: list[Any] = [document]
    for _ in range(depth):
        inside = [one for value in level for one in (value.values() if isinstance(value, dict) else value)]
        level = [one for one in inside if isinstance(one, (dict, list))]
        if not level:
            return False
    return True
