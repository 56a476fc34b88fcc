"""Every notebook runs without errors, and shows its tables."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from batchimg_magics import Session
from batchimg_magics.core.base.records import MIME_TYPE
from tests.support.demo import execute, output_text
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], tuple[nbformat.NotebookNode, Path]]:
    """Return what returns an executed notebook, and its folder of temporary files; each notebook runs once."""

    @cache
    def executed(path: Path) -> tuple[nbformat.NotebookNode, Path]:
        folder = tmp_path_factory.mktemp(path.stem)
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("TMPDIR", str(folder))
            notebook = execute(path)
        nbformat.write(notebook, folder / path.name)
        return notebook, folder

    return executed


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_and_shows_tables(path: Path, run: Callable[[Path], tuple[nbformat.NotebookNode, Path]]) -> None:
    notebook, _ = run(path)
    tables = [output for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output]
    assert sum("text/html" in output["data"] for output in tables) > 3
    assert any("LOCAL" in output_text(output) for output in tables)
    for cell in notebook.cells:
        errors = [output for output in cell.get("outputs", []) if output["output_type"] == "error"]
        is_meant = "raises-exception" in cell.metadata.get("tags", [])
        assert [len(error["traceback"]) for error in errors] == [2] * is_meant, cell.source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_table_has_its_record(path: Path, run: Callable[[Path], tuple[nbformat.NotebookNode, Path]]) -> None:
    notebook, folder = run(path)
    shown = [output["data"] for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output]
    assert all(MIME_TYPE in data for data in shown if data.get("text/plain", "").startswith("LOCAL \N{MIDDLE DOT} "))
    lines = [line for cell in notebook.cells if cell.cell_type == "code" for line in cell.source.splitlines()]
    with Session() as session:
        found = session.record(str(folder / path.name))
    assert len(found) >= sum("%batchimg" in line and "?" not in line for line in lines)


def test_record_rebuilds_the_lock_of_the_notebook_that_reproduces_a_pool(
    run: Callable[[Path], tuple[nbformat.NotebookNode, Path]], tmp_path: Path
) -> None:
    (path,) = (one for one in NOTEBOOKS if one.stem.startswith("04-"))
    _, folder = run(path)
    with Session() as session:
        session.record(str(folder / path.name), lock=str(tmp_path))
    made = {one.name: one.read_bytes() for one in folder.glob("*/*")}
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == {
        name: content for name, content in made.items() if not name.startswith("again.")
    }


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_kept_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    assert not [cell for cell in notebook.cells if cell.get("outputs") or cell.get("execution_count")]


def test_an_error_is_short_and_fails_the_cell() -> None:
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [
        nbformat.v4.new_code_cell("%load_ext batchimg_magics"),
        nbformat.v4.new_code_cell("%batchimg nodes nope"),
    ]
    with pytest.raises(CellExecutionError):
        NotebookClient(notebook, timeout=60).execute()
    (output,) = [one for one in notebook.cells[1].outputs if one["output_type"] == "error"]
    assert len(output["traceback"]) == 2
    assert output["traceback"][0].startswith("NotFoundError: there is no pool 'nope'")
    assert "create" in output["traceback"][1]
