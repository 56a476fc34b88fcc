"""The listing of rpm: ``rpm -q`` with its query formats. Source: the manual page rpm(8)."""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING

from batchimg_magics.emulator.compute.guest.options import read_options
from batchimg_magics.emulator.compute.guest.scripts import UnsupportedLineError
from batchimg_magics.emulator.compute.guest.shell_words import unescape

if TYPE_CHECKING:
    from batchimg_magics.emulator.catalog.package_lists import Package
    from batchimg_magics.emulator.compute.guest.shell import Program, Shell


def rpm_fields(one: Package) -> dict[str, str]:
    """Return the tags of a package; those that it does not have are ``(none)``."""
    epoch, _, rest = one.version.partition(":")
    version, _, release = rest.rpartition("-")
    epoch = "(none)" if epoch == "none" else epoch
    evr = rest if epoch == "(none)" else f"{epoch}:{rest}"
    key = one.name == "gpg-pubkey"
    plain = f"{one.name}-{rest}"
    named = plain if key else f"{plain}.{one.architecture}"
    return {
        "NAME": one.name,
        "EPOCH": epoch,
        "EPOCHNUM": "0" if epoch == "(none)" else epoch,
        "VERSION": version,
        "RELEASE": release,
        "ARCH": one.architecture,
        "EVR": evr,
        "NEVR": f"{one.name}-{evr}",
        "NEVRA": f"{one.name}-{evr}" + ("" if key else f".{one.architecture}"),
        "NVR": plain,
        "NVRA": named,
        "VENDOR": "(none)" if key else "AlmaLinux",
        "SUMMARY": "AlmaLinux public key" if key else f"{one.name} of AlmaLinux",
        "SOURCERPM": "(none)" if key else f"{one.name}-{rest}.src.rpm",
        "PACKAGER": "AlmaLinux Packaging Team <packager@almalinux.org>",
        "INSTALLTIME": "1749254400",
        "BUILDTIME": "1749168000",
        "SIZE": str(1000 * (100 + sum(map(ord, one.name)))),
        "LICENSE": "GPLv2+",
        "GROUP": "Public Keys" if key else "Unspecified",
        "DISTRIBUTION": "(none)",
        "FROM_REPO": one.section,
    }


def _formatted(form: str, one: Package) -> str:
    fields = rpm_fields(one)

    def tag(match: re.Match[str]) -> str:
        name = match["tag"].upper().removeprefix("RPMTAG_")
        if name not in fields:
            raise UnsupportedLineError(f"--queryformat {form}")
        text, width = fields[name], int(match["width"] or 0)
        return text.ljust(-width) if width < 0 else text.rjust(width)

    condition = r"%\|(?P<tag>\w+)\?\{(?P<yes>(?:[^{}]|\{[^{}]*\})*)\}:\{(?P<no>(?:[^{}]|\{[^{}]*\})*)\}\|"
    chosen = re.sub(
        condition, lambda m: m["no"] if fields.get(m["tag"].upper(), "(none)") == "(none)" else m["yes"], form
    )
    filled = re.sub(r"%(?P<width>-?\d*)\{(?P<tag>\w+)(?::\w+)?\}", tag, unescape(chosen))
    return filled.replace("%%", "%")


def _rpm(shell: Shell, argv: list[str], _: str | None) -> int:
    words = [re.sub(r"^--qf(?==|$)", "--queryformat", one) for one in argv]
    asked = read_options(words, "queryformat root dbpath", "q query a all i l f e erase U import quiet nosignature "
                         "nodigest last V verify version")  # fmt: skip
    if asked.has("version"):
        shell.stdout.append("RPM version 4.16.1.3\n")
        return 0
    if not asked.has("q", "query") or asked.has("i", "l", "f", "e", "erase", "U", "import", "last", "V", "verify"):
        raise UnsupportedLineError(" ".join(argv))
    form = asked.value("queryformat")
    packages = shell.packages.installed("rpm")
    if asked.has("a", "all"):
        chosen = [
            one for one in packages if not asked.words or any(fnmatch.fnmatchcase(one.name, w) for w in asked.words)
        ]
        _print(shell, chosen, form)
        return 0
    if not asked.words:
        return shell.complain("rpm: no arguments given for query")
    status = 0
    for word in asked.words:
        found = [one for one in packages if word in (one.name, rpm_fields(one)["NVR"], rpm_fields(one)["NVRA"])]
        _print(shell, found, form)
        if not found:
            shell.stdout.append(f"package {word} is not installed\n")
            status += 1
    return min(status, 255)


def _print(shell: Shell, packages: list[Package], form: str) -> None:
    for one in packages:
        shell.stdout.append(_formatted(form, one) if form else f"{rpm_fields(one)['NVRA']}\n")


RPM: dict[str, Program] = {"rpm": _rpm, "rpmquery": lambda shell, argv, _: _rpm(shell, [argv[0], "-q", *argv[1:]], _)}
