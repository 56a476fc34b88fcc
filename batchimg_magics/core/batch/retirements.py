"""What Azure retires and when: VM sizes, node agents, Marketplace images, api-versions, features.

The dates are in ``data/retirements.json``, each with its source. Batch's own lists of VM sizes and images have dates
too (``batchSupportEndOfLife``); where they have one, it counts.
"""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - msgspec reads the annotations when it decodes
import functools
import re
from importlib import resources
from typing import Annotated, Literal, TypeAlias

import msgspec

from batchimg_magics.core.azure.documents import parse_time

Kind: TypeAlias = Literal["vm-size", "node-agent", "image", "api-version", "feature"]
_Text = Annotated[str, msgspec.Meta(min_length=3)]


class Retirement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One retirement that Microsoft has announced.

    Parameters
    ----------
    kind, pattern
        What is retired: a regular expression for the whole name, without case. The name is a VM size, a node agent
        SKU, ``publisher:offer:sku``, ``batch`` and an api-version, or a feature of this file.
    what
        It in words.
    date
        The day on which it ends.
    use
        What to use instead.
    source, checked
        The document that says so, and the day on which it was read.
    """

    kind: Kind
    pattern: _Text
    what: _Text
    date: dt.date
    use: _Text
    source: Annotated[str, msgspec.Meta(pattern="^https://")]
    checked: dt.date


@functools.cache
def read_retirements() -> tuple[Retirement, ...]:
    """Return all retirements of the file."""
    file = resources.files("batchimg_magics") / "data" / "retirements.json"
    return msgspec.json.decode(file.read_bytes(), type=tuple[Retirement, ...])


@functools.lru_cache(maxsize=2048)
def find_retirement(kind: Kind, name: str) -> Retirement | None:
    """Return the first retirement of something by its name; None where none is announced."""
    found = [one for one in read_retirements() if one.kind == kind and _matcher(one.pattern).fullmatch(name)]
    return min(found, key=lambda one: one.date, default=None)


def end_of(kind: Kind, name: str, listed: object = None) -> dt.date | None:
    """Return the last day of something; None where no end is announced.

    Parameters
    ----------
    kind, name
        As in `Retirement`.
    listed
        The ``batchSupportEndOfLife`` that Batch's own list has for it, which counts; None: it has none.
    """
    if listed:
        return parse_time(str(listed)).date()
    found = find_retirement(kind, name)
    return None if found is None else found.date


@functools.cache
def _matcher(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)
