"""Take the README's pictures: `python -m tests.lab.picture docs` (needs playwright and chromium).

Each is of a notebook in a real JupyterLab on loopback: the quickstart while it runs, the panel in mid-resize, and the
rows of a run.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.lab import animation
from tests.lab.driver import Notebook, chromium, server, write_notebook

PANEL = (
    "%load_ext batchimg_magics\n%batchimg connect --state :memory: --speed 60",
    "%batchimg create genomics --from-vm prep-vm --vm-size Standard_D4s_v5 --nodes 25 --spot 5",
    "%batchimg panel genomics",
)
RUN = (
    "%load_ext batchimg_magics\n%batchimg connect --state :memory: --speed max",
    "%batchimg create genomics --from-vm prep-vm --vm-size Standard_D4s_v5 --nodes 4",
    """import pandas as pd
rows = range(200)
df = pd.DataFrame({'sample': [f's{row}' for row in rows], 'code': [int(row % 50 == 7) for row in rows]})""",
    "%%batchimg run genomics --over $df\necho working on {sample}\nsleep 30\nexit {code}",
    "%batchimg panel genomics",
)


def panel(target: Path, root: Path, home: Path) -> None:
    """Write the picture of the panel while nodes come."""
    write_notebook(root / "panel.ipynb", PANEL)
    with server(root, home) as url, chromium(viewport={"width": 1000, "height": 1500}) as page:
        notebook = Notebook(page, url, "panel.ipynb")
        notebook.run_all()
        page.locator(".bi-map canvas").wait_for()
        box = page.locator(".batchimg-panel input[type=number]").first
        box.fill("240")
        box.press("Enter")
        page.get_by_role("button", name="Resize to 240").click()
        page.wait_for_function("() => document.querySelectorAll('.bi-chip[data-state]').length > 1")
        page.locator(".batchimg-panel").first.screenshot(path=str(target / "panel.png"))


def runs(target: Path, root: Path, home: Path) -> None:
    """Write the picture of a run with the output of a row that failed."""
    write_notebook(root / "runs.ipynb", RUN)
    with server(root, home) as url, chromium(viewport={"width": 1000, "height": 1500}) as page:
        notebook = Notebook(page, url, "runs.ipynb")
        notebook.run_all()
        page.locator(".bi-row-map canvas").click(position={"x": 5, "y": 5})
        page.get_by_text("working on s7", exact=False).last.wait_for()
        page.locator(".bi-runs").screenshot(path=str(target / "runs.png"))


def take(target: Path) -> None:
    """Write all pictures into a folder."""
    for picture in (animation.record, panel, runs):
        with tempfile.TemporaryDirectory() as folder:
            root, home = Path(folder) / "root", Path(folder) / "home"
            root.mkdir()
            picture(target, root, home)


if __name__ == "__main__":
    take(Path(sys.argv[1]))
