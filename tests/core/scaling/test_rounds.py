"""The rows of a resize, as the local history file keeps them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure.ledger import Ledger
from batchimg_magics.core.scaling import rounds

if TYPE_CHECKING:
    from pathlib import Path

#: A row as versions before the renaming of columns and classes wrote it.
OLD_ROW = {
    "pool": "p", "round": 1, "class": "short", "action": "next round", "code": "AllocationTimedout", "message": None,
    "dedicated_from": 1, "dedicated_to": 3, "dedicated_target": 5, "spot_from": 0, "spot_to": 2, "spot_target": 2,
    "seconds": 60.0, "usd": 0.1, "timeout_minutes": 5.0, "a column of another version": 1,
    "started": "2026-01-01T00:00:00+00:00", "ended": "2026-01-01T00:01:00+00:00",
}  # fmt: skip


def test_rows_of_earlier_versions_are_read_with_the_names_of_today(tmp_path: Path) -> None:
    old = Ledger(tmp_path / "ledger.db", "account")
    for started, kind in enumerate(("short", "passing", "foreign", "quota", "a class of another version")):
        old.add_round("p", started, OLD_ROW | {"class": kind})
    old.close()
    ledger = Ledger(tmp_path / "ledger.db", "account")
    azure: Any = SimpleNamespace(ledger=ledger, scope=SimpleNamespace(account="account"))
    for table in (rounds.history(azure, "p"), rounds.history(azure, None), rounds.last_rounds(azure, "p", 8)):
        columns = table.columns
        kinds = ["partial", "transient", "external", "quota", "a class of another version"]
        assert columns["class"] == kinds
        counts = {name: set(columns[name]) for name in columns if name.startswith(("dedicated", "spot"))}
        assert counts == {
            "dedicated_before": {1}, "dedicated_after": {3}, "dedicated_target": {5},
            "spot_before": {0}, "spot_after": {2}, "spot_target": {2},
        }  # fmt: skip
        assert set(columns["seconds"]) == {60.0}
    ledger.close()
