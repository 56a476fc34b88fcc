"""The node map alone in a browser: text from the service, colours, and the messages that it sends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from batchimg_magics.pool_spec.words import NODE_STATES
from tests.lab.map_page import encoded, page
from tests.support.panels import HTML_INJECTION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page


@pytest.fixture
def opened() -> Iterator[Page]:
    with page() as found:
        yield found


def test_text_from_the_service_stays_text(opened: Page) -> None:
    alerts: list[str] = []
    opened.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
    opened.evaluate("window.firstPaint", encoded(np.array([len(NODE_STATES)], np.uint8)))
    opened.evaluate("(words) => window.set('words', words)", [*NODE_STATES, HTML_INJECTION])
    opened.locator("canvas").hover(position={"x": 5, "y": 5})
    opened.evaluate(
        "(told) => window.give(told, [])",
        {"kind": "node", "place": 0, "id": HTML_INJECTION, "since": HTML_INJECTION, "error": HTML_INJECTION},
    )
    assert opened.locator(".batchimg-map-details").inner_text().count(HTML_INJECTION) == 4
    assert HTML_INJECTION in opened.locator(".batchimg-map-key").first.inner_text()
    assert opened.locator("img").count() == 0
    assert alerts == []


def test_every_letter_stands_out_from_its_colour(opened: Page) -> None:
    states = np.arange(len(NODE_STATES), dtype=np.uint8)
    opened.evaluate("window.firstPaint", encoded(np.concatenate([states, states | 128])))
    found = opened.evaluate("""() => [...document.querySelectorAll('[data-state] .batchimg-map-swatch')].map((one) => {
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
    opened.evaluate("window.firstPaint", encoded(np.full(400, 4, np.uint8)))
    opened.clock.install(time=0)
    opened.clock.pause_at(1000)  # time passes in `run_for` only, however slow this machine is
    for x in range(5, 500, 50):
        opened.locator("canvas").dispatch_event("pointermove", {"clientX": 16 + x, "clientY": 21})
        opened.clock.run_for(60)
    opened.clock.run_for(200)
    assert len([one for one in opened.evaluate("window.sent") if one["kind"] == "node"]) == 1
