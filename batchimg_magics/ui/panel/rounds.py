"""The table of resize attempts: outcome and cause, and the nodes before and after each."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.base.outcomes import OutcomeClass
from batchimg_magics.display.progress import format_duration
from batchimg_magics.display.tables import NO_VALUE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batchimg_magics.core.base.table import Table

__all__ = ["outcome_text", "rounds_html"]

_HEADS = ("attempt", "outcome", "cause", "dedicated", "spot", "duration", "cost")


def rounds_html(table: Table) -> str:
    """Return the resize attempts as HTML with escaped text; an empty string if there are none."""
    rows = "".join(_row(row) for row in table.rows())
    heads = "".join(f'<th scope="col">{head}</th>' for head in _HEADS)
    if not rows:
        return ""
    # It can be focused, since it scrolls on narrow pages: otherwise the keyboard could not scroll it.
    return (
        '<div class="batchimg-rounds" role="group" aria-label="Resize attempts" tabindex="0">'
        f'<table aria-label="Resize attempts"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def outcome_text(row: dict[str, Any]) -> str:
    """Return the cause of an outcome: the meaning of its class, Azure's message, and the action taken."""
    action, outcome = row.get("action") or "", row["class"]
    parts: Iterable[str | None] = (
        OutcomeClass.text_of(outcome),
        row.get("message"),
        action if action != outcome else None,
    )
    return "; ".join(part for part in parts if part) or NO_VALUE


def _row(row: dict[str, Any]) -> str:
    usd, seconds = row.get("usd"), row.get("seconds")
    cells = [
        str(row["round"]),
        row["class"],
        outcome_text(row),
        *(_counts_text(row, kind) for kind in ("dedicated", "spot")),
        NO_VALUE if seconds is None else format_duration(seconds),
        "not available" if usd is None else f"${usd:,.2f}",
    ]
    return f"<tr>{''.join(f'<td>{escape(one)}</td>' for one in cells)}</tr>"


def _counts_text(row: dict[str, Any], kind: str) -> str:
    before, after, target = (row.get(f"{kind}_{end}") for end in ("before", "after", "target"))
    if before is None or after is None:
        return NO_VALUE
    missing = f" of {target:,}" if target is not None and target != after else ""
    return f"{before:,}" + (f" \N{RIGHTWARDS ARROW} {after:,}" if (before, missing) != (after, "") else "") + missing
