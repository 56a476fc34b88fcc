"""The node map's bytes: a front end that applies every change shows the current nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchimg_magics.pool_spec.words import NODE_STATES
from batchimg_magics.ui.panel.nodes_section import NodesSection
from batchimg_magics.ui.widgets.squares import EMPTY, SPOT

if TYPE_CHECKING:
    from collections.abc import Sequence

Nodes = dict[str, tuple[str, bool]]


class Page:
    """The panel, and a front end that applies the messages it receives, as `nodes_section.js` does."""

    def __init__(self) -> None:
        self.name = "p"
        self.session: Any = None
        self.bytes = np.empty(0, np.uint8)
        self.heard: list[tuple[dict[str, Any], list[bytes]]] = []
        self.state: dict[str, Any] = {}
        self.read_by: list[Any] = []

    def set_section_state(self, section: str, state: dict[str, Any]) -> None:
        assert section == "nodes"
        self.state = state

    def read(self, function: Any) -> None:
        self.read_by.append(function)

    def start_verb(self, verb: str, **_: Any) -> None:
        pytest.fail(verb)

    def refresh(self) -> None:
        pytest.fail("refreshed")

    def send_to_section(self, section: str, content: dict[str, Any], buffers: Sequence[bytes] = ()) -> None:
        assert section == "nodes"
        raw = list(buffers)
        self.heard.append((content, raw))
        if content["kind"] == "all":
            self.bytes = np.frombuffer(raw[0], np.uint8).copy()
        elif content["kind"] == "change":
            self.bytes[np.frombuffer(raw[0], np.uint32)] = np.frombuffer(raw[1], np.uint8)


def opened() -> tuple[NodesSection, Page]:
    page = Page()
    return NodesSection(page), page


def show(widget: NodesSection, nodes: Nodes, time: str = "") -> int:
    states, kinds = [state for state, _ in nodes.values()], [dedicated for _, dedicated in nodes.values()]
    return widget.show_nodes(list(nodes), states, kinds, time=time)


def displayed_nodes(widget: NodesSection, page: Page) -> Nodes:
    """Return the nodes as the page displays them."""
    words = page.state["words"]
    return {
        widget.squares.ids[place]: (words[int(byte) & ~SPOT], not byte & SPOT)
        for place, byte in enumerate(page.bytes)
        if byte != EMPTY
    }


states = st.sampled_from([*NODE_STATES, "a state that nobody foresaw", "and another"])
worlds = st.lists(st.dictionaries(st.sampled_from([f"node{i}" for i in range(12)]), st.tuples(states, st.booleans())))


# The first draw of a process reads the constants in the sources of the package, which takes a while.
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(worlds)
def test_a_page_that_applies_every_change_shows_the_current_nodes(looks: list[Nodes]) -> None:
    widget, page = opened()
    for nodes in looks:
        show(widget, nodes)
        assert displayed_nodes(widget, page) == nodes
    page.bytes = np.empty(0, np.uint8)  # a page that is opened late
    widget.on_message({"kind": "request all"})
    assert displayed_nodes(widget, page) == (looks[-1] if looks else {})


def test_an_update_is_as_large_as_what_changed() -> None:
    widget, page = opened()
    nodes: Nodes = {f"node{i}": ("creating", True) for i in range(100_000)}
    show(widget, nodes)
    assert show(widget, nodes | {f"node{i}": ("idle", True) for i in range(1000)}) == 1000
    assert sum(map(len, page.heard[-1][1])) < 10_000
    before = len(page.heard)
    assert show(widget, nodes | {f"node{i}": ("idle", True) for i in range(1000)}) == 0
    assert len(page.heard) == before


def test_squares_go_when_nodes_go() -> None:
    widget, page = opened()
    show(widget, {f"node{i}": ("idle", True) for i in range(250)})
    show(widget, {f"node{i}": ("idle", True) for i in range(25)})
    assert page.bytes.size == 25


def test_a_recording_starts_at_its_start_and_ends_at_the_current_nodes() -> None:
    widget, page = opened()
    show(widget, {"a": ("idle", True)})
    widget.start_recording("09:00")
    show(widget, {"a": ("idle", True), "b": ("creating", False)}, time="09:01")
    show(widget, {"a": ("idle", True), "b": ("idle", False)}, time="09:02")
    widget.on_message({"kind": "recording"})
    content, (base, lengths, places, values) = page.heard[-1]
    assert content["times"] == ["09:00", "09:01", "09:02"]
    assert widget.frames == page.state["frames"] == 3
    replayed = np.frombuffer(base, np.uint8).copy()
    assert replayed.tolist() == [NODE_STATES.index("idle"), EMPTY]
    assert np.frombuffer(lengths, np.uint32).tolist() == [1, 1]
    replayed[np.frombuffer(places, np.uint32)] = np.frombuffer(values, np.uint8)
    assert replayed.tolist() == page.bytes.tolist()


def test_pointing_at_a_node_shows_its_id_without_a_request_and_selecting_it_reads_its_details() -> None:
    widget, page = opened()
    show(widget, {"a": ("unusable", True)})
    widget.on_message({"kind": "node", "place": 0})
    assert page.heard[-1][0] == {"kind": "node", "place": 0, "id": "a"}
    assert page.read_by == []
    widget.on_message({"kind": "select", "place": 0})
    assert len(page.read_by) == 1
    assert page.state["selected"] == [0]


def test_gaps_are_closed_and_the_selected_node_moves_with_them() -> None:
    widget, page = opened()
    show(widget, dict.fromkeys("abcd", ("idle", True)))
    widget.on_message({"kind": "select", "place": 3})
    show(widget, dict.fromkeys("ad", ("idle", True)))
    assert page.bytes.tolist().count(EMPTY) == 2
    assert page.state["selected"] == [3]
    widget.on_message({"kind": "close gaps"})
    assert page.bytes.tolist() == [NODE_STATES.index("idle")] * 2
    assert page.state["selected"] == [1]
    show(widget, dict.fromkeys("axd", ("idle", True)))
    assert displayed_nodes(widget, page) == dict.fromkeys("axd", ("idle", True))


@pytest.mark.parametrize(
    "content",
    [{}, {"kind": "node"}, {"kind": "node", "place": -1}, {"kind": "node", "place": 9}, {"kind": "node", "place": "0"},
     {"kind": "recording"}, {"kind": ["request all"]},
     {"kind": "view", "view": "a", "state": "odd"}],
    ids=str,
)  # fmt: skip
def test_a_front_end_that_asks_for_nonsense_gets_nothing(content: dict[str, Any]) -> None:
    widget, page = opened()
    widget.on_message(content)
    assert page.heard == []
