"""Watch one pool: read it again and again, less often while nothing changes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from batchimg_magics.core.batch import nodes, pools
from batchimg_magics.core.batch.nodes import Census
from batchimg_magics.core.scaling import rounds
from batchimg_magics.errors import NotFoundError, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.base.table import Table
    from batchimg_magics.core.batch.node_pages import NodeStatus
    from batchimg_magics.core.batch.pools import PoolState

#: Seconds of the service's time between two reads: while a pool changes, when it is steady, and while no view is
#: visible. While it is steady the pause doubles with each read that finds the same, up to HIDDEN_S.
BUSY_S, STEADY_S, HIDDEN_S = 5.0, 30.0, 120.0
#: How many of a pool's last rounds, and of its last node counts, are read.
ROUNDS, SAMPLES = 8, 600
#: The longest pause after reads that failed; it doubles with each.
MAX_PAUSE_S = 300.0
#: A limit of the doublings, so that the number stays within the range of a float.
MOST_DOUBLINGS = 10


@dataclass(frozen=True, slots=True)
class PoolSnapshot:
    """A pool at one moment.

    Parameters
    ----------
    at
        When, in seconds of the service's time.
    pool
        The pool; None: it does not exist any more.
    nodes
        Its nodes: id, state and kind.
    rounds
        Its last rounds, and those of earlier pools of its name; None where there is no pool.
    samples
        Its last node counts: (seconds since 1970, number of nodes by state).
    problem
        Why the pool could not be read; pool and nodes are then those of the last read that succeeded.
    """

    at: float
    pool: PoolState | None
    nodes: tuple[NodeStatus, ...] = ()
    rounds: Table | None = None
    problem: str = ""
    samples: Sequence[tuple[float, dict[str, int]]] = ()

    @property
    def census(self) -> Census:
        """The counts of the nodes by state and kind."""
        return Census.from_nodes(self.nodes)

    @property
    def is_steady(self) -> bool:
        """Whether the pool is steady and no node is in a transitional state."""
        return self.pool is None or (self.pool.allocation == "steady" and not self.census.transitional)

    def shows_same_as(self, other: PoolSnapshot) -> bool:
        """Return whether another snapshot has the same pool, with the same nodes in the same states."""
        return (self.pool, self.nodes) == (other.pool, other.nodes)


async def read_pool_snapshot(azure: Azure, pool: str) -> PoolSnapshot:
    """Read a pool, its nodes and its last rounds.

    Raises
    ------
    ServiceError
        Azure did not answer.
    """
    try:
        state = await pools.read_state(azure, pool)
        found = await nodes.read_nodes(azure, pool, states_only=True)
    except NotFoundError:
        return PoolSnapshot(azure.now(), None)
    made, samples = rounds.recent_rounds(azure, state.name, ROUNDS), azure.ledger.samples(state.name, SAMPLES)
    return PoolSnapshot(azure.now(), state, tuple(found), made, samples=samples)


class PoolWatcher:
    """Reads a pool again and again, until it is cancelled.

    Parameters
    ----------
    azure, pool
        The connection and the pool's name.
    on_snapshot
        Called with each snapshot, on the loop.
    pace_s
        The least seconds of the service's time between two reads: the emulator's time may be accelerated.

    Attributes
    ----------
    hidden
        Whether no view of it is visible at the moment.
    expects_change
        Whether a change was requested that Azure may not show yet.
    """

    def __init__(
        self, azure: Azure, pool: str, on_snapshot: Callable[[PoolSnapshot], None], *, pace_s: float = 0.0
    ) -> None:
        self.azure = azure
        self.pool = pool
        self.hidden = False
        self.expects_change = False
        self._same = 0
        self._on_snapshot = on_snapshot
        self._pace_s = pace_s
        self._refresh_requested = asyncio.Event()
        self._last: PoolSnapshot | None = None

    def poll_now(self) -> None:
        """Read now; to be called on the loop."""
        self._refresh_requested.set()

    async def run(self) -> None:
        """Read until it is cancelled."""
        failures = 0
        while True:
            try:
                snapshot = await read_pool_snapshot(self.azure, self.pool)
            except ServiceError as error:
                failures += 1
                before = self._last or PoolSnapshot(self.azure.now(), None)
                self._on_snapshot(replace(before, at=self.azure.now(), problem=error.message))
            else:
                failures = 0
                self._same = self._same + 1 if self._last and self._last.shows_same_as(snapshot) else 0
                self._last = snapshot
                self._on_snapshot(snapshot)
            await sleep_or_wake(self.azure, self._pause_s(failures), self._refresh_requested)

    def _pause_s(self, failures: int) -> float:
        quiet = not self.expects_change and self._last is not None and self._last.is_steady
        steady = min(HIDDEN_S, STEADY_S * 2.0 ** min(self._same, MOST_DOUBLINGS))
        usual = HIDDEN_S if self.hidden else steady if quiet else BUSY_S
        return max(self._pace_s, min(MAX_PAUSE_S, usual * 2.0 ** min(failures, MOST_DOUBLINGS)))


async def sleep_or_wake(azure: Azure, seconds: float, wake: asyncio.Event) -> None:
    """Wait so many seconds, or until the event is set; it may be set already. Clear it."""
    waits = [asyncio.ensure_future(azure.sleep(seconds)), asyncio.ensure_future(wake.wait())]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        wake.clear()
        for one in waits:
            one.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
