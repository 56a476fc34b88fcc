"""The programs of a Linux VM that change its operating system, wait, or set variables; and the table of all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batchimg_magics.emulator.compute.guest import queries
from batchimg_magics.emulator.compute.guest.apt import APT
from batchimg_magics.emulator.compute.guest.awk import AWK
from batchimg_magics.emulator.compute.guest.conda import CONDA
from batchimg_magics.emulator.compute.guest.dnf import DNF
from batchimg_magics.emulator.compute.guest.dpkg import DPKG
from batchimg_magics.emulator.compute.guest.file_tools import FILE_TOOLS
from batchimg_magics.emulator.compute.guest.grep import GREP
from batchimg_magics.emulator.compute.guest.known_files import has_program
from batchimg_magics.emulator.compute.guest.launchers import LAUNCHERS, UNITS_S, after_options
from batchimg_magics.emulator.compute.guest.pip import PIP, environment_of, listed, pip
from batchimg_magics.emulator.compute.guest.r_programs import R
from batchimg_magics.emulator.compute.guest.rpm import RPM
from batchimg_magics.emulator.compute.guest.scripts import (
    DEPROVISION_S,
    POWER_OFF_S,
    ScriptEndsError,
    UnsupportedLineError,
)
from batchimg_magics.emulator.compute.guest.sed import SED
from batchimg_magics.emulator.compute.guest.shell_builtins import BUILTINS
from batchimg_magics.emulator.compute.guest.system import GuestChange
from batchimg_magics.emulator.compute.guest.text_tools import TEXT_TOOLS
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.compute.guest.shell import Program, Shell

evidence = Evidence("Programs on Linux VMs")
_REBOOT_S = evidence.assumed(30.0, "s", "that a VM takes to start again by itself", "no recording shows it")


# -- programs that change the operating system -------------------------------------------------------------------


def _waagent(shell: Shell, argv: list[str], stdin: str | None) -> int:
    """Deprovision, with the options as the agent reads them. Source: WALinuxAgent, ``agent.py`` and ``default.py``."""
    options = [re.sub(r"^[-/]*", "", one) for one in argv[1:]]
    user = any(one.startswith("deprovision+user") for one in options)
    if not any(one.startswith("deprovision") for one in options):
        return queries.agent_version(shell, options)
    if not any(one.startswith("force") for one in options) and not _confirmed(shell, stdin):
        return 1
    shell.stdout.append("WARNING! The waagent service will be stopped.\n")
    shell.change(agent=False)
    shell.seconds += DEPROVISION_S
    if user and shell.machine.state.admin in shell.homes:
        shell.homes.remove(shell.machine.state.admin)
    for path in [one for one in shell.files.texts if _is_removed(one, shell.machine.state.admin if user else "")]:
        shell.put_file(path, None)
    shell.change(deprovisioned=True, **({"homes": list(shell.homes)} if user else {}))
    shell.need_detached()
    return 0


def _is_removed(path: str, account: str) -> bool:
    """Tell whether the agent deletes a file: its own, leases of DHCP, and the home of the account."""
    home = (f"/home/{account}/",) if account else ()
    return path in _REMOVED_FILES or path.startswith((*_REMOVED_FOLDERS, *home))


#: What the agent deletes. Source: WALinuxAgent, ``default.py``.
_REMOVED_FILES = frozenset({"/root/.bash_history", "/var/log/waagent.log", "/etc/resolv.conf"})
_REMOVED_FOLDERS = ("/var/lib/waagent/", "/var/log/azure/", "/var/lib/dhclient/", "/var/lib/dhcpcd/", "/var/lib/dhcp/")


def _confirmed(shell: Shell, stdin: str | None) -> bool:
    """Answer the question of the agent from standard input; without one it fails."""
    shell.stdout.append("Do you want to proceed (y/n)\n")
    if stdin:
        return stdin.lower().startswith("y")
    shell.stderr.append("EOFError: EOF when reading a line\n")
    return False


#: A program that prints what is installed, also where pip is not. Source: Python's documentation of importlib.metadata.
_METADATA = re.compile(
    r"import importlib\.metadata as (?P<m>\w+); *\[print\((?P<d>\w+)\.metadata\[.Name.\] \+ .==. \+ (?P=d)\.version\) "
    r"for (?P=d) in (?P=m)\.distributions\(\)(?: if (?P=d)\.metadata\[.Name.\])?\]"
)


def _python(shell: Shell, argv: list[str], stdin: str | None) -> int:
    """Run pip, or the agent, which is a Python program."""
    words = argv[1:]
    if words[:1] in (["--version"], ["-V"]):
        shell.stdout.append("Python 3.12.3\n")
        return 0
    if words[:2] == ["-m", "pip"]:
        if environment_of(shell, argv[0]) is None and not has_program(shell, "/usr/bin/pip3"):
            return shell.complain(f"/usr/bin/{argv[0].rpartition('/')[2]}: No module named pip")
        return pip(shell, [f"{argv[0].rpartition('/')[0]}/pip".lstrip("/"), *words[2:]], stdin)
    if len(words) == 2 and words[0] == "-c" and _METADATA.fullmatch(words[1]):
        found = listed(shell, environment_of(shell, argv[0]))
        shell.stdout.extend(f"{one.name}=={one.version}\n" for one in found)
        return 0
    rest = after_options(words, ())
    if rest and rest[0].rpartition("/")[2] == "waagent":
        return _waagent(shell, rest, stdin)
    raise UnsupportedLineError(" ".join(argv))


def _power_off(shell: Shell, argv: list[str], stdin: str | None) -> int:
    del argv, stdin
    _stop(shell)
    return 0


def _stop(shell: Shell) -> None:
    shell.change(agent=False)
    shell.changes.append(GuestChange(shell.seconds + POWER_OFF_S, stops=True))
    shell.need_detached()
    raise ScriptEndsError(0)


def _reboot(shell: Shell, argv: list[str], stdin: str | None) -> int:
    del argv, stdin
    shell.change(agent=False)
    shell.changes.append(GuestChange(shell.seconds + _REBOOT_S, {"agent": True, "deprovisioned": False}))
    shell.need_detached()
    raise ScriptEndsError(0)


def _halt(shell: Shell, argv: list[str], stdin: str | None) -> int:
    """Halt: without ``-p`` the machine stays on."""
    if not any("p" in one.lstrip("-") for one in argv[1:] if one.startswith("-")):
        raise UnsupportedLineError(" ".join(argv))
    return _power_off(shell, argv, stdin)


def _shutdown(shell: Shell, argv: list[str], stdin: str | None) -> int:
    """Shut down now, or in some minutes: by default in one."""
    words = [one for one in argv[1:] if not one.startswith("-")]
    flags = "".join(one.lstrip("-") for one in argv[1:] if one.startswith("-"))
    when = words[0] if words else "+1"
    if "c" in flags or not re.fullmatch(r"now|\+?\d+", when):
        raise UnsupportedLineError(" ".join(argv))
    program = _reboot if "r" in flags else _power_off
    minutes = 0 if when == "now" else int(when.lstrip("+"))
    if minutes == 0:
        return program(shell, argv, stdin)
    shell.stderr.append("Shutdown scheduled, use 'shutdown -c' to cancel.\n")
    shell.detach(lambda child: program(child, argv, None), 60.0 * minutes)
    return 0


def _init(shell: Shell, argv: list[str], stdin: str | None) -> int:
    level = argv[1] if len(argv) > 1 else ""
    if level not in ("0", "6"):
        raise UnsupportedLineError(" ".join(argv))
    return _power_off(shell, argv, stdin) if level == "0" else _reboot(shell, argv, stdin)


def _systemctl(shell: Shell, argv: list[str], stdin: str | None) -> int:
    words = [one for one in argv[1:] if not one.startswith("-")]
    verb, units = (words[0], words[1:]) if words else ("", [])
    if verb in ("poweroff", "reboot"):
        return _power_off(shell, argv, stdin) if verb == "poweroff" else _reboot(shell, argv, stdin)
    if verb in ("is-active", "is-enabled"):
        return queries.unit_state(shell, argv, verb, units)
    if verb in ("stop", "kill", "restart") and queries.AGENT_UNITS & set(units):
        shell.change(agent=verb == "restart")
        shell.need_detached()
        return 0
    if verb in ("daemon-reload", "disable", "enable", "mask", "unmask"):
        return 0
    raise UnsupportedLineError(" ".join(argv))


def _delete_user(shell: Shell, argv: list[str], stdin: str | None) -> int:
    """Delete an account; its home goes with it if the options say so."""
    del stdin
    words = [one for one in argv[1:] if not one.startswith("-")]
    name = words[-1] if words else ""
    if name not in shell.homes:
        shell.stderr.append(f"{argv[0]}: user '{name}' does not exist\n")
        return 6
    if any(one in ("-r", "-rf", "-fr", "--remove", "--remove-home", "--remove-all-files") for one in argv[1:]):
        shell.homes.remove(name)
        shell.change(homes=list(shell.homes))
    return 0


def _remove(shell: Shell, argv: list[str], stdin: str | None) -> int:
    """Delete files: those that were written, the homes of accounts, and not what the agent needs."""
    del stdin
    status, forced = 0, any(one.startswith("-") and "f" in one for one in argv[1:])
    for path in (one for one in argv[1:] if not one.startswith("-")):
        if path.startswith("/var/lib/waagent"):
            raise UnsupportedLineError(" ".join(argv))
        if any(one.startswith("-") and "r" in one.lower() for one in argv[1:]):
            for inside in [one for one in shell.files.texts if one.startswith(f"{shell.full_path(path)}/")]:
                shell.put_file(inside, None)
        elif shell.kind_of(path) == "d":
            status = shell.complain(f"rm: cannot remove '{path}': Is a directory")
            continue
        if shell.read(path) is not None:
            shell.put_file(shell.full_path(path), None)
        elif not shell.kind_of(path) and "/home" not in path and not forced:
            status = shell.complain(f"rm: cannot remove '{path}': No such file or directory")
        gone = [name for name in shell.homes if re.fullmatch(rf"/home(/(\*|{re.escape(name)}))?/?", path)]
        if gone:
            shell.homes[:] = [name for name in shell.homes if name not in gone]
            shell.change(homes=list(shell.homes))
    return status


# -- small programs ----------------------------------------------------------------------------------------------


def _exits(code: int) -> Program:
    return lambda _shell, _argv, _stdin: code


def _sleep(shell: Shell, argv: list[str], stdin: str | None) -> int:
    del stdin
    for word in argv[1:]:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", word)
        if match is None:
            shell.stderr.append(f"sleep: invalid time interval '{word}'\n")
            return 1
        shell.seconds += float(match[1]) * UNITS_S[match[2]]
    return 0


def _unsupported(_: Shell, argv: list[str], __: str | None) -> int:
    raise UnsupportedLineError(" ".join(argv))


#: Programs without an effect that the emulator models.
_HARMLESS = """
    true : sync history umask ulimit chmod chown chgrp disown wait renice ionice passwd chage usermod hostnamectl
    swapoff logger shred pushd popd shopt hash alias
"""
#: Standard programs that the emulator does not model.
_STANDARD = """
    apt-key snap zypper tdnf microdnf git curl wget ssh scp rsync tar gzip gunzip zip unzip xz bzip2 make gcc g++ cc ld
    cmake perl ruby node npm java go rustc cargo docker podman az azcopy mount umount fdisk sfdisk parted mkfs mkfs.ext4
    mkfs.xfs lsblk blkid findmnt df du free top ps pgrep pkill kill killall nvidia-smi xxd od openssl dd ln useradd
    adduser groupadd groupmod chpasswd su service journalctl dmesg ip ifconfig ss netstat ping nc dig nslookup host
    iptables nft ufw firewall-cmd sysctl modprobe lsmod crontab batch update-grub grub2-mkconfig dracut
    update-initramfs vi vim nano emacs less more man tmux screen jq yq strace gdb lscpu lspci lsusb dmidecode
    timedatectl localectl loginctl systemd-analyze julia matlab getopts bc expr watch flock parallel [[
"""
PROGRAMS: dict[str, Program] = {
    **dict.fromkeys(_HARMLESS.split(), _exits(0)),
    **dict.fromkeys(_STANDARD.split(), _unsupported),
    "false": _exits(1),
    "sleep": _sleep,
    "waagent": _waagent,
    "waagent2.0": _waagent,
    "python": _python,
    "python3": _python,
    "poweroff": _power_off,
    "halt": _halt,
    "reboot": _reboot,
    "shutdown": _shutdown,
    "init": _init,
    "telinit": _init,
    "systemctl": _systemctl,
    "userdel": _delete_user,
    "deluser": _delete_user,
    "rm": _remove,
    "rmdir": _remove,
    "unlink": _remove,
    **BUILTINS,
    **LAUNCHERS,
    **queries.QUERIES,
    **FILE_TOOLS,
    **TEXT_TOOLS,
    **SED,
    **GREP,
    **AWK,
    **DPKG,
    **APT,
    **RPM,
    **DNF,
    **PIP,
    **CONDA,
    **R,
}
