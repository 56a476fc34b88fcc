"""What a spec asks for as the options of a line, and what of it only the body of a cell can say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import TypeAdapter

from batchimg_magics.spec.access import LoginPorts
from batchimg_magics.spec.part import Part
from batchimg_magics.spec.start_task import StartTask

if TYPE_CHECKING:
    from collections.abc import Container

    from pydantic import BaseModel

__all__ = ["Said", "said"]

#: Fields in seconds, which a line has with their unit.
_DURATIONS = ("timeout", "ttl")
_PORTS: TypeAdapter[Any] = TypeAdapter(LoginPorts)


class Said(NamedTuple):
    """A spec as a line says it.

    Parameters
    ----------
    options
        Keyword to value, for `lines.line`.
    parts
        The fields that have parts, which no option can say.
    """

    options: dict[str, Any]
    parts: tuple[str, ...]


def said(spec: BaseModel, without: Container[str] = ()) -> Said:
    """Return what a spec says beyond its defaults.

    Parameters
    ----------
    spec
        A `PoolSpec`, or one of its bases.
    without
        Fields that are of no interest.
    """
    options: dict[str, Any] = {}
    parts: list[str] = []
    for name, value in spec:
        field = type(spec).model_fields[name]
        if name in without or (not field.is_required() and value == field.get_default(call_default_factory=True)):
            continue
        plain = _plain(name, value)
        if _has_parts(plain):
            parts.append(name)
        else:
            options[name] = plain
    return Said(options, tuple(parts))


def _plain(name: str, value: Any) -> Any:  # noqa: ANN401 - whatever a field holds
    """Return a value as an option takes it, where one does."""
    if isinstance(value, StartTask) and value == StartTask(command_line=value.command_line):
        return value.command_line
    if name == "login_ports":
        ports = tuple(one.port for one in value)
        return ports if _PORTS.validate_python(ports) == value else value
    return f"{value:.0f}s" if name in _DURATIONS else value


def _has_parts(value: Any) -> bool:  # noqa: ANN401 - whatever a field holds
    return isinstance(value, Part) or (isinstance(value, tuple) and any(isinstance(one, Part) for one in value))
