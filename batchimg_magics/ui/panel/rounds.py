"""The table of rounds: which, what came of it and why in plain words, and the nodes before and after."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from batchimg_magics.ui.progress import duration
from batchimg_magics.ui.tables import NOTHING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batchimg_magics.core.base.table import Table

__all__ = ["html", "told"]

_HEADS = ("round", "outcome", "what happened", "dedicated", "spot", "took", "cost")
#: What an outcome's class means, where its name does not say it.
PLAIN = {
    "short": "fewer nodes came than were asked for",
    "passing": "Azure failed in passing",
    "quota": "a quota or a limit is used up",
    "fatal": "asking again can only fail again",
    "stopped": "somebody stopped it",
    "foreign": "somebody else changed the pool meanwhile",
    "repair": "bad nodes were seen to",
}


def html(table: Table) -> str:
    """Return the rounds as HTML, every text escaped; nothing where there are none."""
    rows = "".join(_row(row) for row in table.rows())
    heads = "".join(f'<th scope="col">{head}</th>' for head in _HEADS)
    if not rows:
        return ""
    return (
        f'<div class="batchimg-rounds"><table aria-label="Rounds"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def told(row: dict[str, Any]) -> str:
    """Return what happened in a round: the class in plain words, what Azure said of it, what was done about it."""
    action, outcome = row.get("action") or "", row["class"]
    parts: Iterable[str | None] = (PLAIN.get(outcome), row.get("message"), action if action != outcome else None)
    return "; ".join(part for part in parts if part) or NOTHING


def _row(row: dict[str, Any]) -> str:
    usd, seconds = row.get("usd"), row.get("seconds")
    cells = [
        str(row["round"]),
        row["class"],
        told(row),
        *(_moved(row, kind) for kind in ("dedicated", "spot")),
        NOTHING if seconds is None else duration(seconds),
        "not known" if usd is None else f"${usd:,.2f}",
    ]
    return f"<tr>{''.join(f'<td>{escape(one)}</td>' for one in cells)}</tr>"


def _moved(row: dict[str, Any], kind: str) -> str:
    before, after, target = (row.get(f"{kind}_{end}") for end in ("from", "to", "target"))
    if before is None or after is None:
        return NOTHING
    short = f" of {target:,}" if target is not None and target != after else ""
    return f"{before:,}" + (f" \N{RIGHTWARDS ARROW} {after:,}" if (before, short) != (after, "") else "") + short
