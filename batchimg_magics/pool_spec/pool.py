"""`PoolSpec`: the specification of a pool and its image, from options or YAML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, ValidationError, model_validator

from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.base import masked_fields
from batchimg_magics.pool_spec.body import parse_body
from batchimg_magics.pool_spec.create_line import create_line
from batchimg_magics.pool_spec.image_origin import (
    ORIGIN_FIELDS,
    ImageOriginSpec,
    missing_origin_error,
    stated_fact_errors,
)
from batchimg_magics.pool_spec.node import NodeSpec
from batchimg_magics.pool_spec.pool_document import read_pool_document
from batchimg_magics.pool_spec.resize_policy import ResizePolicy
from batchimg_magics.pool_spec.validation_errors import to_spec_error
from batchimg_magics.pool_spec.values import MAX_NODES, parse_duration, pool_name, suggest_name
from batchimg_magics.pool_spec.words import ACCEPTABLE_RULES, OWN_VM_SIZE, count_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

__all__ = ["PoolSpec"]

Count = Annotated[int, Field(ge=0, le=MAX_NODES, strict=True)]
#: Source: Batch OpenAPI, PublicIPAddressConfiguration.ipAddressIds.
NODES_PER_ADDRESS = 100
#: Source: the autoscale document and Batch OpenAPI: 8 KB; 5 minutes to 168 hours.
MAX_FORMULA_BYTES, MIN_INTERVAL_S, MAX_INTERVAL_S = 8_192, 300.0, 604_800.0


def _check_formula(text: str) -> str:
    if len(text.encode()) > MAX_FORMULA_BYTES:
        raise SpecError(
            f"the formula has {len(text.encode()):,} bytes", hint=f"Azure allows at most {MAX_FORMULA_BYTES:,}"
        )
    return text


def _parse_interval(text: str | float) -> float:
    seconds = parse_duration(text)
    if not MIN_INTERVAL_S <= seconds <= MAX_INTERVAL_S:
        raise SpecError(f"a formula interval of {text} is not possible", hint="Azure allows 5 minutes to 168 hours")
    return seconds


Formula = Annotated[str, Field(min_length=1), AfterValidator(_check_formula)]


def _formula_problems(spec: PoolSpec) -> Iterator[tuple[str, str]]:
    if spec.formula is None:
        if spec.formula_interval is not None:
            yield "formula_interval needs a formula", "add --formula, or remove --formula-interval"
        return
    if spec.nodes or spec.spot:
        option = "--nodes" if spec.nodes else "--spot"
        yield f"{option} cannot be used with --formula: the formula sets the number of nodes", f"remove {option}"
    if spec.then_zero:
        yield (
            "--then-zero cannot be used with --formula: a pool has one formula",
            "remove it: the formula can count $PendingTasks",
        )
    elif spec.ttl is not None:
        yield (
            "--ttl cannot be used with --formula: a pool has one formula",
            "write the end of the pool into the formula",
        )
    if spec.direct:
        yield "--formula cannot be used with --direct", "remove one of them; `%batchimg autoscale` sets a formula later"


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
                hint=near if near.startswith("did") else f"{known}; correct what the others report",
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
    formula, formula_interval
        An autoscale formula that sets the number of nodes instead; how often Azure evaluates it in seconds, 300 (five
        minutes) to 604,800 (seven days). Default: 15 minutes.
    """

    name: Annotated[str, AfterValidator(pool_name)]
    _omitted: tuple[str, ...] | None = PrivateAttr(default=None)

    nodes: Count = 0
    spot: Count = 0
    accept: Annotated[tuple[str, ...], BeforeValidator(_acceptable_rules)] = ()
    formula: Formula | None = None
    formula_interval: Annotated[float, BeforeValidator(_parse_interval)] | None = None

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        return masked_fields(super().__repr_args__())

    @model_validator(mode="after")
    def _check_formula(self) -> Self:
        for problem, hint in _formula_problems(self):
            raise SpecError(problem, hint=hint)
        return self

    @model_validator(mode="after")
    def _check_public_addresses(self) -> Self:
        most = NODES_PER_ADDRESS * len(self.public_addresses)
        if self.public_addresses and max(self.nodes, self.spot) > most:
            raise SpecError(
                f"public addresses: {len(self.public_addresses)}, enough for {most:,} nodes of a kind",
                hint=f"add addresses: Azure needs one per {NODES_PER_ADDRESS} nodes of a kind",
            )
        return self

    @model_validator(mode="after")
    def _check_frontend_ports(self) -> Self:
        nodes = self.nodes + self.spot
        for port in self.login_ports:
            if port.max_nodes < nodes:
                raise SpecError(
                    f"login port {port.port} has {count_text(port.max_nodes, 'frontend port')} for "
                    f"{count_text(nodes, 'node')}",
                    hint="each node needs one: use a wider range from first to last, or remove the range",
                )
        return self

    @model_validator(mode="after")
    def _check_fallback(self) -> Self:
        if self.fallback_dedicated and not self.spot:
            raise SpecError("--fallback-dedicated needs --spot", hint="for example: --spot 20 --fallback-dedicated 5")
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
            A mapping, or a mapping as YAML text; or the REST document of a pool, in JSON or YAML, which `omitted` tells
            about.
        **options
            Fields of the spec; None: not set.

        Raises
        ------
        SpecError
            The YAML is invalid, a key is not known, or a value is not allowed; the message has the line in the body.
        """
        text = body if isinstance(body, str) else ""
        given = parse_body(text) if isinstance(body, str) else body or {}
        omitted: list[str] | None = None
        set_options = {key for key, value in options.items() if value is not None}
        if document := read_pool_document(given, name, set_options):
            given, omitted = document
            # An option that sets the number of nodes replaces a formula, and a formula replaces the number of nodes.
            for field in _replaced_fields(set_options):
                given.pop(field, None)
        if not isinstance(given, Mapping):
            raise SpecError(
                "the body is not a mapping", hint="write one `key: value` per line, for example `nodes: 20`"
            )
        values = _with_underscores(given)
        if (body_name := values.setdefault("name", name)) != name:
            raise SpecError(
                f"the pool name is {name!r} in the command and {body_name!r} in the body", hint="specify it once"
            )
        values.update({key: value for key, value in options.items() if value is not None})
        if values.get("from_vm") or not any(values.get(field) is not None for field in ORIGIN_FIELDS):
            values.setdefault("vm_size", OWN_VM_SIZE)  # without any source, the source is what is missing
        try:
            spec = cls.model_validate(values)
        except ValidationError as error:
            # Not `from error`: pydantic's error contains the values, and a secret may be among them.
            # A REST document has other keys than a spec: its errors name options.
            raise to_spec_error(error, cls, text if omitted is None else "", _missing_inputs(values)) from None
        spec._omitted = None if omitted is None else tuple(omitted)  # noqa: SLF001 - of this class
        return spec

    @property
    def omitted(self) -> tuple[str, ...] | None:
        """The settings of the REST document that cannot be kept; None if it was built of no such document."""
        return self._omitted


def _with_underscores(given: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a body with the keys of the spec: both ``vm_size`` and ``vm-size`` can be written."""
    keys: dict[str, Any] = {}
    for key in given:
        if (first := keys.setdefault(str(key).replace("-", "_"), key)) != key:
            raise SpecError(f"{str(first)!r} and {str(key)!r} are the same key", hint="write each key once")
    return {name: given[key] for name, key in keys.items()}


def _missing_inputs(values: Mapping[str, Any]) -> list[SpecError]:
    """Return what else is missing where a value is: pydantic checks combinations only of values that are valid."""
    if not values.keys() <= PoolSpec.model_fields.keys():
        return []  # a misspelt key may be the missing one
    if any(values.get(name) is not None for name in ORIGIN_FIELDS):
        return [] if values.get("vm_size") else stated_fact_errors(values)
    return [missing_origin_error()]


def _replaced_fields(options: set[str]) -> tuple[str, ...]:
    """Return the fields of a document that options replace, although they have other names."""
    if "formula" in options:
        return ("nodes", "spot", "formula", "formula_interval")
    return ("formula", "formula_interval") if options & {"ttl", "then_zero", "nodes", "spot"} else ()
