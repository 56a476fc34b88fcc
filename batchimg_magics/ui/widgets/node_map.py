"""The node map as a widget: `squares.js` and `node_map.js` draw it, this module sends them the changes.

The script is inlined and nothing is fetched, so that the widget works in VS Code and Colab, which load no JupyterLab
extensions.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from batchimg_magics.ui.widgets.open_views import OpenViews
from batchimg_magics.ui.widgets.squares import Recording, Squares

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batchimg_magics.ui.widgets.open_views import Visibility

__all__ = ["NodeMap"]

_HERE = resources.files("batchimg_magics.ui.widgets")


def _text(*names: str) -> str:
    return "".join(_HERE.joinpath(name).read_text(encoding="utf-8") for name in names)


class NodeMap(anywidget.AnyWidget):
    """Every node of a pool as a square coloured by its state.

    States are sent as messages with one byte per node, for changed nodes only; a page that is opened or reloaded
    requests the full state. Text from the service is never interpreted as HTML.

    Parameters
    ----------
    on_hover
        Called with the id of the node under the pointer; answer with `show_node_details`.
    on_visibility
        Called when the map's visibility changes: ``visible``, ``hidden`` or ``closed``.

    Attributes
    ----------
    words
        State names; a node's byte is an index of this list.
    frames
        Number of recorded frames that can be replayed.
    """

    _esm = _text("squares.js", "node_map.js")
    # Includes the panel's style: the panel has no script of its own, and every panel has a map.
    _css = _text("node_map.css", "panel.css")
    words = traitlets.List(traitlets.Unicode()).tag(sync=True)
    frames = traitlets.Int(0).tag(sync=True)

    def __init__(
        self,
        *,
        on_hover: Callable[[str], None] | None = None,
        on_visibility: Callable[[Visibility], None] | None = None,
        **traits: Any,
    ) -> None:
        self.squares = Squares()
        super().__init__(words=list(self.squares.words), **traits)
        self._on_hover = on_hover
        self._on_visibility = on_visibility
        self._open_views = OpenViews()
        self._sequence = 0
        self._recording: Recording | None = None
        self.on_msg(self._on_message)

    def show(self, ids: Sequence[str], states: Sequence[str], dedicated: Sequence[bool], *, time: str = "") -> int:
        """Show the current nodes.

        Parameters
        ----------
        ids, states, dedicated
            Columns of the nodes table.
        time
            Label of this frame in a replay.

        Returns
        -------
        int
            Number of squares that changed.
        """
        change = self.squares.update(ids, states, dedicated)
        if change.needs_full_update:
            self.words = list(self.squares.words)
        if not change.places.size:
            return 0
        if self._recording is not None:
            self._recording.add(time, change.places, change.bytes)
            self.frames = len(self._recording.times)
        self._sequence += 1
        if change.needs_full_update:
            self._send_all()
        else:
            content = {"kind": "change", "sequence": self._sequence}
            self.send(content, buffers=[change.places.tobytes(), change.bytes.tobytes()])
        return int(change.places.size)

    def show_node_details(self, node_id: str, *, since: str = "", error: str = "") -> None:
        """Show details of a node to the views whose pointer is on it."""
        if (place := self.squares.place(node_id)) is not None:
            self.send({"kind": "node", "place": place, "id": node_id, "since": since, "error": error})

    def start_recording(self, time: str) -> None:
        """Start a recording: what follows can be replayed."""
        self._recording = Recording(self.squares.bytes, time)
        self.frames = 1

    def _send_all(self) -> None:
        content = {"kind": "all", "sequence": self._sequence}
        self.send(content, buffers=[self.squares.bytes.tobytes()])

    def _on_message(self, _: object, content: dict[str, Any], __: object) -> None:
        """Answer a front end. Its messages are untrusted: anything unexpected is ignored."""
        match content:
            case {"kind": "request all"}:
                self._send_all()
            case {"kind": "node", "place": int(place)} if 0 <= place < len(self.squares.ids):
                self.show_node_details(self.squares.ids[place])
                if self._on_hover:
                    self._on_hover(self.squares.ids[place])
            case {"kind": "recording"} if self._recording is not None:
                buffers = self._recording.buffers()
                self.send({"kind": "recording", "times": self._recording.times}, buffers=buffers)
            case {"kind": "view", "view": str(view), "state": "visible" | "hidden" | "closed" as state}:
                self._on_view_state(view, state, new=content.get("new") is True)

    def _on_view_state(self, view: str, state: Visibility, *, new: bool) -> None:
        before = self._open_views.visibility
        if self._open_views.set_view_state(view, state, new=new):
            self.send({"kind": "report views"})
        now = self._open_views.visibility
        if now != before and self._on_visibility:
            self._on_visibility(now)
