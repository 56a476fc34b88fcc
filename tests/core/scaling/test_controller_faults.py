"""With any faults, the controller ends, keeps to its limits, and reports the true state."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchimg_magics.emulator.http import faults
from batchimg_magics.emulator.http.faults import Fault
from batchimg_magics.errors import BatchImgError, ResizeError
from batchimg_magics.session.session import Session
from tests.support.concurrent_client import ConcurrentClient, ObservedTransport
from tests.support.connections import emulator_of, wrapped_session

if TYPE_CHECKING:
    from collections.abc import Iterator

POOL = "faulty"
LINE = {"from_vm": "prep-vm", "vm_size": "Standard_D2s_v5"}
#: More requests than any resize of that size makes.
MOST_REQUESTS = 5000
DEEDS = ("resize", "stop", "autoscale", "delete", "remove", "reboot")
#: Requests that a fault may befall: where the controller is at work.
PATHS = ("/resize", "/nodes", f"/pools/{POOL}$", "/removenodes", "/reboot", "batchaccounts/", "prices", "")

policies = st.fixed_dictionaries(
    {"nodes": st.integers(0, 260), "spot": st.integers(0, 40) | st.none()},
    optional={
        "until": st.sampled_from(["ready", "steady"]),
        "timeout": st.sampled_from(["5m", "20m"]),
        "max_rounds": st.integers(1, 5),
        "max_minutes": st.integers(5, 90),
        "max_cost": st.sampled_from([0.5, 3.0, 20.0, 200.0]),
        "canary": st.booleans(),
        "take_what_fits": st.booleans(),
        "repair": st.booleans(),
    },
).filter(lambda asked: not (asked.get("repair") and asked.get("until") == "steady"))
places = {"path": st.sampled_from(PATHS), "skip": st.integers(0, 12), "times": st.sampled_from([1, 2, 8])}
answers = st.builds(
    Fault, status=st.sampled_from([429, 500, 503, 409]), retry_after_s=st.sampled_from([0, 2]), **places
)
losses = st.builds(Fault, lost=st.sampled_from(["request", "answer"]), **places)
deeds = st.dictionaries(st.integers(0, 80), st.sampled_from(DEEDS), max_size=3)
allocations = st.fixed_dictionaries(
    {},
    optional={
        "slowed": st.sampled_from([1.0, 8.0]),
        "unusable": st.sampled_from([0.0, 0.02, 0.3, 1.0]),
        "recovering": st.sampled_from([0.0, 0.5, 1.0]),
        "preempted_per_h": st.sampled_from([0.0, 2.0, 20.0]),
        "start_tasks_fail": st.booleans(),
    },
)


@dataclass(frozen=True)
class Base:
    """A world with a pool of no nodes, and what its nodes cost an hour."""

    world: Path
    dedicated_usd: float
    spot_usd: float

    def usd(self, dedicated: int, spot: int) -> float:
        return dedicated * self.dedicated_usd + spot * self.spot_usd


@pytest.fixture(scope="module")
def base() -> Iterator[Base]:
    """Make the world that every example begins with."""
    with tempfile.TemporaryDirectory() as folder:
        world = Path(folder) / "base.db"
        with Session() as session:
            session.connect(state=str(world), speed="max")
            session.create("priced", nodes=1, **LINE)
            both = [float(session.pools().usd_per_hour[0])]
            session.resize("priced", nodes=0, spot=1)
            both.append(float(session.pools().usd_per_hour[0]))
            session.delete("priced", image=True)
            session.create(POOL, start_task="/bin/true", **LINE)
        yield Base(world, *both)


@given(policies, st.lists(answers | losses, max_size=4), deeds, allocations)
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_it_ends_within_its_limits_and_reports_the_true_state(
    base: Base, policy: dict[str, Any], script: list[Fault], others: dict[int, str], allocation: dict[str, Any]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = Path(folder) / "world.db"
        shutil.copy(base.world, world)
        with wrapped_session(ObservedTransport, state=str(world), speed="max") as (session, line):
            _one(base, session, line, policy, script, others, allocation)


def _one(
    base: Base,
    session: Session,
    line: ObservedTransport,
    policy: dict[str, Any],
    script: list[Fault],
    others: dict[int, str],
    allocation: dict[str, Any],
) -> None:
    local = emulator_of(session)
    world, other_client = local.store, ConcurrentClient(local)
    world.set_meta("allocation", allocation)
    faults.set_pending_faults(world, script)
    first, began = len(line.log), local.clock.now()
    line.max_requests = first + MOST_REQUESTS
    line.actions = {first + at: partial(other_client.act, POOL, deed) for at, deed in others.items()}
    error: BatchImgError | None = None
    try:
        table = session.run_table("resize", name=POOL, **policy)
    except BatchImgError as raised:
        error, table = raised, raised.table
    faults.set_pending_faults(world, [])
    rows = table.rows() if table else []
    alone = not line.acted
    _keeps_to_limits(base, policy, line, rows, minutes=(local.clock.now() - began) / 60, alone=alone)
    _adds_up(rows, alone=alone)
    response = error is None or isinstance(error, ResizeError)
    if response and max(line.acted, default=-1) < line.last("/nodes?"):
        there = other_client.count_nodes(POOL)
        if rows:
            assert (rows[-1]["dedicated_after"], rows[-1]["spot_after"]) == there
        if isinstance(error, ResizeError):
            assert (error.current["dedicated"], error.current["spot"]) == there
        if error is None and not policy.get("take_what_fits"):
            assert there[0] >= policy["nodes"] if alone else True


def _keeps_to_limits(
    base: Base,
    policy: dict[str, Any],
    line: ObservedTransport,
    rows: list[dict[str, Any]],
    *,
    minutes: float,
    alone: bool,
) -> None:
    asked = line.resizes()
    wanted = (policy["nodes"], policy["spot"] or 0)
    repairs = 2 if policy.get("repair") else 0
    for body in asked:
        goal = (body["targetDedicatedNodes"], body["targetLowPriorityNodes"])
        # Of a kind that is not named, others may have changed the target before it was looked at.
        assert goal[0] <= wanted[0]
        assert goal[1] <= wanted[1] or policy["spot"] is None
    assert len(asked) <= policy.get("max_rounds", 50) + repairs
    if (limit := policy.get("max_minutes")) is not None:
        assert minutes <= limit + 10, "Azure may end a resize, or faults an answer, some minutes late"
    if (most := policy.get("max_cost")) is not None and alone:
        paid = [row["usd"] for row in rows if row["timeout_minutes"] and row["usd"] is not None]
        assert sum(paid) <= most
        for body in asked:
            seconds = float(body["resizeTimeout"][2:-1])
            assert base.usd(body["targetDedicatedNodes"], body["targetLowPriorityNodes"]) * seconds / 3600 <= most


def _adds_up(rows: list[dict[str, Any]], *, alone: bool) -> None:
    for before, after in itertools.pairwise(rows):
        assert after["round"] == before["round"] + 1
        assert after["started"] >= before["ended"]
        assert (after["dedicated_before"], after["spot_before"]) == (before["dedicated_after"], before["spot_after"])
    if alone and rows:
        assert (rows[0]["dedicated_before"], rows[0]["spot_before"]) == (0, 0)
