"""The node map as a small PNG picture, for notebooks that are not trusted, exports and web sites that run no scripts.

The picture is made with zlib alone: one byte per pixel, and a palette with the colours of the map. Its background is
transparent, so that it fits light and dark pages.
"""

from __future__ import annotations

import base64
import math
import struct
import zlib
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from batchimg_magics.ui.widgets.colours import state_colour
from batchimg_magics.ui.widgets.squares import EMPTY, SPOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]

__all__ = ["node_map_img", "node_map_png"]

#: Width of the picture on a page, the largest square with its gap, and the gap, in CSS pixels.
WIDTH_PX, MAX_SQUARE_PX = 720, 20
#: Pixels of the picture per CSS pixel.
SCALE = 2
#: Maximum number of squares; with more nodes, each square represents several nodes.
MAX_SQUARES = 4_000
#: Squares that are smaller than this, in CSS pixels, have no marks.
MIN_MARKED_PX = 8
#: States of nodes and rows that need attention: a cross marks them.
_MARKED = ("unusable", "starttaskfailed", "failed")
#: How much paler the squares of spot nodes are, as `squares.js` draws them.
_SPOT_PALENESS = 0.28
#: Entries of the palette: a transparent background, the outline of an empty square, dark and light marks.
_CLEAR, _OUTLINE, _DARK, _LIGHT, _FIRST = 0, 1, 2, 3, 4
_FIXED_COLOURS = ((255, 255, 255), (138, 138, 138), (0, 0, 0), (255, 255, 255))


def node_map_img(
    words: Sequence[str], squares: Bytes, counts: Mapping[str, tuple[int, int]], noun: str = "node"
) -> str:
    """Return the map as an HTML image with its counts as alternative text; an empty text without nodes.

    Parameters
    ----------
    words, squares
        The state of each code, and one byte per square, as `Squares` has them.
    counts
        State to (dedicated, spot).
    noun
        What a square is.
    """
    nodes = int(np.count_nonzero(squares != EMPTY))
    if not nodes:
        return ""
    png, width_px, each = node_map_png(words, squares)
    parts = [f"{dedicated + spot:,} {state}" for state, (dedicated, spot) in counts.items()]
    spots = sum(spot for _, spot in counts.values())
    alt = f"{noun.capitalize()} map: {', '.join(parts)}" + (f"; {spots:,} of them are Spot nodes" if spots else "")
    note = f'<div style="opacity:.75">One square represents {each} {noun}s.</div>' if each > 1 else ""
    data = base64.b64encode(png).decode()
    style = "max-width:100%;height:auto;display:block"
    return (
        f'<img src="data:image/png;base64,{data}" width="{width_px}" alt="{escape(alt)}" title="{escape(alt)}" '
        f'style="{style}">{note}'
    )


def node_map_png(words: Sequence[str], squares: Bytes) -> tuple[bytes, int, int]:
    """Return the map as a PNG, its width in CSS pixels, and how many nodes one square represents.

    Parameters
    ----------
    words, squares
        The state of each code, and one byte per square, as `Squares` has them.
    """
    each = max(1, math.ceil(squares.size / MAX_SQUARES))
    drawn = squares if each == 1 else _grouped(squares, each)
    side = max(3, min(MAX_SQUARE_PX, int(math.sqrt(WIDTH_PX * WIDTH_PX / 3 / drawn.size))))
    columns = max(1, min(drawn.size, WIDTH_PX // side))
    rows = math.ceil(drawn.size / columns)
    grid = np.full(rows * columns, EMPTY, np.uint8)
    grid[: drawn.size] = drawn
    used = np.unique(drawn)
    tiles = np.zeros((256, side * SCALE, side * SCALE), np.uint8)
    for number, byte in enumerate(used):
        tiles[byte] = _tile(side, _FIRST + number, words, int(byte))
    if drawn.size < grid.size:
        grid[drawn.size :] = _unused_byte(used)
    pixels = tiles[grid.reshape(rows, columns)].transpose(0, 2, 1, 3).reshape(rows * side * SCALE, -1)
    palette = [*_FIXED_COLOURS, *(_colour(words, int(byte)) for byte in used)]
    return _png(pixels, palette), columns * side, each


def _grouped(squares: Bytes, each: int) -> Bytes:
    """Return one square for so many nodes of one state, and at least one for each state."""
    codes, counts = np.unique(squares[squares != EMPTY], return_counts=True)
    return np.repeat(codes, -(-counts // each))


def _unused_byte(used: Bytes) -> int:
    """Return a byte whose tile is transparent: the end of the last row has no squares."""
    return next(byte for byte in range(256) if byte not in used)


def _colour(words: Sequence[str], byte: int) -> tuple[int, int, int]:
    text = state_colour(words[byte & ~SPOT] if byte != EMPTY else "")
    red, green, blue = (int(text[at : at + 2], 16) for at in (1, 3, 5))
    if not byte & SPOT or byte == EMPTY:
        return red, green, blue
    pale = [round(part * (1 - _SPOT_PALENESS) + 255 * _SPOT_PALENESS) for part in (red, green, blue)]
    return pale[0], pale[1], pale[2]


def _tile(side: int, colour: int, words: Sequence[str], byte: int) -> Bytes:
    """Return the pixels of one square: rounded, with a gap; with a corner for a spot node, a cross for a bad one."""
    size = side * SCALE
    gap = SCALE * (2 if side >= MIN_MARKED_PX else 1)
    inner = size - gap
    down, across = np.indices((inner, inner))
    tile = np.zeros((size, size), np.uint8)
    shape = np.full((inner, inner), colour, np.uint8)
    if byte == EMPTY:
        edge = (down == 0) | (across == 0) | (down == inner - 1) | (across == inner - 1)
        shape = np.where(edge & ((down + across) // (2 * SCALE) % 2 == 0), _OUTLINE, _CLEAR).astype(np.uint8)
    elif side >= MIN_MARKED_PX:
        mark = _LIGHT if _is_dark(_colour(words, byte)) else _DARK
        if words[byte & ~SPOT] in _MARKED:
            middle = (down > inner // 4) & (down < inner - 1 - inner // 4)
            cross = (abs(down - across) < SCALE) | (abs(down + across - inner + 1) < SCALE)
            shape[middle & cross] = mark
        if byte & SPOT:
            shape[across - down > inner - max(3 * SCALE, inner // 3)] = mark
        corner = np.minimum(down, inner - 1 - down) + np.minimum(across, inner - 1 - across)
        shape[corner < SCALE] = _CLEAR
    tile[:inner, :inner] = shape
    return tile


def _is_dark(colour: tuple[int, int, int]) -> bool:
    red, green, blue = colour
    return 0.299 * red + 0.587 * green + 0.114 * blue < 140


def _png(pixels: Bytes, palette: Sequence[tuple[int, int, int]]) -> bytes:
    """Return a PNG of rows of entries of a palette, whose first entry is transparent."""
    rows, columns = pixels.shape
    # Each row begins with its filter, 0: none.
    data = np.zeros((rows, columns + 1), np.uint8)
    data[:, 1:] = pixels
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0)),
        (b"PLTE", b"".join(bytes(entry) for entry in palette)),
        (b"tRNS", b"\0"),
        (b"IDAT", zlib.compress(data.tobytes(), 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )
