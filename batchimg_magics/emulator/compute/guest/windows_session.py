"""A PowerShell session on a Windows VM: its variables and tasks, and its time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from batchimg_magics.emulator.compute.guest.scripts import ScriptEndsError
from batchimg_magics.emulator.compute.guest.system import latest_fact
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.emulator.compute.guest.machine import Machine
    from batchimg_magics.emulator.compute.guest.system import GuestChange

evidence = Evidence("Agents on Windows VMs")
AGENTS_AFTER_S = evidence.assumed(
    {"windowsazureguestagent": 20.0, "rdagent": 90.0},
    "s",
    "after the start of a VM until its agents run",
    "Packer's documents say that sysprep has to wait for them; no recording shows how long",
)


class WindowsSession(msgspec.Struct):
    """A PowerShell session: its variables and tasks, and its time."""

    machine: Machine
    seconds: float = 0.0
    variables: dict[str, str] = msgspec.field(default_factory=dict)
    tasks: dict[str, str] = msgspec.field(default_factory=dict)
    stdout: list[str] = msgspec.field(default_factory=list)
    stderr: list[str] = msgspec.field(default_factory=list)
    changes: list[GuestChange] = msgspec.field(default_factory=list)
    stops_on_error: bool = False
    detached: bool = False
    failed: bool = False

    def now(self) -> float:
        """Return the time in seconds since 1970."""
        return self.machine.now + self.seconds

    def agents_run(self) -> bool:
        """Tell whether the Azure agents run."""
        return self.now() - self.machine.booted >= max(AGENTS_AFTER_S.values())

    def deprovisioned(self) -> bool:
        """Tell whether the operating system is generalized at this time."""
        return latest_fact(self.changes, self.seconds, "deprovisioned", self.machine.state.deprovisioned)

    def detach(self, work: Callable[[WindowsSession], None], delay_s: float = 0.0) -> None:
        """Do something in a process of its own, while this session goes on."""
        child = msgspec.structs.replace(
            self, seconds=self.seconds + delay_s, variables=dict(self.variables), stdout=[], stderr=[], detached=True
        )
        try:
            work(child)
        except ScriptEndsError:
            return

    def fail(self, message: str) -> None:
        """Report an error, which ends the script if it stops on errors."""
        self.stderr.append(message)
        self.failed = True
        if self.stops_on_error:
            raise ScriptEndsError(1)
