"""Failure scenarios are reported with their cause and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batchimg_magics.errors import ResizeError

if TYPE_CHECKING:
    from batchimg_magics.session.session import Session

LINE = {"from_vm": "prep-vm", "vm_size": "Standard_D2s_v5", "spot": 1}


def connected(session: Session, scenario: str) -> Session:
    session.connect(state=":memory:", speed="max", scenario=scenario)
    return session


def test_start_tasks_that_fail(session: Session) -> None:
    with pytest.raises(ResizeError, match="unusable nodes: 3 of 3") as caught:
        connected(session, "bad-start-task").create("p", nodes=2, start_task="/bin/true", canary=False, **LINE)
    assert "start task failed" in caught.value.hint
    assert set(session.nodes("p").state) == {"starttaskfailed"}


def test_image_that_is_missing_at_the_next_resize(session: Session) -> None:
    connected(session, "image-deleted").create("p", nodes=2, canary=False, **LINE)
    with pytest.raises(ResizeError, match="pool 'p' cannot grow: its image does not exist"):
        session.resize("p", nodes=4)
    assert session.pools()[["dedicated", "spot", "image_state"]].values.tolist() == [[2, 1, "missing"]]


def test_large_pool_gets_there_in_rounds(session: Session) -> None:
    connected(session, "slow-large").create("p", nodes=0, **LINE)
    rounds = session.resize("p", nodes=450, timeout="20m")
    assert list(rounds["class"]) == ["partial"] * (len(rounds) - 1) + ["done"]
    assert len(rounds) > 1
    assert set(rounds.code[:-1]) == {"AllocationTimedout"}
    assert list(rounds.dedicated_before[1:]) == list(rounds.dedicated_after[:-1])
    assert rounds.dedicated_after.iloc[-1] == 450


def test_a_quota_that_is_too_small_is_reported_before_the_resize(session: Session) -> None:
    session.create("p", nodes=2, **LINE)
    with pytest.raises(ResizeError, match="standardDSv5Family: 1,800 cores needed, 1,000 of 1,000 free") as caught:
        session.resize("p", nodes=900)
    assert "800 missing" in caught.value.message
    assert "500 dedicated + 1 spot would fit" in caught.value.message
    assert "--take-what-fits" in caught.value.hint
    assert session.pools().dedicated_target.tolist() == [2]
