"""From a prepared VM to idle nodes, and the deletion of everything."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from batchimg_magics.errors import ConflictError, NotFoundError, ResizeError
from batchimg_magics.session.session import Session
from tests.support.create_options import CREATE_OPTIONS

if TYPE_CHECKING:
    import pandas as pd


def by_state(counts: pd.DataFrame) -> dict[str, tuple[int, int]]:
    """Return state to (dedicated, spot)."""
    return {row.state: (row.dedicated, row.spot) for row in counts.itertuples()}


def test_from_vm_to_idle_nodes_and_away(session: Session) -> None:
    steps = session.create("genomics", **CREATE_OPTIONS)
    assert list(steps.action) == ["created"] * 7
    assert list(steps.step) == [
        "snapshot of OS disk", "snapshot of data disk, LUN 0", "gallery", "image definition", "image version", "pool",
        "nodes",
    ]  # fmt: skip
    assert steps.id.str.startswith("/subscriptions/").all()
    assert by_state(session.nodes("genomics", counts=True)) == {"idle": (20, 5)}

    nodes = session.nodes("genomics")
    assert len(nodes) == 25
    assert nodes.dedicated.sum() == 20
    assert set(nodes.image_version) == {"1.0.0"}

    rounds = session.resize("genomics", nodes=120)
    assert list(rounds["class"]) == ["done"]
    assert by_state(session.nodes("genomics", counts=True)) == {"idle": (120, 5)}  # the spot nodes stay

    pools = session.pools()
    assert list(pools.pool) == ["genomics"]
    assert list(pools.dedicated_target) == [120]
    assert list(pools.spot_target) == [5]
    assert pools.managed.all()
    images = session.images()
    assert list(images.used_by) == ["genomics"]
    assert images.made_from[0].count(",") == 1

    gone = session.delete("genomics", image=True)
    assert set(gone.action) == {"deleted"}
    assert len(session.pools()) == 0
    assert len(session.images()) == 0
    with pytest.raises(NotFoundError, match="no pool 'genomics'"):
        session.delete("genomics", image=True)


def test_same_line_again_makes_nothing(session: Session) -> None:
    first = session.create("genomics", **CREATE_OPTIONS)
    again = session.create("genomics", **CREATE_OPTIONS)
    assert set(again.action) == {"exists"}
    assert set(again.id) <= set(first.id)


def test_create_never_shrinks_and_never_rewrites(session: Session) -> None:
    session.create("genomics", **CREATE_OPTIONS)
    session.resize("genomics", nodes=30)
    session.create("genomics", **CREATE_OPTIONS)
    assert by_state(session.nodes("genomics", counts=True)) == {"idle": (30, 5)}
    with pytest.raises(ConflictError, match="VM size is Standard_D4s_v5, wanted Standard_D8s_v5"):
        session.create("genomics", **{**CREATE_OPTIONS, "vm_size": "Standard_D8s_v5"})
    assert list(session.pools().vm_size) == ["Standard_D4s_v5"]


def test_other_pools_are_left_alone(session: Session) -> None:
    session.create("one", **{**CREATE_OPTIONS, "nodes": 1, "spot": 0})
    session.create("two", **{**CREATE_OPTIONS, "nodes": 1, "spot": 0})
    gone = session.delete("one", image=True).set_index("resource")
    assert gone.loc["batchimg_genomicsbatch", "action"] == "kept"
    assert list(session.pools().pool) == ["two"]
    assert list(session.images().image) == ["two"]
    assert by_state(session.nodes("two", counts=True)) == {"idle": (1, 0)}


def test_system_never_generalized_is_reported_honestly(session: Session) -> None:
    with pytest.raises(ResizeError, match="first node is not usable") as caught:
        session.create("wrong", from_vm="desk-vm", vm_size="Standard_D4s_v5", nodes=3, generalized=True)
    assert "not generalized" in caught.value.hint
    assert by_state(session.nodes("wrong", counts=True)) == {"unusable": (1, 0)}, "the others were not paid for"


@pytest.mark.parametrize("vm", ["prep-vm", "win-vm", "gen1-vm"])
def test_every_kind_of_vm(session: Session, vm: str) -> None:
    session.create("kind", from_vm=vm, vm_size="Standard_D4s_v3", nodes=2)
    assert by_state(session.nodes("kind", counts=True)) == {"idle": (2, 0)}


def test_two_runs_give_identical_tables() -> None:
    def run() -> list[str]:
        with Session() as session:
            tables = [
                session.connect(state=":memory:", speed="max"),
                session.vms(),
                session.create("genomics", **CREATE_OPTIONS),
            ]
            tables += [session.nodes("genomics"), session.resize("genomics", nodes=40), session.pools()]
            tables += [session.images(), session.delete("genomics", image=True)]
            return [table.to_json(date_format="iso") + repr(table.attrs) for table in tables]

    assert run() == run()


def test_snapshots_carry_luns_and_the_version_is_pinned(session: Session) -> None:
    steps = session.create("luns", from_vm="desk-vm", vm_size="Standard_D4s_v5", generalized=True).set_index("step")
    assert {"snapshot of data disk, LUN 0", "snapshot of data disk, LUN 3"} <= set(steps.index)
    assert session.pools().image[0].endswith("/luns/1.0.0")


def test_no_wait_continues_when_a_later_line_waits(session: Session) -> None:
    session.create("genomics", wait=False, **CREATE_OPTIONS)
    joined = session.create("genomics", **CREATE_OPTIONS)
    assert "created" in set(joined.action)  # the work that was begun, not a second one
    begun = session.resize("genomics", nodes=30, wait=False)
    assert len(begun) == 0
    with pytest.raises(ConflictError, match="still running"):
        session.delete("genomics")


def test_stop_and_wait(session: Session) -> None:
    session.create("genomics", **CREATE_OPTIONS)
    session.resize("genomics", nodes=200, wait=False)
    session.names("pool")  # a request, no time
    assert session.stop_resize("genomics").dedicated_target[0] in (20, 200)
    waited = session.wait("genomics")
    assert waited.allocation[0] == "steady"
    assert waited.ready[0] == waited.dedicated[0] + waited.spot[0]


def test_time_stands_still_between_calls(session: Session) -> None:
    """What a wait costs in simulated time does not depend on how long the researcher thinks."""
    session.create("genomics", wait=False, **CREATE_OPTIONS)
    first = session.images()
    until = time.monotonic() + 0.2
    while time.monotonic() < until:
        pass
    assert session.images().equals(first)


def test_the_vm_size_is_that_of_the_vm_unless_another_is_given_and_no_nodes_are_told(session: Session) -> None:
    with pytest.raises(NotFoundError) as missing:
        session.create("own", from_vm="none")
    assert missing.value.message == "there is no VM 'none' in resource group 'research'"
    planned = session.plan("own", from_vm="win-vm").set_index("step")
    assert planned.loc["pool", "why"].startswith("Standard_D4s_v3, ")
    assert planned.loc["nodes", "why"] == "no nodes were requested: `%batchimg resize own --nodes N` adds them"
    assert planned.loc["nodes", "minutes"] == 0
    made = session.create("own", from_vm="win-vm")
    assert made.attrs["caption"].endswith("; `%batchimg resize own --nodes N` adds nodes")
    # Run again, it is the size of the pool.
    again = session.create("own", spec="from_vm: win-vm\nnodes: 1")
    assert "adds nodes" not in again.attrs["caption"]
    assert again.set_index("step").loc["pool", "action"] == "exists"
    assert session.pools().vm_size[0].lower() == "standard_d4s_v3"
