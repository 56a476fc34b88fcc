"""Lines that run at the same time, each in a process of its own: they end as if they had run one after the other.

That of one pool, two times, is in `test_create_resume`, with kills.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.sigkills import kill_and_compare

if TYPE_CHECKING:
    from pathlib import Path

SIZE = ("--vm-size", "Standard_D4ds_v5")
CREATE = ("create", "first", "--from-vm", "prep-vm", "--nodes", "4", "--spot", "1", *SIZE)
POOL = ("create", "first", "--from-vm", "prep-vm", "--nodes", "1", *SIZE)
OTHER = ("create", "other", "--from-vm", "prep-vm", "--nodes", "2", *SIZE)
RUNS = {
    "two pools on a new account": ((), [CREATE, OTHER]),
    "the same size": ([POOL], [("resize", "first", "--nodes", "5"), ("resize", "first", "--nodes", "5")]),
}


@pytest.mark.parametrize("name", RUNS)
def test_two_runs_end_as_if_one_had_waited_for_the_other(tmp_path: Path, name: str) -> None:
    before, lines = RUNS[name]
    assert kill_and_compare(tmp_path, lines, kills=0, before=before) == []
