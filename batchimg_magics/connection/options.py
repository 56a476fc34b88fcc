"""The options of `connect`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from batchimg_magics.connection import profiles
from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.tags import check_resource_tags

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

__all__ = ["ConnectionOptions"]


def parse_tag(word: str) -> tuple[str, str]:
    """Return name and value of ``NAME=VALUE``.

    Raises
    ------
    SpecError
        There is no name or no ``=``.
    """
    name, equals, value = word.partition("=")
    if not equals or not name.strip():
        raise SpecError(f"{word!r} is not a tag", hint="expected NAME=VALUE, e.g. --tag CostCenter=4711")
    return name, value


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
    generalized
        Emulator: whether imported OS disks are generalized; None: if their VM is marked so.
    run_tasks
        Emulator: whether the command lines of tasks run as processes of this machine, without isolation. It is in no
        profile: who wants it says so.
    subscription, resource_group, account
        The Batch account in Azure; an account alone selects one of the emulator's.
    cloud
        Azure: name or metadata URL of the cloud.
    tenant
        Azure: id or domain of the tenant to sign in to.
    sign_in
        Azure: how to sign in, one of `words.SIGN_IN_WAYS`.
    profile
        Name of a saved connection. Other options take precedence over it.
    save_as
        Name to save this connection as.
    max_cost_per_hour
        Limit of the cost of all pools of the account, in USD per hour.
    tag
        Azure resource tags of everything that is created on the connection: name to value, or ``NAME=VALUE`` words.
    """

    state: str | None = None
    speed: str | float | None = None
    scenario: str | None = None
    seed: int | None = None
    date: str | dt.datetime | None = None
    import_files: Sequence[str] = ()
    generalized: bool | None = None
    run_tasks: bool = False
    subscription: str | None = None
    resource_group: str | None = None
    account: str | None = None
    cloud: str | None = None
    tenant: str | None = None
    sign_in: str | None = None
    profile: str | None = None
    save_as: str | None = None
    max_cost_per_hour: float | None = None
    tag: Mapping[str, str] | Sequence[str] = field(default_factory=dict)

    @property
    def resource_tags(self) -> dict[str, str]:
        """The tags of the connection, checked against the limits of Azure.

        Raises
        ------
        SpecError
            Azure would refuse a tag.
        """
        given = [self.tag] if isinstance(self.tag, str) else self.tag
        pairs = given.items() if isinstance(given, Mapping) else map(parse_tag, given)
        listed = [(str(name), str(value)) for name, value in pairs]
        found = dict(listed)
        if len(found) < len(listed):
            raise SpecError("a tag is specified twice", hint="specify each --tag NAME=VALUE once")
        return dict(check_resource_tags(found))

    @property
    def is_emulator(self) -> bool:
        """Whether the options connect to the emulator."""
        if self.subscription or self.cloud or self.tenant or self.sign_in:
            return False
        return self.profile is None or self._emulator_profile() is not None

    def _emulator_profile(self) -> profiles.Profile | None:
        """Return the saved connection to the emulator that is named; None: none is named, or it is to Azure."""
        found = profiles.read_profiles().get(self.profile) if self.profile else None
        return found if found is not None and found.is_emulator else None

    def with_emulator_profile(self) -> ConnectionOptions:
        """Return the options with those of the named connection to the emulator, where they are not set."""
        if (saved := self._emulator_profile()) is None:
            return self
        return replace(
            self,
            profile=None,
            state=self.state or saved.state,
            speed=self.speed if self.speed is not None else saved.speed,
            scenario=self.scenario or saved.scenario,
            account=self.account or saved.account or None,
            max_cost_per_hour=self.max_cost_per_hour or saved.max_cost_per_hour,
        )

    def as_emulator_profile(self) -> profiles.Profile:
        """Return what is saved of a connection to the emulator; the path of its state file is absolute."""
        state = self.state
        return profiles.Profile(
            account=self.account or "",
            max_cost_per_hour=self.max_cost_per_hour,
            state=str(Path(state).expanduser().absolute()) if state and state != ":memory:" else state,
            speed=None if self.speed is None else str(self.speed),
            scenario=self.scenario,
        )
