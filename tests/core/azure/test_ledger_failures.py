"""Whatever happens to the local history file, work goes on, and one caption of the session says so."""

from __future__ import annotations

import datetime as dt
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics import Session
from batchimg_magics.core.azure import ledger as ledger_module
from batchimg_magics.core.azure.ledger import Ledger
from batchimg_magics.core.scaling import rounds
from tests.support.connections import connection_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROW = {"pool": "p", "class": "done", "started": "2026-07-01T09:30:00+00:00", "ended": "2026-07-01T09:31:00+00:00"}


def use_all(ledger: Ledger) -> None:
    """Write and read everything."""
    ledger.add_cost("p", 1.0, 0.5)
    ledger.add_cost("p", 2.0, 0.7)
    ledger.end_costs("p", 3.0)
    ledger.add_round("p", 1.0, {"pool": "p", "started": dt.datetime(2026, 7, 1, tzinfo=dt.UTC)})
    ledger.add_sample("p", 1.0, {"idle": 2})
    ledger.add_deletion("p", 2.0)
    ledger.add_working_image("/image", 1.0)
    ledger.set_wanted_size("p", 3, 4)
    for read in (ledger.costs, ledger.rounds, ledger.samples, ledger.deleted_at, ledger.wanted_size):
        read("p")
    ledger.pools_with_costs()
    ledger.is_working_image("/image")
    ledger.clear_wanted_size("p")


def folder_is_a_file(folder: Path) -> Path:
    (folder / "data").write_text("a file")
    return folder / "data" / "ledger.db"


def file_is_a_folder(folder: Path) -> Path:
    (folder / "ledger.db").mkdir()
    return folder / "ledger.db"


def no_name(folder: Path) -> Path:
    return folder / "led\0ger.db"


def another_version(folder: Path) -> Path:
    with closing(sqlite3.connect(folder / "ledger.db")) as base:
        base.executescript("CREATE TABLE rounds (one); CREATE TABLE samples (one, two); CREATE TABLE proven (one);")
    return folder / "ledger.db"


def no_database(folder: Path) -> Path:
    (folder / "ledger.db").write_bytes(b"\x00\xff" * 3000)
    return folder / "ledger.db"


@pytest.mark.parametrize("damage", [folder_is_a_file, file_is_a_folder, no_name, another_version, no_database])
def test_history_goes_on_in_memory_and_says_so_once(tmp_path: Path, damage: Callable[[Path], Path]) -> None:
    ledger = Ledger(damage(tmp_path), "account")
    use_all(ledger)
    use_all(ledger)
    assert [row["pool"] for row in ledger.rounds("p")][-1] == "p"
    assert "memory" in ledger.take_warning()
    assert ledger.take_warning() == ""
    ledger.close()


def test_a_full_disk_keeps_what_was_read(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    ledger = Ledger(file, "account")
    use_all(ledger)
    opened = ledger._opened  # noqa: SLF001 - no other door to the open file
    assert opened is not None
    (pages,) = opened.execute("PRAGMA page_count").fetchone()
    opened.execute(f"PRAGMA max_page_count = {pages}")  # SQLite then answers as on a full disk
    for number in range(200):
        ledger.add_round("p", number, {"pool": "p" * 300})
    assert len(ledger.rounds("p")) == 201
    assert "full" in ledger.take_warning()
    ledger.close()


def test_a_file_that_is_deleted_while_it_is_open(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    ledger = Ledger(file, "account")
    use_all(ledger)
    file.unlink()
    use_all(ledger)
    assert len(ledger.rounds("p")) == 2
    assert ledger.take_warning()
    ledger.close()


def test_a_locked_file_is_waited_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "LOCK_TIMEOUT_S", 0.01)
    ledger = Ledger(tmp_path / "ledger.db", "account")
    use_all(ledger)
    with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        use_all(ledger)
        opened = ledger._opened  # noqa: SLF001 - no other door to the open file
        assert opened is not None
        assert opened.execute("PRAGMA busy_timeout").fetchone() == (0,)
        other.execute("ROLLBACK")
    use_all(ledger)
    assert opened.execute("PRAGMA busy_timeout").fetchone() == (10,)
    assert "locks it" in ledger.take_warning()
    ledger.close()


@pytest.mark.parametrize(
    "value",
    [2**70, float("nan"), "\ud800", object(), {1: {2}}, [[]], None, -1.5, "\0"],
    ids=lambda value: repr(value)[:12],
)
def test_odd_values_stop_nothing(tmp_path: Path, value: Any) -> None:
    ledger = Ledger(tmp_path / "ledger.db", "account")
    ledger.add_cost("p", value, value)
    ledger.add_cost("p", 1.0, value)
    ledger.add_round("p", value, {"pool": value})
    ledger.add_sample("p", value, {"idle": value})
    ledger.add_working_image("/image", value)
    ledger.set_wanted_size("p", value, value)
    ledger.end_costs("p", value)
    for read in (ledger.costs, ledger.rounds, ledger.samples, ledger.deleted_at, ledger.wanted_size):
        read("p")
    use_all(ledger)
    assert ledger.is_working_image("/image")
    ledger.close()


def test_damaged_entries_are_left_out_of_every_table(tmp_path: Path) -> None:
    with Session() as session:
        session.connect(state=str(tmp_path / "state.db"), speed="max")
        session.create("p", from_vm="prep-vm", vm_size="Standard_D4s_v5", nodes=1)
        whole = session.history("p")
        azure = connection_of(session).azure
        account = str(azure.scope.account_id).lower()
        base = azure.ledger._opened  # noqa: SLF001 - no other door to the open file
        assert base is not None
        for text in (
            "{",
            "[1]",
            "null",
            "7",
            '{"pool": 1}',
            "[" * 100_000,
            '{"pool": "p", "class": "x"}',
            b"\xff",
            None,
        ):
            with base:
                base.execute("INSERT INTO rounds SELECT ?, 'p', 1, coalesce(?, '')", (account, text))
                base.execute(
                    "INSERT OR REPLACE INTO samples VALUES (?, 'p', ?, ?)", (account, len(str(text)), text or "")
                )
        odd = {**ROW, "seconds": "long", "dedicated_after": 2.5}
        azure.ledger.add_round("p", 2.0, odd)
        base.execute("INSERT INTO costs VALUES (?, 'p', 'then', 'now', 'much', 0)", (account,))
        base.execute("INSERT INTO wanted VALUES (?, 'p', 'many', 'few')", (account,))
        assert session.history("p").drop(columns=[]).equals(whole)
        session.repair("p")
        session.pools()
        session.show("p")
        caption = session.resize("p", nodes=2).attrs["caption"]
        assert len(rounds.last_rounds(azure, "p", 5).columns["pool"])
        assert "damaged entries" not in caption  # the first caption after it said so


def test_one_caption_of_the_session_has_the_warning(tmp_path: Path) -> None:
    (tmp_path / "state.ledger.db").write_bytes(b"no database" * 100)
    with Session() as session:
        session.connect(state=str(tmp_path / "state.db"), speed="max")
        captions = [session.create("p", from_vm="prep-vm", vm_size="Standard_D4s_v5", nodes=1).attrs["caption"]]
        captions += [session.resize("p", nodes=2).attrs["caption"], session.pools().attrs["caption"]]
    assert ["kept in memory" in one for one in captions] == [True, False, False]
