"""The `create` command of a spec, and the fields that only the body of a cell can contain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from batchimg_magics.pool_spec.access import LoginPorts
from batchimg_magics.pool_spec.base import SpecModel
from batchimg_magics.pool_spec.disks import DataDisks
from batchimg_magics.pool_spec.image_origin import ORIGIN_FIELDS
from batchimg_magics.pool_spec.line import format_line
from batchimg_magics.pool_spec.start_task import StartTask
from batchimg_magics.pool_spec.upgrades import UpgradePolicy

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from pydantic import BaseModel

__all__ = ["create_line"]

#: Fields in seconds: on a command line, they have a unit.
_DURATIONS = ("timeout", "ttl", "formula_interval")
_PORTS: TypeAdapter[Any] = TypeAdapter(LoginPorts)
_DISKS: TypeAdapter[Any] = TypeAdapter(DataDisks)


def create_line(name: str, spec: BaseModel, replacements: Mapping[str, object]) -> str:
    """Return the command that creates a pool, in backticks, and the fields that the cell's body must contain.

    Parameters
    ----------
    name, spec
        Name and spec of the pool.
    replacements
        Options that replace or complement those of the spec; None: leave the option out.
    """
    options, parts = _non_default_fields(spec, {"name", *replacements})
    line_options = {"name": name, **options, **replacements}
    first = {key: line_options.pop(key) for key in ("name", *ORIGIN_FIELDS) if key in line_options}
    written = format_line("create", first | line_options, cell=bool(parts))
    return f"`{written}`, in a cell with {', '.join(parts)} in its body as before" if parts else f"`{written}`"


def _non_default_fields(spec: BaseModel, without: Container[str]) -> tuple[dict[str, Any], list[str]]:
    """Return the fields with non-default values: as options for `format_line`, and those without an option."""
    options: dict[str, Any] = {}
    parts: list[str] = []
    for name, value in spec:
        field = type(spec).model_fields[name]
        if name in without or (not field.is_required() and value == field.get_default(call_default_factory=True)):
            continue
        option_value = _option_value(name, value)
        if _is_nested(option_value):
            parts.append(name)
        else:
            options[name] = option_value
    return options, parts


def _option_value(name: str, value: Any) -> Any:  # noqa: ANN401 - any value of a field
    """Return a value in the format of its option, if it has one."""
    if isinstance(value, StartTask) and value == StartTask(command_line=value.command_line):
        return value.command_line
    if name == "login_ports":
        ports = tuple(one.port for one in value)
        return ports if _PORTS.validate_python(ports) == value else value
    if name == "data_disks":
        sizes = tuple(one.size_gib for one in value)
        return sizes if _DISKS.validate_python(sizes) == value else value
    if isinstance(value, UpgradePolicy) and value == UpgradePolicy(mode=value.mode):
        return value.mode
    return f"{value:.0f}s" if name in _DURATIONS else value


def _is_nested(value: Any) -> bool:  # noqa: ANN401 - any value of a field
    return isinstance(value, SpecModel) or (
        isinstance(value, tuple) and any(isinstance(one, SpecModel) for one in value)
    )
