"""The arithmetic of estimates, compared with a search and with a simulation."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchimg_magics.core.estimates import workload
from batchimg_magics.core.estimates.workload import Workload, estimate

loads = st.builds(
    Workload, tasks=st.integers(1, 3000), task_s=st.floats(1, 20_000), slots=st.integers(1, 16),
    evictions_per_hour=st.sampled_from([0.0, 0.05, 0.2]),
)  # fmt: skip


@given(loads, st.floats(60, 200_000))
def test_a_deadline_gets_the_fewest_nodes_that_hold_it(load: Workload, deadline_s: float) -> None:
    every = [estimate(load, nodes, 1.0) for nodes in range(1, load.most_useful_nodes + 1)]
    wanted = next((one for one in every if one.makespan_s <= deadline_s), None)
    assert workload.nodes_for_deadline(load, deadline_s, 1.0) == wanted


@given(loads, st.floats(0.1, 5000), st.floats(0.01, 5))
def test_a_budget_gets_the_first_to_be_done_within_it(load: Workload, usd: float, rate: float) -> None:
    every = [estimate(load, nodes, rate) for nodes in range(1, load.most_useful_nodes + 1)]
    within = [one for one in every if one.usd is not None and one.usd <= usd]
    found = workload.nodes_for_budget(load, usd, rate)
    assert (found is None) == (not within)
    if found is not None:
        assert found.makespan_s == pytest.approx(min(one.makespan_s for one in within))


def test_ten_thousand_tasks_in_four_hours() -> None:
    found = workload.nodes_for_deadline(Workload(10_000, 12 * 60, slots=4), 4 * 3600, 0.2)
    assert found is not None
    # 19 waves of 12 minutes are 3.8 h, and leave 12 minutes to bring 132 nodes: it takes 6.
    assert found.nodes == 132
    assert found.makespan_s == pytest.approx(workload.start_s(132) + 19 * 720)
    assert found.usd == pytest.approx(132 * 0.2 * found.makespan_s / 3600)


def test_spot_tasks_take_as_long_as_a_simulation_says() -> None:
    load = Workload(1, 3 * 3600, 1, evictions_per_hour=0.2)
    chance, runs = random.Random(7), 40_000  # noqa: S311 - a simulation, no secret
    total = 0.0
    for _ in range(runs):
        while (life_h := chance.expovariate(0.2)) < 3:
            total += life_h + workload.READY_S / 3600
        total += 3
    # What is lost beside the task's own attempts: the node that is missing after each eviction.
    assert load.effective_task_s / 3600 == pytest.approx(total / runs, rel=0.02)


def test_a_task_that_never_completes_has_no_estimate() -> None:
    assert Workload(1, 400 * 3600, 1, evictions_per_hour=0.2).effective_task_s == math.inf


def test_unknown_prices_stay_unknown() -> None:
    assert estimate(Workload(10, 60, 1), 5, None).usd is None
