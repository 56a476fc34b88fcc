"""The list of the packages that an image has: a text with one line per package, and the changes between two lists.

A line has four fields with tabs between them: the package manager, the name, the version, and where the package comes
from, as far as the manager says it. The lines are sorted by their bytes (``LC_ALL=C sort -u``) and end with a line
feed, so that the same packages have the same SHA-256 on every node, and any tool can compare two lists.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.words import count_text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

__all__ = ["FILE_SUFFIX", "MAX_BYTES", "MAX_PACKAGES", "Package", "PackageChange", "PackageList", "changes"]

#: The end of the name of a file with a list.
FILE_SUFFIX = ".tsv"
#: The largest list that is read: an image with every package of Debian has about 5 MiB and 65,000 lines.
MAX_BYTES, MAX_PACKAGES, MAX_LINE = 16 * 1024 * 1024, 200_000, 4_096
_FIELDS = 4
_MANAGER = re.compile(r"[a-z][a-z0-9_-]{0,31}")
#: Control characters; the tab is between the fields.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True, order=True)
class Package:
    """One package of an image.

    Parameters
    ----------
    manager
        The package manager: ``dpkg``, ``rpm``, ``pip``, ``conda``, ``r``, ``windows``; ``os`` for the operating system.
    name, version
        As the package manager writes them; the version may be empty.
    source
        Repository, channel or folder, where the manager says it; otherwise empty.
    """

    manager: str
    name: str
    version: str
    source: str = ""

    @property
    def line(self) -> str:
        """Its line in the list, without the line feed."""
        return f"{self.manager}\t{self.name}\t{self.version}\t{self.source}"


@dataclass(frozen=True)
class PackageList:
    """The packages of an image, in the order of the list.

    Parameters
    ----------
    packages
        Sorted by the bytes of their lines, each once: `of` sorts them.
    """

    packages: tuple[Package, ...]

    @classmethod
    def of(cls, packages: Iterable[Package]) -> Self:
        """Return the list of some packages, in any order."""
        return cls(tuple(sorted(set(packages), key=lambda one: one.line.encode())))

    @classmethod
    def parse(cls, content: bytes | str, *, what: str = "the list of packages") -> Self:
        """Return the list that a file contains; lines in another order, and line breaks of Windows, are accepted.

        Parameters
        ----------
        content
            The content of the file.
        what
            What is read, for errors.

        Raises
        ------
        SpecError
            It is no list of packages, or it is too large.
        """
        data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
        if len(data) > MAX_BYTES:
            raise _refusal(what, f"it has more than {MAX_BYTES // 1024**2} MiB")
        try:
            lines = data.decode().split("\n")
        except UnicodeDecodeError as error:
            raise _refusal(what, f"byte {error.start} is not UTF-8") from error
        if lines.pop():
            raise _refusal(what, "its last line has no line feed: the end is missing")
        if len(lines) > MAX_PACKAGES:
            raise _refusal(what, f"it has more than {MAX_PACKAGES:,} lines")
        return cls.of(_parse_line(line.removesuffix("\r"), number, what) for number, line in enumerate(lines, 1))

    @cached_property
    def text(self) -> str:
        """The whole list as text."""
        return "".join(f"{one.line}\n" for one in self.packages)

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of the text, in hexadecimal digits."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def count(self) -> int:
        """The number of packages."""
        return len(self.packages)

    @property
    def managers(self) -> tuple[str, ...]:
        """The package managers that have packages in the list."""
        return tuple(sorted({one.manager for one in self.packages}))


def _parse_line(line: str, number: int, what: str) -> Package:
    fields = line.split("\t")
    if len(fields) != _FIELDS or len(line) > MAX_LINE:
        raise _refusal(what, f"line {number} does not have the four fields manager, name, version and source")
    manager, name, version, source = fields
    if not _MANAGER.fullmatch(manager) or not name:
        raise _refusal(what, f"line {number} has no {'name' if _MANAGER.fullmatch(manager) else 'package manager'}")
    if any(map(_CONTROL.search, fields)):
        raise _refusal(what, f"line {number} has control characters")
    return Package(manager, name, version, source)


def _refusal(what: str, why: str) -> SpecError:
    return SpecError(
        f"{what} cannot be read: {why}", hint="get the list of the image again: `%batchimg images --packages`"
    )


# -- two lists ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PackageChange:
    """A package that two images do not have in the same version.

    Parameters
    ----------
    manager, name
        The package.
    change
        ``added``, ``removed`` or ``changed``.
    old, new
        Its version in each image; several versions have commas between them. None: the image does not have it.
    """

    manager: str
    name: str
    change: str
    old: str | None
    new: str | None


def changes(old: PackageList, new: PackageList) -> list[PackageChange]:
    """Return the packages that differ between two lists, by manager and name.

    A manager can have several versions of a package, for example of a kernel, or in environments of conda: then all of
    them stand in the row. Where the versions are the same and their sources differ, the sources stand there, too.

    Parameters
    ----------
    old, new
        The two lists.
    """
    before, after = _versions(old), _versions(new)
    return [
        _change(key, before.get(key, frozenset()), after.get(key, frozenset()))
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]


_Entry = tuple[str, str]


def _versions(packages: PackageList) -> dict[tuple[str, str], frozenset[_Entry]]:
    """Return the versions and sources of each package."""
    found: dict[tuple[str, str], set[_Entry]] = defaultdict(set)
    for one in packages.packages:
        found[one.manager, one.name].add((one.version, one.source))
    return {key: frozenset(entries) for key, entries in found.items()}


def _change(key: tuple[str, str], old: frozenset[_Entry], new: frozenset[_Entry]) -> PackageChange:
    if not old or not new:
        return PackageChange(*key, "added" if new else "removed", _joined(old), _joined(new))
    same_versions = _joined(old) == _joined(new)
    return PackageChange(
        *key, "changed", *((_with_sources(one) if same_versions else _joined(one)) for one in (old, new))
    )


def _with_sources(entries: frozenset[_Entry]) -> str:
    return ", ".join(sorted(f"{version} ({source or 'no source'})" for version, source in entries))


def _joined(entries: frozenset[_Entry]) -> str | None:
    return ", ".join(sorted({version for version, _ in entries})) if entries else None


def changes_text(found: list[PackageChange]) -> str:
    """Return the numbers of changes as text: ``2 added, 1 removed, 3 changed``."""
    counts = {word: sum(one.change == word for one in found) for word in ("added", "removed", "changed")}
    return ", ".join(f"{count} {word}" for word, count in counts.items()) if found else count_text(0, "difference")
