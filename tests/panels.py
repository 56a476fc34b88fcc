"""Panels for tests: on a pool of the local Azure, and with a page that looks at them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from batchimg_magics import Session
from batchimg_magics.ui.panel import Panel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NASTY = "<img src=x onerror=alert(1)>"


@contextmanager
def shown_panel(through: Callable[[Any], Any] | None = None, **target: Any) -> Iterator[Panel]:
    """Show the panel of a new pool of three dedicated nodes and a spot node."""
    with Session(through=through) as session:
        session.connect(world=":memory:", speed="max", **target)
        session.create("genomics", from_vm="prep-vm", vm_size="Standard_D4s_v5", nodes=3, spot=1)
        panel = session.panel("genomics")
        assert isinstance(panel, Panel)
        yield panel
        panel.close()


def finish(session: Session, name: str = "genomics") -> None:
    """Wait until what goes on with a pool is over, and has been shown: both happen on the session's thread."""
    work = session.going_on(name)
    if work is not None:
        work.wait(60)
    session.ask(_nothing)


def ask(panel: Panel) -> None:
    """Press the second tab's button, and wait until what came of it is shown."""
    panel.question.ask.click()
    if panel.question.asked is not None:
        panel.question.asked.wait(60)
    panel.session.ask(_nothing)


def pass_time(session: Session, seconds: float) -> None:
    """Let so much of the service's time pass."""

    async def sleep(azure: Any) -> None:
        await azure.sleep(seconds)

    session.ask(sleep)


class Page:
    """A view of a panel's map in some browser, which says of itself what `node_map.js` says.

    Parameters
    ----------
    panel, name
        What it shows, and what it calls itself.
    """

    def __init__(self, panel: Panel, name: str) -> None:
        self._panel, self._name = panel, name
        self.say("seen", new=True)

    def say(self, state: str, *, new: bool = False) -> None:
        """Tell the kernel how the view is."""
        content = {"kind": "view", "view": self._name, "state": state, **({"new": True} if new else {})}
        self._panel.map._handle_custom_msg(content, [])


async def _nothing(_: object) -> None:
    return None
