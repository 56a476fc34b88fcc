"""Rules about how a pool is resized and reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core import pools
from batchimg_magics.core.rules import sources
from batchimg_magics.core.rules.rule import broken, doubtful, kept, rule

if TYPE_CHECKING:
    from batchimg_magics.core.facts import Facts
    from batchimg_magics.core.rules.rule import Found

#: Above so many nodes several rounds are normal. Source: the source document.
SEVERAL_ROUNDS_FROM = 300


@rule("resize-timeout", "warning", sources.DOCUMENT)
def resize_timeout(facts: Facts) -> Found:
    """The resize timeout is long enough: at least 20 minutes, and 15 for every 1,000 nodes."""
    nodes = facts.target.total
    if not nodes:
        return None
    needed, asked = pools.timeout_s(nodes), facts.spec.timeout
    rounds = f"; above {SEVERAL_ROUNDS_FROM} nodes expect several rounds" if nodes > SEVERAL_ROUNDS_FROM else ""
    if asked is not None and asked < needed:
        return doubtful(
            f"{asked / 60:.0f} min for {nodes} nodes, which take about {needed / 60:.0f}{rounds}",
            f"--timeout {needed / 60:.0f}m, or leave it out",
        )
    return kept(f"{(asked or needed) / 60:.0f} min for {nodes} nodes{rounds}")


@rule("authentication", "error", sources.ACCESS)
def authentication(facts: Facts) -> Found:
    """The account takes Microsoft Entra ID: pools of custom images are refused to a shared key."""
    modes = facts.account["properties"].get("allowedAuthenticationModes")
    if modes is None or "AAD" in modes:
        return kept("Microsoft Entra ID is allowed")
    return broken(
        f"account {facts.scope.account} takes only {', '.join(modes) or 'nothing'}",
        f"`az resource update --ids {facts.account['id']} --set properties.allowedAuthenticationModes='[\"AAD\"]'`",
    )
