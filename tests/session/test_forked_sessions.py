"""Calls that would wait for ever: on the thread of the event loop, and in a process that was forked."""

from __future__ import annotations

import multiprocessing
from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics.errors import NotConnectedError
from tests.support.create_options import CREATE_OPTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.session.session import Session

#: Seconds after which a call hangs; none takes a tenth of it.
HANGS_S = 60


def test_calls_on_the_thread_of_the_loop_are_refused(session: Session) -> None:
    calls: list[Callable[[], object]] = [
        session.close,
        session.pools,
        session.connect,
        lambda: session.call(lambda azure: azure.account()),
        lambda: session.pool("a").nodes(),
    ]

    async def call_all(_: Azure) -> list[str]:
        errors = []
        for call in calls:
            with pytest.raises(RuntimeError) as failed:
                call()
            errors.append(str(failed.value))
        return errors

    assert set(session.submit(call_all).result(HANGS_S)) == {
        "a synchronous call on the event loop of the session would wait for itself; await the coroutine"
    }
    assert session.pools().empty  # it is as usable as before


def _in_child(session: Session, run: Any, told: Any) -> None:
    refused: list[Callable[[], object]] = [
        session.pools,
        run.result,
        lambda: session.submit(lambda azure: azure.account()),
        lambda: session.watch("a", print),
        lambda: session.pool("a").delete(),
    ]
    for call in refused:
        try:
            told.put(repr(call()))
        except NotConnectedError as error:
            told.put(error.message)
    session.close()
    session.connect(state=":memory:")
    told.put(len(session.pools()))
    session.close()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # what is tested
def test_verbs_after_a_fork_are_refused_until_the_child_connects(session: Session) -> None:
    run = session.begin("create", name="a", **{**CREATE_OPTIONS, "nodes": 1, "spot": 0})
    context = multiprocessing.get_context("fork")
    told = context.SimpleQueue()
    child = context.Process(target=_in_child, args=(session, run, told))
    child.start()
    child.join(HANGS_S)
    assert child.exitcode == 0
    said = [told.get() for _ in range(6)]
    assert said == ["the connection belongs to the process that was forked"] * 5 + [0]
    run.result()
    assert session.pools()["pool"].tolist() == ["a"]
