"""Azure's command line with job schedules, files, applications, usage metrics, and the tasks of jobs on nodes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.azcli.cloud import AzureCli

UBUNTU = (
    "--image",
    "canonical:0001-com-ubuntu-server-jammy:22_04-lts",
    "--node-agent-sku-id",
    "batch.node.ubuntu 22.04",
)


@pytest.fixture(scope="module")
def pool(instant_emulator: AzureCli) -> str:
    """Return a pool of one idle node."""
    create = ("batch", "pool", "create", "--id", "jobs", "--vm-size", "Standard_D2s_v3", *UBUNTU)
    instant_emulator.az(*create, "--target-dedicated-nodes", "1")
    return "jobs"


def test_job_schedules(instant_emulator: AzureCli, pool: str, tmp_path: Path) -> None:
    az = instant_emulator.az
    az("batch", "job-schedule", "create", "--id", "s", "--pool-id", pool, "--recurrence-interval", "PT1H")
    at = ("--job-schedule-id", "s")
    found = az("batch", "job-schedule", "show", *at)
    assert (found["state"], found["schedule"]["recurrenceInterval"]) == ("active", "PT1H")
    assert found["executionInfo"]["recentJob"]["id"] == "s:job-1"
    assert az("batch", "job", "list", *at, "--query", "[].id") == ["s:job-1"]
    az("batch", "job-schedule", "disable", *at)
    az("batch", "job-schedule", "enable", *at)
    az("batch", "job-schedule", "set", *at, "--recurrence-interval", "PT2H")
    body = {"schedule": {"recurrenceInterval": "PT3H"}, "jobSpecification": {"poolInfo": {"poolId": pool}}}
    (tmp_path / "s.json").write_text(json.dumps(body), encoding="utf-8")
    az("batch", "job-schedule", "reset", *at, "--json-file", str(tmp_path / "s.json"))
    assert az("batch", "job-schedule", "list", "--query", "[].schedule.recurrenceInterval") == ["PT3H"]
    az("batch", "job-schedule", "stop", *at)
    az("batch", "job-schedule", "delete", *at, "--yes")


def test_tasks_their_files_and_where_their_job_was_prepared(
    instant_emulator: AzureCli, pool: str, tmp_path: Path
) -> None:
    az = instant_emulator.az
    job = {"id": "j", "poolInfo": {"poolId": pool}, "jobPreparationTask": {"commandLine": "true"}}
    (tmp_path / "j.json").write_text(json.dumps(job), encoding="utf-8")
    az("batch", "job", "create", "--json-file", str(tmp_path / "j.json"))
    az("batch", "task", "create", "--job-id", "j", "--task-id", "t", "--command-line", "sleep 1000000000")
    at = ("--job-id", "j", "--task-id", "t")
    az("batch", "task", "reset", *at, "--max-task-retry-count", "2")
    assert az("batch", "task", "show", *at)["constraints"]["maxTaskRetryCount"] == 2
    assert az("batch", "task", "subtask", "list", *at) == []
    az("batch", "task", "file", "delete", *at, "--file-path", "stdout.txt", "--yes")
    assert az("batch", "task", "file", "list", *at, "--query", "[].name") == ["stderr.txt"]
    [row] = az("batch", "job", "prep-release-status", "list", "--job-id", "j")
    assert row["jobPreparationTaskExecutionInfo"]["exitCode"] == 0
    az("batch", "job", "delete", "--job-id", "j", "--yes")


def test_applications_and_usage(instant_emulator: AzureCli) -> None:
    assert instant_emulator.az("batch", "application", "summary", "list") == []
    rows = instant_emulator.az("batch", "pool", "usage-metrics", "list")
    assert {row["poolId"] for row in rows} <= {"jobs"}
