"""Tab completion in a real shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from IPython.core.completer import provisionalcompleter

from tests.support.shells import ipython, run_cell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from IPython.core.interactiveshell import InteractiveShell


@pytest.fixture(scope="module")
def shell() -> Iterator[InteractiveShell]:
    with ipython(state=":memory:", speed="max") as opened:
        run_cell(opened, "%batchimg create genomics --from-vm prep-vm --vm-size Standard_D4s_v5 --nodes 1")
        yield opened


def completed(shell: InteractiveShell, line: str) -> set[str]:
    with provisionalcompleter():
        return {found.text for found in shell.Completer.completions(line, len(line))}


@pytest.mark.parametrize(
    ("line", "there", "absent"),
    [
        ("%batchimg re", "resize", "create"),
        ("%%batchimg cr", "create", "resize"),
        ("x = %batchimg po", "pools", "nodes"),
        ("%%batchimg x << cr", "create", "resize"),
        ("%batchimg create g --from-", "--from-vm", "--nodes"),
        ("%batchimg create g --nodes 3 -", "--spot", "--nodes"),
        ("%batchimg create g --replicas eastus=1 --r", "--replicas", "--nodes"),
        ("%batchimg create g --from-vm pr", "prep-vm", "desk-vm"),
        ("%batchimg create g --vm-size Standard_D4s_", "Standard_D4s_v5", "Standard_D2s_v5"),
        ("%batchimg nodes ge", "genomics", "nodes"),
        ("%batchimg check ge", "genomics", "prep-vm"),
        ("%batchimg check pr", "prep-vm", "genomics"),
        ("%batchimg check prep-vm --as ", "image", "prep-vm"),
        ("%batchimg wait genomics --until st", "steady", "ready"),
        ("%batchimg help de", "delete", "create"),
    ],
)
def test_words(shell: InteractiveShell, line: str, there: str, absent: str) -> None:
    found = completed(shell, line)
    assert there in found
    assert absent not in found


def test_nothing_else_is_offered(shell: InteractiveShell) -> None:
    assert completed(shell, "%batchimg de") == {"delete"}


def test_files_are_completed_by_the_shell(
    shell: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trial.db").touch()
    assert any(found.endswith("trial.db") for found in completed(shell, "%batchimg connect --state tri"))


def test_other_lines_are_left_alone(shell: InteractiveShell) -> None:
    assert "resize" not in completed(shell, "re")


def test_unloading_takes_it_away() -> None:
    with ipython() as opened:
        matchers = len(opened.Completer.custom_matchers)
        opened.run_line_magic("unload_ext", "batchimg_magics")
        assert len(opened.Completer.custom_matchers) == matchers - 1
        opened.run_line_magic("load_ext", "batchimg_magics")
