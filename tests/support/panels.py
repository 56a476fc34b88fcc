"""Panels for tests: of a pool of the emulator, with views of a browser."""

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


def send(panel: Panel, **content: Any) -> None:
    """Send a message as a front end does."""
    panel._handle_custom_msg(content, [])


def set_values(panel: Panel, **values: Any) -> None:
    """Change values of the size or of its options."""
    send(panel, kind="set", values=values, view="test", number=1)


def press(panel: Panel, button: str) -> None:
    """Press a button: ``resize``, ``stop``, ``repair`` or ``delete``."""
    send(panel, kind="press", button=button)


def reason(panel: Panel, button: str) -> str:
    """Return why a button is disabled; empty: it is enabled."""
    found: str = panel.actions["reasons"][button]
    return found


def shown(panel: Panel, part: str = "") -> str:
    """Return the text that the panel shows, or one part of it, as one string without quotes of JSON."""
    names = [part] if part else ["head", "size", "forecast", "actions", "activity", "estimate", "nodes", "attempts"]
    return "\n".join(text for name in names for text in _texts(getattr(panel, name)))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _texts(one)
    else:
        yield str(value)


def forecast_rows(panel: Panel) -> dict[str, str]:
    """Return the rows of the forecast, and the text of each bar by its label."""
    state = panel.forecast
    return dict(state["rows"]) | {one["label"]: one["text"] for one in state["bars"]}


def run_estimate(panel: Panel, **values: Any) -> None:
    """Calculate an estimate, and wait until the result is shown."""
    send(panel, kind="estimate", values=values)
    if panel.estimate_section.estimate_run is not None:
        panel.estimate_section.estimate_run.wait(60)
    panel.session.call(_do_nothing)


def advance_time(session: Session, seconds: float) -> None:
    """Advance the service's time by so many seconds."""

    async def sleep(azure: Any) -> None:
        await azure.sleep(seconds)

    session.call(sleep)


class BrowserView:
    """A view of a panel in a browser, which sends the messages of `visibility.js`.

    Parameters
    ----------
    panel, name
        The panel, and the view's id.
    """

    def __init__(self, panel: Panel, name: str) -> None:
        self._panel, self._name = panel, name
        self.send_state("visible", new=True)

    def send_state(self, state: str, *, new: bool = False) -> None:
        """Send the state of the view to the kernel."""
        content = {"kind": "view", "view": self._name, "state": state, **({"new": True} if new else {})}
        self._panel._handle_custom_msg(content, [])


async def _do_nothing(_: object) -> None:
    return None
