"""Connections saved by name: which subscription, resource group and account. No secret is ever in them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from platformdirs import user_config_path

from batchimg_magics.errors import NotConnectedError
from batchimg_magics.pool_spec.values import suggest_name

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Profile:
    """A real connection.

    Parameters
    ----------
    subscription, resource_group, account
        As Azure names them.
    max_cost_per_hour
        US dollars that all pools of the account may cost an hour; None: no limit.
    """

    subscription: str
    resource_group: str
    account: str
    max_cost_per_hour: float | None = None


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
            f"{_profiles_path()} cannot be read: {error}", hint="mend the file, or delete it"
        ) from error


def read_profile(name: str) -> Profile:
    """Return a saved connection.

    Raises
    ------
    NotConnectedError
        None of that name was saved.
    """
    known = read_profiles()
    if name not in known:
        raise NotConnectedError(
            f"no connection was saved as {name!r}",
            hint=suggest_name(name, known) or "`%batchimg connect --subscription ... --save-as NAME` saves one",
        )
    return known[name]


def save_profile(name: str, profile: Profile) -> None:
    """Keep a connection under a name."""
    _profiles_path().parent.mkdir(parents=True, exist_ok=True)
    both = {**read_profiles(), name: profile}
    _profiles_path().write_text(json.dumps({key: asdict(one) for key, one in both.items()}, indent=1) + "\n", "utf-8")
