"""What a table of 100,000 nodes needs while it is made, as a multiple of what it is in the end."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING, Any

import pandas as pd

from tests.bench.replay import Replay
from tests.bench.rows import Row
from tests.support.connections import transport_of
from tests.support.idle_pools import create_idle_pools, open_session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchimg_magics.session.session import Session

POOLS, NODES_EACH, GOAL = 40, 2500, 3.0


def rows() -> Iterator[Row]:
    """Measure with texts as a plain install keeps them, and as pandas keeps them where pyarrow is there."""
    with open_session(Replay) as (session, link, local):
        create_idle_pools(local, {f"sim-{number}": NODES_EACH for number in range(POOLS)})
        transport: Any = transport_of(link)
        transport.is_replaying = True
        session.nodes("sim-*")  # the answers are in memory from now on, and are not counted
        for storage in ("python", "pyarrow"):
            yield _measured(session, storage)


def _measured(session: Session, storage: str) -> Row:
    with pd.option_context("mode.string_storage", storage):
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        table = session.nodes("sim-*")
        peak = tracemalloc.get_traced_memory()[1] - before
        tracemalloc.stop()
    assert len(table) == POOLS * NODES_EACH
    own = int(table.memory_usage(index=True, deep=True).sum())
    return Row(
        f"memory of a table of {len(table):,} nodes, texts by {storage}",
        "MiB",
        peak / 2**20,
        limit=own / 2**20,
        limit_ratio=peak / own,
        goal=f"<= {GOAL:g}x its own size",
        met=peak <= GOAL * own,
        note=f"peak while Session.nodes makes it of {POOLS} pools; limit: the DataFrame's own size",
    )
