"""The commands that open a shell or a desktop on a machine, to be pasted into a shell."""

from __future__ import annotations

import re
import shlex

__all__ = ["rdp_line", "ssh_line"]

#: What names and addresses of machines consist of; anything else is not for a shell.
_ADDRESS = re.compile(r"[A-Za-z0-9[][A-Za-z0-9.:\]_-]*")


def _address(text: str | None) -> str:
    return text if text and _ADDRESS.fullmatch(text) else "ADDRESS"


def ssh_line(user: str, address: str | None, port: int | None = None) -> str:
    """Return the command of OpenSSH; the names are the service's, and each is one word that is no option.

    Parameters
    ----------
    user, address
        The user, or empty for that of the machine; and the host. What no host can be is left to the reader.
    port
        None: 22.
    """
    # A user's name cannot begin the word with a hyphen: it would be an option.
    whom = "USER" if user.startswith("-") else user
    where = shlex.quote(f"{whom}@{_address(address)}") if whom else _address(address)
    return f"ssh {f'-p {port} ' if port else ''}{where}"


def rdp_line(address: str | None, port: int | None) -> str:
    """Return the command of Windows that opens a desktop."""
    return f"mstsc /v:{_address(address)}:{port}"
