"""The programs of a Linux VM that change its operating system, wait, or set variables; and the table of all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batchimg_magics.emulator.compute.guest import queries
from batchimg_magics.emulator.compute.guest.launchers import LAUNCHERS, UNITS_S, after_options
from batchimg_magics.emulator.compute.guest.scripts import DEPROVISION_S, POWER_OFF_S, UnsupportedLineError
from batchimg_magics.emulator.compute.guest.shell import ScriptEndsError
from batchimg_magics.emulator.compute.guest.system import GuestChange
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
    shell.change(deprovisioned=True, **({"homes": list(shell.homes)} if user else {}))
    shell.need_detached()
    return 0


def _confirmed(shell: Shell, stdin: str | None) -> bool:
    """Answer the question of the agent from standard input; without one it fails."""
    shell.stdout.append("Do you want to proceed (y/n)\n")
    if stdin:
        return stdin.lower().startswith("y")
    shell.stderr.append("EOFError: EOF when reading a line\n")
    return False


def _python(shell: Shell, argv: list[str], stdin: str | None) -> int:
    """Run the agent, which is a Python program."""
    rest = after_options(argv[1:], ())
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
    """Delete files: the homes of accounts matter, and what the agent needs."""
    del stdin
    for path in (one for one in argv[1:] if not one.startswith("-")):
        if path.startswith("/var/lib/waagent"):
            raise UnsupportedLineError(" ".join(argv))
        shell.files.pop(path, None)
        gone = [name for name in shell.homes if re.fullmatch(rf"/home(/(\*|{re.escape(name)}))?/?", path)]
        if gone:
            shell.homes[:] = [name for name in shell.homes if name not in gone]
            shell.change(homes=list(shell.homes))
    return 0


# -- small programs ----------------------------------------------------------------------------------------------


def _exits(code: int) -> Program:
    return lambda _shell, _argv, _stdin: code


def _exit(shell: Shell, argv: list[str], stdin: str | None) -> int:
    del stdin
    raise ScriptEndsError(int(argv[1]) % 256 if len(argv) > 1 and argv[1].isdigit() else shell.status)


def _sleep(shell: Shell, argv: list[str], stdin: str | None) -> int:
    del stdin
    for word in argv[1:]:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", word)
        if match is None:
            shell.stderr.append(f"sleep: invalid time interval '{word}'\n")
            return 1
        shell.seconds += float(match[1]) * UNITS_S[match[2]]
    return 0


def _set(shell: Shell, argv: list[str], stdin: str | None) -> int:
    del stdin
    for word in argv[1:]:
        if word[:1] in "-+" and "e" in word[1:] and not word.startswith("--"):
            shell.errexit = word[0] == "-"
        if word == "errexit":
            shell.errexit = "-o" in argv[1:] or any(one.startswith("-") and one.endswith("o") for one in argv[1:])
    return 0


def _export(shell: Shell, argv: list[str], stdin: str | None) -> int:
    del stdin
    pairs = (word.partition("=") for word in argv[1:] if "=" in word and not word.startswith("-"))
    shell.variables |= {name: value for name, _, value in pairs}
    return 0


def _unset(shell: Shell, argv: list[str], stdin: str | None) -> int:
    del stdin
    for name in argv[1:]:
        shell.variables.pop(name, None)
    return 0


def _tee(shell: Shell, argv: list[str], stdin: str | None) -> int:
    adds = "-a" in argv[1:]
    for path in (one for one in argv[1:] if not one.startswith("-")):
        shell.files[path] = (shell.files.get(path, "") if adds else "") + (stdin or "")
    shell.stdout.append(stdin or "")
    return 0


def _unsupported(_: Shell, argv: list[str], __: str | None) -> int:
    raise UnsupportedLineError(" ".join(argv))


#: Programs without an effect that the emulator models.
_HARMLESS = """
    true : sync history trap umask ulimit chmod chown chgrp mkdir touch truncate disown wait renice ionice passwd chage
    usermod hostnamectl swapoff logger shred cd pushd popd shopt hash alias local readonly declare
"""
#: Standard programs that the emulator does not model.
_STANDARD = """
    apt apt-get apt-cache apt-key dpkg snap yum dnf rpm zypper tdnf microdnf pip pip3 conda mamba git curl wget ssh scp
    rsync tar gzip gunzip zip unzip xz bzip2 make gcc g++ cc ld cmake perl ruby node npm java go rustc cargo docker
    podman az azcopy mount umount fdisk sfdisk parted mkfs mkfs.ext4 mkfs.xfs lsblk blkid findmnt df du free top ps
    pgrep pkill kill killall nvidia-smi sed awk gawk find sort uniq wc tr tac diff cmp xxd od base64 md5sum sha256sum
    openssl dd cp mv ln install useradd adduser groupadd groupmod chpasswd su service journalctl dmesg ip ifconfig ss
    netstat ping nc dig nslookup host iptables nft ufw firewall-cmd sysctl modprobe lsmod crontab batch update-grub
    grub2-mkconfig dracut update-initramfs vi vim nano emacs less more man tmux screen jq yq strace gdb lscpu lspci
    lsusb dmidecode timedatectl localectl loginctl systemd-analyze R Rscript julia matlab source . read getopts bc expr
    seq watch flock parallel
"""
PROGRAMS: dict[str, Program] = {
    **dict.fromkeys(_HARMLESS.split(), _exits(0)),
    **dict.fromkeys(_STANDARD.split(), _unsupported),
    "false": _exits(1),
    "exit": _exit,
    "return": _exit,
    "sleep": _sleep,
    "set": _set,
    "export": _export,
    "unset": _unset,
    "tee": _tee,
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
    "unlink": _remove,
    **LAUNCHERS,
    **queries.QUERIES,
}
