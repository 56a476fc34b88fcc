"""The forecast of a resize: cores, replicas, resize attempts, time and cost. Pure functions without requests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchimg_magics.core.batch import pools
from batchimg_magics.core.compute import replication
from batchimg_magics.core.estimates import prices, workload
from batchimg_magics.pool_spec.values import MIN_RESIZE_TIMEOUT_S
from batchimg_magics.pool_spec.words import count_text

if TYPE_CHECKING:
    import datetime as dt

    from batchimg_magics.core.base.node_counts import Counts
    from batchimg_magics.core.batch.quotas import Quota, QuotaHeadroom
    from batchimg_magics.core.estimates.prices import Rates


@dataclass(frozen=True, slots=True)
class ForecastInputs:
    """The facts that a forecast depends on.

    Parameters
    ----------
    vm_size, memory_gib
        VM size and memory of a node; its vCPUs are in `headroom`.
    headroom
        The free cores for the pool.
    rates
        The cost of a node.
    replicas
        Replicas of the image version in the account's region; None: the image is not in a gallery, or cannot be read.
    usd_per_hour_limit
        The spending limit of the connection for all pools, in US dollars per hour; None: no limit.
    others_usd_per_hour
        The cost of the account's other pools; None: there is no limit, or a price is not known.
    expires, expiry_enforced
        When the pool expires (None: never), and whether its expiry formula is enabled.
    first_node
        Whether one node is started first if the pool has none, to test the image and the start task.
    autoscale
        Whether an autoscale formula sets the size.
    """

    vm_size: str
    headroom: QuotaHeadroom
    rates: Rates
    memory_gib: float | None = None
    replicas: int | None = None
    usd_per_hour_limit: float | None = None
    others_usd_per_hour: float | None = 0.0
    expires: dt.datetime | None = None
    expiry_enforced: bool = True
    first_node: bool = False
    autoscale: bool = False


@dataclass(frozen=True, slots=True)
class Forecast:
    """The forecast of a resize to a target.

    Parameters
    ----------
    cores
        (quota, needed cores), the quota with the fewest free cores first.
    replicas_needed
        Replicas of the image version that the nodes need.
    rounds, ready_s
        Expected resize attempts, and seconds until the nodes are ready; both with the first node.
    first_node
        Whether one node is started first.
    usd_until_ready
        Cost of the new nodes until they are ready, in US dollars; None: not known.
    usd_per_hour, usd_until_expiry
        Cost of all nodes in US dollars, with disks, load balancers and public addresses; None: not known, or no expiry.
    blockers
        Why the resize cannot be requested; empty: it can.
    warnings
        Possible problems.
    """

    cores: tuple[tuple[Quota, int], ...]
    replicas_needed: int
    rounds: int
    ready_s: float
    usd_per_hour: float | None
    usd_until_expiry: float | None
    first_node: bool = False
    usd_until_ready: float | None = None
    blockers: tuple[str, ...] = ()
    warnings: tuple[str, ...] = field(default=())


def forecast(
    inputs: ForecastInputs, now: Counts, target: Counts, *, timeout_s: float | None = None, at: float = 0.0
) -> Forecast:
    """Return the forecast of a resize from `now` to `target`.

    Parameters
    ----------
    inputs
        The facts.
    now, target
        The current and the target node counts.
    timeout_s
        The given resize timeout in seconds; None: as the number of nodes needs.
    at
        The service's time in seconds since 1970.
    """
    headroom, grown = inputs.headroom, max(0, target.total - now.total)
    needed_s = pools.resize_timeout_s(target.total)
    usd = inputs.rates.known_cost(target.dedicated, target.spot) if target.total else 0.0
    first_node = inputs.first_node and not now.total and target.total > 1
    one = inputs.rates.known_cost(1, 0) if target.dedicated else inputs.rates.known_cost(0, 1)
    more = (
        inputs.rates.known_cost(max(0, target.dedicated - now.dedicated), max(0, target.spot - now.spot))
        if grown
        else 0.0
    )
    lasts_s = None if inputs.expires is None else max(0.0, inputs.expires.timestamp() - at)
    cores = tuple(
        (one, (target.dedicated if dedicated else target.spot) * headroom.cores)
        for dedicated in (True, False)
        for one in headroom.binding(dedicated=dedicated)
    )
    return Forecast(
        cores=cores,
        replicas_needed=replication.replicas_needed(target.total),
        rounds=workload.expected_rounds(grown) + first_node,
        ready_s=workload.start_s(grown) + first_node * workload.start_s(1),
        first_node=first_node,
        usd_until_ready=prices.sum_or_none(
            [prices.usd_for(more, workload.start_s(grown)), prices.usd_for(one, first_node * workload.start_s(1))]
        ),
        usd_per_hour=usd,
        usd_until_expiry=None if lasts_s is None else prices.usd_for(usd, lasts_s),
        blockers=tuple(_blockers(inputs, target, usd, timeout_s)),
        warnings=tuple(_warnings(inputs, target, usd, timeout_s, needed_s)),
    )


def _blockers(inputs: ForecastInputs, target: Counts, usd: float | None, timeout_s: float | None) -> list[str]:
    parts = []
    if missing := inputs.headroom.shortfall(target):
        parts.append(missing)
    limit = inputs.usd_per_hour_limit
    missing = inputs.rates.not_in_cost
    total = prices.sum_or_none((usd, inputs.others_usd_per_hour))
    if limit is not None and target.total and (total is None or total > limit or missing):
        cost = "price not available" if total is None else f"${total:,.2f}/h{f' without {missing}' if missing else ''}"
        others = " with all other pools" if total is not None and inputs.others_usd_per_hour else ""
        parts.append(f"{cost}{others}, and the limit of this connection is ${limit:,.2f}/h")
    if timeout_s is not None and timeout_s < MIN_RESIZE_TIMEOUT_S:
        parts.append("a resize timeout must be at least 5 minutes")
    if inputs.autoscale:
        parts.append("an autoscale formula sets the size of this pool: turn it off first")
    return parts


def _warnings(
    inputs: ForecastInputs, target: Counts, usd: float | None, timeout_s: float | None, needed_s: float
) -> list[str]:
    parts = []
    wanted = replication.replicas_needed(target.total)
    if inputs.replicas is not None and inputs.replicas < wanted:
        parts.append(
            f"the image has {inputs.replicas} of {count_text(wanted, 'replica')} that this size needs: "
            "allocation will be slower"
        )
    if timeout_s is not None and MIN_RESIZE_TIMEOUT_S <= timeout_s < needed_s:
        parts.append(
            f"a timeout of {timeout_s / 60:.0f} min is short: {needed_s / 60:.0f} min are recommended for this size"
        )
    if usd is None and target.total:
        parts.append("price not available")
    elif inputs.rates.not_in_cost and target.total:
        parts.append(f"the price is without {inputs.rates.not_in_cost}: the price list has none")
    return parts
