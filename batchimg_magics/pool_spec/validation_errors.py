"""From pydantic's complaints to one line that names the key, its line in the YAML body, and the rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import yaml
from pydantic import BaseModel

from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.line import option_flag
from batchimg_magics.pool_spec.values import suggest_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pydantic import ValidationError

__all__ = ["to_spec_error"]

#: The words that tell mounts apart.
_ALTERNATIVES = frozenset({"blob", "files", "nfs", "cifs"})
#: What is quoted of a value that is refused; anything with parts may have a secret among them.
_QUOTED = (str, int, float, bool, type(None))


def to_spec_error(error: ValidationError, model: type[BaseModel], text: str) -> SpecError:
    """Return pydantic's first complaint as an error of ours.

    Parameters
    ----------
    error
        All its complaints.
    model
        Whose they are.
    text
        The YAML body, or nothing.
    """
    # An unknown key is most often the known one that is "missing", misspelt: it is named first.
    first = min(error.errors(include_url=False), key=lambda one: one["type"] != "extra_forbidden")
    path = _key_path(first["loc"])
    line, keys = _line_number(path, text), [str(part) for part in path]
    where, named = (f"line {line}: " if line else ""), ".".join(keys)
    if isinstance(cause := first.get("ctx", {}).get("error"), SpecError):
        return SpecError(f"{where}{named}: {cause.message}", hint=cause.hint) if keys[1:] else cause
    if first["type"] == "extra_forbidden":
        return SpecError(f"{where}{named!r} is not known", hint=suggest_name(keys[-1], _known_keys(model, path[:-1])))
    option = option_flag(keys[0]) if keys else ""
    if first["type"] == "missing":
        if keys[1:]:
            return SpecError(f"{where}{named} is missing", hint=f"write `{keys[-1]}:` there")
        return SpecError(f"{named} is missing", hint=f"give {option}, or `{named}:` in the body")
    given = first["input"]
    message = first["msg"][0].lower() + first["msg"][1:]
    # In place of a part with parts there may stand anything, a secret among it.
    quoted = f" is {given!r}" if isinstance(given, _QUOTED) and not _models_at(model, path) else ""
    has_no_option = keys[1:] and _models_at(model, path[:1])  # no option says it
    return SpecError(
        f"{where}{named}{quoted}: {message}", hint="correct it there" if has_no_option else f"correct {option}"
    )


def _key_path(loc: Sequence[str | int]) -> list[str | int]:
    """Return keys and places only: pydantic also names the alternative that it tried, which is in no body."""
    before = (None, *loc)
    return [
        part
        for earlier, part in zip(before, loc, strict=False)
        if part != "[key]" and not (isinstance(earlier, int) and part in _ALTERNATIVES)
    ]


def _line_number(path: Iterable[str | int], text: str) -> int:
    """Return the line in the body that a path leads to, as far as it goes; 0 where it leads nowhere."""
    node, line = (yaml.compose(text) if text else None), 0
    for part in path:
        found = _child_node(node, part)
        if found is None:
            break
        line, node = found
    return line


def _child_node(node: yaml.Node | None, part: str | int) -> tuple[int, yaml.Node] | None:
    """Return the line of a key or a place in a node, and what stands there."""
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part].start_mark.line + 1, node.value[part]
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if str(key.value).replace("-", "_") == part or key.value == part:
                return key.start_mark.line + 1, value
    return None


def _known_keys(model: type[BaseModel], path: Iterable[str | int]) -> set[str]:
    """Return the keys that there are at a path."""
    return {name for one in _models_at(model, path) or [model] for name in one.model_fields}


def _models_at(model: type[BaseModel], path: Iterable[str | int]) -> list[type[BaseModel]]:
    """Return the models that may stand at a path; none where a plain value does."""
    models = [model]
    for part in path:
        if isinstance(part, str):
            models = [one for each in models if part in each.model_fields for one in _models(each.model_fields[part])]
    return models


def _models(field: Any) -> list[type[BaseModel]]:  # noqa: ANN401 - a field, or an annotation of any kind
    """Return the models in a field's annotation."""
    one = getattr(field, "annotation", field)
    if isinstance(one, type) and issubclass(one, BaseModel):
        return [one]
    return [model for inner in get_args(one) for model in _models(inner)]
