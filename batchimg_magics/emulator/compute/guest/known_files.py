"""The files and programs of a Linux VM that nobody has to write: those of its system and of its packages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batchimg_magics.emulator.compute.guest.packages import CONDA_PREFIX, conda_prefix

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.emulator.compute.guest.shell_base import ShellBase

_FIRST_UID = 1000
_PROGRAM_FOLDERS = frozenset({"/bin", "/sbin", "/usr/bin", "/usr/sbin"})
_IN_SBIN = frozenset({"waagent", "shutdown", "poweroff", "reboot", "halt", "userdel", "deluser", "init"})
_DEBIAN_ONLY = frozenset({"dpkg", "dpkg-query", "apt", "apt-get", "apt-cache", "apt-key", "snap", "update-initramfs",
                          "update-grub", "deluser"})  # fmt: skip
_RPM_ONLY = frozenset({"rpm", "rpmquery", "yum", "dnf", "microdnf", "tdnf", "zypper", "grub2-mkconfig", "dracut"})
#: Programs that come with a package: the names of the package with dpkg and with rpm.
_OF_PACKAGES = {
    "pip": ("python3-pip", "python3-pip"),
    "pip3": ("python3-pip", "python3-pip"),
    "R": ("r-base-core", "R-core"),
    "Rscript": ("r-base-core", "R-core"),
    "jq": ("jq", "jq"),
    "tmux": ("tmux", "tmux"),
    "unzip": ("unzip", "unzip"),
    "make": ("build-essential", "make"),
    "gcc": ("build-essential", "gcc"),
    "g++": ("build-essential", "gcc-c++"),
}
_ABSENT = frozenset({"mamba", "docker", "podman", "az", "azcopy", "nvidia-smi", "julia", "matlab", "java", "node",
                     "npm", "go", "rustc", "cargo", "ruby"})  # fmt: skip
_OF_CONDA = frozenset({"conda", "mamba", "python", "python3", "pip", "pip3"})
_BUILTINS = frozenset(
    {
        "echo", "printf", "test", "[", "command", "type", "exit", "set", "export", "eval", "true", "false", ":",
        "read", "cd", "shift", "local", "return", "break", "continue", "trap", "unset", ".", "source", "umask",
        "wait", "times", "getopts", "alias", "hash", "readonly",
    }
)  # fmt: skip


def accounts(shell: ShellBase) -> list[str]:
    """Return the lines of the password database."""
    lines = ["root:x:0:0:root:/root:/bin/bash", "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin"]
    return lines + [
        f"{name}:x:{_FIRST_UID + number}:{_FIRST_UID + number}::/home/{name}:/bin/bash"
        for number, name in enumerate(shell.homes)
    ]


def _release(shell: ShellBase) -> str:
    """Return ``/etc/os-release``."""
    base = shell.packages.base.partition("+")[0]
    name, _, version = base.partition("-")
    if base.startswith("el"):
        return (
            f'NAME="AlmaLinux"\nVERSION="{base[2:]}.6"\nID="almalinux"\nID_LIKE="rhel centos fedora"\n'
            f'VERSION_ID="{base[2:]}.6"\nPLATFORM_ID="platform:{base}"\nPRETTY_NAME="AlmaLinux {base[2:]}.6"\n'
        )
    code = {"24.04": "noble", "22.04": "jammy", "12": "bookworm"}.get(version, "")
    if name == "debian":
        return (
            f'PRETTY_NAME="Debian GNU/Linux {version} ({code})"\nNAME="Debian GNU/Linux"\nVERSION_ID="{version}"\n'
            f'VERSION="{version} ({code})"\nVERSION_CODENAME={code}\nID=debian\n'
        )
    return (
        f'PRETTY_NAME="Ubuntu {version} LTS"\nNAME="Ubuntu"\nVERSION_ID="{version}"\nVERSION_CODENAME={code}\n'
        f"ID=ubuntu\nID_LIKE=debian\nUBUNTU_CODENAME={code}\n"
    )


def known_text(shell: ShellBase, path: str) -> str | None:
    """Return the text of a file of the system, None if there is none that is known."""
    family, conda = shell.packages.family, bool(shell.packages.environments())
    known: dict[str, Callable[[], str | None]] = {
        "/etc/os-release": lambda: _release(shell),
        "/usr/lib/os-release": lambda: _release(shell),
        "/etc/passwd": lambda: "".join(f"{line}\n" for line in accounts(shell)),
        "/etc/hostname": lambda: f"{shell.machine.name}\n",
        "/dev/null": lambda: "",
        "/etc/debian_version": lambda: _debian_version(shell) if family == "dpkg" else None,
        "/etc/redhat-release": lambda: _REDHAT if family == "rpm" else None,
        "/etc/almalinux-release": lambda: _REDHAT if family == "rpm" else None,
        f"{CONDA_PREFIX}/etc/profile.d/conda.sh": lambda: _CONDA_SETUP if conda else None,
    }
    return known[path]() if path in known else None


_REDHAT = "AlmaLinux release 9.6 (Sage Margay)\n"
_CONDA_SETUP = f"CONDA_SHLVL=0\nexport CONDA_SHLVL\nPATH={CONDA_PREFIX}/condabin:$PATH\nexport PATH\n"


def _debian_version(shell: ShellBase) -> str:
    return "trixie/sid\n" if shell.packages.base.startswith("ubuntu") else "12.11\n"


def known_folders(shell: ShellBase) -> set[str]:
    """Return the folders of the system that depend on the VM."""
    found = {f"/home/{one}" for one in shell.homes}
    if shell.agent_runs():
        found.add("/var/lib/waagent")
    if shell.packages.family == "dpkg":
        found |= {"/var/lib/dpkg", "/var/lib/apt", "/var/lib/apt/lists", "/usr/share/doc"}
    elif shell.packages.family == "rpm":
        found |= {"/var/lib/rpm", "/var/lib/dnf", "/etc/yum.repos.d"}
    for environment in shell.packages.environments():
        top = conda_prefix(environment)
        found |= {CONDA_PREFIX, f"{CONDA_PREFIX}/envs", top, f"{top}/bin", f"{top}/conda-meta", f"{top}/lib"}
    if has_program(shell, "Rscript"):
        found |= {"/usr/lib/R", "/usr/lib/R/library", "/usr/local/lib/R", "/usr/local/lib/R/site-library"}
    return found


def known_names(shell: ShellBase, folder: str) -> set[str]:
    """Return the names of programs in a folder, as far as they are those of conda."""
    folder = folder.rstrip("/")
    return {name for name in _OF_CONDA if folder.startswith(CONDA_PREFIX) and _in_conda(shell, folder, name)}


def _in_conda(shell: ShellBase, folder: str, name: str) -> bool:
    match = re.fullmatch(rf"{CONDA_PREFIX}(?:/envs/([\w.-]+))?/(bin|condabin)", folder)
    if match is None or (match[1] or "base") not in shell.packages.environments():
        return False
    if name in ("conda", "mamba"):
        return not match[1] and name == "conda"
    return match[2] == "bin" and name in _OF_CONDA


def has_program(shell: ShellBase, name: str) -> bool:
    """Tell whether a VM has a program, given by its name or its path."""
    return bool(path_of(shell, name))


def path_of(shell: ShellBase, name: str) -> str:
    """Return where a program is: a path, the name of a builtin, or empty if the VM does not have it."""
    folder, _, short = name.rpartition("/")
    if folder:
        inside = folder in _PROGRAM_FOLDERS and short not in _BUILTINS - {"test", "echo", "printf", "true", "false"}
        return name if _in_conda(shell, folder, short) or (inside and _in_system(shell, short)) else ""
    if short in _BUILTINS:
        return short if short in shell.programs else ""
    for place in shell.path().split(":"):
        if _in_conda(shell, place.rstrip("/"), short):
            return f"{place.rstrip('/')}/{short}"
        if place in _PROGRAM_FOLDERS and _in_system(shell, short):
            return f"/usr/{'sbin' if short in _IN_SBIN else 'bin'}/{short}"
    return ""


def _in_system(shell: ShellBase, name: str) -> bool:
    if name not in shell.programs or name == "conda" or name in _ABSENT:
        return False
    family = shell.packages.family
    if name in _DEBIAN_ONLY:
        return family == "dpkg"
    if name in _RPM_ONLY:
        return family == "rpm" and name not in ("tdnf", "zypper", "microdnf")
    if name in _OF_PACKAGES:
        manager = "rpm" if family == "rpm" else "dpkg"
        wanted = _OF_PACKAGES[name][manager == "rpm"]
        broken = name in ("pip", "pip3") and "pip" in shell.packages.failing
        return broken or shell.packages.has(manager, wanted)
    return True
