"""One answer with an error status: the verb ends well, or says in one line what to do, and the same line goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.crash_cases import CASES, Case
from tests.support.outages import MORE_CASES
from tests.support.statuses import Statuses

if TYPE_CHECKING:
    from pathlib import Path

#: The verbs of which some points are tried here; `make crash` tries all.
TRIED = ("create", "resize", "delete --image")
MOST = 5


@pytest.mark.parametrize(
    "case", [one for one in (*CASES, *MORE_CASES) if one.name in TRIED], ids=lambda case: case.name
)
def test_an_error_status_ends_well_or_is_clear(tmp_path: Path, case: Case) -> None:
    statuses = Statuses.of(case, tmp_path)
    points = statuses.points()
    chosen = points[:: max(1, len(points) // MOST)]
    assert {str(one): found for one in chosen if (found := statuses.problems(one))} == {}
