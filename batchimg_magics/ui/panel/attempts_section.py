"""The section "Resize attempts": the nodes over time, and what each attempt brought."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.base.durations import format_duration
from batchimg_magics.core.base.outcomes import OutcomeClass
from batchimg_magics.core.scaling import timeline
from batchimg_magics.core.scaling.rounds import live_counts
from batchimg_magics.display.cells import escape_html
from batchimg_magics.display.tables import NO_VALUE
from batchimg_magics.pool_spec.words import count_text
from batchimg_magics.ui.panel.static_html import HAIR

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from batchimg_magics.core.base.node_counts import Counts
    from batchimg_magics.core.scaling.timeline import Spell
    from batchimg_magics.core.scaling.watch import PoolSnapshot
    from batchimg_magics.ui.panel.section import SectionHost

__all__ = ["AttemptsSection", "outcome_text", "time_text"]

_HEADS = ("Started", "Outcome", "What happened", "Dedicated", "Spot", "Took", "Cost")
#: Columns that are numbers.
_NUMBERS = frozenset({"Dedicated", "Spot", "Took", "Cost"})
#: Outcomes in other words than those of the table.
_OUTCOMES = {"done": "complete"}
#: Node counts that the panel keeps of those that it has seen itself.
_MAX_SEEN = 2000
_ARROW = "\N{RIGHTWARDS ARROW}"


class AttemptsSection:
    """The last resize attempts of a pool, and of earlier pools of its name.

    Parameters
    ----------
    host
        The panel.
    """

    def __init__(self, host: SectionHost) -> None:
        self._host = host
        self._groups: list[dict[str, Any]] = []
        self._chart: dict[str, Any] = {}
        self._before: Counts | None = None
        self._seen: list[tuple[float, dict[str, int]]] = []
        self._set_state()

    def show(self, snapshot: PoolSnapshot) -> None:
        """Show the attempts of a snapshot."""
        pool = snapshot.pool
        if pool is None or snapshot.rounds is None:
            return
        live = live_counts(snapshot.census)
        if pool.allocation == "steady":
            self._before = live
        rows = snapshot.rounds.rows()
        ends = timeline.boundaries(snapshot.samples, rows)
        running = _running_row(snapshot, self._before, live) if pool.allocation == "resizing" else None
        self._groups = _groups(rows, ends, snapshot.at, running)
        # A running resize is recorded when it has ended, and a stop or a formula changes the target, too.
        kinds = {"dedicated_target": pool.target.dedicated, "spot_target": pool.target.spot}
        spells = timeline.spells(self._samples(snapshot), [*rows, {"started": pool.state_since, **kinds}])
        self._chart = _chart(spells, pool.target.total, snapshot.at) if snapshot.samples else {}
        self._set_state()

    def _samples(self, snapshot: PoolSnapshot) -> list[tuple[float, dict[str, int]]]:
        """Return the recorded node counts, those that the panel has seen since, and the counts now."""
        now = (snapshot.at, snapshot.census.states())
        if not self._seen or self._seen[-1][1] != now[1]:
            self._seen = [*self._seen, now][-_MAX_SEEN:]
        return sorted([*snapshot.samples, *self._seen, now], key=itemgetter(0))

    def on_message(self, content: dict[str, Any]) -> None:
        """Ignore a message: the section asks for nothing."""

    def static_html(self) -> str:
        """Return the table as HTML with escaped text; an empty string if there are no attempts."""
        if not self._groups:
            return ""
        cell = f"padding:2px 10px 2px 0;border-bottom:{HAIR};vertical-align:top"
        styles = [f"{cell};text-align:{'right' if head in _NUMBERS else 'left'}" for head in _HEADS]
        parts = [_html_row("th", _HEADS, styles)]
        for group in self._groups:
            if group["title"]:
                parts.append(f'<tr><td colspan="{len(_HEADS)}" style="{cell}">{escape_html(group["title"])}</td></tr>')
            parts += [_html_row("td", row, styles) for row in group["rows"]]
        return f'<table style="border-collapse:collapse;margin-top:8px">{"".join(parts)}</table>'

    def _set_state(self) -> None:
        heads = [{"text": head, "number": head in _NUMBERS} for head in _HEADS]
        self._host.set_section_state("attempts", {"heads": heads, "groups": self._groups, "chart": self._chart})


def _html_row(tag: str, cells: Sequence[str], styles: Sequence[str]) -> str:
    made = [f'<{tag} style="{style}">{escape_html(text)}</{tag}>' for text, style in zip(cells, styles, strict=True)]
    return f"<tr>{''.join(made)}</tr>"


# -- the table -------------------------------------------------------------------------------------------------------


def _groups(
    rows: list[dict[str, Any]], ends: Sequence[float], now: float, running: list[str] | None
) -> list[dict[str, Any]]:
    """Return the attempts by pool, the newest first: those of earlier pools of the name stand under a title."""

    def spell(row: Mapping[str, Any]) -> int:
        return bisect_right(ends, row["started"].timestamp()) if row.get("started") else 0

    newest = bisect_right(ends, now)
    groups: list[dict[str, Any]] = [{"title": "", "rows": [running]}] if running else []
    for number, of_pool in groupby(reversed(rows), spell):
        shown = [_row(row, now) for row in of_pool]
        if number == newest and groups:
            groups[0]["rows"] += shown
        else:
            title = "" if number == newest else "An earlier pool of this name"
            groups.append({"title": title, "rows": shown})
    return groups


def outcome_text(row: dict[str, Any]) -> str:
    """Return the cause of an outcome: the meaning of its class, Azure's message, and the action taken."""
    outcome = row["class"]
    usual = next((one.action for one in OutcomeClass if one == outcome), "")
    # What happens next is told by the next row; what was special about an attempt stands before it.
    action = (row.get("action") or "").removesuffix(usual).removesuffix(outcome).removesuffix(": ")
    parts: Iterable[str | None] = (OutcomeClass.text_of(outcome), row.get("message"), action)
    return "; ".join(part for part in parts if part)


def _row(row: dict[str, Any], now: float) -> list[str]:
    usd, seconds, started = row.get("usd"), row.get("seconds"), row.get("started")
    return [
        NO_VALUE if started is None else time_text(started.timestamp(), now),
        _OUTCOMES.get(row["class"], row["class"]),
        outcome_text(row),
        *(_counts_text(row, kind) for kind in ("dedicated", "spot")),
        NO_VALUE if seconds is None else format_duration(seconds),
        "not available" if usd is None else f"${usd:,.2f}",
    ]


def _running_row(snapshot: PoolSnapshot, before: Counts | None, live: Counts) -> list[str]:
    """Return the row of the resize that is going on, whoever started it."""
    pool = snapshot.pool
    since = pool.state_since.timestamp() if pool is not None and pool.state_since else None
    target = "" if pool is None else f"{pool.target} requested"
    before = before or live
    return [
        NO_VALUE if since is None else time_text(since, snapshot.at),
        "running",
        target,
        _change_text(before.dedicated, live.dedicated),
        _change_text(before.spot, live.spot),
        NO_VALUE if since is None else format_duration(max(0.0, snapshot.at - since)),
        NO_VALUE,
    ]


def _counts_text(row: dict[str, Any], kind: str) -> str:
    before, after, target = (row.get(f"{kind}_{end}") for end in ("before", "after", "target"))
    if before is None or after is None:
        return NO_VALUE
    return _change_text(before, after) + (f" of {target:,}" if target is not None and target != after else "")


def _change_text(before: int, after: int) -> str:
    return f"{after:,}" if before == after else f"{before:,} {_ARROW} {after:,}"


def time_text(at: float, now: float) -> str:
    """Return a time as ``HH:MM:SS``, with its date if that is not today, in UTC."""
    then, today = (dt.datetime.fromtimestamp(one, dt.UTC) for one in (at, now))
    return f"{then:%H:%M:%S}" if then.date() == today.date() else f"{then:%Y-%m-%d %H:%M}"


# -- the chart -------------------------------------------------------------------------------------------------------


def _chart(spells: Sequence[Spell], target: int, now: float) -> dict[str, Any]:
    """Return the lines of the chart, one part per pool of the name, and what it shows in words."""
    parts: list[dict[str, Any]] = []
    for spell in spells:
        live, ready = spell.live, spell.ready
        parts.append(
            {
                "from": live[0][0],
                "to": live[-1][0],
                "live": _steps(live),
                "ready": _steps(ready),
                "target": _steps([one for one in spell.targets if one[0] <= live[-1][0]]),
                "labels": [time_text(live[0][0], now), time_text(live[-1][0], now)],
            }
        )
    most = max(count for part in parts for _, count in [*part["live"], *part["target"], (0, target)])
    if not most:
        return {}
    last = spells[-1]
    text = (
        f"Nodes over time, {parts[-1]['labels'][0]} to {parts[-1]['labels'][1]} UTC: "
        f"{count_text(last.live[-1][1], 'node')} now, {last.ready[-1][1]:,} ready, target {target:,}"
    )
    return {"parts": parts, "scale": f"up to {count_text(most, 'node')}", "max": most, "text": text}


def _steps(points: Sequence[tuple[float, int]]) -> list[list[float]]:
    """Return the points at which a value changes, and the last one."""
    kept = [[at, count] for place, (at, count) in enumerate(points) if not place or count != points[place - 1][1]]
    if kept and points[-1][0] != kept[-1][0]:
        kept.append([points[-1][0], points[-1][1]])
    return kept
