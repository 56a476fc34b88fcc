"""`images --packages` and `diff` through Session and the command line, from the local store and from files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from batchimg_magics import NotFoundError, Session, SpecError
from batchimg_magics.core.base.package_list import Package, PackageList
from batchimg_magics.core.base.package_store import PackageStore
from tests.support.prepared_vms import StateFileClient, connect_to, new_state_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OLD = PackageList.of(
    [
        Package("dpkg", "bash", "5.1"),
        Package("pip", "numpy", "1.26", "/opt/venv"),
        Package("pip", "<b>\u202ehtml", "1", "/opt/venv"),
        Package("unreadable", "conda /opt/conda", "", "timed out after 60 s"),
    ]
)
NEW = PackageList.of([Package("dpkg", "bash", "5.2"), Package("dpkg", "vim", "9")])


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> StateFileClient:
    return new_state_file(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def session(outside: StateFileClient) -> Iterator[Session]:
    """Return a session with two images of which the local store knows the packages."""
    with Session() as opened:
        connect_to(opened, outside)
        store = PackageStore(outside.path.with_suffix(".packages"))
        for name, packages in (("first", OLD), ("second", NEW)):
            opened.create(name, from_vm="prep-vm", vm_size="Standard_D4s_v5")
            image = opened.images().query("pool == @name")["id"].iloc[0]
            store.put(packages, image)
        yield opened


def test_the_packages_of_an_image_are_a_table(session: Session) -> None:
    found = session.images("first", packages=True)
    assert found.to_dict("list")["name"] == ["bash", "<b>\u202ehtml", "numpy", "conda /opt/conda"]
    assert found.attrs["sha256"] == OLD.sha256
    assert "not read: conda /opt/conda (timed out after 60 s)" in found.attrs["caption"]
    assert "from the local store" in found.attrs["caption"]
    image = found.attrs["image"]
    for other in (image, image.upper().replace("/SUBSCRIPTIONS", "/subscriptions"), "first/1.0.0", "FIRST"):
        assert session.images(other, packages=True).equals(found)
    some = session.images("first", packages=True, where="manager == 'pip' and name != 'numpy'")
    assert list(some["version"]) == ["1"]
    assert "1 of 4 packages match" in some.attrs["caption"]


def test_what_is_not_clear_or_not_there_is_told(session: Session) -> None:
    for wanted, error, message, hint in (
        (None, SpecError, "pools use 2 images: name one", "one of the pools: first, second"),
        ("1.0.0", SpecError, "'1.0.0' is a version of 2 images", "first/1.0.0, second/1.0.0"),
        ("frist", NotFoundError, "there is no image or pool 'frist'", "first"),
        (
            "/subscriptions/a/resourceGroups/b/providers/Microsoft.Compute/disks/c",
            SpecError,
            "no image version",
            "session.images()",
        ),
    ):
        with pytest.raises(error, match=message) as caught:
            session.images(wanted, packages=True)
        assert hint in caught.value.hint
    with pytest.raises(SpecError, match="need packages"):
        session.images("first")
    with pytest.raises(SpecError, match="nme"):
        session.images("first", packages=True, where="nme == 'a'")


def test_an_image_whose_packages_nobody_knows_tells_how_to_get_them(session: Session) -> None:
    session.create("third", from_vm="prep-vm", vm_size="Standard_D4s_v5")
    with pytest.raises(NotFoundError, match=r"the packages of image third/1\.0\.0 are not known") as caught:
        session.images("third", packages=True)
    assert caught.value.hint == 'one node is enough: `session.resize("third", nodes=1)`'
    with pytest.raises(NotFoundError, match="are not known"):
        session.diff("first", "third")
    session.delete("third", yes=True)


def test_the_difference_of_two_images_is_a_table(session: Session, tmp_path: Path) -> None:
    found = session.diff("first", "second")
    assert found.to_dict("records")[0] == {
        "manager": "dpkg", "name": "bash", "change": "changed", "old": "5.1", "new": "5.2",
    }  # fmt: skip
    assert list(found["change"]) == ["changed", "added", "removed", "removed", "removed"]
    assert "first/1.0.0 to second/1.0.0: 1 added, 3 removed, 1 changed (4 and 2 packages)" in found.attrs["caption"]
    assert "not read: conda /opt/conda" in found.attrs["caption"]
    file = tmp_path / "first.tsv"
    file.write_text(OLD.text)
    session.lock("first", str(tmp_path / "first.lock.toml"))
    for other in (file, tmp_path / "first.lock.toml"):
        assert session.diff(str(other), "second").equals(found)
    assert len(session.diff("first", str(file))) == 0


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tsv", "dpkg\tbash\n", "does not have the four fields"),
        ("a.tsv", OLD.text[:-3], "the end is missing"),
        ("a.lock", "= 1", "is not a lock file"),
    ],
)
def test_files_that_cannot_be_compared_are_refused(
    session: Session, tmp_path: Path, name: str, content: str, message: str
) -> None:
    (tmp_path / "beside.tsv").write_text(NEW.text)
    (tmp_path / name).write_text(content)
    with pytest.raises(SpecError, match=message):
        session.diff(str(tmp_path / name), "second")


def test_the_list_is_exported_as_cyclonedx(session: Session, tmp_path: Path) -> None:
    file = tmp_path / "first.cdx.json"
    found = session.images("first", packages=True, cyclonedx=str(file))
    assert found.attrs["caption"].endswith(f"written to {file}")
    text = file.read_text()
    assert {one["name"] for one in json.loads(text)["components"]} == {"bash", "numpy", "<b>\u202ehtml"}
    with pytest.raises(SpecError, match="exists already"):
        session.images("first", packages=True, cyclonedx=str(file))
    session.images("first", packages=True, cyclonedx=str(file), force=True)
    assert file.read_text() == text
