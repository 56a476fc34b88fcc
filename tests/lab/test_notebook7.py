"""The panel in Notebook 7: the same widgets in another application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.lab.driver import Notebook, chromium, server, write_notebook

if TYPE_CHECKING:
    from pathlib import Path


def test_the_panel_is_there_and_answers(tmp_path: Path) -> None:
    root, home = tmp_path / "root", tmp_path / "home"
    root.mkdir()
    cells = (
        "%load_ext batchimg_magics\n%batchimg connect --state :memory: --speed max",
        "%batchimg create demo --from-vm prep-vm --vm-size Standard_D4s_v5 --nodes 4",
        "%batchimg panel demo",
    )
    write_notebook(root / "seven.ipynb", cells)
    with server(root, home, "notebook") as url, chromium(viewport={"width": 1100, "height": 1200}) as page:
        page.set_default_timeout(60_000)
        notebook = Notebook(page, url, "seven.ipynb", "notebooks")
        its_own = list(notebook.problems)  # what the application says of itself before there is a panel
        notebook.run_all()
        expect(page.locator(".bi-chip[data-state]").first).to_contain_text("idle4")
        box = page.locator(".batchimg-panel input[type=number]").first
        box.fill("9")
        box.press("Enter")
        expect(page.locator(".bi-line code")).to_have_text("%batchimg resize demo --nodes 9 --spot 0")
        assert notebook.outside == []
        assert notebook.problems == its_own
