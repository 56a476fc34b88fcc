"""`PoolSpec`: the specification of a pool and its image, from options or YAML."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import yaml
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.create_line import create_line
from batchimg_magics.pool_spec.image_origin import ImageOriginSpec
from batchimg_magics.pool_spec.node import NodeSpec
from batchimg_magics.pool_spec.resize_policy import ResizePolicy
from batchimg_magics.pool_spec.validation_errors import to_spec_error
from batchimg_magics.pool_spec.values import MAX_NODES, pool_name, suggest_name
from batchimg_magics.pool_spec.words import ACCEPTABLE_RULES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

__all__ = ["PoolSpec"]

Count = Annotated[int, Field(ge=0, le=MAX_NODES, strict=True)]


def _acceptable_rules(value: object) -> tuple[str, ...]:
    """Return ids of rules that can be accepted, each once; one id may stand alone."""
    names = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, (list, tuple)) else ()
    if not names and value not in ((), []):
        raise SpecError("accept is not a list of rules", hint=f"the rules are: {', '.join(ACCEPTABLE_RULES)}")
    for name in map(str, names):
        if name not in ACCEPTABLE_RULES:
            near = suggest_name(name, ACCEPTABLE_RULES)
            known = f"these rules can be accepted: {', '.join(ACCEPTABLE_RULES)}"
            raise SpecError(
                f"rule {name!r} cannot be accepted",
                hint=near if near.startswith("did") else f"{known}; mend what the others report",
            )
    return tuple(dict.fromkeys(map(str, names)))


class PoolSpec(ImageOriginSpec, NodeSpec, ResizePolicy):
    """A pool, and the image of its nodes.

    It also has the parameters of `ImageOriginSpec` (the source of the image), `NodeSpec` (the properties of the nodes)
    and `ResizePolicy` (limits of the resize).

    Parameters
    ----------
    name
        The pool's id: 1 to 64 letters, digits, hyphens, underscores.
    nodes, spot
        Number of dedicated and spot nodes.
    accept
        Ids of preflight rules whose errors the user accepts: they become warnings.
    """

    name: Annotated[str, AfterValidator(pool_name)]
    nodes: Count = 0
    spot: Count = 0
    accept: Annotated[tuple[str, ...], BeforeValidator(_acceptable_rules)] = ()

    @model_validator(mode="after")
    def _check_frontend_ports(self) -> Self:
        nodes = self.nodes + self.spot
        for port in self.login_ports:
            if port.max_nodes < nodes:
                raise SpecError(
                    f"login port {port.port} has {port.max_nodes:,} frontend ports for {nodes:,} nodes",
                    hint="each node needs one: use a wider range from first to last, or remove the range",
                )
        return self

    def create_line(self, **replacements: object) -> str:
        """Return the command that creates it, in backticks, and the fields that the cell's body must contain.

        Parameters
        ----------
        **replacements
            Options that replace or complement those of the spec; None: leave the option out.
        """
        return create_line(self.name, self, replacements)

    @classmethod
    def build(cls, name: str, body: Mapping[str, Any] | str | None = None, **options: object) -> PoolSpec:
        """Build a spec from a body and options; options take precedence.

        Parameters
        ----------
        name
            Name of the pool.
        body
            A mapping, or a mapping as YAML text.
        **options
            Fields of the spec; None: not set.

        Raises
        ------
        SpecError
            The YAML is invalid, a key is not known, or a value is not allowed; the message has the line in the body.
        """
        text = body if isinstance(body, str) else ""
        given = _parse_yaml(text) if isinstance(body, str) else body or {}
        values = {str(key).replace("-", "_"): value for key, value in given.items()}
        if (body_name := values.setdefault("name", name)) != name:
            raise SpecError(
                f"the pool name is {name!r} in the command and {body_name!r} in the body", hint="specify it once"
            )
        values.update({key: value for key, value in options.items() if value is not None})
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            # Not `from error`: pydantic's error contains the values, and a secret may be among them.
            raise to_spec_error(error, cls, text) from None


def _parse_yaml(text: str) -> dict[str, Any]:
    """Parse YAML text to a mapping."""
    try:
        body = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise SpecError(
            f"the body is not YAML: {where}{getattr(error, 'problem', None) or error}",
            hint="write one `key: value` per line, for example `vm_size: Standard_D4s_v5`",
        ) from error
    if body is None:
        return {}
    if not isinstance(body, dict):
        raise SpecError("the body is not a mapping", hint="write one `key: value` per line, for example `nodes: 20`")
    return body
