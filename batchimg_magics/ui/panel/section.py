"""What the panel offers to its sections, and what it asks of them.

A section has a part in JavaScript, ``ui/widgets/NAME_section.js`` (its contract stands at the top of ``panel.js``), and
a part here. State that a reloaded page must show again is set with `set_state`; larger data is sent with `send`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.scaling.watch import PoolSnapshot
    from batchimg_magics.session.session import Session
    from batchimg_magics.session.work import VerbRun

__all__ = ["Section", "SectionHost"]


class SectionHost(Protocol):
    """The panel, as a section sees it."""

    session: Session
    name: str

    def set_section_state(self, section: str, state: dict[str, Any]) -> None:
        """Set the JSON state of a section: `model.get(section)` in the browser."""

    def send_to_section(self, section: str, content: dict[str, Any], buffers: Sequence[bytes] = ()) -> None:
        """Send a message to the views of a section."""

    def start_verb(self, verb: str, **options: Any) -> VerbRun | None:
        """Start a verb on the pool and follow its progress; None: it was refused, and the panel says so."""

    def read(self, function: Callable[[Azure], Coroutine[Any, Any, None]]) -> None:
        """Run a coroutine on the session's loop; nothing if the panel's connection is closed."""

    def refresh(self) -> None:
        """Read the pool, its nodes and the inputs of the forecast again now."""


class Section(Protocol):
    """A section of the panel."""

    def show(self, snapshot: PoolSnapshot) -> None:
        """Show a snapshot of the pool; called on the session's thread, or where the panel is opened."""

    def on_message(self, content: dict[str, Any]) -> None:
        """Answer a front end. Its messages are untrusted: anything unexpected is ignored."""

    def static_html(self) -> str:
        """Return the section without JavaScript, with inline styles; all text is escaped."""
