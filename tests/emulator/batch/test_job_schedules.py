"""Job schedules: the jobs that they create as time goes on, and their states."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from azure.batch import models
from azure.core.exceptions import ResourceNotFoundError

from tests.support.batch_clients import BatchClients, run_with_clients
from tests.support.batch_emulator import MACHINE, BatchEmulator

MANAGER = {"id": "main", "commandLine": "/bin/sh -c 'sleep 600'"}
GOOD: dict[str, Any] = {"id": "s", "schedule": {}, "jobSpecification": {"poolInfo": {"poolId": "p"}}}
JOBS = "/jobschedules/s/jobs?$select=id,state,creationTime"


@pytest.fixture
def azure() -> BatchEmulator:
    made = BatchEmulator()
    made.create_pool(dedicated=1)
    made.wait_until_steady()
    made.clock.advance(300)
    return made


def add(azure: BatchEmulator, schedule: dict[str, Any] | None = None, **specification: Any) -> Any:
    body = {"id": "s", "schedule": schedule or {}}
    body["jobSpecification"] = {"poolInfo": {"poolId": "p"}, "jobManagerTask": MANAGER} | specification
    return azure.batch("POST", "/jobschedules", body)


def get(azure: BatchEmulator) -> dict[str, Any]:
    found: dict[str, Any] = azure.batch("GET", "/jobschedules/s").body
    return found


def jobs(azure: BatchEmulator) -> list[tuple[str, str]]:
    return [(row["id"], row["state"]) for row in azure.batch("GET", JOBS).body["value"]]


def test_a_schedule_without_recurrence_runs_one_job_and_is_completed_with_it(azure: BatchEmulator) -> None:
    assert add(azure).status == 201
    assert jobs(azure) == [("s:job-1", "active")]
    made = get(azure)
    assert (made["state"], made["executionInfo"]["recentJob"]["id"]) == ("active", "s:job-1")
    assert "nextRunTime" not in made["executionInfo"]
    assert azure.batch("GET", "/jobs/s%3Ajob-1/tasks/main").body["state"] == "running"
    azure.clock.advance(601)
    assert jobs(azure) == [("s:job-1", "completed")]
    ended, job = get(azure), azure.batch("GET", "/jobs/s:job-1").body
    assert job["executionInfo"]["terminateReason"] == "JMComplete"
    assert (ended["state"], ended["previousState"]) == ("completed", "active")
    assert ended["executionInfo"]["endTime"] == job["executionInfo"]["endTime"]


def test_a_schedule_and_its_job_are_shown_as_recorded(azure: BatchEmulator) -> None:
    schedule = {"startWindow": "PT01H00M00S", "recurrenceInterval": "P1DT00H00M00S"}
    more = {"constraints": {"maxTaskRetryCount": 2}, "onAllTasksComplete": "terminatejob"}
    body = {"id": "s", "schedule": schedule, "jobSpecification": {"poolInfo": {"poolId": "pool_id"}} | more}
    made = azure.batch("POST", "/jobschedules", body, version="2022-10-01.16.0")
    limits = {"maxWallClockTime": "P10675199DT2H48M5.4775807S", "maxTaskRetryCount": 2}
    specification = {
        "priority": 0,
        "maxParallelTasks": -1,
        "allowTaskPreemption": False,
        "usesTaskDependencies": False,
        "onAllTasksComplete": "terminatejob",
        "onTaskFailure": "noaction",
        "constraints": limits,
        "poolInfo": {"poolId": "pool_id"},
    }
    shown = get(azure)
    now, base = shown["creationTime"], made.headers["Location"].removesuffix("/jobschedules/s")
    assert shown.pop("odata.metadata") == f"{base}/$metadata#jobschedules/@Element"
    assert shown == {
        "id": "s",
        "url": f"{base}/jobschedules/s",
        "eTag": made.headers["ETag"],
        "lastModified": now,
        "creationTime": now,
        "state": "active",
        "stateTransitionTime": now,
        "schedule": {"startWindow": "PT1H", "recurrenceInterval": "P1D"},
        "jobSpecification": specification,
        "executionInfo": {
            "nextRunTime": now.replace("07-01T", "07-02T"),
            "recentJob": {"url": f"{base}/jobs/s:job-1", "id": "s:job-1"},
        },
    }
    [job] = azure.batch("GET", "/jobschedules/s/jobs").body["value"]
    assert job.keys() == specification.keys() | {
        "id",
        "url",
        "eTag",
        "lastModified",
        "creationTime",
        "state",
        "stateTransitionTime",
        "executionInfo",
    }
    assert job["executionInfo"] == {"startTime": job["creationTime"], "poolId": "pool_id"}
    azure.clock.advance(60)
    assert jobs(azure) == [("s:job-1", "completed")]  # it has no tasks, so that all of them are completed


def test_jobs_are_created_at_each_recurrence_whoever_reads_it(azure: BatchEmulator) -> None:
    start = add(azure, {"recurrenceInterval": "PT1H"}).headers["Last-Modified"]
    azure.clock.advance(3 * 3600 + 60)
    rows = azure.batch("GET", JOBS).body["value"]
    assert [row["id"] for row in rows] == ["s:job-1", "s:job-2", "s:job-3", "s:job-4"]
    assert [row["creationTime"] for row in rows] == [f"2026-07-01T{hour}" for hour in created_times(rows)]
    assert [row["state"] for row in rows] == ["completed", "completed", "completed", "active"]
    assert get(azure)["executionInfo"]["nextRunTime"] == rows[3]["creationTime"].replace("T12:", "T13:")
    assert start


def created_times(rows: list[dict[str, Any]]) -> list[str]:
    """Return the times of day that are one hour apart from the first job on."""
    first = rows[0]["creationTime"].partition("T")[2]
    return [f"{int(first[:2]) + number:02d}{first[2:]}" for number in range(len(rows))]


def test_a_job_is_late_while_the_one_before_is_active_and_skipped_after_its_start_window(azure: BatchEmulator) -> None:
    long = MANAGER | {"commandLine": "/bin/sh -c 'sleep 4500'"}  # an hour and a quarter
    add(azure, {"recurrenceInterval": "PT1H", "startWindow": "PT30M"}, jobManagerTask=long)
    azure.clock.advance(3600 + 300)
    assert jobs(azure) == [("s:job-1", "active")]
    azure.clock.advance(3600 - 300)
    rows = azure.batch("GET", JOBS).body["value"]
    assert [row["state"] for row in rows] == ["completed", "active"]
    late = azure.batch("GET", "/jobs/s:job-1").body["executionInfo"]["endTime"]
    assert rows[1]["creationTime"] == late
    longer = long | {"commandLine": "/bin/sh -c 'sleep 7000'"}  # over the start window of the third hour
    azure.batch(
        "PATCH", "/jobschedules/s", {"jobSpecification": {"poolInfo": {"poolId": "p"}, "jobManagerTask": longer}}
    )
    azure.clock.advance(4 * 3600)
    assert [row["id"] for row in azure.batch("GET", JOBS).body["value"]][-1] == "s:job-4"
    assert azure.batch("GET", "/jobs/s:job-2/tasks/main").body["commandLine"] == long["commandLine"]


def test_a_schedule_creates_jobs_only_between_its_times(azure: BatchEmulator) -> None:
    times = {"doNotRunUntil": "2026-07-01T14:00:00+02:00", "doNotRunAfter": "2026-07-01T13:30:00Z"}
    add(azure, times | {"recurrenceInterval": "PT1H"})
    assert jobs(azure) == []
    assert get(azure)["executionInfo"]["nextRunTime"] == "2026-07-01T12:00:00Z"
    azure.clock.advance(8 * 3600)
    rows = azure.batch("GET", JOBS).body["value"]
    assert [row["creationTime"] for row in rows] == ["2026-07-01T12:00:00Z", "2026-07-01T13:00:00Z"]
    ended = get(azure)
    assert (ended["state"], ended["executionInfo"]["endTime"]) == ("completed", "2026-07-01T13:30:00Z")


def test_the_result_does_not_depend_on_when_it_is_read() -> None:
    def run(steps: int) -> tuple[Any, Any]:
        azure = BatchEmulator()
        azure.create_pool(dedicated=1)
        azure.wait_until_steady()
        formula = "$TargetDedicatedNodes = max($PendingTasks.GetSample(1)) > 0 ? 1 : 0;"
        enable = {"autoScaleFormula": formula, "autoScaleEvaluationInterval": "PT5M"}
        azure.batch("POST", "/pools/p/enableautoscale", enable)
        add(azure, {"recurrenceInterval": "PT1H"})
        other = {"poolInfo": {"poolId": "p"}, "jobManagerTask": MANAGER}
        body = {"id": "t", "schedule": {"recurrenceInterval": "PT50M"}, "jobSpecification": other}
        azure.batch("POST", "/jobschedules", body)
        for _ in range(steps):
            azure.clock.advance(6 * 3600 / steps)
            azure.pool()
        states = azure.batch("GET", "/jobs?$select=id,state,creationTime").body["value"]
        assert len(states) > 12
        tasks = [azure.batch("GET", f"/jobs/{row['id']}/tasks/main").body["executionInfo"] for row in states]
        return states, tasks

    assert run(1) == run(24)


def test_a_disabled_schedule_creates_no_jobs(azure: BatchEmulator) -> None:
    add(azure, {"recurrenceInterval": "PT1H", "startWindow": "PT10M"})
    assert azure.batch("POST", "/jobschedules/s/disable").status == 204
    azure.clock.advance(3 * 3600 + 1200)
    assert (len(jobs(azure)), get(azure)["state"]) == (1, "disabled")
    assert azure.batch("POST", "/jobschedules/s/enable").status == 204
    assert len(jobs(azure)) == 1  # the start window of the third hour is over
    azure.clock.advance(2400)
    assert len(jobs(azure)) == 2
    azure.batch("POST", "/jobschedules/s/disable")
    azure.clock.advance(3600 + 300)
    azure.batch(
        "POST", "/jobschedules/s/enable"
    )  # within the start window: the job is created now, not when it was due
    third = azure.batch("GET", "/jobs/s:job-3").body
    assert third["creationTime"] == get(azure)["stateTransitionTime"]


def test_terminating_and_deleting_take_their_time(azure: BatchEmulator) -> None:
    add(azure, {"recurrenceInterval": "PT1H"})
    assert azure.batch("POST", "/jobschedules/s/terminate").status == 202
    assert azure.batch("GET", "/jobs/s:job-1").body["executionInfo"]["terminateReason"] == "TerminateJobSchedule"
    assert get(azure)["state"] == "terminating"
    assert azure.batch("POST", "/jobschedules/s/disable").code == "JobScheduleBeingTerminated"
    azure.clock.advance(20)
    assert get(azure)["state"] == "completed"
    assert azure.batch("PATCH", "/jobschedules/s", {"metadata": []}).code == "JobScheduleCompleted"
    assert azure.batch("DELETE", "/jobschedules/s").status == 202
    assert azure.batch("GET", "/jobs/s:job-1").body["state"] == "deleting"
    assert (get(azure)["state"], add(azure).code) == ("deleting", "JobScheduleExists")
    azure.clock.advance(20)
    assert azure.batch("GET", "/jobs/s:job-1").code == "JobNotFound"
    assert azure.batch("GET", "/jobschedules/s").code == "JobScheduleNotFound"
    assert azure.batch("HEAD", "/jobschedules/s").status == 404
    assert add(azure).status == 201


def test_an_auto_pool_lives_as_long_as_its_job_or_the_schedule(azure: BatchEmulator) -> None:
    pool = {"vmSize": "Standard_D2s_v3", "virtualMachineConfiguration": MACHINE, "targetDedicatedNodes": 1}
    for option, count in (("job", 2), ("jobschedule", 1)):
        automatic = {"poolLifetimeOption": option, "pool": pool}
        add(azure, {"recurrenceInterval": "PT1H"}, poolInfo={"autoPoolSpecification": automatic})
        azure.clock.advance(3700)
        found = azure.batch("GET", "/jobschedules/s/jobs").body["value"]
        assert len({job["executionInfo"]["poolId"] for job in found}) == count
        azure.batch("DELETE", "/jobschedules/s")
        azure.clock.advance(600)
        assert [row["id"] for row in azure.batch("GET", "/pools").body["value"]] == ["p"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"schedule": {}, "jobSpecification": {"poolInfo": {"poolId": "p"}}}, "MissingRequiredProperty"),
        ({"id": "s", "jobSpecification": {"poolInfo": {"poolId": "p"}}}, "MissingRequiredProperty"),
        ({"id": "s", "schedule": {}}, "MissingRequiredProperty"),
        ({"id": "s", "schedule": {}, "jobSpecification": {}}, "MissingRequiredProperty"),
        ({"id": "s", "schedule": {}, "jobSpecification": {"poolInfo": {}}}, "MissingRequiredProperty"),
        ({"id": "a b", "schedule": {}, "jobSpecification": {"poolInfo": {"poolId": "p"}}}, "InvalidPropertyValue"),
        (GOOD | {"schedule": {"recurrenceInterval": "PT59S"}}, "InvalidPropertyValue"),
        (GOOD | {"schedule": {"recurrenceInterval": "1h"}}, "InvalidRequestBody"),
        (GOOD | {"schedule": {"startWindow": "PT1S"}}, "InvalidPropertyValue"),
        (GOOD | {"schedule": {"doNotRunUntil": "tomorrow"}}, "InvalidRequestBody"),
        (GOOD | {"schedule": {"doNotRunUntil": "2026-07-01T12:00:00ZZ"}}, "InvalidRequestBody"),
        (GOOD | {"schedule": {"doNotRunUntil": "9999-12-31T23:00:00-02:00"}}, "InvalidRequestBody"),
        (GOOD | {"schedule": {"doNotRunAfter": "2026-01-01T00:00:00Z"}}, "InvalidPropertyValue"),
        (GOOD | {"schedule": {"every": "PT1H"}}, "InvalidRequestBody"),
        ({"id": "s", "schedule": {}, "jobSpecification": {"id": "j"}}, "InvalidRequestBody"),
        (GOOD | {"displayName": "x" * 1025}, "InvalidPropertyValue"),
        (GOOD | {"jobSpecification": {"poolInfo": {"poolId": "p"}, "priority": 1001}}, "InvalidPropertyValue"),
        (GOOD | {"id": "j"}, "JobWithSameIdExists"),
    ],
)
def test_what_a_schedule_may_not_be(azure: BatchEmulator, body: dict[str, Any], code: str) -> None:
    azure.batch("POST", "/jobs", {"id": "j", "poolInfo": {"poolId": "p"}})
    assert azure.batch("POST", "/jobschedules", body).code == code


def test_schedules_with_the_sdk() -> None:
    async def work(both: BatchClients) -> list[Any]:
        batch = both.batch
        specification = models.BatchJobSpecification(pool_info=models.BatchPoolInfo(pool_id="p"), priority=5)
        recurrence = models.BatchJobScheduleConfiguration(recurrence_interval=timedelta(hours=1))
        await batch.create_job_schedule(
            models.BatchJobScheduleCreateOptions(id="s", schedule=recurrence, job_specification=specification)
        )
        metadata = [models.BatchMetadataItem(name="a", value="b")]
        await batch.update_job_schedule("s", models.BatchJobScheduleUpdateOptions(metadata=metadata))
        found = await batch.get_job_schedule("s")
        seen = [await batch.job_schedule_exists("s"), found.state, found.job_specification.priority, found.metadata]
        await batch.disable_job_schedule("s")
        await batch.enable_job_schedule("s")
        await batch.replace_job_schedule("s", found)
        seen += [job.id async for job in batch.list_jobs_from_schedule("s")]
        seen += [one.id async for one in batch.list_job_schedules(filter="state eq 'active'")]
        await (await batch.begin_terminate_job_schedule("s")).result()
        await (await batch.begin_delete_job_schedule("s")).result()
        with pytest.raises(ResourceNotFoundError):
            await batch.get_job_schedule("s")
        return seen

    assert run_with_clients(work) == [True, "active", 5, [{"name": "a", "value": "b"}], "s:job-1", "s"]
