"""The account's pools as a table: their sizes and images, what they cost an hour, when they expire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import tags
from batchimg_magics.core.azure.documents import dig, parse_time
from batchimg_magics.core.base import concurrency
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.batch import expiry, pools
from batchimg_magics.core.compute.image_versions import ImageState
from batchimg_magics.core.estimates import prices
from batchimg_magics.core.images import health
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.estimates.prices import Rates

_MISSING_STATES = frozenset({ImageState.MISSING, ImageState.SOURCE_MISSING, ImageState.NOT_IN_REGION})


async def list_pools(azure: Azure) -> Table:
    """Return the account's pools, one a row."""
    found = await pools.read_all(azure)
    states, *rates = await concurrency.gather(
        health.read_image_states(azure, found), *(prices.read_pool_rates(azure, pool) for pool in found)
    )
    rows = [_row(pool, states, rate) for pool, rate in zip(found, rates, strict=True)]
    text = f"pools in account {azure.scope.account}: {len(rows)}"
    loose = [row["pool"] for row in rows if row["expiry_enforced"] is False]
    if loose:
        text += f"; have an expiry that nothing sees to (`%batchimg wait NAME` mends it): {', '.join(loose)}"
    lost = [row["pool"] for row in rows if row["image_state"] in _MISSING_STATES]
    if lost:
        text += f"; cannot grow, since their image is gone or not in the region: {', '.join(lost)}"
    return Table.from_rows("pools", rows, text)


def _row(pool: Json, states: Mapping[str, ImageState], rates: Rates) -> dict[str, Any]:
    props = pool["properties"]
    fixed = dig(props, "scaleSettings", "fixedScale") or {}
    image = pools.image_of(pool)
    marketplace = dig(props, "deploymentConfiguration", "virtualMachineConfiguration", "imageReference") or {}
    errors = dig(props, "resizeOperationStatus", "errors") or []
    expires = expiry.parse_tag_time(pools.tag_of(pool, tags.EXPIRES))
    return {
        "pool": pool["name"],
        "vm_size": props["vmSize"],
        "state": "deleting" if props.get("provisioningState") == "Deleting" else "active",
        "allocation": str(props.get("allocationState", "")).lower() or None,
        "dedicated": props.get("currentDedicatedNodes"),
        "dedicated_target": fixed.get("targetDedicatedNodes"),
        "spot": props.get("currentLowPriorityNodes"),
        "spot_target": fixed.get("targetLowPriorityNodes"),
        "image": "/".join(name for _, name in ResourceId.parse(image).path)
        if image
        else ":".join(str(marketplace.get(key)) for key in ("publisher", "offer", "sku")),
        "image_state": states[image.lower()].value if image else None,
        "autoscale": dig(props, "scaleSettings", "autoScale") is not None,
        "errors": ", ".join(str(one.get("code")) for one in errors) or None,
        "usd_per_hour": rates.cost(props.get("currentDedicatedNodes") or 0, props.get("currentLowPriorityNodes") or 0),
        "expires": expires,
        "expiry_enforced": None if expires is None else not expiry.is_unenforced(pool),
        "created": parse_time(props.get("creationTime")),
        "managed": pools.tag_of(pool, tags.POOL) is not None,
    }
