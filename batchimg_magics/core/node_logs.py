"""What a node's start task said last: the end of its stdout and stderr, where they can be had."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from batchimg_magics.core.azure.client import BATCH_API_VERSION
from batchimg_magics.core.batch import nodes as node_pages
from batchimg_magics.errors import ServiceError

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure

#: Source: Batch documents, files of a node: a start task's are under startup/.
_FILES = ("stderr", "stdout")
#: Characters that are shown of each: the end says what went wrong.
TAIL = 200


async def tail(azure: Azure, pool: str, node_id: str) -> str:
    """Return the ends of what a node's start task wrote; nothing where it has written nothing, or cannot be asked.

    An unusable node often does not answer: that is no error of this.
    """
    said = []
    for name in _FILES:
        path = quote(f"startup/{name}.txt", safe="")
        url = f"/pools/{quote(pool, safe='')}/nodes/{quote(node_id, safe='')}/files/{path}"
        try:
            answer = await azure.get(f"{url}?api-version={BATCH_API_VERSION}", plane="batch")
        except ServiceError:
            continue
        text = " ".join(answer.text().split())
        if text:
            said.append(f"{name}: {'…' if len(text) > TAIL else ''}{text[-TAIL:]}")
    return f"node {node_id[-10:]} {'; '.join(said)}" if said else ""


async def of_bad(azure: Azure, pool: str) -> str:
    """Return what the first node said that is of no use: many fail alike."""
    listed = await node_pages.listed(azure, pool, states_only=True)
    failed = next((node.id for node in listed if node.state in node_pages.BAD), None)
    return await tail(azure, pool, failed) if failed else ""
