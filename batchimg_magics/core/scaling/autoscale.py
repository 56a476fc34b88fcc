"""Autoscale: set, show, evaluate and turn off the formula with which Azure sets a pool's targets."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure.documents import document, wire
from batchimg_magics.core.base.node_counts import Counts
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.batch import expiry, formulas, nodes, pools
from batchimg_magics.core.scaling import budget, context
from batchimg_magics.errors import BudgetError, ConflictError, ServiceError, SpecError
from batchimg_magics.pool_spec.words import count_text

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.base.consent import Consent
    from batchimg_magics.core.batch.pools import PoolState

#: Source: Batch service, autoScaleEvaluationInterval: "The default value is 15 minutes ... minimum 5 minutes".
DEFAULT_INTERVAL_S = 900.0
_IDLE = frozenset({"idle"})

# Source: "Create a formula to automatically scale compute nodes in a Batch pool" (Microsoft): too few samples
# give no useful average, and a node is removed only when its tasks have ended. A node runs one task per task slot.
_PENDING = """\
// batchimg preset pending-tasks
percent = $PendingTasks.GetSamplePercent(TimeInterval_Minute * 5);
last = $PendingTasks.GetSample(1);
tasks = percent < 70 ? max(0, last) : max(last, avg($PendingTasks.GetSample(TimeInterval_Minute * 5)));
wanted = ceil(tasks / $TaskSlotsPerNode);
$TargetDedicatedNodes = min(wanted, {dedicated});
$TargetLowPriorityNodes = min(max(0, wanted - {dedicated}), {spot});
$NodeDeallocationOption = taskcompletion;"""
# Source: as above, "Example 1: Time-based adjustment". Sunday is weekday 0.
_HOURS = """\
// batchimg preset working-hours
now = time();
works = now.weekday >= 1 && now.weekday <= 5 && now.hour >= 8 && now.hour < 18;
$TargetDedicatedNodes = works ? {dedicated} : 0;
$TargetLowPriorityNodes = works ? {spot} : 0;
$NodeDeallocationOption = taskcompletion;"""


@dataclass(frozen=True, slots=True)
class AutoscaleSetting:
    """How a pool's size is to be set.

    Parameters
    ----------
    formula
        The text of a formula; empty where a preset is used.
    preset
        One of `words.AUTOSCALE_PRESETS`; empty where there is a formula.
    dedicated, spot
        The most nodes of a preset; None: the pool's targets.
    ttl_s
        For the preset ``expiry``: seconds until all nodes are removed.
    interval_s
        Seconds between two evaluations; None: 15 minutes, for an expiry 5.
    """

    formula: str = ""
    preset: str = ""
    dedicated: int | None = None
    spot: int | None = None
    ttl_s: float | None = None
    interval_s: float | None = None

    def maximum(self, current: Counts) -> Counts:
        """Return the most nodes of a preset, for a pool with these targets."""
        return Counts(
            current.dedicated if self.dedicated is None else self.dedicated,
            current.spot if self.spot is None else self.spot,
        )

    def text(self, current: Counts, expires: dt.datetime | None) -> str:
        """Return the formula, for a pool with these targets."""
        if self.formula:
            return self.formula
        most = self.maximum(current)
        if self.preset == "expiry" and expires is not None:
            return expiry.formula(expires, most)
        shape = _PENDING if self.preset == "pending-tasks" else _HOURS
        return shape.format(dedicated=most.dedicated, spot=most.spot)


async def show(azure: Azure, name: str) -> Table:
    """Return how a pool's size is set."""
    return _table(await _document(azure, name))


async def turn_on(azure: Azure, name: str, setting: AutoscaleSetting, consent: Consent | None = None) -> Table:
    """Let a formula set a pool's size.

    Parameters
    ----------
    azure, name
        The connection, and the pool's name.
    setting
        The formula.
    consent
        Whether nodes may be removed. Where it is withheld, the table shows what the formula could remove.

    Raises
    ------
    ConflictError
        The pool is being resized.
    SpecError
        Azure rejects the formula.
    BudgetError
        The formula could exceed the account's limit per hour, or its cost cannot be known.
    """
    state = await pools.read_state(azure, name)
    pools.raise_if_deleting(state)
    if _is_set(state, setting):
        return await show(azure, state.name)  # the same line again: its first evaluation may be resizing the pool
    state = await _without_resize(azure, state, setting)
    await _check_spending_limit(azure, state, setting)
    expires = None
    if setting.preset == "expiry":
        expires = expiry.expires_after(azure, setting.ttl_s) if setting.ttl_s else expiry.expires_at(state)
        if expires is None:
            raise SpecError("the preset expiry needs --ttl", hint="for example: --ttl 8h")
    loss = await read_loss(azure, state, setting)
    if loss and consent is not None and consent.withheld:
        table = await show(azure, state.name)
        return consent.captioned(replace(table, caption=f"Dry run: pool {state.name}: {loss}; nothing was changed"))
    if expires is not None:
        await expiry.set_expires_tag(azure, state.name, expires)
    every_s = setting.interval_s or (expiry.INTERVAL_S if expires else DEFAULT_INTERVAL_S)
    try:
        await expiry.enable_autoscale(azure, state.name, setting.text(state.target, expires), every_s)
    except ServiceError as error:
        if not error.code.startswith("AutoScalingFormula"):
            raise
        raise SpecError(error.message, hint="nothing was changed; correct the formula") from error
    table = await show(azure, state.name)
    if loss:
        table.caption += f"; {loss}"
    return formulas.with_target_warning(table, setting.text(state.target, expires))


async def _without_resize(azure: Azure, state: PoolState, setting: AutoscaleSetting) -> PoolState:
    """Return the state of a pool that is not being resized; one that an expiry formula resizes is waited for."""
    if setting.preset == "expiry" and expiry.is_expiry_formula(state.formula):
        return await pools.wait_until_steady(azure, state.name)
    if state.allocation == "resizing":
        raise ConflictError(
            f"pool {state.name!r} is being resized",
            hint=f"wait for it, or `%batchimg stop-resize {state.name}` first",
            status_code=409,
        )
    return state


def _is_set(state: PoolState, setting: AutoscaleSetting) -> bool:
    """Tell whether a pool has exactly this formula; one that ends at a time after now is another one."""
    if setting.preset == "expiry" or not state.autoscale:
        return False
    same_interval = state.interval_s == (setting.interval_s or DEFAULT_INTERVAL_S)
    return same_interval and state.formula == setting.text(state.target, None)


async def read_loss(azure: Azure, state: PoolState, setting: AutoscaleSetting) -> str:
    """Return which of its nodes a pool can lose by a formula, as text; empty where it loses none at once.

    What an expiry removes at its end was asked for with it.
    """
    now = state.current
    if not now.total or (setting.formula and not formulas.sets_target(setting.formula)):
        return ""
    if setting.formula:
        return f"the formula may remove any of its {count_text(now.total, 'node')}"
    lost = now.total - now.minimum(setting.maximum(state.target)).total
    more = f"it keeps at most {setting.maximum(state.target)}, and the pool has {now}" if lost else ""
    if setting.preset == "pending-tasks":
        idle = (await nodes.count_nodes(azure, state.name)).count(_IDLE)
        rule = f"it removes nodes that no pending task needs: {idle:,} of {count_text(now.total, 'node')} idle now"
        return "; ".join(filter(None, (rule, more)))
    if setting.preset == "working-hours":
        works = _is_working_hour(dt.datetime.fromtimestamp(azure.now(), dt.UTC))
        when = "then" if works else "and it is outside them now"
        rule = f"it removes all nodes outside Monday to Friday, 8-18 UTC: {count_text(now.total, 'node')} {when}"
        return "; ".join(filter(None, (rule, more)))
    return more


def _is_working_hour(moment: dt.datetime) -> bool:
    """Tell what the preset working-hours computes: its Monday is weekday 1, that of Python is 0."""
    return moment.weekday() < 5 and 8 <= moment.hour < 18


async def _check_spending_limit(azure: Azure, state: PoolState, setting: AutoscaleSetting) -> None:
    if azure.spending_limit.usd_per_hour is None:
        return
    if setting.formula:
        raise BudgetError(
            "the connection has --max-cost-per-hour, and the cost of a formula cannot be known",
            hint="use a preset with --nodes and --spot, or connect without the limit",
        )
    pool_context = await context.read_context(azure, state.name)
    await budget.check_spending_limit(azure, pool_context, {state.name: setting.maximum(state.target)})


async def turn_off(azure: Azure, name: str) -> Table:
    """Turn a pool's formula off: the pool keeps its nodes, and does not expire any more."""
    state = await pools.read_state(azure, name)
    if expiry.expires_at(state) is not None:
        await expiry.set_expires_tag(azure, state.name, None)
    if state.autoscale:
        await expiry.disable_autoscale(azure, state.name)
        await pools.wait_until_steady(azure, state.name)
    return await show(azure, state.name)


async def evaluate(azure: Azure, name: str, setting: AutoscaleSetting | None) -> Table:
    """Return the values of a formula now, one row per variable; nothing is changed.

    Raises
    ------
    ConflictError
        Autoscale is not on: Azure evaluates a formula only on a pool with autoscale.
    SpecError
        The formula cannot be evaluated; the message has Azure's error.
    """
    state = await pools.read_state(azure, name)
    if not state.autoscale:
        raise ConflictError(
            f"autoscale is off for pool {state.name!r}; Azure evaluates formulas only on a pool with autoscale",
            hint=f"turn it on: `%batchimg autoscale {state.name} --preset pending-tasks --nodes N`",
            status_code=409,
        )
    expires = expiry.expires_after(azure, setting.ttl_s) if setting and setting.ttl_s else expiry.expires_at(state)
    text = setting.text(state.target, expires) if setting else state.formula
    client = await azure.batch()
    run = document(await azure.call(client.evaluate_pool_auto_scale(state.name, wire({"autoScaleFormula": text}))))
    if problem := pools.evaluation_error(run):
        raise SpecError(f"the formula cannot be evaluated: {problem}", hint="nothing was changed; correct the formula")
    rows = [_variable(part) for part in str(run.get("results") or "").split(";") if part.strip()]
    caption = f"values of the {'given formula on' if setting else 'formula of'} pool {state.name}, now"
    return formulas.with_target_warning(Table.from_rows("autoscale variables", rows, caption, formula=text), str(text))


def _variable(part: str) -> dict[str, Any]:
    name, _, value = part.strip().partition("=")
    try:
        number: float | None = float(value)
    except ValueError:
        number = None
    return {"variable": name, "value": value, "number": number}


async def _document(azure: Azure, name: str) -> Json:
    await pools.read_state(azure, name)  # its error suggests a similar name
    client = await azure.batch()
    return document(await azure.call(client.get_pool(name)))


def _table(found: Json) -> Table:
    state = pools.parse_state(found)
    row = {
        "pool": state.name,
        "autoscale": state.autoscale,
        "formula": state.formula or None,
        "interval_minutes": None if state.interval_s is None else state.interval_s / 60,
        "dedicated_target": state.target.dedicated,
        "spot_target": state.target.spot,
        "evaluated": state.evaluated,
        "error": state.evaluation_error or None,
        "expires": expiry.expires_at(state),
    }
    text = "a formula sets its size" if state.autoscale else "its size is fixed: autoscale is off"
    if state.autoscale and state.evaluated is None:
        text += "; it was not evaluated yet, so the targets are those of before"
    return Table.from_rows("autoscale", [row], f"pool {state.name}: {text}")
