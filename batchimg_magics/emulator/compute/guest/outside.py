"""What package managers reach: the repositories in the internet, or nothing, and how they say so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.compute.guest.shell import Shell

evidence = Evidence("Package managers on VMs")
evidence.rule(
    "A VM whose security group lets packets to Azure only reaches no repository: connections to it time out.",
    "archive.ubuntu.com, PyPI, conda and CRAN are not in the service tag AzureCloud; Azure's own mirrors of Ubuntu "
    "are, and are not modelled",
)
_TIMEOUT_S = evidence.assumed(
    120.0, "s", "until a package manager gives up without a way out", "the programs retry; no recording shows it"
)


def is_reached(shell: Shell) -> bool:
    """Tell whether the internet is reached; it takes a while to find out that it is not."""
    if shell.machine.reach == "internet":
        return True
    shell.seconds += _TIMEOUT_S
    return False


def pip_problem(shell: Shell, name: str) -> str | None:
    """Return what pip prints without a way out, None with one."""
    if is_reached(shell):
        return None
    cause = (
        "Failed to establish a new connection: [Errno 110] Connection timed out"
        if shell.machine.reach == "azure"
        else "Failed to establish a new connection: [Errno -3] Temporary failure in name resolution"
    )
    plain = name.partition("=")[0]
    warning = (
        "WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after connection "
        f"broken by 'NewConnectionError(': {cause}')': /simple/{plain}/\n"
    )
    return (
        f"{warning}ERROR: Could not find a version that satisfies the requirement {name} (from versions: none)\n"
        f"ERROR: No matching distribution found for {name}"
    )


def apt_problem(shell: Shell, host: str, path: str = "") -> str | None:
    """Return why apt cannot fetch from a host, None if it can."""
    if is_reached(shell):
        return None
    if shell.machine.reach == "azure":
        return f"Could not connect to {host}:80 (185.125.190.83), connection timed out{path}"
    return f"Temporary failure resolving '{host}'{path}"
