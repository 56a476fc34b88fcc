"""How the operating system of a pool's nodes is upgraded.

Source: Batch OpenAPI, UpgradePolicy, AutomaticOSUpgradePolicy and RollingUpgradePolicy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.base import SpecModel
from batchimg_magics.pool_spec.values import parse_duration

if TYPE_CHECKING:
    from typing import Self

__all__ = ["RollingUpgrade", "UpgradePolicy", "UpgradePolicyField"]

Percent = Annotated[int, Field(ge=5, le=100, strict=True)]


class RollingUpgrade(SpecModel):
    """The batches of a rolling upgrade.

    Parameters
    ----------
    batch_percent
        Maximum share of the nodes that are upgraded at the same time: 5 to 100.
    unhealthy_percent, unhealthy_upgraded_percent
        Share of unhealthy nodes (5 to 100), and of unhealthy upgraded nodes (0 to 100), that ends the upgrade.
    pause
        Time between two batches, for example ``30s``.
    unhealthy_first
        Whether unhealthy nodes are upgraded first.
    rollback
        Whether nodes are rolled back if the upgrade breaks these limits.
    across_zones
        Whether a batch may contain nodes of several zones; only with zonal placement.
    """

    batch_percent: Percent | None = None
    unhealthy_percent: Percent | None = None
    unhealthy_upgraded_percent: Annotated[int, Field(ge=0, le=100, strict=True)] | None = None
    pause: Annotated[float, BeforeValidator(parse_duration)] | None = None
    unhealthy_first: bool | None = None
    rollback: bool | None = None
    across_zones: bool | None = None

    @model_validator(mode="after")
    def _check_shares(self) -> Self:
        if self.batch_percent and self.unhealthy_percent and self.batch_percent > self.unhealthy_percent:
            raise SpecError(
                f"batch_percent is {self.batch_percent}, and unhealthy_percent is {self.unhealthy_percent}",
                hint="batch_percent must not be above unhealthy_percent",
            )
        return self


class UpgradePolicy(SpecModel):
    """How the operating system of the nodes is upgraded.

    Parameters
    ----------
    mode
        ``automatic``, ``manual`` or ``rolling``.
    automatic_os_upgrade
        Whether nodes are upgraded when a newer version of the image appears. A pool that uses one version of an image
        has none.
    defer_while_running
        Whether the upgrade of a node waits for its tasks.
    use_rolling
        Whether automatic upgrades follow `rolling`.
    disable_rollback
        Whether a failed upgrade is not rolled back.
    rolling
        The batches of a rolling upgrade.
    """

    mode: Literal["automatic", "manual", "rolling"]
    automatic_os_upgrade: bool | None = None
    defer_while_running: bool | None = None
    use_rolling: bool | None = None
    disable_rollback: bool | None = None
    rolling: RollingUpgrade | None = None


def _policy(value: Any) -> Any:  # noqa: ANN401 - any YAML value
    return {"mode": value.lower()} if isinstance(value, str) else value


#: A mode, or a complete policy.
UpgradePolicyField = Annotated[UpgradePolicy, BeforeValidator(_policy)]
