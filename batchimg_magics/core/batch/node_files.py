"""The files of a node, which its node agent serves: list them, and read their end as text.

Source: Batch service, files of a compute node; ``ocp-range`` reads a part of a file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from batchimg_magics.core.azure import api_versions
from batchimg_magics.core.azure.documents import dig, parse_time
from batchimg_magics.masking import make_visible, mask_tokens

if TYPE_CHECKING:
    import datetime as dt

    from batchimg_magics.core.azure.client import Azure

#: Files that are listed of a node, at most: the directories of its tasks can have very many.
MAX_LISTED = 5_000
#: The bytes that continue a character of UTF-8.
_CONTINUATION = range(0x80, 0xC0)
_MAX_CONTINUATION = 3
_LINE_BREAKS = re.compile(r"\r\n?|[\v\f\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class NodeFile:
    """A file of a node.

    Parameters
    ----------
    path
        Its name with slashes, relative to the root directory of the node; Windows nodes have backslashes.
    size_bytes
        Its size; None where Azure does not tell it.
    modified
        When it was last written.
    """

    path: str
    size_bytes: int | None
    modified: dt.datetime | None


async def list_files(azure: Azure, pool: str, node_id: str, prefix: str = "") -> list[NodeFile]:
    """Return the files of a node, without directories, in the service's order; at most `MAX_LISTED`.

    Parameters
    ----------
    azure, pool, node_id
        The connection, the name of the pool and the id of the node.
    prefix
        Only files whose name starts with this text, which has no slash.

    Raises
    ------
    ServiceError
        The node is not there, or it cannot serve its files in its state.
    """
    condition = quote(f"startswith(name,'{prefix}')")
    url: str | None = f"{_url(pool, node_id)}?api-version={api_versions.BATCH}&recursive=true"
    url = f"{url}&$filter={condition}" if prefix else url
    found: list[NodeFile] = []
    while url and len(found) < MAX_LISTED:
        page = (await azure.get(url, plane="batch")).json()
        for one in page.get("value") or []:
            if not one.get("isDirectory"):
                size = dig(one, "properties", "contentLength")
                modified = parse_time(dig(one, "properties", "lastModified"))
                path = str(one["name"]).replace("\\", "/")
                found.append(NodeFile(path, None if size is None else int(size), modified))
        url = page.get("odata.nextLink")
    return found[:MAX_LISTED]


async def read_end(azure: Azure, pool: str, node_id: str, file: NodeFile, max_bytes: int) -> str:
    """Return the end of a file as text, at most so many bytes of it.

    A cut character or line at the beginning is left out. See `as_text`.

    Raises
    ------
    ServiceError
        The node or the file is not there any more, or the node cannot serve its files in its state.
    """
    if file.size_bytes == 0:
        return ""
    size = file.size_bytes if file.size_bytes is not None else max_bytes
    # An even place, since UTF-16 has two bytes a character. The range is given always: the file may be growing.
    first = max(0, size - max_bytes + 1) // 2 * 2
    url = f"{_url(pool, node_id)}/{quote(file.path, safe='')}?api-version={api_versions.BATCH}"
    answer = await azure.send("GET", url, plane="batch", headers={"ocp-range": f"bytes={first}-{size - 1}"})
    content = answer.content[-max_bytes:]
    if not first:
        return as_text(content)
    text = as_text(_without_cut_character(content))
    return text.partition("\n")[2] or text


async def read_content(azure: Azure, pool: str, node_id: str, path: str, max_bytes: int) -> bytes:
    """Return the content of a file as it is, the beginning of it where it is larger than so many bytes.

    Raises
    ------
    NotFoundError
        The node or the file does not exist.
    ServiceError
        The node cannot serve its files in its state.
    """
    url = f"{_url(pool, node_id)}/{quote(path, safe='')}?api-version={api_versions.BATCH}"
    answer = await azure.send("GET", url, plane="batch", headers={"ocp-range": f"bytes=0-{max_bytes - 1}"})
    content: bytes = answer.content
    return content[:max_bytes]


def _url(pool: str, node_id: str) -> str:
    return f"/pools/{quote(pool, safe='')}/nodes/{quote(node_id, safe='')}/files"


def _without_cut_character(content: bytes) -> bytes:
    cut = 0
    while cut < min(_MAX_CONTINUATION, len(content)) and content[cut] in _CONTINUATION:
        cut += 1
    return content[cut:]


def as_text(content: bytes) -> str:
    r"""Return the content of a log as text that can be displayed.

    Bytes that are not UTF-8 (or UTF-16) are written as ``\xff``, control and format characters as ``\x1b`` or
    ``\u202e``. All line breaks become a line feed: that of a progress bar too, which overwrites its line in a
    terminal. Shared access signatures are masked.
    """
    text = _LINE_BREAKS.sub("\n", content.decode(_encoding(content), "backslashreplace"))
    return mask_tokens(make_visible(text))


def _encoding(content: bytes) -> str:
    """Return the encoding: UTF-16 has a byte order mark, or a zero in half of the bytes of Latin text."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    zeros = content[1::2].count(0)
    return "utf-16-le" if zeros and zeros > len(content) // 4 and not content[::2].count(0) else "utf-8-sig"
