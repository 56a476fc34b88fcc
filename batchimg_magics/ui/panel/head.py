"""The head of the panel and its tiles as data for the front end, and for the static form."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.base.durations import format_duration
from batchimg_magics.core.base.node_counts import Counts
from batchimg_magics.core.batch import expiry
from batchimg_magics.pool_spec.words import count_text

if TYPE_CHECKING:
    from batchimg_magics.connection.connection import Connection
    from batchimg_magics.core.estimates.forecast import ForecastInputs
    from batchimg_magics.core.scaling.context import ImageSummary
    from batchimg_magics.core.scaling.watch import PoolSnapshot

__all__ = ["connection_text", "count_nodes", "head_state", "tile_states"]

_UNKNOWN = "not available"
#: An expiry, and an end of support, that is nearer than this is marked.
_NEAR_EXPIRY_S, _NEAR_END_DAYS = 1800.0, 90


def count_nodes(snapshot: PoolSnapshot) -> Counts:
    """Return the number of nodes of each kind that are not leaving the pool."""
    return Counts(snapshot.census.live(dedicated=True), snapshot.census.live(dedicated=False))


def connection_text(connection: Connection | None) -> str:
    """Return what the connection is: the emulator with its speed, or an account whose nodes are billed."""
    if connection is None:
        return "LOCAL \N{MIDDLE DOT} emulator"
    if connection.is_billed:
        return f"AZURE \N{MIDDLE DOT} {connection.azure.scope.account} \N{MIDDLE DOT} nodes are billed"
    parts = ["emulator"]
    if connection.emulator is not None:
        speed = connection.emulator.speed
        parts.append("instant time" if speed is None else f"{speed:g}x time")
    if connection.simulates_failures:
        parts.append(f"scenario {connection.scenario}")
    return f"LOCAL \N{MIDDLE DOT} {', '.join(parts)}"


def head_state(
    name: str, connection: Connection | None, snapshot: PoolSnapshot | None, context: ForecastInputs, usd: float | None
) -> dict[str, Any]:
    """Return the head.

    Parameters
    ----------
    name, connection
        The pool's name and the panel's connection.
    snapshot
        The pool and its nodes when they were last read; None: not read yet.
    context
        Prices and expiry of the pool.
    usd
        Cost of its nodes so far, in US dollars; None: not available.
    """
    state: dict[str, Any] = {
        "name": name,
        "connection": connection_text(connection),
        "real": connection is not None and connection.is_billed,
        "problem": f"last poll failed: {snapshot.problem}" if snapshot is not None and snapshot.problem else "",
    }
    if snapshot is None or snapshot.pool is None:
        return state | {"state": "deleted", "tone": "bad", "facts": []}
    now = count_nodes(snapshot)
    rate = context.rates.known_cost(now.dedicated, now.spot) if now.total else 0.0
    facts = [
        _fact("rate", _UNKNOWN if rate is None else f"${rate:,.2f}", "an hour"),
        _fact("usd", _UNKNOWN if usd is None else f"${usd:,.2f}", "so far",
              "Cost of the nodes, each since it was allocated, as observed by this panel"),
    ]  # fmt: skip
    if context.expires is not None:
        facts.append(_expiry(context, snapshot.at))
    text, tone = _pool_state(snapshot, now)
    return state | {"state": text, "tone": tone, "facts": facts}


def _fact(key: str, value: str, unit: str, title: str = "", *, loud: bool = False) -> dict[str, Any]:
    return {"key": key, "value": value, "unit": unit, "title": title, "loud": loud}


def _expiry(context: ForecastInputs, at: float) -> dict[str, Any]:
    expires = context.expires
    if expires is None:
        return {}
    left_s = expires.timestamp() - at
    title = f"{expires:%Y-%m-%d %H:%M}Z"
    if not context.expiry_enforced:
        return _fact("expires", title, "expiry is not enforced by Azure now", title, loud=True)
    if left_s <= 0:
        return _fact("expires", "expired", f"at {title}", title, loud=True)
    return _fact("expires", f"expires in {format_duration(left_s)}", "", title, loud=left_s < _NEAR_EXPIRY_S)


def _pool_state(snapshot: PoolSnapshot, now: Counts) -> tuple[str, str]:
    pool = snapshot.pool
    if pool is None:
        return "deleted", "bad"
    if pool.deleting:
        return "deleting", "bad"
    parts, moving = [pool.allocation], snapshot.census.transitional
    if pool.allocation == "resizing":
        parts.append(f"{now.total:,} of {pool.target.total:,}")
    elif moving and pool.allocation == "steady":
        parts.append(f"{moving:,} starting")
    is_calm = parts == ["steady"]
    if pool.autoscale and not expiry.is_expiry_formula(pool.formula):
        parts.append("autoscale")
    return " \N{MIDDLE DOT} ".join(parts), "calm" if is_calm else "live"


def tile_states(snapshot: PoolSnapshot | None, image: ImageSummary) -> list[dict[str, Any]]:
    """Return the tiles: nodes of both kinds, ready and bad ones, and the image.

    Parameters
    ----------
    snapshot, image
        The pool and its nodes, and its image.
    """
    tiles = []
    if snapshot is not None and snapshot.pool is not None:
        now, target, census = count_nodes(snapshot), snapshot.pool.target, snapshot.census
        tiles = [
            _tile(f"{now.dedicated:,}", "dedicated nodes", of=f"of {target.dedicated:,}"),
            _tile(f"{now.spot:,}", "spot nodes", of=f"of {target.spot:,}"),
            _tile(f"{census.ready:,}", "ready for work"),
            _tile(f"{census.bad:,}", "need attention", tone="bad" if census.bad else ""),
        ]
    return [*tiles, _image_tile(image, None if snapshot is None else snapshot.at)]


def _tile(value: str, label: str, *, of: str = "", tone: str = "", title: str = "") -> dict[str, Any]:
    return {"value": value, "label": label, "of": of, "tone": tone, "title": title}


def _image_tile(image: ImageSummary, at: float | None) -> dict[str, Any]:
    definition, _, version = image.name.rpartition("/")
    parts, tone = [f"image {definition}" if definition else "image"], ""
    today = None if at is None else dt.datetime.fromtimestamp(at, dt.UTC)
    if image.published is not None and today is not None:
        days = max(0, (today - image.published).days)
        parts.append("created today" if days == 0 else f"created {count_text(days, 'day')} ago")
    if image.agent_ends is not None and today is not None:
        days = (image.agent_ends - today.date()).days
        tone = "warn" if days < _NEAR_END_DAYS else ""
        parts.append(f"node agent support {'ended' if days < 0 else 'ends'} {image.agent_ends}")
    return _tile(version or image.name, " \N{MIDDLE DOT} ".join(parts), tone=tone, title=image.name)
