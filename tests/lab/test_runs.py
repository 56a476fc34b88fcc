"""The runs of the panel in JupyterLab with a headless browser. Run by `make test-lab`; pictures are in build/shots."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.lab.audit import violations
from tests.lab.driver import Notebook, chromium, server, write_notebook
from tests.lab.picture import RUN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

SHOTS = Path("build/shots")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    root, home = tmp_path_factory.mktemp("root"), tmp_path_factory.mktemp("home")
    write_notebook(root / "runs.ipynb", RUN)
    with server(root, home) as url, chromium(viewport={"width": 1280, "height": 1500}) as page:
        page.set_default_timeout(60_000)
        notebook = Notebook(page, url, "runs.ipynb")
        notebook.run_all()
        page.locator(".bi-row-map canvas").wait_for()
        yield page


def test_the_rows_are_shown_with_their_numbers(page: Page) -> None:
    expect(page.locator(".bi-runs")).to_contain_text("200 rows: 4 failed, 196 succeeded")
    expect(page.locator(".bi-row-map")).to_have_attribute("data-painted", re.compile("[1-9]"))
    page.locator(".bi-runs").scroll_into_view_if_needed()
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.locator(".bi-runs").screenshot(path=str(SHOTS / "runs.png"))


def test_a_click_on_the_first_square_shows_what_a_failed_row_printed(page: Page) -> None:
    canvas = page.locator(".bi-row-map canvas")
    canvas.click(position={"x": 5, "y": 5})
    card = page.locator(".bi-row-card")
    expect(card).to_contain_text("Row 7")
    expect(card).to_contain_text("working on s7")
    expect(card).to_contain_text("exit code 1")
    page.locator(".bi-runs").screenshot(path=str(SHOTS / "runs-row.png"))
    card.get_by_role("button", name="Close the card of the row").click()
    expect(card).to_be_hidden()


def test_the_keyboard_reaches_every_row(page: Page) -> None:
    canvas = page.locator(".bi-row-map canvas")
    canvas.focus()
    for key in ("ArrowRight", "ArrowRight", "Enter"):
        canvas.press(key)
    expect(page.locator(".bi-row-card")).to_contain_text("Row 57")
    canvas.press("End")
    expect(page.locator(".bi-runs .bi-row-hint")).to_have_text("row 199 · succeeded")


def test_it_can_be_read_by_everybody(page: Page) -> None:
    assert violations(page, ".batchimg-panel") == []
