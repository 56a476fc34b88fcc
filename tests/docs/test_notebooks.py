"""Every notebook runs without errors, and shows its tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tests.support.demo import execute, output_text
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_and_shows_tables(path: Path) -> None:
    notebook = execute(path)
    tables = [output for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output]
    assert sum("text/html" in output["data"] for output in tables) > 3
    assert any("LOCAL" in output_text(output) for output in tables)
    for cell in notebook.cells:
        errors = [output for output in cell.get("outputs", []) if output["output_type"] == "error"]
        is_meant = "raises-exception" in cell.metadata.get("tags", [])
        assert [len(error["traceback"]) for error in errors] == [2] * is_meant, cell.source


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
