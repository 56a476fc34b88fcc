"""The packages that are installed on a disk: a list of the operating system, and the changes since then.

A disk has the name of the list, when each manager upgraded everything for the last time, and the packages that were
installed or removed one by one; so a disk that was never changed stores a name.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.catalog.package_lists import (
    LISTED_AT,
    Package,
    base_packages,
    find_package,
    newer_version,
    plain_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

#: rpm packages of which several versions can be installed.
_SEVERAL = frozenset({"kernel", "gpg-pubkey"})


#: Where conda is installed.
CONDA_PREFIX = "/opt/conda"


def conda_prefix(environment: str) -> str:
    """Return the folder of an environment of conda."""
    return CONDA_PREFIX if environment == "base" else f"{CONDA_PREFIX}/envs/{environment}"


class PackageSet:
    """The packages of a VM.

    Parameters
    ----------
    base
        The name of a list, e.g. ``ubuntu-24.04+researcher``.
    upgraded
        Manager -> when it upgraded everything.
    changed
        Manager -> name -> version, or None if the package was removed.
    broken
        The managers that fail; a scenario adds others to `failing`.
    """

    def __init__(
        self,
        base: str = "ubuntu-22.04",
        upgraded: dict[str, float] | None = None,
        changed: dict[str, dict[str, str | None]] | None = None,
        broken: Iterable[str] = (),
    ) -> None:
        self.base = base
        self.upgraded = dict(upgraded or {})
        self.changed = {name: dict(values) for name, values in (changed or {}).items()}
        self.broken = frozenset(broken)
        self.failing = self.broken

    @classmethod
    def of_facts(cls, facts: dict[str, Any], base: str) -> PackageSet:
        """Return the packages of the hidden facts of a disk; `base` if they do not name a list."""
        return cls(
            str(facts.get("base") or base), facts.get("upgraded"), facts.get("changed"), facts.get("broken") or ()
        )

    def facts(self) -> dict[str, Any]:
        """Return what a disk stores."""
        beside = {"upgraded": self.upgraded, "changed": self.changed, "broken": sorted(self.broken)}
        return {"base": self.base, **{name: value for name, value in beside.items() if value}}

    # -- what is installed ---------------------------------------------------------------------------------------

    def installed(self, manager: str) -> list[Package]:
        """Return the packages of a manager, those with an entry that is left after a removal included."""
        changed = self.changed.get(manager, {})
        kind = manager.partition(":")[0]
        at = self.upgraded.get(manager, LISTED_AT)
        if not changed and at <= LISTED_AT:
            return list(_listed(self.base).get(manager, ()))
        found, seen = [], set()
        for one in _listed(self.base).get(manager, ()):
            name = plain_name(kind, one.name)
            seen.add(name)
            if name in changed and name not in _SEVERAL:
                found += self._changed(one, changed[name])
            else:
                found.append(one if one.status != "ii" else self._at(one, kind, at))
        for name, version in changed.items():
            if version is not None and (name not in seen or name in _SEVERAL):
                known = find_package(self.base, manager, name, at) or Package(manager, name, version)
                found.append(msgspec.structs.replace(known, version=version))
        return sorted(found, key=_order)

    @staticmethod
    def _changed(one: Package, version: str | None) -> list[Package]:
        if version is None:
            return []
        known = msgspec.structs.replace(one, version=version)
        return [msgspec.structs.replace(known, status="ii") if one.status == "rc" else known]

    @staticmethod
    def _at(one: Package, kind: str, at: float) -> Package:
        if at <= LISTED_AT or one.name in _SEVERAL:
            return one
        name = plain_name(kind, one.name)
        return msgspec.structs.replace(one, version=newer_version(kind, name, one.version, at))

    def find(self, manager: str, name: str) -> Package | None:
        """Return an installed package by a name as a user writes it."""
        kind = manager.partition(":")[0]
        wanted = plain_name(kind, name)
        if not self.changed.get(manager) and self.upgraded.get(manager, LISTED_AT) <= LISTED_AT:
            return _listed_by_name(self.base, manager).get(wanted)
        found = (one for one in self.installed(manager) if plain_name(kind, one.name) == wanted)
        return next((one for one in found if one.status != "rc"), None)

    def has(self, manager: str, name: str) -> bool:
        """Tell whether a package is installed."""
        return self.find(manager, name) is not None

    def environments(self) -> list[str]:
        """Return the names of the conda environments, ``base`` first; none without conda."""
        found = {one for one in (*_listed(self.base), *self.changed) if one.startswith("conda:")}
        return sorted((one.partition(":")[2] for one in found), key=lambda one: (one != "base", one))

    @property
    def family(self) -> str:
        """The manager of the operating system: ``dpkg``, ``rpm`` or ``windows``."""
        if self.base.startswith("el"):
            return "rpm"
        return "windows" if self.base.startswith("windows") else "dpkg"

    # -- changes -------------------------------------------------------------------------------------------------

    def available(self, manager: str, name: str, at: float) -> Package | None:
        """Return the newest version of a package in the repositories at a time, or None."""
        return find_package(self.base, manager, name, at)

    def newer(self, manager: str, at: float) -> list[tuple[Package, Package]]:
        """Return the packages with a newer version in the repositories: (installed, newest) pairs."""
        found = []
        for one in self.installed(manager):
            newest = self.available(manager, one.name, at) if one.status == "ii" and one.name not in _SEVERAL else None
            if newest is not None and newest.version != one.version:
                found.append((one, newest))
        return found

    def put(self, manager: str, name: str, version: str | None) -> None:
        """Install a version of a package, or remove it."""
        kind = manager.partition(":")[0]
        known = next((one.name for one in self.installed(manager) if plain_name(kind, one.name) == name), name)
        self.changed.setdefault(manager, {})[plain_name(kind, known)] = version

    def upgrade(self, manager: str, at: float) -> None:
        """Upgrade every package of a manager that is not held."""
        changed = self.changed.get(manager, {})
        for one, newest in self.newer(manager, at):
            if plain_name(manager, one.name) in changed:
                changed[plain_name(manager, one.name)] = newest.version
        self.upgraded[manager] = at


def _order(one: Package) -> tuple[str, str]:
    return one.name.lower(), one.version


# A script asks for the same few lists many times, and most disks were never changed.
@functools.cache
def _listed(base: str) -> dict[str, tuple[Package, ...]]:
    """Return the packages of a list by manager, each sorted by name."""
    found: dict[str, list[Package]] = {}
    for one in base_packages(base):
        found.setdefault(one.manager, []).append(one)
    return {manager: tuple(sorted(packages, key=_order)) for manager, packages in found.items()}


@functools.cache
def _listed_by_name(base: str, manager: str) -> dict[str, Package]:
    """Return the packages of a list that are installed, by the name that the manager compares."""
    kind = manager.partition(":")[0]
    found: dict[str, Package] = {}
    for one in _listed(base).get(manager, ()):
        if one.status != "rc":
            found.setdefault(plain_name(kind, one.name), one)
    return found
