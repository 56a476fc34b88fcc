"""Tables of nodes: their rows and pools, their cost, and the requests for them."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
from azure.core.exceptions import ServiceRequestError

from batchimg_magics.core.base.schemas import SCHEMAS
from batchimg_magics.display.dataframe import mime_bundle
from batchimg_magics.errors import NotFoundError, SpecError
from batchimg_magics.pool_spec.words import NODE_STATES
from batchimg_magics.session.frames import DTYPES
from batchimg_magics.session.session import Session
from batchimg_magics.ui.cli import main
from tests.support.batch_emulator import lift_quotas
from tests.support.connections import emulator_of
from tests.support.shells import ipython, run_cell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE = {"from_vm": "prep-vm", "vm_size": "Standard_D4s_v5"}


class Watched:
    """A transport that notes what it is asked for, and that loses what goes to a host."""

    def __init__(self, inner: Any, lost: str = "") -> None:
        self._inner = inner
        self._lost = lost
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def send(self, request: Any, **options: Any) -> Any:
        self.asked.append(unquote(request.url))
        if self._lost and self._lost in request.url:
            raise ServiceRequestError("nobody there")
        return await self._inner.send(request, **options)


@contextmanager
def watched(lost: str = "") -> Iterator[tuple[Session, list[str]]]:
    seen: list[Watched] = []

    def wrap_transport(inner: Any) -> Any:
        seen.append(Watched(inner, lost))
        return seen[-1]

    with Session(wrap_transport=wrap_transport) as session:
        session.open()
        yield session, seen[-1].asked


@pytest.fixture
def two_pools(session: Session) -> Session:
    session.create("sim-a", nodes=3, spot=1, **SIZE)
    session.create("sim-b", nodes=2, **SIZE)
    return session


def test_nodes_of_several_pools_stand_below_each_other(two_pools: Session) -> None:
    nodes = two_pools.nodes("sim-*")
    assert [column.name for column in SCHEMAS["nodes of pools"]] == list(nodes.columns)
    assert list(nodes.pool) == ["sim-a"] * 4 + ["sim-b"] * 2
    named = two_pools.nodes(["SIM-B", "sim-a", "sim-a"])
    assert named.equals(nodes)
    assert nodes.attrs["caption"].startswith("LOCAL · 2 pools: 6 idle")
    counts = two_pools.nodes("sim-*", counts=True).to_dict("list")
    assert counts == {
        "pool": ["sim-a", "sim-b"],
        "state": ["idle"] * 2,
        "dedicated": [3, 2],
        "spot": [1, 0],
    }
    # One pool that a pattern fits is told by name too: what is found does not change the columns.
    assert set(two_pools.nodes("*-a").pool) == {"sim-a"}
    assert "pool" not in two_pools.nodes("sim-a").columns


def test_pools_are_listed_at_once_and_only_what_is_shown_is_asked_for() -> None:
    with watched() as (session, asked):
        session.create("sim-a", nodes=1, **SIZE)
        session.create("sim-b", nodes=1, **SIZE)
        asked.clear()
        session.nodes("sim-*")
        assert sum(url.partition("?")[0].endswith("/batchAccounts/genomicsbatch/pools") for url in asked) == 1
        pages = [url for url in asked if "/nodes?" in url]
        assert len(pages) == 2
        assert all("$select=id,state,isDedicated,schedulingState,stateTransitionTime" in url for url in pages)
        asked.clear()
        session.nodes("sim-a", counts=True)
        assert ["$select=id,state,isDedicated" in url for url in asked if "/nodes?" in url] == [True]


def test_a_thousand_nodes_a_page() -> None:
    with watched() as (session, asked):
        lift_quotas(emulator_of(session).store)  # no request was sent yet
        session.create("large", nodes=2100, **SIZE)
        asked.clear()
        nodes = session.nodes("large")
        assert nodes.node_id.nunique() == len(nodes) == 2100
        assert sum("/nodes?" in url for url in asked) == 3


def test_equal_texts_are_kept_once(two_pools: Session) -> None:
    # A hundred thousand nodes have the memory of their own names and addresses, not of their states.
    columns = two_pools.run_table("nodes", name="sim-a").columns
    for name in ("state", "scheduling", "vm_size", "image_version", "agent_version"):
        assert len(columns[name]) == 4
        assert len({id(text) for text in columns[name]}) == len(set(columns[name])) == 1


def test_only_nodes_in_a_state_or_that_fit(two_pools: Session) -> None:
    assert len(two_pools.nodes("sim-a", state="idle")) == 4
    none = two_pools.nodes("sim-a", state=["unusable", "starttaskfailed"])
    assert len(none) == 0
    assert [str(dtype) for dtype in none.dtypes] == [DTYPES[column.kind] for column in SCHEMAS["nodes"]]
    assert "0 of 4 nodes match" in none.attrs["caption"]
    shown = mime_bundle(none)["text/plain"]
    assert "no node matches the filter" in shown
    assert "add nodes" not in shown
    spot = two_pools.nodes("sim-*", where="not dedicated and running_tasks == 0 and pool == 'sim-a'")
    assert list(spot.dedicated) == [False]
    counts = two_pools.nodes("sim-a", counts=True, where="dedicated")
    assert counts.to_dict("list") == {"state": ["idle"], "dedicated": [3], "spot": [0]}
    since = two_pools.nodes("sim-a").state_since.max()
    assert len(two_pools.nodes("sim-a", where=f"state_since > '{since.isoformat()}'")) == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": "p", "state": "idel"}, "did you mean idle"),
        ({"name": "p", "where": "stat == 'idle'"}, "did you mean state"),
        ({"name": "p", "where": "__import__('os')"}, "comparisons"),
        ({"name": "a b"}, "not a valid pool name"),
        ({"name": ["p", "sim-*;"]}, "not a valid pool name"),
    ],
)
def test_questions_that_make_no_sense_ask_nothing(options: dict[str, Any], said: str) -> None:
    with watched() as (session, asked):
        asked.clear()
        with pytest.raises(SpecError) as refused:
            session.nodes(**options)
        assert said in f"{refused.value} {refused.value.hint}"
        assert asked == []


@pytest.mark.parametrize("name", ["nope", "nope-*", ["sim-a", "nope"]])
def test_missing_pools(two_pools: Session, name: str | list[str]) -> None:
    with pytest.raises(NotFoundError, match="nope") as missing:
        two_pools.nodes(name)
    assert "sim-a" in missing.value.hint


def test_what_idle_nodes_cost(two_pools: Session) -> None:
    nodes = two_pools.nodes("sim-a")
    usd = nodes.attrs["idle_usd_per_hour"]
    assert usd > 0
    assert nodes.attrs["unusable_usd_per_hour"] == 0
    assert f"cost of idle nodes: ${usd:.2f}/h" in nodes.attrs["caption"]
    assert "cost of unusable nodes" not in nodes.attrs["caption"]
    assert nodes.attrs["prices_as_of"].startswith("20")
    both = two_pools.nodes("sim-*", where="dedicated")  # what is shown does not change what they cost
    assert both.attrs["idle_usd_per_hour"] == pytest.approx(usd + two_pools.nodes("sim-b").attrs["idle_usd_per_hour"])
    assert json.loads(json.dumps(nodes.attrs)) == nodes.attrs


def test_unusable_nodes_cost_too() -> None:
    with Session() as session:
        session.connect(scenario="bad-start-task")
        with pytest.raises(Exception, match="not usable"):
            session.create("bad", nodes=2, start_task="false", **SIZE)
        attrs = session.nodes("bad").attrs
        assert attrs["unusable_usd_per_hour"] > 0
        assert attrs["idle_usd_per_hour"] == 0
        assert "cost of unusable nodes: $" in attrs["caption"]


def test_a_price_that_is_not_known_stays_so() -> None:
    with watched(lost="prices.azure.com") as (session, _):
        session.create("p", nodes=1, **SIZE)
        nodes = session.nodes("p")
    assert len(nodes) == 1
    assert nodes.attrs["idle_usd_per_hour"] is None
    assert nodes.attrs["prices_as_of"] is None
    assert "cost of idle nodes: price not available" in nodes.attrs["caption"]


def test_in_the_notebook(session: Session) -> None:
    del session
    with ipython() as shell:
        run_cell(shell, "%batchimg connect")
        for name in ("sim-a", "sim-b"):
            run_cell(shell, f"%batchimg create {name} --from-vm prep-vm --vm-size Standard_D4s_v5 --nodes 2")
        found = run_cell(shell, "%batchimg nodes sim-a sim-b --where \"state == 'idle' and running_tasks == 0\"")
        assert list(found.pool) == ["sim-a", "sim-a", "sim-b", "sim-b"]
        assert len(run_cell(shell, "%batchimg nodes 'sim-*' --state unusable --state unknown")) == 0


@pytest.fixture
def _world_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCHIMG_STATE", str(tmp_path / "world.db"))


@pytest.mark.usefixtures("_world_file")
def test_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["create", "p", "--from-vm", "prep-vm", "--vm-size", "Standard_D4s_v5", "--nodes", "2"]) == 0
    capsys.readouterr()
    assert main(["nodes", "p*", "--where", "running_tasks==0", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["pool"], row["state"]) for row in rows] == [("p", "idle")] * 2
    assert main(["nodes", "p", "--state", "idel"]) == 2
    assert "--state is 'idel'" in capsys.readouterr().err


def test_every_state_can_be_asked_for(session: Session) -> None:
    session.create("p", nodes=1, **SIZE)
    assert sum(len(session.nodes("p", state=state)) for state in NODE_STATES) == 1
