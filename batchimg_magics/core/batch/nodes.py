"""The nodes of pools: read them, count them by state, read their start task's output."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from batchimg_magics.core.azure import api_versions
from batchimg_magics.core.azure.documents import document
from batchimg_magics.core.batch import node_pages
from batchimg_magics.core.batch.node_pages import Node, NodeStatus
from batchimg_magics.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batchimg_magics.core.azure.client import Azure

READY = frozenset({"idle", "running"})
#: States that a node leaves by itself.
TRANSITIONAL = frozenset(
    {"creating", "starting", "waitingforstarttask", "rebooting", "reimaging", "upgradingos", "unknown"}
)
#: States in which a node is billed and cannot run tasks.
BAD = frozenset({"unusable", "starttaskfailed"})
#: States of nodes that are gone or leaving. Azure still counts preempted nodes in the current count.
LEAVING = frozenset({"leavingpool", "preempted", "deallocating", "deallocated"})
#: The text of a census without nodes.
NO_NODES = "no nodes"


async def read_nodes(azure: Azure, pool: str, *, states_only: bool = False) -> list[NodeStatus]:
    """Return a pool's nodes, in the service's order.

    Parameters
    ----------
    azure, pool
        The connection, and the name of the pool.
    states_only
        Read id, state and kind only; otherwise each is a `Node`.

    Raises
    ------
    NotFoundError
        The pool does not exist.
    """
    kind = NodeStatus if states_only else Node
    return [node async for page in node_pages.read_pages(azure, pool, kind) for node in page]


async def read_node(azure: Azure, pool: str, node_id: str) -> Node | None:
    """Return one node; None where it is not in the pool."""
    url = f"/pools/{quote(pool, safe='')}/nodes/{quote(node_id, safe='')}?api-version={api_versions.BATCH}"
    answer = await azure.call_or_none(azure.get(url, plane="batch"))
    return None if answer is None else node_pages.decode_node(answer.content)


async def read_login_endpoint(azure: Azure, pool: str, node_id: str) -> tuple[str, int]:
    """Return the public address and port of a node for SSH or RDP.

    Raises
    ------
    ConflictError
        The pool has no endpoint for remote login.
    NotFoundError
        The node is not in the pool.
    """
    client = await azure.batch()
    found = document(await azure.call(client.get_node_remote_login_settings(pool, node_id)))
    return str(found["remoteLoginIPAddress"]), int(found["remoteLoginPort"])


def errors_text(node: Node) -> str:
    """Return the errors of a node as text; empty where it has none."""
    return "; ".join(f"{error.code}: {error.message}" for error in node.errors or ())


def find_node_ids(known: Iterable[str], word: str) -> list[str]:
    """Return the ids of nodes that a word means, in any case: the id itself, or a part of it.

    Parameters
    ----------
    known
        The ids of the nodes of a pool.
    word
        An id; a part of it; or its beginning and its end with an ellipsis between them, as tables shorten ids.
    """
    ids, wanted = list(known), word.lower().replace("...", "\N{HORIZONTAL ELLIPSIS}")
    if exact := [one for one in ids if one.lower() == wanted]:
        return exact
    head, gap, tail = wanted.partition("\N{HORIZONTAL ELLIPSIS}")
    if gap:
        return [one for one in ids if one.lower().startswith(head) and one.lower().endswith(tail)]
    return [one for one in ids if wanted in one.lower()]


@dataclass(frozen=True, slots=True)
class Census:
    """The number of nodes of a pool by state.

    Parameters
    ----------
    by_state
        (state, whether dedicated) to count.
    at
        The time of the count, in seconds of the service's time.
    """

    by_state: Counter[tuple[str, bool]]
    at: float = field(default=float("-inf"), compare=False)

    @classmethod
    def from_nodes(cls, nodes: Iterable[NodeStatus]) -> Census:
        """Count nodes."""
        return cls(Counter((node.state, node.is_dedicated) for node in nodes))

    def __add__(self, other: Census) -> Census:
        return Census(self.by_state + other.by_state)

    def count(self, states: frozenset[str], *, dedicated: bool | None = None) -> int:
        """Return the number of nodes in one of these states, of one kind or of both."""
        return sum(n for (state, kind), n in self.by_state.items() if state in states and dedicated in (None, kind))

    def live(self, *, dedicated: bool) -> int:
        """Return the number of nodes of a kind that are not gone or leaving."""
        return sum(n for (state, kind), n in self.by_state.items() if state not in LEAVING and kind == dedicated)

    def held(self, *, dedicated: bool) -> int:
        """Return the nodes of a kind that count for the target: live ones, and preempted ones that Azure restores."""
        return self.live(dedicated=dedicated) + self.count(frozenset({"preempted"}), dedicated=dedicated)

    def states(self) -> dict[str, int]:
        """Return the number of nodes of both kinds by state."""
        both: Counter[str] = Counter()
        for (state, _), count in self.by_state.items():
            both[state] += count
        return dict(both.most_common())

    @property
    def ready(self) -> int:
        """The number of nodes that can run tasks or run some."""
        return self.count(READY)

    @property
    def bad(self) -> int:
        """The number of nodes that are billed and cannot run tasks."""
        return self.count(BAD)

    @property
    def transitional(self) -> int:
        """The number of nodes that are about to change their state."""
        return self.count(TRANSITIONAL)

    def __str__(self) -> str:
        return ", ".join(f"{count} {state}" for state, count in self.states().items()) or NO_NODES


async def count_nodes(azure: Azure, pool: str) -> Census:
    """Count a pool's nodes by state and kind from the list of nodes: the service's own counts are late."""
    counts: Counter[tuple[str, bool]] = Counter()
    async for page in node_pages.read_pages(azure, pool, NodeStatus):
        counts.update((node.state, node.is_dedicated) for node in page)
    return Census(counts, azure.now())


#: Files of a start task, below ``startup/``. Source: Batch documents, files of a node.
_FILES = ("stderr", "stdout")


#: Characters that are shown of the end of each file.
TAIL_LINES = 200


async def read_log_tail(azure: Azure, pool: str, node_id: str, known: str = "") -> str:
    """Return what is known of a node, and the end of its start task output; empty where there is none of both.

    An unusable node often does not respond: that raises no error.
    """
    parts = [known] if known else []
    for name in _FILES:
        path = quote(f"startup/{name}.txt", safe="")
        url = f"/pools/{quote(pool, safe='')}/nodes/{quote(node_id, safe='')}/files/{path}"
        try:
            answer = await azure.get(f"{url}?api-version={api_versions.BATCH}", plane="batch")
        except ServiceError:
            continue
        text = " ".join(answer.text().split())
        if text:
            parts.append(f"{name}: {'…' if len(text) > TAIL_LINES else ''}{text[-TAIL_LINES:]}")
    return f"node {node_id[-10:]} {'; '.join(parts)}" if parts else ""


async def read_failed_node_log(azure: Azure, pool: str) -> str:
    """Return what the start task of the first node that is unusable, or whose start task failed, left."""
    nodes = await read_nodes(azure, pool, states_only=True)
    if (failed := next((node for node in nodes if node.state in BAD), None)) is None:
        return ""
    return await read_log_tail(azure, pool, failed.id, await _exit_code_text(azure, pool, failed))


async def _exit_code_text(azure: Azure, pool: str, node: NodeStatus) -> str:
    if node.state != "starttaskfailed":
        return ""
    try:
        found = await read_node(azure, pool, node.id)
    except ServiceError:
        return ""
    start = found.start_task_info if found is not None else None
    return "" if start is None or start.exit_code is None else f"exit code {start.exit_code}"
