"""Formulas that set no target."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batchimg_magics.core.batch.formulas import sets_target
from tests.support.create_options import CREATE_OPTIONS

if TYPE_CHECKING:
    from batchimg_magics.session.session import Session


@pytest.mark.parametrize(
    ("formula", "sets"),
    [
        ("$TargetDedicatedNodes=1;", True),
        ("$TargetLowPriorityNodes = 1;", True),
        ("x = 1; $TargetDedicated = x ? 20:10;", True),
        ("$TargetLowPriority=0;", True),
        ("$NodeDeallocationOption = taskcompletion;", False),
        ("x = $TargetDedicatedNodes == 1;", False),
        ("// $TargetDedicatedNodes = 1;\nx = 2;", False),
        ("/* $TargetDedicatedNodes = 1; */ x = 2;", False),
        ('x = "$TargetDedicatedNodes = 1";', False),
    ],
)
def test_what_sets_a_target(formula: str, sets: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert sets_target(formula) is sets


def test_a_formula_without_a_target_is_warned_of(session: Session) -> None:
    session.create("p", **{**CREATE_OPTIONS, "nodes": 1, "spot": 0})
    shown = session.autoscale("p", formula="$NodeDeallocationOption = taskcompletion;")
    (said,) = shown.attrs["warnings"]
    assert "sets no target" in said["found"]
    assert "$TargetDedicatedNodes" in said["fix"]
    assert "warnings" in session.autoscale("p", formula="x = 1;", evaluate=True).attrs
    assert "warnings" not in session.autoscale("p", formula="$TargetDedicated = 1;", evaluate=True).attrs
