"""`pools`: the pools of the account with their sizes, images, hourly cost and expiry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import tags
from batchimg_magics.core.azure.documents import dig, parse_time
from batchimg_magics.core.base import concurrency
from batchimg_magics.core.base.durations import format_time
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.batch import expiry, pools
from batchimg_magics.core.batch.vm_size_names import canonical_size
from batchimg_magics.core.compute.image_versions import ImageState
from batchimg_magics.core.estimates import prices, spending
from batchimg_magics.core.images import health
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.estimates.prices import Rates

_MISSING_STATES = frozenset({ImageState.MISSING, ImageState.SOURCE_MISSING, ImageState.NOT_IN_REGION})


async def list_pools(azure: Azure) -> Table:
    """Return the pools of the account, one per row."""
    found = await pools.read_all(azure)
    states, *rates = await concurrency.gather(
        health.read_image_states(azure, found), *(prices.read_pool_rates(azure, pool) for pool in found)
    )
    rows = [_row(pool, states, rate, azure.now()) for pool, rate in zip(found, rates, strict=True)]
    for row, pool, rate in zip(rows, found, rates, strict=True):
        row["usd_so_far"] = _usd_so_far(azure, pool, rate)
    text = f"pools in account {azure.scope.account}: {len(rows)}"
    if rows:
        text += f"; usd_per_hour: {prices.included_text(rates)}"
    overdue = [f"{row['pool']} {format_time(row['evaluated'])}" for row in rows if row["evaluation_overdue"]]
    if overdue:
        text += f"; formula overdue, not evaluated since: {', '.join(overdue)}"
    unenforced = [row["pool"] for row in rows if row["expiry_enforced"] is False]
    if unenforced:
        text += f"; expiry not enforced (`%batchimg wait NAME` enables it again): {', '.join(unenforced)}"
    missing = [row["pool"] for row in rows if row["image_state"] in _MISSING_STATES]
    if missing:
        text += f"; cannot grow, since the image is missing or not in the region: {', '.join(missing)}"
    return Table.from_rows("pools", rows, text)


def _usd_so_far(azure: Azure, pool: Json, rates: Rates) -> float | None:
    """Return what a pool has cost; None where this tool has not seen it since it was created."""
    spending.note_pool(azure, pool, rates)
    cost = spending.cost_of(azure, pool)
    return cost.usd if cost is not None and cost.is_complete_since(expiry.created_of(pool)) else None


def _row(pool: Json, states: Mapping[str, ImageState], rates: Rates, now: float) -> dict[str, Any]:
    props = pool["properties"]
    resized = dig(props, "resizeOperationStatus") or {}
    targets = dig(props, "scaleSettings", "fixedScale") or ({"targetLowPriorityNodes": 0, **resized} if resized else {})
    image = pools.image_of(pool)
    marketplace = dig(props, "deploymentConfiguration", "virtualMachineConfiguration", "imageReference") or {}
    errors = [*(resized.get("errors") or []), dig(props, "autoScaleRun", "error") or {}]
    expires, formula = expiry.expires_of(pool), dig(props, "scaleSettings", "autoScale")
    return {
        "pool": pool["name"],
        "vm_size": canonical_size(props["vmSize"]),
        "state": "deleting" if props.get("provisioningState") == "Deleting" else "active",
        "allocation": str(props.get("allocationState", "")).lower() or None,
        "dedicated": props.get("currentDedicatedNodes"),
        "dedicated_target": targets.get("targetDedicatedNodes"),
        "spot": props.get("currentLowPriorityNodes"),
        "spot_target": targets.get("targetLowPriorityNodes"),
        "image": "/".join(name for _, name in ResourceId.parse(image).path)
        if image
        else ":".join(str(marketplace.get(key)) for key in ("publisher", "offer", "sku")),
        "image_state": states[image.lower()].value if image else None,
        "autoscale": formula is not None,
        "errors": ", ".join(str(one["code"]) for one in errors if "code" in one) or None,
        "usd_per_hour": rates.known_cost(
            props.get("currentDedicatedNodes") or 0, props.get("currentLowPriorityNodes") or 0
        ),
        "expires": expires,
        "expiry_enforced": None if expires is None else not expiry.is_unenforced(pool, now),
        "evaluated": expiry.evaluated_of(pool),
        "evaluation_overdue": expiry.is_evaluation_overdue(pool, now) if formula else None,
        "created": parse_time(props.get("creationTime")),
        "managed": pools.tag_of(pool, tags.POOL) is not None,
    }
