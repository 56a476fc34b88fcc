"""`logs`: the output of the start task of nodes, and other files of nodes, as text.

Batch serves the files of a node as long as its node agent answers: standard output and standard error of the start
task, the logs of mounts, the files of tasks. The logs of the node agent itself are not among them: Batch uploads them
to a storage container for the support of Azure.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.base import concurrency
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.batch import node_files, nodes, pools
from batchimg_magics.core.batch.node_pages import Node
from batchimg_magics.errors import NotFoundError, ServiceError
from batchimg_magics.pool_spec.package_task import without_package_list
from batchimg_magics.pool_spec.values import suggest_name
from batchimg_magics.pool_spec.words import count_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.batch.node_files import NodeFile
    from batchimg_magics.core.batch.node_pages import NodeStatus

__all__ = ["DEFAULT_BYTES", "DEFAULT_NODES", "ONE_NODE_BYTES", "LogQuery", "find_node", "read_logs", "size_text"]

#: Bytes that are read of the end of each file: of several nodes, and of one node.
DEFAULT_BYTES, ONE_NODE_BYTES = 64 * 1024, 1024 * 1024
#: Nodes whose files are read, by default.
DEFAULT_NODES = 10
#: Nodes that are read at the same time.
AT_ONCE = 8
#: Seconds after which a node that does not answer is given up.
NODE_TIMEOUT_S = 90.0
#: The output of a start task; the error output first. Source: Batch documents, files and directories.
_OUTPUTS = ("startup/stderr.txt", "startup/stdout.txt")
#: The nodes to read first: those that failed.
_FIRST = ("starttaskfailed", "unusable")
#: No connection, or not signed in; and the state of the node.
_STATUSES_OF_CONNECTION, _CONFLICT = (0, 401), 409


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which files to read, and how much of them.

    Parameters
    ----------
    pool
        Name of the pool.
    node
        The id of a node, or a part of it that only one node has; None: the nodes that failed, otherwise the first ones.
    files
        Names of files, or patterns (``workitems/*stderr.txt``); empty: the output of the start task, and mount logs.
    lines
        The last lines of each file only; None: all that are read.
    max_bytes
        The bytes to read of the end of each file; None: 1 MiB for one node, otherwise 64 KiB.
    max_nodes
        The nodes to read; None: those that failed, at most 10, or 10 nodes if none failed.
    list_only
        Whether the files are listed without their text.
    """

    pool: str
    node: str | None = None
    files: tuple[str, ...] = ()
    lines: int | None = None
    max_bytes: int | None = None
    max_nodes: int | None = None
    list_only: bool = False

    @property
    def bytes_per_file(self) -> int:
        """The bytes to read of the end of each file."""
        return self.max_bytes or (DEFAULT_BYTES if self.node is None else ONE_NODE_BYTES)


async def read_logs(azure: Azure, query: LogQuery) -> Table:
    """Return the ends of files of nodes, one row per file; a node whose files cannot be read has a row with the reason.

    Raises
    ------
    NotFoundError
        There is no such pool, or no such node.
    """
    pool = await pools.require(azure, query.pool)
    found = await nodes.read_nodes(azure, str(pool["name"]))
    chosen = [find_node(found, query.node, query.pool)] if query.node else _choose(found, query.max_nodes)
    rows = await concurrency.gather(*(_read_node(azure, pool, one, query) for one in chosen), limit=AT_ONCE)
    return Table.from_rows("logs", [row for of_node in rows for row in of_node], _caption(pool, found, chosen))


def find_node(found: Sequence[NodeStatus], wanted: str, pool: str) -> NodeStatus:
    """Return the node with an id, or the only one whose id has this part.

    Raises
    ------
    NotFoundError
        No node has it, or several have.
    """
    ids = set(nodes.find_node_ids((one.id for one in found), wanted))
    matching = [one for one in found if one.id in ids]
    if len(matching) == 1:
        return matching[0]
    if matching:
        some = ", ".join(one.id for one in matching[:3])
        raise NotFoundError(
            f"{len(matching)} nodes of pool {pool!r} match {wanted!r}", hint=f"specify more of the ID: {some}"
        )
    known = [one.id for one in found]
    hint = suggest_name(wanted, known) if known else "the pool has no nodes"
    raise NotFoundError(
        f"there is no node {wanted!r} in pool {pool!r}",
        hint=hint or f"`%batchimg nodes {pool}` lists the nodes; a node that left has no files any more",
    )


def _choose(found: Sequence[NodeStatus], limit: int | None) -> list[NodeStatus]:
    """Return the nodes to read, those that failed first."""
    ranks = {state: rank for rank, state in enumerate(_FIRST)}
    ordered = sorted(found, key=lambda one: ranks.get(one.state, len(ranks)))
    failed = [one for one in ordered if one.state in ranks]
    return ordered[:limit] if limit is not None else (failed or ordered)[:DEFAULT_NODES]


async def _read_node(azure: Azure, pool: Json, node: NodeStatus, query: LogQuery) -> list[dict[str, Any]]:
    """Return the rows of one node."""
    start = node.start_task_info if isinstance(node, Node) else None
    common = {"node_id": node.id, "state": node.state, "exit_code": start.exit_code if start else None}
    try:
        async with asyncio.timeout(NODE_TIMEOUT_S):
            files = await _find_files(azure, pool, node.id, query)
            parts = [await _read_file(azure, str(pool["name"]), node.id, one, query) for one in files]
    except TimeoutError:
        return [common | {"error": f"the node did not answer within {NODE_TIMEOUT_S:.0f} s"}]
    except ServiceError as error:
        if error.status_code in _STATUSES_OF_CONNECTION:
            raise
        return [common | {"error": _reason(error, node)}]
    return [common | part for part in parts] or [common | {"error": _no_files_text(pool, query)}]


async def _find_files(azure: Azure, pool: Json, node_id: str, query: LogQuery) -> list[NodeFile]:
    name = str(pool["name"])
    if query.files or query.list_only:
        listed = await node_files.list_files(azure, name, node_id)
        return [one for one in listed if not query.files or any(_matches(one.path, word) for word in query.files)]
    found = []
    if without_package_list(dig(pool, "properties", "startTask")):
        # Without its working directory, where a start task may write very many files: names on Windows have another
        # separator, and a filter accepts the beginning of a name only.
        for separator in ("/", "\\"):
            found = await node_files.list_files(azure, name, node_id, f"startup{separator}std")
            if found:
                break
        found = [one for output in _OUTPUTS for one in found if one.path == output]
    if dig(pool, "properties", "mountConfiguration"):
        mounts = await node_files.list_files(azure, name, node_id, "fsmounts")
        # A mounted file system is below the same directory.
        found += [one for one in mounts if one.path.endswith(".log") and one.path.count("/") == 1]
    return found


def _matches(path: str, word: str) -> bool:
    """Return whether a file has a name, or a name with this pattern; ``stdout.txt`` is that of the start task."""
    wanted = word.replace("\\", "/").lower()
    return fnmatchcase(path.lower(), wanted) or path.lower() == f"startup/{wanted}"


async def _read_file(azure: Azure, pool: str, node_id: str, file: NodeFile, query: LogQuery) -> dict[str, Any]:
    """Return the part of a row that is about a file."""
    row: dict[str, Any] = {"file": file.path, "size_bytes": file.size_bytes, "modified": file.modified}
    if query.list_only:
        return row
    try:
        text = await node_files.read_end(azure, pool, node_id, file, query.bytes_per_file)
    except NotFoundError as error:
        return row | {"error": error.message}
    cut = file.size_bytes is not None and file.size_bytes > query.bytes_per_file
    shown = f"last {size_text(query.bytes_per_file)} of {size_text(file.size_bytes or 0)}" if cut else "all"
    if query.lines is not None:
        lines = text.splitlines()
        if len(lines) > query.lines:
            whole = size_text(file.size_bytes or 0) if cut else f"{len(lines)}"
            shown = f"last {count_text(query.lines, 'line')} of {whole}"
            text = "\n".join(lines[len(lines) - query.lines :])
    return row | {"text": text, "shown": shown}


def size_text(count: int) -> str:
    """Return a number of bytes as text, e.g. ``64 KiB``."""
    if count < 1024:
        return count_text(count, "byte")
    number, unit = (count / 1024, "KiB") if count < 1024**2 else (count / 1024**2, "MiB")
    return f"{number:.1f}".removesuffix(".0") + f" {unit}"


def _reason(error: ServiceError, node: NodeStatus) -> str:
    """Return why a node's files cannot be read."""
    if error.code in ("NodeNotFound", "PoolNotFound"):
        return "the node is not in the pool any more: its files are gone"
    if error.status_code != _CONFLICT:
        return f"its files could not be read: {error.message}"
    problems = "; ".join(f"{one.code}: {one.message}" for one in node.errors or []) if isinstance(node, Node) else ""
    return f"the node is {node.state} and cannot serve its files ({error.message}){f'; {problems}' if problems else ''}"


def _no_files_text(pool: Json, query: LogQuery) -> str:
    if query.files:
        return f"no file matches {', '.join(query.files)}; --list shows the files"
    if not without_package_list(dig(pool, "properties", "startTask")):
        return "the pool has no start task, so there is no output of one; --list shows the files of the node"
    return "the start task has not written anything yet"


def _caption(pool: Json, found: Sequence[NodeStatus], chosen: Sequence[NodeStatus]) -> str:
    failed = sum(1 for one in found if one.state in _FIRST)
    which = f"node {chosen[0].id}" if len(chosen) == 1 else f"{len(chosen)} of {count_text(len(found), 'node')}"
    text = f"logs of pool {pool['name']}: {which}"
    return f"{text}; {failed} failed" if failed else text
