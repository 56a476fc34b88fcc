"""Run a command over a table: one job, a task a row, and the table that comes back."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pandas as pd
import pytest
from azure.core.exceptions import ServiceResponseError

from batchimg_magics.core.base.schemas import SCHEMAS
from batchimg_magics.errors import BatchImgError, DetachedError, NotFoundError, SpecError, WaitTimeoutError
from batchimg_magics.ui.cli import main
from tests.support.connections import emulator_of, transport_of
from tests.support.idle_pools import create_idle_pools, open_session
from tests.support.shells import ipython, run_cell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batchimg_magics.session.session import Session

POOL = "genomics"


class Watched:
    """A transport that notes the requests of the data plane, and answers some of them itself."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.asked: list[tuple[str, str]] = []
        self.bodies: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def send(self, request: Any, **options: Any) -> Any:
        if ".batch.azure.com" in request.url:
            self.asked.append((request.method, unquote(request.url).partition(".azure.com")[2]))
            self.bodies.append(request.content)
        return await self._inner.send(request, **options)

    def count(self, method: str, text: str) -> int:
        return sum(one == method and text in url for one, url in self.asked)


@contextmanager
def runner(nodes: int = 4) -> Iterator[tuple[Session, Watched]]:
    with open_session(Watched) as (session, connection, emulator):
        create_idle_pools(emulator, {POOL: nodes})
        yield session, transport_of(connection)


@pytest.fixture
def pooled() -> Iterator[tuple[Session, Watched]]:
    with runner() as opened:
        yield opened


def frame(rows: int = 5) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "sample": [f"s {number}" for number in range(rows)],
            "wait": range(10, 10 + rows),
            "share": [0.5 * number for number in range(rows)],
            "state": pd.Categorical(["x"] * rows),
            "at": pd.date_range("2026-01-01", periods=rows, tz="UTC"),
            "good": [True] * rows,
        }
    )


def test_the_answer_is_the_table_and_what_came_of_each_row(pooled: tuple[Session, Watched]) -> None:
    session, watched = pooled
    session.delete(POOL)
    session.create(POOL, from_vm="prep-vm", vm_size="Standard_D4s_v5", nodes=5)  # its price is known
    given = frame()
    found = session.run(POOL, over=given, command="sleep {wait}\nexit {row}")
    own = [column.name for column in SCHEMAS["run"]]
    assert list(found.columns) == ["sample", "wait", "share", "state_input", "at", "good", *own]
    pd.testing.assert_frame_equal(found[list(found.columns[:6])].rename(columns={"state_input": "state"}), given)
    assert list(found.exit_code) == [0, 1, 2, 3, 4]
    assert list(found.failure.isna()) == [True, False, False, False, False]
    assert list(found.seconds) == [10.0, 11.0, 12.0, 13.0, 14.0]
    assert found.stderr_tail.isna()[0]
    assert found.stdout_tail[1].startswith("The emulator executes no commands")
    assert list(found.usd / found.seconds) == pytest.approx([found.usd[0] / found.seconds[0]] * 5)
    attrs = found.attrs
    assert (attrs["done"], attrs["failed"], attrs["rows"], attrs["pool"]) == (5, 4, 5, POOL)
    assert attrs["usd"] == pytest.approx(found.usd.sum(), abs=1e-5)
    assert attrs["renamed_columns"] == {"state": "state_input"}
    body = json.loads(next(one for one in watched.bodies if one and "commandLine" in one))["value"][1]
    assert body["id"] == "000001"
    assert body["constraints"] == {"maxTaskRetryCount": 0}
    again = session.results(attrs["run"])
    pd.testing.assert_frame_equal(again, found)
    short = session.results(attrs["run"].removeprefix("run-")[:4])
    assert len(short) == 5


def test_the_same_line_is_the_same_job_and_only_adds_what_is_missing(pooled: tuple[Session, Watched]) -> None:
    session, watched = pooled
    pilot = session.run(POOL, over=frame(), command=["sleep", "{wait}"], limit=2)
    assert pilot.attrs["resources"] == {"job": pilot.attrs["run"]}
    assert (len(pilot), pilot.attrs["table_rows"]) == (2, 5)
    assert "3 without a task yet" in pilot.attrs["caption"]
    watched.bodies.clear()
    whole = session.run(POOL, over=frame(), command=["sleep", "{wait}"], max_minutes=5, retries=2)
    assert whole.attrs["run"] == pilot.attrs["run"]
    added = [json.loads(one)["value"] for one in watched.bodies if one and "commandLine" in one]
    assert [[task["id"] for task in tasks] for tasks in added] == [["000002", "000003", "000004"]]
    assert added[0][0]["constraints"] == {"maxTaskRetryCount": 2, "maxWallClockTime": "PT300S"}
    watched.asked.clear()
    over = session.run(POOL, over=frame(), command=["sleep", "{wait}"])
    assert watched.count("POST", "addtaskcollection") == 0
    assert watched.count("GET", "/tasks") == 1
    pd.testing.assert_frame_equal(over, whole)
    other = session.run(POOL, over=frame(), command=["sleep", "{wait}"], environment={"A": "1"})
    assert other.attrs["run"] != whole.attrs["run"]
    listed = session.runs()
    assert set(listed.run) == {whole.attrs["run"], other.attrs["run"]}
    assert list(listed.succeeded) == [5, 5]


def test_what_failed_runs_again_only_when_it_is_asked_for(pooled: tuple[Session, Watched]) -> None:
    session, watched = pooled
    command = "exit {row}"
    session.run(POOL, over=frame(3), command=command)
    watched.asked.clear()
    session.run(POOL, over=frame(3), command=command)
    assert not [one for one in watched.asked if one[0] == "POST" and one[1].partition("?")[0] != "/jobs"]
    again = session.run(POOL, over=frame(3), command=command, retry="failed")
    assert watched.count("POST", "/reactivate") == 2
    assert "2 rows run again" in again.attrs["caption"]
    assert list(again.exit_code) == [0, 1, 2]


def test_a_run_needs_few_requests() -> None:
    with runner(nodes=40) as (session, watched):
        found = session.run(POOL, over=pd.DataFrame({"n": range(400)}), command=["sleep", "{n}"])
        assert found.seconds.sum() == found.n.sum()
    assert watched.count("POST", "/addtaskcollection") == 4
    assert watched.count("GET", "/tasks?") == 1
    polls = watched.count("GET", "/taskcounts")
    assert polls < found.attrs["seconds"] / 60  # an hour and more
    assert len(watched.asked) == 4 + 1 + polls + 3  # and the job: added, read and ended


def test_bodies_that_are_too_large_are_divided(pooled: tuple[Session, Watched]) -> None:
    session, watched = pooled
    table = pd.DataFrame({"text": ["é" * 20_000] * 50, "n": range(50)})
    found = session.run(POOL, over=table, command="sleep {n}")
    assert len(found) == 50
    assert watched.count("POST", "/addtaskcollection") == 7
    assert max(len(one) for one in watched.bodies if one) < 1_048_576


def test_a_stopped_run_goes_on_with_the_same_line(pooled: tuple[Session, Watched]) -> None:
    session, _ = pooled
    with pytest.raises(DetachedError) as caught:
        interrupted(session)
    assert "see it with `session.results(" in caught.value.hint or "%batchimg results run-" in caught.value.hint
    run = session.runs().run[0]
    assert f"stop-run {run}" in caught.value.hint
    stopped = session.stop_run(run)
    assert list(stopped.state) == ["disabled"]
    assert "stopped" in stopped.attrs["caption"]
    found = session.run(POOL, over=frame(40), command=["sleep", "1000"])
    assert found.attrs["run"] == run
    assert found.attrs["done"] == 40
    assert "nothing of it waits" in session.stop_run(run).attrs["caption"]


def interrupted(session: Session) -> None:
    """Begin a run, and press Ctrl-C when its tasks are there."""
    running = session.begin("run", name=POOL, over=frame(40), command=("sleep", "1000"))
    while not any(one.name == "rows" for one in running.board.activities()):
        running.wait(0.01)
    running.interrupt()
    raise running.detached_error()


def test_no_wait_and_a_wait_join_the_same_work(pooled: tuple[Session, Watched]) -> None:
    session, watched = pooled
    started = session.run(POOL, over=frame(), command="sleep 5", wait=False)
    assert "started" in started.attrs["caption"]
    assert session.run(POOL, over=frame(), command="sleep 5").attrs["done"] == 5
    assert watched.count("POST", "/jobs?") == 1


def test_answers_that_are_lost_add_no_task_twice(pooled: tuple[Session, Watched]) -> None:
    session, watched = pooled
    session.run(POOL, over=frame(), command="sleep 5", limit=3)
    transport, lost = watched.send, []

    async def losing(request: Any, **options: Any) -> Any:
        answer = await transport(request, **options)
        if "/addtaskcollection" in request.url and not lost:
            lost.append(request)
            raise ServiceResponseError("lost")
        return answer

    watched.send = losing  # type: ignore[method-assign] # for this test
    found = session.run(POOL, over=frame(), command="sleep 5")
    assert lost
    assert (found.attrs["rows"], found.attrs["done"], found.attempts.sum()) == (5, 5, 5)


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        ({"command": "ls {sampel}"}, "there is no column 'sampel' in the table", "did you mean sample?"),
        ({"command": ""}, "the command was not given", "write it after --"),
        ({"command": ["ls", "|", "cat"]}, "| is an operator of a shell", "body of a cell"),
        ({"over": None}, "the table was not given", "--over FILE"),
        ({"over": "missing.csv"}, "--over: missing.csv cannot be read", "CSV or Parquet"),
        ({"over": pd.DataFrame({"a": []})}, "--over $table: the table has no rows", "each row is one task"),
        ({"over": pd.DataFrame({"a": [[1]]})}, "column 'a' has a list", "convert the column"),
        ({"over": pd.DataFrame([[1, 2]], columns=["a", "a"])}, "two columns are named 'a'", "rename"),
        ({"name": "empty"}, "pool empty has no nodes", "resize"),
        ({"name": "nowhere"}, "there is no pool 'nowhere'", "available"),
        ({"slots": 3}, "--slots is 3, and a node of pool genomics has 1", "never run"),
        ({"limit": 0}, "--limit is 0", "1 or more"),
        ({"environment": {"sample": "x"}}, "--environment sample: a column has this name", "rename"),
        ({"environment": {"AZ_BATCH_X": "x"}}, "the name is reserved", ""),
        ({"container": "ubuntu"}, "pool genomics has no containers", "remove --container"),
        ({"outputs": "*.bam"}, "--to was not given", "--outputs"),
        (
            {"outputs": "*", "to": "https://a.blob.core.windows.net/c?sv=1&sig=abc"},
            "--to has a query",
            "managed identity",
        ),
        ({"outputs": "*", "to": "https://a.blob.core.windows.net/c"}, "no user-assigned managed identity", "--identit"),
        ({"outputs": "*", "to": "results"}, "has no mount 'results'", "--mount"),
        ({"outputs": "*", "to": "../etc"}, "neither the URL of a container nor a mount", "mount"),
        ({"retry": "all"}, "--retry is 'all'", "failed"),
    ],
)
def test_bad_input_changes_nothing(bad: tuple[Session, Watched], options: Any, message: str, hint: str) -> None:
    session, watched = bad
    watched.asked.clear()
    with pytest.raises((SpecError, NotFoundError)) as caught:
        session.run(**{"name": POOL, "over": frame(), "command": "ls {sample}", **options})
    assert message in caught.value.message
    assert hint.replace("--", "") in caught.value.hint.replace("--", "")
    assert [one for one in watched.asked if one[0] != "GET"] == []


@pytest.fixture(scope="module")
def bad() -> Iterator[tuple[Session, Watched]]:
    with open_session(Watched) as (session, connection, emulator):
        create_idle_pools(emulator, {POOL: 1, "empty": 0})
        yield session, transport_of(connection)


def test_a_dry_run_shows_the_first_tasks_and_changes_nothing(bad: tuple[Session, Watched]) -> None:
    session, watched = bad
    watched.asked.clear()
    table = pd.concat([frame(7)] * 2)
    found = session.run(POOL, over=table, command=["align", "{sample}"], dry_run=True)
    assert list(found.command_line[:2]) == [f"/bin/bash -c {part}" for part in PARTS]
    assert "sample=s 0\nwait=10" in found.environment[0]
    assert "would run 14 rows; 7 rows of the table equal to another one" in found.attrs["caption"]
    assert [one for one in watched.asked if one[0] != "GET"] == []


PARTS = ["'align '\"'\"'s 0'\"'\"''", "'align '\"'\"'s 1'\"'\"''"]


def test_a_pool_that_loses_its_nodes_ends_the_wait() -> None:
    with runner(nodes=1) as (session, _):
        session.resize(POOL, nodes=0, autoscale_off=True, wait=False)
        with pytest.raises((WaitTimeoutError, SpecError), match="no nodes"):
            session.run(POOL, over=frame(), command=["sleep", "100000"])


def test_csv_and_parquet_arrive_as_they_are(bad: tuple[Session, Watched], tmp_path: Path) -> None:
    session, _ = bad
    (tmp_path / "s.csv").write_text('id,code,x,note\n1,007,1.50,"a, b"\n2,008,,\n', encoding="utf-8")
    found = session.run(POOL, over=str(tmp_path / "s.csv"), command=["true", "{code}", "{x}"])
    assert list(found.dtypes.astype(str)[:4]) == ["Int64", "string", "Float64", "string"]
    assert list(found.code) == ["007", "008"]
    assert found.x[0] == 1.5
    assert found.x.isna()[1]
    shown = session.run(POOL, over=str(tmp_path / "s.csv"), command=["true", "{x}"], dry_run=True)
    assert shown.command_line[0] == "/bin/bash -c 'true 1.50'"
    parquet = tmp_path / "s.parquet"
    frame().to_parquet(parquet)
    again = session.run(POOL, over=str(parquet), command="true")
    assert list(again["wait"]) == [10, 11, 12, 13, 14]
    (tmp_path / "bad.csv").write_text("a,b\n1\n", encoding="utf-8")
    with pytest.raises(SpecError, match="row 0 has 1 fields"):
        session.run(POOL, over=str(tmp_path / "bad.csv"), command="true")


def test_cells_and_lines_of_a_notebook() -> None:
    with ipython(state=":memory:", speed="max") as shell:
        magic = shell.magics_manager.registry["BatchImgMagics"]
        magic.session.open(state=":memory:", speed="max")
        create_idle_pools(emulator_of(magic.session), {POOL: 2})
        shell.user_ns |= {"df": frame(3), "wait": "of the notebook"}
        run_cell(shell, f"%%batchimg found << run {POOL} --over $df\nsleep {{wait}}\nexit 3")
        assert list(shell.user_ns["found"].seconds) == [10.0, 11.0, 12.0]
        assert list(shell.user_ns["found"].exit_code) == [3, 3, 3]
        line = run_cell(shell, f"%batchimg run {POOL} --over df --limit 2 -- sleep {{wait}}")
        assert list(line.seconds) == [10.0, 11.0]
        record = line.attrs  # JSON only
        assert json.loads(json.dumps(record))["pool"] == POOL
        for wrong, message in (
            ("-- sleep {wait} | cat", "| after -- needs a shell"),
            ("-- sleep 'x", "a quote is not closed"),
            ("--command {wait}", "--command takes a file"),
            ("--command @README.md -- sleep", "cannot be combined"),
        ):
            with pytest.raises(SpecError, match=message.replace("|", r"\|")):
                run_cell(shell, f"%batchimg run {POOL} --over $df {wrong}")


def test_the_command_line_tells_a_failed_row_by_its_status(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "s.csv").write_text("code\n0\n1\n", encoding="utf-8")
    assert main(["run", "nowhere", "--over", str(tmp_path / "s.csv"), "--", "exit", "{code}"]) == 1
    assert "there is no pool 'nowhere'" in capsys.readouterr().err


def test_names_of_runs(bad: tuple[Session, Watched]) -> None:
    session, _ = bad
    for name in ("run-", "x y", "genomics"):
        with pytest.raises(SpecError, match="is not the name of a run"):
            session.results(name)
    with pytest.raises(NotFoundError, match="there is no run 'run-00'"):
        session.results("run-00")
    with pytest.raises(BatchImgError):
        session.stop_run("run-00")


def test_the_progress_has_a_forecast_and_tells_that_the_pool_expires_before(pooled: tuple[Session, Watched]) -> None:
    session, _ = pooled
    session.create("short", from_vm="prep-vm", vm_size="Standard_D4s_v5", nodes=2, ttl="1h")
    running = session.begin("run", name="short", over=frame(400), command=("sleep", "60"))
    seen: set[str] = set()
    while not running.wait(0.001):
        seen |= {one.detail for one in running.board.activities() if one.name == "rows"}
    with pytest.raises(WaitTimeoutError, match="pool short has no nodes any more") as caught:
        running.result()
    assert "resize short --nodes N" in caught.value.hint
    assert any(
        "2 running" in text and "left" in text and "$" in text and "pool short expires at" in text for text in seen
    )


def test_a_lost_answer_to_a_retry_replaces_no_task_that_runs(pooled: tuple[Session, Watched]) -> None:
    session, watched = pooled
    session.run(POOL, over=frame(2), command="sleep 600\nexit {row}")
    transport, lost = watched.send, []

    async def losing(request: Any, **options: Any) -> Any:
        answer = await transport(request, **options)
        if "/reactivate" in request.url and not lost:
            lost.append(request)
            raise ServiceResponseError("lost")
        return answer

    watched.send = losing  # type: ignore[method-assign] # for this test
    again = session.run(POOL, over=frame(2), command="sleep 600\nexit {row}", retry="failed")
    assert lost
    assert watched.count("DELETE", "/tasks/") == 0
    assert list(again.exit_code) == [0, 1]
