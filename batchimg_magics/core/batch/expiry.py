"""Expiry of a pool: a tag with the time, and an autoscale formula with which Azure removes the nodes at that time.

The formula is set while the pool is steady. It sets the current counts until the time of expiry and 0 after it, so that
nodes do not cost money after that even if no client is running.
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

#: The first line of an expiry formula, which distinguishes it from other formulas.
FORMULA_PREFIX = "// batchimg: all nodes leave at "
#: Source: Batch service, autoScaleEvaluationInterval: the least is 5 minutes.
INTERVAL_S = 300.0
#: Source: Batch service, EnableAutoScale: "at most once every 30 seconds".
MIN_ENABLE_INTERVAL_S = 30.0
_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def format_tag_time(moment: dt.datetime) -> str:
    """Return a time as tags and formulas write it."""
    return moment.astimezone(dt.UTC).strftime(_FORMAT)


def parse_tag_time(text: str | None) -> dt.datetime | None:
    """Return the time in a tag; None where it has none."""
    try:
        return dt.datetime.strptime(text or "", _FORMAT).replace(tzinfo=dt.UTC)
    except ValueError:
        return None


def expires_after(azure: Azure, seconds: float) -> dt.datetime:
    """Return the time a number of seconds from now, in whole seconds."""
    return dt.datetime.fromtimestamp(int(azure.now() + seconds), dt.UTC)


def expires_at(pool: PoolState) -> dt.datetime | None:
    """Return when a pool expires; None where it does not."""
    return parse_tag_time(pool.tags.get(tags.EXPIRES))


def is_unenforced(pool: Json) -> bool:
    """Tell whether a pool has an expiry and nodes, but no formula that removes them. The pool is a document of ARM.

    An interrupted resize leaves a pool without the formula, and so does another formula.
    """
    if parse_tag_time(pools.tag_of(pool, tags.EXPIRES)) is None:
        return False
    props = pool["properties"]
    fixed = dig(props, "scaleSettings", "fixedScale") or {}
    nodes = (props.get("currentDedicatedNodes"), props.get("currentLowPriorityNodes"), *fixed.values())
    has_nodes = any(isinstance(count, int) and count for count in nodes)
    return has_nodes and not is_expiry_formula(str(dig(props, "scaleSettings", "autoScale", "formula") or ""))


def is_expiry_formula(formula: str) -> bool:
    """Tell whether a formula is an expiry formula."""
    return formula.lstrip().startswith(FORMULA_PREFIX)


def formula(expires: dt.datetime, counts: Counts) -> str:
    """Return the formula that keeps these counts until the time of expiry, and 0 after it."""
    time = format_tag_time(expires)
    return "\n".join(
        [
            f"{FORMULA_PREFIX}{time}",
            f'lives = time() < time("{time}");',
            f"$TargetDedicatedNodes = lives ? {counts.dedicated} : 0;",
            f"$TargetLowPriorityNodes = lives ? {counts.spot} : 0;",
            "$NodeDeallocationOption = requeue;",
        ]
    )


async def set_expires_tag(azure: Azure, name: str, expires: dt.datetime | None) -> None:
    """Set the tag with the time of expiry on a pool; None removes it.

    Raises
    ------
    ConflictError
        Another client changed the pool at the same time.
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
    """The expiry of one pool during a resize.

    Parameters
    ----------
    azure, pool, board
        The connection, the name of the pool, and the progress, which shows that the expiry is suspended.
    expires
        The time of expiry; None: never.
    suspended
        Whether the formula is off and must be set again.
    """

    azure: Azure
    pool: str
    board: Board
    expires: dt.datetime | None = None
    suspended: bool = False

    async def begin(self, state: PoolState, ttl_s: float | None, *, keep: bool) -> dt.datetime | None:
        """Read when a pool expires, or set a new time, and return the time.

        Parameters
        ----------
        state
            The pool.
        ttl_s
            Seconds from now until it expires; None: leave its expiry as it is.
        keep
            Whether an expiry in the future is kept instead of a new one.
        """
        expires = expires_at(state)
        if ttl_s is not None and not (keep and expires is not None and expires.timestamp() > self.azure.now()):
            expires = expires_after(self.azure, ttl_s)
            await set_expires_tag(self.azure, self.pool, expires)
            self.suspended = True  # an existing formula has another time
        elif expires is not None:
            self.suspended = not state.autoscale
        self.expires = expires
        self._announce_cleanup()
        return expires

    async def suspend(self, state: PoolState) -> PoolState:
        """Disable the expiry formula, where it is enabled, and return the pool once it is steady."""
        self.suspended = True
        self._announce_cleanup()
        if not state.autoscale:
            return state
        await disable_autoscale(self.azure, self.pool)
        return await pools.wait_until_steady(self.azure, self.pool)

    async def restore(self, counts: Counts) -> None:
        """Set the expiry formula again, with these counts until the time of expiry."""
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
                self._key, f"expiry of pool {self.pool} at {format_tag_time(self.expires)} is disabled"
            )

    async def restore_unless_changed(self, state: PoolState, counts: Counts) -> None:
        """Set the expiry formula again after a failure, unless another client changed the pool.

        An error of this is not raised: the first failure is the one to report.
        """
        if not self.suspended or self.expires is None:
            return
        with contextlib.suppress(BatchImgError):
            now = await pools.read_state(self.azure, self.pool)
            if now.allocation == "steady" and now.target == state.target and not now.autoscale:
                await self.restore(counts.minimum(now.target))


async def enforce(azure: Azure, state: PoolState, current: Counts) -> str:
    """Set the expiry formula of a steady pool again, where it is missing; return a text about it, or an empty one.

    An interrupted resize leaves a pool without the formula. A resize that runs in this session sets it itself.
    The formula keeps the current nodes: after a stopped resize the pool's target is not the wanted size.
    """
    expires, kept = expires_at(state), current.minimum(state.target)
    if expires is None or state.autoscale or not kept.total or state.name.lower() in azure.spending_limit.planned:
        return ""
    if expires.timestamp() <= azure.now():
        return f"it expired at {format_tag_time(expires)}: `%batchimg cleanup --delete` deletes it"
    try:
        await enable_autoscale(azure, state.name, formula(expires, kept), INTERVAL_S)
    except ConflictError:
        return (
            f"its expiry at {format_tag_time(expires)} is disabled: another client changes the pool; wait for it again"
        )
    return f"its expiry at {format_tag_time(expires)} is enabled again"


async def disable_autoscale(azure: Azure, name: str) -> None:
    """Disable autoscale of a pool; the pool keeps its target counts."""
    client = await azure.batch()
    await azure.call(client.disable_pool_auto_scale(name))


async def enable_autoscale(azure: Azure, name: str, text: str, interval_s: float) -> None:
    """Enable autoscale of a pool with a formula, which Azure evaluates at once."""
    client = await azure.batch()
    body: Json = {"autoScaleFormula": text, "autoScaleEvaluationInterval": f"PT{round(interval_s)}S"}
    try:
        await azure.call(client.enable_pool_auto_scale(name, wire(body)))
    except ServiceError as error:
        if error.code != "TooManyEnableAutoScaleRequests":
            raise
        await azure.sleep(MIN_ENABLE_INTERVAL_S)
        await azure.call(client.enable_pool_auto_scale(name, wire(body)))
