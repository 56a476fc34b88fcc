"""`PoolSpec`: a pool and its image, from options or from YAML."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import yaml
from pydantic import AfterValidator, Field, ValidationError, model_validator

from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.create_line import create_line
from batchimg_magics.pool_spec.image_origin import ImageOriginSpec
from batchimg_magics.pool_spec.node import NodeSpec
from batchimg_magics.pool_spec.resize_policy import ResizePolicy
from batchimg_magics.pool_spec.validation_errors import to_spec_error
from batchimg_magics.pool_spec.values import MAX_NODES, pool_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

__all__ = ["PoolSpec"]

Count = Annotated[int, Field(ge=0, le=MAX_NODES, strict=True)]


class PoolSpec(ImageOriginSpec, NodeSpec, ResizePolicy):
    """A pool, and the image that its nodes are made from.

    Beside these parameters it takes those of `Origin` (where the image comes from), of `Shape` (what a node is) and of
    `Policy` (on what terms it gets its nodes).

    Parameters
    ----------
    name
        The pool's id: 1 to 64 letters, digits, hyphens, underscores.
    nodes, spot
        How many dedicated and spot nodes.
    """

    name: Annotated[str, AfterValidator(pool_name)]
    nodes: Count = 0
    spot: Count = 0

    @model_validator(mode="after")
    def _check_outside_ports(self) -> Self:
        for port in self.login_ports:
            if port.max_nodes < self.nodes + self.spot:
                raise SpecError(
                    f"login port {port.port} has {port.max_nodes:,} outside ports for {self.nodes + self.spot:,} nodes",
                    hint="each node takes one: give it a wider range, first to last, or leave it out",
                )
        return self

    def create_line(self, **replacements: object) -> str:
        """Return the line that makes it, in backticks, and what has to stand in the body of its cell.

        Parameters
        ----------
        **instead
            What is said in place of its own word, or beside it; None: nothing.
        """
        return create_line(self.name, self, replacements)

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
        given = _parse_yaml(text) if isinstance(body, str) else body or {}
        values = {str(key).replace("-", "_"): value for key, value in given.items()}
        if (body_name := values.setdefault("name", name)) != name:
            raise SpecError(f"the line names the pool {name!r} and the body {body_name!r}", hint="name it once")
        values.update({key: value for key, value in options.items() if value is not None})
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            # Not `from error`: what pydantic keeps of it has the values in it, and a secret may be among them.
            raise to_spec_error(error, cls, text) from None


def _parse_yaml(text: str) -> dict[str, Any]:
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
    return body
