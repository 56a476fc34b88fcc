"""`verify`: a lock file compared with Azure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batchimg_magics.core.base.package_list import PackageList
from batchimg_magics.core.base.package_store import PackageStore
from batchimg_magics.errors import ConflictError, ServiceError, SpecError
from batchimg_magics.ui.cli import main
from tests.support.connections import connection_of
from tests.support.faults import set_faults
from tests.support.locked_pools import locked_pool

if TYPE_CHECKING:
    from pathlib import Path

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.session.session import Session


def test_nothing_differs_until_the_pool_is_deleted(tmp_path: Path) -> None:
    with locked_pool(tmp_path) as pool:
        assert pool.drifts() == {}
        assert "facts are as they were locked" in pool.verify(strict=True).attrs["caption"]
        pool.session.delete("genomics")
        assert pool.drifts() == {"pool": "gone"}
        with pytest.raises(ConflictError, match=r"^genomics.lock.toml: pool gone") as raised:
            pool.verify(strict=True)
        assert raised.value.frame.status[0] == "gone"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it has no format"),
        ("format = 1\n", r"it has no \[tool\]"),
        ("format = 2\n", "has format 2, and this version of batchimg_magics reads format 1"),
        ("format = 1\nnew = 3\n", "has an unknown key, new"),
        ("format = 1\na = [" + "[" * 5000 + "]" * 5000 + "]", "is nested too deeply"),
        (f"format = {'9' * 5000}", "Exceeds the limit"),
        ("\x00", "is not a lock file"),
    ],
)
def test_a_file_that_is_no_lock_is_refused_in_one_line(
    session: Session, tmp_path: Path, text: str, message: str
) -> None:
    file = tmp_path / "a.toml"
    file.write_text(text)
    with pytest.raises(SpecError, match=message) as raised:
        session.verify(str(file))
    assert "\n" not in raised.value.message


def test_the_exit_status_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCHIMG_STATE", str(tmp_path / "world.db"))
    monkeypatch.chdir(tmp_path)
    assert main(["create", "genomics", "--from-vm", "prep-vm", "--vm-size", "Standard_D4s_v5"]) == 0
    assert main(["lock", "genomics"]) == 0
    assert main(["verify", "genomics.lock.toml"]) == 0
    assert main(["delete", "genomics"]) == 0
    assert main(["verify", "genomics.lock.toml"]) == 1
    assert main(["verify", "nope.toml"]) == 2


OLD = "dpkg\tbash\t5.2\t\ndpkg\tgawk\t5.1\t\npip\tnumpy\t2.0\t\n"
#: List of packages in the image to what `verify` says about it.
LISTS = {
    OLD: None,
    OLD.replace("2.0", "2.1"): "0 added, 0 removed, 1 changed: changed numpy 2.0 to 2.1",
    OLD + "pip\tscipy\t1.0\t\n": "1 added, 0 removed, 0 changed: added scipy 1.0",
    OLD.replace("dpkg\tgawk\t5.1\t\n", ""): "0 added, 1 removed, 0 changed: removed gawk 5.1",
}


def test_packages_that_were_changed_added_or_removed_are_named(tmp_path: Path) -> None:
    with locked_pool(tmp_path, nodes=0) as pool:
        azure = connection_of(pool.session).azure
        image = pool.session.lock("genomics", str(pool.file)).attrs["resources"]["image_version"]

        def put(text: str) -> None:
            pool.session.call(lambda _: put_list(azure, image, text))

        put(OLD)
        lock = pool.session.lock("genomics", str(pool.file)).attrs["lock"]
        beside = tmp_path / lock["packages"]["file"]
        assert beside.read_text() == OLD
        assert lock["packages"] == {
            "sha256": PackageList.parse(OLD).sha256,
            "count": 3,
            "managers": ["dpkg", "pip"],
            "file": "genomics.packages.tsv",
        }
        for text, said in LISTS.items():
            put(text)
            found = pool.verify()
            assert found[found.status != "ok"].found.to_list() == [said] * bool(said)
        put(OLD)
        text = pool.file.read_text()
        pool.session.call(lambda _: forget_lists(azure))
        pool.session.lock("genomics", str(pool.file))
        assert pool.file.read_text() == text  # no node has the list any more: it is that of the same image
        put(OLD)
        beside.write_text(OLD.replace("2.0", "2.2"))
        assert pool.drifts() == {"packages.file": "changed"}
        beside.unlink()
        assert pool.drifts() == {"packages.file": "gone"}


async def forget_lists(azure: Azure) -> None:
    """Empty the local store, as on another computer."""
    azure.packages = PackageStore()


async def put_list(azure: Azure, image: str, text: str) -> None:
    """Put a list of packages into the local store, as a read of a node does."""
    azure.packages.put(PackageList.parse(text), image)


def test_values_of_another_type_are_refused_in_one_line(tmp_path: Path) -> None:
    with locked_pool(tmp_path, nodes=0) as pool:
        text = pool.file.read_text()
        for old, new in (
            ("[snapshots.os]", "[snapshots]\nnew = 3\n[snapshots.os]"),
            ("[vm.disks]", "[vm.others]"),
            ('publisher = "canonical"', 'publisher = "{}/{name!r}"'),
            ("[image.sources]", "[image.others]\n[[image.sources]]"),
        ):
            pool.file.write_text(text.replace(old, new, 1))
            if old == "[vm.disks]":
                assert pool.drifts() == {"vm.disks": "changed"}
                continue
            with pytest.raises(SpecError, match=r"^genomics.lock.toml: \S+ is not a ") as raised:
                pool.verify()
            assert "\n" not in raised.value.message


def test_an_outage_leaves_the_lock_as_it_was(tmp_path: Path) -> None:
    with locked_pool(tmp_path, nodes=0) as pool:
        text = pool.file.read_text()
        set_faults(pool.session, method="GET", path="/supportedimages", status=503, times=None)
        with pytest.raises(ServiceError):
            pool.session.lock("genomics", str(pool.file))
        assert pool.file.read_text() == text
        assert {one.name for one in tmp_path.iterdir() if one.is_file()} == {"genomics.lock.toml"}
        assert set(pool.drifts().values()) == {"not readable"}
        set_faults(pool.session)
        pool.session.lock("genomics", str(pool.file))
        assert pool.file.read_text() == text
