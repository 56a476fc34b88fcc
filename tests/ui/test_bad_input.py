"""Damaged, hostile or mistaken input in a real IPython shell: a line of what is wrong, and one of what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics.errors import BatchImgError, SpecError
from batchimg_magics.session.session import Session
from tests.support.shells import ipython, run_cell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from IPython.core.interactiveshell import InteractiveShell

DIGITS = "9" * 5000
BODY = "vm_size: Standard_D4s_v5\nfrom_vm: prep-vm\n"
LINE = "create a --from-vm prep-vm --vm-size Standard_D4s_v5"
#: A list of lists of ... of lists: nine lines stand for more values than fit into memory.
BOMB = "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.fixture(scope="module")
def shell() -> Iterator[InteractiveShell]:
    with ipython(state=":memory:", speed="max") as opened:
        yield opened


def read_error(shell: InteractiveShell, capsys: pytest.CaptureFixture[str], cell: str) -> BatchImgError:
    """Run a cell that fails, and return its error, which is shown on at most two lines that are not long."""
    failed = shell.run_cell(cell).error_in_exec
    assert isinstance(failed, BatchImgError), repr(failed)[:300]
    shown = capsys.readouterr()
    lines = (shown.out + shown.err).strip().split("\n")
    assert len(lines) <= 2
    assert max(map(len, lines)) < 500
    return failed


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("".join(f"{' ' * depth}k:\n" for depth in range(400)), "line 50: values are nested more than 50 levels deep"),
        ("a: " + "[" * 5000 + "]" * 5000, "line 1: values are nested more than 50 levels deep"),
        ("{a: " * 5000 + "}" * 5000, "line 1: values are nested more than 50 levels deep"),
        (f"a: &a [{'x, ' * 9}]\n{BOMB}from_vm: *i", "line 6: there are more than 100,000 values"),
        ("from_vm: &a [*a]", "line 1: the value contains itself"),
        (f"{BODY}vm_size: Standard_D2s_v5", "line 3: 'vm_size' is there twice"),
        (f"{BODY}tags:\n  a: 1\n  b: 2\n  a: 3", "line 6: 'a' is there twice"),
        (f"{BODY}vm-size: Standard_D2s_v5", "'vm_size' and 'vm-size' are the same key"),
        ('{"vm_size": "x", "from_vm": "prep-vm", "vm_size": "y"}', "line 1: 'vm_size' is there twice"),
        (f"{BODY}timeout: 1:30", "line 3: timeout: '1:30' is not a duration"),
        (f"{BODY}ttl: 12:30:00", "line 3: ttl: '12:30:00' is not a duration"),
        (f"{BODY}nodes: 1:30", "line 3: nodes must be a whole number, 0 or more, not '1:30'"),
        (f"{BODY}nodes: {DIGITS}", "line 3: the number has 5,000 digits"),
        (f"{BODY}ttl: .nan", "line 3: ttl: nan is not a duration"),
        (f"{BODY}ttl: -5", "line 3: ttl: -5 is not a duration"),
        (f"{BODY}ttl: {10**20}", "is longer than ten years"),
    ],
)  # fmt: skip
def test_bodies(shell: InteractiveShell, capsys: pytest.CaptureFixture[str], body: str, message: str) -> None:
    error = read_error(shell, capsys, f"%%batchimg create a\n{body}")
    assert message in error.message
    assert error.hint


@pytest.mark.parametrize(
    "line",
    [
        f"{LINE} --nodes {DIGITS}",
        f"{LINE} --nodes 1e{DIGITS}",
        f"{LINE} --nodes 1 --ttl {DIGITS}h",
        f"{LINE} --nodes 1 --ttl 1:30",
        f"{LINE} --nodes 1 --timeout {DIGITS}h",
        f"create {'a' * 100_000} --from-vm prep-vm",
        f"connect --speed {DIGITS}",
        f"connect --seed {DIGITS}",
        f"estimate --vm-size Standard_D4s_v5 --tasks {DIGITS} --minutes 5 --deadline 8h",
    ],
)
def test_lines(shell: InteractiveShell, capsys: pytest.CaptureFixture[str], line: str) -> None:
    assert read_error(shell, capsys, f"%batchimg {line}").hint


def test_integers_that_python_writes_in_no_decimal_digits() -> None:
    with Session(progress=False) as session:
        for options in ({"nodes": 10**5000}, {"ttl": 10**5000}, {"timeout": 10**5000}, {"task_slots": 10**5000}):
            given: dict[str, Any] = {"from_vm": "prep-vm", "nodes": 1, **options}
            with pytest.raises(SpecError):
                session.create("a", **given)


def test_values_that_look_like_others_in_old_yaml(shell: InteractiveShell) -> None:
    task = "start_task:\n  command_line: date\n  environment:\n    DAY: 2026-07-01\n    AT: 1:30\n"
    run_cell(shell, f"%%batchimg create a\n{BODY}nodes: 010\n{task}")
    assert run_cell(shell, "%batchimg pools")["dedicated_target"].tolist() == [10]


def test_files(shell: InteractiveShell, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    large = tmp_path / "large.yaml"
    with large.open("w") as opened:
        opened.truncate(2**34)  # it takes no space
    for file, message in (
        (large, "the file is larger than 16,777,216 bytes"),
        ("/dev/zero", "the file is larger than 16,777,216 bytes"),
        (tmp_path, "Is a directory"),
        (tmp_path / "none", "No such file"),
    ):
        assert message in read_error(shell, capsys, f"%batchimg create a --spec {file}").message
