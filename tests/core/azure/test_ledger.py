"""The local history file: where it cannot be read or written, verbs go on without it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from batchimg_magics import Session
from batchimg_magics.core.azure import ledger as ledger_module
from batchimg_magics.core.azure.ledger import Ledger
from tests.support.connections import connection_of

if TYPE_CHECKING:
    from pathlib import Path


def add_all(ledger: Ledger) -> None:
    ledger.add_cost("p", 1.0, 0.5)
    ledger.add_round("p", 1.0, {"pool": "p"})
    ledger.add_sample("p", 1.0, {"idle": 2})
    ledger.add_working_image("/image", 1.0)
    ledger.set_wanted_size("p", 3, 4)


def has_all(ledger: Ledger) -> bool:
    return (
        ledger.costs("p")[0][2] == 0.5
        and ledger.rounds("p") == [{"pool": "p"}]
        and ledger.samples("p") == [(1.0, {"idle": 2})]
        and ledger.is_working_image("/IMAGE")
        and ledger.wanted_size("P") == (3, 4)
        and ledger.pools_with_costs()[0] == "p"
    )


def forbid_writing(ledger: Ledger) -> None:
    """Let its file refuse to be written, which permissions do not do for root."""
    opened = ledger._opened  # noqa: SLF001 - no other door to the open file
    assert opened is not None
    opened.execute("PRAGMA query_only = ON")


def test_a_file_that_cannot_be_written_is_read_and_continued_in_memory(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    first = Ledger(file, "account")
    add_all(first)
    first.close()
    ledger = Ledger(file, "account")
    assert has_all(ledger)
    forbid_writing(ledger)
    ledger.add_cost("q", 2.0, 1.5)
    ledger.end_costs("p", 2.0)
    assert has_all(ledger)
    assert ledger.pools_with_costs() == ["p", "q"]
    ledger.close()
    with closing(sqlite3.connect(file)) as base:
        assert base.execute("SELECT count(*) FROM costs").fetchone() == (1,)


@pytest.mark.parametrize("damage", ["no database", "other tables", "damaged pages"])
def test_a_damaged_file_is_replaced_by_memory(tmp_path: Path, damage: str) -> None:
    file = tmp_path / "ledger.db"
    if damage == "no database":
        file.write_bytes(b"no database" * 100)
    elif damage == "other tables":
        with closing(sqlite3.connect(file)) as base:
            base.execute("CREATE TABLE costs (account, pool, at)")
            base.execute("CREATE TABLE wanted (other)")
            base.commit()
    else:
        whole = Ledger(file, "account")
        for number in range(300):
            whole.add_round("p", number, {"pool": "p" * 100})
            whole.add_cost("p", number, number)
        whole.close()
        content = bytearray(file.read_bytes())
        content[4096 * 2 :] = b"\xff" * (len(content) - 4096 * 2)
        file.write_bytes(content)
    ledger = Ledger(file, "account")
    ledger.rounds("p")
    add_all(ledger)
    add_all(ledger)
    assert ledger.wanted_size("p") == (3, 4)
    assert ledger.costs("p")[-1][2] == 0.5
    ledger.close()


def test_an_entry_is_lost_rather_than_a_verb_while_another_process_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "LOCK_TIMEOUT_S", 0.0)
    ledger = Ledger(tmp_path / "ledger.db", "account")
    add_all(ledger)
    with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        ledger.add_cost("q", 2.0, 1.5)
        assert ledger.costs("p") == []
        other.execute("ROLLBACK")
    assert has_all(ledger)
    assert ledger.pools_with_costs() == ["p"]
    ledger.close()


def test_verbs_go_on_without_the_file(tmp_path: Path) -> None:
    with Session() as session:
        session.connect(state=str(tmp_path / "state.db"), speed="max")
        session.create("p", from_vm="prep-vm", vm_size="Standard_D4s_v5", nodes=1)
        forbid_writing(connection_of(session).azure.ledger)
        session.resize("p", nodes=2)
        assert list(session.history("p")["dedicated_after"]) == [1, 2]
        session.delete("p", yes=True)
        assert session.history("p").attrs["costs"][0]["deleted"]
