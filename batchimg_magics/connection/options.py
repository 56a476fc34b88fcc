"""The options of `connect`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

__all__ = ["ConnectionOptions"]


@dataclass(frozen=True, slots=True)
class ConnectionOptions:
    """The options of `connect`; None: not set.

    Parameters
    ----------
    state
        Emulator: state file, or ``:memory:``.
    speed
        Emulator: simulated seconds per second, or ``max``.
    scenario
        Emulator: name of a failure scenario.
    seed
        Emulator: random seed of a new state.
    date
        Emulator: start date of a new state.
    import_files
        Emulator: files with resource documents to import.
    deprovisioned
        Emulator: whether imported OS disks are generalized; None: if their VM is marked so.
    subscription, resource_group, account
        The Batch account in Azure; an account alone selects one of the emulator's.
    cloud
        Azure: name or metadata URL of the cloud.
    tenant
        Azure: id or domain of the tenant to sign in to.
    sign_in
        Azure: how to sign in, one of `sign_in.SIGN_IN_WAYS`.
    profile
        Name of a saved connection to Azure. Other options of Azure take precedence over it.
    save_as
        Name to save this connection to Azure as.
    max_cost_per_hour
        Limit of the cost of all pools of the account, in USD per hour.
    """

    state: str | None = None
    speed: str | float | None = None
    scenario: str | None = None
    seed: int | None = None
    date: str | dt.datetime | None = None
    import_files: Sequence[str] = ()
    deprovisioned: bool | None = None
    subscription: str | None = None
    resource_group: str | None = None
    account: str | None = None
    cloud: str | None = None
    tenant: str | None = None
    sign_in: str | None = None
    profile: str | None = None
    save_as: str | None = None
    max_cost_per_hour: float | None = None

    @property
    def is_emulator(self) -> bool:
        """Whether the options connect to the emulator."""
        return not (self.subscription or self.profile or self.cloud or self.tenant or self.sign_in)
