"""The section "Nodes": `squares.js` and `nodes_section.js` draw the map, this module sends them the changes.

States are sent as messages with one byte per node, for changed nodes only; a page that is opened or reloaded requests
the full state. Text from the service is never interpreted as HTML.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.ui.panel import static_html
from batchimg_magics.ui.panel.activity import format_time
from batchimg_magics.ui.widgets.squares import EMPTY, SPOT, Recording, Squares

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.scaling.watch import PoolSnapshot
    from batchimg_magics.ui.panel.section import SectionHost

__all__ = ["NodesSection"]


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
    """

    def __init__(self, host: SectionHost) -> None:
        self.squares = Squares()
        self._host = host
        self._sequence = 0
        self._recording: Recording | None = None
        self._was_steady = True
        self._shown_at = ""
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
                self.start_recording(self._shown_at or now)
            self._was_steady = snapshot.is_steady
        nodes = snapshot.nodes
        self.show_nodes(
            [one.id for one in nodes], [one.state for one in nodes], [one.is_dedicated for one in nodes], now
        )
        self._shown_at = now

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
        self._set_state()
        if change.needs_full_update:
            self._send_all()
        else:
            content = {"kind": "change", "sequence": self._sequence}
            self._host.send_to_section("nodes", content, [change.places.tobytes(), change.bytes.tobytes()])
        return int(change.places.size)

    def show_node_details(self, node_id: str, *, since: str = "", error: str = "") -> None:
        """Show details of a node to the views whose pointer is on it."""
        if (place := self.squares.place(node_id)) is not None:
            content = {"kind": "node", "place": place, "id": node_id, "since": since, "error": error}
            self._host.send_to_section("nodes", content)

    def start_recording(self, time: str) -> None:
        """Start a recording: what follows can be replayed."""
        self._recording = Recording(self.squares.bytes, time)
        self._set_state()

    def on_message(self, content: dict[str, Any]) -> None:
        """Answer a front end. Its messages are untrusted: anything unexpected is ignored."""
        match content:
            case {"kind": "request all"}:
                self._send_all()
            case {"kind": "node", "place": int(place)} if 0 <= place < len(self.squares.ids):
                self.show_node_details(self.squares.ids[place])
                self._read_details(self.squares.ids[place])
            case {"kind": "recording"} if self._recording is not None:
                content = {"kind": "recording", "times": self._recording.times}
                self._host.send_to_section("nodes", content, self._recording.buffers())

    def static_html(self) -> str:
        """Return the map as SVG, with its legend."""
        squares, words = self.squares, self.squares.words
        nodes = [(words[int(byte) & ~SPOT], not byte & SPOT) for byte in squares.bytes if byte != EMPTY]
        return static_html.node_map_svg(nodes) + static_html.legend_html(squares.counts())

    def _set_state(self) -> None:
        self._host.set_section_state("nodes", {"words": list(self.squares.words), "frames": self.frames})

    def _send_all(self) -> None:
        content = {"kind": "all", "sequence": self._sequence}
        self._host.send_to_section("nodes", content, [self.squares.bytes.tobytes()])

    def _read_details(self, node_id: str) -> None:
        async def read(azure: Azure) -> None:
            client = await azure.batch()
            node = await azure.call_or_none(client.get_node(self._host.name, node_id))
            if node is not None:
                errors = "; ".join(f"{one.code}: {one.message}" for one in node.errors or [])
                since = node.state_transition_time.strftime("%Y-%m-%d %H:%M:%SZ") if node.state_transition_time else ""
                self.show_node_details(node_id, since=since, error=errors)

        self._host.read(read)
