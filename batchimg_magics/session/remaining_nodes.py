"""Tell which nodes a session leaves behind when it ends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from batchimg_magics.pool_spec.values import is_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batchimg_magics.connection.connection import Connection

__all__ = ["remaining_nodes_text"]


def remaining_nodes_text(connection: Connection | None, changed: Iterable[str]) -> str:
    """Return which pools of a connection to Azure still have nodes, as far as is known; no request is sent.

    Parameters
    ----------
    connection
        The connection.
    changed
        The names of the pools that the session has changed: those of others are not its concern.
    """
    if connection is None or not connection.is_billed:
        return ""
    cost, parts, total = connection.azure.account_cost, [], 0.0
    for name in sorted(changed, key=str.lower):
        counts = None if is_pattern(name) else cost.counts_of(name)
        if counts is None or not counts.total:
            continue
        usd = cost.usd_of(name)
        total += usd or 0.0
        parts.append((name, f"{name} ({counts}{'' if usd is None else f', ${usd:,.2f} an hour'})"))
    if not parts:
        return ""
    calls = "; ".join(f"`session.resize({json.dumps(name)}, nodes=0, spot=0, yes=True)`" for name, _ in parts)
    return f"The session ends, and nodes are still billed: {', '.join(text for _, text in parts)}. Remove them: {calls}"
