"""Rules for the name, size, cost and access of a pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.azure import private_accounts
from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.batch import formulas, pools
from batchimg_magics.core.checks.rules import sources
from batchimg_magics.core.checks.rules.rule import failed, passed, rule, unchecked, warned
from batchimg_magics.core.estimates import prices
from batchimg_magics.pool_spec.line import shell_word
from batchimg_magics.pool_spec.words import count_text

if TYPE_CHECKING:
    from batchimg_magics.core.checks.facts import Facts
    from batchimg_magics.core.checks.rules.rule import RuleResults

#: Above so many nodes several resize attempts are normal. Source: the source document.
SEVERAL_ATTEMPTS_FROM = 300


@rule("pool-name", "error", sources.DOCUMENT)
def pool_name(facts: Facts) -> RuleResults:
    """No other pool has the name: an existing pool is as requested, or can be updated or replaced."""
    if facts.conflict is not None:
        return failed(facts.conflict.message, facts.conflict.hint)
    if facts.pool_decision is None:
        return None
    texts = {
        "exists": "pool exists as requested",
        "changed": "pool exists and is updated",
        "replaced": "pool exists and is deleted and created again",
    }
    return passed(": ".join(filter(None, [texts[facts.pool_decision.action], facts.pool_decision.why])))


@rule("resize-timeout", "warning", sources.DOCUMENT)
def resize_timeout(facts: Facts) -> RuleResults:
    """The resize timeout is long enough: 15 minutes per 1,000 nodes, and at least 20 minutes."""
    nodes = facts.target.total
    if not nodes:
        return None
    needed, requested = pools.resize_timeout_s(nodes), facts.spec.timeout
    several = nodes > SEVERAL_ATTEMPTS_FROM
    attempts = f"; above {SEVERAL_ATTEMPTS_FROM} nodes expect several resize attempts" if several else ""
    if requested is not None and requested < needed:
        return warned(
            f"{requested / 60:.0f} min for {count_text(nodes, 'node')}; recommended: {needed / 60:.0f} min{attempts}",
            f"--timeout {needed / 60:.0f}m, or omit it",
        )
    return passed(f"{(requested or needed) / 60:.0f} min for {count_text(nodes, 'node')}{attempts}")


@rule("cost", "error", sources.LIMIT, needs=("pools",))
def cost(facts: Facts) -> RuleResults:
    """The hourly cost of all pools is within the limit of the connection."""
    limit, target = facts.limit_usd, facts.target
    if limit is None or not target.total or not facts.size_named_by_user:
        return None
    if facts.rates is None:
        return unchecked(
            "the size of the nodes or of their disks is unknown", "see the rules for the VM size and the image"
        )
    own = facts.rates.cost(target.dedicated, target.spot)
    if own is None or facts.others_usd is None:
        what = "these nodes" if own is None else "other pools"
        return failed(
            f"the cost limit is ${limit:,.2f} per hour, and the cost of {what} is unknown",
            f"the price list has no price for {facts.rates.not_in_cost or 'a size, operating system or disk'}: "
            "`%batchimg connect` without --max-cost-per-hour",
        )
    text = (
        f"${own:,.2f}/h for {target}, ${facts.others_usd:,.2f}/h for other pools; --max-cost-per-hour is ${limit:,.2f} "
        f"and counts {prices.INCLUDED}"
    )
    if own + facts.others_usd <= limit:
        return passed(text)
    return failed(text, "request fewer nodes, or `%batchimg connect` with a higher --max-cost-per-hour")


@rule("authentication", "error", sources.ACCESS)
def authentication(facts: Facts) -> RuleResults:
    """The Batch account allows Microsoft Entra ID: a shared key cannot create pools of custom images."""
    modes = facts.account["properties"].get("allowedAuthenticationModes")
    if modes is None or "AAD" in modes:
        return passed("Microsoft Entra ID is allowed" if modes else "the account has no restriction, so it is allowed")
    return failed(
        f"account {facts.scope.account} allows only {', '.join(modes) or 'no authentication mode'}",
        f"`az resource update --ids {shell_word(facts.account['id'])} "
        "--set properties.allowedAuthenticationModes='[\"AAD\"]'`",
    )


@rule("autoscale-target", "warning", sources.API)
def autoscale_target(facts: Facts) -> RuleResults:
    """The autoscale formula of a new pool sets a target: otherwise the pool gets no nodes."""
    if facts.spec.formula is None:
        return None
    if formulas.sets_target(facts.spec.formula):
        return passed("the formula sets a target")
    return warned("the formula sets no target: the pool gets no nodes", formulas.TARGET_FIX)


@rule("inter-node-kinds", "warning", sources.API)
def inter_node_kinds(facts: Facts) -> RuleResults:
    """A pool with inter-node communication has dedicated or spot nodes, not both."""
    linked = facts.spec.inter_node or dig(facts.pool, "properties", "interNodeCommunication") == "Enabled"
    if not linked:
        return None
    if facts.target.dedicated and facts.target.spot:
        return warned(
            f"inter-node communication with {facts.target} nodes: Batch has refused such pools",
            "request either --nodes or --spot, or omit --inter-node",
        )
    return passed("inter-node communication with nodes of one kind")


@rule("account-access", "error", sources.PRIVATE)
def account_access(facts: Facts) -> RuleResults:
    """The Batch account can be reached from here: it allows public access, or this network."""
    restriction = private_accounts.restriction_of(facts.account)
    if not restriction:
        return passed("public network access is enabled")
    # A read of the data plane shows whether this machine is inside the account's network.
    reachable = "supported images" not in facts.unread
    text = f"account {facts.scope.account} is private: {restriction}"
    if reachable:
        return passed(f"{text}; it can be reached from here")
    return failed(f"{text}, and it cannot be reached from here", private_accounts.PRIVATE_HINT)
