"""Jobs of many tasks: what a request reads, and that what it tells is that of the state, in every process."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics.emulator.app import App
from batchimg_magics.emulator.batch.model import task_scheduling, task_states
from batchimg_magics.emulator.furnish import furnish
from batchimg_magics.emulator.world.clock import ManualClock
from batchimg_magics.emulator.world.store import Store
from tests.support.batch_emulator import START, BatchEmulator

if TYPE_CHECKING:
    from pathlib import Path

TASKS = 1_500


def _add(emulator: BatchEmulator, count: int = TASKS, **more: Any) -> None:
    emulator.create_pool("p", dedicated=3, taskSlotsPerNode=4)
    emulator.wait_until_steady()
    emulator.clock.advance(600)
    emulator.batch("POST", "/jobs", {"id": "j", "poolInfo": {"poolId": "p"}, "usesTaskDependencies": True})
    for first in range(0, count, 100):
        rows = [
            {"id": f"t{number}", "commandLine": f"/bin/bash -c 'exit {number % 7 == 3:d}'"} | more
            for number in range(first, min(first + 100, count))
        ]
        assert emulator.batch("POST", "/jobs/j/addtaskcollection", {"value": rows}).status == 200


def _counts(emulator: BatchEmulator) -> dict[str, Any]:
    found: dict[str, Any] = emulator.batch("GET", "/jobs/j/taskcounts").body
    return {name: found[name] for name in ("taskCounts", "taskSlotCounts")}


def _listed(emulator: BatchEmulator) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    link = "/jobs/j/tasks?$select=id,state,executionInfo"
    while link:
        body = emulator.batch("GET", link).body
        rows += body["value"]
        link = body.get("odata.nextLink", "").partition(".azure.com")[2].replace("&api-version=2025-06-01", "")
    return rows


def _other_process(emulator: BatchEmulator) -> BatchEmulator:
    other = BatchEmulator.__new__(BatchEmulator)
    other.store, other.clock = Store(emulator.store.path, start=START), emulator.clock
    other.app = App(other.store, other.clock)
    return other


@pytest.fixture
def shared(tmp_path: Path) -> BatchEmulator:
    emulator = BatchEmulator.__new__(BatchEmulator)
    emulator.store, emulator.clock = Store(tmp_path / "state.db", start=START), ManualClock(START)
    furnish(emulator.store)
    emulator.app = App(emulator.store, emulator.clock)
    return emulator


def test_polls_of_a_large_job_do_not_read_its_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    emulator = BatchEmulator()
    _add(emulator)
    reads: list[str] = []
    real = task_states.state_of
    monkeypatch.setattr(task_states, "state_of", lambda item: reads.append(item.key) or real(item))
    while _counts(emulator)["taskCounts"]["completed"] < TASKS:
        emulator.clock.advance(300)
    emulator.nodes()
    emulator.pool()
    assert not reads
    assert len(emulator.batch("GET", "/jobs/j/tasks?maxresults=10").body["value"]) == 10
    assert len(reads) <= 11


def test_counts_pages_and_nodes_agree_until_the_end() -> None:
    emulator = BatchEmulator()
    _add(emulator)
    while True:
        counts, rows = _counts(emulator)["taskCounts"], _listed(emulator)
        assert len({row["id"] for row in rows}) == TASKS
        states = Counter(row["state"] for row in rows)
        results = Counter(row["executionInfo"].get("result") for row in rows)
        assert counts == {
            **{state: states[state] for state in ("active", "running", "completed")},
            "succeeded": results["success"],
            "failed": results["failure"],
        }
        nodes = emulator.nodes()
        assert sum(node["runningTasksCount"] for node in nodes) == counts["running"] <= 12
        assert sum(node["totalTasksSucceeded"] for node in nodes) == counts["succeeded"]
        if counts["completed"] == TASKS:
            break
        emulator.clock.advance(900)
    assert counts["failed"] == sum(number % 7 == 3 for number in range(TASKS))


def test_another_process_tells_the_same_and_what_it_writes_is_seen(shared: BatchEmulator) -> None:
    _add(shared, 120)
    shared.clock.advance(40)
    other = _other_process(shared)
    assert _counts(other) == _counts(shared)
    other.batch("POST", "/jobs/j/tasks/t119/terminate")
    other.batch("DELETE", "/jobs/j/tasks/t118")
    shared.clock.advance(60)
    assert _counts(shared) == _counts(other)
    assert _listed(shared) == _listed(other)
    assert sum(_counts(shared)["taskCounts"][state] for state in ("active", "running", "completed")) == 119
    other.store.close()


def test_a_transaction_that_is_undone_leaves_no_trace() -> None:
    emulator = BatchEmulator()
    _add(emulator, 100)
    before = _counts(emulator)
    item = next(emulator.store.each(task_states.KIND, "/subscriptions"))
    with emulator.store.savepoint(keep=False):
        task_scheduling.delete_task(emulator.store, item.key)
        assert _counts(emulator) != before
    assert _counts(emulator) == before


def test_when_tasks_start_and_end_does_not_depend_on_the_polls() -> None:
    seen, patient = BatchEmulator(), BatchEmulator()
    for emulator in (seen, patient):
        _add(emulator, 200)
    for _ in range(50):
        seen.clock.advance(30)
        _counts(seen)
    patient.clock.advance(1_500)
    assert _listed(patient) == _listed(seen)


def test_a_task_that_depends_on_all_others_follows_them() -> None:
    emulator = BatchEmulator()
    _add(emulator, 100, commandLine="/bin/true")
    wanted = {"taskIds": [f"t{number}" for number in range(100)]}
    emulator.batch("POST", "/jobs/j/tasks", {"id": "last", "commandLine": "/bin/true", "dependsOn": wanted})
    emulator.clock.advance(3_600)
    rows = {row["id"]: row["executionInfo"] for row in _listed(emulator)}
    others = [info["endTime"] for name, info in rows.items() if name != "last"]
    assert rows["last"]["startTime"] >= max(others)
    assert _counts(emulator)["taskCounts"]["completed"] == 101


def test_the_past_can_be_told_without_changing_the_present() -> None:
    emulator = BatchEmulator()
    _add(emulator, 12, commandLine="/bin/bash -c 'sleep 100'")
    emulator.clock.advance(101)
    counts = _counts(emulator)
    assert counts["taskCounts"]["completed"] == 12
    nodes = emulator.batch("GET", "/nodecounts").body["value"][0]["dedicated"]
    assert nodes["running"] == 3  # the counts of nodes are some seconds old
    assert _counts(emulator) == counts
