"""The types of the bodies that clients send to Microsoft.Batch: their members and what each member accepts.

They are in ``data/batch_bodies.txt``. A line is a member: its name, its kind, and its limits. Kinds are ``text``,
``id`` (letters, digits, hyphens and underscores, up to 64), ``url`` (absolute, http or https), ``flag``, ``int``,
``duration``, ``time``, ``object`` (any members), ``word`` (one of the words of `dialects`), words separated by ``|``,
or the name of a type; ``[...]`` is a list of them. ``!`` marks a required member. ``1..256`` limits a number,
``..1024`` the length of a text or of a list. ``>DATE`` and ``<DATE`` name the api-version that the member is newer
than, and the one that removed it. ``NAME = BASE`` begins a type with the members of another one.

Names are those of the data plane, in which bodies of Resource Manager are checked, too.

Source: Microsoft's OpenAPI (2024-02-01.19.0) for names, required members, words and limits, also those in its texts;
the models and the change log of azure-batch 15.1 for members that are newer or removed.
"""

from __future__ import annotations

import importlib.resources
import re
from typing import TYPE_CHECKING

import msgspec

from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterator

evidence = Evidence("Bodies of requests to Batch")
evidence.rule(
    "targetNodeCommunicationMode, applicationLicenses and authenticationTokenSettings are refused as unknown from "
    "2025-06-01 on.",
    "the SDKs of this api-version no longer have them; no recording shows such a request",
)
evidence.rule(
    "Properties that are newer than 2024-02-01 are refused up to it; the api-version that has them first is not known.",
    "Microsoft's OpenAPI of 2024-02-01 does not have them, the SDKs of 2025-06-01 do",
)
evidence.rule(
    "A duration, a time or a URL that cannot be read is refused: the first two as a literal that cannot be converted.",
    "the message is that of the OData library, which the service uses; no recording shows it",
)

_KIND = re.compile(r"(?P<list>\[)?(?P<kind>[\w|]+)\]?(?P<required>!)?")
_NUMBERS = re.compile(r"(-?\d*)\.\.(-?\d*)")


class Member(msgspec.Struct, frozen=True):
    """A member of a type.

    Parameters
    ----------
    kind
        A kind or the name of a type.
    words
        The words that it may be, in lower case; empty for other kinds.
    many
        Whether it is a list.
    required
        Whether a body must have it.
    least, most
        The limits of a number, of the length of a text or of a list.
    after, until
        The api-version that it is newer than, and the one that removed it.
    """

    kind: str
    words: frozenset[str]
    many: bool
    required: bool
    least: int | None
    most: int | None
    after: str
    until: str

    def exists_in(self, version: str) -> bool:
        """Tell whether an api-version has the member; an empty version has all."""
        day = version[:10]
        return not day or (day > self.after and (not self.until or day < self.until))


def _member(line: str) -> tuple[str, Member]:
    name, kind, *limits = line.split()
    parts = _KIND.fullmatch(kind)
    if parts is None:
        raise ValueError(line)
    given = {limit[0]: limit[1:] for limit in limits if limit[0] in "<>"}
    ends = next((found.groups() for limit in limits if (found := _NUMBERS.fullmatch(limit))), ("", ""))
    words = parts["kind"].lower().split("|") if "|" in parts["kind"] else []
    return name, Member(
        kind="words" if words else parts["kind"],
        words=frozenset(words),
        many=parts["list"] is not None,
        required=parts["required"] is not None,
        least=int(ends[0]) if ends[0] else None,
        most=int(ends[1]) if ends[1] else None,
        after=given.get(">", ""),
        until=given.get("<", ""),
    )


def _types() -> Iterator[tuple[str, dict[str, Member]]]:
    found: dict[str, dict[str, Member]] = {}
    table = importlib.resources.files("batchimg_magics.emulator.catalog").joinpath("data/batch_bodies.txt").read_text()
    for block in re.split(r"\n(?=\S)", table.strip()):
        head, *lines = block.splitlines()
        name, _, base = head.partition(" = ")
        found[name] = {**(found[base] if base else {}), **dict(map(_member, lines))}
        yield name, found[name]


#: Type -> its members by name.
TYPES: dict[str, dict[str, Member]] = dict(_types())
