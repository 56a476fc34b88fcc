"""`PoolSpec`: a pool and its image, from options or from YAML."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from batchimg_magics.errors import SpecError
from batchimg_magics.spec.origin import Origin
from batchimg_magics.spec.shape import Shape
from batchimg_magics.spec.values import MAX_NODES, closest, pool_name, resize_timeout

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PoolSpec"]

Count = Annotated[int, Field(ge=0, le=MAX_NODES, strict=True)]


class PoolSpec(Origin, Shape):
    """A pool, and the image that its nodes are made from.

    Beside these parameters it takes those of `Origin` (where the image comes from) and of `Shape` (what a node is).

    Parameters
    ----------
    name
        The pool's id: 1 to 64 letters, digits, hyphens, underscores.
    nodes, spot
        How many dedicated and spot nodes.
    timeout
        Resize timeout of Azure's in seconds, at least 300; None: as the size needs.
    until
        ``ready``: wait until the nodes are idle or running. ``steady``: only until the pool is allocated.
    """

    name: Annotated[str, AfterValidator(pool_name)]
    nodes: Count = 0
    spot: Count = 0
    timeout: Annotated[float, BeforeValidator(resize_timeout)] | None = None
    until: Literal["ready", "steady"] = "ready"

    @classmethod
    def build(cls, name: str, body: Mapping[str, Any] | str | None = None, **options: object) -> PoolSpec:
        """Make a spec of a body and of options, which win over it.

        Parameters
        ----------
        name
            The pool's name.
        body
            A mapping, or YAML text of one.
        **options
            The spec's own fields; None: not given.

        Raises
        ------
        SpecError
            YAML that is none (the line is named), a key that is not known, a value that is not allowed.
        """
        text = body if isinstance(body, str) else ""
        asked = dict(_load(text) if isinstance(body, str) else body or {})
        if (said := asked.setdefault("name", name)) != name:
            raise SpecError(f"the line names the pool {name!r} and the body {said!r}", hint="name it once")
        asked.update({key: value for key, value in options.items() if value is not None})
        try:
            return cls.model_validate(asked)
        except ValidationError as error:
            raise _first(error, text) from error


def _load(text: str) -> dict[str, Any]:
    """Read YAML text as a mapping."""
    try:
        body = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise SpecError(
            f"the body is not YAML: {where}{getattr(error, 'problem', None) or error}",
            hint="write one `key: value` a line, e.g. `vm_size: Standard_D4s_v5`",
        ) from error
    if body is None:
        return {}
    if not isinstance(body, dict):
        raise SpecError("the body is not a mapping", hint="write one `key: value` a line, e.g. `nodes: 20`")
    return {str(key).replace("-", "_"): value for key, value in body.items()}


def _first(error: ValidationError, text: str) -> SpecError:
    """Turn pydantic's first complaint into one line that names the key, its line in the body, and the rule."""
    # An unknown key is most often the known one that is "missing", misspelt: it is named first.
    complaint = min(error.errors(include_url=False), key=lambda one: one["type"] != "extra_forbidden")
    if isinstance(cause := complaint.get("ctx", {}).get("error"), SpecError):
        return cause
    path = [str(part) for part in complaint["loc"]]
    key = path[0] if path else ""
    where = _line_of(text, key)
    if complaint["type"] == "extra_forbidden":
        hint = closest(key, PoolSpec.model_fields)
        return SpecError(f"{where}{key!r} is not known", hint=hint)
    option = "--" + key.replace("_", "-")
    if complaint["type"] == "missing":
        return SpecError(f"{key} is missing", hint=f"give {option}, or `{key}:` in the body")
    said = complaint["msg"][0].lower() + complaint["msg"][1:]
    return SpecError(f"{where}{'.'.join(path)} is {complaint['input']!r}: {said}", hint=f"correct {option}")


def _line_of(text: str, key: str) -> str:
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(rf"\s*[\"']?{re.escape(key).replace('_', '[_-]')}[\"']?\s*:", line):
            return f"line {number}: "
    return ""
