"""Static HTML: the panel for exported notebooks and front ends without widgets, and errors."""

from __future__ import annotations

import math
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, Any

from batchimg_magics.ui.widgets.colours import state_colour

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from batchimg_magics.errors import BatchImgError


__all__ = ["error_html", "legend_html", "node_map_svg", "panel_html", "pools_html"]

MAX_WIDTH_PX = 940
_PILL = "display:inline-block;border:1px solid transparent;border-radius:99px;padding:1px 9px;font-size:12px"
_TILE = "border:1px solid #ddd;border-radius:8px;padding:8px 12px;text-align:left;vertical-align:top"

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


def panel_html(head: Mapping[str, Any], line: str, sections: Iterable[str] = ()) -> str:
    """Return the complete panel, with inline styles, which survive where stylesheets are removed.

    Parameters
    ----------
    head
        The state of the panel's head.
    line
        The equivalent command.
    sections
        The sections below it, as HTML with escaped text.
    """
    real = "background:#c62828;color:#fff" if head["real"] else "background:#eceff1;color:#222"
    pills = "".join(
        f'<span style="{_PILL};{style}">{escape(text)}</span> '
        for text, style in ((head["state"], "border-color:#888"), (head["connection"], real))
    )
    facts = " \N{MIDDLE DOT} ".join(f"<b>{escape(one['value'])}</b> {escape(one['unit'])}" for one in head["facts"])
    problem = f'<div role="alert" style="color:#b3261e">{escape(head["problem"])}</div>' if head["problem"] else ""
    tiles = "".join(
        f'<td style="{_TILE}"><b style="font-size:18px">{escape(one["value"])}</b> {escape(one["of"])}'
        f"<br>{escape(one['label'])}</td>"
        for one in head["tiles"]
    )
    body = "".join(f'<div style="margin:8px 0">{one}</div>' for one in sections if one)
    return (
        f'<div style="max-width:{MAX_WIDTH_PX}px">'
        f'<div style="margin-bottom:4px"><b style="font-size:18px">{escape(head["name"])}</b> {pills} {facts}</div>'
        f'{problem}<table style="border-collapse:separate;border-spacing:6px"><tr>{tiles}</tr></table>{body}'
        f'<pre style="margin:8px 0;padding:6px 10px;border:1px solid #ddd;white-space:pre-wrap">{escape(line)}</pre>'
        "</div>"
    )


def pools_html(head: Mapping[str, Any], pools: Iterable[Mapping[str, Any]]) -> str:
    """Return the list of pools as HTML; all text is escaped.

    Parameters
    ----------
    head, pools
        The states of the chooser.
    """
    rows = "".join(
        f"<li><b>{escape(one['pool'])}</b> nodes {escape(one['nodes'])} \N{MIDDLE DOT} "
        f"{escape(_dots([*one['facts'], *one['warnings']]))}</li>"
        for one in pools
    )
    return f"<div>{escape(head['connection'])}<ul>{rows or '<li>no pools</li>'}</ul></div>"


def _dots(parts: Iterable[str]) -> str:
    return " \N{MIDDLE DOT} ".join(parts)


def error_html(error: BatchImgError) -> str:
    """Return an error's message and hint as HTML."""
    return f"<div role='alert'><b>{escape(error.message)}</b><br>{escape(error.hint)}</div>"
