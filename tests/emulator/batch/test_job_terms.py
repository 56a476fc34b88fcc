"""What a job does to its tasks: retries, time limits, parallel tasks, priority, failures, disabling, preparation."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.batch_emulator import BatchEmulator

RUN, FAIL = "/bin/true", "/bin/bash -c 'sleep 5; exit 3'"


def _pool(nodes: int = 2, **more: Any) -> BatchEmulator:
    emulator = BatchEmulator()
    emulator.create_pool("p", dedicated=nodes, **more)
    emulator.wait_until_steady()
    emulator.clock.advance(900)
    return emulator


def _job(emulator: BatchEmulator, name: str = "j", **more: Any) -> None:
    assert emulator.batch("POST", "/jobs", {"id": name, "poolInfo": {"poolId": "p"}} | more).status == 201


def _add(emulator: BatchEmulator, count: int, command: str = RUN, job: str = "j", **more: Any) -> None:
    rows = [{"id": f"t{number}", "commandLine": command} | more for number in range(count)]
    body = emulator.batch("POST", f"/jobs/{job}/addtaskcollection", {"value": rows}).body
    assert [row["status"] for row in body["value"]] == ["Success"] * count


def _tasks(emulator: BatchEmulator, job: str = "j") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = emulator.batch("GET", f"/jobs/{job}/tasks").body["value"]
    return found


def _states(emulator: BatchEmulator, job: str = "j") -> list[str]:
    return [task["state"] for task in _tasks(emulator, job)]


def _job_state(emulator: BatchEmulator) -> str:
    return str(emulator.batch("GET", "/jobs/j").body["state"])


def test_tasks_have_the_retries_of_their_job_unless_they_name_their_own() -> None:
    azure = _pool()
    _job(azure, constraints={"maxTaskRetryCount": 2})
    _add(azure, 1, FAIL)
    azure.batch("POST", "/jobs/j/tasks", {"id": "own", "commandLine": FAIL, "constraints": {"maxTaskRetryCount": 0}})
    azure.clock.advance(3_600)
    own, inherited = _tasks(azure)
    assert inherited["constraints"]["maxTaskRetryCount"] == 2
    assert [task["executionInfo"]["retryCount"] for task in (own, inherited)] == [0, 2]
    assert inherited["executionInfo"]["lastRetryTime"] > inherited["executionInfo"]["startTime"]
    assert "lastRetryTime" not in own["executionInfo"]


def test_a_task_that_is_always_retried_runs_until_its_time_is_over() -> None:
    azure = _pool()
    _job(azure)
    _add(azure, 1, FAIL, constraints={"maxTaskRetryCount": -1})
    azure.clock.advance(86_400)
    assert _states(azure) == ["running"]
    limits = {"maxTaskRetryCount": -1, "maxWallClockTime": "PT10M"}
    azure.batch("POST", "/jobs/j/tasks", {"id": "limited", "commandLine": FAIL, "constraints": limits})
    azure.clock.advance(86_400)
    info = _tasks(azure)[0]["executionInfo"]
    assert (info["result"], info["failureInfo"]["code"]) == ("failure", "TaskEnded")
    assert "wall clock" in info["failureInfo"]["message"]


def test_no_more_tasks_of_a_job_run_than_it_allows_and_other_jobs_use_the_rest() -> None:
    azure = _pool(nodes=3, taskSlotsPerNode=2)
    _job(azure, maxParallelTasks=1)
    _job(azure, "other")
    _add(azure, 3)
    _add(azure, 3, job="other")
    assert sorted(_states(azure)) == ["active", "active", "running"]
    assert _states(azure, "other") == ["running"] * 3
    azure.clock.advance(3_600)
    spans = sorted((row["executionInfo"]["startTime"], row["executionInfo"]["endTime"]) for row in _tasks(azure))
    assert all(spans[place][1] <= spans[place + 1][0] for place in range(2))


def test_waiting_tasks_follow_the_new_priority_of_their_job() -> None:
    azure = _pool(nodes=1)
    _job(azure)
    _job(azure, "late")
    _add(azure, 3)
    _add(azure, 1, job="late")
    assert azure.batch("PATCH", "/jobs/late", {"priority": 5}).status == 200
    azure.clock.advance(3_600)
    starts = sorted(task["executionInfo"]["startTime"] for task in _tasks(azure))
    assert starts[0] < _tasks(azure, "late")[0]["executionInfo"]["startTime"] < starts[1]


@pytest.mark.parametrize(("action", "state"), [("terminate", "completed"), ("disable", "disabled"), ("none", "active")])
def test_a_task_that_fails_does_to_its_job_what_its_exit_conditions_say(action: str, state: str) -> None:
    azure = _pool()
    _job(azure, onTaskFailure="performexitoptionsjobaction")
    conditions = {"exitCodes": [{"code": 3, "exitOptions": {"jobAction": action}}]}
    _add(azure, 1, FAIL, exitConditions=conditions)
    azure.clock.advance(3_600)
    assert _job_state(azure) == state
    if action == "disable":
        assert azure.batch("POST", "/jobs/j/enable").status == 202
        azure.clock.advance(60)
        assert _job_state(azure) == "active"  # the failure from before does not disable it again


def test_a_failed_task_without_exit_conditions_terminates_such_a_job() -> None:
    azure = _pool()
    _job(azure, onTaskFailure="performexitoptionsjobaction")
    _add(azure, 1, FAIL)
    azure.clock.advance(3_600)
    assert azure.batch("GET", "/jobs/j").body["executionInfo"]["terminateReason"] == "TaskFailed"


@pytest.mark.parametrize(
    ("option", "states", "at_once", "later"),
    [
        ("requeue", ["active", "active", "active"], "disabled", "disabled"),
        ("terminate", ["active", "completed", "completed"], "disabled", "disabled"),
        ("wait", ["active", "running", "running"], "disabling", "disabled"),
    ],
)
def test_disabling_a_job_does_with_its_running_tasks_what_it_is_told(
    option: str, states: list[str], at_once: str, later: str
) -> None:
    azure = _pool()
    _job(azure)
    _add(azure, 3)
    azure.clock.advance(5)
    assert sorted(_states(azure)) == ["active", "running", "running"]
    assert azure.batch("POST", "/jobs/j/disable", {"disableTasks": option}).status == 202
    assert (sorted(_states(azure)), _job_state(azure)) == (states, at_once)
    azure.clock.advance(3_600)
    assert _job_state(azure) == later
    assert azure.batch("POST", "/jobs/j/enable").status == 202
    azure.clock.advance(3_600)
    assert _states(azure) == ["completed"] * 3
    requeued = sum(task["executionInfo"]["requeueCount"] for task in _tasks(azure))
    assert requeued == (2 if option == "requeue" else 0)


def test_the_first_task_on_a_node_waits_for_the_preparation_of_its_job() -> None:
    azure = _pool(nodes=1)
    _job(azure, jobPreparationTask={"commandLine": "/bin/bash -c 'sleep 100'"})
    _add(azure, 2)
    azure.clock.advance(50)
    states = {task["id"]: task["state"] for task in _tasks(azure)}
    assert states == {"t0": "preparing", "t1": "active"}
    rows = azure.batch("GET", "/jobs/j/jobpreparationandreleasetaskstatus").body["value"]
    assert [row["jobPreparationTaskExecutionInfo"]["state"] for row in rows] == ["running"]
    azure.clock.advance(3_600)
    first, second = _tasks(azure)
    assert first["executionInfo"]["endTime"] == second["executionInfo"]["startTime"]  # it is prepared once
    assert first["state"] == second["state"] == "completed"
    rows = azure.batch("GET", "/jobs/j/jobpreparationandreleasetaskstatus").body["value"]
    assert rows[0]["jobPreparationTaskExecutionInfo"]["endTime"] == first["executionInfo"]["startTime"]


def _node_numbers(azure: BatchEmulator) -> list[int]:
    """Return how many tasks each node runs that runs some, in order."""
    nodes = [task["nodeInfo"]["nodeId"] for task in _tasks(azure) if task["state"] == "running"]
    return sorted(nodes.count(node) for node in set(nodes))


@pytest.mark.parametrize(("fill_type", "numbers"), [("Spread", [1, 1, 1, 1]), ("Pack", [4]), (None, [1, 1, 1, 1])])
def test_the_fill_type_decides_between_free_nodes(fill_type: str | None, numbers: list[int]) -> None:
    more = {} if fill_type is None else {"taskSchedulingPolicy": {"nodeFillType": fill_type}}
    azure = _pool(4, taskSlotsPerNode=4, **more)
    _job(azure)
    _add(azure, 4, "sleep 600")
    azure.clock.advance(30)
    assert _node_numbers(azure) == numbers


def test_spread_tasks_fill_all_slots_in_the_end() -> None:
    azure = _pool(2, taskSlotsPerNode=3)
    _job(azure)
    _add(azure, 5, "sleep 600")
    azure.clock.advance(30)
    assert _node_numbers(azure) == [2, 3]


@pytest.mark.parametrize(("more", "states"), [({}, ["active", "running"]), ({"runExclusive": False}, ["running"] * 2)])
def test_an_exclusive_job_manager_has_its_node_alone(more: dict[str, Any], states: list[str]) -> None:
    azure = _pool(1, taskSlotsPerNode=4)
    _job(azure, jobManagerTask={"id": "manager", "commandLine": "sleep 600", "killJobOnCompletion": False, **more})
    _add(azure, 1, "sleep 60")
    azure.clock.advance(30)
    assert sorted(_states(azure)) == states
    azure.clock.advance(1_200)
    assert _states(azure) == ["completed"] * 2


@pytest.mark.parametrize(("waits", "states"), [(True, ["active"]), (False, ["completed"])])
def test_a_node_whose_preparation_fails_takes_no_tasks_of_the_job(waits: bool, states: list[str]) -> None:  # noqa: FBT001 - a case
    azure = _pool()
    _job(azure, jobPreparationTask={"commandLine": FAIL, "waitForSuccess": waits})
    _add(azure, 1)
    _job(azure, "other")
    _add(azure, 1, job="other")
    azure.clock.advance(3_600)
    assert _states(azure) == states
    assert _states(azure, "other") == ["completed"]
