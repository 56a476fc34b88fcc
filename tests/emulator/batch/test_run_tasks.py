"""Tasks that really run, by the SDK's client: output, exit codes, files, limits, and what stops them."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from azure.batch import BatchClient, models
from azure.core.exceptions import HttpResponseError

from batchimg_magics import NotConnectedError, Session, SpecError
from batchimg_magics.emulator import server
from batchimg_magics.emulator.testing import open_batch_emulator
from tests.support.connections import emulator_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

JAMMY = models.BatchVmImageReference(publisher="canonical", offer="0001-com-ubuntu-server-jammy", sku="22_04-lts")
UNCOUNTED = 1_000


class Blobs(BaseHTTPRequestHandler):
    """A container of blobs: what is put can be got."""

    stored: dict[str, bytes]

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        found = self.stored.get(path)
        if "comp=list" in self.path:
            names = "".join(f"<Blob><Name>{name[3:]}</Name></Blob>" for name in self.stored)
            found = f"<EnumerationResults><Blobs>{names}</Blobs></EnumerationResults>".encode()
        self.send_response(404 if found is None else 200)
        self.send_header("Content-Length", str(len(found or b"")))
        self.end_headers()
        self.wfile.write(found or b"")

    def do_PUT(self) -> None:
        self.stored[self.path.partition("?")[0]] = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def blobs() -> Iterator[tuple[str, dict[str, bytes]]]:
    Blobs.stored = {}
    with ThreadingHTTPServer(("127.0.0.1", 0), Blobs) as web:
        thread = threading.Thread(target=web.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{web.server_address[1]}/c", Blobs.stored
        web.shutdown()
        thread.join()


class Lab:
    """A pool with two nodes, whose tasks run."""

    def __init__(self, client: BatchClient, advance: Callable[[float], None]) -> None:
        self.client, self.advance = client, advance

    def create_pool(self, name: str, **options: Any) -> None:
        machine = models.VirtualMachineConfiguration(image_reference=JAMMY, node_agent_sku_id="batch.node.ubuntu 22.04")
        self.client.create_pool(
            models.BatchPoolCreateOptions(
                id=name, vm_size="standard_d2s_v3", virtual_machine_configuration=machine,
                target_dedicated_nodes=2, **options,
            )
        )  # fmt: skip
        self.advance(1200)
        info = models.BatchPoolInfo(pool_id=name)
        self.client.create_job(models.BatchJobCreateOptions(id=name, pool_info=info))

    def add(self, name: str, command: str, job: str = "lab", **options: Any) -> None:
        task = models.BatchTaskCreateOptions(id=name, command_line=command, **options)
        self.client.create_task(job, task)

    def wait(self, name: str, state: str = "completed", job: str = "lab") -> models.BatchTask:
        """Return a task once it is in a state: each look lets the other thread work."""
        for _ in range(UNCOUNTED):
            task = self.client.get_task(job, name)
            if task.state == state:
                return task
            threading.Event().wait(0.01)
        raise AssertionError(f"{name} is {task.state}")

    def run(self, name: str, command: str, **options: Any) -> models.BatchTask:
        self.add(name, command, **options)
        return self.wait(name)

    def text(self, name: str, path: str) -> str:
        return b"".join(self.client.download_task_file("lab", name, path)).decode()


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with open_batch_emulator() as emulator, emulator_client(emulator) as client:
        emulator.run_tasks()
        made = Lab(client, emulator.advance)
        made.create_pool("lab")
        yield made


@contextlib.contextmanager
def emulator_client(emulator: Any) -> Iterator[BatchClient]:
    with BatchClient(emulator.batch_endpoint, emulator.credential, transport=emulator.transport) as client:
        yield client


def test_a_command_runs_without_a_shell_with_the_variables_of_batch(lab: Lab) -> None:
    setting = models.EnvironmentSetting(name="COLOUR", value="deep green")
    command = """/bin/sh -c 'echo "$AZ_BATCH_TASK_ID $COLOUR"; pwd; echo lost >&2; exit 3'"""
    done = lab.run("shell", command, environment_settings=[setting])
    assert (done.execution_info.exit_code, done.execution_info.result) == (3, "failure")
    first, folder = lab.text("shell", "stdout.txt").splitlines()
    assert first == "shell deep green"
    assert folder.endswith("/workitems/lab/job-1/shell/wd")
    assert lab.text("shell", "stderr.txt") == "lost\n"
    lab.run("plain", "echo $COLOUR; true")
    assert lab.text("plain", "stdout.txt") == "$COLOUR; true\n"
    missing = lab.run("missing", "no-such-program --help")
    assert missing.execution_info.exit_code == 127


def test_a_task_sees_nothing_of_the_environment_of_this_process(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SECRET_TOKEN", "Pr0be")
    lab.run("env", "env")
    assert "Pr0be" not in lab.text("env", "stdout.txt")
    assert f"PATH={os.environ['PATH']}" in lab.text("env", "stdout.txt")


def test_a_task_that_fails_is_tried_again_and_one_that_runs_too_long_is_ended(lab: Lab) -> None:
    counted = "/bin/sh -c 'echo >> $AZ_BATCH_NODE_SHARED_DIR/tries; [ $(wc -l < $AZ_BATCH_NODE_SHARED_DIR/tries) = 3 ]'"
    limits = models.BatchTaskConstraints(max_task_retry_count=5)
    done = lab.run("again", counted, constraints=limits)
    assert (done.execution_info.exit_code, done.execution_info.retry_count) == (0, 2)
    short = models.BatchTaskConstraints(max_wall_clock_time=dt.timedelta(seconds=0.2))
    ended = lab.run("long", "/bin/sh -c 'sleep 60 & sleep 60'", constraints=short)
    assert ended.execution_info.failure_info is not None
    assert "wall clock" in ended.execution_info.failure_info.message


def test_a_task_that_is_terminated_ends_with_all_that_it_started(lab: Lab) -> None:
    lab.add("endless", "/bin/sh -c 'echo $$ > pid; sleep 600 & wait'")
    lab.wait("endless", "running")
    for _ in range(UNCOUNTED):
        with contextlib.suppress(Exception):
            if group := lab.text("endless", "wd/pid").strip():
                break
        threading.Event().wait(0.01)
    lab.client.terminate_task("lab", "endless")
    lab.wait("endless")
    for _ in range(UNCOUNTED):
        try:
            os.killpg(int(group), 0)
        except ProcessLookupError:
            return
        threading.Event().wait(0.01)
    raise AssertionError("it still runs")


def test_files_come_before_a_task_and_go_after_it(lab: Lab, blobs: tuple[str, dict[str, bytes]]) -> None:
    container, stored = blobs
    stored["/c/in/a.txt"] = b"one\n"
    inputs = [
        models.ResourceFile(http_url=f"{container}/in/a.txt?sig=x", file_path="single.txt"),
        models.ResourceFile(storage_container_url=f"{container}?sig=x", blob_prefix="in/"),
    ]
    target = models.OutputFileBlobContainerDestination(container_url=f"{container}?sig=x", path="out")
    outputs = [
        models.OutputFile(
            file_pattern=pattern,
            destination=models.OutputFileDestination(container=target),
            upload_options=models.OutputFileUploadConfiguration(upload_condition=condition),
        )
        for pattern, condition in (("*.out", "tasksuccess"), ("../stdout.txt", "taskcompletion"), ("*", "taskfailure"))
    ]
    command = "/bin/sh -c 'cat single.txt in/a.txt > both.out; cat both.out'"
    done = lab.run("files", command, resource_files=inputs, output_files=outputs)
    assert done.execution_info.exit_code == 0
    assert stored["/c/out/both.out"] == b"one\none\n"
    assert b"one\none\n" in stored.values()
    assert "/c/out/single.txt" not in stored
    lost = lab.run(
        "lost", "true", resource_files=[models.ResourceFile(http_url=f"{container}/none?sig=x", file_path="n")]
    )
    assert lost.execution_info.failure_info is not None
    assert "404" in lost.execution_info.failure_info.message
    assert "sig=" not in lost.execution_info.failure_info.message
    outside = models.ResourceFile(http_url=f"{container}/in/a.txt", file_path="../../x")
    with pytest.raises(HttpResponseError, match="relative to the working directory"):
        lab.run("out", "true", resource_files=[outside])


def test_the_start_task_runs_first_and_a_node_where_it_fails_runs_no_task(lab: Lab) -> None:
    start = models.BatchStartTask(command_line="/bin/sh -c 'echo ready > $AZ_BATCH_NODE_SHARED_DIR/mark'")
    lab.create_pool("prepared", start_task=start)
    lab.add("t", "/bin/sh -c 'cat $AZ_BATCH_NODE_SHARED_DIR/mark'", job="prepared")
    assert lab.wait("t", job="prepared").execution_info.exit_code == 0
    broken = models.BatchStartTask(command_line="python3 -c 'raise SystemExit(4)'", wait_for_success=True)
    lab.create_pool("broken", start_task=broken)
    lab.add("t", "true", job="broken")
    for _ in range(UNCOUNTED):
        nodes = list(lab.client.list_nodes("broken"))
        if {node.state for node in nodes} == {"starttaskfailed"}:
            break
        threading.Event().wait(0.01)
    assert [node.errors[0].code for node in nodes] == ["StartTaskFailed"] * 2
    assert lab.client.get_task("broken", "t").state == "active"


def test_the_notebook_says_that_tasks_run_and_only_where_it_was_asked_for(tmp_path: Path) -> None:
    state = tmp_path / "world.db"
    with Session() as session:
        session.connect(state=str(state), speed=600, run_tasks=True)
        assert "tasks run on this machine" in session.label
        with Session() as other:
            other.connect(state=str(state), speed=600)
            assert "tasks run" not in other.label
            with pytest.raises(NotConnectedError, match="another process runs the tasks"):
                other.connect(state=str(state), speed=600, run_tasks=True)
    with Session() as session:
        session.connect(state=str(state), speed="max")
        assert "tasks run" not in session.label
        assert emulator_of(session).executor is None
        with pytest.raises(SpecError, match="options of the emulator"):
            session.connect(subscription="s", resource_group="g", account="a", run_tasks=True)


def test_a_server_for_other_machines_runs_no_tasks(capsys: pytest.CaptureFixture[str]) -> None:
    assert server.main(["--container", "--run-tasks", "--state", ":memory:"]) == 1
    assert "other machines could run commands" in capsys.readouterr().err
