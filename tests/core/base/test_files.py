"""Files of the user: written at once or not at all, and read within limits."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from batchimg_magics.core.base.files import check_new_file, make_private_folder, read_file, write_file
from batchimg_magics.errors import SpecError


def permissions(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def test_a_file_is_written_with_the_umask_and_replaced_only_with_force(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    write_file(file, "one\r\n")
    mask = os.umask(0)
    os.umask(mask)
    assert permissions(file) == 0o666 & ~mask
    with pytest.raises(SpecError, match=r"a\.toml exists already") as caught:
        write_file(file, "two")
    assert caught.value.hint == "give --force to replace it, or another file"
    with pytest.raises(SpecError, match="exists already"):
        check_new_file(file)
    with pytest.raises(SpecError, match="exists already"):
        write_file(file, "two", replace_if=lambda content: content == b"other")
    assert file.read_bytes() == b"one\r\n"
    file.chmod(0o640)
    check_new_file(file, force=True)
    write_file(file, "two", force=True)
    write_file(file, b"three", replace_if=lambda content: content == b"two")
    assert (file.read_bytes(), permissions(file)) == (b"three", 0o640)
    write_file(file, "four", force=True, private=True)
    assert permissions(file) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_a_link_stays_a_link_and_a_device_is_written_to(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_file(tmp_path / "link", "text")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "text"
    check_new_file(os.devnull)
    write_file(os.devnull, "text")
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("no/where", "No such file or directory", "create the folder first"),
        ("file/where", "Not a directory", "give another file"),
        ("", "Is a directory", "check the file's name"),
        ("n" * 300, "File name too long", "give a shorter name"),
        ("a\0b", "embedded null", "check the file's name"),
    ],
)
def test_a_place_where_no_file_can_be(tmp_path: Path, name: str, message: str, hint: str) -> None:
    (tmp_path / "file").touch()
    for write in (check_new_file, lambda path: write_file(path, "text")):
        with pytest.raises(SpecError, match=message) as caught:
            write(f"{tmp_path}/{name}")
        assert hint in caught.value.hint
        assert "\n" not in str(caught.value)
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("number", "hint"),
    [(errno.ENOSPC, "free space on the disk"), (errno.EROFS, "check the file's name"), (errno.EDQUOT, "quota")],
)
def test_a_write_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, hint: str
) -> None:
    file = tmp_path / "a"
    file.write_text("before")

    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(SpecError, match="a cannot be written") as caught:
        write_file(file, "after", force=True)
    assert hint in caught.value.hint
    assert file.read_text() == "before"
    assert list(tmp_path.iterdir()) == [file]


def test_the_temporary_files_of_killed_processes_are_deleted_and_those_in_use_are_not(tmp_path: Path) -> None:
    left, in_use, other = (tmp_path / name for name in (".batchimg-1.new", ".batchimg-2.new", "mine.new"))
    for file in (left, in_use, other):
        file.touch()
        os.utime(file, (0, 0) if file is not in_use else None)
    write_file(tmp_path / "a", "text")
    assert {one.name for one in tmp_path.iterdir()} == {in_use.name, other.name, "a"}


def test_a_read_is_bounded_and_knows_text(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes("ü\n".encode("utf-16"))
    assert read_file(file) == "ü\n"
    with pytest.raises(SpecError, match="larger than 3 bytes"):
        read_file(file, max_bytes=3)
    with pytest.raises(SpecError, match="larger than 10 bytes"):
        read_file("/dev/zero", max_bytes=10)
    file.write_bytes(b"\xff\x00\xfe")
    with pytest.raises(SpecError, match="not text"):
        read_file(file)
    with pytest.raises(SpecError, match="No such file"):
        read_file(tmp_path / "b")
    with pytest.raises(SpecError, match="cannot be used"):
        read_file("~nobody-of-this-name/a")


def test_a_private_folder_is_the_users_alone(tmp_path: Path) -> None:
    before = permissions(tmp_path)
    make_private_folder(tmp_path / "a" / "b")
    make_private_folder(tmp_path / "a" / "b")
    assert [permissions(tmp_path / one) for one in ("a", "a/b", ".")] == [0o700, 0o700, before]
