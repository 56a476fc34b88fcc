"""The nodes of pools by their states: what counts, and how many there are."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from batchimg_magics.core.azure import api_versions
from batchimg_magics.core.batch import node_pages
from batchimg_magics.core.batch.node_pages import Node, NodeStatus
from batchimg_magics.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batchimg_magics.core.azure.client import Azure

READY = frozenset({"idle", "running"})
#: A node in one of these is on its way to another state by itself.
TRANSITIONAL = frozenset(
    {"creating", "starting", "waitingforstarttask", "rebooting", "reimaging", "upgradingos", "unknown"}
)
#: Paid for and of no use.
BAD = frozenset({"unusable", "starttaskfailed"})
#: Not there any more, or not any longer: Azure counts preempted nodes as current all the same.
LEAVING = frozenset({"leavingpool", "preempted", "deallocating", "deallocated"})


async def read_nodes(azure: Azure, pool: str, *, states_only: bool = False) -> list[NodeStatus]:
    """Return a pool's nodes, in the service's order.

    Parameters
    ----------
    azure, pool
        Which.
    states_only
        Ask for id, state and kind alone; otherwise each is a `Node`.

    Raises
    ------
    NotFoundError
        There is no such pool.
    """
    kind = NodeStatus if states_only else Node
    return [node async for page in node_pages.read_pages(azure, pool, kind) for node in page]


@dataclass(frozen=True, slots=True)
class Census:
    """How many nodes of a pool are in which state.

    Parameters
    ----------
    by_state
        (state, whether dedicated) to count.
    at
        When they were counted, in seconds of the service's time.
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
        """Return how many nodes, of one kind or of both, are in one of these states."""
        return sum(n for (state, kind), n in self.by_state.items() if state in states and dedicated in (None, kind))

    def live(self, *, dedicated: bool) -> int:
        """Return how many nodes of a kind there are that have not gone."""
        return sum(n for (state, kind), n in self.by_state.items() if state not in LEAVING and kind == dedicated)

    def held(self, *, dedicated: bool) -> int:
        """Return how many nodes of a kind Azure holds for the target: live ones, and preempted ones it brings back."""
        return self.live(dedicated=dedicated) + self.count(frozenset({"preempted"}), dedicated=dedicated)

    def states(self) -> dict[str, int]:
        """Return how many nodes of both kinds are in each state."""
        both: Counter[str] = Counter()
        for (state, _), count in self.by_state.items():
            both[state] += count
        return dict(both.most_common())

    @property
    def ready(self) -> int:
        """Nodes that take or do work."""
        return self.count(READY)

    @property
    def bad(self) -> int:
        """Nodes that are paid for and of no use."""
        return self.count(BAD)

    @property
    def transitional(self) -> int:
        """Nodes that will be in another state soon."""
        return self.count(TRANSITIONAL)

    def __str__(self) -> str:
        return ", ".join(f"{count} {state}" for state, count in self.states().items()) or "no nodes"


async def count_nodes(azure: Azure, pool: str) -> Census:
    """Count a pool's nodes by state and kind, from the list of nodes: the service's own counts lag."""
    counts: Counter[tuple[str, bool]] = Counter()
    async for page in node_pages.read_pages(azure, pool, NodeStatus):
        counts.update((node.state, node.is_dedicated) for node in page)
    return Census(counts, azure.now())


#: Source: Batch documents, files of a node: a start task's are under startup/.
_FILES = ("stderr", "stdout")


#: Characters that are shown of each: the end says what went wrong.
TAIL_LINES = 200


async def read_log_tail(azure: Azure, pool: str, node_id: str) -> str:
    """Return the ends of what a node's start task wrote; nothing where it has written nothing, or cannot be asked.

    An unusable node often does not answer: that is no error of this.
    """
    parts = []
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
    """Return what the first node said that is of no use: many fail alike."""
    nodes = await read_nodes(azure, pool, states_only=True)
    failed = next((node.id for node in nodes if node.state in BAD), None)
    return await read_log_tail(azure, pool, failed) if failed else ""
