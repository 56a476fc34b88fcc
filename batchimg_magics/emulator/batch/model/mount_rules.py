"""The rules for the file systems that nodes of a pool mount.

Source: the texts of Microsoft's OpenAPI (2024-02-01.19.0), and "Mount a virtual file system on a Batch pool".
"""

from __future__ import annotations

import re
from typing import Any

from batchimg_magics.emulator.batch.rest.body_checks import first_repeated
from batchimg_magics.emulator.batch.rest.errors import bad_property, missing_property
from batchimg_magics.emulator.world.evidence import Evidence

evidence = Evidence("Mounted file systems of pools")
evidence.rule(
    "NFS and CIFS mounts of Windows nodes are refused, and mount paths that occur twice or are not relative.",
    "the documents list what Windows supports; no recording shows the refusals",
)
_KINDS = (
    "azureBlobFileSystemConfiguration",
    "nfsMountConfiguration",
    "cifsMountConfiguration",
    "azureFileShareConfiguration",
)
_KEYS = ("accountKey", "sasKey", "identityReference")
#: Windows does not mount blobs, but Batch takes such a pool: azure-batch's own tests create one.
_ON_WINDOWS = ("azureFileShareConfiguration", "azureBlobFileSystemConfiguration")


def check_mounts(rows: list[dict[str, Any]], *, need_keys: bool) -> None:
    """Refuse mounts that are not of exactly one kind, or have no credential.

    Parameters
    ----------
    rows
        The mounts of a request.
    need_keys
        Whether a storage account needs a key. In open mode it does not: recordings do not show any.
    """
    for row in rows:
        given = [kind for kind in _KINDS if kind in row]
        if len(given) != 1:
            raise bad_property("mountConfiguration", None, f"Exactly one of {', '.join(_KINDS)} must be specified")
        mount = row[given[0]]
        keys = [key for key in _KEYS if key in mount]
        if given[0] == _KINDS[0] and (len(keys) > 1 or (need_keys and not keys)):
            raise bad_property(given[0], None, f"Exactly one of {', '.join(_KEYS)} must be specified")
        _check_path(mount["relativeMountPath"])
    paths = (one["relativeMountPath"] for row in rows for one in row.values())
    if (twice := first_repeated(paths)) is not None:
        raise bad_property("relativeMountPath", twice, "Each mount must have a path of its own")


def _check_path(path: str) -> None:
    if not path:
        raise missing_property("relativeMountPath")
    if path.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", path):
        raise bad_property("relativeMountPath", path, "The path must be relative to the mounts directory of the node")


def check_mount_systems(rows: list[dict[str, Any]], *, windows: bool) -> None:
    """Refuse file systems that nodes with Windows cannot mount."""
    for row in rows if windows else ():
        strange = next((kind for kind in row if kind not in _ON_WINDOWS), None)
        if strange is not None:
            raise bad_property(strange, None, "It is not supported on Windows nodes")
