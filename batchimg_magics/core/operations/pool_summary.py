"""A pool in a few lines: its state, nodes, cost, expiry and image, and what is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.base.durations import format_time
from batchimg_magics.core.base.node_counts import current_counts, target_counts
from batchimg_magics.core.batch import expiry, machine_settings, pools
from batchimg_magics.core.batch.vm_size_names import canonical_size
from batchimg_magics.core.operations import pool_facts
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.operations.pool_facts import PoolFacts

__all__ = ["read_summary"]


async def read_summary(azure: Azure, name: str) -> dict[str, str]:
    """Return what there is to say of a pool, by name; what could not be read is named.

    Raises
    ------
    NotFoundError
        There is no such pool.
    """
    facts = await pool_facts.read_state_and_cost(azure, name)
    pool, props = facts.pool, facts.pool["properties"]
    deleting = props.get("provisioningState") == "Deleting"
    found = {
        "state": "being deleted" if deleting else str(props.get("allocationState") or "unknown").lower(),
        "nodes": _nodes(facts),
        "cost": _cost(facts),
        "expires": _expires(facts),
        "autoscale": "a formula sets the number of nodes" if _has_own_formula(facts) else "",
        "vm_size": canonical_size(str(props.get("vmSize") or "")),
        "image": "/".join(part for _, part in ResourceId.parse(image).path) if (image := pools.image_of(pool)) else "",
        "errors": "; ".join(f"{code}: {message}" for code, message, _ in facts.state.errors) if facts.state else "",
        "autoscale_error": facts.state.evaluation_error if facts.state else "",
        "not_read": ", ".join(facts.unread),
    }
    return {key: text for key, text in found.items() if text}


def _nodes(facts: PoolFacts) -> str:
    current = current_counts(facts.pool)
    target = facts.state.target if facts.state is not None else target_counts(facts.pool)
    text = str(facts.census) if facts.census is not None else str(current)
    return text if current == target else f"{text}; target {target}"


def _cost(facts: PoolFacts) -> str:
    if facts.rates is None:
        return ""
    counts, so_far = current_counts(facts.pool), facts.usd_so_far
    usd = facts.rates.known_cost(counts.dedicated, counts.spot)
    text = "price not known" if usd is None else f"${usd:,.2f} an hour"
    return text if so_far is None else f"{text}, ${so_far:,.2f} so far"


def _expires(facts: PoolFacts) -> str:
    expires = expiry.expires_of(facts.pool)
    if expires is None:
        return ""
    text = format_time(expires)
    if expiry.leaves_without_tasks(facts.pool):
        text += ", or while no task is left"
    return f"{text}, not enforced" if expiry.is_unenforced(facts.pool, facts.now) else text


def _has_own_formula(facts: PoolFacts) -> bool:
    formula = machine_settings.formula(facts.pool)
    return formula is not None and not expiry.is_expiry_formula(formula)
