"""The local store of lists of packages: private, safe against damage, and no reason for a verb to fail."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from batchimg_magics.core.base.package_list import Package, PackageList
from batchimg_magics.core.base.package_store import PackageStore

if TYPE_CHECKING:
    from pathlib import Path

VERSION = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/galleries/g/images/i/versions/1.0.1"
LIST = PackageList.of([Package("dpkg", "bash", "5.2"), Package("pip", "numpy", "2.1", "/opt/venv")])


def test_a_list_is_found_by_its_sha256_and_by_its_version(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "packages"
    store = PackageStore(folder)
    assert (store.get(LIST.sha256), store.sha256_of(VERSION)) == (None, "")
    assert not folder.exists()
    store.put(LIST, VERSION)
    for one in (store, PackageStore(folder)):
        assert one.get(LIST.sha256) == LIST
        assert one.sha256_of(VERSION.upper()) == LIST.sha256
        assert one.sha256_of(VERSION[:-1]) == ""
    assert (folder / f"{LIST.sha256}.tsv").read_bytes() == LIST.text.encode()
    assert {stat.S_IMODE(one.stat().st_mode) for one in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("damage", [b"", b"dpkg\tbash\t5.3\t\n", b"\xff\xfe\x00", LIST.text.encode()[:-9]])
def test_a_damaged_file_counts_as_missing_and_is_written_again(tmp_path: Path, damage: bytes) -> None:
    store = PackageStore(tmp_path)
    store.put(LIST, VERSION)
    for file in tmp_path.iterdir():
        file.write_bytes(damage)
    assert (store.get(LIST.sha256), store.sha256_of(VERSION)) == (None, "")
    store.put(LIST, VERSION)
    assert (store.get(LIST.sha256), store.sha256_of(VERSION)) == (LIST, LIST.sha256)


def test_a_store_that_cannot_be_written_is_in_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for store in (PackageStore(), PackageStore(tmp_path / "file" / "packages")):
        store.put(LIST, VERSION)
        assert store.get(LIST.sha256) == LIST
        assert store.get(store.sha256_of(VERSION)) == LIST
        assert store.get("../../etc/passwd") is None
