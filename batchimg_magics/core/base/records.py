"""The records in the outputs of notebooks: their mime type, and how one is read. Notebooks are files of strangers."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from batchimg_magics.masking import make_visible, mask_tokens

__all__ = ["FORMAT_VERSION", "MIME_TYPE", "RECORD_OUTCOMES", "Record", "parse_record"]

#: The key of a record in an output of a notebook, and the version of its format.
MIME_TYPE = "application/vnd.batchimg+json"
FORMAT_VERSION = 1
#: How a verb ended: detached, it goes on without the notebook; withheld, nothing was done because `--yes` was missing.
RECORD_OUTCOMES = ("done", "failed", "withheld", "detached", "dry run")
#: The most characters of a text, and entries of a mapping, that are read.
MAX_TEXT, MAX_ITEMS = 2_000, 200
#: The largest number that JSON keeps exactly.
MAX_NUMBER = 2**53


@dataclass(frozen=True, slots=True)
class Record:
    """One record, as far as it is what it should be; texts are without control characters and not too long.

    Parameters
    ----------
    verb, line, outcome, caption
        The verb, the line that does it again, how it ended, and the caption of its table.
    arguments, connection, versions, resources
        What was asked for, where, with which software, and the ids of resources by role; texts.
    error
        Of a verb that failed: ``class``, ``message``, ``code`` and more; texts.
    started, ended, seconds, rows
        Times of the service, and the number of rows; None: not known.
    lock, lock_text
        The document of `lock`, and the text of its file, which has its order; None and empty: the verb made none.
    """

    verb: str
    line: str = ""
    outcome: str = ""
    caption: str = ""
    arguments: dict[str, str] = field(default_factory=dict)
    connection: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    resources: dict[str, str] = field(default_factory=dict)
    error: dict[str, str] = field(default_factory=dict)
    started: dt.datetime | None = None
    ended: dt.datetime | None = None
    seconds: float | None = None
    rows: int | None = None
    lock: dict[str, Any] | None = None
    lock_text: str = ""

    @property
    def pools(self) -> tuple[str, ...]:
        """The names of the pools that it is about, in lower case."""
        name = self.arguments.get("name") or self.resources.get("pool", "").rpartition("/")[2]
        return tuple(one.lower() for one in name.split(", ") if one)


def parse_record(found: object) -> Record | None:
    """Return a record of the present format; None: it is none.

    Parameters
    ----------
    found
        JSON, of anybody.
    """
    if not isinstance(found, dict) or not isinstance(found.get("verb"), str) or not found["verb"]:
        return None
    seconds, rows, lock = _number(found.get("seconds")), _number(found.get("rows")), found.get("lock")
    return Record(
        _text(found["verb"]),
        line=_text(found.get("line")),
        outcome=_text(found.get("outcome")),
        caption=_text(found.get("caption")),
        arguments=_texts(found.get("arguments")),
        connection=_texts(found.get("connection")),
        versions=_texts(found.get("versions")),
        resources=_texts(found.get("resources")),
        error=_texts(found.get("error")),
        started=_moment(found.get("started")),
        ended=_moment(found.get("ended")),
        seconds=seconds,
        rows=None if rows is None else int(rows),
        lock=lock if isinstance(lock, dict) else None,
        lock_text=text if isinstance(text := found.get("lock_text"), str) else "",
    )


def _text(value: object) -> str:
    """Return one line of text that can be shown anywhere."""
    if isinstance(value, (list, tuple)):
        return ", ".join(_text(one) for one in value[:MAX_ITEMS])[:MAX_TEXT]
    if value is None or isinstance(value, dict):
        return "" if value is None else _json(value)
    shown = make_visible(mask_tokens(str(value)[: 2 * MAX_TEXT] if not _is_huge(value) else "a number")).split()
    text = " ".join(shown)
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"


def _json(value: object) -> str:
    import json

    return _text(json.dumps(value, ensure_ascii=False)) if value else ""


def _is_huge(value: object) -> bool:
    """Tell whether a value is a number of too many digits to be written."""
    return isinstance(value, int) and abs(value) > MAX_NUMBER


def _texts(value: object) -> dict[str, str]:
    pairs = list(value.items())[:MAX_ITEMS] if isinstance(value, dict) else []
    return {_text(name): _text(one) for name, one in pairs if one is not None}


def _number(value: object) -> float | None:
    """Return a number of a table; None: it is none, or no table has such a number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if 0 <= value <= MAX_NUMBER else None  # NaN is not


def _moment(value: object) -> dt.datetime | None:
    try:
        moment = dt.datetime.fromisoformat(value) if isinstance(value, str) else None
        return None if moment is None or moment.tzinfo is None else moment.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None
