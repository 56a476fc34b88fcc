"""A passing outage at any request: the verb ends as if there had been none, and a long one ends with what to do."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import ServiceRequestError

from batchimg_magics import Session
from batchimg_magics.core.azure import outages
from batchimg_magics.errors import ServiceError
from tests.support.connections import wrapped_session
from tests.support.crash_cases import CASES, Case
from tests.support.faults import set_faults
from tests.support.forwarding_transport import ForwardingTransport
from tests.support.outages import MORE_CASES, TRIES, OutageTransport, outage_points

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("case", [case for case in (*CASES, *MORE_CASES) if case.tries], ids=lambda case: case.name)
def test_an_outage_that_passes_changes_nothing(case: Case, tmp_path: Path) -> None:
    """Some of the points; `make crash` tries them all."""
    tried = dict(outage_points(case, tmp_path))
    assert len(tried) == TRIES
    assert {name: said for name, said in tried.items() if said} == {}


def test_pauses_grow_and_end() -> None:
    pauses = [outages.pause_s(repeats) for repeats in range(outages.MAX_REPEATS)]
    assert pauses[:4] == [0.0, 1.6, 3.2, 6.4]
    assert max(pauses) == 30.0
    assert 180 < sum(pauses) < 300


def test_a_long_outage_ends_with_the_cause_and_what_to_do() -> None:
    with wrapped_session(partial(OutageTransport), speed="max") as (session, line):
        set_faults(session, status=503, times=None)
        line.log.clear()
        with pytest.raises(ServiceError, match="ServiceUnavailable") as caught:
            session.pools()
        assert len(line.log) == outages.MAX_REPEATS + 1
        assert "same command again" in caught.value.hint


@dataclass
class NoNetwork(ForwardingTransport):
    tries: int = 0

    async def send(self, request: Any, **_: Any) -> Any:
        self.tries += 1
        raise ServiceRequestError(f"cannot connect to {request.url}")


def test_a_host_that_never_answered_is_given_up_soon() -> None:
    made: list[NoNetwork] = []
    with Session(wrap_transport=lambda inner: made.append(NoNetwork(inner)) or made[-1]) as session:
        session.open(speed="max")
        with pytest.raises(ServiceError, match="no response from Azure: cannot connect"):
            session.pools()
    assert made[0].tries == outages.MAX_FIRST_CONNECTS + 1
