"""A VM that `create --stop` stopped is started again or told of; a mark that is out of date stops no VM that runs."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics import Session
from tests.support.crash import ProcessKilled
from tests.support.forwarding_transport import ForwardingTransport
from tests.support.prepared_vms import StateFileClient, connect_to, new_state_file

if TYPE_CHECKING:
    from pathlib import Path

LINE: dict[str, Any] = {"from_vm": "desk", "vm_size": "Standard_D4s_v5", "nodes": 1}
VM = "virtualMachines/desk"


class AtSnapshot(ForwardingTransport):
    """A transport that does something at the first snapshot, when the VM is stopped."""

    def reach(self) -> None:
        raise ProcessKilled

    async def send(self, request: Any, **kwargs: Any) -> Any:
        if request.method == "PUT" and "/snapshots/" in request.url:
            self.reach()
        return await self.inner.send(request, **kwargs)


def power_of(outside: StateFileClient) -> str:
    view = outside.ask("GET", f"{VM}?$expand=instanceView")["properties"]["instanceView"]
    return next(one["code"] for one in view["statuses"] if one["code"].startswith("PowerState/")).rpartition("/")[2]


def mark_of(outside: StateFileClient) -> str | None:
    mark: str | None = (outside.ask("GET", VM).get("tags") or {}).get("batchimg-stopped")
    return mark


@pytest.fixture
def outside(tmp_path: Path) -> StateFileClient:
    client = new_state_file(tmp_path)
    client.create_vm("desk")
    return client


@pytest.fixture
def stopped(outside: StateFileClient) -> StateFileClient:
    """Return a state in which a process died that had stopped a VM."""
    with Session(wrap_transport=AtSnapshot) as session, pytest.raises(ProcessKilled):
        connect_to(session, outside).create("genomics", stop=True, **LINE)
    assert (power_of(outside), mark_of(outside)) == ("deallocated", "genomics")
    return outside


@pytest.mark.parametrize("pool", ["genomics", "other"])
def test_a_mark_stops_no_vm_that_runs(outside: StateFileClient, pool: str) -> None:
    outside.ask("PATCH", VM, {"tags": {"batchimg-stopped": pool}})
    sent: list[str] = []

    class Watch(ForwardingTransport):
        async def send(self, request: Any, **kwargs: Any) -> Any:
            sent.append(request.url.partition("?")[0])
            return await self.inner.send(request, **kwargs)

    with Session(wrap_transport=Watch) as session:
        connect_to(session, outside)
        assert "was stopped" not in session.vms().attrs["caption"]
        assert not (session.cleanup().kind == "stopped VM").any()
        session.create("genomics", **LINE)
    assert not [one for one in sent if one.endswith("/desk/deallocate")]
    assert power_of(outside) == "running"
    assert mark_of(outside) == (None if pool == "genomics" else "other")


def test_the_next_verbs_tell_of_it(stopped: StateFileClient) -> None:
    with Session() as session:
        connect_to(session, stopped)
        said = "VM desk was stopped for a copy for pool genomics and is not started again"
        assert said in session.vms().attrs["caption"]
        findings = session.check("desk")
        assert findings.found.str.contains(said).any()
        rows = session.cleanup().set_index("resource")
        assert rows.loc["desk", ["kind", "type", "pool"]].tolist() == ["stopped VM", "VM", "genomics"]
        assert not (session.cleanup(delete=True).resource == "desk").any(), "a run that is not over may have stopped it"
    assert power_of(stopped) == "deallocated"


@pytest.mark.parametrize("verb", ["cleanup", "delete", "delete --image", "create"])
def test_what_starts_it_again(stopped: StateFileClient, verb: str) -> None:
    with Session() as session:
        connect_to(session, stopped)
        if verb == "cleanup":
            rows = session.cleanup(delete=True, older_than="0s").set_index("resource")
            assert rows.loc["desk", "action"] == "changed"
        elif verb == "create":
            session.create("genomics", **LINE)
        else:
            plan = session.delete("genomics", image=verb != "delete", dry_run=True).set_index("resource")
            assert plan.loc["desk", "action"] == "would change"
            rows = session.delete("genomics", image=verb != "delete").set_index("resource")
            assert rows.loc["desk", "action"] == "changed"
    assert (power_of(stopped), mark_of(stopped)) == ("running", None)


def test_ctrl_c_tells_of_it(outside: StateFileClient) -> None:
    class Reached(AtSnapshot):
        reached = threading.Event()

        def reach(self) -> None:
            self.reached.set()

    with Session(wrap_transport=Reached) as session:
        connect_to(session, outside)
        running = session.begin("create", name="genomics", stop=True, **LINE)
        while not Reached.reached.is_set():
            running.wait(0.01)
        running.interrupt()
        while not running.wait(0.01):
            pass
        hint = running.detached_error().hint
    assert "VM desk is stopped: the same command starts it again" in hint
    assert "cleanup --delete --pool genomics --older-than 0h" in hint


@pytest.mark.parametrize("error", [RuntimeError, MemoryError, SystemExit])
def test_an_error_of_any_kind_leaves_no_copy_running(outside: StateFileClient, error: type[BaseException]) -> None:
    class Fails(ForwardingTransport):
        async def send(self, request: Any, **kwargs: Any) -> Any:
            if request.method == "POST" and request.url.partition("?")[0].endswith("/runCommand"):
                raise error
            return await self.inner.send(request, **kwargs)

    with Session(wrap_transport=Fails) as session, pytest.raises(error):
        connect_to(session, outside).create("genomics", **LINE)
    machines = outside.ask("GET", "virtualMachines")["value"]
    (copy,) = (one["name"] for one in machines if one["name"].startswith("batchimg-"))
    view = outside.ask("GET", f"virtualMachines/{copy}?$expand=instanceView")["properties"]["instanceView"]
    assert view["statuses"][-1]["code"] in ("PowerState/deallocating", "PowerState/deallocated")
