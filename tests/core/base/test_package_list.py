"""The list of packages: it is what `LC_ALL=C sort -u` makes, and the changes between two lists are complete."""

from __future__ import annotations

import hashlib
import os
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchimg_magics.core.base.package_list import (
    MAX_BYTES,
    MAX_PACKAGES,
    Package,
    PackageChange,
    PackageList,
    changes,
    changes_text,
)
from batchimg_magics.errors import SpecError

TEXT = "dpkg\tbash\t5.2.15-2+b7\t\ndpkg\tzlib1g\t1:1.2.13\t\npip\tnumpy\t2.1.0\t/opt/venv\n"
WORDS = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=8)
PACKAGES = st.builds(Package, st.sampled_from(["dpkg", "pip", "conda", "r"]), WORDS.filter(bool), WORDS, WORDS)


def test_a_list_is_read_and_has_the_sha256_of_its_text() -> None:
    found = PackageList.parse(TEXT)
    assert found.packages[2] == Package("pip", "numpy", "2.1.0", "/opt/venv")
    assert (found.text, found.count, found.managers) == (TEXT, 3, ("dpkg", "pip"))
    assert found.sha256 == hashlib.sha256(TEXT.encode()).hexdigest()
    assert PackageList.parse(b"").count == 0
    shuffled = "".join(reversed(TEXT.replace("\n", "\r\n").splitlines(keepends=True)))
    assert PackageList.parse(shuffled) == found


@given(st.lists(PACKAGES, max_size=20))
def test_every_list_is_read_back(packages: list[Package]) -> None:
    whole = PackageList.of(packages)
    assert PackageList.parse(whole.text.encode()) == whole
    assert whole.text.encode().split(b"\n")[:-1] == sorted({one.line.encode() for one in packages})


def test_the_order_is_that_of_sort() -> None:
    names = ["é", "Z", "a", "B", "z-1", "z1", "Ω", "\U0001d49c", "\uffee", "z.1", "a"]
    whole = PackageList.of(Package("pip", name, "1") for name in names)
    lines = "".join(f"pip\t{name}\t1\t\n" for name in names)
    command = subprocess.run(
        ["/usr/bin/sort", "-u"],
        input=lines.encode(),
        env={**os.environ, "LC_ALL": "C"},
        capture_output=True,
        check=True,
    )
    assert whole.text.encode() == command.stdout


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("dpkg\tbash\t5\n", "line 1 does not have the four fields"),
        (TEXT + "dpkg\ta\tb\tc\td\n", "line 4 does not have the four fields"),
        (TEXT + "\n", "line 4 does not have the four fields"),
        (TEXT[:-5], "its last line has no line feed: the end is missing"),
        (TEXT.encode() + b"dpkg\ta\xff\t1\t\n", "is not UTF-8"),
        ("dpkg\ta\ud800\t1\t\n", "is not UTF-8"),
        ("dpkg\t\t1\t\n", "line 1 has no name"),
        ("<b>\ta\t1\t\n", "line 1 has no package manager"),
        ("dpkg\ta\x1b[2J\t1\t\n", "line 1 has control characters"),
        ("dpkg\ta\x85\t1\t\n", "line 1 has control characters"),
        ("dpkg\ta\r\t1\t\n", "line 1 has control characters"),
        ("dpkg\ta\t1\t" + "x" * 5000 + "\n", "line 1 does not have the four fields"),
        (b"x" * (MAX_BYTES + 1), "it has more than 16 MiB"),
        ("\n" * (MAX_PACKAGES + 1), "it has more than 200,000 lines"),
    ],
)
def test_what_is_no_list_is_refused_in_one_line(content: str | bytes, why: str) -> None:
    with pytest.raises(SpecError) as caught:
        PackageList.parse(content, what="file a.tsv")
    assert caught.value.message.startswith("file a.tsv cannot be read: ")
    assert why in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_changes_are_added_removed_and_changed() -> None:
    old = PackageList.of(
        [
            Package("dpkg", "bash", "5.1"),
            Package("dpkg", "linux-image", "6.1"),
            Package("conda", "numpy", "1.26", "defaults"),
            Package("dpkg", "vim", "9"),
            Package("pip", "same", "1"),
        ]
    )
    new = PackageList.of(
        [
            Package("dpkg", "bash", "5.2"),
            Package("dpkg", "linux-image", "6.1"),
            Package("dpkg", "linux-image", "6.8"),
            Package("conda", "numpy", "1.26", "conda-forge"),
            Package("pip", "vim", "9"),
            Package("pip", "same", "1"),
        ]
    )
    found = changes(old, new)
    assert found == [
        PackageChange("conda", "numpy", "changed", "1.26 (defaults)", "1.26 (conda-forge)"),
        PackageChange("dpkg", "bash", "changed", "5.1", "5.2"),
        PackageChange("dpkg", "linux-image", "changed", "6.1", "6.1, 6.8"),
        PackageChange("dpkg", "vim", "removed", "9", None),
        PackageChange("pip", "vim", "added", None, "9"),
    ]
    assert changes_text(found) == "1 added, 1 removed, 3 changed"
    assert changes(old, old) == []
    assert changes_text([]) == "0 differences"


@given(st.lists(PACKAGES, max_size=12), st.lists(PACKAGES, max_size=12))
def test_there_is_a_row_for_each_package_that_differs_and_no_other(one: list[Package], two: list[Package]) -> None:
    old, new = PackageList.of(one), PackageList.of(two)
    found = {(change.manager, change.name): change for change in changes(old, new)}
    for key in {(package.manager, package.name) for package in (*one, *two)}:
        before, after = (
            {(package.version, package.source) for package in each if (package.manager, package.name) == key}
            for each in (one, two)
        )
        assert (key in found) == (before != after)
        if key in found:
            assert found[key].change == ("changed" if before and after else "added" if after else "removed")
            assert found[key].old != found[key].new
