"""Run a user's commands in a temporary VM with run-command, and read honestly what came of them.

A run-command whose script fails ends as Succeeded, and of its output only the last 4,096 bytes come back. The script
therefore prints a line with the exit code at its end. One without that line has failed. Source: recordings; Microsoft's
"Run scripts in your VM by using Run Commands".
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchimg_magics.core.azure import polling
from batchimg_magics.core.azure.polling import PollResult
from batchimg_magics.core.compute import virtual_machines
from batchimg_magics.core.images.deprovision_scripts import command_of
from batchimg_magics.errors import ConflictError, ProvisioningError, SpecError, WaitTimeoutError
from batchimg_magics.masking import make_visible, mask_tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.resource_ids import ResourceId

__all__ = ["EXPECTED_S", "MAX_BYTES", "TIMEOUT_S", "UserCommand", "read_commands", "run_command"]

#: Usual seconds of a command that upgrades packages. Assumed.
EXPECTED_S = 300.0
#: Azure ends a run-command after 90 minutes; one that hangs has no end (azure-cli #14642).
TIMEOUT_S = 95 * 60.0
#: The most bytes of all commands. Assumed: the limit of a script is not documented.
MAX_BYTES = 64 * 1024
#: A system that has just started upgrades packages by itself (apt-daily), and apt does not wait for it by default: the
#: first line takes the lock and installs nothing, the others let the commands wait. The file is in memory, not in the
#: image. Source: apt.conf(5), apt-get(8) of apt 1.9.11 and later.
_LOCK_S = 1200
_WAIT_FOR_APT = (
    "if command -v apt-get > /dev/null; then",
    f"apt-get -o DPkg::Lock::Timeout={_LOCK_S} -y install < /dev/null > /dev/null 2>&1",
    f"echo 'DPkg::Lock::Timeout \"{_LOCK_S}\";' > /run/batchimg-apt.conf",
    "export APT_CONFIG=/run/batchimg-apt.conf",
    "fi",
)
_EXIT = re.compile(r"batchimg: exit (-?\d+)")
#: The longest part of an output in an error and in a table, and of a command.
_MAX_OUTPUT, _MAX_TOLD, _MAX_SHOWN = 400, 80, 60
_SHELLS = ("sh", "bash", "dash", "python3")


@dataclass(frozen=True, slots=True)
class UserCommand:
    """One command or script of a user.

    Parameters
    ----------
    text
        The command, or the lines of the script.
    interpreter
        The program that runs it, given after ``-c``; empty on Windows: PowerShell.
    """

    text: str
    interpreter: str = "/bin/sh"

    @property
    def shown(self) -> str:
        """The command in one short line, without tokens."""
        line = make_visible(mask_tokens(" ".join(self.text.split())))
        return line if len(line) <= _MAX_SHOWN else f"{line[:_MAX_SHOWN]}..."

    def script(self, os_type: str) -> list[str]:
        """Return the lines of the run-command: the last one prints the exit code."""
        if os_type == "Windows":
            # A cmdlet that fails ends the script, and so does `exit`: then the last line is not printed.
            return [
                "$ErrorActionPreference = 'Stop'",
                "$global:LASTEXITCODE = 0",
                *self.text.splitlines(),
                'Write-Output "batchimg: exit $LASTEXITCODE"',
            ]
        return [
            # No package manager may wait for an answer that nobody gives.
            "export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=a",
            *_WAIT_FOR_APT,
            f"{self.interpreter} -c {shlex.quote(self.text)} < /dev/null",
            'echo "batchimg: exit $?"',
        ]


def read_commands(run: Sequence[str], script: str | None) -> tuple[UserCommand, ...]:
    """Return the commands of a line: each ``--run``, then the script.

    Raises
    ------
    SpecError
        There is none, one is empty, they are too long, or the script is for a program that is not supported.
    """
    found = [UserCommand(one.strip()) for one in run]
    if script is not None:
        found.append(_of_script(script.replace("\r\n", "\n").strip()))
    if not found:
        raise SpecError(
            "the commands of the update are missing", hint='for example --run "apt-get -y upgrade", or --script FILE'
        )
    if any(not one.text for one in found):
        raise SpecError("a command of the update is empty", hint='for example --run "apt-get -y upgrade"')
    if sum(len(one.text.encode()) for one in found) > MAX_BYTES:
        raise SpecError(
            f"the commands have more than {MAX_BYTES:,} bytes", hint="download what is large in the script instead"
        )
    return tuple(found)


def _of_script(text: str) -> UserCommand:
    first = text.partition("\n")[0]
    if not first.startswith("#!"):
        return UserCommand(text)
    words = first.removeprefix("#!").split()
    program = next((one for one in words if not one.endswith("/env")), "")
    if program.rpartition("/")[2] not in _SHELLS:
        raise SpecError(f"the script is for {make_visible(program)[:60]!r}", hint=f"use one of: {', '.join(_SHELLS)}")
    return UserCommand(text, program)


async def run_command(azure: Azure, vm: ResourceId, os_type: str, command: UserCommand) -> str:
    """Run a command in a VM and wait for its end; return what it printed last, in one line.

    Raises
    ------
    ProvisioningError
        The command failed, or nobody knows what came of it.
    """
    operation = await _begin(azure, vm, os_type, command)
    what = f"command on VM {vm.name}"
    try:
        output = await polling.wait_for_operation(azure, operation, what=what, resource_id=str(vm), timeout_s=TIMEOUT_S)
    except WaitTimeoutError as error:
        raise _failure(vm, command, f"it did not end within {TIMEOUT_S / 60:.0f} min") from error
    text = "\n".join(str(one.get("message") or "") for one in list((output or {}).get("value") or []))
    codes = _EXIT.findall(text)
    if not codes:
        raise _failure(vm, command, f"its exit code did not come back: {_last(text) or 'it printed nothing'}")
    if int(codes[-1]):
        raise _failure(vm, command, f"exit code {codes[-1]}: {_last(text) or 'it printed nothing'}")
    return _last(text, _MAX_TOLD)


def _failure(vm: ResourceId, command: UserCommand, what: str) -> ProvisioningError:
    return ProvisioningError(
        f"`{command.shown}` failed in the temporary VM: {what}",
        resource_id=str(vm),
        state="Failed",
        hint="the pool and its image are unchanged; correct the command, or run the same line again",
    )


async def _begin(azure: Azure, vm: ResourceId, os_type: str, command: UserCommand) -> polling.Operation:
    """Send a command as soon as no other operation runs on the VM."""

    async def attempt() -> PollResult[polling.Operation | None]:
        try:
            lines = command.script(os_type)
            return PollResult(
                done=True, value=await virtual_machines.begin_script(azure, vm, command_of(os_type), lines)
            )
        except ConflictError as error:
            found: Json = await virtual_machines.read_existing(azure, vm)
            if virtual_machines.is_idle(found) and not virtual_machines.is_command_in_progress(error):
                raise
            return PollResult(done=False, value=None)

    begun = await polling.poll_until(azure, attempt, what=f"command on VM {vm.name}", timeout_s=TIMEOUT_S)
    if begun is None:
        raise _failure(vm, command, "it could not be started")
    return begun


def _last(output: str, longest: int = _MAX_OUTPUT) -> str:
    """Return the end of an output in one line, without the words that Azure and this tool add, and without tokens."""
    for word in ("Enable succeeded:", "Enable failed:", "[stdout]", "[stderr]"):
        output = output.replace(word, " ")
    line = make_visible(mask_tokens(" ".join(_EXIT.sub(" ", output).split())))
    return line if len(line) <= longest else f"...{line[-longest:]}"
