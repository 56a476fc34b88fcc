"""Saved connections: account, cloud, tenant and way to sign in, by name. They contain no secrets."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from platformdirs import user_config_path

from batchimg_magics.errors import NotConnectedError
from batchimg_magics.pool_spec.values import suggest_name

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Profile:
    """A connection to Azure.

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
    """

    subscription: str
    resource_group: str
    account: str
    max_cost_per_hour: float | None = None
    cloud: str | None = None
    tenant: str | None = None
    sign_in: str | None = None
    tags: dict[str, str] = field(default_factory=dict)


def _profiles_path() -> Path:
    return user_config_path("batchimg") / "profiles.json"


def read_profiles() -> dict[str, Profile]:
    """Return all saved connections by name."""
    if not _profiles_path().exists():
        return {}
    try:
        return {name: Profile(**parts) for name, parts in json.loads(_profiles_path().read_text("utf-8")).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise NotConnectedError(
            f"{_profiles_path()} cannot be read: {error}", hint="correct or delete the file"
        ) from error


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
    _profiles_path().parent.mkdir(parents=True, exist_ok=True)
    all_profiles = {**read_profiles(), name: profile}
    _profiles_path().write_text(
        json.dumps({key: asdict(one) for key, one in all_profiles.items()}, indent=1) + "\n", "utf-8"
    )
