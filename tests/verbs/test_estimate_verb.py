"""`estimate`, through Session and the command line's own parser, on the local Azure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics import Session, SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with Session() as opened:
        opened.connect(state=":memory:", speed="max")
        yield opened


def test_the_issue_s_own_question(session: Session) -> None:
    found = session.estimate(tasks=10_000, minutes=12, slots=4, deadline="4h")
    best = found.iloc[0]
    assert best["fits"]
    assert (best["kind"], best["nodes"], best["slots"]) == ("spot", 132, 4)
    assert best["makespan_minutes"] <= 240
    assert best["cores"] <= best["cores_free"]
    assert best["usd"] == pytest.approx(132 * best["usd_per_node_hour"] * best["makespan_minutes"] / 60, rel=1e-3)
    assert best["command"] == f"%batchimg create NAME --from-vm VM --vm-size {best['vm_size']} --spot 132"
    assert found.attrs["evictions_per_hour"] == 0.1
    within = found[found["fits"]]
    assert within["usd"].is_monotonic_increasing


def test_a_quota_that_is_short_is_named_with_what_would_fit(session: Session) -> None:
    found = session.estimate(
        tasks=20_000, minutes=60, slots=4, deadline="3h", kind="dedicated", vm_size="Standard_D4s_v5"
    )
    (row,) = found.to_dict("records")
    assert not row["fits"]
    assert row["nodes"] == 2500
    assert (
        "dedicated cores of standardDSv5Family: 10000 needed, 1000 of 1000 free; 250 nodes would take" in row["limit"]
    )


def test_a_pool_that_is_there_gets_a_resize_and_its_disks_are_counted(session: Session) -> None:
    size = {"tasks": 100, "minutes": 30, "deadline": "3h", "vm_size": "Standard_D4s_v5", "kind": "dedicated"}
    (alone,) = session.estimate(**size).to_dict("records")
    session.create("sizes", from_vm="prep-vm", vm_size="Standard_D4s_v5", nodes=2)
    (row,) = session.estimate("sizes", **size).to_dict("records")
    assert row["command"] == f"%batchimg resize sizes --nodes {row['nodes']}"
    assert row["usd_per_node_hour"] > alone["usd_per_node_hour"]
    assert row["cores_free"] == alone["cores_free"]  # what the pool itself holds is there for it


def test_budget_and_deadline_bind_together(session: Session) -> None:
    both = session.estimate(tasks=1000, minutes=10, budget=50, deadline="2h", kind="dedicated")
    assert (both["usd"].dropna() <= 50).all()
    assert (both["makespan_minutes"].dropna() <= 120).all()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"tasks": 10, "minutes": 12, "deadline": "2m"}, "shorter than a node takes to start: about 4 min"),
        ({"tasks": 10, "minutes": 12, "budget": 0.01}, "less than the cost of one node for an hour"),
        ({"tasks": 10, "minutes": 12}, "no deadline and no budget"),
        ({"deadline": "4h"}, "the workload was not given"),
        ({"tasks": 0, "minutes": 12, "deadline": "4h"}, "--tasks is 0"),
        ({"tasks": 5, "minutes": 0, "deadline": "4h"}, "--minutes is 0"),
        ({"tasks": 5, "minutes": 5, "budget": -2}, "--budget is -2"),
        ({"tasks": 5, "minutes": 5, "deadline": "4h", "slots": 0}, "--slots is 0"),
        ({"tasks": 5, "minutes": 5, "deadline": "4h", "evictions": 1.5}, "--evictions is 1.5"),
        ({"tasks": 5, "minutes": 5, "deadline": "4h", "kind": "cheap"}, "--kind is 'cheap'"),
        ({"tasks": 5, "minutes": 5, "deadline": "4h", "vm_size": "Standard_D4s_v"}, "no VM size 'Standard_D4s_v'"),
    ],
)  # fmt: skip
def test_bad_input_gets_one_line(session: Session, asked: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=r".") as raised:
        session.estimate(**asked)
    assert said in raised.value.message
    assert raised.value.hint
    assert "\n" not in raised.value.message
