"""Record the README's animation: the cells of a quickstart, run one after the other in a real JupyterLab."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING

from PIL import Image

from tests.lab.driver import Notebook, chromium, server, write_notebook

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

CELLS = (
    "%load_ext batchimg_magics\n%batchimg vms",
    "%batchimg create genomics --from-vm prep-vm --vm-size Standard_D4s_v5 --nodes 20 --spot 5 --mount-data-disks",
    "nodes = %batchimg nodes genomics\nnodes.groupby(['state', 'dedicated'], observed=True).size()",
    "%batchimg resize genomics --nodes 120",
    "%batchimg panel genomics",
)
SIZE = {"width": 1000, "height": 640}
#: Seconds between two pictures of a running cell, and how long each is shown: waiting is shown twice as fast.
EVERY_S, SHOWN_MS = 0.5, 250
#: How long the end of a cell is shown.
END_MS = 1800
#: Of WebP, 0 to 100: below it, texts have blurred edges.
QUALITY = 60


def record(target: Path, root: Path, home: Path) -> None:
    """Write the animation, an animated WebP."""
    write_notebook(root / "quickstart.ipynb", CELLS)
    frames: list[tuple[bytes, int]] = []
    with server(root, home) as url, chromium(viewport=SIZE) as page:
        notebook = Notebook(page, url, "quickstart.ipynb")
        for number in range(len(CELLS)):
            cell = notebook.cell(number)
            cell.scroll_into_view_if_needed()
            cell.locator(".cm-content").click()
            page.keyboard.press("Control+Enter")
            while not _has_ended(page, number):
                _show_end(page, number)
                frames.append((page.screenshot(), SHOWN_MS))
                time.sleep(EVERY_S)
            _show_end(page, number)
            page.wait_for_timeout(1000 * EVERY_S)  # what the output needs to be drawn
            frames.append((page.screenshot(), END_MS))
    pictures = [Image.open(io.BytesIO(content)).convert("RGB") for content, _ in frames]
    pictures[0].save(
        target / "quickstart.webp",
        save_all=True,
        append_images=pictures[1:],
        duration=[shown for _, shown in frames],
        loop=0,
        quality=QUALITY,
        method=6,
    )


def _has_ended(page: Page, number: int) -> bool:
    prompt = page.locator(".jp-Notebook .jp-CodeCell").nth(number).locator(".jp-InputArea-prompt")
    return prompt.inner_text().strip("[]: \n").isdecimal()


def _show_end(page: Page, number: int) -> None:
    """Scroll to the end of a cell's output."""
    page.locator(".jp-Notebook .jp-CodeCell").nth(number).evaluate("(cell) => cell.scrollIntoView({block: 'end'})")
