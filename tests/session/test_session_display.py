"""What a `Session` shows: progress, itself, and what it leaves behind."""

from __future__ import annotations

import copy
import io
import pickle
import threading
from dataclasses import FrozenInstanceError
from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics import BatchImgError, ProgressEvent, Session
from batchimg_magics.session import progress
from tests.support.connections import connection_of

if TYPE_CHECKING:
    from collections.abc import Iterator

LINE: dict[str, Any] = {"from_vm": "prep-vm", "vm_size": "Standard_D4s_v5"}


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def session() -> Iterator[Session]:
    with Session() as opened:
        opened.connect(state=":memory:", speed="max")
        yield opened


def create(**settings: Any) -> Session:
    made = Session(**settings)
    made.connect(state=":memory:", speed="max")
    made.create("genomics", **LINE, nodes=2)
    return made


def test_a_terminal_shows_bars_and_false_shows_none(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr("sys.stderr", screen)
    for setting in (None, True):
        create(progress=setting).close()
        assert "create genomics: done · " in screen.getvalue()
        screen.seek(0)
        screen.truncate()
    create(progress=False).close()
    assert screen.getvalue() == ""


def test_a_function_gets_events_and_a_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[ProgressEvent] = []
    with create(progress=events.append) as session:
        of_create = [event for event in events if event.verb == "create"]
        last = of_create[-1]
        assert [event.outcome for event in of_create].count("done") == 1
        assert (last.label, last.outcome) == ("create genomics", "done")
        assert {step.name for step in last.steps} >= {"image version", "nodes"}
        assert all(step.has_ended for step in last.steps)
        assert last.elapsed_s >= max(step.elapsed_s for step in last.steps) > 60
        with pytest.raises(FrozenInstanceError):
            last.outcome = "failed"  # type: ignore[misc] # what the test is about
        with pytest.raises(BatchImgError):
            session.nodes("nope")
        assert events[-1].outcome == "failed"
        events.clear()
        monkeypatch.setattr(progress, "CALL_INTERVAL_S", 10.0**9)
        session.resize("genomics", nodes=60)
        assert len(events) <= 2


def test_a_function_that_fails_breaks_no_work(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(_: ProgressEvent) -> None:
        raise ValueError("my own mistake")

    with create(progress=fail) as session:
        assert len(session.nodes("genomics")) == 2
    said = capsys.readouterr().err
    assert "The progress function failed" in said
    assert said.count("my own mistake") == said.count("The progress function failed") * 2  # the line, and the error


def test_a_function_may_interrupt() -> None:
    def interrupt(_: ProgressEvent) -> None:
        raise KeyboardInterrupt

    with pytest.raises((BatchImgError, KeyboardInterrupt)):
        create(progress=interrupt)


def test_its_representation_sends_no_request_and_has_no_secret(session: Session) -> None:
    assert repr(Session()) == "<Session: not connected>"
    assert "none yet" in Session()._repr_mimebundle_()["text/plain"]
    assert repr(session) == "<Session LOCAL: account genomicsbatch, region eastus>"
    bundle = session._repr_mimebundle_()
    assert bundle["text/plain"].splitlines()[0] == "LOCAL · session"
    assert "resource group" in bundle["text/html"]
    session.create("genomics", **LINE, wait=False)
    assert repr(session).endswith("running: create genomics>")
    session.create("genomics", **LINE)
    session.close()
    assert repr(session) == "<Session: not connected>"


def test_a_panel_outside_of_notebooks_is_text(session: Session) -> None:
    session.create("genomics", **LINE, nodes=2)
    panel = session.pool("genomics").panel()
    assert "nodes: idle 2" in repr(panel)
    assert "<div" not in repr(panel)
    assert "genomics" in repr(session.panel())
    panel.close()


def test_it_cannot_be_copied_and_closes_twice(session: Session) -> None:
    for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="open one in each process"):
            attempt(session)
    with pytest.raises(TypeError):
        pickle.dumps(session.pool("p"))
    session.close()
    session.close()


def test_threads_share_a_session(session: Session) -> None:
    session.create("genomics", **LINE, nodes=2)
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(len(session.nodes("genomics")))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [2] * 6


def test_nodes_that_stay_on_azure_are_told_at_the_end_of_the_block(capsys: pytest.CaptureFixture[str]) -> None:
    with create() as session:
        connection = connection_of(session)
        local, connection.emulator = connection.emulator, None  # as far as the session can tell, it is real
        session.pools()
        session.resize("genomics", nodes=3)
    said = capsys.readouterr().err
    assert "nodes are still billed: genomics (3 dedicated, $" in said
    assert '`session.resize("genomics", nodes=0, spot=0, yes=True)`' in said
    if local is not None:
        local.close()
    with create():
        pass
    assert capsys.readouterr().err == "", "nothing is billed in the emulator"
