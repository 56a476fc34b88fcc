"""Usage metrics of pools on the data plane: the core hours of half hours.

Source: "List the usage metrics for an account" of the REST reference, and Microsoft's OpenAPI.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.batch.fleet import nodes
from batchimg_magics.emulator.batch.model import accounts, autoscale, job_schedules, pools
from batchimg_magics.emulator.batch.rest import paging
from batchimg_magics.emulator.batch.rest.errors import bad_query
from batchimg_magics.emulator.catalog.vm_sizes import find_size
from batchimg_magics.emulator.http.dates import TICKS_AT_1970, batch_timestamp
from batchimg_magics.emulator.http.messages import Reply, Routes
from batchimg_magics.emulator.world.clock import parse_timestamp
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchimg_magics.emulator.batch.model.pools import Pool
    from batchimg_magics.emulator.http.messages import Call

routes = Routes("batch")
evidence = Evidence("Usage metrics of pools")
INTERVAL_S = evidence.documented(1800.0, "s", "of an aggregation interval", "the example of the REST reference")
DELAY_S = evidence.documented(7200.0, "s", "until an aggregation interval is available", "OpenAPI: endtime")
STEP_S = evidence.assumed(
    300.0,
    "s",
    "between the times at which the nodes of an interval are counted",
    "how Batch measures is not documented",
)
KEPT_S = evidence.assumed(
    90 * 86_400.0, "s", "for which usage metrics are available", "the documents do not say how long Batch keeps them"
)
evidence.rule(
    "Pools that are deleted have no usage metrics.", "the emulator forgets a pool when it is deleted; Batch does not"
)


def _moment(call: Call, name: str, default: float, latest: float) -> float:
    """Return a time of the query, or refuse it."""
    text = call.query.get(name)
    if text is None:
        return default
    try:
        moment = parse_timestamp(text)
    except ValueError:
        raise bad_query(name, text, "The value is not a valid time") from None
    if moment > latest:
        raise bad_query(name, text, f"The value must be before {batch_timestamp(latest)}")
    return moment


def _rows(found: list[Pool], begin: float, end: float) -> Iterator[dict[str, Any]]:
    """Yield the usage of pools in the intervals of a time range, in order of time."""
    for number in range(math.floor(begin / INTERVAL_S), math.ceil(end / INTERVAL_S)):
        start = number * INTERVAL_S
        for pool in found:
            created = (pool.state.created - TICKS_AT_1970) / 1e7
            if created < start + INTERVAL_S and (hours := _core_hours(pool, start)) is not None:
                yield {
                    "poolId": pool.name,
                    "startTime": batch_timestamp(start),
                    "endTime": batch_timestamp(start + INTERVAL_S),
                    "vmSize": pool.doc["vmSize"],
                    "totalCoreHours": hours,
                }


def _core_hours(pool: Pool, start: float) -> float | None:
    size = find_size(pool.doc["vmSize"])
    if size is None:
        return None
    moments = [start + STEP_S * (number + 0.5) for number in range(round(INTERVAL_S / STEP_S))]
    counted = (nodes.current_nodes(pool.state.fleet, *of) for of in itertools.product(moments, nodes.KINDS))
    return round(sum(counted) * size.vcpus * STEP_S / 3600, 6)


@routes.on("GET", "/poolusagemetrics")
def usage_metrics(call: Call) -> Reply:
    """List the usage of pools; without a time range of the last interval that is available."""
    account = accounts.need(call)
    job_schedules.run_due(call, account)
    autoscale.run_due_evaluations(call, account)
    last = math.floor((call.now - DELAY_S) / INTERVAL_S) * INTERVAL_S
    begin = _moment(call, "starttime", last - INTERVAL_S, call.now - DELAY_S - INTERVAL_S)
    end = _moment(call, "endtime", last, call.now - DELAY_S)
    if end < begin:
        raise bad_query("endtime", call.query.get("endtime", ""), "endtime must not be before starttime")
    listed = list(pools.account_pools(call.store, call.now, account))
    rows = _rows(listed, max(begin, call.now - KEPT_S), min(end, last))
    return paging.page(call, "poolusagemetrics", rows, key=lambda row: f"{row['startTime']} {row['poolId'].lower()}")
