"""Watching one pool: look, tell, wait, and look less often where less happens."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchimg_magics.core.batch import nodes, pools
from batchimg_magics.core.batch.nodes import Census
from batchimg_magics.core.scaling import rounds
from batchimg_magics.errors import NotFoundError, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.base.table import Table
    from batchimg_magics.core.batch.node_pages import NodeStatus
    from batchimg_magics.core.batch.pools import PoolState

#: Seconds of the service's time between two looks: while a pool changes, when it is steady, and when nobody looks on.
#: The longer it is steady, the longer the pause: twice as long with each look that saw the same, up to the last.
BUSY_S, STEADY_S, HIDDEN_S = 5.0, 30.0, 120.0
#: How many of a pool's rounds are told.
ROUNDS = 8
#: After a look that failed, twice as long each time, up to this.
MAX_PAUSE_S = 300.0
#: Beyond, a pause has long reached its end: a number that doubles for weeks would outgrow what a float holds.
MOST_DOUBLINGS = 10


@dataclass(frozen=True, slots=True)
class PoolSnapshot:
    """What one look saw.

    Parameters
    ----------
    at
        When, in seconds of the service's time.
    pool
        The pool; None: it is not there any more.
    nodes
        Its nodes: id, state and kind.
    rounds
        Its last rounds; None where there is no pool.
    problem
        Why this look saw nothing new; pool and nodes are then those of the look before.
    """

    at: float
    pool: PoolState | None
    nodes: tuple[NodeStatus, ...] = ()
    rounds: Table | None = None
    problem: str = ""

    @property
    def census(self) -> Census:
        """The nodes by state and kind."""
        return Census.from_nodes(self.nodes)

    @property
    def is_steady(self) -> bool:
        """Whether nothing is on its way."""
        return self.pool is None or (self.pool.allocation == "steady" and not self.census.transitional)

    def shows_same_as(self, other: PoolSnapshot) -> bool:
        """Tell whether another look saw the same: the pool as it is, and its nodes by their states."""
        return (self.pool, self.nodes) == (other.pool, other.nodes)


async def read_pool_snapshot(azure: Azure, pool: str) -> PoolSnapshot:
    """Look once.

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
    return PoolSnapshot(azure.now(), state, tuple(found), rounds.last_rounds(azure, state.name, ROUNDS))


class PoolWatcher:
    """Looks at a pool again and again, until it is cancelled.

    Parameters
    ----------
    azure, pool
        Which.
    tell
        Called with each sight, on the loop.
    pace_s
        The service's seconds that pass at least between two looks: a local Azure's hours may be a person's minutes.

    Attributes
    ----------
    hidden
        Whether nobody looks on at the moment.
    expecting
        Whether something is on its way that Azure may not show yet.
    """

    def __init__(self, azure: Azure, pool: str, tell: Callable[[PoolSnapshot], None], *, pace_s: float = 0.0) -> None:
        self.azure = azure
        self.pool = pool
        self.hidden = False
        self.expects_change = False
        self._same = 0
        self._tell = tell
        self._pace_s = pace_s
        self._refresh_requested = asyncio.Event()
        self._last: PoolSnapshot | None = None

    def poll_now(self) -> None:
        """Look at once; to be called on the loop."""
        self._refresh_requested.set()

    async def run(self) -> None:
        """Go on for ever."""
        failures = 0
        while True:
            try:
                snapshot = await read_pool_snapshot(self.azure, self.pool)
            except ServiceError as error:
                failures += 1
                before = self._last or PoolSnapshot(self.azure.now(), None)
                self._tell(PoolSnapshot(self.azure.now(), before.pool, before.nodes, before.rounds, error.message))
            else:
                failures = 0
                self._same = self._same + 1 if self._last and self._last.shows_same_as(snapshot) else 0
                self._last = snapshot
                self._tell(snapshot)
            await sleep_or_wake(self.azure, self._pause_s(failures), self._refresh_requested)

    def _pause_s(self, failures: int) -> float:
        quiet = not self.expects_change and self._last is not None and self._last.is_steady
        steady = min(HIDDEN_S, STEADY_S * 2.0 ** min(self._same, MOST_DOUBLINGS))
        usual = HIDDEN_S if self.hidden else steady if quiet else BUSY_S
        return max(self._pace_s, min(MAX_PAUSE_S, usual * 2.0 ** min(failures, MOST_DOUBLINGS)))


async def sleep_or_wake(azure: Azure, seconds: float, asked: asyncio.Event) -> None:
    """Wait so long, or until somebody asked; who asked before this was called has to be served, too."""
    waits = [asyncio.ensure_future(azure.sleep(seconds)), asyncio.ensure_future(asked.wait())]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        asked.clear()
        for one in waits:
            one.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
