"""On what terms a pool is brought to a size."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, model_validator

from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.base import MODEL_CONFIG
from batchimg_magics.pool_spec.validation_errors import to_spec_error
from batchimg_magics.pool_spec.values import parse_duration, parse_share, resize_timeout

__all__ = ["ResizePolicy"]

#: Rounds altogether: a pool that grows by a node a round would otherwise go on for days.
MAX_ROUNDS = 50
#: From a minute on: a pool that expires at once would never have a node.
MIN_TTL_S = 60.0


def _parse_ttl(text: str | float) -> float:
    seconds = parse_duration(text)
    if seconds < MIN_TTL_S:
        raise SpecError(f"a life of {text}", hint="give --ttl as 90m, 8h or 2d")
    return seconds


class ResizePolicy(BaseModel):
    """How far a resize may go.

    Parameters
    ----------
    timeout
        Resize timeout of Azure's in seconds, at least 300; None: as the size needs.
    until
        ``ready``: wait until the nodes are idle or running. ``steady``: only until the pool is allocated.
    max_rounds, max_minutes, max_cost
        Rounds, minutes, and US dollars that it may take at most; None: no limit of minutes, or of dollars.
    max_unusable
        The share of bad nodes from which it has failed, 0 to 1 or ``5%``.
    repair
        Whether bad nodes are replaced.
    canary
        Whether one node has to be idle before the others are paid for; None: where the image never had an idle node.
    take_what_fits
        Whether fewer nodes are fine where a quota ends.
    ttl
        Seconds until Azure takes all nodes away; None: never.
    """

    model_config = MODEL_CONFIG

    timeout: Annotated[float, BeforeValidator(resize_timeout)] | None = None
    until: Literal["ready", "steady"] = "ready"
    max_rounds: Annotated[int, Field(ge=1, strict=True)] = MAX_ROUNDS
    max_minutes: Annotated[float, Field(ge=5)] | None = None
    max_cost: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    max_unusable: Annotated[float, BeforeValidator(parse_share)] = 0.05
    repair: bool = False
    canary: bool | None = None
    take_what_fits: bool = False
    ttl: Annotated[float, BeforeValidator(_parse_ttl)] | None = None

    @classmethod
    def from_options(cls, **options: Any) -> Self:
        """Make one of options; None: not given.

        Raises
        ------
        SpecError
            A value is not allowed.
        """
        try:
            return cls.model_validate({key: value for key, value in options.items() if value is not None})
        except ValidationError as error:
            raise to_spec_error(error, cls, "") from None

    @model_validator(mode="after")
    def _check_repair(self) -> Self:
        if self.repair and self.until == "steady":
            raise SpecError("--repair needs to see the nodes come up", hint="leave --until steady out")
        return self
