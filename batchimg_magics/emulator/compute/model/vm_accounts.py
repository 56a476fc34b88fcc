"""The OS profile of a new VM: its administrator, computer name, SSH keys and custom data.

Source: the texts of azure-mgmt-compute (`OSProfile`), and the refusals that issue threads quote.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from batchimg_magics.emulator.arm import bodies
from batchimg_magics.emulator.world.evidence import Evidence

evidence = Evidence("Accounts of VMs")
evidence.rule(
    "A Linux VM without a password needs disablePasswordAuthentication, and SSH keys.",
    "the refusal of a VM without either is known; that the setting is not derived is the stricter reading",
)
_NAMES_NOT_ALLOWED = frozenset(
    [
        *("administrator", "admin", "user", "user1", "test", "user2", "test1", "user3", "admin1", "1", "123", "a"),
        *("actuser", "adm", "admin2", "aspnet", "backup", "console", "david", "guest", "john", "owner", "root"),
        *("server", "sql", "support", "support_388945a0", "sys", "test2", "test3", "user4", "user5"),
    ]
)
_PASSWORDS_NOT_ALLOWED = frozenset(
    [
        *("abc@123", "P@$$w0rd", "P@ssw0rd", "P@ssword123", "Pa$$word", "pass@word1", "Password!", "Password1"),
        *("Password22", "iloveyou!"),
    ]
)
_MAX_USER, _MAX_COMPUTER = {"Windows": 20, "Linux": 64}, {"Windows": 15, "Linux": 64}
_PASSWORD_LENGTH = {"Windows": (8, 123), "Linux": (6, 72)}
_SIGNS_IN_NAMES = frozenset('\\/"[]:|<>+=;,?*@&%')
_KINDS_OF_SIGNS = (r"[a-z]", r"[A-Z]", r"\d", r"[\W_]")
_COMPUTER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*", re.ASCII)
_MAX_DATA_BYTES = evidence.documented(
    65_535, "bytes", "of the custom data and the user data of a VM, at most", "the SDK"
)
_KEY = re.compile(r"(ssh-rsa|ssh-ed25519) AAAA[A-Za-z0-9+/]+={0,3}(\s.*)?", re.DOTALL)


def check_profile(profile: dict[str, Any], os_type: str, vm_name: str) -> None:
    """Refuse an OS profile that Azure does not take.

    Parameters
    ----------
    profile
        In the body of a VM that is created of a generalized image.
    os_type
        ``Linux`` or ``Windows``.
    vm_name
        The computer name without one in the profile.
    """
    _check_user(str(profile.get("adminUsername")), os_type)
    _check_computer_name(str(profile.get("computerName") or vm_name), os_type)
    other = "windowsConfiguration" if os_type == "Linux" else "linuxConfiguration"
    if profile.get(other):
        raise bodies.invalid(other, f"Parameter '{other}' is not allowed.")
    _check_credentials(profile, os_type)
    if custom := profile.get("customData"):
        check_encoded(custom, "customData", "Custom data in OSProfile")


def check_encoded(value: str, name: str, what: str) -> None:
    """Refuse data that is not in Base64, or too long."""
    try:
        size = len(base64.b64decode(value, validate=True))
    except (binascii.Error, ValueError):
        size = _MAX_DATA_BYTES + 1
    if size > _MAX_DATA_BYTES:
        message = f"{what} must be in Base64 encoding and with a maximum length of 87380 characters."
        raise bodies.invalid(name, message)


def _check_user(name: str, os_type: str) -> None:
    too_long = len(name) > _MAX_USER[os_type]
    if name.lower() in _NAMES_NOT_ALLOWED or too_long or _SIGNS_IN_NAMES & set(name) or name.endswith("."):
        raise bodies.invalid("adminUsername", "The Admin Username specified is not allowed.")


def _check_computer_name(name: str, os_type: str) -> None:
    most = _MAX_COMPUTER[os_type]
    if len(name) > most or not _COMPUTER_NAME.fullmatch(name) or (os_type == "Windows" and name.isdigit()):
        signs = "` ~ ! @ # $ % ^ & * ( ) = + _ [ ] { } \\ | ; : ' \" , < > / ?"
        what = "Windows computer name" if os_type == "Windows" else "Linux host name"
        message = (
            f"{what} cannot exceed {most} characters in length or contain the following characters: {signs}. It is "
            f"'{name}'."
        )
        raise bodies.invalid("computerName", message)


def _check_credentials(profile: dict[str, Any], os_type: str) -> None:
    password = profile.get("adminPassword")
    linux = profile.get("linuxConfiguration") or {}
    keys = (linux.get("ssh") or {}).get("publicKeys") or []
    without_password = bool(linux.get("disablePasswordAuthentication"))
    if without_password and not keys:
        message = "Authentication using either SSH or by user name and password must be enabled in Linux profile."
        raise bodies.invalid("linuxConfiguration", message)
    # A password beside keys is not looked at: libcloud sends one, and templates of Microsoft put the key there.
    if not without_password:
        _check_password(bodies.text(password, "adminPassword"), os_type)
    home = f"/home/{profile['adminUsername']}/.ssh/authorized_keys"
    for key in keys:
        if key.get("path") != home:
            message = (
                f"Destination path for SSH public keys is currently limited to its default value {home} due to a known "
                "issue in Linux provisioning agent."
            )
            raise bodies.invalid("linuxConfiguration.ssh.publicKeys.path", message)
        if not _KEY.fullmatch(str(key.get("keyData") or "").strip()):
            message = "The value of parameter linuxConfiguration.ssh.publicKeys.keyData is invalid."
            raise bodies.invalid("linuxConfiguration.ssh.publicKeys.keyData", message)


def _check_password(password: str, os_type: str) -> None:
    least, most = _PASSWORD_LENGTH[os_type]
    kinds = sum(bool(re.search(kind, password)) for kind in _KINDS_OF_SIGNS)
    if not least <= len(password) <= most or kinds < 3 or any(ord(sign) < 32 for sign in password):
        message = (
            f"The supplied password must be between {least}-{most} characters long and must satisfy at least 3 of "
            "password complexity requirements from the following:\r\n1) Contains an uppercase character\r\n2) Contains "
            "a lowercase character\r\n3) Contains a numeric digit\r\n4) Contains a special character\r\n5) Control "
            "characters are not allowed"
        )
        raise bodies.invalid("adminPassword", message)
    if password in _PASSWORDS_NOT_ALLOWED:
        raise bodies.invalid("adminPassword", "The supplied password is not allowed.")
