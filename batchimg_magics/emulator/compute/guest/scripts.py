"""The course of a script in a VM: what it prints, how long it takes, and what it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from batchimg_magics.emulator.world.chance import NEVER
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.compute.guest.system import GuestChange

evidence = Evidence("Scripts in VMs")
DEPROVISION_S = evidence.assumed(5.0, "s", "that waagent -deprovision takes", "no recording shows it")
POWER_OFF_S = evidence.assumed(
    10.0, "s", "from poweroff in a VM to PowerState/stopped", "no recording shows a VM that stops by itself"
)
SYSPREP_S = evidence.assumed(120.0, "s", "that sysprep takes", "no recording shows it; minutes on real VMs")
evidence.rule(
    "Nothing of a script runs any more after waagent -deprovision in the foreground, and the VM keeps running.",
    "the agent that runs the script is stopped (WALinuxAgent #3547); how far the script gets is not documented",
)
evidence.rule(
    "A program that is neither in a list of standard programs nor modelled does not exist on a VM.",
    "the emulator's VMs have the programs of a Marketplace image only; standard programs that are not modelled are "
    "refused with 501",
)


class ScriptEndsError(Exception):
    """A shell ends, with an exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(str(code))
        self.code = code


class AgentStoppedError(Exception):
    """The agent that runs a script is stopped, so that the script does not end."""


class UnsupportedLineError(Exception):
    """The emulator cannot tell what a line of a script does; the message is the line."""


class ScriptRun(msgspec.Struct):
    """The course of a script.

    Parameters
    ----------
    stdout, stderr
        What it printed.
    exit_code
        0 is success.
    seconds
        How long it ran; `NEVER` if it does not end.
    changes
        What it did to the VM; `at` counts from the start of the script.
    files
        The files that were written in the end.
    unmodelled
        The programs that are not modelled, and succeed.
    """

    stdout: str = ""
    stderr: str = ""
    exit_code: int = 0
    seconds: float = 0.0
    changes: list[GuestChange] = msgspec.field(default_factory=list)
    files: dict[str, str] = msgspec.field(default_factory=dict)
    unmodelled: list[str] = msgspec.field(default_factory=list)

    @property
    def hangs(self) -> bool:
        """Whether the script does not end."""
        return self.seconds >= NEVER
