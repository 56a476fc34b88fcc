"""The limits and options of a resize."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, model_validator

from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.base import MODEL_CONFIG
from batchimg_magics.pool_spec.validation_errors import to_spec_error
from batchimg_magics.pool_spec.values import parse_duration, parse_share, resize_timeout

__all__ = ["ResizePolicy"]

#: Maximum number of resize attempts: with one node per attempt, a resize would otherwise take days.
MAX_ROUNDS = 50
#: Minimum time to live: a pool that expires immediately would never have a node.
MIN_TTL_S = 60.0
#: Time to live of a pool whose nodes leave without tasks, where none is given: a task that never ends would keep them.
THEN_ZERO_TTL_S = 7 * 24 * 3600.0


def _parse_ttl(text: str | float) -> float:
    seconds = parse_duration(text)
    if seconds < MIN_TTL_S:
        raise SpecError(f"a --ttl of {text} is too short", hint="the minimum is 1 minute, for example 90m, 8h or 2d")
    return seconds


class ResizePolicy(BaseModel):
    """The limits and options of a resize.

    Parameters
    ----------
    timeout
        Azure's resizeTimeout per attempt in seconds, at least 300; None: by pool size.
    until
        ``ready``: wait until the nodes are idle or running. ``steady``: wait until the allocation state is steady.
    max_rounds, max_minutes, max_cost
        Maximum number of resize attempts, total minutes, and total cost in USD; None: no limit.
    max_unusable
        Fail if more than this share of the nodes is unusable, 0 to 1 or ``5%``.
    repair
        Whether to reboot or replace unusable nodes.
    canary
        Whether to start one node first and wait until it is idle; None: only for an image without an idle node so far.
    take_what_fits
        Whether to accept fewer nodes if a quota is reached.
    fallback_dedicated
        Maximum number of dedicated nodes to request instead of Spot nodes that a quota or a lack of capacity does not
        allow; None: none.
    ttl
        Seconds until Azure removes all nodes; None: never.
    then_zero
        Whether Azure also removes all nodes while no task is left; the nodes come again with new tasks. It needs a time
        to live: `THEN_ZERO_TTL_S` where none is given.
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
    fallback_dedicated: Annotated[int, Field(ge=1, strict=True)] | None = None
    ttl: Annotated[float, BeforeValidator(_parse_ttl)] | None = None
    then_zero: bool = False

    @classmethod
    def from_options(cls, **options: Any) -> Self:
        """Build a policy from options; None: not set.

        Raises
        ------
        SpecError
            A value is not allowed.
        """
        try:
            return cls.model_validate({key: value for key, value in options.items() if value is not None})
        except ValidationError as error:
            raise to_spec_error(error, cls, "") from None

    @property
    def lasting_s(self) -> float | None:
        """Seconds until Azure removes all nodes of a pool without an expiry; None: never."""
        return THEN_ZERO_TTL_S if self.ttl is None and self.then_zero else self.ttl

    @model_validator(mode="after")
    def _check_repair(self) -> Self:
        if self.repair and self.until == "steady":
            raise SpecError(
                "--repair cannot be used with --until steady",
                hint="it needs the states of started nodes: remove --until",
            )
        return self
