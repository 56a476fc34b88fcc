"""The section "Resize attempts": outcome and cause of each, and the nodes before and after it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.base.outcomes import OutcomeClass
from batchimg_magics.display.progress import format_duration
from batchimg_magics.display.tables import NO_VALUE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batchimg_magics.core.scaling.watch import PoolSnapshot
    from batchimg_magics.ui.panel.section import SectionHost

__all__ = ["AttemptsSection", "outcome_text"]

_HEADS = ("#", "Outcome", "What happened", "Dedicated", "Spot", "Took", "Cost")
#: Columns that are numbers.
_NUMBERS = frozenset({"#", "Dedicated", "Spot", "Took", "Cost"})


class AttemptsSection:
    """The last resize attempts of a pool.

    Parameters
    ----------
    host
        The panel.
    """

    def __init__(self, host: SectionHost) -> None:
        self._host = host
        self._rows: list[list[str]] = []
        self._set_state()

    def show(self, snapshot: PoolSnapshot) -> None:
        """Show the attempts of a snapshot."""
        if snapshot.rounds is not None:
            self._rows = [_row(row) for row in snapshot.rounds.rows()]
            self._set_state()

    def on_message(self, content: dict[str, Any]) -> None:
        """Ignore a message: the section asks for nothing."""

    def static_html(self) -> str:
        """Return the table as HTML with escaped text; an empty string if there are no attempts."""
        if not self._rows:
            return ""
        body = "".join(_row_html("td", row) for row in self._rows)
        heads = _row_html('th scope="col"', _HEADS)
        return f'<table style="border-collapse:collapse;margin-top:8px">{heads}{body}</table>'

    def _set_state(self) -> None:
        heads = [{"text": head, "number": head in _NUMBERS} for head in _HEADS]
        self._host.set_section_state("attempts", {"heads": heads, "rows": self._rows})


def _row_html(tag: str, cells: Iterable[str]) -> str:
    style = "padding:2px 10px 2px 0;border-bottom:1px solid #ddd;vertical-align:top;text-align:"
    return "<tr>{}</tr>".format(
        "".join(
            f'<{tag} style="{style}{"right" if head in _NUMBERS else "left"}">{escape(cell)}</{tag[:2]}>'
            for head, cell in zip(_HEADS, cells, strict=True)
        )
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


def _row(row: dict[str, Any]) -> list[str]:
    usd, seconds = row.get("usd"), row.get("seconds")
    return [
        str(row["round"]),
        row["class"],
        outcome_text(row),
        *(_counts_text(row, kind) for kind in ("dedicated", "spot")),
        NO_VALUE if seconds is None else format_duration(seconds),
        "not available" if usd is None else f"${usd:,.2f}",
    ]


def _counts_text(row: dict[str, Any], kind: str) -> str:
    before, after, target = (row.get(f"{kind}_{end}") for end in ("before", "after", "target"))
    if before is None or after is None:
        return NO_VALUE
    missing = f" of {target:,}" if target is not None and target != after else ""
    return f"{before:,}" + (f" \N{RIGHTWARDS ARROW} {after:,}" if (before, missing) != (after, "") else "") + missing
