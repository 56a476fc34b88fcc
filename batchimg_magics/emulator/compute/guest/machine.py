"""What a script finds out about its VM when it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from batchimg_magics.emulator.compute.guest.packages import PackageSet

if TYPE_CHECKING:
    from batchimg_magics.emulator.compute.guest.system import GuestState

#: What packets reach: the internet, only Azure, or nothing.
Reach = Literal["internet", "azure", "none"]


class Machine(msgspec.Struct, frozen=True):
    """What a script finds out about its VM.

    Parameters
    ----------
    name
        The host name.
    system
        The name and the version of the operating system.
    state
        Its state when the script starts.
    now
        The time when the script starts, in seconds since 1970.
    booted
        The time when the VM started.
    packages
        What is installed.
    files
        The files that were written: path -> text.
    reach
        What its packets reach.
    environment
        Variables that are set.
    program_s
        How long a program takes that is not modelled; None if it cannot be run.
    """

    name: str
    system: tuple[str, str]
    state: GuestState
    now: float = 0.0
    booted: float = 0.0
    packages: PackageSet = msgspec.field(default_factory=PackageSet)
    files: dict[str, str] = {}
    reach: Reach = "internet"
    environment: dict[str, str] = {}
    program_s: float | None = None
