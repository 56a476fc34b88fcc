"""The local store of lists of packages: what an image contained is known when its nodes, or the image, are gone.

A list is in a file with the name of its SHA-256, and an image version in a small file that names the SHA-256 of its
list. A file that is damaged does not have its SHA-256 any more: it counts as missing. A store never makes a verb fail:
where its folder cannot be written, the lists are kept in memory.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from typing import TYPE_CHECKING

from batchimg_magics.core.base import files
from batchimg_magics.core.base.package_list import FILE_SUFFIX, MAX_BYTES, PackageList
from batchimg_magics.errors import SpecError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["PackageStore"]

_SHA256 = re.compile(r"[0-9a-f]{64}")
#: The end of the name of the file of an image version.
_VERSION_SUFFIX = ".version"


class PackageStore:
    """Lists of packages by their SHA-256, and the SHA-256 by image version.

    Parameters
    ----------
    folder
        Where the files are; it is created by the first write. None: everything is in memory.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._memory: dict[str, str] = {}

    def put(self, packages: PackageList, version: str = "") -> None:
        """Keep a list, and that an image version has it.

        Parameters
        ----------
        packages
            The list.
        version
            The resource id of the image version; empty: it is not known.
        """
        self._write(f"{packages.sha256}{FILE_SUFFIX}", packages.text)
        if version:
            self._write(_version_file(version), f"{packages.sha256}\n{version}\n")

    def get(self, sha256: str) -> PackageList | None:
        """Return the list with a SHA-256; None where it is not in the store, or is damaged."""
        if not _SHA256.fullmatch(sha256):
            return None
        with contextlib.suppress(SpecError):
            found = PackageList.parse(self._read(f"{sha256}{FILE_SUFFIX}"))
            if found.sha256 == sha256:
                return found
        return None

    def sha256_of(self, version: str) -> str:
        """Return the SHA-256 of the list of an image version; empty where it is not known."""
        sha256, _, named = self._read(_version_file(version)).partition("\n")
        return sha256 if _SHA256.fullmatch(sha256) and named.strip().lower() == version.lower() else ""

    def _write(self, name: str, text: str) -> None:
        if self._folder is not None:
            with contextlib.suppress(SpecError, OSError):
                files.make_private_folder(self._folder)
                files.write_file(self._folder / name, text, force=True, private=True)
                return
        self._memory[name] = text

    def _read(self, name: str) -> str:
        if name not in self._memory and self._folder is not None:
            with contextlib.suppress(SpecError, OSError):
                return files.read_file(self._folder / name, max_bytes=MAX_BYTES)
        return self._memory.get(name, "")


def _version_file(version: str) -> str:
    return f"{hashlib.sha256(version.lower().encode()).hexdigest()[:32]}{_VERSION_SUFFIX}"
