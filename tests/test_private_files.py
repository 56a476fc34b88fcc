"""The files that this package keeps are the user's alone, whatever the umask."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from batchimg_magics import Session
from tests.support.connections import read_pool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    return {str(one.relative_to(folder)): stat.S_IMODE(one.stat().st_mode) for one in folder.rglob("*")}


@pytest.mark.parametrize("speed", ["60", "max"])
def test_worlds_histories_and_profiles_are_private(tmp_path: Path, speed: str) -> None:
    def work() -> dict[str, int]:
        with Session() as session:
            session.connect(state=str(tmp_path / "own" / "world.db"), speed=speed, save_as="mine")
            session.pools()
            session.history()
            return modes(tmp_path)

    while_open = work()
    assert any(name.endswith("world.db") for name in while_open)
    assert any(name.endswith("profiles.json") for name in while_open)
    wrong = {name: oct(mode) for name, mode in while_open.items() if mode & 0o077}
    assert not wrong
    for file in tmp_path.rglob("*.*"):
        if file.is_file():
            file.chmod(0o644)
    work()
    assert not {name: oct(mode) for name, mode in modes(tmp_path).items() if mode & 0o077}


def test_a_world_holds_no_password_and_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("PASSWORD", "SAS", "SHARE")
    for name in names:
        monkeypatch.setenv(f"MY_{name}", f"Pr0be{name}!x")
    spec = {
        "start_task": {"command_line": "/bin/true", "environment": {"COLOUR": "green"}},
        "user_accounts": [{"name": "ana", "password": "env:MY_PASSWORD"}],
        "mounts": [
            {"type": "blob", "account": "lab", "container": "c", "path": "d", "sas": "env:MY_SAS"},
            {"type": "cifs", "source": "//h/s", "path": "e", "user": "u", "password": "env:MY_SHARE"},
        ],
    }
    with Session() as session:
        session.connect(state=str(tmp_path / "world.db"), speed="max")
        session.create("genomics", from_vm="prep-vm", vm_size="Standard_D4s_v5", nodes=1, spec=spec)
    kept = b"".join(one.read_bytes() for one in tmp_path.rglob("*") if one.is_file())
    assert b"startTask" in kept
    assert not [name for name in names if f"Pr0be{name}".encode() in kept]


def test_secrets_of_tasks_are_encrypted_in_a_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = "https://lab.blob.core.windows.net/c/setup.sh?sv=2024-11-04&sp=r&sig=Pr0beSIGNATURE%3D"
    monkeypatch.setenv("MY_TOKEN", "Pr0beTOKEN!x")
    monkeypatch.setenv("MY_URL", url)
    task = {
        "command_line": "/bin/true",
        "environment": {"API_TOKEN": "env:MY_TOKEN", "COLOUR": "green", "ODD": "sealed-value:abc"},
        "resource_files": [{"url": "env:MY_URL", "path": "setup.sh"}],
    }
    line = {"from_vm": "prep-vm", "vm_size": "Standard_D4s_v5", "nodes": 0, "spec": {"start_task": task}}

    def read() -> dict[str, str]:
        with Session() as session:
            session.connect(state=str(tmp_path / "world.db"), speed="max")
            shown = read_pool(session)["properties"]["startTask"]
            values = {one["name"]: one["value"] for one in shown["environmentSettings"]}
            return {**values, "url": shown["resourceFiles"][0]["httpUrl"]}

    with Session() as session:
        session.connect(state=str(tmp_path / "world.db"), speed="max")
        session.create("genomics", **line)
        assert set(session.create("genomics", **line).action) == {"exists"}
    kept = b"".join(one.read_bytes() for one in tmp_path.rglob("world.db*"))
    assert b"COLOUR" in kept
    assert b"Pr0be" not in kept
    (key,) = tmp_path.rglob("state.key")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    found = read()
    assert (found["API_TOKEN"], found["COLOUR"], found["ODD"]) == ("Pr0beTOKEN!x", "green", "sealed-value:abc")
    assert url.startswith(found["url"])  # signatures are not shown here
    key.unlink()
    found = read()
    assert (found["API_TOKEN"], found["COLOUR"], found["url"]) == ("", "green", "")
