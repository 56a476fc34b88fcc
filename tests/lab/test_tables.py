"""Tables in JupyterLab, trusted and not trusted, and in exported HTML: what is kept, and what can be copied."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import nbformat
from playwright.sync_api import expect

from tests.lab.driver import Notebook, chromium, home_of, server, trust, write_notebook

if TYPE_CHECKING:
    from pathlib import Path

CELLS = (
    "%load_ext batchimg_magics\n%batchimg connect --state :memory: --speed max",
    "%batchimg vms",
    "%batchimg packer tools",
    "%batchimg estimate --tasks 1000 --minutes 12 --deadline 4h --rows 5",
    "%batchimg check desk-vm --vm-size Standard_D4_v3",
    "%batchimg plan sim --from-vm prep-vm --vm-size Standard_D4s_v5 --nodes 2",
)
#: How far the table of VMs is scrolled, and by how much its first column and the next one have moved.
SCROLL = """() => {
  const table = document.querySelectorAll('.batchimg table')[1], box = table.parentNode, cells = table.rows[1].cells;
  const before = [...cells].map(cell => cell.getBoundingClientRect().left);
  box.scrollLeft = 80;
  return [box.scrollLeft, ...[0, 1].map(i => Math.round(before[i] - cells[i].getBoundingClientRect().left))];
}"""
INPUT = ".batchimg input[type=button]"


def executed(path: Path, home: Path) -> str:
    """Write a notebook and run it, as papermill does; return the whole resource ID of a VM."""
    write_notebook(path, CELLS)
    words = ["nbconvert", "--to", "notebook", "--execute", "--inplace", str(path)]
    subprocess.run([sys.executable, "-m", "jupyter", *words], env=home_of(home), check=True, capture_output=True)
    html = nbformat.read(path, 4).cells[1].outputs[0].data["text/html"]
    return str(html.partition('title="')[2].partition('"')[0])


def test_tables_in_lab_and_in_exports(tmp_path: Path) -> None:
    root, home = tmp_path / "root", tmp_path / "home"
    root.mkdir()
    vm_id = executed(root / "seen.ipynb", home)
    assert vm_id.endswith("/virtualMachines/desk-vm")
    (root / "unknown.ipynb").write_bytes((root / "seen.ipynb").read_bytes() + b"\n")
    changed = nbformat.read(root / "unknown.ipynb", 4)
    changed.metadata["from"] = "somebody else"
    nbformat.write(changed, root / "unknown.ipynb")
    trust(root / "seen.ipynb", home)
    with server(root, home) as url:
        for name, trusted in (("seen", True), ("unknown", False)):
            with chromium(viewport={"width": 900, "height": 800}) as page:
                page.context.grant_permissions(["clipboard-read", "clipboard-write"])
                notebook = Notebook(page, url, f"{name}.ipynb", path=f"lab/workspaces/{name}/tree")
                expect(page.locator(".batchimg table").nth(3)).to_be_visible()
                # The layout is the same: nothing is aligned to the right but numbers, long texts wrap, IDs are whole.
                cell = page.get_by_role("cell", name="every node gets data disks").first
                expect(cell).to_have_css("text-align", "left")
                expect(cell).to_have_css("white-space", "normal")
                expect(page.get_by_text(vm_id).first).to_have_css("direction", "ltr")
                expect(page.get_by_text("error", exact=True).first).to_have_css("background-color", "rgb(179, 38, 30)")
                page.get_by_text("plan of pool sim").last.scroll_into_view_if_needed()
                expect(page.locator("mjx-container")).to_have_count(0)  # two costs are no formula
                scrolled, first, second = page.evaluate(SCROLL)
                assert scrolled == second == 80
                assert first == (0 if trusted else 80), "the first column stays where its position is not removed"
                buttons = page.locator(INPUT)
                if trusted:
                    template = page.locator(".batchimg pre", has_text="required_plugins")
                    template.locator("xpath=..").locator("input").click()
                    assert page.evaluate("navigator.clipboard.readText()").strip() == template.text_content()
                else:
                    assert buttons.count() > 0
                    assert not any(button.is_visible() for button in buttons.all())
                assert not notebook.outside
    subprocess.run(
        [sys.executable, "-m", "jupyter", "nbconvert", "--to", "html", str(root / "seen.ipynb")],
        env=home_of(home), check=True, capture_output=True,
    )  # fmt: skip
    with chromium(viewport={"width": 816, "height": 1000}) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto((root / "seen.html").as_uri())
        expect(page.locator(INPUT).first).to_be_visible()
        page.emulate_media(media="print")  # on paper nothing is beyond the right edge, and IDs are whole
        expect(page.locator(INPUT).first).to_be_hidden()
        expect(page.get_by_text(vm_id).first).to_have_css("white-space", "normal")
        beyond = "() => [...document.querySelectorAll('.batchimg table')].map(t => t.getBoundingClientRect().right)"
        assert max(page.evaluate(beyond)) <= 816
        assert not [url for url in asked if "batchimg" in url and url.startswith("http")]
