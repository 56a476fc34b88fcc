"""The packages of operating systems, and what their repositories have at a time.

The lists are in ``data/packages``: some dozens of packages for each package manager, with names and versions as the
managers write them. A repository gets newer versions as time goes on, in a fixed course, so that the version of a
package at a time is computed.
"""

from __future__ import annotations

import functools
import hashlib
import re
from importlib import resources

import msgspec

from batchimg_magics.emulator.world.evidence import Evidence

evidence = Evidence("Packages of operating systems")
evidence.rule(
    "A VM has some dozens of packages for each package manager, and the repositories some dozens beside.",
    "real ones have hundreds; names and versions are of June 2025",
)
evidence.rule(
    "Two of three packages get a newer version every 20 to 119 days, by the last number of their version.",
    "the course of the repositories is not copied; it is the same in every state",
)
#: The time of the lists: 7 June 2025.
LISTED_AT = 1_749_254_400.0
_DAY_S = 86_400.0
#: The managers whose packages are listed with an epoch, a version and a release.
_EL_RELEASE = re.compile(r"\.el\d+(_\d+)?$")
_BEFORE_SUFFIX = re.compile(r"(\d+)(~\d\d\.\d\d)$")
_LAST_NUMBER = re.compile(r"(\d+)(\D*)$")


class Package(msgspec.Struct, frozen=True):
    """A package that is installed, or that a repository has.

    Parameters
    ----------
    manager
        ``dpkg``, ``rpm``, ``pip``, ``r``, ``windows``, or ``conda:`` and the name of an environment.
    name, version
        As the manager writes them: with ``:amd64`` where dpkg does, with the epoch for rpm. Some have no version.
    architecture, section
        The section of dpkg, the repository of rpm, the publisher of Windows, the build of conda.
    source
        The source package of dpkg, the channel of conda, the library of R, the registry key of Windows.
    status
        The first two letters of dpkg's status; on Windows ``64`` or ``32`` for the view of the registry.
    needs
        The names of other packages that are installed with it.
    """

    manager: str
    name: str
    version: str
    architecture: str = ""
    section: str = ""
    source: str = ""
    status: str = "ii"
    needs: tuple[str, ...] = ()


def _rows(name: str) -> list[str]:
    file = resources.files("batchimg_magics.emulator.catalog") / "data" / "packages" / f"{name}.txt"
    return [line for line in file.read_text("utf-8").splitlines() if line and not line.startswith("#")]


def _dpkg(words: list[str], status: str = "ii") -> Package:
    name, version, architecture, section = words[:4]
    source = words[4] if len(words) > 4 else name.partition(":")[0]
    return Package("dpkg", name, version, architecture, section, source, status)


def _rpm(words: list[str]) -> Package:
    name, epoch, version, release, architecture, repository = words
    return Package("rpm", name, f"{epoch}:{version}-{release}", architecture, repository)


def _windows(row: str) -> Package:
    view, key, publisher, version, shown = row.split(" ", 4)
    known = ["" if one == "-" else one for one in (shown, version, publisher.replace("_", " "))]
    return Package("windows", known[0], known[1], section=known[2], source=key.replace("_", " "), status=view)


def _added(row: str) -> Package:
    """Return a package of a list that has those of several managers."""
    manager, *words = row.split()
    if manager in ("dpkg", "removed", "hold"):
        return _dpkg(words, {"removed": "rc", "hold": "hi"}.get(manager, "ii"))
    if manager == "conda":
        environment, name, version, build, channel = words
        channel = "conda-forge" if channel == "conda_forge" else channel
        return Package(f"conda:{environment}", name, version, section=build, source=channel)
    return Package(manager, words[0], words[1], source=words[2] if len(words) > 2 else "")


@functools.cache
def base_packages(name: str) -> tuple[Package, ...]:
    """Return the packages of a list, e.g. ``ubuntu-24.04``, at `LISTED_AT`.

    Parameters
    ----------
    name
        The name of a file, or several with ``+`` between them.
    """
    if "+" in name:
        return tuple(one for part in name.split("+") for one in base_packages(part))
    if name.startswith("el"):
        return tuple(_rpm(row.replace("el9", name).split()) for row in _rows("el9"))
    if name == "windows":
        return tuple(_windows(row) for row in _rows(name))
    if name in ("researcher", "windows-pip"):
        return tuple(_added(row) for row in _rows(name))
    return tuple(_dpkg(row.split()) for row in _rows(name))


@functools.cache
def _available() -> dict[tuple[str, str], Package]:
    """Return what the repositories have at `LISTED_AT` beside the lists, by manager and name."""
    found = {}
    for row in _rows("available"):
        manager, name, version, *rest = row.split()
        if manager == "dpkg":
            one = Package(manager, name, version, rest[0], rest[1], name.partition(":")[0], needs=tuple(rest[2:]))
        elif manager == "rpm":
            one = Package(manager, name, version, rest[0], rest[1])
        elif manager == "conda":
            one = Package(manager, name, version, section=rest[0], source=rest[1])
        else:
            one = Package(manager, name, version, source=rest[0] if rest else "")
        found[manager, plain_name(manager, name)] = one
    return found


def plain_name(manager: str, name: str) -> str:
    """Return a name as a manager compares it: pip does not tell ``-``, ``_`` and ``.`` apart."""
    if manager == "pip":
        return re.sub(r"[-_.]+", "-", name).lower()
    return name.partition(":")[0] if manager == "dpkg" else name


def find_package(base: str, manager: str, name: str, at: float) -> Package | None:
    """Return the newest version of a package in the repositories at a time, or None.

    Parameters
    ----------
    base
        The list of the operating system, whose packages its repositories have as well.
    manager, name
        The manager, and a name as a user writes it.
    at
        Seconds since 1970.
    """
    kind = manager.partition(":")[0]
    wanted = plain_name(kind, name)
    found = _available().get((kind, wanted))
    if kind in ("dpkg", "rpm"):
        own = (one for one in base_packages(base) if one.manager == kind and plain_name(kind, one.name) == wanted)
        found = next((one for one in own if one.status != "rc" and one.section != "none"), found)
    if found is None:
        return None
    newer = newer_version(kind, wanted, found.version, at)
    return msgspec.structs.replace(found, manager=manager, version=newer, status="ii")


def newer_version(manager: str, name: str, version: str, at: float) -> str:
    """Return the version that a package of `LISTED_AT` has in the repositories at a time."""
    digest = int.from_bytes(hashlib.sha256(f"{manager}/{name}".encode()).digest()[:6], "big")
    if digest % 3 == 0:
        return version
    period = 20 + digest % 100
    count = int(((at - LISTED_AT) / _DAY_S + (digest >> 16) % period) // period)
    return version if count < 1 else _raised(manager, version, count)


def _raised(manager: str, version: str, count: int) -> str:
    if manager == "rpm" and (match := _EL_RELEASE.search(version)) is not None:
        return f"{version}{'' if match[1] else '_6'}.{count}"
    if (match := _BEFORE_SUFFIX.search(version)) is not None:
        return f"{version[: match.start()]}{int(match[1]) + count}{match[2]}"
    match = _LAST_NUMBER.search(version)
    if match is None:
        return f"{version}.{count}"
    return f"{version[: match.start()]}{int(match[1]) + count}{match[2]}"


def list_of_image(offer: str, sku: str, os_type: str) -> str:
    """Return the name of the list of a Marketplace image.

    Parameters
    ----------
    offer, sku
        Of the image; empty if they are not known.
    os_type
        ``Linux`` or ``Windows``.
    """
    words = f"{offer}/{sku}".lower()
    if os_type.lower() == "windows":
        return "windows+windows-pip"
    if any(
        one in words for one in ("alma", "rocky", "rhel", "centos", "oracle", "azure-linux", "azurelinux", "mariner")
    ):
        return "el8" if re.match(r"8(?:[-_.]|$)", sku) else "el9"
    if "debian" in words:
        return "debian-12"
    return "ubuntu-24.04" if "24" in words else "ubuntu-22.04"
