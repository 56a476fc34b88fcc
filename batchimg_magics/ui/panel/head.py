"""The panel's head: connection, pool, image, state, cost and expiry."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from batchimg_magics.core.base.node_counts import Counts

if TYPE_CHECKING:
    from batchimg_magics.core.estimates.forecast import ForecastInputs
    from batchimg_magics.core.scaling.context import ImageSummary
    from batchimg_magics.core.scaling.watch import PoolSnapshot

__all__ = ["count_nodes", "head_html", "pool_facts"]

#: Tooltips of facts.
_TITLES = {"cost so far": "Cost of the nodes, each since it was allocated, as observed by this panel"}
_UNKNOWN = "not available"


def count_nodes(snapshot: PoolSnapshot) -> Counts:
    """Return the number of nodes of each kind that are not leaving the pool."""
    return Counts(snapshot.census.live(dedicated=True), snapshot.census.live(dedicated=False))


def head_html(label: str, name: str, named_values: list[tuple[str, str]]) -> str:
    """Return the head as HTML; all text is escaped.

    Parameters
    ----------
    label, name
        Label of the connection, and name of the pool.
    named_values
        The result of `pool_facts`.
    """
    kind, badge_text = "real", f"{label}: nodes are billed"
    if label.startswith("LOCAL"):
        kind, badge_text = "local", f"LOCAL: emulator{label.removeprefix('LOCAL')}"
    spans = "".join(
        f'<span title="{_TITLES.get(fact, "")}">{escape(fact)} <b>{escape(value)}</b></span>'
        for fact, value in named_values
    )
    return (
        f'<div class="batchimg-head"><span class="badge {kind}">{escape(badge_text)}</span>'
        f'<span class="title">{escape(name)}</span>{spans}</div>'
    )


def pool_facts(
    snapshot: PoolSnapshot | None, context: ForecastInputs, image: ImageSummary, usd: float | None
) -> list[tuple[str, str]]:
    """Return the facts in the head, as (name, value).

    Parameters
    ----------
    snapshot
        The pool and its nodes when they were last read; None: not read yet.
    context, image
        Prices, quotas and expiry of the pool, and its image.
    usd
        Cost of its nodes so far, in USD; None: not available.
    """
    if snapshot is None or snapshot.pool is None:
        return [("state", "deleted")]
    pool, now = snapshot.pool, count_nodes(snapshot)
    rate = context.rates.known_cost(now.dedicated, now.spot) if now.total else 0.0
    values = [("image", image.name)]
    if image.published is not None:
        values.append(("age", f"{max(0, int((snapshot.at - image.published.timestamp()) // 86_400))} days"))
    values += [
        ("pool", "deleting" if pool.deleting else "active"),
        ("allocation", pool.allocation),
        ("dedicated", f"{now.dedicated:,} of {pool.target.dedicated:,}"),
        ("spot", f"{now.spot:,} of {pool.target.spot:,}"),
        ("cost", _UNKNOWN if rate is None else f"${rate:,.2f}/h"),
        ("cost so far", _UNKNOWN if usd is None else f"${usd:,.2f}"),
    ]
    if context.expires is not None:
        unenforced = "" if context.expiry_enforced else " (not enforced by Azure now)"
        values.append(("expires", f"{context.expires:%Y-%m-%d %H:%MZ}{unenforced}"))
    if snapshot.problem:
        values.append(("last poll failed", snapshot.problem))
    return values
