"""What is seen while work goes on, and the one line that stays."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import nbformat
import pytest
from nbclient import NotebookClient

from batchimg_magics.core.progress import Board
from batchimg_magics.errors import NotFoundError
from batchimg_magics.ui.progress import Notebook, Terminal, follow
from tests.conftest import LINE

if TYPE_CHECKING:
    from batchimg_magics.session import Session


def board() -> Board:
    now = [100.0]
    made = Board(lambda: now[0])
    made.begin("snapshot", expected_s=1)
    made.end("snapshot")
    made.begin("image version <b>", expected_s=438)
    made.begin("nodes", total=25)
    made.say("nodes", done=5, detail="5 idle, 20 starting")
    now[0] += 219
    return made


def test_a_terminal_has_one_line_with_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    stream = io.StringIO()
    screen = Terminal(stream)
    screen.show("create genomics", board().steps(), 319.0)
    line = stream.getvalue()
    assert "\n" not in line
    assert "create genomics: image version <b> [##########..........] 3 min 39 s of about 7 min 18 s" in line
    screen.close("create genomics: done")
    assert stream.getvalue().rstrip().endswith("create genomics: done")


def test_a_notebook_has_bars_and_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    Notebook().show("create genomics", board().steps(), 319.0)
    shown = capsys.readouterr().out
    assert "5 of 25" in shown
    assert "1 of 3 steps done" in shown


def test_following_leaves_one_line(session: Session) -> None:
    stream = io.StringIO()
    table = follow(session.begin("create", name="genomics", **LINE), Terminal(stream))
    assert table.verb == "create"
    assert stream.getvalue().rstrip().splitlines()[-1].startswith("create genomics: done · ")
    with pytest.raises(NotFoundError):
        follow(session.begin("resize", name="nope", nodes=1), Terminal(stream))
    assert "resize nope: failed" in stream.getvalue()


def test_an_executed_notebook_keeps_one_final_line() -> None:
    notebook = nbformat.v4.new_notebook()
    create = "%batchimg create g --from-vm prep-vm --vm-size Standard_D4s_v5 --nodes 1"
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in ("%load_ext batchimg_magics", f"{create};")]
    NotebookClient(notebook, timeout=60).execute()
    (output,) = notebook.cells[1].outputs
    assert output["data"]["text/plain"].startswith("create g: done · ")
    assert output["data"]["text/html"].startswith("<div>create g: done · ")
