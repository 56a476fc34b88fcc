"""Static HTML: the panel for exported notebooks and front ends without widgets."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from batchimg_magics.display.cells import escape_html
from batchimg_magics.ui.widgets.colours import state_colour

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


__all__ = ["HAIR", "legend_html", "panel_html", "pools_html"]

MAX_WIDTH_PX = 940
#: A line on light and on dark pages.
HAIR = "1px solid rgba(128,128,128,.4)"
_PILL = "display:inline-block;border:1px solid transparent;border-radius:99px;padding:1px 9px;font-size:12px"
_TILE = f"border:{HAIR};border-radius:8px;padding:8px 12px;text-align:left;vertical-align:top"
_LINE = f"border:{HAIR};border-radius:6px;padding:6px 10px;margin:8px 0;white-space:pre-wrap"


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
            f'<span style="margin-right:1em">{swatch} {escape_html(state)} <b>{dedicated + spot}</b>{of_spot}</span>'
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
    real = "background:#c62828;color:#fff" if head["real"] else "background:rgba(128,128,128,.2)"
    pills = "".join(
        f'<span style="{_PILL};{style}">{escape_html(text)}</span> '
        for text, style in ((head["state"], "border-color:#888"), (head["connection"], real))
    )
    facts = " \N{MIDDLE DOT} ".join(
        f"<b>{escape_html(one['value'])}</b> {escape_html(one['unit'])}" for one in head["facts"]
    )
    problem = f'<div role="alert" style="color:#b3261e">{escape_html(head["problem"])}</div>' if head["problem"] else ""
    tiles = "".join(
        f'<td style="{_TILE}"><b style="font-size:18px">{escape_html(one["value"])}</b> {escape_html(one["of"])}'
        f"<br>{escape_html(one['label'])}</td>"
        for one in head["tiles"]
    )
    body = "".join(f'<div style="margin:8px 0">{one}</div>' for one in sections if one)
    return (
        f'<div style="max-width:{MAX_WIDTH_PX}px">'
        f'<div style="margin-bottom:4px"><b style="font-size:18px">{escape_html(head["name"])}</b> {pills} '
        f"{facts}</div>"
        f'{problem}<table style="border-collapse:separate;border-spacing:6px"><tr>{tiles}</tr></table>{body}'
        f'<pre style="{_LINE}">{escape(line)}</pre>'
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
        f"<li><b>{escape_html(one['pool'])}</b> nodes {escape_html(one['nodes'])} \N{MIDDLE DOT} "
        f"{escape_html(_dots([*one['facts'], *one['warnings']]))}</li>"
        for one in pools
    )
    return f"<div>{escape_html(head['connection'])}<ul>{rows or '<li>no pools</li>'}</ul></div>"


def _dots(parts: Iterable[str]) -> str:
    return " \N{MIDDLE DOT} ".join(parts)
