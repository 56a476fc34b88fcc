"""The rules for the user accounts of a pool's nodes.

Source: Microsoft's OpenAPI (2024-02-01.19.0): UserAccount, LinuxUserConfiguration, WindowsUserConfiguration.
"""

from __future__ import annotations

from typing import Any

from batchimg_magics.emulator.batch.rest.body_checks import first_repeated
from batchimg_magics.emulator.batch.rest.errors import bad_property, missing_property

_LONGEST_NAME = 20


def check_users(users: list[dict[str, Any]], *, need_passwords: bool) -> None:
    """Refuse user accounts without what each account must have.

    Parameters
    ----------
    users
        The accounts in a request.
    need_passwords
        Whether each must have a password. In open mode it need not: recordings of responses do not show any.
    """
    for user in users:
        if need_passwords and not user.get("password"):
            raise missing_property("password")
        if not user["name"] or len(user["name"]) > _LONGEST_NAME:
            reason = f"The name of a user account can contain up to {_LONGEST_NAME} characters"
            raise bad_property("name", user["name"], reason)
        linux = user.get("linuxUserConfiguration", {})
        if ("uid" in linux) != ("gid" in linux):
            raise bad_property("uid", linux.get("uid"), "uid and gid must be specified together or not at all")
    if (twice := first_repeated(user["name"].lower() for user in users)) is not None:
        raise bad_property("name", twice, "The names of user accounts must be unique")


def check_login_modes(pool: dict[str, Any], *, windows: bool) -> None:
    """Refuse a Windows login mode of a user on Linux nodes."""
    for user in pool.get("userAccounts", []):
        if "windowsUserConfiguration" in user and not windows:
            reason = "This property can only be specified if the user is on a Windows pool"
            raise bad_property("windowsUserConfiguration", None, reason)
