"""Panels for tests: of a pool of the emulator, with views in browser pages."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from batchimg_magics import Session
from batchimg_magics.ui.panel.panel import Panel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HTML_INJECTION = "<img src=x onerror=alert(1)>"


@contextmanager
def open_panel(wrap_transport: Callable[[Any], Any] | None = None, **target: Any) -> Iterator[Panel]:
    """Show the panel of a new pool of three dedicated nodes and a spot node."""
    with Session(wrap_transport=wrap_transport) as session:
        session.connect(state=":memory:", speed="max", **target)
        session.create("genomics", from_vm="prep-vm", vm_size="Standard_D4s_v5", nodes=3, spot=1)
        panel = session.panel("genomics")
        assert isinstance(panel, Panel)
        yield panel
        panel.close()


def wait_for_verb(session: Session, name: str = "genomics") -> None:
    """Wait until the verb on a pool has ended and its result is shown; both happen on the session's thread."""
    verb_run = session.find_running(name)
    if verb_run is not None:
        verb_run.wait(60)
    session.call(_do_nothing)


def run_estimate(panel: Panel) -> None:
    """Press the button of the second tab, and wait until the result is shown."""
    panel.estimate_tab.calculate_button.click()
    if panel.estimate_tab.estimate_run is not None:
        panel.estimate_tab.estimate_run.wait(60)
    panel.session.call(_do_nothing)


def advance_time(session: Session, seconds: float) -> None:
    """Advance the service's time by so many seconds."""

    async def sleep(azure: Any) -> None:
        await azure.sleep(seconds)

    session.call(sleep)


class BrowserView:
    """A view of a panel's map in a browser, which reports its state as `node_map.js` does.

    Parameters
    ----------
    panel, name
        The panel, and the view's id.
    """

    def __init__(self, panel: Panel, name: str) -> None:
        self._panel, self._name = panel, name
        self.send_state("visible", new=True)

    def send_state(self, state: str, *, new: bool = False) -> None:
        """Report the view's state to the kernel."""
        content = {"kind": "view", "view": self._name, "state": state, **({"new": True} if new else {})}
        self._panel.map._handle_custom_msg(content, [])


async def _do_nothing(_: object) -> None:
    return None
