"""`session.pool(name)`: a handle with a display, the verbs without the name, and nodes for a block."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics import NotFoundError, ServiceError, Session, SpecError
from batchimg_magics.errors import BatchImgError
from batchimg_magics.session import pool as pool_module
from batchimg_magics.session.methods import POOL_VERBS, PoolVerbs
from batchimg_magics.session.pool import Pool
from batchimg_magics.verbs.registry import SESSION_VERBS, load_verb
from tests.support.connections import connection_of
from tests.support.faults import set_faults
from tests.support.forwarding_transport import ForwardingTransport

if TYPE_CHECKING:
    from collections.abc import Iterator

LINE: dict[str, Any] = {"from_vm": "prep-vm", "vm_size": "Standard_D4s_v5"}


class Counting(ForwardingTransport):
    """Counts requests, and never answers while `hangs` is true."""

    sent = 0
    hangs = False

    async def send(self, request: Any, **kwargs: Any) -> Any:
        type(self).sent += 1
        if self.hangs:
            await self.sleep(10**9)
        return await super().send(request, **kwargs)


@pytest.fixture(autouse=True)
def _no_old_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Counting, "sent", 0)
    monkeypatch.setattr(Counting, "hangs", False)


@pytest.fixture
def session() -> Iterator[Session]:
    with Session(wrap_transport=Counting) as opened:
        opened.connect(state=":memory:", speed="max")
        yield opened


@pytest.fixture
def pool(session: Session) -> Pool:
    made = session.pool("genomics")
    made.create(**LINE, nodes=3, spot=1)
    return made


def test_every_verb_about_a_pool_is_a_method_with_the_same_signature_but_the_name() -> None:
    of_pools = {
        name
        for name in SESSION_VERBS
        for option in load_verb(name).options
        if option.is_positional and option.completion in ("pool", "checkable")
    }
    assert of_pools == set(POOL_VERBS)
    for name in POOL_VERBS:
        method = load_verb(name).method
        whole = dict(inspect.signature(getattr(Session, method)).parameters)
        del whole["name"]
        handle = inspect.signature(getattr(Pool, method))
        assert list(handle.parameters.values()) == list(whole.values())
        assert "\nname :" not in str(getattr(PoolVerbs, method).__doc__)


def test_a_handle_sends_no_request_and_its_display_says_what_is(session: Session) -> None:
    before = Counting.sent
    pool = session.pool("genomics")
    assert before == Counting.sent
    assert [pool.exists] == [False]
    assert repr(pool) == "<Pool genomics (LOCAL): does not exist>"
    pool.create(**LINE, nodes=3, spot=1, ttl="8h")
    assert pool.exists
    shown = repr(pool)
    assert shown.startswith("<Pool genomics (LOCAL): steady, 4 idle, $")
    assert " so far, expires: 2026-07-01 1" in shown
    assert "vm_size: Standard_D4s_v5, image: batchimg_genomicsbatch/genomics/1.0.0" in shown
    before = Counting.sent
    bundle = pool._repr_mimebundle_()
    assert repr(pool) == shown
    assert Counting.sent == before, "what was read a moment ago is shown again"
    assert bundle["text/plain"].splitlines()[:3] == [
        "LOCAL · pool genomics",
        "  state    steady",
        "  nodes    4 idle",
    ]
    assert "<td" in bundle["text/html"]
    assert "<script" not in bundle["text/html"]
    pool.resize(nodes=1)
    assert "2 idle" in repr(pool), "a verb of the handle makes it read again"


def test_a_display_never_fails_and_says_why_it_knows_nothing(
    session: Session, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "SHOWN_S", -1.0)
    set_faults(session, status=500, code="InternalError", message="<b>\x1b[31mno</b>", times=10**6)
    assert "unknown, problem: " in repr(pool)
    assert "\x1b" not in repr(pool)
    assert "<b>\x1b" not in str(pool._repr_mimebundle_())
    assert "<b>no" not in pool._repr_mimebundle_()["text/html"].partition("pool genomics</b>")[2]
    set_faults(session)
    monkeypatch.setattr(pool_module, "SHOW_TIMEOUT_S", 0.05)
    monkeypatch.setattr(Counting, "hangs", True)
    monkeypatch.setattr(Session, "start_call", Session.submit)  # whose time stands still: no answer ever comes
    assert "problem: no answer within 0.05 s" in repr(pool)
    monkeypatch.setattr(Counting, "hangs", False)
    session.close()
    assert repr(pool) == "<Pool genomics (LOCAL): not connected>"


def test_what_is_no_name_or_no_pool_is_an_error_in_the_handles_words(session: Session, pool: Pool) -> None:
    for name in ("a b", "sim-*", "", "x" * 65, "ä"):
        with pytest.raises(SpecError):
            session.pool(name)
    assert session.pool("A-_9").name == "A-_9"
    with pytest.raises(NotFoundError) as caught:
        session.pool("genomic").nodes()
    assert "genomics" in caught.value.__notes__[0]
    with pytest.raises(BatchImgError) as refused:
        pool.resize(nodes=3, timeout="1s")
    assert "--" not in str(refused.value) + refused.value.hint
    assert pool == session.pool("GENOMICS") != session.pool("other")
    started = pool.resize(nodes=4, wait=False)
    assert "`pool.resize(nodes=4)` waits for it" in started.attrs["caption"]
    assert "running: resize genomics" in repr(pool)
    pool.resize(nodes=4)
    with pytest.raises(AttributeError, match="Pool' object has no attribute 'resise'"):
        pool.resise(nodes=4)  # type: ignore[attr-defined] # what the test is about


def test_a_block_takes_the_nodes_away_and_keeps_the_pool(
    session: Session, pool: Pool, capsys: pytest.CaptureFixture[str]
) -> None:
    with session.pool("genomics") as same:
        same.resize(nodes=5)
    assert "pool genomics: 5 dedicated + 1 spot removed ($" in capsys.readouterr().err
    assert len(pool.nodes()) == 0
    assert pool.exists

    def fail() -> None:
        with pool:
            pool.resize(nodes=2, ttl="8h")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert "2 dedicated removed" in capsys.readouterr().err
    assert len(pool.nodes()) == 0

    def interrupt() -> None:
        with pool:
            pool.resize(nodes=200, wait=False)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert session.find_running("genomics") is None
    assert len(pool.nodes()) == 0

    pool.autoscale(preset="pending-tasks", nodes=4, spot=0)
    assert "a formula sets" in repr(pool)
    with pool:
        pass
    assert "a formula sets" not in repr(pool)
    with pool:
        capsys.readouterr()
    with session.pool("none"):
        pass
    assert capsys.readouterr().err == "", "nothing was to be done"


def test_a_block_knows_the_connection_that_opens_within_it(capsys: pytest.CaptureFixture[str]) -> None:
    with Session() as session:
        with session.pool("genomics"):
            session.connect(state=":memory:", speed="max")
            session.create("genomics", **LINE, nodes=1)
        assert session.nodes("genomics").empty
    assert "1 dedicated removed" in capsys.readouterr().err


def test_nodes_that_remain_are_told_loudly_and_the_first_error_stays(
    session: Session, pool: Pool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ServiceError("refused", hint="wait")

    line = 'Remove them with `session.resize("genomics", nodes=0, spot=0, yes=True)`'
    monkeypatch.setattr(Pool, "resize", refuse)
    with pytest.raises(ServiceError) as caught, pool:
        pass
    assert "THE NODES WERE NOT REMOVED" in caught.value.__notes__[-1]
    assert line in capsys.readouterr().err
    with pytest.raises(ZeroDivisionError) as first, pool:
        raise ZeroDivisionError
    assert first.value.__notes__[-1].endswith(line)
    said = capsys.readouterr().err
    assert "an hour when last seen): refused" in said

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Pool, "resize", interrupted)
    with pytest.raises(KeyboardInterrupt), pool:
        pass
    assert "KeyboardInterrupt" in capsys.readouterr().err
    monkeypatch.undo()

    def close() -> None:
        with session.pool("genomics") as same:
            same.resize(nodes=2)
            session.close()

    with pytest.raises(BatchImgError, match="was closed"):
        close()
    assert line in capsys.readouterr().err


def test_on_azure_the_block_is_the_consent(
    session: Session, pool: Pool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    connection = connection_of(session)
    monkeypatch.setattr(connection, "emulator", None)  # as far as the verbs can tell, it is real
    assert "yes=True" in pool.resize(nodes=0, spot=0).attrs["caption"], "it is withheld"
    with pool:
        assert "AZURE" in repr(pool)
    assert "removed ($" in capsys.readouterr().err
    assert len(pool.nodes()) == 0
    monkeypatch.undo()
