"""Checks a body that a client sends to Microsoft.Batch against its type."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from batchimg_magics.emulator.batch.rest.body_types import TYPES
from batchimg_magics.emulator.batch.rest.errors import bad_property, missing_property, refusal
from batchimg_magics.emulator.http.dates import duration_s
from batchimg_magics.emulator.world.clock import parse_timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from batchimg_magics.emulator.batch.rest.body_types import Member
    from batchimg_magics.emulator.http.messages import Refusal

ValueT = TypeVar("ValueT", str, int)
_ENTITIES = "Microsoft.Azure.Batch.Protocol.Entities"
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_INT32 = (-(2**31), 2**31 - 1)
ID_REASON = (
    "The ID can contain any combination of alphanumeric characters including hyphens and underscores, "
    "and cannot contain more than 64 characters"
)


def first_repeated(values: Iterable[ValueT]) -> ValueT | None:
    """Return the first value that occurs for the second time; None if all differ."""
    seen = set()
    for value in values:
        if value in seen:
            return value
        seen.add(value)
    return None


def unknown_name(name: str, kind: str) -> Refusal:
    """Return the refusal of a name that a type does not have."""
    reason = (
        f"The property '{name}' does not exist on type '{_ENTITIES}.{kind}'. "
        "Make sure to only use property names that are defined by the type."
    )
    return refusal("InvalidRequestBody", ("Reason", reason))


def check_body(body: dict[str, Any], kind: str, version: str) -> None:
    """Refuse a body that is not of its type. The body is in the format of the data plane, without nulls.

    Parameters
    ----------
    body
        The body, or an object in it.
    kind
        Its type; a type that is not in the table accepts everything.
    version
        The api-version of the request; empty for one that has all members.
    """
    members = TYPES.get(kind)
    if members is None:
        return
    for name in body:
        if name not in members or not members[name].exists_in(version):
            raise unknown_name(name, kind)
    for name, member in members.items():
        if name in body:
            _check_member(name, member, body[name], version)
        elif member.required:
            raise missing_property(name)


def _check_member(name: str, member: Member, value: Any, version: str) -> None:  # noqa: ANN401 - any JSON
    if not member.many:
        _check_value(name, member, value, version)
        return
    if not isinstance(value, list):
        raise _wrong_type(name)
    if member.most is not None and len(value) > member.most:
        raise bad_property(name, None, f"The list can contain up to {member.most} elements")
    for one in value:
        _check_value(name, member, one, version)


def _check_value(name: str, member: Member, value: Any, version: str) -> None:  # noqa: ANN401 - any JSON
    if member.kind in TYPES or member.kind == "object":
        if not isinstance(value, dict):
            raise _wrong_type(name)
        check_body(value, member.kind, version)
    elif (check := _CHECKS.get(member.kind)) is not None:
        check(name, member, value)


def _wrong_type(name: str) -> Refusal:
    reason = f"The value of property '{name}' is not of the type that is expected"
    return refusal("InvalidRequestBody", ("Reason", reason))


def _check_flag(name: str, _: Member, value: object) -> None:
    if not isinstance(value, bool):
        raise _wrong_type(name)


def _check_int(name: str, member: Member, value: object) -> None:
    """Refuse a number out of its range; `bodies` has made numbers of strings of digits before."""
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,10}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise bad_property(name, value)
    least = member.least if member.least is not None else _INT32[0]
    most = member.most if member.most is not None else _INT32[1]
    if not least <= value <= most:
        reason = f"The value must be between {least} and {most}, inclusive" if member.most is not None else ""
        raise bad_property(name, value, reason)


def _check_text(name: str, member: Member, value: object) -> None:
    if not isinstance(value, str):
        raise _wrong_type(name)
    if member.most is not None and len(value) > member.most:
        raise bad_property(name, value, f"The value can contain up to {member.most} characters")


def _check_id(name: str, _: Member, value: object) -> None:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise bad_property(name, value, ID_REASON)


def _check_url(name: str, _: Member, value: object) -> None:
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
    except ValueError:
        parts = None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise bad_property(name, value, "The value is not an absolute URL")


def _check_words(name: str, member: Member, value: object) -> None:
    if not isinstance(value, str) or value.lower() not in member.words:
        raise bad_property(name, value)


def _check_duration(_: str, __: Member, value: object) -> None:
    if not isinstance(value, str) or duration_s(value) is None:
        raise _wrong_literal(value, "Edm.Duration")


def _check_time(_: str, __: Member, value: object) -> None:
    try:
        parse_timestamp(str(value))
    except ValueError as error:
        raise _wrong_literal(value, "Edm.DateTimeOffset") from error


def _wrong_literal(value: object, kind: str) -> Refusal:
    reason = f"Cannot convert the literal '{value}' to the expected type '{kind}'."
    return refusal("InvalidRequestBody", ("Reason", reason))


#: Kind -> what refuses a value that is not of it. Words of `dialects` have been checked before.
_CHECKS: dict[str, Callable[[str, Member, Any], None]] = {
    "flag": _check_flag,
    "int": _check_int,
    "text": _check_text,
    "id": _check_id,
    "url": _check_url,
    "words": _check_words,
    "duration": _check_duration,
    "time": _check_time,
}
