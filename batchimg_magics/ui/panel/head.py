"""The panel's head: which pool on which connection, its image, its state, its cost, its end."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from batchimg_magics.core.base.node_counts import Counts

if TYPE_CHECKING:
    from batchimg_magics.core.estimates.forecast import ForecastInputs
    from batchimg_magics.core.scaling.context import ImageSummary
    from batchimg_magics.core.scaling.watch import PoolSnapshot

__all__ = ["count_nodes", "head_html", "pool_facts"]

#: What a fact means, where its name is too short for it.
_TITLES = {"so far": "What the nodes have cost, each since it was allocated, as far as this panel saw them"}
_UNKNOWN = "not known"


def count_nodes(snapshot: PoolSnapshot) -> Counts:
    """Return how many nodes there are that have not gone."""
    return Counts(snapshot.census.live(dedicated=True), snapshot.census.live(dedicated=False))


def head_html(label: str, name: str, named_values: list[tuple[str, str]]) -> str:
    """Return the head as HTML, every text escaped.

    Parameters
    ----------
    label, name
        The connection's, and the pool's.
    told
        `facts`.
    """
    kind, badge_text = ("local", "LOCAL: nothing is real") if label == "LOCAL" else ("real", "AZURE: nodes cost money")
    spans = "".join(
        f'<span title="{_TITLES.get(fact, "")}">{escape(fact)} <b>{escape(value)}</b></span>'
        for fact, value in named_values
    )
    return (
        f'<div class="batchimg-head"><span class="badge {kind}">{badge_text}</span>'
        f'<span class="title">{escape(name)}</span>{spans}</div>'
    )


def pool_facts(
    snapshot: PoolSnapshot | None, context: ForecastInputs, image: ImageSummary, usd: float | None
) -> list[tuple[str, str]]:
    """Return what the head tells, as (name, value).

    Parameters
    ----------
    sight
        The last look.
    situation, image
        What was read of the pool.
    usd
        What its nodes have cost so far; None: not known.
    """
    if snapshot is None or snapshot.pool is None:
        return [("state", "gone")]
    pool, now = snapshot.pool, count_nodes(snapshot)
    rate = context.rates.cost(now.dedicated, now.spot) if now.total else 0.0
    values = [("image", image.name)]
    if image.published is not None:
        values.append(("age", f"{max(0, int((snapshot.at - image.published.timestamp()) // 86_400))} days"))
    values += [
        ("pool", "deleting" if pool.deleting else "active"),
        ("allocation", pool.allocation),
        ("dedicated", f"{now.dedicated:,} of {pool.target.dedicated:,}"),
        ("spot", f"{now.spot:,} of {pool.target.spot:,}"),
        ("cost", _UNKNOWN if rate is None else f"${rate:,.2f} an hour"),
        ("so far", _UNKNOWN if usd is None else f"${usd:,.2f}"),
    ]
    if context.expires is not None:
        unenforced = "" if context.expiry_enforced else ", and nothing sees to it"
        values.append(("expires", f"{context.expires:%Y-%m-%d %H:%MZ}{unenforced}"))
    if snapshot.problem:
        values.append(("last look", snapshot.problem))
    return values
