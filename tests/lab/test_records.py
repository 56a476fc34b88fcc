"""Records in JupyterLab: what is kept, silenced or failed shows nothing but what it showed before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nbformat

from batchimg_magics.core.base.records import MIME_TYPE
from tests.lab.driver import Notebook, chromium, server, write_notebook

if TYPE_CHECKING:
    from pathlib import Path

CELLS = (
    "%load_ext batchimg_magics\nmade = %batchimg connect --state :memory: --speed max",
    "1 + 1",
    "x = %batchimg vms\ny = %batchimg pools",
    "%batchimg vms;",
    "%batchimg create g --from-vm prep-vm --vm-size Standard_D4s_v5 --nodes 1;",
    "%batchimg vms",
    "try:\n    get_ipython().run_line_magic('batchimg', 'nodes nope')\nexcept Exception:\n    pass",
)
#: The height of the outputs of each cell in pixels, and their text.
HEIGHTS = """() => [...document.querySelectorAll('.jp-Notebook .jp-CodeCell')].map(cell => {
  const outputs = [...cell.querySelectorAll('.jp-OutputArea-output')];
  return [outputs.reduce((sum, one) => sum + one.getBoundingClientRect().height, 0),
          cell.querySelector('.jp-OutputArea')?.getBoundingClientRect().height ?? 0,
          outputs.map(one => one.innerText).join('')];
})"""


def test_a_record_alone_shows_nothing_and_is_saved(tmp_path: Path) -> None:
    root, home = tmp_path / "root", tmp_path / "home"
    root.mkdir()
    write_notebook(root / "seen.ipynb", CELLS)
    with server(root, home) as url, chromium(viewport={"width": 900, "height": 1000}) as page:
        notebook = Notebook(page, url, "seen.ipynb")
        notebook.run_all()
        shown = page.evaluate(HEIGHTS)
        for number in (2, 3, 6):
            assert shown[number][2].strip() == ""
            assert shown[number][0] == 0
            assert shown[number][1] <= 20  # less than one line of output, which has 29
        assert shown[4][2].strip().startswith("create g: done")
        page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")
        page.screenshot(path=str(tmp_path / "records.png"))
        assert not notebook.outside
        assert not notebook.problems
    saved = nbformat.read(root / "seen.ipynb", 4)
    found = [[one["data"][MIME_TYPE]["verb"] for one in cell.outputs if MIME_TYPE in one.get("data", {})]
             for cell in saved.cells]  # fmt: skip
    assert found == [["connect"], [], ["vms", "pools"], ["vms"], ["create"], ["vms"], ["nodes"]]
