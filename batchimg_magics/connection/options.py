"""The options of `connect`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

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
    subscription, resource_group, account
        The Batch account in Azure; an account alone selects one of the emulator's.
    cloud
        Azure: name or metadata URL of the cloud.
    tenant
        Azure: id or domain of the tenant to sign in to.
    sign_in
        Azure: how to sign in, one of `words.SIGN_IN_WAYS`.
    profile
        Name of a saved connection to Azure. Other options of Azure take precedence over it.
    save_as
        Name to save this connection to Azure as.
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
        return not (self.subscription or self.profile or self.cloud or self.tenant or self.sign_in)
