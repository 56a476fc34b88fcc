"""Rules about how a pool is resized and reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.batch import pools
from batchimg_magics.core.checks.rules import sources
from batchimg_magics.core.checks.rules.rule import failed, passed, rule, unchecked, warned

if TYPE_CHECKING:
    from batchimg_magics.core.checks.facts import Facts
    from batchimg_magics.core.checks.rules.rule import RuleResults

#: Above so many nodes several rounds are normal. Source: the source document.
SEVERAL_ROUNDS_FROM = 300


@rule("pool-name", "error", sources.DOCUMENT)
def pool_name(facts: Facts) -> RuleResults:
    """No other pool has the name: one that is there is the wanted one, or may be changed or replaced."""
    if facts.conflict is not None:
        return failed(facts.conflict.message, facts.conflict.hint)
    if facts.pool_decision is None:
        return None
    done = {
        "exists": "it is there, as it is wanted",
        "changed": "it is there without nodes, and is changed",
        "replaced": "it is there, and is deleted and made anew",
    }
    return passed(": ".join(filter(None, [done[facts.pool_decision.action], facts.pool_decision.why])))


@rule("resize-timeout", "warning", sources.DOCUMENT)
def resize_timeout(facts: Facts) -> RuleResults:
    """The resize timeout is long enough: at least 20 minutes, and 15 for every 1,000 nodes."""
    nodes = facts.target.total
    if not nodes:
        return None
    needed, asked = pools.resize_timeout_s(nodes), facts.spec.timeout
    rounds = f"; above {SEVERAL_ROUNDS_FROM} nodes expect several rounds" if nodes > SEVERAL_ROUNDS_FROM else ""
    if asked is not None and asked < needed:
        return warned(
            f"{asked / 60:.0f} min for {nodes} nodes, which take about {needed / 60:.0f}{rounds}",
            f"--timeout {needed / 60:.0f}m, or leave it out",
        )
    return passed(f"{(asked or needed) / 60:.0f} min for {nodes} nodes{rounds}")


@rule("cost", "error", sources.LIMIT, needs=("pools",))
def cost(facts: Facts) -> RuleResults:
    """All pools together cost no more an hour than the connection allows."""
    limit, target = facts.limit_usd, facts.target
    if limit is None or not target.total or not facts.size_named_by_user:
        return None
    if facts.rates is None:
        return unchecked("nobody knows the size of the nodes or of their disks", "see the rules on size and image")
    own = facts.rates.cost(target.dedicated, target.spot)
    if own is None or facts.others_usd is None:
        what = "these nodes cost" if own is None else "other pools cost"
        return failed(
            f"the account may cost ${limit:.2f} an hour, and what {what} is not known",
            "the price list has no price for a size, system or disk: `%batchimg connect` without --max-cost-per-hour",
        )
    text = (
        f"${own:.2f} an hour for {target}, ${facts.others_usd:.2f} for other pools; --max-cost-per-hour is ${limit:.2f}"
    )
    if own + facts.others_usd <= limit:
        return passed(text)
    return failed(text, "fewer nodes, or `%batchimg connect` with a higher --max-cost-per-hour")


@rule("authentication", "error", sources.ACCESS)
def authentication(facts: Facts) -> RuleResults:
    """The account takes Microsoft Entra ID: pools of custom images are refused to a shared key."""
    modes = facts.account["properties"].get("allowedAuthenticationModes")
    if modes is None or "AAD" in modes:
        return passed("Microsoft Entra ID is allowed" if modes else "the account names no modes, and takes all")
    return failed(
        f"account {facts.scope.account} takes only {', '.join(modes) or 'nothing'}",
        f"`az resource update --ids {facts.account['id']} --set properties.allowedAuthenticationModes='[\"AAD\"]'`",
    )
