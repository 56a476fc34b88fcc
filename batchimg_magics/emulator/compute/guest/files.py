"""The files of a VM: those that scripts wrote, and the folders of every system.

Only what was written is stored. A folder is a path with ``/`` at its end.
"""

from __future__ import annotations

import posixpath

#: The folders of every Linux system.
_FOLDERS = frozenset(
    {
        "/", "/bin", "/boot", "/dev", "/etc", "/etc/apt", "/etc/apt/sources.list.d", "/etc/profile.d", "/home",
        "/lib", "/lib64", "/media", "/mnt", "/opt", "/proc", "/root", "/run", "/sbin", "/srv", "/sys", "/tmp",  # noqa: S108 - of the VM
        "/usr", "/usr/bin", "/usr/lib", "/usr/local", "/usr/local/bin", "/usr/local/etc", "/usr/local/lib",
        "/usr/local/sbin", "/usr/local/share", "/usr/sbin", "/usr/share", "/usr/src", "/var", "/var/cache",
        "/var/lib", "/var/log", "/var/opt", "/var/run", "/var/spool", "/usr/local/src", "/var/lib/cloud",
        "/var/tmp", "/dev/shm",  # noqa: S108 - of the VM
    }
)  # fmt: skip
#: What is not on the OS disk, or is deleted when a VM starts.
_VOLATILE = ("/tmp/", "/run/", "/var/run/", "/dev/", "/proc/", "/sys/", "/mnt/")  # noqa: S108 - of the VM


class GuestFiles:
    """The files of a VM.

    Parameters
    ----------
    texts
        Path -> text of the files that were written; a path that ends with ``/`` is a folder.
    folders
        Folders that exist beside.
    """

    def __init__(self, texts: dict[str, str] | None = None, folders: frozenset[str] = _FOLDERS) -> None:
        self.texts = dict(texts or {})
        self._folders = folders

    def read(self, path: str) -> str | None:
        """Return the text of a file, None if it was not written."""
        return self.texts.get(path)

    def is_folder(self, path: str) -> bool:
        """Tell whether a folder exists."""
        path = path.rstrip("/") or "/"
        return path in self._folders or any(one.startswith(f"{path}/") for one in self.texts)

    def below(self, folder: str) -> list[str]:
        """Return the paths of the files and folders below a folder, at any depth."""
        top = folder.rstrip("/") + "/"
        found = {path for path in self._folders if path.startswith(top) and path != "/"}
        for path in (one for one in self.texts if one.startswith(top)):
            found.add(path.rstrip("/"))
            while (path := posixpath.dirname(path.rstrip("/"))).startswith(top):
                found.add(path)
        return sorted(found - {folder.rstrip("/")})


def is_kept(path: str) -> bool:
    """Tell whether a file stays on the OS disk after a restart."""
    return not f"{path}/".startswith(_VOLATILE)
