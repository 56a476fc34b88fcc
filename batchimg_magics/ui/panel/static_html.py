"""The panel as static HTML: for exported notebooks and front ends without widgets."""

from __future__ import annotations

import math
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeAlias

from batchimg_magics.ui.widgets.colours import state_colour

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


__all__ = ["Bundle", "add_html", "legend_html", "node_map_svg", "panel_html"]

#: A widget's data by mime type for IPython, with or without metadata.
Bundle: TypeAlias = dict[str, Any] | tuple[dict[str, Any], dict[str, Any]] | None

#: Width of the map, and the largest square, in pixels.
MAP_WIDTH_PX, MAX_SQUARE_PX = 600, 14
#: Maximum number of squares; with more nodes, each square represents several nodes.
MAX_SQUARES = 6_000
#: How much paler the squares of spot nodes are, as `squares.js` draws them.
SPOT_OPACITY = 0.72


def node_map_svg(nodes: Sequence[tuple[str, bool]]) -> str:
    """Return the node map as SVG: one square per node, or per group of nodes of one state if there are many.

    Parameters
    ----------
    nodes
        (state, whether dedicated) of each node.
    """
    if not nodes:
        return ""
    each = max(1, math.ceil(len(nodes) / MAX_SQUARES))
    # Sorted, so that one square can represent several nodes; runs of one colour are one rectangle.
    drawn = sorted(nodes)[::each] if each > 1 else list(nodes)
    side = max(2, min(MAX_SQUARE_PX, int(math.sqrt(MAP_WIDTH_PX * MAP_WIDTH_PX / 3 / len(drawn)))))
    columns = max(1, min(len(drawn), MAP_WIDTH_PX // side))
    rows = math.ceil(len(drawn) / columns)
    bars = []
    for row in range(rows):
        column = 0
        for (state, dedicated), run in groupby(drawn[row * columns : (row + 1) * columns]):
            length = sum(1 for _ in run)
            box = f'x="{column * side}" y="{row * side}" width="{length * side}" height="{side}"'
            kind, pale = ("dedicated", "") if dedicated else ("spot", f' fill-opacity="{SPOT_OPACITY}"')
            bars.append(f'<rect {box} fill="{state_colour(state)}"{pale}><title>{escape(state)}, {kind}</title></rect>')
            column += length
    wide, high = columns * side, rows * side
    grid = _grid(columns, rows, side) if side > 4 else ""
    note = f"<div>One square represents {each} nodes.</div>" if each > 1 else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" viewBox="0 0 {wide} {high}" '
        f'role="img" aria-label="Node map">{"".join(bars)}{grid}</svg>{note}'
    )


def _grid(columns: int, rows: int, side: int) -> str:
    wide, high = columns * side, rows * side
    lines = [f"M{x * side} 0V{high}" for x in range(1, columns)] + [f"M0 {y * side}H{wide}" for y in range(1, rows)]
    return f'<path d="{"".join(lines)}" stroke="#fff" stroke-width="1"/>' if lines else ""


def legend_html(counts: Mapping[str, tuple[int, int]]) -> str:
    """Return the legend: states with their colours and counts.

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
    """Return the complete panel.

    Parameters
    ----------
    head
        Facts as (name, value).
    nodes, counts
        (state, whether dedicated) of each node; state to (dedicated, spot).
    rounds
        The table of resize attempts, as HTML with escaped text.
    line
        The equivalent command.
    """
    facts = "".join(
        f"<span style='margin-right:1.2em'>{escape(name)} <b>{escape(cells)}</b></span>" for name, cells in head
    )
    line_html = f"<div><code>{escape(line)}</code></div>" if line else ""
    return (
        f'<div class="batchimg-panel" style="max-width:{MAP_WIDTH_PX}px"><div>{facts}</div>'
        f"<div style='margin:6px 0'>{node_map_svg(nodes)}</div>{legend_html(counts)}{rounds}{line_html}</div>"
    )


def add_html(bundle: Bundle, html: str) -> Bundle:
    """Return a widget's mime bundle with HTML added for front ends without widgets."""
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    if data is not None:
        data["text/html"] = html
    return bundle
