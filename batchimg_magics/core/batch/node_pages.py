"""Read a pool's nodes from pages of JSON into columns, without an SDK model per node.

`BatchClient.list_nodes` builds one object of dictionaries per node, and takes many times as long as reading the same
bytes. Here pages are requested raw, with `$select` for what is shown. A page is converted before the next one is
requested, so that at most one page of 100,000 nodes is in memory twice.
"""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - msgspec reads the annotations when it decodes
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import quote

import msgspec

from batchimg_magics.core.azure import api_versions, pages
from batchimg_magics.core.base.table import TimeColumn, concatenate
from batchimg_magics.core.batch.vm_size_names import canonical_size

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from batchimg_magics.core.azure.client import Azure

#: Source: Batch service, maxresults: "A maximum of 1000 Compute Nodes can be returned."
PAGE_SIZE = 1000


class _Struct(msgspec.Struct, rename="camel", gc=False):
    """A structure without reference cycles: without garbage collection, decoding is twice as fast."""


class _Image(_Struct):
    exact_version: str | None = None
    version: str | None = None
    virtual_machine_image_id: str | None = None


class _Machine(_Struct):
    image_reference: _Image | None = None


class _Agent(_Struct):
    version: str | None = None


class _StartTask(_Struct):
    state: str | None = None
    exit_code: int | None = None


class _Error(_Struct):
    code: str = ""
    message: str = ""


class NodeStatus(_Struct):
    """The fields of a node that are needed to count it."""

    id: str
    state: str
    is_dedicated: bool = True


class NodeAllocation(NodeStatus):
    """The fields of a node that are needed to compute its cost."""

    allocation_time: dt.datetime | None = None


class Node(NodeStatus):
    """The fields of a node that tables show; the names are the service's."""

    scheduling_state: str | None = None
    state_transition_time: str | None = None
    allocation_time: str | None = None
    last_boot_time: str | None = None
    vm_size: str | None = None
    ip_address: str | None = None
    running_tasks_count: int | None = None
    start_task_info: _StartTask | None = None
    errors: list[_Error] | None = None
    virtual_machine_info: _Machine | None = None
    node_agent_info: _Agent | None = None


N = TypeVar("N", bound=NodeStatus)


class _Page(msgspec.Struct, Generic[N]):
    value: list[N]
    next_link: str | None = msgspec.field(name="odata.nextLink", default=None)


class _Reader(Generic[N]):
    """The decoder and the ``$select`` of pages of one kind."""

    def __init__(self, kind: type[N]) -> None:
        self.decode = msgspec.json.Decoder(_Page[kind]).decode  # type: ignore[valid-type] # a type from a variable
        self.members = ",".join(field.encode_name for field in msgspec.structs.fields(kind))


_READERS: dict[type[NodeStatus], _Reader[Any]] = {kind: _Reader(kind) for kind in (NodeStatus, NodeAllocation, Node)}


_NODE = msgspec.json.Decoder(Node)


def decode_node(content: bytes) -> Node:
    """Return one node from its JSON document."""
    return _NODE.decode(content)


async def read_pages(azure: Azure, pool: str, kind: type[N]) -> AsyncIterator[list[N]]:
    """Yield a pool's nodes page by page, in the service's order.

    Parameters
    ----------
    azure, pool
        The connection, and the name of the pool.
    kind
        `NodeStatus` for states, `NodeAllocation` also for allocation times, `Node` for all. Only its fields are read.

    Raises
    ------
    NotFoundError
        The pool does not exist.
    """
    reader: _Reader[N] = _READERS[kind]
    address = f"/pools/{quote(pool, safe='')}/nodes?api-version={api_versions.BATCH}&maxresults={PAGE_SIZE}"
    url = f"{address}&$select={quote(reader.members)}"
    async for nodes in pages.read_pages(azure, url, reader.decode, plane="batch"):
        yield nodes


async def read_ready_nodes(azure: Azure, pool: str, most: int) -> list[NodeStatus]:
    """Return some nodes of a pool that can run tasks or run some, by one request, whatever the size of the pool.

    Parameters
    ----------
    azure, pool
        The connection, and the name of the pool.
    most
        The most nodes.
    """
    reader = _READERS[NodeStatus]
    ready = quote("state eq 'idle' or state eq 'running'")
    query = f"maxresults={most}&$filter={ready}&$select={quote(reader.members)}"
    url = f"/pools/{quote(pool, safe='')}/nodes?api-version={api_versions.BATCH}&{query}"
    async for found in pages.read_pages(azure, url, reader.decode, plane="batch"):
        if found:
            return list(found[:most])
    return []


async def read_columns(azure: Azure, pool: str, *, states_only: bool = False) -> dict[str, Sequence[Any]]:
    """Return the columns of the table of a pool's nodes, in the schema's order.

    Parameters
    ----------
    azure, pool
        The connection, and the name of the pool.
    states_only
        Read ``node_id``, ``state`` and ``dedicated`` only.

    Raises
    ------
    NotFoundError
        The pool does not exist.
    """
    if states_only:
        return await _read_stacked(azure, pool, NodeStatus, _status_columns)
    return await _read_stacked(azure, pool, Node, _node_columns)


async def _read_stacked(
    azure: Azure, pool: str, kind: type[N], to_columns: Callable[[list[N], _TextCache], dict[str, Sequence[Any]]]
) -> dict[str, Sequence[Any]]:
    once = _TextCache()
    parts = [to_columns(nodes, once) async for nodes in read_pages(azure, pool, kind)]
    return {name: concatenate(part[name] for part in parts) for name in parts[0]}


class _TextCache:
    """Keeps one of equal texts: 100,000 nodes have few different states and VM sizes, but each has its own text."""

    def __init__(self) -> None:
        self._known: dict[str | None, str | None] = {}

    def __call__(self, texts: list[Any]) -> list[Any]:
        """Return the same texts with equal ones as one object."""
        known = self._known.setdefault
        if texts.count(texts[0] if texts else None) == len(texts):  # all are equal
            return [known(text, text) for text in texts[:1]] * len(texts)
        return list(map(known, texts, texts))


_NO_START, _NO_MACHINE, _NO_IMAGE, _NO_AGENT = _StartTask(), _Machine(), _Image(), _Agent()


def _status_columns(nodes: list[NodeStatus], once: _TextCache) -> dict[str, Sequence[Any]]:
    return {
        "node_id": [node.id for node in nodes],
        "state": once([node.state for node in nodes]),
        "dedicated": [node.is_dedicated for node in nodes],
    }


def _node_columns(nodes: list[Node], once: _TextCache) -> dict[str, Sequence[Any]]:
    """Return the columns of nodes; times are texts of the service."""
    starts = [node.start_task_info or _NO_START for node in nodes]
    machines = [node.virtual_machine_info or _NO_MACHINE for node in nodes]
    images = [machine.image_reference or _NO_IMAGE for machine in machines]
    agents = [node.node_agent_info or _NO_AGENT for node in nodes]
    return {
        "node_id": [node.id for node in nodes],
        "state": once([node.state for node in nodes]),
        "scheduling": once([node.scheduling_state for node in nodes]),
        "state_since": TimeColumn([node.state_transition_time for node in nodes]),
        "allocated": TimeColumn([node.allocation_time for node in nodes]),
        "booted": TimeColumn([node.last_boot_time for node in nodes]),
        "dedicated": [node.is_dedicated for node in nodes],
        "vm_size": once([node.vm_size and canonical_size(node.vm_size) for node in nodes]),
        "ip": [node.ip_address for node in nodes],
        "running_tasks": [node.running_tasks_count for node in nodes],
        "start_task": once([start.state for start in starts]),
        "exit_code": [start.exit_code for start in starts],
        "errors": once(["; ".join(f"{e.code}: {e.message}" for e in n.errors) if n.errors else None for n in nodes]),
        "image_version": _last_names(
            [image.virtual_machine_image_id or image.exact_version or image.version for image in images]
        ),
        "agent_version": once([agent.version for agent in agents]),
    }


def _last_names(references: list[str | None]) -> list[str | None]:
    """Return the last name of each resource id; nodes have few different images."""
    names = {one: one and one.rpartition("/")[2] for one in set(references)}
    return list(map(names.__getitem__, references))
