"""Expiry: a pool that shall not outlive a moment, and a formula that has Azure itself see to it.

The moment is a mark on the pool, so that everybody sees it. The formula is set while the pool is steady and sets the
counts that it has until then, and 0 from then on: a closed laptop costs nothing more.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from azure.core import MatchConditions

from batchimg_magics.core.azure import tags
from batchimg_magics.core.azure.documents import dig, wire
from batchimg_magics.core.batch import pools
from batchimg_magics.errors import BatchImgError, ConflictError, ServiceError

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.base.node_counts import Counts
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.batch.pools import PoolState

#: How a formula of ours begins: by it, it is told from one that somebody else set.
FORMULA_PREFIX = "// batchimg: all nodes leave at "
#: Source: Batch service, autoScaleEvaluationInterval: the least is 5 minutes.
INTERVAL_S = 300.0
#: Source: Batch service, EnableAutoScale: "at most once every 30 seconds".
MIN_ENABLE_INTERVAL_S = 30.0
_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def format_tag_time(moment: dt.datetime) -> str:
    """Return a moment as marks and formulas write it."""
    return moment.astimezone(dt.UTC).strftime(_FORMAT)


def parse_tag_time(text: str | None) -> dt.datetime | None:
    """Return the moment that a mark says; None where it says none."""
    try:
        return dt.datetime.strptime(text or "", _FORMAT).replace(tzinfo=dt.UTC)
    except ValueError:
        return None


def expires_after(azure: Azure, seconds: float) -> dt.datetime:
    """Return the moment so many seconds from now, as marks can write it."""
    return dt.datetime.fromtimestamp(int(azure.now() + seconds), dt.UTC)


def expires_at(pool: PoolState) -> dt.datetime | None:
    """Return when a pool expires."""
    return parse_tag_time(pool.tags.get(tags.EXPIRES))


def is_unenforced(pool: Json) -> bool:
    """Tell whether a pool, given as its ARM document, has an expiry, and nodes, and nothing takes them away then.

    A resize that was broken off leaves it like that, and so does a formula of somebody's own.
    """
    if parse_tag_time(pools.tag_of(pool, tags.EXPIRES)) is None:
        return False
    props = pool["properties"]
    fixed = dig(props, "scaleSettings", "fixedScale") or {}
    nodes = (props.get("currentDedicatedNodes"), props.get("currentLowPriorityNodes"), *fixed.values())
    some = any(isinstance(count, int) and count for count in nodes)
    return some and not is_expiry_formula(str(dig(props, "scaleSettings", "autoScale", "formula") or ""))


def is_expiry_formula(formula: str) -> bool:
    """Tell whether a formula is one that an expiry set."""
    return formula.lstrip().startswith(FORMULA_PREFIX)


def formula(expires: dt.datetime, counts: Counts) -> str:
    """Return the formula that keeps these counts until a moment and none from then on."""
    moment = format_tag_time(expires)
    return "\n".join(
        [
            f"{FORMULA_PREFIX}{moment}",
            f'lives = time() < time("{moment}");',
            f"$TargetDedicatedNodes = lives ? {counts.dedicated} : 0;",
            f"$TargetLowPriorityNodes = lives ? {counts.spot} : 0;",
            "$NodeDeallocationOption = requeue;",
        ]
    )


async def set_expires_tag(azure: Azure, name: str, expires: dt.datetime | None) -> None:
    """Write on a pool when it expires; None takes the mark away.

    Raises
    ------
    ConflictError
        Somebody changed the pool at the same time.
    """
    scope = azure.scope
    found = await pools.read(azure, name)
    if found is None:
        return
    metadata = [one for one in found["properties"].get("metadata") or [] if one.get("name") != tags.EXPIRES]
    resource_tags = {key: value for key, value in (found.get("tags") or {}).items() if key != tags.EXPIRES}
    if expires is not None:
        metadata.append({"name": tags.EXPIRES, "value": format_tag_time(expires)})
        resource_tags[tags.EXPIRES] = format_tag_time(expires)
    body: Json = {"properties": {"metadata": metadata}, "tags": resource_tags}
    condition = MatchConditions.IfNotModified
    call = azure.management.pool.update(
        scope.resource_group, scope.account, name, wire(body), etag=found["etag"], match_condition=condition
    )
    await azure.call(call)


@dataclass(slots=True)
class Expiry:
    """The expiry of one pool while its size is being changed.

    Parameters
    ----------
    azure, pool, board
        Which; told while nothing sees to its expiry.
    expires
        When; None: never.
    lifted
        Whether the formula is off for the time being, and has to be set again.
    """

    azure: Azure
    pool: str
    board: Board
    expires: dt.datetime | None = None
    suspended: bool = False

    async def begin(self, state: PoolState, ttl_s: float | None, *, keep: bool) -> dt.datetime | None:
        """Read when a pool expires, or give it a new life, and return the moment.

        Parameters
        ----------
        seen
            The pool.
        ttl_s
            How long it shall live from now; None: as it is.
        keep
            Whether a life that is not over goes before a new one.
        """
        expires = expires_at(state)
        if ttl_s is not None and not (keep and expires is not None and expires.timestamp() > self.azure.now()):
            expires = expires_after(self.azure, ttl_s)
            await set_expires_tag(self.azure, self.pool, expires)
            self.suspended = True  # the formula there is, if any, says another moment
        elif expires is not None:
            self.suspended = not state.autoscale
        self.expires = expires
        self._announce_cleanup()
        return expires

    async def suspend(self, state: PoolState) -> PoolState:
        """Turn our formula off, where it is on, and return the pool once it is steady."""
        self.suspended = True
        self._announce_cleanup()
        if not state.autoscale:
            return state
        await disable_autoscale(self.azure, self.pool)
        return await pools.wait_until_steady(self.azure, self.pool)

    async def restore(self, counts: Counts) -> None:
        """Let Azure see to the expiry again, with these counts until then."""
        if self.expires is not None and self.suspended and counts.total:
            await pools.wait_until_steady(self.azure, self.pool)
            await enable_autoscale(self.azure, self.pool, formula(self.expires, counts), INTERVAL_S)
        self.suspended = False
        self.board.cleanup_done(self._key)

    @property
    def _key(self) -> str:
        return f"expiry of {self.pool}"

    def _announce_cleanup(self) -> None:
        if self.suspended and self.expires is not None:
            self.board.add_cleanup(
                self._key, f"nothing takes the nodes of {self.pool} away at {format_tag_time(self.expires)}"
            )

    async def restore_unless_changed(self, state: PoolState, counts: Counts) -> None:
        """Let Azure see to the expiry again after a failure, unless somebody else is at the pool.

        What went wrong first is what is told: no error of this is.
        """
        if not self.suspended or self.expires is None:
            return
        with contextlib.suppress(BatchImgError):
            now = await pools.read_state(self.azure, self.pool)
            if now.allocation == "steady" and now.target == state.target and not now.autoscale:
                await self.restore(counts.minimum(now.target))


async def enforce(azure: Azure, state: PoolState, current: Counts) -> str:
    """Let Azure see to the expiry of a pool that is steady again, where nothing does; return in words how it stands.

    A resize that was broken off leaves a pool without the formula. One that is going on in this session sets it itself.
    The formula keeps the nodes that are there: after a stop the pool's target is what nobody wants any more.
    """
    expires, kept = expires_at(state), current.minimum(state.target)
    if expires is None or state.autoscale or not kept.total or state.name.lower() in azure.spending_limit.planned:
        return ""
    if expires.timestamp() <= azure.now():
        return f"it expired at {format_tag_time(expires)}: `%batchimg cleanup --delete` deletes it"
    try:
        await enable_autoscale(azure, state.name, formula(expires, kept), INTERVAL_S)
    except ConflictError:
        return f"nothing takes its nodes away at {format_tag_time(expires)}: somebody else is at it; wait for it again"
    return f"Azure takes its nodes away at {format_tag_time(expires)} again"


async def disable_autoscale(azure: Azure, name: str) -> None:
    """Turn a pool's formula off; the pool keeps its targets."""
    client = await azure.batch()
    await azure.call(client.disable_pool_auto_scale(name))


async def enable_autoscale(azure: Azure, name: str, text: str, interval_s: float) -> None:
    """Let a formula set a pool's targets; Azure evaluates it at once."""
    client = await azure.batch()
    body: Json = {"autoScaleFormula": text, "autoScaleEvaluationInterval": f"PT{round(interval_s)}S"}
    try:
        await azure.call(client.enable_pool_auto_scale(name, wire(body)))
    except ServiceError as error:
        if error.code != "TooManyEnableAutoScaleRequests":
            raise
        await azure.sleep(MIN_ENABLE_INTERVAL_S)
        await azure.call(client.enable_pool_auto_scale(name, wire(body)))
