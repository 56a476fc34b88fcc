"""The panel in JupyterLab with a headless browser. Run by `make test-lab`; pictures are in build/shots."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from tests.lab.audit import violations
from tests.lab.driver import Notebook, chromium, server, write_notebook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Locator

SHOTS = Path("build/shots")
CELLS = (
    # When resizes are sent, by the clock that the browser has too.
    """import time
from batchimg_magics.emulator.transport import EmulatorTransport
sent = []
def noted(self, request, _send=EmulatorTransport.send, **options):
    if request.url.partition("?")[0].endswith("/resize"):
        sent.append(time.time())
    return _send(self, request, **options)
EmulatorTransport.send = noted""",
    "%load_ext batchimg_magics\n%batchimg connect --state :memory: --speed 120",
    "%batchimg create genomics --from-vm prep-vm --vm-size Standard_D4s_v5 --nodes 25 --spot 5",
    "panel = %batchimg panel genomics\npanel",
)


#: When `Resize` was clicked, by the page's clock.
CLICKED: list[float] = []


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    root, home = tmp_path_factory.mktemp("root"), tmp_path_factory.mktemp("home")
    write_notebook(root / "panel.ipynb", CELLS)
    with (
        server(root, home) as url,
        chromium(viewport={"width": 1280, "height": 1300}, permissions=["clipboard-read", "clipboard-write"]) as page,
    ):
        page.set_default_timeout(60_000)
        notebook = Notebook(page, url, "panel.ipynb")
        notebook.run_all()
        page.locator(".bi-map canvas").wait_for()
        yield notebook


@pytest.fixture
def page(opened: Notebook) -> Page:
    return opened.page


@pytest.fixture
def shoot(page: Page) -> Callable[[str], None]:
    def take(name: str) -> None:
        SHOTS.mkdir(parents=True, exist_ok=True)
        page.locator(".batchimg-panel").first.scroll_into_view_if_needed()
        page.screenshot(path=str(SHOTS / f"{name}.png"))

    return take


def field(page: Page, number: int) -> None:
    box = page.locator(".batchimg-panel input[type=number]").first
    box.fill(str(number))
    box.press("Enter")


def head(page: Page) -> str:
    return page.locator(".bi-head").first.inner_text().replace("\n", " ")


def line(page: Page) -> Locator:
    return page.locator(".bi-line code")


def resize_button(page: Page) -> Locator:
    return page.get_by_role("button", name=re.compile("^Resize to"))


def squares(page: Page, state: str) -> int:
    key = page.locator(".bi-chip", has=page.locator("span", has_text=re.compile(rf"^{state}$")))
    return int(key.locator("b").inner_text().replace(",", "")) if key.count() else 0


def test_it_opens_with_the_nodes_that_there_are(page: Page, shoot: Callable[[str], None]) -> None:
    assert "LOCAL · emulator, 120x time" in head(page)
    expect(page.locator(".bi-tile").first).to_have_text("25 of 25dedicated nodes")
    assert squares(page, "idle") == 30
    shoot("1-open")


def test_moving_a_control_changes_the_forecast_before_anything_is_sent(
    page: Page, shoot: Callable[[str], None]
) -> None:
    cost = page.locator(".bi-rows").inner_text()
    field(page, 120)
    expect(page.locator(".bi-forecast")).to_contain_text("480 of 1,000 · 520 free")
    assert page.locator(".bi-rows").inner_text() != cost
    expect(line(page)).to_have_text("%batchimg resize genomics --nodes 120 --spot 5")
    slider = page.get_by_label("Dedicated nodes, slider")
    slider.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft"):
        slider.press(key)
    expect(line(page)).to_have_text("%batchimg resize genomics --nodes 121 --spot 5")
    expect(page.get_by_label("Dedicated nodes", exact=True)).to_have_value("121")
    # A slider that is dragged never jumps back to an answer that is late.
    box = slider.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    for step in range(1, 40):
        page.mouse.move(box["x"] + box["width"] / 2 + step, box["y"] + box["height"] / 2)
    seen = slider.input_value()
    page.mouse.up()
    expect(line(page)).to_have_text(f"%batchimg resize genomics --nodes {seen} --spot 5")
    expect(slider).to_have_value(seen)
    shoot("2-forecast")


def test_what_is_impossible_cannot_be_sent_and_the_reason_stands_beside(
    page: Page, shoot: Callable[[str], None]
) -> None:
    field(page, 3000)
    expect(page.get_by_text("250 dedicated + 5 spot would fit")).to_be_visible()
    button = resize_button(page)
    expect(button).to_have_attribute("aria-disabled", "true")
    reason = page.locator(f"#{button.get_attribute('aria-describedby')}")
    expect(reason).to_contain_text("250 dedicated + 5 spot would fit")
    button.click(force=True)  # nothing is sent
    expect(page.locator(".bi-pill").first).to_have_text("steady")
    shoot("3-impossible")


def test_it_resizes_from_25_to_300_and_the_map_fills(page: Page, shoot: Callable[[str], None]) -> None:
    field(page, 245)
    expect(resize_button(page)).not_to_have_attribute("aria-disabled", "true")
    page.evaluate(
        "() => document.querySelector('.batchimg-panel .bi-primary')"
        ".addEventListener('click', () => { window.clicked = Date.now() / 1000; }, { capture: true })"
    )
    resize_button(page).click()
    CLICKED.append(page.evaluate("window.clicked"))
    expect(page.locator(".bi-head")).to_contain_text("resizing")
    expect(page.locator(".bi-reasons").first).to_contain_text("Resize, Repair, Delete: available when the resize ends")
    page.wait_for_function("() => [...document.querySelectorAll('.bi-chip[data-state]')].length > 1")
    shoot("4-filling")


def test_a_page_that_is_loaded_again_in_mid_resize_shows_it_again(
    opened: Notebook, page: Page, shoot: Callable[[str], None]
) -> None:
    page.evaluate("async () => { await window.jupyterapp.commands.execute('docmanager:save'); }")
    page.locator(".bi-map canvas").wait_for()
    opened.load()
    page.locator(".bi-map canvas").wait_for()
    assert "LOCAL" in head(page)
    shoot("5-loaded-again")
    assert opened.evaluate("panel.is_watching") == "True"


def test_it_ends_with_every_node_idle_and_the_round_in_a_table(page: Page, shoot: Callable[[str], None]) -> None:
    page.wait_for_function(
        "() => /idle\\s*250/.test(document.querySelector('.bi-chips')?.innerText.replaceAll('\\n', ' '))"
    )
    expect(page.locator(".bi-attempts")).to_contain_text("25 → 245")
    shoot("6-ready")


def test_a_click_becomes_a_request_at_once(opened: Notebook) -> None:
    between_s = float(opened.evaluate(f"next(when for when in sent if when > {CLICKED[0]})")) - CLICKED[0]
    # How fast it is, is a benchmark's to say; here, that it was this click's request, which waited for nothing.
    assert 0 <= between_s < 10
    (SHOTS / "click.json").write_text(json.dumps({"click_to_request_ms": round(between_s * 1000)}), encoding="utf-8")


def test_a_node_under_the_pointer_shows_its_id_and_a_click_its_card(page: Page, shoot: Callable[[str], None]) -> None:
    canvas = page.locator(".bi-map canvas")
    canvas.hover(position={"x": 20, "y": 20})
    expect(page.locator(".bi-map-hint")).to_contain_text(re.compile(r"tvmps_\w+ · idle · dedicated"))
    canvas.click(position={"x": 20, "y": 20})
    expect(page.locator(".bi-node-card .bi-node")).to_have_count(1)
    shoot("6-node")
    page.get_by_role("button", name="Close the card of the node").click()
    expect(page.locator(".bi-node-card")).to_be_hidden()


def test_the_map_can_be_walked_with_keys(page: Page) -> None:
    page.mouse.move(0, 0)
    canvas, said = page.locator(".bi-map canvas"), page.locator(".bi-map-hint")
    canvas.focus()
    for key in ("Escape", "ArrowRight", "ArrowRight"):
        canvas.press(key)
    expect(said).to_contain_text(re.compile(r"tvmps_\w+ · idle · dedicated"))
    second = said.inner_text()
    canvas.press("ArrowDown")
    expect(said).not_to_have_text(second)
    canvas.press("ArrowUp")
    expect(said).to_have_text(second)
    canvas.press("Escape")
    expect(said).to_have_text(re.compile("Select a node"))


def test_a_chip_shows_its_state_alone_from_the_keyboard_too(page: Page) -> None:
    chip = page.locator(".bi-chip[data-state]").first
    chip.focus()
    page.keyboard.press("Space")
    expect(chip).to_have_attribute("aria-pressed", "true")
    chip.click()
    expect(chip).to_have_attribute("aria-pressed", "false")
    spots = page.locator(".bi-chip", has_text="spot")
    expect(spots).to_have_text("spot5")
    spots.click()
    expect(spots).to_have_attribute("aria-pressed", "true")
    spots.click()


def test_everything_is_reached_with_tab_in_the_order_in_which_it_stands(page: Page) -> None:
    page.locator(".batchimg-panel input[type=number]").first.focus()
    places = []
    for _ in range(30):
        box = page.evaluate(
            "(({ top, left }) => [Math.round(top - document.querySelector('.batchimg-panel')"
            ".getBoundingClientRect().top), left])(document.activeElement.getBoundingClientRect())"
        )
        inside = page.evaluate("document.activeElement.closest('.batchimg-panel') !== null")
        if not inside:
            break
        places.append(box)
        page.keyboard.press("Tab")
    assert len(places) > 12
    rows = [top for top, _ in places]
    assert all(below >= above - 40 for above, below in pairwise(rows))


def _in_theme(page: Page, theme: str) -> None:
    page.evaluate(
        f"() => {{ void window.jupyterapp.commands.execute('apputils:change-theme', {{ theme: '{theme}' }}); }}"
    )
    page.wait_for_function(f"() => document.body.dataset.jpThemeLight === '{str('Light' in theme).lower()}'")
    page.locator("#jupyterlab-splash").wait_for(state="detached")  # it lies over everything


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_an_audit_finds_nothing_in_either_theme(page: Page, theme: str) -> None:
    _in_theme(page, theme)
    assert violations(page, ".batchimg-panel") == []
    page.evaluate("for (const one of document.querySelectorAll('.batchimg-panel details')) one.open = true")
    field(page, 3000)
    assert violations(page, ".batchimg-panel") == []
    field(page, 245)


def test_the_resize_can_be_played_back(page: Page, shoot: Callable[[str], None]) -> None:
    page.locator(".bi-play").click()
    expect(page.locator(".bi-frame-time")).to_have_text(re.compile(r"\d\d:\d\d:\d\d"))
    shoot("7-play-back")
    page.locator(".bi-frame").fill("0")
    expect(page.locator(".bi-chip[data-state]", has_text="idle")).to_contain_text("30")  # the chips count what is shown
    page.locator(".bi-play", has_text="Play").click()
    expect(page.locator(".bi-play", has_text="Replay")).to_be_visible(timeout=20_000)
    expect(page.locator(".bi-chip[data-state]", has_text="idle")).to_contain_text("250")


def test_a_resize_can_be_stopped(page: Page) -> None:
    field(page, 25)
    page.locator(".batchimg-panel input[type=number]").nth(1).fill("200")
    page.locator(".batchimg-panel input[type=number]").nth(1).press("Enter")
    resize_button(page).click()
    stop = page.get_by_role("button", name="Stop resize", exact=True)
    expect(stop).not_to_have_attribute("aria-disabled", "true")
    stop.click()
    expect(page.locator(".bi-head")).to_contain_text("steady")
    expect(page.locator(".bi-work .bi-message").last).to_contain_text("stop")


def test_how_many_do_i_need(page: Page, shoot: Callable[[str], None]) -> None:
    calculate = page.get_by_role("button", name="Calculate")
    if not calculate.is_visible():
        page.get_by_text("Estimate: how many").click()
    calculate.press("Enter")
    expect(page.locator(".batchimg-panel")).to_contain_text("1,000 tasks of 10 min within 4 h")
    shoot("8-how-many")
    page.get_by_role("button", name="Apply 11 spot nodes").click()
    expect(line(page)).to_have_text("%batchimg resize genomics --nodes 25 --spot 11")
    expect(page.get_by_label("Spot nodes", exact=True)).to_have_value("11")


def test_the_line_can_be_copied_and_run_in_a_cell(page: Page) -> None:
    field(page, 26)
    expect(line(page)).to_have_text(re.compile("--nodes 26"))
    page.get_by_role("button", name="Copy the command").click()
    expect(page.locator(".bi-line button").first).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == line(page).inner_text()
    cells = page.locator(".jp-Notebook .jp-CodeCell")
    before = cells.count()
    page.get_by_role("button", name="Insert cell").click()
    expect(cells).to_have_count(before + 1)
    inserted = cells.nth(len(CELLS))  # below the panel
    expect(inserted.locator(".cm-content")).to_have_text(line(page).inner_text())
    inserted.locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    expect(page.locator(".bi-tile").first).to_have_text("26 of 26dedicated nodes")


def test_it_fits_600_pixels_and_dark_themes(page: Page, shoot: Callable[[str], None]) -> None:
    _in_theme(page, "JupyterLab Dark")
    shoot("9-dark")
    page.set_viewport_size({"width": 700, "height": 1300})  # the notebook's own margins take 100
    page.wait_for_function("() => document.querySelector('.bi-map canvas').clientWidth < 600")
    shoot("9-narrow")
    wide = page.evaluate("() => document.querySelector('.batchimg-panel').scrollWidth")
    assert wide <= page.evaluate("() => document.querySelector('.batchimg-panel').clientWidth")


def test_the_pool_is_watched_only_while_the_output_is_shown(opened: Notebook, page: Page) -> None:
    assert opened.evaluate("panel.is_watching") == "True"
    opened.cell(3).locator(".jp-InputPrompt").click()
    page.evaluate("() => { void window.jupyterapp.commands.execute('notebook:clear-cell-output'); }")
    expect(page.locator(".batchimg-panel")).to_have_count(0)
    assert opened.evaluate("panel.is_watching") == "False"
    opened.evaluate("panel")
    page.locator(".bi-map canvas").wait_for()
    assert opened.evaluate("panel.is_watching") == "True"


def test_the_pools_to_choose_from_lead_to_a_panel(opened: Notebook, page: Page) -> None:
    opened.evaluate("%batchimg panel")
    page.get_by_role("button", name="Open pool genomics").click()
    expect(page.locator(".bi-below .bi-head")).to_contain_text("genomics")
    expect(page.locator(".bi-map canvas")).to_have_count(2)
    assert violations(page, ".batchimg-chooser") == []


def test_nothing_was_requested_from_outside_and_the_console_is_clean(opened: Notebook) -> None:
    assert opened.outside == []
    assert opened.problems == []


def test_the_static_form_is_hidden_where_the_widget_runs_and_shown_where_its_kernel_has_ended(
    opened: Notebook, page: Page
) -> None:
    page.set_viewport_size({"width": 1280, "height": 1300})
    static = page.locator("[class^=batchimg-static-]")
    assert static.count() >= 1
    assert not any(one.is_visible() for one in static.all())
    page.evaluate("async () => { await window.jupyterapp.commands.execute('docmanager:save'); }")
    page.evaluate("async () => { await window.jupyterapp.shell.currentWidget.sessionContext.shutdown(); }")
    opened.load()
    expect(static.first).to_be_visible()
    expect(static.first).to_contain_text("%batchimg resize genomics")
    missing = page.get_by_text("Error displaying widget").first
    missing.wait_for(state="attached")
    expect(missing).to_be_hidden()
    static.first.scroll_into_view_if_needed()
    page.screenshot(path=str(SHOTS / "10-static.png"))
