"""Autoscale formulas: whether one sets the size of a pool."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchimg_magics.core.base.table import Table

#: Text in quotes, and comments, which are no statements.
_NO_STATEMENT = re.compile(r'"[^"]*"|/\*.*?\*/|//[^\n]*', re.DOTALL)
#: An assignment to a target. The names without "Nodes" are older; Azure's own examples have them, and they still work.
_SETS_TARGET = re.compile(r"\$Target(Dedicated|LowPriority)(Nodes)?\s*=(?!=)")
#: What to do about a formula without a target.
TARGET_FIX = "assign $TargetDedicatedNodes or $TargetLowPriorityNodes in it"


def sets_target(formula: str) -> bool:
    """Tell whether a formula assigns a target; otherwise the pool keeps its size whatever the formula computes."""
    return _SETS_TARGET.search(_NO_STATEMENT.sub(" ", formula)) is not None


def with_target_warning(table: Table, formula: str) -> Table:
    """Return a table with a warning where a formula sets no target."""
    if sets_target(formula):
        return table
    found = "the formula sets no target: the pool keeps its size"
    warnings = [{"rule": "autoscale-target", "found": found, "fix": TARGET_FIX}]
    return replace(table, caption=f"{table.caption}; 1 warning", attrs={**table.attrs, "warnings": warnings})
