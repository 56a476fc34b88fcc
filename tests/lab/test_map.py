"""The node map alone in a browser: text from the service, colours, the card, and the messages that it sends."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from playwright.sync_api import expect

from batchimg_magics.pool_spec.words import NODE_STATES
from tests.lab.audit import violations
from tests.lab.map_page import encoded, page
from tests.support.panels import HTML_INJECTION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

SHOTS = Path("build/shots")
IDLE, BAD = NODE_STATES.index("idle"), NODE_STATES.index("starttaskfailed")


@pytest.fixture
def opened() -> Iterator[Page]:
    with page() as found:
        yield found


def card(*ids: str, **parts: Any) -> dict[str, Any]:
    """Return the state of a card as Python sets it."""
    nodes = [
        {
            "id": one, "state": "starttaskfailed", "bad": True, "left": False, "loading": False,
            "facts": ["dedicated", "10.0.0.31"],
            "errors": [{"title": "The start task ended with exit code 127", "text": ""}],
        }
        for one in ids
    ]  # fmt: skip
    empty = {"reasons": {"reboot": "", "remove": ""}, "asks": {}, "opened": {}, "problem": ""}
    return {"nodes": nodes, **empty, **parts}


def sent(opened: Page, kind: str) -> list[dict[str, Any]]:
    return [one for one in opened.evaluate("window.sent") if one["kind"] == kind]


def test_text_from_the_service_stays_text(opened: Page) -> None:
    alerts: list[str] = []
    opened.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
    opened.evaluate("window.firstPaint", encoded(np.array([len(NODE_STATES)], np.uint8)))
    opened.evaluate("(words) => window.set('words', words)", [*NODE_STATES, HTML_INJECTION])
    opened.locator("canvas").hover(position={"x": 5, "y": 5})
    opened.evaluate("(told) => window.give(told, [])", {"kind": "node", "place": 0, "id": HTML_INJECTION})
    assert opened.locator(".bi-map-hint").inner_text().count(HTML_INJECTION) == 2
    shown = card(HTML_INJECTION, problem=HTML_INJECTION, reasons={"reboot": HTML_INJECTION, "remove": ""})
    shown["opened"] = {"what": "logs", "line": HTML_INJECTION, "loading": False, "problem": HTML_INJECTION,
                       "files": [{"name": HTML_INJECTION, "text": HTML_INJECTION, "note": HTML_INJECTION}]}  # fmt: skip
    shown["asks"] = {"text": HTML_INJECTION, "button": HTML_INJECTION, "line": HTML_INJECTION}
    shown["nodes"][0] |= {"state": HTML_INJECTION, "facts": [HTML_INJECTION]}
    shown["nodes"][0]["errors"] = [{"title": HTML_INJECTION, "text": HTML_INJECTION}]
    opened.evaluate("(card) => window.set('card', card)", shown)
    opened.evaluate("(listed) => window.set('attention', listed)", [{"id": HTML_INJECTION, "state": HTML_INJECTION}])
    assert opened.locator(".bi-node-card").inner_text().count(HTML_INJECTION) >= 12
    assert HTML_INJECTION in opened.locator(".bi-chip").first.inner_text()
    assert opened.locator("img").count() == 0
    assert alerts == []


def test_every_mark_stands_out_from_its_colour(opened: Page) -> None:
    states = np.arange(len(NODE_STATES), dtype=np.uint8)
    opened.evaluate("window.firstPaint", encoded(np.concatenate([states, states | 128])))
    found = opened.evaluate("""() => [...document.querySelectorAll('[data-state] .bi-swatch')].map((one) => {
      const luminance = (text) => text.match(/\\d+/g).slice(0, 3).map((part) => part / 255)
        .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
        .reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);
      const { color, backgroundColor } = getComputedStyle(one);
      const [dark, light] = [luminance(color), luminance(backgroundColor)].sort((a, b) => a - b);
      return [one.parentElement.innerText, (light + 0.05) / (dark + 0.05)];
    })""")
    assert len(found) == len(NODE_STATES)
    assert [one for one in found if one[1] < 4.5] == []


def test_sweeping_over_the_map_asks_for_nothing_and_resting_does(opened: Page) -> None:
    opened.evaluate("window.firstPaint", encoded(np.full(400, IDLE, np.uint8)))
    opened.clock.install(time=0)
    opened.clock.pause_at(1000)  # time passes in `run_for` only, however slow this machine is
    box = opened.locator("canvas").bounding_box()
    assert box is not None
    for x in range(5, 500, 50):
        event = {"clientX": box["x"] + x, "clientY": box["y"] + 5}
        opened.locator("canvas").dispatch_event("pointermove", event)
        opened.clock.run_for(60)
    opened.clock.run_for(200)
    assert len(sent(opened, "node")) == 1


def test_nodes_are_selected_with_the_pointer_and_with_keys(opened: Page) -> None:
    opened.evaluate("window.firstPaint", encoded(np.array([IDLE, BAD, 255, IDLE], np.uint8)))
    canvas = opened.locator("canvas")
    canvas.click(position={"x": 5, "y": 5})
    canvas.click(position={"x": 30, "y": 5}, modifiers=["Control"])
    canvas.click(position={"x": 60, "y": 5})  # its node left the pool
    canvas.press("Escape")
    for key in ("ArrowRight", "ArrowRight", "Enter", "End", "Control+Enter"):
        canvas.press(key)
    assert [(one["place"], one["add"]) for one in sent(opened, "select")] == [
        (0, False), (1, True), (1, False), (3, True)
    ]  # fmt: skip
    canvas.press("Escape")
    canvas.press("Escape")
    assert len(sent(opened, "unselect")) == 1


def test_a_chip_shows_its_state_alone_and_left_closes_the_gaps(opened: Page) -> None:
    opened.evaluate("window.firstPaint", encoded(np.array([IDLE, BAD, 255, IDLE | 128], np.uint8)))
    chips = opened.locator(".bi-chip:visible")
    assert chips.all_inner_texts() == ["✕\nstart task failed\n1", "idle\n2", "spot\n1", "left\n1"]
    chips.nth(1).press("Space")
    expect(chips.nth(1)).to_have_attribute("aria-pressed", "true")
    dim, full = opened.evaluate("""() => {
      const data = (x) => document.querySelector('canvas').getContext('2d').getImageData(x, 5, 1, 1).data[3];
      return [data(36), data(6)]; }""")
    assert dim < 80 < full
    chips.nth(3).click()
    assert len(sent(opened, "close gaps")) == 1


def test_the_card_asks_and_disabled_buttons_do_nothing(opened: Page) -> None:
    opened.evaluate("window.firstPaint", encoded(np.array([BAD, IDLE], np.uint8)))
    waiting = card("tvmps_" + "0" * 64 + "_d", reasons={"reboot": "", "remove": "the pool is resizing"})
    opened.evaluate("(card) => window.set('card', card)", waiting)
    expect(opened.locator(".bi-node-card")).to_contain_text("The start task ended with exit code 127")
    expect(opened.locator(".bi-node-card")).to_contain_text("Remove: the pool is resizing")
    opened.get_by_role("button", name="Remove").click(force=True)
    opened.get_by_role("button", name="Reboot").click()
    assert [one["action"] for one in sent(opened, "act")] == ["reboot"]
    asks = {"text": "Remove this node?", "button": "Remove 1 node", "line": "%batchimg repair p --remove"}
    opened.evaluate("(card) => window.set('card', card)", card("a", asks=asks))
    expect(opened.get_by_role("button", name="Cancel")).to_be_focused()
    opened.keyboard.press("Escape")
    assert len(sent(opened, "cancel")) == 1
    opened.get_by_role("button", name="Remove 1 node").click()
    assert len(sent(opened, "confirm")) == 1


@pytest.mark.parametrize("width", [560, 940])
@pytest.mark.parametrize("colours", ["light", "dark", "forced"])
def test_an_audit_finds_nothing_and_it_fits(width: int, colours: str) -> None:
    states = np.full(300, IDLE, np.uint8)
    states[:3] = [BAD, 255, IDLE | 128]
    logs = {"what": "logs", "line": "%batchimg logs p x", "loading": False, "problem": "",
            "files": [{"name": "startup/stderr.txt", "text": "samtools: not found\n" * 30, "note": "all"}]}  # fmt: skip
    with page(width=width, height=1000) as opened:
        if colours == "forced":
            opened.emulate_media(forced_colors="active")
        if colours == "dark":
            opened.evaluate("""() => { const set = (name, value) => document.body.style.setProperty(name, value);
              set('--jp-layout-color1', '#181818'); set('--jp-layout-color2', '#232323'); set('background', '#181818');
              set('--jp-ui-font-color1', 'rgba(255,255,255,.92)'); set('--jp-brand-color1', '#4ea1f3');
              set('--jp-border-color2', '#333'); set('--jp-error-color1', '#ff8a80'); }""")
        opened.evaluate("window.firstPaint", encoded(states))
        opened.evaluate("(card) => window.set('card', card)", card("tvmps_" + "a" * 64 + "_d", opened=logs))
        opened.evaluate("(listed) => window.set('attention', listed)", [{"id": "x", "state": "unusable"}])
        assert violations(opened, ".batchimg-panel") == []
        assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")
        SHOTS.mkdir(parents=True, exist_ok=True)
        opened.screenshot(path=str(SHOTS / f"map-{colours}-{width}.png"), full_page=True)
