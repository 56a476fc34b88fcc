"""The programs of dpkg that list packages: ``dpkg-query`` and ``dpkg``.

Source: the manual pages dpkg-query(1) and dpkg(1).
"""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING

from batchimg_magics.emulator.compute.guest.options import Options, read_options
from batchimg_magics.emulator.compute.guest.scripts import UnsupportedLineError
from batchimg_magics.emulator.compute.guest.shell_words import unescape

if TYPE_CHECKING:
    from batchimg_magics.emulator.catalog.package_lists import Package
    from batchimg_magics.emulator.compute.guest.shell import Program, Shell

_WANTED = {"i": "install", "h": "hold", "r": "deinstall", "p": "purge", "u": "unknown"}
_STATES = {"i": "installed", "c": "config-files", "n": "not-installed"}
_DEFAULT_FORMAT = "${binary:Package}\\t${Version}\\n"
_HEADER = (
    "Desired=Unknown/Install/Remove/Purge/Hold\n"
    "| Status=Not/Inst/Conf-files/Unpacked/halF-conf/Half-inst/trig-aWait/Trig-pend\n"
    "|/ Err?=(none)/Reinst-required (Status,Err: uppercase=bad)\n"
)


def _field(one: Package, name: str) -> str:
    """Return a field of a package; one that is not known is empty, as dpkg-query shows it."""
    plain = one.name.partition(":")[0]
    upstream = re.sub(r"^\d+:|-[^-]*$", "", one.version)
    known = {
        "Package": plain,
        "binary:Package": one.name,
        "Version": one.version,
        "Architecture": one.architecture,
        "Section": one.section,
        "Source": "" if one.source == plain else one.source,
        "source:Package": one.source,
        "source:Version": one.version,
        "source:Upstream-Version": upstream,
        "Status": f"{_WANTED[one.status[0]]} ok {_STATES[one.status[1]]}",
        "db:Status-Abbrev": f"{one.status} ",
        "db:Status-Want": _WANTED[one.status[0]],
        "db:Status-Status": _STATES[one.status[1]],
        "db:Status-Eflag": "ok",
        "Priority": "optional",
        "Multi-Arch": "same" if ":" in one.name else "",
        "Installed-Size": str(100 + sum(map(ord, plain))),
        "binary:Summary": f"{plain} of Debian or Ubuntu",
        "binary:Synopsis": f"{plain} of Debian or Ubuntu",
        "Maintainer": "Ubuntu Developers <ubuntu-devel-discuss@lists.ubuntu.com>",
    }
    return known.get(name, "")


def _formatted(form: str, one: Package) -> str:
    def field(match: re.Match[str]) -> str:
        text = _field(one, match[1])
        width = int(match[2] or 0)
        return text.ljust(-width)[: -width or None] if width < 0 else text.rjust(width)

    return re.sub(r"\$\{([\w:-]+)(?:;(-?\d+))?\}", field, unescape(form))


def _matching(shell: Shell, patterns: list[str]) -> list[Package]:
    """Return the packages that match patterns, all without one."""
    listed = shell.packages.installed("dpkg")
    if not patterns:
        return listed
    return [one for one in listed if any(_matches(one, pattern) for pattern in patterns)]


def _matches(one: Package, pattern: str) -> bool:
    plain, _, architecture = pattern.partition(":")
    name = one.name.partition(":")[0]
    return fnmatch.fnmatchcase(name, plain) and architecture in ("", one.architecture, "any")


def _show(shell: Shell, form: str, patterns: list[str], program: str) -> int:
    found = _matching(shell, patterns)
    shell.stdout.extend(_formatted(form, one) for one in found)
    missing = [one for one in patterns if not any(_matches(package, one) for package in found)]
    for one in missing:
        shell.complain(f"{program}: no packages found matching {one}")
    return 1 if missing else 0


def _list(shell: Shell, patterns: list[str], program: str) -> int:
    """Print the table of ``dpkg -l``, whose columns are as wide as their widest entry."""
    found = _matching(shell, patterns)
    if patterns and not found:
        return shell.complain(f"{program}: no packages found matching {patterns[0]}")
    rows = [("Name", "Version", "Architecture", "Description")]
    rows += [(one.name, one.version, one.architecture, _field(one, "binary:Summary")) for one in found]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    shell.stdout.append(_HEADER)
    for number, row in enumerate(rows):
        first = "||/" if number == 0 else f"{found[number - 1].status} "
        cells = " ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        shell.stdout.append(f"{first} {cells} {row[3]}\n")
        if number == 0:
            shell.stdout.append("+++-" + "-".join("=" * width for width in (*widths, 12)) + "\n")
    return 0


def _status(shell: Shell, names: list[str], program: str) -> int:
    """Print the status of packages: ``dpkg -s``."""
    status = 0
    for name in names:
        one = next((one for one in _matching(shell, [name])), None)
        if one is None:
            status = shell.complain(
                f"{program}: package '{name}' is not installed and no information is available\n"
                "Use dpkg --info (= dpkg-deb --info) to examine archive files."
            )
            continue
        fields = ("Package", "Status", "Priority", "Section", "Maintainer", "Architecture", "Multi-Arch", "Source")
        lines = [f"{field}: {text}\n" for field in (*fields, "Version") if (text := _field(one, field))]
        shell.stdout.append("".join(lines))
    return status


def _selections(shell: Shell, patterns: list[str]) -> int:
    for one in _matching(shell, patterns):
        tabs = "\t" * max(1, 6 - len(one.name) // 8)
        shell.stdout.append(f"{one.name}{tabs}{_WANTED[one.status[0]]}\n")
    return 0


def _dpkg_query(shell: Shell, argv: list[str], _: str | None) -> int:
    asked = read_options(argv, "f showformat admindir root", "W show l list s status no-pager load-avail")
    if asked.has("W", "show"):
        short, form = asked.value("f"), asked.value("showformat")
        return _show(shell, form or short.removeprefix("=") or _DEFAULT_FORMAT, asked.words, "dpkg-query")
    if asked.has("l", "list"):
        return _list(shell, asked.words, "dpkg-query")
    if asked.has("s", "status"):
        return _status(shell, asked.words, "dpkg-query")
    return shell.complain("dpkg-query: error: need an action option", 2)


def _dpkg(shell: Shell, argv: list[str], _: str | None) -> int:
    flags = "l list s status get-selections print-architecture version i install r remove P purge configure a audit"
    asked = read_options(argv, "admindir root", flags)
    if asked.has("print-architecture"):
        shell.stdout.append("amd64\n")
    elif not asked.has("configure", "a", "audit"):
        return _dpkg_action(shell, argv, asked)
    return 0


def _dpkg_action(shell: Shell, argv: list[str], asked: Options) -> int:
    if asked.has("l", "list"):
        return _list(shell, asked.words, "dpkg-query")
    if asked.has("s", "status"):
        return _status(shell, asked.words, "dpkg-query")
    if asked.has("get-selections"):
        return _selections(shell, asked.words)
    if asked.has("i", "install"):
        return _install_file(shell, asked.words)
    if asked.has("r", "remove", "P", "purge"):
        return _remove(shell, asked.words)
    raise UnsupportedLineError(" ".join(argv))


def _install_file(shell: Shell, paths: list[str]) -> int:
    if not paths:
        return shell.complain("dpkg: error: --install needs at least one package archive file argument", 2)
    for path in paths:
        if shell.read(path) is None:
            return shell.complain(f"dpkg: error: cannot access archive '{path}': No such file or directory", 2)
    raise UnsupportedLineError(f"dpkg -i {' '.join(paths)}")


def _remove(shell: Shell, names: list[str]) -> int:
    for name in names:
        if not shell.packages.has("dpkg", name):
            shell.complain(f"dpkg: warning: ignoring request to remove {name} which isn't installed")
        else:
            shell.stdout.append(f"Removing {name} ...\n")
            shell.set_package("dpkg", name, None)
    return 0


DPKG: dict[str, Program] = {"dpkg-query": _dpkg_query, "dpkg": _dpkg}
