"""From the start task, the mounts and the user accounts of a REST document to the fields of a spec."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.pool_spec.document_part import NOT_SHOWN, integer, without_empty
from batchimg_magics.pool_spec.package_task import SCRIPT_VARIABLE, has_package_list, user_command

if TYPE_CHECKING:
    from collections.abc import Container

    from batchimg_magics.pool_spec.document_part import DocumentPart

__all__ = ["read_mounts", "read_start_task", "read_users"]


def read_users(rows: list[DocumentPart]) -> list[dict[str, Any]]:
    """Return the user accounts whose password the document refers to; the others are named."""
    return [user for row in rows if (user := _user(row))]


def _user(row: DocumentPart) -> dict[str, Any]:
    name, password = row.take("name"), row.take_secret("password")
    linux, windows = row.part("linuxUserConfiguration"), row.part("windowsUserConfiguration")
    mode = str(windows.take("loginMode") or "").lower()
    if password is None:
        row.omit(f"password ({NOT_SHOWN}): the user {name}")
        row.discard()
        return {}
    return without_empty(
        {
            "name": name,
            "password": password,
            "elevation": str(row.take("elevationLevel") or "nonadmin").lower(),
            "uid": integer(linux.take("uid")),
            "gid": integer(linux.take("gid")),
            "ssh_private_key": linux.take_secret("sshPrivateKey"),
            "login_mode": mode,
        }
    )


def read_start_task(task: DocumentPart, users: Container[str]) -> tuple[dict[str, Any] | None, bool]:
    """Return the start task, None for none, and whether it provides the list of packages.

    Parameters
    ----------
    task
        The start task of the document.
    users
        Names of the user accounts that are kept.
    """
    if not task:
        return None, False
    identity = task.part("userIdentity")
    automatic = identity.part("autoUser")
    user, elevation = identity.take("userName", "username"), automatic.take("elevationLevel")
    if str(scope := automatic.take("scope") or "pool").lower() != "pool":
        automatic.omit(f"scope {scope}")
    if user is not None and user not in users:
        identity.omit(f"username {user}, because the user account is not kept")
        user = None
    environment = {row.take("name"): str(row.take("value") or "") for row in task.rows("environmentSettings")}
    line = str(task.take("commandLine") or "")
    command = user_command(line)
    environment.pop(SCRIPT_VARIABLE, None)
    files = [_resource_file(row) for row in task.rows("resourceFiles")]
    retries, waits = integer(task.take("maxTaskRetryCount")), task.take("waitForSuccess")
    if command is None:
        return None, True
    found = without_empty(
        {
            "command_line": command,
            "user": user,
            "elevation": None if user else str(elevation or "nonadmin").lower(),
            "environment": environment,
            "resource_files": files,
            "retries": retries,
            "wait_for_success": waits,
        }
    )
    return found, has_package_list(line)


def _resource_file(file: DocumentPart) -> dict[str, Any]:
    return without_empty(
        {
            "url": file.take("httpUrl"),
            "container_url": file.take("storageContainerUrl"),
            "container": file.take("autoStorageContainerName"),
            "path": file.take("filePath"),
            "prefix": file.take("blobPrefix"),
            "mode": file.take("fileMode"),
            "identity": file.part("identityReference").take("resourceId"),
        }
    )


def read_mounts(rows: list[DocumentPart]) -> list[dict[str, Any]]:
    """Return the mounts whose credentials the document refers to; the others are named."""
    return [mount for row in rows for mount in (_blob(row), _files(row), _nfs(row), _cifs(row)) if mount]


def _blob(row: DocumentPart) -> dict[str, Any]:
    inner = row.part("azureBlobFileSystemConfiguration")
    if not inner:
        return {}
    mount = {
        "type": "blob",
        "account": inner.take("accountName"),
        "container": inner.take("containerName"),
        "path": inner.take("relativeMountPath"),
        "options": inner.take("blobfuseOptions"),
        "key": inner.take_secret("accountKey"),
        "sas": inner.take_secret("sasKey"),
        "identity": inner.part("identityReference").take("resourceId"),
    }
    return _with_credential(inner, mount, ("key", "sas", "identity"))


def _files(row: DocumentPart) -> dict[str, Any]:
    inner = row.part("azureFileShareConfiguration")
    if not inner:
        return {}
    mount = {
        "type": "files",
        "account": inner.take("accountName"),
        "url": inner.take("azureFileUrl"),
        "path": inner.take("relativeMountPath"),
        "options": inner.take("mountOptions"),
        "key": inner.take_secret("accountKey"),
    }
    return _with_credential(inner, mount, ("key",))


def _nfs(row: DocumentPart) -> dict[str, Any]:
    inner = row.part("nfsMountConfiguration")
    if not inner:
        return {}
    mount = {"type": "nfs", "source": inner.take("source"), "path": inner.take("relativeMountPath")}
    return without_empty({**mount, "options": inner.take("mountOptions")})


def _cifs(row: DocumentPart) -> dict[str, Any]:
    inner = row.part("cifsMountConfiguration")
    if not inner:
        return {}
    mount = {
        "type": "cifs",
        "source": inner.take("source"),
        "user": inner.take("userName", "username"),
        "path": inner.take("relativeMountPath"),
        "options": inner.take("mountOptions"),
        "password": inner.take_secret("password"),
    }
    return _with_credential(inner, mount, ("password",))


def _with_credential(inner: DocumentPart, mount: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Return a mount if it has a credential; otherwise name it."""
    if any(mount[name] for name in names):
        return without_empty(mount)
    inner.omit(f"{names[0]} ({NOT_SHOWN}): the mount {mount['path']}")
    return {}
