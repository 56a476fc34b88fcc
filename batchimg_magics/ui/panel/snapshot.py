"""The panel as it stands, without widgets and scripts: for exported notebooks and front ends that have neither."""

from __future__ import annotations

import math
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING

from batchimg_magics.ui.widgets.colours import state_colour

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["legend_html", "node_map_svg", "panel_html"]

#: Width of the map, and the largest square, in pixels.
MAP_WIDTH_PX, MAX_SQUARE_PX = 600, 14
#: Squares that are drawn one by one; above, a square stands for several nodes.
MAX_SQUARES = 6_000
#: How much paler the squares of spot nodes are, as `squares.js` draws them.
SPOT_OPACITY = 0.72


def node_map_svg(nodes: Sequence[tuple[str, bool]]) -> str:
    """Return the node map as SVG: a square a node, or a square for several nodes of one state where there are many.

    Parameters
    ----------
    nodes
        State and whether it is dedicated, one a node.
    """
    if not nodes:
        return ""
    each = max(1, math.ceil(len(nodes) / MAX_SQUARES))
    # Sorted, so that one square can stand for several nodes; runs of one colour are one rectangle.
    shown = sorted(nodes)[::each] if each > 1 else list(nodes)
    side = max(2, min(MAX_SQUARE_PX, int(math.sqrt(MAP_WIDTH_PX * MAP_WIDTH_PX / 3 / len(shown)))))
    columns = max(1, min(len(shown), MAP_WIDTH_PX // side))
    rows = math.ceil(len(shown) / columns)
    bars = []
    for row in range(rows):
        column = 0
        for (state, dedicated), run in groupby(shown[row * columns : (row + 1) * columns]):
            length = sum(1 for _ in run)
            box = f'x="{column * side}" y="{row * side}" width="{length * side}" height="{side}"'
            kind, pale = ("dedicated", "") if dedicated else ("spot", f' fill-opacity="{SPOT_OPACITY}"')
            bars.append(f'<rect {box} fill="{state_colour(state)}"{pale}><title>{escape(state)}, {kind}</title></rect>')
            column += length
    wide, high = columns * side, rows * side
    grid = _grid(columns, rows, side) if side > 4 else ""
    note = f"<div>one square is {each} nodes</div>" if each > 1 else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" viewBox="0 0 {wide} {high}" '
        f'role="img" aria-label="Node map">{"".join(bars)}{grid}</svg>{note}'
    )


def _grid(columns: int, rows: int, side: int) -> str:
    wide, high = columns * side, rows * side
    lines = [f"M{x * side} 0V{high}" for x in range(1, columns)] + [f"M0 {y * side}H{wide}" for y in range(1, rows)]
    return f'<path d="{"".join(lines)}" stroke="#fff" stroke-width="1"/>' if lines else ""


def legend_html(counts: Mapping[str, tuple[int, int]]) -> str:
    """Return the states with their colours and counts.

    Parameters
    ----------
    counts
        State to (dedicated, spot).
    """
    keys = []
    for state, (dedicated, spot) in counts.items():
        of_spot = f" ({spot} spot)" if spot else ""
        swatch = f'<span style="display:inline-block;width:.8em;height:.8em;background:{state_colour(state)}"></span>'
        keys.append(
            f'<span style="margin-right:1em">{swatch} {escape(state)} <b>{dedicated + spot}</b>{of_spot}</span>'
        )
    paler = "<span>paler: spot nodes</span>" if any(spot for _, spot in counts.values()) else ""
    return f"<div>{''.join(keys) or 'no nodes'}{paler}</div>"


def panel_html(
    head: Iterable[tuple[str, str]],
    nodes: Sequence[tuple[str, bool]],
    counts: Mapping[str, tuple[int, int]],
    *,
    rounds: str = "",
    line: str = "",
) -> str:
    """Return the whole panel.

    Parameters
    ----------
    head
        What it is of, as (name, value).
    nodes, counts
        State and whether it is dedicated, of each node; state to (dedicated, spot).
    rounds
        The table of rounds, as HTML that is escaped already.
    line
        The line that does what the controls say.
    """
    facts = "".join(
        f"<span style='margin-right:1.2em'>{escape(name)} <b>{escape(cells)}</b></span>" for name, cells in head
    )
    line_html = f"<div><code>{escape(line)}</code></div>" if line else ""
    return (
        f'<div class="batchimg-panel" style="max-width:{MAP_WIDTH_PX}px"><div>{facts}</div>'
        f"<div style='margin:6px 0'>{node_map_svg(nodes)}</div>{legend_html(counts)}{rounds}{line_html}</div>"
    )
