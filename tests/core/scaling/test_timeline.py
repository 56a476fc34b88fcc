"""Nodes over time: steps, and gaps where an earlier pool had the same name."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from typing import TYPE_CHECKING

from batchimg_magics.core.scaling import rounds, timeline

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.base.table import Table
    from batchimg_magics.session.session import Session

LINE = {"from_vm": "prep-vm", "vm_size": "Standard_D2s_v5", "canary": False}


def history(session: Session) -> Table:
    async def read(azure: Azure) -> Table:
        return rounds.history(azure, "p")

    return session.call(read)


def test_a_pool_of_the_same_name_is_another_spell(session: Session) -> None:
    session.create("p", nodes=3, **LINE)
    session.delete("p")
    session.call(lambda azure: azure.sleep(3600))
    session.create("p", nodes=2, spot=1, **LINE)
    table = history(session)
    first, second = timeline.spells(table.attrs["samples"], table.rows())
    assert [count for _, count in first.live][-2:] == [3, 0]
    assert [count for _, count in second.ready][-1] == 3
    assert [count for _, count in first.targets] == [3]
    assert [count for _, count in second.targets] == [3]
    assert second.samples[0][0] - first.samples[-1][0] > 3000
    assert all(a < b for (a, _), (b, _) in pairwise([*first.samples, *second.samples]))


def test_the_creation_of_a_pool_ends_the_one_before_it() -> None:
    samples = [(10.0, {"idle": 4}), (20.0, {"idle": 5, "preempted": 1}), (40.0, {"starting": 1, "running": 1})]
    created = [dt.datetime.fromtimestamp(at, dt.UTC) for at in (5, 30)]
    started = [dt.datetime.fromtimestamp(at, dt.UTC) for at in (6, 31)]
    rows = [
        {"pool_created": made, "started": began, "dedicated_target": 5, "spot_target": 1}
        for made, began in zip(created, started, strict=True)
    ]
    first, second = timeline.spells(samples, rows)
    assert first.live == [(10.0, 4), (20.0, 5)]
    assert second.live == [(40.0, 2)]
    assert second.ready == [(40.0, 1)]
    assert (first.targets, second.targets) == ([(6.0, 6)], [(31.0, 6)])
    assert timeline.spells([], rows) == []
