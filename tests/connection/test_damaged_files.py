"""Files of the user that are damaged, or are in places that cannot be written: one line says what is wrong."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path

import pytest

from batchimg_magics.errors import BatchImgError, NotConnectedError
from batchimg_magics.session.session import Session
from tests.support.create_options import CREATE_OPTIONS

SMALL = {**CREATE_OPTIONS, "nodes": 1, "spot": 0}

# -- saved connections -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe\x00",
        b"null",
        b"[]",
        b"[" * 100_000,
        b'{"a": ' * 5000,
        b'{"a": 1}',
        b'{"a": {"unknown": 5}}',
        b'{"a": {"subscription": 5}}',
        b'{"a": {"state": {"x": 1}}}',
        b'{"a": {"tags": "x"}}',
        b'{"a": {"tags": {"x": ' + b"[" * 5000,
        b'{"a": {"max_cost_per_hour": "1"}}',
    ],
)
def test_a_damaged_profile(content: bytes) -> None:
    file = Path(os.environ["XDG_CONFIG_HOME"]) / "batchimg" / "profiles.json"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    with Session(progress=False) as session:
        for call in (session.profiles, lambda: session.connect(profile="a"), lambda: session.connect(save_as="b")):
            with pytest.raises(NotConnectedError, match=r"profiles\.json cannot be read: ") as failed:
                call()
            assert failed.value.hint == "correct or delete the file"
    assert file.read_bytes() == content


def test_profiles_in_a_folder_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    with Session(progress=False) as session:
        with pytest.raises(NotConnectedError, match="cannot be saved"):
            session.connect(save_as="a")
        assert session.profiles().empty


# -- the state of the emulator ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the content of a state file with a pool."""
    file = tmp_path_factory.mktemp("world") / "state.db"
    with Session(progress=False) as session:
        session.connect(state=file, speed="max")
        session.create("a", **SMALL)
    return file.read_bytes()


def open_state(file: Path) -> None:
    """Do what needs the state: list VMs and nodes, and change the pool."""
    with Session(progress=False) as session:
        session.connect(state=file, speed="max")
        session.vms()
        session.nodes("a")
        session.resize("a", nodes=2)


def assert_refused(file: Path) -> None:
    with pytest.raises(NotConnectedError, match=str(file)) as failed:
        open_state(file)
    assert "\n" not in failed.value.message
    assert "--state" in failed.value.hint


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9])
def test_a_state_that_is_cut_off(tmp_path: Path, state: bytes, share: float) -> None:
    file = tmp_path / "state.db"
    file.write_bytes(state[: int(len(state) * share)])
    assert_refused(file)


@pytest.mark.parametrize("place", range(12))
def test_a_state_with_a_character_that_differs(tmp_path: Path, state: bytes, place: int) -> None:
    file = tmp_path / "state.db"
    file.write_bytes(state)
    with sqlite3.connect(file) as base:
        rows = base.execute(
            "SELECT rowid_, key, doc FROM (SELECT row_number() OVER () AS rowid_, * FROM items)"
        ).fetchall()
        pools = [row for row in rows if "/pools/" in row[1] or "/virtualmachines/" in row[1]]
        _, key, doc = pools[place % len(pools)]
        at = (place * 7919) % len(doc)
        base.execute("UPDATE items SET doc = ? WHERE key = ?", (doc[:at] + bytes([doc[at] ^ 1]) + doc[at + 1 :], key))
    base.close()
    assert_refused(file)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM meta WHERE name = 'layout'",
        "UPDATE meta SET value = '99' WHERE name = 'layout'",
        "UPDATE meta SET value = '{' WHERE name = 'latest'",
        "UPDATE meta SET value = '1e300' WHERE name = 'latest'",
        "UPDATE items SET doc = '{}'",
        "UPDATE items SET hidden = 'x'",
        "DROP TABLE items",
        "DROP TABLE meta",
    ],
)
def test_a_state_that_somebody_edited(tmp_path: Path, state: bytes, statement: str) -> None:
    file = tmp_path / "state.db"
    file.write_bytes(state)
    with sqlite3.connect(file) as base:
        base.execute(statement)
    base.close()
    assert_refused(file)


def test_a_state_of_an_earlier_version_gets_checksums(tmp_path: Path, state: bytes) -> None:
    file = tmp_path / "state.db"
    file.write_bytes(state)
    with sqlite3.connect(file) as base:
        for table in ("items", "meta"):
            base.execute(f"ALTER TABLE {table} DROP COLUMN checksum")
        base.execute("UPDATE meta SET value = '1' WHERE name = 'layout'")
    base.close()
    open_state(file)
    with sqlite3.connect(file) as base:
        base.execute("UPDATE items SET doc = '{}'")
    base.close()
    assert_refused(file)


def test_a_disk_that_is_full_in_the_middle_of_the_work(tmp_path: Path) -> None:
    with Session(progress=False) as session:
        session.connect(state=tmp_path / "state.db", speed="max")
        session.create("a", **SMALL)
        emulator = session.connection and session.connection.emulator
        assert emulator is not None
        database = emulator.store._db  # noqa: SLF001 - SQLite's limit of pages stands for a full disk
        database.execute(f"PRAGMA max_page_count = {database.execute('PRAGMA page_count').fetchone()[0]}")
        with pytest.raises(NotConnectedError, match="disk is full"):
            [session.create(f"b{number}", **SMALL) for number in range(50)]
        assert "a" in session.pools()["pool"].tolist()  # what was there can be read


def test_a_home_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    monkeypatch.delenv("BATCHIMG_STATE")
    with Session(progress=False) as session:
        with pytest.raises(NotConnectedError, match="Not a directory"):
            session.pools()
        session.connect(state=":memory:")
        assert session.pools().empty


def test_files_of_others(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a database " * 100)
    sqlite3.connect(tmp_path / "other.db").execute("CREATE TABLE x (y)").connection.close()
    (tmp_path / "folder").mkdir()
    for name in ("text", "other.db", "folder", f"text{os.sep}x"):
        with Session(progress=False) as session, pytest.raises(BatchImgError) as failed:
            session.connect(state=tmp_path / name)
        assert failed.value.hint
    assert (tmp_path / "text").read_text().startswith("not a database")


def test_a_hostile_document_is_not_imported(tmp_path: Path) -> None:
    for number, text in enumerate(
        ("[" * 100_000, '{"id": ' * 5000, json.dumps({"id": "9" * 5000}), '{"a": ' + "9" * 5000 + "}")
    ):
        file = tmp_path / f"{number}.json"
        file.write_text(text)
        with Session(progress=False) as session, pytest.raises(BatchImgError) as failed:
            session.connect(state=":memory:", import_files=[str(file)])
        assert len(failed.value.message) < 600
