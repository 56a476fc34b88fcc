"""Whatever ends a run: the expiry of its pool is enforced by Azure, the session works on, and who waits is told."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from batchimg_magics import Session
from batchimg_magics.core.batch import expiry, pools
from batchimg_magics.session import foreground
from tests.support.connections import wrapped_session
from tests.support.forwarding_transport import ForwardingTransport

LINE: dict[str, Any] = {"from_vm": "prep-vm", "vm_size": "Standard_D4s_v5"}


class Fails(ForwardingTransport):
    """A transport that raises an error, which no service gives, at a request."""

    part, error, seen = "", RuntimeError(), False

    async def send(self, request: Any, **kwargs: Any) -> Any:
        if self.part and self.part in request.url:
            self.part, self.seen = "", True
            raise self.error
        return await self.inner.send(request, **kwargs)


@pytest.mark.parametrize("error", [RuntimeError, MemoryError, KeyError, SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("part", ["/removenodes", "/nodes?", "/stopresize", "/enableautoscale"])
def test_the_expiry_is_enforced_again(error: type[BaseException], part: str) -> None:
    with wrapped_session(Fails, speed="max") as (session, line):
        session.create("p", nodes=3, ttl="8h", **LINE)
        node = min(session.nodes("p").node_id)

        disabled: list[bool] = []
        send = line.send

        async def watch(request: Any, **kwargs: Any) -> Any:
            answer = await send(request, **kwargs)
            if "/disableautoscale" in request.url and not disabled:
                disabled.append(True)
                line.part, line.error = part, error("unexpected")
            return answer

        line.send = watch  # type: ignore[method-assign] # the transport of the open session
        ended: BaseException | None = None
        try:
            session.repair("p", node=node, remove=True)
        except BaseException as caught:  # noqa: BLE001 - any kind is tried
            ended = caught
        assert disabled
        assert (ended is not None) == line.seen
        state = session.call(lambda azure: pools.read_state(azure, "p"))
        assert expiry.is_expiry_formula(state.formula)
        session.resize("p", nodes=2)


@pytest.mark.parametrize("error", [SystemExit, GeneratorExit])
def test_a_function_of_the_user_that_ends_the_program_ends_the_verb(error: type[BaseException]) -> None:
    def end(_: object) -> None:
        raise error

    with Session(progress=end) as session:
        session.open(speed="max")
        with pytest.raises(error):
            session.create("p", nodes=3, **LINE)
        assert not session.background


def test_a_display_that_fails_does_not_end_the_verb() -> None:
    class Broken:
        def show(self, *_: object, **__: object) -> None:
            raise BrokenPipeError

        def close(self, *_: object, **__: object) -> None:
            raise BrokenPipeError

    with Session() as session:
        session.connect(speed="max")
        run = session.begin("create", name="p", nodes=3, **LINE)
        table = foreground.wait_with_progress(run, Broken())
        assert "pool" in table.columns["step"]


def test_each_function_that_waits_for_the_end_is_called() -> None:
    called, told = threading.Event(), []
    with Session() as session:
        session.connect(speed="max")
        run = session.begin("pools")
        connection = session.connection
        assert connection is not None
        connection.loop.call_soon_threadsafe(connection.loop.set_exception_handler, lambda _, what: told.append(what))

        def fail() -> None:
            raise SystemExit

        run.add_done_callback(fail)
        run.add_done_callback(called.set)
        run.result()
        assert called.wait(10)
        assert len(session.pools()) == 0
