"""Shapes of request bodies: the members of each object, and what their values may be.

A table of shapes is JSON: the name of an object type -> its members -> what each of them is. An exclamation mark after
the name of a member says that it is required. What a member is:

- ``any``: anything, for example a member that the service sets and that a client sends back;
- ``map``: an object with any members;
- ``flag``: true or false; ``number``; ``time``: a date;
- ``whole``, ``whole 1..``, ``whole 1..64``, ``whole 512,4096``: an integer, its range, or the allowed ones;
- ``text``, ``text ..64``, ``text 1..64 [a-z]+``: a string, its length, and the regular expression that it matches;
- ``a|b``: one of these words, regardless of case;
- ``[...]``: a list; the name of an object type: an object.

`Shapes.settle` returns a body with the names and words in Azure's spelling, because Azure matches both regardless of
case, or refuses it.
"""

from __future__ import annotations

import math
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.arm.bodies import invalid, missing
from batchimg_magics.emulator.http.messages import Refusal
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

evidence = Evidence("Constraints of request bodies")
evidence.rule(
    "A member of a nested object that the api-versions of the SDK do not have is refused with 400 BadRequest.",
    "Compute does so for VMs; for disks, snapshots, images and galleries no recording shows it",
)
evidence.rule(
    "A PATCH need not have the members that a PUT requires, except in the items of lists; everything else is checked.",
    "Microsoft's OpenAPI requires them in some bodies of PATCH as well; its own examples of a PATCH have only a part",
)
evidence.rule(
    "Words, ranges, lengths and patterns that are not allowed are refused with 400, in the emulator's words.",
    "Microsoft's OpenAPI documents and the texts of the SDKs state the constraints, and not how they are refused",
)
_FLAGS = {"true": True, "false": False}


class Voice(msgspec.Struct, frozen=True):
    """How a resource provider tells that a body is invalid.

    Parameters
    ----------
    root
        The name of the body at the beginning of paths, e.g. ``disk``.
    skips_properties
        Whether ``properties`` is left out of paths.
    converts
        Whether a value of another kind is refused as one that cannot be converted: 400 BadRequest.
    """

    root: str = ""
    skips_properties: bool = True
    converts: bool = False

    def name(self, path: str) -> str:
        """Return the name of a member, given its path in the body."""
        known = path.removeprefix("properties.") if self.skips_properties else path
        return f"{self.root}.{known}" if self.root else known

    def wrong(self, path: str, value: object, what: str) -> Refusal:
        """Return the refusal of a value of another kind."""
        shown = value if isinstance(value, str | int | float) else msgspec.json.encode(value).decode()[:40]
        if self.converts:
            message = f"Error converting value {msgspec.json.encode(shown).decode()} to type '{what}'. Path '{path}'."
            return Refusal(400, "BadRequest", message, target=self.name(path))
        message = f"The value '{shown}' of parameter '{self.name(path)}' is out of range. It has to be {what}."
        return invalid(self.name(path), message)


class Shapes:
    """The shapes of a table.

    Parameters
    ----------
    table
        Name of an object type -> its members, as in the module's docstring; also an attribute.
    """

    def __init__(self, table: Mapping[str, Mapping[str, str]]) -> None:
        self._objects: dict[str, dict[str, tuple[str, bool, Callable[[str, Any, Voice, bool], Any]]]] = {}
        self.table = table

    def settle(self, body: dict[str, Any], kind: str, voice: Voice, *, partial: bool = False) -> dict[str, Any]:
        """Return a body in Azure's spelling, or refuse it.

        Parameters
        ----------
        body, kind
            The body, and the name of its object type.
        voice
            How to refuse.
        partial
            Whether the members that are required may be missing, as in a PATCH.
        """
        return self._object(kind)("", body, voice, partial)

    def _object(self, kind: str) -> Callable[[str, Any, Voice, bool], dict[str, Any]]:
        def check(path: str, value: Any, voice: Voice, partial: bool) -> dict[str, Any]:  # noqa: ANN401, FBT001 - JSON
            if not isinstance(value, dict):
                raise voice.wrong(path, value, "an object")
            members = self._compiled(kind)
            settled: dict[str, Any] = {}
            for name, one in value.items():
                where = f"{path}.{name}" if path else name
                if (member := members.get(name.lower())) is None:
                    message = f"Could not find member '{name}' on object of type '{kind}'. Path '{where}'."
                    raise Refusal(400, "BadRequest", message, target=voice.name(where))
                if one is not None:
                    settled[member[0]] = member[2](where, one, voice, partial)
            for name, required, _ in members.values():
                if required and not partial and name not in settled:
                    raise missing(voice.name(f"{path}.{name}" if path else name))
            return settled

        return check

    def _compiled(self, kind: str) -> dict[str, tuple[str, bool, Callable[[str, Any, Voice, bool], Any]]]:
        if kind not in self._objects:
            self._objects[kind] = {
                name.rstrip("!").lower(): (name.rstrip("!"), name.endswith("!"), self._check(what))
                for name, what in self.table[kind].items()
            }
        return self._objects[kind]

    def _check(self, what: str) -> Callable[[str, Any, Voice, bool], Any]:
        if what.startswith("["):
            return self._list(self._check(what[1:-1]))
        if what in self.table:
            return self._object(what)
        word, _, rest = what.partition(" ")
        if word in _PLAIN:
            return _PLAIN[word]
        if word == "whole":
            return _whole(rest)
        return _text(rest) if word == "text" else _words(what)

    @staticmethod
    def _list(check: Callable[[str, Any, Voice, bool], Any]) -> Callable[[str, Any, Voice, bool], list[Any]]:
        def check_list(path: str, value: Any, voice: Voice, _: bool) -> list[Any]:  # noqa: ANN401, FBT001 - JSON
            if not isinstance(value, list):
                raise voice.wrong(path, value, "a list")
            partial = False  # an item of a list is whole
            return [check(f"{path}[{number}]", one, voice, partial) for number, one in enumerate(value)]

        return check_list


# -- values: (path, value, how to refuse, not used) -> the settled value -----------------------------------------


def _any(_: str, value: Any, __: Voice, ___: bool) -> Any:  # noqa: ANN401, FBT001 - JSON
    return value


def _map(path: str, value: Any, voice: Voice, _: bool) -> dict[str, Any]:  # noqa: ANN401, FBT001 - JSON
    if not isinstance(value, dict):
        raise voice.wrong(path, value, "an object")
    return value


def _flag(path: str, value: Any, voice: Voice, _: bool) -> bool:  # noqa: ANN401, FBT001 - JSON
    settled = _FLAGS.get(value.lower()) if isinstance(value, str) else value
    if not isinstance(settled, bool):
        raise voice.wrong(path, value, "true or false")
    return settled


def _number(path: str, value: Any, voice: Voice, _: bool) -> float:  # noqa: ANN401, FBT001 - JSON
    try:
        number = None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = None
    if number is None or not math.isfinite(number):  # a string can be "nan"
        raise voice.wrong(path, value, "a number")
    return number


def _time(path: str, value: Any, voice: Voice, _: bool) -> str:  # noqa: ANN401, FBT001 - JSON
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise voice.wrong(path, value, "a date") from None
    return str(value)


_PLAIN = {"any": _any, "map": _map, "flag": _flag, "number": _number, "time": _time}


def _bounds(text: str) -> tuple[int | None, int | None]:
    least, _, most = text.partition("..")
    return (int(least) if least else None, int(most) if most else None)


def _whole(rest: str) -> Callable[[str, Any, Voice, bool], int]:
    allowed = [int(one) for one in rest.split(",")] if "," in rest else []
    least, most = (None, None) if allowed else _bounds(rest)
    what = f"{rest or 'an integer'}"

    def check(path: str, value: Any, voice: Voice, _: bool) -> int:  # noqa: ANN401, FBT001 - JSON
        try:
            number = None if isinstance(value, bool | float) and value != int(value) else int(value)
        except (TypeError, ValueError, OverflowError):
            number = None
        if number is None or isinstance(value, bool):
            raise voice.wrong(path, value, "an integer")
        outside = (least is not None and number < least) or (most is not None and number > most)
        if outside or (allowed and number not in allowed):
            message = f"The value '{number}' of parameter '{voice.name(path)}' is out of range. It has to be {what}."
            raise invalid(voice.name(path), message)
        return number

    return check


def _text(rest: str) -> Callable[[str, Any, Voice, bool], str]:
    length, _, expression = rest.partition(" ")
    least, most = _bounds(length)
    pattern = re.compile(expression or ".*", re.DOTALL)

    def check(path: str, value: Any, voice: Voice, _: bool) -> str:  # noqa: ANN401, FBT001 - JSON
        if not isinstance(value, str):
            raise voice.wrong(path, value, "a string")
        name = voice.name(path)
        if (least is not None and len(value) < least) or (most is not None and len(value) > most):
            raise invalid(name, f"The value of parameter '{name}' has {len(value)} characters; {length} are allowed.")
        if not pattern.fullmatch(value):
            raise invalid(name, f"The value '{value}' of parameter '{name}' is invalid: it has to match {expression}.")
        return value

    return check


def _words(what: str) -> Callable[[str, Any, Voice, bool], str]:
    words = {word.lower(): word for word in what.split("|")}

    def check(path: str, value: Any, voice: Voice, _: bool) -> str:  # noqa: ANN401, FBT001 - JSON
        found = words.get(value.lower()) if isinstance(value, str) else None
        if found is None:
            raise voice.wrong(path, value, ", ".join(words.values()))
        return found

    return check
