"""pip: what it lists, installs and removes. Source: pip's documentation of ``list``, ``freeze`` and ``install``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from batchimg_magics.emulator.compute.guest import outside
from batchimg_magics.emulator.compute.guest.options import read_options
from batchimg_magics.emulator.compute.guest.scripts import UnsupportedLineError
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.catalog.package_lists import Package
    from batchimg_magics.emulator.compute.guest.shell import Program, Shell

#: Seconds that an installation takes.
_INSTALL_S = 8.0
evidence = Evidence("Lists of pip")
_LIST_S = evidence.assumed(1.0, "s", "that `pip list` takes", "no recording shows it")
_BUNDLED = frozenset({"pip", "setuptools", "wheel", "distribute"})
_ENVIRONMENT = re.compile(r"/opt/conda(?:/envs/([\w.-]+))?/bin/?")
_BROKEN = (
    "Traceback (most recent call last):\n"
    '  File "/usr/bin/pip3", line 5, in <module>\n'
    "    from pip._internal.cli.main import main\n"
    "ModuleNotFoundError: No module named 'pip._internal'"
)
_MANAGED = (
    "error: externally-managed-environment\n\n"
    "\u00d7 This environment is externally managed\n"
    "\u2570\u2500> To install Python packages system-wide, try apt install\n"
    "    python3-xyz, where xyz is the package you are trying to\n    install.\n"
)


def environment_of(shell: Shell, program: str) -> str | None:
    """Return the name of the conda environment whose ``bin`` a program is in, None for the system's."""
    folder = program.rpartition("/")[0]
    places = [folder] if folder else (shell.variables.get("PATH") or "").split(":")
    if not shell.packages.environments():
        return None
    for place in places:
        match = _ENVIRONMENT.fullmatch(place)
        if match is not None and (match[1] or "base") in shell.packages.environments():
            return match[1] or "base"
        if place in ("/usr/bin", "/usr/local/bin"):
            return None
    return None


def listed(shell: Shell, environment: str | None) -> list[Package]:
    """Return the packages that pip of an environment finds."""
    if environment is None:
        return shell.packages.installed("pip")
    found = shell.packages.installed(f"conda:{environment}")
    return [one for one in found if one.source == "pypi" or one.section.startswith("py")]


def pip(shell: Shell, argv: list[str], stdin: str | None) -> int:
    """Run pip."""
    del stdin
    if "pip" in shell.packages.failing:
        return shell.complain(_BROKEN)
    environment = environment_of(shell, argv[0])
    rest = [one for one in argv[1:] if one not in _GLOBAL]
    if rest[:1] in (["--version"], ["-V"]):
        shell.stdout.append("pip 24.0 from /usr/lib/python3/dist-packages/pip (python 3.12)\n")
        return 0
    verb = rest[0] if rest else ""
    work = {"list": _list, "freeze": _freeze, "install": _install, "uninstall": _uninstall, "show": _show}.get(verb)
    if work is None:
        raise UnsupportedLineError(" ".join(argv))
    return work(shell, rest, environment)


_GLOBAL = frozenset({"--disable-pip-version-check", "--no-input", "--no-color", "-q", "--quiet", "--no-cache-dir",
                     "-qq", "-v", "--isolated", "--no-python-version-warning"})  # fmt: skip


def _list(shell: Shell, argv: list[str], environment: str | None) -> int:
    asked = read_options(argv, "format path exclude", "o outdated u uptodate l local user not-required e editable "
                         "exclude-editable include-editable pre")  # fmt: skip
    if asked.has("o", "outdated", "u", "uptodate", "not-required", "e", "editable", "path", "user"):
        raise UnsupportedLineError(" ".join(argv))
    shell.seconds += _LIST_S
    found = [one for one in listed(shell, environment) if one.name not in asked.values("exclude")]
    form = asked.value("format", default="columns")
    if form == "json":
        rows = [{"name": one.name, "version": one.version} for one in found]
        shell.stdout.append(
            msgspec.json.encode(rows).decode().replace('":"', '": "').replace('","', '", "').replace("},{", "}, {")
            + "\n"
        )
    elif form == "freeze":
        shell.stdout.extend(f"{one.name}=={one.version}\n" for one in found)
    elif form == "columns":
        _columns(shell, found)
    else:
        return shell.complain(
            f"Usage:\n  pip list [options]\n\noption --format: invalid choice: '{form}' (choose from 'columns', "
            "'freeze', 'json')",
            2,
        )
    return 0


def _columns(shell: Shell, found: list[Package]) -> None:
    if not found:
        return
    width = max(7, *(len(one.name) for one in found))
    lines = [f"{'Package'.ljust(width)} Version", f"{'-' * width} {'-' * max(7, *(len(one.version) for one in found))}"]
    lines += [f"{one.name.ljust(width)} {one.version}" for one in found]
    shell.stdout.extend(f"{line}\n" for line in lines)


def _freeze(shell: Shell, argv: list[str], environment: str | None) -> int:
    asked = read_options(argv, "path exclude r requirement", "all l local user exclude-editable")
    for one in listed(shell, environment):
        if (one.name in _BUNDLED and not asked.has("all")) or one.name in asked.values("exclude"):
            continue
        if one.name == "labtools":  # installed from a folder
            shell.stdout.append(f"{one.name} @ file:///opt/lab/{one.name}\n")
        else:
            shell.stdout.append(f"{one.name}=={one.version}\n")
    return 0


def _show(shell: Shell, argv: list[str], environment: str | None) -> int:
    asked = read_options(argv, "", "f files")
    known = {one.name.lower(): one for one in listed(shell, environment)}
    found = [known[name.lower()] for name in asked.words if name.lower() in known]
    for one in found:
        shell.stdout.append(f"Name: {one.name}\nVersion: {one.version}\n")
    return 0 if found else shell.complain(f"WARNING: Package(s) not found: {', '.join(asked.words)}")


def _install(shell: Shell, argv: list[str], environment: str | None) -> int:
    flags = "U upgrade user pre no-deps break-system-packages q quiet no-cache-dir force-reinstall y no-input I "
    asked = read_options(argv, "r requirement upgrade-strategy t target i index-url", flags)
    names = asked.words
    if asked.has("r", "requirement", "t", "target", "user", "i", "index-url"):
        raise UnsupportedLineError(" ".join(argv))
    if not names:
        return shell.complain('ERROR: You must give at least one requirement to install (see "pip help install")')
    debian = shell.packages.family == "dpkg" and "22.04" not in shell.packages.base
    if environment is None and debian and not asked.has("break-system-packages"):
        return shell.complain(_MANAGED)
    manager = "pip" if environment is None else f"conda:{environment}"
    return _install_all(shell, manager, names, newest=asked.has("U", "upgrade", "force-reinstall", "I"))


def _install_all(shell: Shell, manager: str, names: list[str], *, newest: bool) -> int:
    if (problem := outside.pip_problem(shell, names[0])) is not None:
        return shell.complain(problem)
    chosen: list[tuple[str, str]] = []
    for text in names:
        match = re.fullmatch(r"([A-Za-z0-9][\w.-]*)(?:\[[\w,-]+\])?(?:==([\w.+!-]+))?", text)
        if match is None:
            raise UnsupportedLineError(f"pip install {text}")
        old = shell.packages.find(manager, match[1])
        known = shell.packages.available("pip", match[1], shell.now())
        if old is not None and not match[2] and not newest:
            shell.stdout.append(
                f"Requirement already satisfied: {match[1]} in /usr/local/lib/python3/dist-packages ({old.version})\n"
            )
            continue
        if known is None:
            return shell.complain(
                f"ERROR: Could not find a version that satisfies the requirement {text} (from versions: none)\n"
                f"ERROR: No matching distribution found for {text}"
            )
        chosen.append((old.name if old is not None else known.name, match[2] or known.version))
    for name, version in chosen:
        shell.set_package(manager, name, version)
    if chosen:
        shell.seconds += _INSTALL_S * len(chosen)
        done = " ".join(f"{name}-{version}" for name, version in chosen)
        shell.stdout.append(f"Successfully installed {done}\n")
    return 0


def _uninstall(shell: Shell, argv: list[str], environment: str | None) -> int:
    asked = read_options(argv, "r requirement", "y yes break-system-packages")
    manager = "pip" if environment is None else f"conda:{environment}"
    for name in asked.words:
        old = shell.packages.find(manager, name)
        if old is None:
            shell.complain(f"WARNING: Skipping {name} as it is not installed.")
            continue
        if not asked.has("y", "yes"):
            shell.stdout.append("Proceed (Y/n)? ")
            return shell.complain("ERROR: Exception:\nEOFError: EOF when reading a line", 2)
        shell.set_package(manager, old.name, None)
        shell.stdout.append(f"Successfully uninstalled {old.name}-{old.version}\n")
    return 0


PIP: dict[str, Program] = {"pip": pip, "pip3": pip}
