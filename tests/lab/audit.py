"""What axe-core finds wrong with a part of a page for those who see, hear or point otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

#: `make test-lab` puts it there.
AXE = Path("build/axe/node_modules/axe-core/axe.min.js")


def violations(page: Page, part: str) -> list[str]:
    """Return what breaks one of WCAG's rules or a custom that goes beyond, one line each.

    Parameters
    ----------
    page
        Where.
    part
        CSS selector: what is not in it is its application's, not ours.
    """
    if not page.evaluate("typeof axe !== 'undefined'"):
        page.add_script_tag(content=AXE.read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = page.evaluate("async (part) => (await axe.run(part)).violations", part)
    return [f"{one['id']} ({one['impact']}): {node['html']}" for one in found for node in one["nodes"]]
