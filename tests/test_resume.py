"""Whatever happens to the process, the same line goes on where it stopped."""

from __future__ import annotations

import asyncio
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics.errors import DetachedError
from batchimg_magics.session import Session
from tests.conftest import LINE
from tests.crash import CASES, Case, Line, points

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.verb)
def test_cut_off_and_run_again(case: Case, tmp_path: Path) -> None:
    """Some of the points; `make crash` tries them all."""
    tried = dict(points(case, tmp_path, every=case.sample))
    assert len(tried) > 5
    assert {name: said for name, said in tried.items() if said} == {}


class Interrupting(Line):
    """A transport in whose n-th request somebody presses Ctrl-C, while Azure takes its time to answer."""

    async def send(self, request: Any, **kwargs: Any) -> Any:
        if self.sent == self.at:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            await asyncio.Event().wait()
        self.sent += 1
        return await self.inner.send(request, **kwargs)


def test_interrupt_says_how_to_go_on_and_begins_nothing_new() -> None:
    lines: list[Interrupting] = []

    def through(inner: Any) -> Interrupting:
        lines.append(Interrupting(inner, at=-1))
        return lines[-1]

    with Session(through=through) as session:
        session.connect()
        lines[0].at = lines[0].sent + 36  # it waits for the image version
        with pytest.raises(DetachedError) as caught:
            session.create("genomics", **LINE)
        line = "%batchimg create genomics --from-vm prep-vm --vm-size Standard_D4s_v5 --nodes 20 --spot 5"
        assert f"go on with `{line}`" in caught.value.hint
        assert "stop with `%batchimg stop genomics`" in caught.value.hint
        lines[0].at = -1
        sent = lines[0].sent
        session.names("pool")  # the loop is free, and the work is not on it any more
        assert lines[0].sent == sent + 1
        steps = session.create("genomics", **LINE)
        assert set(steps.state) == {"Succeeded", "ready"}
        assert len(session.images()) == 1


def test_synchronous_call_on_the_loop_raises_instead_of_waiting_for_itself(session: Session) -> None:
    failures: list[Exception] = []
    work = session.begin("pools")
    work.result()

    def from_the_loop() -> None:
        try:
            session.begin("vms").result()
        except RuntimeError as error:
            failures.append(error)

    session._linked().loop.call_soon_threadsafe(from_the_loop)
    session.names("pool")
    assert "own loop" in str(failures[0])
