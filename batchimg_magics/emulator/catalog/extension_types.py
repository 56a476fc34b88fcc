"""The VM extensions that publishers offer: their types and versions, and the operating system they are for.

Source: Microsoft's "Virtual machine extensions and features" for the names; the versions are of 2025.
"""

from __future__ import annotations

import functools
from typing import Literal

import msgspec

from batchimg_magics.emulator.world.evidence import Evidence

evidence = Evidence("Types of VM extensions")
evidence.rule(
    "The types are those of Microsoft that its documents name, in every region; each has one or two versions.",
    "Azure has some hundred publishers; the numbers of the versions are of 2025",
)


class ExtensionType(msgspec.Struct, frozen=True):
    """A type of extension.

    Parameters
    ----------
    publisher, name
        As Azure spells them.
    os
        The operating system it is for.
    versions
        The names of its versions, the oldest first.
    """

    publisher: str
    name: str
    os: Literal["Linux", "Windows"]
    versions: tuple[str, ...]


_TYPES = (
    ExtensionType("Microsoft.AKS", "Compute.AKS.Linux.AKSNode", "Linux", ("1.0.0",)),
    ExtensionType("Microsoft.Azure.ActiveDirectory", "AADLoginForWindows", "Windows", ("1.0.0.1", "2.2.0.0")),
    ExtensionType("Microsoft.Azure.ActiveDirectory", "AADSSHLoginForLinux", "Linux", ("1.0.2947.1", "1.0.3102.1")),
    ExtensionType("Microsoft.Azure.AzureDefenderForServers", "MDE.Linux", "Linux", ("1.0.6.10",)),
    ExtensionType("Microsoft.Azure.AzureDefenderForServers", "MDE.Windows", "Windows", ("1.0.11.5",)),
    ExtensionType("Microsoft.Azure.Diagnostics", "IaaSDiagnostics", "Windows", ("1.24.0.4",)),
    ExtensionType("Microsoft.Azure.Diagnostics", "LinuxDiagnostic", "Linux", ("3.0.143", "4.1.5")),
    ExtensionType("Microsoft.Azure.Extensions", "CustomScript", "Linux", ("2.0.7", "2.1.13")),
    ExtensionType("Microsoft.Azure.Extensions", "DockerExtension", "Linux", ("1.2.2",)),
    ExtensionType("Microsoft.Azure.Monitor", "AzureMonitorLinuxAgent", "Linux", ("1.33.4", "1.35.4")),
    ExtensionType("Microsoft.Azure.Monitor", "AzureMonitorWindowsAgent", "Windows", ("1.35.0.0", "1.37.0.0")),
    ExtensionType("Microsoft.Azure.KeyVault", "KeyVaultForLinux", "Linux", ("2.0.2365.41", "3.5.3124.35")),
    ExtensionType("Microsoft.Azure.KeyVault", "KeyVaultForWindows", "Windows", ("1.0.1363.13", "3.5.3116.30")),
    ExtensionType("Microsoft.Azure.NetworkWatcher", "NetworkWatcherAgentLinux", "Linux", ("1.4.1974.1", "1.4.3320.1")),
    ExtensionType(
        "Microsoft.Azure.NetworkWatcher", "NetworkWatcherAgentWindows", "Windows", ("1.4.1974.1", "1.4.3320.1")
    ),
    ExtensionType("Microsoft.Azure.Security", "AzureDiskEncryption", "Windows", ("2.4.0.13",)),
    ExtensionType("Microsoft.Azure.Security", "AzureDiskEncryptionForLinux", "Linux", ("1.4.0.3",)),
    ExtensionType("Microsoft.Azure.Security", "IaaSAntimalware", "Windows", ("1.7.0.27",)),
    ExtensionType("Microsoft.Azure.Security.LinuxAttestation", "GuestAttestation", "Linux", ("1.0.230.1118",)),
    ExtensionType("Microsoft.Azure.Security.WindowsAttestation", "GuestAttestation", "Windows", ("1.0.1.16",)),
    ExtensionType("Microsoft.CPlat.Core", "RunCommandLinux", "Linux", ("1.0.5",)),
    ExtensionType("Microsoft.CPlat.Core", "RunCommandWindows", "Windows", ("1.1.18",)),
    ExtensionType("Microsoft.Compute", "BGInfo", "Windows", ("2.2.5",)),
    ExtensionType("Microsoft.Compute", "CustomScriptExtension", "Windows", ("1.9.5", "1.10.20")),
    ExtensionType("Microsoft.Compute", "VMAccessAgent", "Windows", ("1.0.2", "2.4.10")),
    ExtensionType("Microsoft.HpcCompute", "AmdGpuDriverWindows", "Windows", ("1.1.0.0",)),
    ExtensionType("Microsoft.HpcCompute", "InfiniBandDriverLinux", "Linux", ("1.2.0.0",)),
    ExtensionType("Microsoft.HpcCompute", "NvidiaGpuDriverLinux", "Linux", ("1.10.0.0", "1.11.0.0")),
    ExtensionType("Microsoft.HpcCompute", "NvidiaGpuDriverWindows", "Windows", ("1.9.0.0",)),
    ExtensionType("Microsoft.ManagedServices", "ApplicationHealthLinux", "Linux", ("1.0.5", "2.0.18")),
    ExtensionType("Microsoft.ManagedServices", "ApplicationHealthWindows", "Windows", ("1.0.10", "2.0.14")),
    ExtensionType("Microsoft.OSTCExtensions", "CustomScriptForLinux", "Linux", ("1.5.5",)),
    ExtensionType("Microsoft.OSTCExtensions", "VMAccessForLinux", "Linux", ("1.5.22",)),
    ExtensionType("Microsoft.Powershell", "DSC", "Windows", ("2.83.5",)),
)


@functools.cache
def publishers() -> dict[str, str]:
    """Return the publishers: name in lower case -> name."""
    return {one.publisher.lower(): one.publisher for one in _TYPES}


def types_of(publisher: str) -> list[ExtensionType]:
    """Return the types of a publisher, regardless of case."""
    return [one for one in _TYPES if one.publisher.lower() == publisher.lower()]


def find_type(publisher: str, name: str) -> ExtensionType | None:
    """Return a type by its names, regardless of case, or None."""
    return next((one for one in types_of(publisher) if one.name.lower() == name.lower()), None)
