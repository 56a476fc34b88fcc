"""The files that a task gets before it runs, and those that are uploaded after it, over HTTP.

Source: Batch OpenAPI (ResourceFile, OutputFile), and the REST API of Blob Storage.
"""

from __future__ import annotations

import glob
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit, urlunsplit
from xml.etree import ElementTree  # noqa: ICN001 - lists of a storage account that the user names

from batchimg_magics.emulator.batch.execution.folders import inside

if TYPE_CHECKING:
    from collections.abc import Iterator

_TIMEOUT_S = 60.0
_BLOB_VERSION = "2021-12-02"
_CONDITIONS = {"tasksuccess": (True,), "taskfailure": (False,), "taskcompletion": (True, False)}


class TransferError(Exception):
    """A file could not be downloaded or uploaded.

    Parameters
    ----------
    code
        The code in the failure information of the task.
    what
        What it was about, without a signature.
    """

    def __init__(self, code: str, what: str) -> None:
        super().__init__(what)
        self.code = code


def download(files: list[dict[str, Any]], folder: Path) -> None:
    """Download the resource files of a task into its working directory.

    Raises
    ------
    TransferError
        A file could not be downloaded.
    """
    for file in files:
        try:
            for url, path in _sources(file):
                target = inside(folder, path)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(_request("GET", url))
                target.chmod(int(str(file.get("fileMode") or "0770"), 8))
        except (OSError, ValueError, ElementTree.ParseError) as error:
            raise TransferError("BlobDownloadMiscError", f"{_plain(file)}: {_reason(error)}") from error


def _sources(file: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the URL and the path of each file of a resource file."""
    if url := file.get("httpUrl"):
        yield str(url), str(file.get("filePath") or Path(urlsplit(str(url)).path).name)
    elif container := file.get("storageContainerUrl"):
        prefix, below = str(file.get("blobPrefix") or ""), str(file.get("filePath") or "")
        for name in _blobs(str(container), prefix):
            yield _blob_url(str(container), name), f"{below}/{name}".lstrip("/")
    else:
        raise ValueError("the emulator has no auto-storage account")


def _blobs(container: str, prefix: str) -> Iterator[str]:
    marker = ""
    while True:
        query = {"restype": "container", "comp": "list", "prefix": prefix, **({"marker": marker} if marker else {})}
        found = ElementTree.fromstring(_request("GET", _with_query(container, query)))  # noqa: S314 - as above
        yield from (str(one.text) for one in found.iterfind("./Blobs/Blob/Name"))
        marker = found.findtext("NextMarker") or ""
        if not marker:
            return


def upload(files: list[dict[str, Any]], folder: Path, *, succeeded: bool) -> None:
    """Upload the output files of a task whose working directory is a folder.

    Raises
    ------
    TransferError
        A file could not be uploaded.
    """
    for file in files:
        condition = str((file.get("uploadOptions") or {}).get("uploadCondition", "taskcompletion")).lower()
        if succeeded not in _CONDITIONS.get(condition, ()):
            continue
        target = (file.get("destination") or {}).get("container") or {}
        url, path = str(target.get("containerUrl") or ""), str(target.get("path") or "")
        pattern = str(file.get("filePattern") or "")
        try:
            for source, name in _matching(folder, pattern):
                is_one = not glob.has_magic(pattern)
                blob = path if is_one and path else f"{path}/{name}".lstrip("/")
                headers = {"x-ms-blob-type": "BlockBlob"}
                _request("PUT", _blob_url(url, blob), source.read_bytes(), headers)
        except (OSError, ValueError) as error:
            raise TransferError("FileUploadMiscError", f"{pattern}: {_reason(error)}") from error


def _matching(folder: Path, pattern: str) -> Iterator[tuple[Path, str]]:
    """Yield the files that match a pattern, which may lead to the directory of the task, and their names."""
    top = folder.parent.resolve()
    # Path.glob takes no pattern that leads out of the folder, as "../std*.txt" does.
    for found in sorted(glob.glob(pattern, root_dir=folder, recursive=True)):  # noqa: PTH207 - as above
        path = (folder / found).resolve()
        if path.is_file() and path.is_relative_to(top):
            yield path, str(path.relative_to(folder.resolve() if path.is_relative_to(folder.resolve()) else top))


def _request(method: str, url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> bytes:
    if urlsplit(url).scheme not in ("http", "https"):
        raise ValueError("the URL is not one of http or https")
    versions = {"x-ms-version": _BLOB_VERSION, **(headers or {})}
    request = urllib.request.Request(url, body, versions, method=method)  # noqa: S310 - the scheme was checked
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - as above
        content: bytes = answer.read()
        return content


def _with_query(url: str, more: dict[str, str]) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query="&".join(one for one in (parts.query, urlencode(more)) if one)))


def _blob_url(container: str, name: str) -> str:
    parts = urlsplit(container)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{quote(name)}"))


def _plain(file: dict[str, Any]) -> str:
    return str(file.get("httpUrl") or file.get("storageContainerUrl") or "a resource file").partition("?")[0]


def _reason(error: Exception) -> str:
    """Return why a transfer failed, without the signature that a URL may have."""
    if isinstance(error, urllib.error.HTTPError):
        return f"{error.code} {error.reason}"
    return re.sub(r"\?\S+", "?...", str(error))
