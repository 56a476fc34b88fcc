"""conda: its environments, and what it lists, installs and removes. Source: conda's documentation of its commands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.compute.guest import outside
from batchimg_magics.emulator.compute.guest.options import Options, read_options
from batchimg_magics.emulator.compute.guest.packages import CONDA_PREFIX, conda_prefix
from batchimg_magics.emulator.compute.guest.scripts import UnsupportedLineError
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.catalog.package_lists import Package
    from batchimg_magics.emulator.compute.guest.shell import Program, Shell

evidence = Evidence("Lists of conda")
_INSTALL_S = 40.0
_LIST_S = evidence.assumed(2.0, "s", "that `conda list` takes", "no recording shows it")
_HEAD = "# This file may be used to create an environment using:\n# $ conda create --name <env> --file <this file>\n"


def _environment(shell: Shell, asked: Options) -> str | None:
    """Return the environment that a command is about, None if it does not exist."""
    known = shell.packages.environments()
    if path := asked.value("p", "prefix").rstrip("/"):
        return next((one for one in known if conda_prefix(one) == path), None)
    name = asked.value("n", "name") or shell.variables.get("CONDA_DEFAULT_ENV") or "base"
    return name if name in known else None


def _missing(shell: Shell, asked: Options) -> int:
    where = asked.value("p", "prefix") or conda_prefix(asked.value("n", "name") or "base")
    return shell.complain(f"\nEnvironmentLocationNotFound: Not a conda environment: {where}\n")


def _build_number(build: str) -> int:
    last = build.rsplit("_", 1)[-1]
    found = re.search(r"_(\d+)(?:_|$)", build)
    return int(last) if last.isdigit() else int(found[1]) if found else 0


def _document(one: Package) -> dict[str, Any]:
    channel = one.source
    base = "https://conda.anaconda.org/pypi" if channel == "pypi" else f"https://conda.anaconda.org/{channel}"
    return {
        "base_url": base,
        "build_number": _build_number(one.section),
        "build_string": one.section,
        "channel": channel,
        "dist_name": f"{one.name}-{one.version}-{one.section}",
        "name": one.name,
        "platform": "pypi" if channel == "pypi" else "linux-64",
        "version": one.version,
    }


def _list(shell: Shell, asked: Options) -> int:
    environment = _environment(shell, asked)
    if environment is None:
        return _missing(shell, asked)
    shell.seconds += _LIST_S
    found = shell.packages.installed(f"conda:{environment}")
    if len(asked.words) > 1:
        found = [one for one in found if re.search(asked.words[1], one.name)]
    if asked.has("no-pip"):
        found = [one for one in found if one.source != "pypi"]
    if asked.has("json"):
        shell.stdout.append(_json([_document(one) for one in found]))
    elif asked.has("e", "export"):
        shell.stdout.append(f"{_HEAD}# platform: linux-64\n# created-by: conda 24.7.1\n")
        shell.stdout.extend(f"{one.name}={one.version}={one.section}\n" for one in found)
    elif asked.has("explicit"):
        _explicit(shell, found, md5=asked.has("md5"))
    else:
        _table(shell, found, conda_prefix(environment))
    return 0


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


def _explicit(shell: Shell, found: list[Package], *, md5: bool) -> None:
    shell.stdout.append(f"{_HEAD}# platform: linux-64\n# created-by: conda 24.7.1\n@EXPLICIT\n")
    for one in found:
        if one.source == "pypi":  # not in this list
            continue
        folder = "noarch" if one.section.startswith(("pyhd", "hdfd78af", "hbcca054")) else "linux-64"
        ending = "#0123456789abcdef0123456789abcdef" if md5 else ""
        name = f"{one.name}-{one.version}-{one.section}.conda"
        shell.stdout.append(f"https://conda.anaconda.org/{one.source}/{folder}/{name}{ending}\n")


def _table(shell: Shell, found: list[Package], prefix: str) -> None:
    shell.stdout.append(f"# packages in environment at {prefix}:\n#\n")
    shell.stdout.append(f"# {'Name':<23} {'Version':<15} {'Build':>15}  Channel\n")
    for one in found:
        shell.stdout.append(f"{one.name:<25} {one.version:<15} {one.section:>15}  {one.source}\n")


def _env(shell: Shell, asked: Options) -> int:
    verb = asked.words[1] if len(asked.words) > 1 else ""
    if verb == "export":
        return _export(shell, asked)
    if verb != "list":
        raise UnsupportedLineError(f"conda env {verb}")
    known = shell.packages.environments()
    if asked.has("json"):
        shell.stdout.append(_json({"envs": [conda_prefix(one) for one in known]}))
        return 0
    active = shell.variables.get("CONDA_DEFAULT_ENV", "base")
    shell.stdout.append("# conda environments:\n#\n")
    for one in known:
        shell.stdout.append(f"{one:<22} {'*' if one == active else ' '}  {conda_prefix(one)}\n")
    shell.stdout.append("\n")
    return 0


def _export(shell: Shell, asked: Options) -> int:
    environment = _environment(shell, asked)
    if environment is None:
        return _missing(shell, asked)
    found = shell.packages.installed(f"conda:{environment}")
    channels = sorted({one.source for one in found} - {"pypi"}, reverse=True)
    lines = [f"name: {environment}", "channels:", *(f"  - {one}" for one in channels), "dependencies:"]
    lines += [f"  - {one.name}={one.version}={one.section}" for one in found if one.source != "pypi"]
    pypi = [f"      - {one.name}=={one.version}" for one in found if one.source == "pypi"]
    lines += ["  - pip:", *pypi] if pypi else []
    shell.stdout.extend(f"{line}\n" for line in [*lines, f"prefix: {conda_prefix(environment)}"])
    return 0


def _change(shell: Shell, asked: Options) -> int:
    """Install, update or remove packages."""
    environment = _environment(shell, asked)
    if environment is None:
        return _missing(shell, asked)
    verb, names, manager = asked.words[0], asked.words[1:], f"conda:{environment}"
    if not asked.has("y", "yes"):
        shell.stdout.append("Proceed ([y]/n)? ")
        return shell.complain("\nCondaSystemExit: Exiting.\n")
    if verb in ("remove", "uninstall"):
        return _remove(shell, manager, names)
    if not outside.is_reached(shell):
        return shell.complain(
            "\nCondaHTTPError: HTTP 000 CONNECTION FAILED for url "
            "<https://conda.anaconda.org/conda-forge/linux-64/repodata.json>\nElapsed: -\n"
        )
    everything = asked.has("all", "update-all")
    if everything:
        shell.upgrade_packages(manager)
    for text in names:
        match = re.fullmatch(r"(?:[\w-]+::)?([\w.-]+?)(?:(?:==?)([\w.]+))?", text)
        known = None if match is None else shell.packages.available(manager, match[1], shell.now())
        old = None if match is None else shell.packages.find(manager, match[1])
        if match is None or (known is None and old is None):
            return shell.complain(
                "\nPackagesNotFoundError: The following packages are not available from current channels:\n\n"
                f"  - {text}\n"
            )
        version = match[2] or (known.version if known is not None else old.version if old is not None else "")
        if verb != "install" or match[2] or old is None:
            shell.set_package(manager, match[1], version)
    shell.seconds += _INSTALL_S
    shell.stdout.append("\nPreparing transaction: done\nVerifying transaction: done\nExecuting transaction: done\n")
    return 0


def _remove(shell: Shell, manager: str, names: list[str]) -> int:
    for name in names:
        if not shell.packages.has(manager, name):
            problem = "The following packages are missing from the target environment:"
            return shell.complain(f"\nPackagesNotFoundError: {problem}\n  - {name}\n")
        shell.set_package(manager, name, None)
    shell.seconds += _INSTALL_S / 4
    return 0


def _info(shell: Shell, asked: Options) -> int:
    if asked.has("base"):
        shell.stdout.append(f"{CONDA_PREFIX}\n")
        return 0
    if asked.has("envs", "e"):
        return _env(shell, Options(asked.given, ["env", "list"]))
    raise UnsupportedLineError("conda info")


def conda(shell: Shell, argv: list[str], stdin: str | None) -> int:
    """Run conda."""
    if argv[1:2] in (["--version"], ["-V"]):
        shell.stdout.append("conda 24.7.1\n")
        return 0
    if argv[1:2] == ["run"]:
        return _run(shell, argv, stdin)
    flags = "json export e explicit md5 y yes no-pip all update-all q quiet no-builds base envs canonical f full-name"
    flags += " show-channel-urls"
    asked = read_options(argv, "n name p prefix c channel", flags)
    verb = asked.words[0] if asked.words else ""
    work = {"list": _list, "env": _env, "info": _info, "activate": _activate} | dict.fromkeys(
        ("install", "update", "upgrade", "remove", "uninstall"), _change
    )
    if verb not in work:
        raise UnsupportedLineError(" ".join(argv))
    return work[verb](shell, asked)


def _activate(shell: Shell, asked: Options) -> int:
    """Activate an environment: only in a shell that has read conda's own set-up."""
    if shell.variables.get("CONDA_SHLVL") is None:
        return shell.complain("CondaError: Run 'conda init' before 'conda activate'\n")
    name = asked.words[1] if len(asked.words) > 1 else "base"
    if name not in shell.packages.environments():
        return shell.complain(f"\nEnvironmentNameNotFound: Could not find conda environment: {name}\n")
    shell.variables["CONDA_DEFAULT_ENV"] = name
    shell.variables["CONDA_PREFIX"] = conda_prefix(name)
    shell.variables["PATH"] = f"{conda_prefix(name)}/bin:{CONDA_PREFIX}/condabin:{shell.path()}"
    return 0


def _run(shell: Shell, argv: list[str], stdin: str | None) -> int:
    asked = read_options([argv[0], *argv[2:]], "n name p prefix", "no-capture-output live-stream", stops=True)
    environment = _environment(shell, asked)
    if environment is None:
        return _missing(shell, asked)
    child = shell.fork()
    child.stdout, child.stderr = shell.stdout, shell.stderr
    child.variables["PATH"] = f"{conda_prefix(environment)}/bin:{shell.path()}"
    status = child.run_argv(asked.words, stdin) if asked.words else 0
    shell.seconds = child.seconds
    return status


CONDA: dict[str, Program] = {"conda": conda, "mamba": conda}
