"""Run a notebook on an emulator in memory with instant time, and print the output of its cells."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

#: Real seconds that any one cell may take.
CELL_TIMEOUT_S = 60


def execute(path: Path) -> nbformat.NotebookNode:
    """Return the notebook with the outputs of a run of it; the file stays as it is.

    Raises
    ------
    CellExecutionError
        A cell failed.
    """
    notebook = nbformat.read(path, as_version=4)
    settings = {"BATCHIMG_STATE": ":memory:", "BATCHIMG_SPEED": "max"}
    client = NotebookClient(notebook, timeout=CELL_TIMEOUT_S, resources={"metadata": {"path": str(path.parent)}})
    client.extra_arguments = ["--log-level=ERROR"]  # the kernel warns of its loopback sockets, which nobody else reads
    client.execute(env={**os.environ, **settings})
    return notebook


def output_text(output: dict[str, Any]) -> str:
    """Return one output as text."""
    if output["output_type"] == "stream":
        return str(output["text"]).rstrip()
    return str(output.get("data", {}).get("text/plain", "")).rstrip()


def main(path: Path) -> int:
    """Print the source and the output of each cell."""
    try:
        notebook = execute(path)
    except CellExecutionError as error:
        print(error, file=sys.stderr)
        return 1
    for cell in notebook.cells:
        if cell.cell_type == "code":
            print("\n".join(f">>> {line}" for line in cell.source.splitlines()))
            print(*(output_text(output) for output in cell.outputs), "", sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
