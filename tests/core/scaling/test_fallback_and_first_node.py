"""Dedicated nodes instead of spot nodes, and one node first where a start task is new."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from batchimg_magics.errors import ResizeError, SpecError
from batchimg_magics.ui.cli import main
from tests.support.concurrent_client import ConcurrentClient, ObservedTransport
from tests.support.connections import connection_of, emulator_of, wrapped_session

if TYPE_CHECKING:
    from batchimg_magics.session.session import Session

LINE = {"from_vm": "prep-vm", "vm_size": "Standard_D2s_v5"}


def set_quota(session: Session, **quotas: int) -> None:
    """Let the account have other core quotas."""
    store = emulator_of(session).store
    for account in list(store.items("microsoft.batch/batchaccounts", "/subscriptions")):
        account.doc["properties"] |= quotas
        store.put(account)


def nodes_of(session: Session, pool: str = "p") -> tuple[int, int]:
    return ConcurrentClient(emulator_of(session)).count_nodes(pool)


def words(rows: Any, name: str) -> list[str]:
    return [
        "" if one is None or one is pd.NA else str(one)
        for one in (rows[name] if hasattr(rows, "dtypes") else rows.columns[name])
    ]


# -- dedicated nodes instead of spot nodes ---------------------------------------------------------------------------


@pytest.mark.parametrize("ttl", [None, "8h"])
def test_dedicated_nodes_come_instead_of_spot_nodes_over_quota(session: Session, ttl: str | None) -> None:
    session.create("p", nodes=1, ttl=ttl, **LINE)
    set_quota(session, lowPriorityCoreQuota=8)
    rounds = session.resize("p", nodes=1, spot=10, fallback_dedicated=6)
    assert words(rounds, "action") == ["", "dedicated nodes instead of Spot"]
    assert nodes_of(session) == (7, 4)
    again = session.resize("p", nodes=1, spot=10, fallback_dedicated=6)
    assert len(again) == 0, "the same line again finds what it asked for"
    with pytest.raises(ResizeError, match="cannot have 7 dedicated") as caught:
        session.resize("p", nodes=1, spot=20, fallback_dedicated=6)
    assert "quota" in caught.value.hint
    assert nodes_of(session) == (7, 4), "not more than was allowed, and nothing was lost"


def test_create_takes_what_fits_of_both_kinds(session: Session) -> None:
    session.create("p", nodes=0, **LINE)
    set_quota(session, lowPriorityCoreQuota=8)
    options = {**LINE, "nodes": 0, "spot": 10, "fallback_dedicated": 4, "take_what_fits": True}
    session.create("q", **options)
    assert nodes_of(session, "q") == (4, 4)
    session.create("q", **options)
    assert nodes_of(session, "q") == (4, 4), "the same line again finds what it asked for"


def test_capacity_that_spot_nodes_do_not_get() -> None:
    with wrapped_session(ObservedTransport) as (session, line):
        session.create("p", nodes=0, spot=1, **LINE)
        store = emulator_of(session).store
        short = {"code": "AllocationFailed", "message": "no capacity", "values": []}
        store.set_meta("allocation", {"errors": [short]})
        # The errors are those of both kinds: they end before dedicated nodes are requested.
        line.before_request("/resize?", 3, lambda: store.set_meta("allocation", {}))
        rounds = session.resize("p", nodes=0, spot=8, fallback_dedicated=7)
        assert words(rounds, "class") == ["transient", "transient", "done"]
        assert words(rounds, "action")[-1] == "dedicated nodes instead of Spot"
        assert nodes_of(session) == (7, 1)


def test_the_error_has_the_cause_that_spot_nodes_are_missing() -> None:
    with wrapped_session(ObservedTransport) as (session, line):
        session.create("p", nodes=0, spot=1, **LINE)
        store = emulator_of(session).store

        def fail(message: str) -> None:
            store.set_meta("allocation", {"errors": [{"code": "AllocationFailed", "message": message, "values": []}]})

        fail("no capacity for Spot")
        line.before_request("/resize?", 3, lambda: fail("none for dedicated nodes, for a moment"))
        line.before_request("/resize?", 4, lambda: store.set_meta("allocation", {}))
        with pytest.raises(ResizeError, match=r"has 4 dedicated \+ 1 spot of 8 spot nodes: .*no capacity for Spot"):
            session.resize("p", nodes=0, spot=8, fallback_dedicated=4)
        assert nodes_of(session) == (4, 1)


def test_money_bounds_dedicated_nodes(session: Session) -> None:
    session.create("p", nodes=0, **LINE)
    set_quota(session, lowPriorityCoreQuota=4)
    connection_of(session).azure.spending_limit.usd_per_hour = 1.0
    session.resize("p", nodes=0, spot=10, fallback_dedicated=8, take_what_fits=True)
    dedicated, spot = nodes_of(session)
    assert spot == 2
    assert 0 < dedicated < 8
    assert session.pools().usd_per_hour[0] <= 1.0


def test_what_makes_no_sense(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    for options in ({"nodes": 3}, {"spot": 3}, {"nodes": 3, "spot": 0}):
        with pytest.raises(SpecError, match="--fallback-dedicated needs --nodes and --spot"):
            session.resize("p", fallback_dedicated=2, **options)
    with pytest.raises(SpecError, match="--fallback-dedicated needs --spot"):
        session.plan("p", nodes=3, fallback_dedicated=2, **LINE)
    with pytest.raises(SpecError, match="fallback"):
        session.resize("p", nodes=0, spot=3, fallback_dedicated=0)
    assert main(["resize", "p", "--nodes", "1", "--spot", "2", "--fallback-dedicated", "x"]) == 2
    assert "--fallback-dedicated" in capsys.readouterr().err


def test_check_warns_where_dedicated_nodes_may_replace_spot_nodes(session: Session) -> None:
    session.connect(state=":memory:", speed="max", scenario="quota")
    shown = session.plan("p", nodes=0, spot=10, fallback_dedicated=6, **LINE)
    assert "up to 6 dedicated nodes instead" in str(shown.attrs)


# -- one node first ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ttl", [None, "8h"])
def test_a_start_task_that_was_never_tried_gets_one_node_first(session: Session, ttl: str | None) -> None:
    session.create("works", nodes=1, **LINE)
    image = session.images().query("kind == 'version'").id.iloc[0] if "kind" in session.images() else None
    source = {"from_version": image, "vm_size": LINE["vm_size"]} if image else LINE
    with pytest.raises(ResizeError, match="the first node is not usable"):
        session.create("p", nodes=20, start_task="false", ttl=ttl, **source)
    assert nodes_of(session) == (1, 0)
    with pytest.raises(ResizeError, match="the first node is not usable"):
        session.resize("p", nodes=20)
    assert nodes_of(session) == (1, 0), "the same line again does not pay for more"
    session.create("good", nodes=3, start_task="true", **source)
    assert words(session.history("good"), "action") == ["one node first", ""]
    session.create("same", nodes=3, start_task="true", **source)
    assert words(session.history("same"), "action") == [""]


def test_plan_counts_the_first_node(session: Session) -> None:
    first = session.plan("p", nodes=20, **LINE).set_index("step").loc["nodes"]
    assert "one node first, about 4 min and $" in first.why
    without = session.plan("p", nodes=20, canary=False, **LINE).set_index("step").loc["nodes"]
    assert "first" not in without.why
    assert first.minutes > without.minutes
    session.create("p", nodes=1, **LINE)
    session.resize("p", nodes=0)
    known = session.plan("p", nodes=20, **LINE).set_index("step").loc["nodes"]
    assert "first" not in known.why, "a node of this image has started"
