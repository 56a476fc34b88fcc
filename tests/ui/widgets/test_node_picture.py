"""The node map as a PNG without scripts: its pixels, its size, and its alternative text."""

from __future__ import annotations

import re
import struct
import zlib

import numpy as np

from batchimg_magics.ui.widgets.colours import state_colour
from batchimg_magics.ui.widgets.node_picture import SCALE, node_map_img, node_map_png
from batchimg_magics.ui.widgets.squares import Squares
from tests.support.panels import HTML_INJECTION


def squares_of(states: list[str], spot: int = 0) -> Squares:
    squares = Squares()
    squares.update([f"n{i}" for i in range(len(states))], states, [i >= spot for i in range(len(states))])
    return squares


def hexed(colour: tuple[int, ...]) -> str:
    return f"#{bytes(colour).hex()}"


def decode(png: bytes) -> tuple[np.ndarray, list[tuple[int, int, int]]]:
    """Return the rows of palette entries and the palette; fail where a check sum is wrong."""
    chunks, at = {}, 8
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        name, body = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert struct.unpack(">I", png[at + 8 + length : at + 12 + length]) == (zlib.crc32(name + body),)
        chunks[name], at = body, at + 12 + length
    wide, high, depth, kind = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert (depth, kind) == (8, 3)
    pixels = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(high, wide + 1)
    assert not pixels[:, 0].any()
    entries = chunks[b"PLTE"]
    return pixels[:, 1:], [tuple(entries[i : i + 3]) for i in range(0, len(entries), 3)]  # type: ignore[misc] # of three


def test_each_node_is_a_square_of_its_colour_and_gaps_are_outlines() -> None:
    squares = squares_of(["idle", "running", "unusable", "idle"], spot=1)
    squares.update(["n0", "n2", "n3"], ["idle", "unusable", "idle"], [False, True, True])
    png, wide_px, each = node_map_png(squares.words, squares.bytes)
    pixels, palette = decode(png)
    side = wide_px // 4 * SCALE
    assert (each, pixels.shape) == (1, (side, 4 * side))
    hexes = [hexed(palette[pixels[side // 2, at * side + 6]]) for at in range(4)]
    assert hexes[2:] == [state_colour("unusable"), state_colour("idle")]
    assert hexes[0] != state_colour("idle")  # a Spot node is paler
    assert not pixels[side // 2, side + 4 : 2 * side - 8].any()  # the node left: a transparent square
    assert pixels[0, side : 2 * side].any()  # with an outline
    assert len({int(one) for one in pixels[:, 2 * side : 3 * side].ravel()}) == 3  # a cross marks a bad node


def test_many_nodes_are_a_small_picture_that_has_every_state() -> None:
    rng = np.random.default_rng(0)
    states = rng.choice(["idle", "running", "starting"], 10_000).tolist()
    states[717] = "unusable"
    for number in (1_000, 10_000):
        squares = squares_of([*states[:number]], spot=50)
        img = node_map_img(squares.words, squares.bytes, squares.counts())
        assert len(img) < 20_000
    png, _, each = node_map_png(squares.words, squares.bytes)
    assert each == 3
    pixels, palette = decode(png)
    bad = next(i for i, one in enumerate(palette) if hexed(one) == state_colour("unusable"))
    assert (pixels == bad).any()


def test_the_alternative_text_has_the_counts_and_stays_text() -> None:
    squares = squares_of(["idle", "idle", HTML_INJECTION], spot=1)
    img = node_map_img(squares.words, squares.bytes, squares.counts())
    assert re.search(r'alt="Node map: 2 idle, 1 &lt;img [^"]*; 1 of them are Spot nodes"', img)
    assert img.count("<") == 1
    assert node_map_img([], np.empty(0, np.uint8), {}) == ""
