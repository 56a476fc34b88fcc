"""What a resize will need before anybody asks for it: cores, replicas, rounds, minutes, money. Pure arithmetic."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchimg_magics.core.batch import pools
from batchimg_magics.core.compute import replication
from batchimg_magics.core.estimates import prices, workload
from batchimg_magics.pool_spec.values import MIN_RESIZE_TIMEOUT_S

if TYPE_CHECKING:
    import datetime as dt

    from batchimg_magics.core.base.node_counts import Counts
    from batchimg_magics.core.batch.quotas import Quota, QuotaHeadroom
    from batchimg_magics.core.estimates.prices import Rates


@dataclass(frozen=True, slots=True)
class ForecastInputs:
    """What a pool's size depends on, as it stood when it was read.

    Parameters
    ----------
    vm_size, memory_gib
        Of its nodes; their vCPUs are the room's.
    room
        What the quotas leave to it.
    rates
        What a node costs.
    replicas
        Replicas of its image version in the account's region; None: its image is none of a gallery's, or not told.
    usd_per_hour_limit
        What the connection allows; None: no limit.
    expires, expiry_enforced
        When the pool goes to zero by itself; None: never. Whether Azure sees to that right now.
    autoscale
        Whether a formula sets its size.
    """

    vm_size: str
    headroom: QuotaHeadroom
    rates: Rates
    memory_gib: float | None = None
    replicas: int | None = None
    usd_per_hour_limit: float | None = None
    expires: dt.datetime | None = None
    expiry_enforced: bool = True
    autoscale: bool = False


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a resize to a target will need.

    Parameters
    ----------
    cores
        (quota, cores wanted of it), the tightest first.
    replicas_wanted
        Replicas that so many nodes want.
    rounds, ready_s
        How many resizes it probably takes, and how long until the nodes are ready.
    usd_per_hour, usd_until_expiry
        What all nodes cost, disks too; None: not known, or no expiry.
    impossible
        Why it cannot be asked for; empty: it can.
    doubts
        What may go wrong.
    """

    cores: tuple[tuple[Quota, int], ...]
    replicas_needed: int
    rounds: int
    ready_s: float
    usd_per_hour: float | None
    usd_until_expiry: float | None
    blockers: tuple[str, ...] = ()
    warnings: tuple[str, ...] = field(default=())


def forecast(
    inputs: ForecastInputs, now: Counts, target: Counts, *, timeout_s: float | None = None, at: float = 0.0
) -> Forecast:
    """Return what it needs to bring a pool from `now` to `target`.

    Parameters
    ----------
    situation
        What it depends on.
    now, target
        Nodes that there are, and that are wanted.
    timeout_s
        The resize timeout that was chosen; None: as the size needs.
    at
        The service's time.
    """
    headroom, grown = inputs.headroom, max(0, target.total - now.total)
    needed_s = pools.resize_timeout_s(target.total)
    usd = inputs.rates.cost(target.dedicated, target.spot) if target.total else 0.0
    lasts_s = None if inputs.expires is None else max(0.0, inputs.expires.timestamp() - at)
    cores = tuple(
        (one, (target.dedicated if dedicated else target.spot) * headroom.cores)
        for dedicated in (True, False)
        for one in headroom.binding(dedicated=dedicated)
    )
    return Forecast(
        cores=cores,
        replicas_needed=replication.replicas_needed(target.total),
        rounds=workload.expected_rounds(grown),
        ready_s=workload.start_s(grown),
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
    if limit is not None and target.total and (usd is None or usd > limit):
        cost = "what it costs is not known" if usd is None else f"${usd:,.2f} an hour"
        parts.append(f"{cost}, and this connection allows ${limit:,.2f}")
    if timeout_s is not None and timeout_s < MIN_RESIZE_TIMEOUT_S:
        parts.append("Azure's rule: a resize timeout is at least 5 minutes")
    if inputs.autoscale:
        parts.append("a formula sets the size of this pool: turn it off first")
    return parts


def _warnings(
    inputs: ForecastInputs, target: Counts, usd: float | None, timeout_s: float | None, needed_s: float
) -> list[str]:
    parts = []
    wanted = replication.replicas_needed(target.total)
    if inputs.replicas is not None and inputs.replicas < wanted:
        parts.append(f"{inputs.replicas} of {wanted} replicas that so many nodes want: they will come more slowly")
    if timeout_s is not None and MIN_RESIZE_TIMEOUT_S <= timeout_s < needed_s:
        parts.append(f"a timeout of {timeout_s / 60:.0f} min is short: so many nodes want {needed_s / 60:.0f}")
    if usd is None and target.total:
        parts.append("the price is not known")
    return parts
