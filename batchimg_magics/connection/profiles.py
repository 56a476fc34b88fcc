"""Saved connections, by name: to Azure, or to the emulator with a state file. They contain no secrets."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from platformdirs import user_config_path

from batchimg_magics.core.base.files import make_private_folder, read_file, write_file
from batchimg_magics.errors import NotConnectedError, SpecError
from batchimg_magics.pool_spec.values import suggest_name

if TYPE_CHECKING:
    from pathlib import Path

_DAMAGED_HINT = "correct or delete the file"


@dataclass(frozen=True, slots=True)
class Profile:
    """A connection to Azure, or to the emulator, which has no subscription.

    Parameters
    ----------
    subscription, resource_group, account
        Subscription id, resource group of VMs and images, and name of the Batch account.
    max_cost_per_hour
        Limit of the cost of all pools of the account, in USD per hour; None: no limit.
    cloud
        Name or metadata URL of the cloud; None: the public one.
    tenant
        Id or domain of the tenant to sign in to; None: the one of the credential.
    sign_in
        How to sign in; None: what `DefaultAzureCredential` finds.
    tags
        Azure resource tags of everything that is created on the connection.
    state, speed, scenario
        Emulator: state file, time acceleration and failure scenario; None: the default.
    """

    subscription: str = ""
    resource_group: str = ""
    account: str = ""
    max_cost_per_hour: float | None = None
    cloud: str | None = None
    tenant: str | None = None
    sign_in: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    state: str | None = None
    speed: str | None = None
    scenario: str | None = None

    @property
    def is_emulator(self) -> bool:
        """Whether it is a connection to the emulator."""
        return not self.subscription


def _profiles_path() -> Path:
    return user_config_path("batchimg") / "profiles.json"


def read_profiles() -> dict[str, Profile]:
    """Return all saved connections by name.

    Raises
    ------
    NotConnectedError
        The file cannot be read, or somebody else wrote something into it.
    """
    import msgspec  # not when the extension is loaded

    path = _profiles_path()
    try:
        text = read_file(path) if path.exists() else "{}"
        found = msgspec.json.decode(text, type=dict[str, dict[str, Any]])
        profiles = msgspec.convert(found, dict[str, Profile])
    except (OSError, ValueError, RecursionError) as error:
        reason = str(error).removeprefix(f"{path} cannot be read: ")
        raise NotConnectedError(f"{path} cannot be read: {reason}", hint=_DAMAGED_HINT) from error
    if unknown := {key for parts in found.values() for key in parts} - {one.name for one in fields(Profile)}:
        # It may be a limit that a newer version saved: to ignore it is not safe.
        raise NotConnectedError(f"{path} cannot be read: {min(unknown)!r} is not known", hint=_DAMAGED_HINT)
    return profiles


def read_profile(name: str) -> Profile:
    """Return a saved connection.

    Raises
    ------
    NotConnectedError
        No connection with that name is saved.
    """
    known = read_profiles()
    if name not in known:
        raise NotConnectedError(
            f"no connection was saved as {name!r}",
            hint=suggest_name(name, known) or "save one with `%batchimg connect --subscription ... --save-as NAME`",
        )
    return known[name]


def save_profile(name: str, profile: Profile) -> None:
    """Save a connection, and replace one with the same name."""
    _write({**read_profiles(), name: profile})


def delete_profile(name: str) -> None:
    """Delete a saved connection; nothing in Azure is changed.

    Raises
    ------
    NotConnectedError
        No connection with that name is saved.
    """
    read_profile(name)
    _write({key: one for key, one in read_profiles().items() if key != name})


def _write(found: dict[str, Profile]) -> None:
    path = _profiles_path()
    text = json.dumps({key: asdict(one) for key, one in found.items()}, indent=1) + "\n"
    try:
        make_private_folder(path.parent)
        write_file(path, text, force=True, private=True)
    except (OSError, SpecError) as error:
        raise NotConnectedError(
            f"the connection cannot be saved: {error}", hint="set XDG_CONFIG_HOME to a folder that can be written"
        ) from error
