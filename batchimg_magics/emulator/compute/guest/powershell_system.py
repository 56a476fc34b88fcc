"""The cmdlets that ask a Windows VM for what is installed, and those of background jobs.

Source: Microsoft's documents on PowerShell 5.1, and on the keys of the registry.
"""

from __future__ import annotations

import fnmatch
import ntpath
import re
from typing import TYPE_CHECKING

from batchimg_magics.emulator.compute.guest.powershell_files import FileCommands, Value, as_list
from batchimg_magics.emulator.compute.guest.powershell_methods import SortedTexts
from batchimg_magics.emulator.compute.guest.scripts import UnsupportedLineError
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.compute.guest.machine import Machine
    from batchimg_magics.emulator.compute.guest.powershell_syntax import Node
    from batchimg_magics.emulator.compute.guest.shell import Shell

evidence = Evidence("Lists on Windows VMs")
_JOB_S = evidence.assumed(4.0, "s", "that Start-Job takes until its PowerShell runs", "no recording shows it")
_PYTHON = evidence.assumed(
    "C:\\Program Files\\Python312", "", "where Python is on a Windows VM", "the installer's folder for all users"
)
_UPDATE = evidence.assumed(
    2527, "", "the number of the last update of Windows (UBR)", "it changes each month; no recording shows one"
)
#: The builds of Windows. Source: Microsoft's release information; Windows 11 calls itself Windows 10 in the registry.
_BUILDS = {"2016": 14393, "2019": 17763, "2022": 20348, "2025": 26100, "win11": 22631, "win10": 19045}
_UNINSTALL = re.compile(
    r"hk(?:lm|cu):\\software\\(wow6432node\\)?microsoft\\windows\\currentversion\\uninstall\\\*", re.IGNORECASE
)
_SYSTEM = re.compile(r"hklm:\\software\\microsoft\\windows nt\\currentversion", re.IGNORECASE)


class SystemCommands(FileCommands):
    """The installed programs of a script that runs, and its jobs.

    Parameters
    ----------
    machine, shell
        The VM, and the shell in which its programs run.
    """

    def __init__(self, machine: Machine, shell: Shell) -> None:
        super().__init__(machine.files)
        self.machine = machine
        self.shell = shell
        self.names: dict[str, Value] = {}

    def block(self, statements: list[Node]) -> list[Value]:
        """Run statements, and return what they print."""
        raise NotImplementedError

    # -- what is installed ---------------------------------------------------------------------------------------

    def has_python(self, program: str) -> bool:
        """Tell whether a path is that of Python, or the name of one of its programs."""
        folder = ntpath.dirname(program)
        known = bool(self.machine.packages.installed("pip"))
        return not folder or (known and folder.lower() in (_PYTHON.lower(), f"{_PYTHON}\\scripts".lower()))

    def _do_get_itemproperty(self, plain: list[Value], named: dict[str, Value], _: list[Value]) -> Value:
        found: list[Value] = []
        for path in as_list(named.get("path") or (plain[0] if plain else None)):
            if _SYSTEM.fullmatch(path):
                found.append(self._system())
                continue
            match = _UNINSTALL.fullmatch(path)
            if match is None:
                raise UnsupportedLineError(f"Get-ItemProperty {path}")
            view = "32" if match[1] else "64"
            if path.lower().startswith("hkcu"):
                continue
            for one in self.machine.packages.installed("windows"):
                if one.status == view:
                    values = {"DisplayName": one.name, "DisplayVersion": one.version, "Publisher": one.section}
                    found.append({name: value for name, value in values.items() if value} | {"PSChildName": one.source})
        return found

    def _system(self) -> Value:
        """Return what the registry says about the system."""
        text = " ".join(self.machine.system).lower()
        name = next((one for one in _BUILDS if one in text), "2022")
        product = "Windows 10 Enterprise" if name.startswith("win") else f"Windows Server {name} Datacenter"
        return {"ProductName": product, "CurrentBuild": str(_BUILDS[name]), "UBR": _UPDATE}

    def _do_get_package(self, _: list[Value], __: dict[str, Value], ___: list[Value]) -> Value:
        listed = [one for one in self.machine.packages.installed("windows") if one.name]
        return [
            {"Name": one.name, "Version": one.version, "ProviderName": "msi" if one.source[0] == "{" else "Programs"}
            for one in listed
        ]

    def _do_get_command(self, plain: list[Value], named: dict[str, Value], _: list[Value]) -> Value:
        name = self.path_of(plain, named) or str(named.get("name"))
        return {"Name": name} if name.lower().removesuffix(".exe") in ("python", "pip", "py") else None

    def _do_get_item(self, plain: list[Value], named: dict[str, Value], _: list[Value]) -> Value:
        """Return the files and folders that patterns match; a path without a pattern must exist."""
        known = {path for path, _ in self.files.values()}
        known |= {ntpath.dirname(path.rstrip("\\")) for path in known}
        if self.machine.packages.installed("pip"):
            known.add(_PYTHON)
        found: list[str] = []
        for pattern in as_list(named.get("path") or (plain[0] if plain else None)):
            matching = [one.rstrip("\\") for one in sorted(known) if _matches(one.rstrip("\\"), pattern)]
            if not matching and "*" not in pattern:
                self.errors.append(f"Get-Item : Cannot find path '{pattern}' because it does not exist.")
            found += matching
        return [{"FullName": one, "Name": ntpath.basename(one)} for one in found]

    def _do_test_path(self, plain: list[Value], named: dict[str, Value], given: list[Value]) -> Value:
        path = self.path_of(plain, named)
        is_python = ntpath.basename(path).lower() == "python.exe" and "\\" in path and self.has_python(path)
        return is_python or super()._do_test_path(plain, named, given)

    def _do_new_object(self, plain: list[Value], _: dict[str, Value], __: list[Value]) -> Value:
        kind = str(plain[0]).lower().removeprefix("system.")
        if "utf8encoding" in kind:
            return ("type", "encoding")
        if kind == "collections.generic.list[string]":
            return []
        if kind == "collections.generic.sortedset[string]" and plain[1:] == ["ordinal"]:
            return SortedTexts()
        raise UnsupportedLineError(f"New-Object {plain[0]}")

    # -- jobs ----------------------------------------------------------------------------------------------------

    def _do_start_job(self, plain: list[Value], named: dict[str, Value], _: list[Value]) -> Value:
        """Run a block in a PowerShell of its own: it has none of the variables, and what it prints is kept."""
        kept, errors = dict(self.names), len(self.errors)
        mine = {name: value for name, value in kept.items() if name.startswith("$env:") or name in ("$true", "$false")}
        self.names = mine | {"$args": as_list(named.get("argumentlist")), "$lastexitcode": None}
        self.shell.seconds += _JOB_S
        output = self.block(plain[0][1])
        self.names = kept
        told, self.errors = self.errors[errors:], self.errors[:errors]
        return {"State": "Completed", "Output": output, "Errors": told}

    def _do_wait_job(self, plain: list[Value], _: dict[str, Value], __: list[Value]) -> Value:
        return plain[0]

    def _do_receive_job(self, plain: list[Value], _: dict[str, Value], __: list[Value]) -> Value:
        self.errors += plain[0]["Errors"]
        return plain[0]["Output"]

    def _do_remove_job(self, _: list[Value], __: dict[str, Value], ___: list[Value]) -> Value:
        return None


def _matches(path: str, pattern: str) -> bool:
    """Tell whether a path matches a pattern, folder by folder."""
    parts, wanted = path.lower().split("\\"), pattern.lower().split("\\")
    return len(parts) == len(wanted) and all(map(fnmatch.fnmatchcase, parts, wanted))
