"""The files of a Windows VM, and the cmdlets that read, write and copy them."""

from __future__ import annotations

import fnmatch
import hashlib
import ntpath
from typing import Any

from batchimg_magics.emulator.compute.guest.scripts import UnsupportedLineError
from batchimg_magics.emulator.compute.guest.system import GuestChange

_FOLDERS = ("c:", "c:\\", "c:\\programdata", "c:\\windows", "c:\\windows\\temp", "c:\\users", "c:\\program files")
Value = Any


def as_list(value: Value) -> list[Value]:
    """Return the objects that a value is in a pipeline."""
    return [] if value is None else value if isinstance(value, list) else [value]


class FileCommands:
    """The files of a script that runs.

    Parameters
    ----------
    files
        Path -> text.
    """

    def __init__(self, files: dict[str, str]) -> None:
        self.files = {path.lower(): (path, text) for path, text in files.items()}
        self.changes: list[GuestChange] = []
        self.errors: list[str] = []

    def text(self, value: Value) -> str:
        """Return a value as a text."""
        raise NotImplementedError

    def file_method(self, name: str, values: list[Value]) -> Value:
        """Return the result of a static method of ``System.IO.File``."""
        if name == "writealltext":
            return self.write(values[0], self.text(values[1]))
        if name == "writealllines":
            return self.write(values[0], "".join(f"{self.text(one)}\r\n" for one in as_list(values[1])))
        if name == "writeallbytes" and isinstance(values[1], bytes):
            return self.write(values[0], values[1].decode("utf-8", "replace"))
        if name == "exists":
            return values[0].lower() in self.files
        if name in ("readalltext", "copy"):
            text = self.read(values[0])
            return text if name == "readalltext" else self.write(values[1], text or "")
        raise UnsupportedLineError(f"[IO.File]::{name}")

    def is_folder(self, path: str) -> bool:
        """Tell whether a folder exists."""
        path = path.lower().rstrip("\\") or path.lower()
        return path in _FOLDERS or any(one.startswith(f"{path}\\") for one in self.files)

    def write(self, path: str, text: str) -> None:
        """Write a file whose folder exists."""
        full = path.replace("/", "\\")
        if not self.is_folder(ntpath.dirname(full)):
            self.errors.append(f"Could not find a part of the path '{full}'.")
            return
        self.files[full.lower()] = (full, text)
        self.changes.append(GuestChange(0.0, {"files": {full: text}}))

    def read(self, path: str) -> str | None:
        """Return the text of a file; None, and an error, without it."""
        found = self.files.get(path.replace("/", "\\").lower())
        if found is None:
            self.errors.append(f"Cannot find path '{path}' because it does not exist.")
        return None if found is None else found[1]

    @staticmethod
    def path_of(plain: list[Value], named: dict[str, Value]) -> str:
        """Return the path in the arguments of a cmdlet."""
        return str(
            named.get("literalpath") or named.get("path") or named.get("filepath") or (plain[0] if plain else "")
        )

    def _do_get_filehash(self, plain: list[Value], named: dict[str, Value], _: list[Value]) -> Value:
        path = self.path_of(plain, named)
        text = self.read(path)
        if text is None or str(named.get("algorithm", "sha256")).lower() != "sha256":
            return None
        return {"Algorithm": "SHA256", "Hash": hashlib.sha256(text.encode()).hexdigest().upper(), "Path": path}

    def _do_set_content(self, plain: list[Value], named: dict[str, Value], given: list[Value]) -> Value:
        values = as_list(named["value"] if "value" in named else plain[1] if len(plain) > 1 else given)
        end = "" if "nonewline" in named else "\r\n"
        encoding = str(named.get("encoding", "ascii")).lower()
        mark = "\ufeff" if encoding == "utf8" else ""
        self.write(self.path_of(plain, named), mark + "".join(f"{self.text(one)}{end}" for one in values))

    def _do_out_file(self, plain: list[Value], named: dict[str, Value], given: list[Value]) -> Value:
        if str(named.get("encoding", "")).lower() not in ("utf8", "ascii"):
            raise UnsupportedLineError("Out-File in UTF-16")
        self._do_set_content(plain, named, given)

    def _do_get_content(self, plain: list[Value], named: dict[str, Value], _: list[Value]) -> Value:
        text = self.read(self.path_of(plain, named))
        return text if text is None or "raw" in named else text.removeprefix("\ufeff").splitlines()

    def _do_copy_item(self, plain: list[Value], named: dict[str, Value], _: list[Value]) -> Value:
        source, target = self.path_of(plain, named), str(named.get("destination") or plain[-1])
        text = self.read(source)
        if text is not None:
            self.write(f"{target}\\{ntpath.basename(source)}" if self.is_folder(target) else target, text)

    def _do_move_item(self, plain: list[Value], named: dict[str, Value], given: list[Value]) -> Value:
        target = str(named.get("destination") or plain[-1])
        if target.lower() in self.files and "force" not in named:
            self.errors.append("Move-Item : Cannot create a file when that file already exists.")
            return
        self._do_copy_item(plain, named, given)
        self._do_remove_item(plain, {}, given)

    def _do_test_path(self, plain: list[Value], named: dict[str, Value], _: list[Value]) -> Value:
        path = self.path_of(plain, named).replace("/", "\\").lower()
        return (
            path in self.files
            or self.is_folder(path)
            or any(fnmatch.fnmatchcase(one, path) for one in self.files if "*" in path)
        )

    def _do_new_item(self, plain: list[Value], named: dict[str, Value], _: list[Value]) -> Value:
        path = self.path_of(plain, named).replace("/", "\\").rstrip("\\")
        if str(named.get("itemtype", "directory")).lower() in ("directory", "d"):
            self.files[f"{path.lower()}\\"] = (f"{path}\\", "")
            self.changes.append(GuestChange(0.0, {"files": {f"{path}\\": ""}}))
        else:
            self.write(path, "")

    def _do_remove_item(self, plain: list[Value], named: dict[str, Value], _: list[Value]) -> Value:
        path = self.path_of(plain, named).replace("/", "\\").lower()
        for key in [one for one in self.files if one == path or ("recurse" in named and one.startswith(f"{path}\\"))]:
            self.changes.append(GuestChange(0.0, {"files": {self.files.pop(key)[0]: None}}))

    def _do_join_path(self, plain: list[Value], named: dict[str, Value], _: list[Value]) -> Value:
        return "\\".join(
            [self.path_of(plain, named).rstrip("\\"), str(named.get("childpath") or plain[-1]).strip("\\")]
        )

    def _do_split_path(self, plain: list[Value], named: dict[str, Value], _: list[Value]) -> Value:
        return ntpath.dirname(self.path_of(plain, named))
