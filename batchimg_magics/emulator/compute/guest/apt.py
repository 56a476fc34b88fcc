"""apt: what it lists, upgrades, installs and removes. Source: the manual pages apt-get(8), apt(8) and apt-cache(8)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batchimg_magics.emulator.compute.guest import outside
from batchimg_magics.emulator.compute.guest.options import Options, read_options
from batchimg_magics.emulator.compute.guest.scripts import UnsupportedLineError
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.catalog.package_lists import Package
    from batchimg_magics.emulator.compute.guest.shell import Program, Shell

evidence = Evidence("apt on VMs")
_UPDATE_S = evidence.assumed(12.0, "s", "that apt-get update takes", "no recording shows it")
_PACKAGE_S = evidence.assumed(3.0, "s", "that apt takes for each package", "no recording shows it")
BOOT_LOCK_S = evidence.assumed(
    75.0, "s", "after the start of a Debian or Ubuntu VM while apt-daily holds the lock of dpkg", "users report minutes"
)
_WARNING = "\nWARNING: apt does not have a stable CLI interface. Use with caution in scripts.\n\n"
_LOCK = "/var/lib/dpkg/lock-frontend"
_CHANGES = frozenset({"upgrade", "dist-upgrade", "full-upgrade", "install", "remove", "purge", "autoremove"})
_FLAGS = (
    "y yes assume-yes q quiet qq no-install-recommends no-upgrade only-upgrade purge with-new-pkgs allow-downgrades "
    "f fix-broken fix-missing m d download-only s simulate dry-run installed upgradable a all-versions auto-remove "
    "autoremove allow-unauthenticated allow-change-held-packages reinstall V no-remove force-yes"
)


def _hosts(shell: Shell) -> tuple[str, str]:
    """Return the host and the release of the repositories."""
    if shell.packages.base.startswith("debian"):
        return "deb.debian.org", "bookworm"
    return "azure.archive.ubuntu.com", "jammy" if "22.04" in shell.packages.base else "noble"


def _apt(shell: Shell, argv: list[str], stdin: str | None) -> int:
    """Run apt-get or apt."""
    program = argv[0].rpartition("/")[2]
    asked = read_options(argv, "o option t target-release c config-file", _FLAGS)
    verb = asked.words[0] if asked.words else ""
    if program == "apt":
        shell.stderr.append(_WARNING)
    if verb == "list" and program == "apt":
        return _list(shell, asked)
    if verb in ("update", *_CHANGES) and (status := _wait_for_lock(shell, asked)):
        return status
    if verb == "update":
        return _update(shell)
    if verb in ("clean", "autoclean", "check"):
        return 0
    if verb not in _CHANGES or asked.has("s", "simulate", "dry-run", "d", "download-only", "t", "target-release"):
        raise UnsupportedLineError(" ".join(argv))
    return _change(shell, asked, verb, stdin)


# -- the lock ----------------------------------------------------------------------------------------------------


def _wait_for_lock(shell: Shell, asked: Options) -> int:
    """Wait for the lock as long as the options say; by default not at all."""
    left = shell.machine.booted + BOOT_LOCK_S - shell.now()
    if left <= 0 or shell.machine.program_s is not None:
        return 0
    timeout = 0.0
    for text in asked.values("o", "option"):
        match = re.fullmatch(r"dpkg::lock::timeout=(-?\d+)", text.strip(), re.IGNORECASE)
        timeout = float(match[1]) if match else timeout
    if timeout < 0 or timeout >= left:
        shell.seconds += left
        return 0
    shell.seconds += timeout
    return shell.complain(
        f"E: Could not get lock {_LOCK}. It is held by process 1187 (unattended-upgr)\n"
        f"E: Unable to acquire the dpkg frontend lock ({_LOCK}), is another process using it?",
        100,
    )


# -- lists of the repositories -----------------------------------------------------------------------------------


def _update(shell: Shell) -> int:
    host, release = _hosts(shell)
    names = [release, f"{release}-updates", f"{release}-security"]
    problem = outside.apt_problem(shell, host)
    if problem is not None:  # apt goes on with the old lists, and succeeds
        for name in names:
            shell.stdout.append(f"Err:1 http://{host}/ubuntu {name} InRelease\n  {problem}\n")
            shell.complain(f"W: Failed to fetch http://{host}/ubuntu/dists/{name}/InRelease  {problem}")
        shell.complain("W: Some index files failed to download. They have been ignored, or old ones used instead.")
        return 0
    for number, name in enumerate(names, 1):
        shell.stdout.append(f"Hit:{number} http://{host}/ubuntu {name} InRelease\n")
    shell.seconds += _UPDATE_S
    shell.stdout.append("Reading package lists...\n")
    return 0


def _list(shell: Shell, asked: Options) -> int:
    release = _hosts(shell)[1]
    shell.stdout.append("Listing...\n")
    newer = {old.name: new for old, new in shell.packages.newer("dpkg", shell.now())}
    for one in shell.packages.installed("dpkg"):
        plain = one.name.partition(":")[0]
        if one.status == "rc" or (len(asked.words) > 1 and plain not in asked.words):
            continue
        if asked.has("upgradable"):
            if (newest := newer.get(one.name)) is not None:
                text = f"{plain}/{release}-updates {newest.version} {one.architecture} [upgradable from: {one.version}]"
                shell.stdout.append(f"{text}\n")
        elif asked.has("installed"):
            shell.stdout.append(f"{plain}/{release},now {one.version} {one.architecture} [installed]\n")
        else:
            raise UnsupportedLineError("apt list")
    return 0


def _cache(shell: Shell, argv: list[str], _: str | None) -> int:
    """Run apt-cache: ``policy`` and ``madison``."""
    verb, names = (argv[1], argv[2:]) if len(argv) > 1 else ("", [])
    if verb != "policy" or not names:
        raise UnsupportedLineError(" ".join(argv))
    host, release = _hosts(shell)
    for name in names:
        old = shell.packages.find("dpkg", name)
        newest = shell.packages.available("dpkg", name, shell.now())
        if old is None and newest is None:
            continue
        candidate = newest.version if newest is not None else old.version if old is not None else ""
        lines = [f"{name}:", f"  Installed: {old.version if old else '(none)'}", f"  Candidate: {candidate}"]
        lines += [
            "  Version table:",
            f"     {candidate} 500",
            f"        500 http://{host}/ubuntu {release}/main amd64 Packages",
        ]
        if old is not None:
            lines += [f" *** {old.version} 100", "        100 /var/lib/dpkg/status"]
        shell.stdout.extend(f"{line}\n" for line in lines)
    return 0


# -- changes -----------------------------------------------------------------------------------------------------


def _change(shell: Shell, asked: Options, verb: str, stdin: str | None) -> int:
    shell.stdout.append("Reading package lists...\nBuilding dependency tree...\nReading state information...\n")
    if verb in ("remove", "purge", "autoremove"):
        return _remove(shell, asked, stdin)
    if verb == "install":
        chosen = _to_install(shell, asked.words[1:], only=asked.has("only-upgrade"))
        if isinstance(chosen, str):
            return shell.complain(chosen, 100)
    else:
        held = [one.name for one in shell.packages.installed("dpkg") if one.status == "hi"]
        if held:
            shell.stdout.append(f"The following packages have been kept back:\n  {' '.join(held)}\n")
        chosen = [(old.name, new.version) for old, new in shell.packages.newer("dpkg", shell.now())]
    if not chosen:
        shell.stdout.append("0 upgraded, 0 newly installed, 0 to remove and 0 not upgraded.\n")
        return 0
    new = [name for name, _ in chosen if not shell.packages.has("dpkg", name)]
    shell.stdout.append(
        f"{len(chosen) - len(new)} upgraded, {len(new)} newly installed, 0 to remove and 0 not upgraded.\n"
    )
    if (status := _confirm(shell, asked, stdin)) or (status := _fetch(shell, chosen)):
        return status
    if verb == "install":
        for name, version in chosen:
            shell.set_package("dpkg", name, version)
    else:
        shell.upgrade_packages("dpkg")
    shell.seconds += _PACKAGE_S * len(chosen)
    shell.stdout.extend(f"Setting up {name} ({version}) ...\n" for name, version in chosen)
    return 0


def _confirm(shell: Shell, asked: Options, stdin: str | None) -> int:
    """Ask whether to go on: without an option and without an answer it aborts."""
    quiet = sum(1 for name, _ in asked.given if name in ("q", "quiet"))
    if asked.has("y", "yes", "assume-yes", "qq") or quiet >= 2 or (stdin or "").lower().startswith("y"):
        return 0
    shell.stdout.append("Do you want to continue? [Y/n] Abort.\n")
    return 1


def _fetch(shell: Shell, chosen: list[tuple[str, str]]) -> int:
    host, _ = _hosts(shell)
    problem = outside.apt_problem(shell, host)
    if problem is None:
        return 0
    for name, version in chosen[:3]:
        plain = name.partition(":")[0]
        path = f"http://{host}/ubuntu/pool/main/{plain[0]}/{plain}/{plain}_{version}_amd64.deb"
        shell.stdout.append(f"Err:1 {path}\n  {problem}\n")
        shell.complain(f"E: Failed to fetch {path}  {problem}")
    return shell.complain("E: Unable to fetch some archives, maybe run apt-get update or try with --fix-missing?", 100)


def _to_install(shell: Shell, words: list[str], *, only: bool) -> list[tuple[str, str]] | str:
    """Return (name, version) of what is installed, or an error message."""
    chosen: dict[str, str] = {}
    for word in words:
        name, _, version = word.partition("=")
        known = shell.packages.available("dpkg", name, shell.now())
        old = shell.packages.find("dpkg", name)
        if known is None and old is None:
            return f"E: Unable to locate package {name}"
        newest = known if known is not None else old
        if newest is None:
            continue
        if version and version not in {newest.version, *([old.version] if old is not None else [])}:
            return f"E: Version '{version}' for '{name}' was not found"
        wanted = version or newest.version
        if old is not None and old.version == wanted:
            shell.stdout.append(f"{name} is already the newest version ({old.version}).\n")
        elif old is not None or not only:
            _add(shell, newest, wanted, chosen)
    return list(chosen.items())


def _add(shell: Shell, one: Package, version: str, chosen: dict[str, str]) -> None:
    """Add a package, and those that it needs and that are not installed."""
    chosen[one.name] = version
    for name in one.needs:
        known = shell.packages.available("dpkg", name, shell.now())
        if known is not None and name not in chosen and not shell.packages.has("dpkg", name):
            _add(shell, known, known.version, chosen)


def _remove(shell: Shell, asked: Options, stdin: str | None) -> int:
    names = []
    for name in asked.words[1:]:
        if shell.packages.has("dpkg", name):
            names.append(name)
        elif shell.packages.available("dpkg", name, shell.now()) is None:
            return shell.complain(f"E: Unable to locate package {name}", 100)
        else:
            shell.stdout.append(f"Package '{name}' is not installed, so not removed\n")
    shell.stdout.append(f"0 upgraded, 0 newly installed, {len(names)} to remove and 0 not upgraded.\n")
    if names and (status := _confirm(shell, asked, stdin)):
        return status
    for name in names:
        shell.set_package("dpkg", name, None)
        shell.stdout.append(f"Removing {name} ...\n")
    shell.seconds += _PACKAGE_S * len(names)
    return 0


APT: dict[str, Program] = {"apt-get": _apt, "apt": _apt, "apt-cache": _cache}
