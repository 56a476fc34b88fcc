"""After any interruption of the process, the same line continues."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import ServiceRequestError

from batchimg_magics.errors import DetachedError, ResizeError
from tests.support.connections import connection_of, emulator_of, wrapped_session
from tests.support.crash import ALL_CASES, CrashTransport, try_some, try_wrong_points
from tests.support.crash_cases import SIZE
from tests.support.create_options import CREATE_OPTIONS
from tests.support.sigkills import kill_and_compare

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batchimg_magics.session.session import Session
    from tests.support.crash_cases import Case


@pytest.fixture(scope="module")
def single_threaded() -> Iterator[ProcessPoolExecutor]:
    """Start a process that can be forked: the one of pytest may have threads."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


@pytest.mark.parametrize("case", [case for case in ALL_CASES if case.tries], ids=lambda case: case.name)
def test_cut_off_and_run_again(case: Case, tmp_path: Path, single_threaded: ProcessPoolExecutor) -> None:
    """Some of the points; `make crash` tries them all."""
    tried = single_threaded.submit(try_some, case.name, tmp_path).result()
    assert len(tried) == case.tries
    assert {name: said for name, said in tried.items() if said} == {}


def test_the_cases_have_names_of_their_own() -> None:
    assert len({case.name for case in ALL_CASES}) == len(ALL_CASES)


def test_processes_killed_by_the_system_beside_others_on_the_same_state(
    tmp_path: Path, single_threaded: ProcessPoolExecutor
) -> None:
    """Three kills; `make crash` has thirty, of programs that are started anew."""
    lines = [("create", name, "--from-vm", "prep-vm", "--vm-size", SIZE, "--nodes", "1") for name in ("a", "a")]
    assert single_threaded.submit(kill_and_compare, tmp_path, lines, 3).result() == []


def test_a_death_that_did_not_happen_where_it_was_meant_is_an_error_of_the_harness(
    tmp_path: Path, single_threaded: ProcessPoolExecutor
) -> None:
    wrong = single_threaded.submit(try_wrong_points, "resize", tmp_path).result()
    assert wrong == [
        ["harness: the process did not die there, but ended with status 0"],
        ["harness: the process died elsewhere: GET https://genomicsbatch.eastus.batch.azure.com/pools/genomics"],
    ]


class Interrupting(CrashTransport):
    """A transport at one of whose requests somebody presses Ctrl-C, while Azure takes its time to answer."""

    method, part, after = "", "", ""
    #: Requests with this in their URL do not reach Azure.
    unreachable = ""

    async def send(self, request: Any, **kwargs: Any) -> Any:
        if self.unreachable and self.unreachable in request.url:
            raise ServiceRequestError("unreachable")
        if self.part and not self.after and request.method == self.method and self.part in request.url:
            self.part = ""
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            await asyncio.Event().wait()
        if self.after in request.url:
            self.after = ""
        self.sent += 1
        return await self.inner.send(request, **kwargs)


@pytest.fixture
def broken_off() -> Iterator[tuple[Session, Interrupting]]:
    with wrapped_session(Interrupting) as opened:
        yield opened


def test_interrupt_prints_how_to_continue_and_starts_nothing_new(broken_off: tuple[Session, Interrupting]) -> None:
    session, line = broken_off
    line.method, line.part = "GET", "/versions/1.0.0"
    with pytest.raises(DetachedError) as caught:
        session.create("genomics", **CREATE_OPTIONS)
    same = "%batchimg create genomics --from-vm prep-vm --vm-size Standard_D4s_v5 --nodes 20 --spot 5"
    # There is no pool yet whose resize could be stopped.
    drop = "%batchimg cleanup --delete --pool genomics --older-than 0h"
    assert caught.value.hint == f"resume with `{same}`, or delete what it has created with `{drop}`"
    sent = line.sent
    session.names("pool")  # the loop is free, and the work is not on it any more
    assert line.sent == sent + 1
    steps = session.create("genomics", **CREATE_OPTIONS)
    assert set(steps.state) == {"Succeeded", "ready"}
    assert len(session.images()) == 1


def test_an_interrupted_copy_tells_what_is_left_and_takes_its_own_restart_for_no_change(
    broken_off: tuple[Session, Interrupting],
) -> None:
    session, line = broken_off
    asked = {"from_vm": "desk-vm", "vm_size": "Standard_D4s_v5", "nodes": 1, "stop": True}
    line.method, line.part = "GET", "/versions/1.0.0"
    with pytest.raises(DetachedError) as caught:
        session.create("genomics", **asked)
    assert "; until then, temporary resources are left: VM batchimg-" in caught.value.hint
    assert "`%batchimg cleanup --delete --pool genomics --older-than 0h` removes them" in caught.value.hint
    assert session.vms().set_index("vm").power["desk-vm"] == "running"
    assert "image-age" not in {one["rule"] for one in session.plan("genomics", **asked).attrs["warnings"]}
    assert len(session.cleanup(delete=True, pool="genomics", older_than="0h")) > 5
    assert len(session.cleanup(pool="genomics")) == 0


@pytest.mark.parametrize("verb", ["wait", "stop_resize", "repair"])
def test_an_interrupted_resize_keeps_the_expiry(broken_off: tuple[Session, Interrupting], verb: str) -> None:
    session, line = broken_off
    session.create("p", ttl="8h", **CREATE_OPTIONS)
    expires = f"{session.pools().expires[0]:%Y-%m-%dT%H:%M:%SZ}"
    line.method, line.part = "GET", "/pools/p?"
    line.after = "/enableautoscale?"
    with pytest.raises(DetachedError) as caught:
        session.resize("p", nodes=30)
    assert "disabled" not in caught.value.hint
    assert session.pools().expiry_enforced.tolist() == [True]
    getattr(session, verb)("p")
    assert session.pools().expiry_enforced.tolist() == [True]
    text = session.autoscale("p").formula[0]
    assert expires in text
    # What is kept until then are the nodes that are there, and not those that somebody stopped asking for.
    assert ("30" in text) == (verb != "stop_resize")
    assert "again" not in session.wait("p").attrs["caption"], "all is well: nothing is to be done"


@pytest.mark.parametrize("verb", ["wait", "repair"])
def test_an_expiry_that_was_removed_is_reported_and_set_again(
    broken_off: tuple[Session, Interrupting], verb: str
) -> None:
    session, line = broken_off
    session.create("p", ttl="8h", **CREATE_OPTIONS)
    expires = f"{session.pools().expires[0]:%Y-%m-%dT%H:%M:%SZ}"
    emulator_of(session).store.set_meta("allocation", {"unusable": 1.0})
    with pytest.raises(ResizeError):
        session.resize("p", nodes=30)
    emulator_of(session).store.set_meta("allocation", {})
    line.method, line.part, line.unreachable = "POST", "/removenodes?", "/enableautoscale?"
    with pytest.raises(DetachedError) as caught:
        session.repair("p")
    assert caught.value.hint.endswith(f"expiry of pool p at {expires} is disabled")
    line.unreachable = ""
    left = session.pools()
    assert left.expiry_enforced.tolist() == [False]
    assert "expiry not enforced (`%batchimg wait NAME` enables it again): p" in left.attrs["caption"]
    done = getattr(session, verb)("p")
    assert verb == "repair" or f"its expiry at {expires} is enabled again" in done.attrs["caption"]
    assert session.pools().expiry_enforced.tolist() == [True]
    assert expires in session.autoscale("p").formula[0]


def test_a_wait_beside_a_resize_leaves_its_expiry_to_it(session: Session) -> None:
    session.create("p", **{**CREATE_OPTIONS, "nodes": 0, "spot": 0})
    work = session.begin("resize", name="p", nodes=30, ttl="8h")
    waits = (session.wait("p", until="steady") for _ in range(20))
    waited = next(done for done in waits if done.dedicated_target[0])
    assert waited.dedicated_target[0] == 1, "steady, between the first node and all others"
    assert "again" not in waited.attrs["caption"]
    assert set(work.result().columns["class"]) == {"done"}
    assert session.pools().expiry_enforced.tolist() == [True]


def test_synchronous_call_on_the_loop_raises_instead_of_waiting_for_itself(session: Session) -> None:
    failures: list[Exception] = []
    work = session.begin("pools")
    work.result()

    def from_the_loop() -> None:
        try:
            session.begin("vms").result()
        except RuntimeError as error:
            failures.append(error)

    connection_of(session).loop.call_soon_threadsafe(from_the_loop)
    session.names("pool")
    assert "event loop of the session" in str(failures[0])
