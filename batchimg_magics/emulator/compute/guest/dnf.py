"""dnf and yum: what they list, upgrade, install and remove. Source: dnf's command reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.emulator.compute.guest import outside
from batchimg_magics.emulator.compute.guest.options import Options, read_options
from batchimg_magics.emulator.compute.guest.rpm import rpm_fields
from batchimg_magics.emulator.compute.guest.scripts import UnsupportedLineError
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.emulator.compute.guest.shell import Program, Shell

evidence = Evidence("dnf on VMs")
_PACKAGE_S = evidence.assumed(4.0, "s", "that dnf takes for each package", "no recording shows it")
_UNREACHED = (
    "Errors during downloading metadata for repository 'baseos':\n  - Curl error ({number}): {reason}\n"
    "Error: Failed to download metadata for repo 'baseos': Cannot prepare internal mirrorlist: Curl error ({number}): "
    "{reason}"
)


def _unreached(shell: Shell) -> int:
    number, reason = 6, "Couldn't resolve host name for https://mirrors.almalinux.org/mirrorlist/9/baseos"
    if shell.machine.reach == "azure":
        number, reason = 28, "Timeout was reached for https://mirrors.almalinux.org/mirrorlist/9/baseos"
    return shell.complain(_UNREACHED.format(number=number, reason=reason))


def _dnf(shell: Shell, argv: list[str], stdin: str | None) -> int:
    flags = "y assumeyes q quiet installed available upgrades security refresh best nobest allowerasing C cacheonly"
    asked = read_options(argv, "enablerepo disablerepo setopt x exclude releasever", flags)
    verb = asked.words[0] if asked.words else ""
    work = _VERBS.get(verb)
    if work is None:
        raise UnsupportedLineError(" ".join(argv))
    return work(shell, asked, stdin)


def _check(shell: Shell, asked: Options, _: str | None) -> int:
    """Read the lists of the repositories: ``makecache``, and ``check-update``, which has an exit code of its own."""
    if not outside.is_reached(shell):
        return _unreached(shell)
    return 100 if asked.words[0] == "check-update" and shell.packages.newer("rpm", shell.now()) else 0


def _list(shell: Shell, asked: Options, _: str | None) -> int:
    if not (asked.has("installed") or asked.words[1:2] == ["installed"]):
        raise UnsupportedLineError("dnf list")
    shell.stdout.append("Installed Packages\n")
    for one in shell.packages.installed("rpm"):
        if one.section != "none":
            fields = rpm_fields(one)
            shell.stdout.append(f"{one.name}.{one.architecture:<30} {fields['EVR']:<40} @{one.section}\n")
    return 0


def _confirm(shell: Shell, asked: Options, stdin: str | None) -> int:
    if asked.has("y", "assumeyes") or (stdin or "").lower().startswith("y"):
        return 0
    shell.stdout.append("Is this ok [y/N]: \n")
    return shell.complain("Operation aborted.")


def _install(shell: Shell, asked: Options, stdin: str | None) -> int:
    if not outside.is_reached(shell):
        return _unreached(shell)
    verb, names = asked.words[0], asked.words[1:]
    chosen: list[tuple[str, str]] = []
    if verb != "install" and not names:
        chosen = [(old.name, new.version) for old, new in shell.packages.newer("rpm", shell.now())]
    for word in names:
        known = shell.packages.available("rpm", word, shell.now())
        if known is None:
            return shell.complain(f"No match for argument: {word}\nError: Unable to find a match: {word}")
        old = shell.packages.find("rpm", word)
        if (old is None and verb == "install") or (old is not None and old.version != known.version):
            chosen.append((known.name, known.version))
    if not chosen:
        shell.stdout.append("Dependencies resolved.\nNothing to do.\nComplete!\n")
        return 0
    if status := _confirm(shell, asked, stdin):
        return status
    for name, version in chosen:
        shell.set_package("rpm", name, version)
    shell.seconds += _PACKAGE_S * len(chosen)
    word = "Upgraded" if verb != "install" else "Installed"
    shell.stdout.append(f"{word}:\n" + "".join(f"  {name}\n" for name, _ in chosen) + "\nComplete!\n")
    return 0


def _remove(shell: Shell, asked: Options, stdin: str | None) -> int:
    names = [name for name in asked.words[1:] if shell.packages.has("rpm", name)]
    if not names:
        shell.stdout.append("No packages marked for removal.\nDependencies resolved.\nNothing to do.\nComplete!\n")
        return 0
    if status := _confirm(shell, asked, stdin):
        return status
    for name in names:
        shell.set_package("rpm", name, None)
    shell.stdout.append("Removed:\n" + "".join(f"  {name}\n" for name in names) + "\nComplete!\n")
    return 0


_VERBS: dict[str, Callable[[Shell, Options, str | None], int]] = {
    **dict.fromkeys(("upgrade", "update", "install"), _install),
    **dict.fromkeys(("remove", "erase", "autoremove"), _remove),
    **dict.fromkeys(("makecache", "check-update"), _check),
    "list": _list,
    "clean": lambda _shell, _asked, _stdin: 0,
}
DNF: dict[str, Program] = {"dnf": _dnf, "yum": _dnf}
