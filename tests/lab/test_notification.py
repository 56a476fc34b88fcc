"""The notification at the end of a verb, in a browser: shown, asked for by a click, or left out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics.ui.notification import notification_script
from tests.lab.driver import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Page

#: Headless browsers show no notifications: what the script asks the browser for is recorded.
RECORDER = """(permission) => {
  window.shown = []; window.asked = 0;
  window.Notification = class {
    constructor(title, options) { window.shown.push([title, options.body]); }
    static permission = permission;
    static requestPermission() { window.asked += 1; return Promise.resolve("granted"); }
  };
  document.body.innerHTML = "<div id='output'></div>";
}"""


def run(page: Page, permission: str, ended: float) -> Any:
    page.evaluate(RECORDER, permission)
    script = notification_script("%batchimg create g", "done: pool g", ended)
    page.evaluate("(script) => new Function('element', script)(document.getElementById('output'))", script)
    return page.evaluate("window.shown")


@pytest.mark.parametrize("permission", ["granted", "default", "denied"])
def test_a_notification_is_shown_or_asked_for_by_a_click_only(permission: str) -> None:
    requested: list[str] = []
    with chromium() as page:
        page.on("request", lambda request: requested.append(request.url))
        shown = run(page, permission, time.time())
        assert shown == ([["%batchimg create g", "done: pool g"]] if permission == "granted" else [])
        assert page.evaluate("window.asked") == 0
        button = page.locator("#output button")
        assert button.count() == (1 if permission == "default" else 0)
        if permission == "default":
            button.click()
            page.wait_for_function("window.shown.length === 1 && !document.querySelector('#output button')")
        assert run(page, permission, 1.0) == []  # the output of an old notebook
        assert button.count() == 0
    assert requested == []
