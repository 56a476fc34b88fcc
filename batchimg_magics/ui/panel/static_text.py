"""The static form of the panel as text, for terminals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.masking import make_visible

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["panel_text"]


def panel_text(head: Mapping[str, Any], counts: Mapping[str, tuple[int, int]], line: str) -> str:
    """Return the panel as text.

    Parameters
    ----------
    head
        The state of the panel's head.
    counts
        State to (dedicated, spot).
    line
        The equivalent command.
    """
    facts = [f"{fact['value']} {fact['unit']}".strip() for fact in head["facts"]]
    tiles = [" ".join(part for part in (one["label"], one["value"], one["of"]) if part) for one in head["tiles"]]
    states = [
        f"{state} {dedicated + spot}" + (f" ({spot} spot)" if spot else "")
        for state, (dedicated, spot) in counts.items()
    ]
    lines = [
        f"{head['name']}: {head['state']} \N{MIDDLE DOT} {head['connection']}",
        head["problem"],
        " \N{MIDDLE DOT} ".join(facts),
        *(f"  {one}" for one in tiles),
        f"nodes: {', '.join(states) or 'none'}",
        f"the panel with its controls needs a notebook; the same in a terminal: {line}",
    ]
    # Text from the service must not control the terminal.
    return "\n".join(make_visible(one) for one in lines if one)
