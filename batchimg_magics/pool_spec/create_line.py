"""A spec as the line that asks for it again, and what of it only the body of a cell can say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from batchimg_magics.pool_spec.access import LoginPorts
from batchimg_magics.pool_spec.base import SpecModel
from batchimg_magics.pool_spec.image_origin import ORIGIN_FIELDS
from batchimg_magics.pool_spec.line import format_line
from batchimg_magics.pool_spec.start_task import StartTask

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from pydantic import BaseModel

__all__ = ["create_line"]

#: Fields in seconds, which a line has with their unit.
_DURATIONS = ("timeout", "ttl")
_PORTS: TypeAdapter[Any] = TypeAdapter(LoginPorts)


def create_line(name: str, spec: BaseModel, replacements: Mapping[str, object]) -> str:
    """Return the line that makes a pool, in backticks, and what has to stand in the body of its cell.

    Parameters
    ----------
    name, spec
        The pool's name, and what was asked for.
    instead
        What is said in place of the spec's own word, or beside it; None: nothing.
    """
    options, parts = _non_default_fields(spec, {"name", *replacements})
    line_options = {"name": name, **options, **replacements}
    first = {key: line_options.pop(key) for key in ("name", *ORIGIN_FIELDS) if key in line_options}
    written = format_line("create", first | line_options, cell=bool(parts))
    return f"`{written}`, in a cell with {', '.join(parts)} in its body as before" if parts else f"`{written}`"


def _non_default_fields(spec: BaseModel, without: Container[str]) -> tuple[dict[str, Any], list[str]]:
    """Return what a spec says beyond its defaults: as keywords for `line`, and the fields that no option can say."""
    options: dict[str, Any] = {}
    parts: list[str] = []
    for name, value in spec:
        field = type(spec).model_fields[name]
        if name in without or (not field.is_required() and value == field.get_default(call_default_factory=True)):
            continue
        plain = _option_value(name, value)
        if _is_nested(plain):
            parts.append(name)
        else:
            options[name] = plain
    return options, parts


def _option_value(name: str, value: Any) -> Any:  # noqa: ANN401 - whatever a field holds
    """Return a value as an option takes it, where one does."""
    if isinstance(value, StartTask) and value == StartTask(command_line=value.command_line):
        return value.command_line
    if name == "login_ports":
        ports = tuple(one.port for one in value)
        return ports if _PORTS.validate_python(ports) == value else value
    return f"{value:.0f}s" if name in _DURATIONS else value


def _is_nested(value: Any) -> bool:  # noqa: ANN401 - whatever a field holds
    return isinstance(value, SpecModel) or (
        isinstance(value, tuple) and any(isinstance(one, SpecModel) for one in value)
    )
