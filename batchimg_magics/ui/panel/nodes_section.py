"""The section "Nodes": the map of all nodes, the card of the selected ones with its actions, and the replay.

Nodes are sent as messages with one byte per node, for changed nodes only; a page that is opened or reloaded requests
the full state. Text from the service is never interpreted as HTML.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.core.batch.nodes import BAD
from batchimg_magics.display.cells import escape_html
from batchimg_magics.ui.panel.activity import format_time
from batchimg_magics.ui.panel.node_card import NodeCard
from batchimg_magics.ui.panel.static_html import legend_html
from batchimg_magics.ui.widgets.node_picture import node_map_img
from batchimg_magics.ui.widgets.squares import Recording, Squares

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchimg_magics.core.scaling.watch import PoolSnapshot
    from batchimg_magics.ui.panel.section import SectionHost

__all__ = ["NodesSection"]

#: Nodes that need attention which are listed.
MAX_LISTED = 20


class NodesSection:
    """Every node of a pool as a square coloured by its state.

    Parameters
    ----------
    host
        The panel.

    Attributes
    ----------
    squares
        The nodes as bytes.
    card
        The card of the selected nodes.
    """

    def __init__(self, host: SectionHost) -> None:
        self.squares = Squares()
        self.card = NodeCard(host, self.squares, self._set_state)
        self._host = host
        self._sequence = 0
        self._recording: Recording | None = None
        self._was_steady = True
        self._shown_at = ""
        self._attention: list[dict[str, str]] = []
        self._bad_count = 0
        self._set_state()

    @property
    def frames(self) -> int:
        """Number of recorded frames that can be replayed."""
        return len(self._recording.times) if self._recording else 0

    def show(self, snapshot: PoolSnapshot) -> None:
        """Show the nodes of a snapshot; a change of the pool's size begins a recording."""
        now = format_time(snapshot.at)
        if snapshot.pool is not None:
            steady = snapshot.pool.allocation == "steady"
            if self._was_steady and not steady:
                self._close_gaps()  # of the resize before
                self.start_recording(self._shown_at or now)
            self._was_steady = snapshot.is_steady
        nodes = snapshot.nodes
        bad = [node for node in nodes if node.state in BAD]
        self._bad_count = len(bad)
        self._attention = [{"id": node.id, "state": node.state} for node in bad[:MAX_LISTED]]
        self.show_nodes(
            [one.id for one in nodes], [one.state for one in nodes], [one.is_dedicated for one in nodes], now
        )
        self._shown_at = now
        self.card.show(snapshot)
        self._set_state()

    def show_nodes(self, ids: Sequence[str], states: Sequence[str], dedicated: Sequence[bool], time: str = "") -> int:
        """Show nodes, given as columns, and return the number of squares that changed.

        Parameters
        ----------
        ids, states, dedicated
            Columns of the nodes table.
        time
            Label of this frame in a replay.
        """
        change = self.squares.update(ids, states, dedicated)
        if not change.places.size:
            return 0
        if self._recording is not None:
            self._recording.add(time, change.places, change.bytes)
        self._sequence += 1
        self._set_state()  # a view needs the words first
        if change.needs_full_update:
            self._send_all()
        else:
            content = {"kind": "change", "sequence": self._sequence}
            self._host.send_to_section("nodes", content, [change.places.tobytes(), change.bytes.tobytes()])
        return int(change.places.size)

    def start_recording(self, time: str) -> None:
        """Start a recording: what follows can be replayed."""
        self._recording = Recording(self.squares.bytes, time)
        self._set_state()

    def on_message(self, content: dict[str, Any]) -> None:
        """Answer a front end. Its messages are untrusted: anything unexpected is ignored."""
        ids = self.squares.ids
        match content:
            case {"kind": "request all"}:
                self._send_all()
            case {"kind": "node", "place": int(place)} if 0 <= place < len(ids) and ids[place]:
                self._host.send_to_section("nodes", {"kind": "node", "place": place, "id": ids[place]})
            case {"kind": "select", "place": int(place)} if 0 <= place < len(ids) and ids[place]:
                self.card.select(ids[place], add=content.get("add") is True)
            case {"kind": "select", "id": str(node_id)} if self.squares.place(node_id) is not None:
                self.card.select(node_id)
            case {"kind": "close gaps"}:
                self._recording = None  # the places of its frames are others
                self._close_gaps()
                self._set_state()
            case {"kind": "recording"} if self._recording is not None:
                answer = {"kind": "recording", "times": self._recording.times}
                self._host.send_to_section("nodes", answer, self._recording.buffers())
            case _:
                self.card.on_message(content)

    def static_html(self) -> str:
        """Return the map as a picture, its legend, and the nodes that need attention."""
        squares, listed = self.squares, ""
        if self._attention:
            rows = "".join(
                f"<li><code>{escape_html(one['id'])}</code> {escape_html(one['state'])}</li>" for one in self._attention
            )
            rest = self._bad_count - len(self._attention)
            more = f"<li>and {rest:,} more</li>" if rest else ""
            listed = f'<div>Nodes that need attention:</div><ul style="margin:2px 0">{rows}{more}</ul>'
        return node_map_img(squares.words, squares.bytes, squares.counts()) + legend_html(squares.counts()) + listed

    def _close_gaps(self) -> None:
        if self.squares.close_gaps():
            self._sequence += 1
            self._send_all()

    def _set_state(self) -> None:
        self._host.set_section_state(
            "nodes",
            {
                "words": list(self.squares.words),
                "frames": self.frames,
                "attention": self._attention,
                "bad": self._bad_count,
                **self.card.state(),
            },
        )

    def _send_all(self) -> None:
        content = {"kind": "all", "sequence": self._sequence}
        self._host.send_to_section("nodes", content, [self.squares.bytes.tobytes()])
