"""The rows of a resize, as the local history file keeps them."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

from batchimg_magics.session.session import Session
from tests.support.connections import connection_of

if TYPE_CHECKING:
    from pathlib import Path

#: A row as versions before the renaming of columns and classes wrote it.
OLD_ROW = {
    "pool": "p", "round": 1, "class": "short", "action": "next round", "code": "AllocationTimedout", "message": None,
    "dedicated_from": 1, "dedicated_to": 3, "dedicated_target": 5, "spot_from": 0, "spot_to": 2, "spot_target": 2,
    "seconds": 60.0, "usd": 0.1, "timeout_minutes": 5.0, "a column that is gone": 1,
    "started": "2026-01-01T00:00:00+00:00", "ended": "2026-01-01T00:01:00+00:00",
}  # fmt: skip


def test_rows_of_earlier_versions_are_read_with_the_names_of_today(tmp_path: Path) -> None:
    with Session() as session:
        session.connect(state=str(tmp_path / "world.db"), speed="max")
        connection_of(session).azure.ledger.add_round("p", 0.0, {"pool": "p"})  # creates the file
        with sqlite3.connect(tmp_path / "world.ledger.db") as base:
            for number, name in enumerate(("short", "passing", "foreign", "quota", "of a later version")):
                row = OLD_ROW | {"class": name, "round": number}
                base.execute("UPDATE rounds SET row = ?", (json.dumps(row),)) if not number else base.execute(
                    "INSERT INTO rounds SELECT account, pool, ?, ? FROM rounds LIMIT 1", (number, json.dumps(row))
                )
        base.close()
        rounds = session.history("p")
    assert list(rounds["class"]) == ["partial", "transient", "external", "quota", "of a later version"]
    assert set(rounds.dedicated_before) == {1}
    assert set(rounds.dedicated_after) == {3}
    assert set(rounds.spot_before) == {0}
    assert set(rounds.spot_after) == {2}
    assert set(rounds.seconds) == {60.0}
