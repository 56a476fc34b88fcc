"""Node pages -> columns -> table, without a model a node.

`BatchClient.list_nodes` builds one object a node, and takes 25 times as long as reading the same bytes. Pages are
fetched raw here, on the account's own host, and decoded by msgspec.
"""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - msgspec reads the annotations
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from batchimg_magics.core.azure import BATCH_API_VERSION
from batchimg_magics.core.schemas import NODE_STATES, SCHEMAS
from batchimg_magics.core.tables import Table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batchimg_magics.core.azure import Azure

#: Source: Batch service, maxresults: "A maximum of 1000 Compute Nodes can be returned."
PAGE = 1000
READY = frozenset({"idle", "running"})
#: A node in one of these is on its way to another state by itself.
ON_ITS_WAY = frozenset(
    {"creating", "starting", "waitingforstarttask", "rebooting", "reimaging", "upgradingos", "unknown"}
)
#: Paid for and of no use.
BAD = frozenset({"unusable", "starttaskfailed"})
#: Not there any more, or not any longer: Azure counts preempted nodes as current all the same.
GONE = frozenset({"leavingpool", "preempted", "deallocating", "deallocated"})


class _Image(msgspec.Struct, rename="camel"):
    exact_version: str | None = None
    version: str | None = None
    virtual_machine_image_id: str | None = None


class _Machine(msgspec.Struct, rename="camel"):
    image_reference: _Image | None = None


class _Agent(msgspec.Struct, rename="camel"):
    version: str | None = None


class _StartTask(msgspec.Struct, rename="camel"):
    state: str | None = None
    exit_code: int | None = None


class _Error(msgspec.Struct):
    code: str = ""
    message: str = ""


class Node(msgspec.Struct, rename="camel"):
    """What of a node the tables show; the names are the service's."""

    id: str
    state: str
    is_dedicated: bool = True
    scheduling_state: str | None = None
    state_transition_time: dt.datetime | None = None
    allocation_time: dt.datetime | None = None
    last_boot_time: dt.datetime | None = None
    vm_size: str | None = None
    ip_address: str | None = None
    running_tasks_count: int | None = None
    start_task_info: _StartTask | None = None
    errors: list[_Error] | None = None
    virtual_machine_info: _Machine | None = None
    node_agent_info: _Agent | None = None


class _Page(msgspec.Struct):
    value: list[Node]
    next_link: str | None = msgspec.field(name="odata.nextLink", default=None)


_PAGES = msgspec.json.Decoder(_Page)
_SHOWN = ",".join(msgspec.structs.fields(Node)[i].encode_name for i in range(len(msgspec.structs.fields(Node))))
_STATES_ONLY = "id,state,isDedicated"


async def listed(azure: Azure, pool: str, *, states_only: bool = False) -> list[Node]:
    """Return a pool's nodes, in the service's order.

    Parameters
    ----------
    azure, pool
        Which.
    states_only
        Ask for id, state and kind alone.

    Raises
    ------
    NotFoundError
        There is no such pool.
    """
    found: list[Node] = []
    url: str | None = (
        f"/pools/{quote(pool, safe='')}/nodes?api-version={BATCH_API_VERSION}&maxresults={PAGE}"
        f"&$select={quote(_STATES_ONLY if states_only else _SHOWN)}"
    )
    while url:
        page = _PAGES.decode((await azure.get(url, plane="batch")).content)
        found.extend(page.value)
        url = page.next_link
    return found


@dataclass(frozen=True, slots=True)
class Census:
    """How many nodes of a pool are in which state.

    Parameters
    ----------
    by_state
        (state, whether dedicated) to count.
    """

    by_state: Counter[tuple[str, bool]]

    @classmethod
    def of(cls, nodes: Iterable[Node]) -> Census:
        """Count nodes."""
        return cls(Counter((node.state, node.is_dedicated) for node in nodes))

    def count(self, states: frozenset[str], *, dedicated: bool | None = None) -> int:
        """Return how many nodes, of one kind or of both, are in one of these states."""
        return sum(n for (state, kind), n in self.by_state.items() if state in states and dedicated in (None, kind))

    def live(self, *, dedicated: bool) -> int:
        """Return how many nodes of a kind there are that have not gone."""
        return sum(n for (state, kind), n in self.by_state.items() if state not in GONE and kind == dedicated)

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
    def on_their_way(self) -> int:
        """Nodes that will be in another state soon."""
        return self.count(ON_ITS_WAY)

    def __str__(self) -> str:
        return ", ".join(f"{count} {state}" for state, count in self.states().items()) or "no nodes"


async def census(azure: Azure, pool: str) -> Census:
    """Count a pool's nodes by state and kind, from the list of nodes: the service's own counts lag."""
    return Census.of(await listed(azure, pool, states_only=True))


async def table(azure: Azure, pool: str) -> Table:
    """Return a pool's nodes, one a row."""
    nodes = await listed(azure, pool)
    names = (column.name for column in SCHEMAS["nodes"])
    columns: dict[str, Any] = dict(zip(names, _columns(nodes), strict=True))
    return Table("nodes", columns, f"pool {pool}: {Census.of(nodes)}")


def _columns(nodes: list[Node]) -> list[list[Any]]:
    """Return one list a column, in the schema's order."""
    starts = [node.start_task_info or _StartTask() for node in nodes]
    images = [(node.virtual_machine_info and node.virtual_machine_info.image_reference) or _Image() for node in nodes]
    return [
        [node.id for node in nodes],
        [node.state for node in nodes],
        [node.scheduling_state for node in nodes],
        [node.state_transition_time for node in nodes],
        [node.allocation_time for node in nodes],
        [node.last_boot_time for node in nodes],
        [node.is_dedicated for node in nodes],
        [node.vm_size for node in nodes],
        [node.ip_address for node in nodes],
        [node.running_tasks_count for node in nodes],
        [start.state for start in starts],
        [start.exit_code for start in starts],
        ["; ".join(f"{one.code}: {one.message}" for one in node.errors) if node.errors else None for node in nodes],
        [_version(image) for image in images],
        [node.node_agent_info.version if node.node_agent_info else None for node in nodes],
    ]


def _version(image: _Image) -> str | None:
    if image.virtual_machine_image_id:
        return image.virtual_machine_image_id.rpartition("/")[2]
    return image.exact_version or image.version


async def counts_table(azure: Azure, pool: str) -> Table:
    """Return how many nodes of each kind are in each state, one state a row; states without nodes are left out."""
    seen = await census(azure, pool)
    states = {state for state, _ in seen.by_state}
    rows = [
        {"state": state, "dedicated": seen.by_state[state, True], "spot": seen.by_state[state, False]}
        for state in (*NODE_STATES, *sorted(states - set(NODE_STATES)))
        if state in states
    ]
    return Table.of("node counts", rows, f"pool {pool}: {seen}")
