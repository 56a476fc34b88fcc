"""The part of a start task that provides the list of packages of a node.

A pool's start task first runs a script, which is the value of an environment variable, and then the start task of the
user, unchanged. The script provides the list in the working directory of the start task, where Batch shows it as a file
of the node. It cannot fail the start task: its exit code is not used, and the user's command does not see its output.

On Linux, `exec "$@"` runs the words of the user's command line as Batch would, without a shell. On Windows, a command
line cannot be passed on unchanged, except by ``cmd /c``: other command lines stay as they are, without a list.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from batchimg_magics.pool_spec.start_task import StartTask

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SCRIPT_VARIABLE", "add_package_list", "has_package_list", "user_command", "without_package_list"]

#: The environment variable whose value is the script.
SCRIPT_VARIABLE = "BATCHIMG_PACKAGES"
_LINUX = f"""/bin/sh -c 'eval "${SCRIPT_VARIABLE}"; unset {SCRIPT_VARIABLE}; exec "$@"' batchimg """
#: The command line without a start task of the user.
_LINUX_ALONE = f"""/bin/sh -c 'eval "${SCRIPT_VARIABLE}"; exit 0' batchimg"""
# Without quotes, which cmd and PowerShell read differently.
_WINDOWS = f"powershell -NoProfile -NonInteractive -Command Invoke-Expression $env:{SCRIPT_VARIABLE}"
_CMD = re.compile(r"""(?P<cmd>\s*(?:\S*\\)?cmd(?:\.exe)?\s+/c\s+"?)(?P<rest>.*)""", re.IGNORECASE | re.DOTALL)


def add_package_list(task: StartTask | None, os_type: str, script: str) -> StartTask | None:
    """Return a start task that runs a script first.

    Parameters
    ----------
    task
        The start task of the user; None: there is none.
    os_type
        ``Linux`` or ``Windows``, in any case.
    script
        The script, for sh or PowerShell.

    Returns
    -------
    StartTask or None
        The start task of the user itself, if a script cannot be added to it.
    """
    line = _combined(task.command_line if task else "", windows=os_type.lower() == "windows")
    if line is None:
        return task
    # A list is never worth a node: without a start task of the user, nodes do not wait for it.
    base = task or StartTask(command_line=line, wait_for_success=False)
    environment = {**base.environment, SCRIPT_VARIABLE: script}
    return base.model_copy(update={"command_line": line, "environment": environment})


def _combined(line: str, *, windows: bool) -> str | None:
    if not windows:
        return f"{_LINUX}{line}" if line else _LINUX_ALONE
    if not line:
        return _WINDOWS
    match = _CMD.fullmatch(line)
    return f"{match['cmd']}{_WINDOWS} & {match['rest']}" if match else None


def user_command(line: str) -> str | None:
    """Return the command line of the user; None: the start task has only the part for the list.

    Parameters
    ----------
    line
        The command line of a pool's start task.
    """
    if line in (_LINUX_ALONE, _WINDOWS):
        return None
    if line.startswith(_LINUX):
        return line.removeprefix(_LINUX)
    match = _CMD.fullmatch(line)
    return match["cmd"] + match["rest"].removeprefix(f"{_WINDOWS} & ") if match else line


def has_package_list(line: str) -> bool:
    """Tell whether the command line of a start task provides the list of packages."""
    return user_command(line) != line


def without_package_list(task: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the start task of a pool's document as the user gave it; None: the user gave none.

    Parameters
    ----------
    task
        The property ``startTask`` of a pool's document.
    """
    if not task:
        return None
    line = str(task.get("commandLine") or "")
    if not has_package_list(line):
        return dict(task)
    if (own := user_command(line)) is None:
        return None
    settings = [one for one in task.get("environmentSettings") or [] if one.get("name") != SCRIPT_VARIABLE]
    return {**task, "commandLine": own, "environmentSettings": settings}
