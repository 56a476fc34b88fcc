"""The cards "Size" and "Forecast" as data for the front end."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.base.durations import format_duration
from batchimg_magics.pool_spec.words import count_text
from batchimg_magics.ui.panel.form import DRAIN_LABELS, quota_nodes, slider_max

if TYPE_CHECKING:
    from batchimg_magics.core.base.node_counts import Counts
    from batchimg_magics.core.batch.quotas import Quota
    from batchimg_magics.core.estimates.forecast import Forecast, ForecastInputs
    from batchimg_magics.ui.panel.form import ResizeForm

__all__ = ["age_text", "forecast_state", "short_families", "size_state"]

UNKNOWN = "not available"


def size_state(form: ResizeForm, pool_target: Counts, *, is_billed: bool) -> dict[str, Any]:
    """Return the card "Size".

    Parameters
    ----------
    form
        The form.
    pool_target
        The target of the pool, which the sliders are made for.
    is_billed
        Whether a removal of nodes must be confirmed.
    """
    context = form.context
    kinds = []
    for key, label, dedicated in (("nodes", "Dedicated nodes", True), ("spot", "Spot nodes", False)):
        now = form.now.dedicated if dedicated else form.now.spot
        target = pool_target.dedicated if dedicated else pool_target.spot
        quota = None if context is None else quota_nodes(context.headroom, dedicated=dedicated)
        kinds.append({"key": key, "label": label, "now": now, "quota": quota, "max": slider_max(now, target, quota)})
    return {
        "form": form.state(),
        "kinds": kinds,
        "vm_size": "" if context is None else context.vm_size,
        "vm_facts": "" if context is None else _vm_facts(context),
        "summary": _details_summary(form),
        "timeout_note": "recommended: 15 per 1,000 nodes, at least 20 for custom images",
        "drains": [{"value": value, "label": f"{value}: {label}"} for value, label in DRAIN_LABELS.items()],
        "needs_yes": is_billed and form.removes_nodes,
    }


def _vm_facts(context: ForecastInputs) -> str:
    if not context.headroom.cores:
        return "no longer offered"
    parts = [f"{context.headroom.cores} vCPUs"]
    if context.memory_gib is not None:
        parts.append(f"{context.memory_gib:g} GiB")
    if context.rates.dedicated_usd_per_hour is not None:
        parts.append(f"${context.rates.dedicated_usd_per_hour:,.3f} an hour")
    if context.rates.spot_usd_per_hour is not None:
        parts.append(f"spot ${context.rates.spot_usd_per_hour:,.3f}")
    return " \N{MIDDLE DOT} ".join(parts)


def _details_summary(form: ResizeForm) -> str:
    parts = [f"timeout {form.recommended_timeout if form.timeout is None else form.timeout} min"]
    parts += [f"canary {'on' if form.canary else 'automatic'}", f"repair {'on' if form.repair else 'off'}"]
    return ", ".join([*parts, f"deallocation {form.drain}"])


def forecast_state(form: ResizeForm, result: Forecast, *, age: str, problem: str) -> dict[str, Any]:
    """Return the card "Forecast".

    Parameters
    ----------
    form, result
        The form, and its forecast.
    age, problem
        When quotas and prices were read, and why they could not be read again; empty: they could.
    """
    context = form.context
    if context is None:
        return {}
    bars = [_cores_bar(form, context, quota, needed) for quota, needed in result.cores]
    return {
        "bars": [bar for bar in bars if bar["needed"]] + [bar for bar in (_money_bar(form, context, result),) if bar],
        "rows": _rows(form, context, result),
        "warnings": list(result.warnings),
        "age": age,
        "problem": problem and f"Quotas and prices could not be read again: {problem}",
    }


def _cores_bar(form: ResizeForm, context: ForecastInputs, quota: Quota, needed: int) -> dict[str, Any]:
    nodes = form.now.dedicated if quota.dedicated else form.now.spot
    own = nodes * context.headroom.cores
    left, name = quota.free - needed, short_families(quota.name)
    text = f"{quota.used + needed:,} of {quota.limit:,} \N{MIDDLE DOT} "
    return {
        "label": f"{name[:1].upper()}{name[1:]}",
        "text": text + (f"{left:,} free" if left >= 0 else f"{-left:,} missing"),
        "over": left < 0,
        "needed": needed or own,
        "limit": quota.limit,
        "parts": _parts(quota.used, own, needed, ("cores", "{:,.0f}")),
    }


def short_families(text: str) -> str:
    """Return a text with families as Azure's portal names them: ``standardDSv5Family`` is the DSv5 family."""
    return re.sub(r" of standard(\w+)Family\b", r", \1 family", text)


def _money_bar(form: ResizeForm, context: ForecastInputs, result: Forecast) -> dict[str, Any] | None:
    """Return the cost of all pools against the limit of the connection; None: there is no limit, or no price."""
    limit, others = context.usd_per_hour_limit, context.others_usd_per_hour
    if limit is None or result.usd_per_hour is None or others is None:
        return None
    own = context.rates.known_cost(form.now.dedicated, form.now.spot) if form.now.total else 0.0
    total = others + result.usd_per_hour
    return {
        "label": "Money, all pools",
        "text": f"${total:,.2f} of ${limit:,.2f} an hour",
        "over": total > limit,
        "needed": True,
        "limit": limit,
        "parts": _parts(others, own or 0.0, result.usd_per_hour, ("an hour", "${:,.2f}")),
    }


def _parts(others: float, own: float, needed: float, unit: tuple[str, str]) -> list[dict[str, Any]]:
    """Return the parts of a bar: other pools, this pool's nodes that stay, that go, and that come."""
    word, number = unit
    parts = [
        ("other", "other pools", others), ("now", "this pool now", min(own, needed)),
        ("less", "to be removed", max(0, own - needed)), ("more", "to come", max(0, needed - own)),
    ]  # fmt: skip
    return [
        {"kind": kind, "amount": amount, "title": f"{name}: {number.format(amount)} {word}"}
        for kind, name, amount in parts
        if amount > 0
    ]


def _rows(form: ResizeForm, context: ForecastInputs, result: Forecast) -> list[list[str]]:
    rows = []
    if form.target.total > form.now.total:
        attempts = count_text(result.rounds, "attempt")
        first = ", one node first" if result.first_node else ""
        rows.append(["Ready in", f"about {format_duration(result.ready_s)}, {attempts}{first}"])
        if result.usd_until_ready is not None:
            rows.append(["Cost until ready", f"about ${result.usd_until_ready:,.2f}"])
    replicas = UNKNOWN if context.replicas is None else f"{context.replicas} of {result.replicas_needed} needed"
    rows.append(["Replicas of the image", replicas])
    cost = UNKNOWN if result.usd_per_hour is None else f"${result.usd_per_hour:,.2f} an hour with disks"
    limit = "" if context.usd_per_hour_limit is None else f" (limit ${context.usd_per_hour_limit:,.2f} for all pools)"
    rows.append(["Cost", f"{cost}{limit}"])
    if result.usd_until_expiry is not None:
        rows.append(["Cost until it expires", f"${result.usd_until_expiry:,.2f}"])
    return rows


def age_text(read_at: float) -> str:
    """Return when quotas and prices were read."""
    return f"quotas and prices of {dt.datetime.fromtimestamp(read_at, dt.UTC):%H:%M:%S}Z"
