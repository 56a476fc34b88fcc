"""The resize controller: resize attempts until a pool has the requested nodes, or until it cannot get them.

An attempt is one resize of Azure Batch: request it, wait until the pool is steady, read the live nodes and the errors
of **this** resize, classify the outcome, then retry or stop. Above 300 nodes, several attempts are normal.

A pool with an expiry is resized by its formula (`expiry_run`): an attempt is then an evaluation of Azure Batch.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from batchimg_magics.core.base.node_counts import Counts
from batchimg_magics.core.base.outcomes import OutcomeClass
from batchimg_magics.core.batch import expiry, pools
from batchimg_magics.core.compute.image_versions import ImageState
from batchimg_magics.core.scaling import (
    attempt,
    context,
    failures,
    fallback,
    joining,
    node_health,
    planned_steps,
    readiness,
)
from batchimg_magics.core.scaling.budget import ResizeBudget
from batchimg_magics.core.scaling.expiry_run import Expiry
from batchimg_magics.core.scaling.outcomes import ResizeOutcome
from batchimg_magics.core.scaling.run import ResizeRun
from batchimg_magics.errors import BatchImgError, NotFoundError
from batchimg_magics.pool_spec.words import count_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.base.table import Table
    from batchimg_magics.core.scaling.request import ResizeRequest
    from batchimg_magics.core.scaling.rounds import Round

#: Seconds before the retry after a temporary fault in Azure, doubled each time, and the longest such pause.
TRANSIENT_PAUSE_S, MAX_PAUSE_S = 30.0, 480.0
#: How often nodes are requested again that the pool had and lost, before the resize fails.
MAX_READY_TRIES = 3


class ResizeController:
    """Resizes one pool.

    Parameters
    ----------
    azure, pool
        The connection and the pool's name.
    request
        The requested counts and the policy.
    board
        Shows progress.
    verb
        The verb whose table is returned.
    resize_budget
        The budget, where several pools share one.
    """

    def __init__(
        self,
        azure: Azure,
        pool: str,
        request: ResizeRequest,
        board: Board,
        verb: str = "resize",
        resize_budget: ResizeBudget | None = None,
    ) -> None:
        self.azure, self.pool, self.request = azure, pool, request
        self.board = board
        self.verb = verb
        self._budget = resize_budget or ResizeBudget(azure, request.policy.max_cost)
        self._started_at = azure.now()
        self._run: ResizeRun | None = None

    @property
    def rounds(self) -> list[Round]:
        """The rows of the table so far."""
        return self._run.rounds if self._run else []

    @property
    def nodes(self) -> str:
        """The pool's nodes, as text."""
        return str(self._run.census) if self._run else "not read"

    async def run(self) -> Table:
        """Resize the pool until it has the requested nodes.

        Returns
        -------
        Table
            One row per resize attempt or repair; none where the pool had the requested nodes already.

        Raises
        ------
        ResizeError
            The pool cannot get the nodes; the error's table has the rows.
        BudgetError
            The next attempt could exceed the budget. It was not requested.
        ConflictError
            A formula sets the pool's size, or the pool is being deleted.
        """
        step, planned, key = f"{self.verb} {self.pool}", self.azure.spending_limit.planned, self.pool.lower()
        planned[key] = Counts()  # while it exists, `wait` leaves the pool's expiry to this resize
        self.board.begin(step)
        try:
            try:
                run = await self._read_pool()
                planned[key] = run.target
                await _reach_target(run, step)
            finally:
                planned_steps.end_steps(self.board, self.pool, step)
            if self.request.policy.until == "ready" and run.target.total:
                await _reach_ready(run)
            await run.expiry.finish(run.state, run.target)
        except (Exception, asyncio.CancelledError, KeyboardInterrupt, SystemExit) as error:
            await self._end_early(error)
            raise
        finally:
            planned.pop(key, None)
        self.azure.ledger.clear_wanted_size(run.pool)
        return run.table(self.verb)

    async def _end_early(self, error: BaseException) -> None:
        """Add the rows so far to an error; whatever it is, let the pool's expiry be enforced."""
        if (run := self._run) is None:
            return
        if isinstance(error, BatchImgError) and run.rounds:
            run.record_drift(self.azure.now(), run.live)
            error.table = error.table or run.table(self.verb)
        try:
            if isinstance(error, BatchImgError) and not isinstance(error, NotFoundError):
                await run.expiry.finish_unless_changed(run.state, run.held)
        finally:
            await run.expiry.enforce_after(error)

    async def _read_pool(self) -> ResizeRun:
        """Read the pool, and wait until it is steady."""
        azure, request = self.azure, self.request
        state = await pools.read_state_cached(azure, self.pool)
        pools.raise_if_deleting(state)
        self.pool = state.name
        if state.autoscale and not expiry.is_expiry_formula(state.formula):
            if not request.autoscale_off:
                raise failures.autoscale_error(state.name)
            if request.policy.lasting_s is None and expiry.expires_at(state) is None:
                await expiry.disable_autoscale(azure, state.name)
            state = await pools.wait_until_steady(azure, state.name)
        run = self._run = ResizeRun(
            azure=azure,
            pool=state.name,
            board=self.board,
            request=request,
            budget=self._budget,
            expiry=Expiry(azure, state.name, self.board, request.drain),
            state=state,
            census=await readiness.count_and_record(azure, state.name),
            target=request.target(expiry.counts_in_force(state, azure.now())),
            started_at=self._started_at,
            state_read_at=azure.now(),
        )
        if state.allocation != "steady":
            await joining.wait_for_running_resize(run)
        run.target = request.target(joining.targets_before_repair(run))
        policy, keep = request.policy, request.grow_only or request.policy.ttl is None
        run.set_state(await run.expiry.begin(run.state, policy.lasting_s, keep=keep, then_zero=policy.then_zero))
        if run.expiry.is_over and run.target.total and not run.is_at(run.target):
            raise failures.expired_error(run)
        return run


# -- resize attempts -----------------------------------------------------------------------------------------------


async def _reach_target(run: ResizeRun, step: str) -> None:
    first_node = False
    if not run.held.covers(run.target):
        await _prepare(run)
        first_node = await node_health.is_first_node_wanted(run)
    allocation_s = planned_steps.plan_steps(run, step, tests_first=first_node)
    if first_node:
        planned_steps.begin_first_node(run, step)
        await _try_first_node(run)
        run.board.begin(step, expected_s=allocation_s)
    await _request_spot_that_fits(run, step)
    await _resize_to(run, run.target, step)


async def _prepare(run: ResizeRun) -> None:
    """Read what growth depends on, and fail early where it cannot work."""
    run.context = await context.read_context(run.azure, run.pool)
    if run.context.image.state is ImageState.MISSING:
        raise failures.image_missing_error(run, str(run.context.image.id))
    policy, headroom = run.request.policy, run.context.headroom
    if text := fallback.shortfall(run.request, headroom, run.target):
        if not policy.take_what_fits:
            raise failures.quota_error(run, text)
        fitting = headroom.fitting(run.target)
        run.target, run.quota_shortfall = fitting.maximum(run.held.minimum(run.target)), text
    # The budget of the whole target, also for the first node: it would be wasted if the rest is too expensive.
    await run.budget.reserve(run.context, run.target.maximum(run.live), run.timeout_s(run.target))


async def _try_first_node(run: ResizeRun) -> None:
    """Start one node first."""
    if not run.live.total:
        await _resize_to(run, run.request.first_node(run.target), reason="one node first")
    run.census = await node_health.wait_for_first_node(run)
    if not run.census.ready:
        raise await failures.bad_nodes_error(
            run, f"the first node is not usable ({run.census}); no more nodes were requested"
        )
    run.record_working_image()


async def _request_spot_that_fits(run: ResizeRun, step: str) -> None:
    """Request the spot nodes that the quota allows, where dedicated nodes may replace the others; then those."""
    policy, whole = run.request.policy, run.target
    if not policy.fallback_dedicated or run.context is None or not (text := run.context.headroom.shortfall(whole)):
        return
    spot = max(run.context.headroom.fitting(whole).spot, min(run.held.spot, whole.spot))
    if (instead := await fallback.goal_instead(run, whole, spot)) is None:
        if not policy.take_what_fits:
            raise failures.quota_error(run, text)
        run.target, run.quota_shortfall = Counts(whole.dedicated, spot), text
        return
    run.target = first = Counts(whole.dedicated, spot)
    await _resize_to(run, first, step)
    if run.target == first:
        run.target, run.judged_from = instead, len(run.attempts)
        await _resize_to(run, instead, step, fallback.REASON)
    if run.target.total < whole.total:
        run.quota_shortfall = text
        if not policy.take_what_fits:
            run.target = whole
            raise failures.quota_error(run, text, requested=True)


async def _resize_to(run: ResizeRun, goal: Counts, step: str = "", reason: str = "") -> None:
    """Repeat resize attempts until the pool has these nodes: `step` shows progress, `reason` is for ``action``."""
    while not run.is_at(goal):
        if (instead := await fallback.goal_after_failure(run, goal)) is not None and await failures.is_final(run):
            failed = run.attempts[-1].outcome
            whole, run.target, run.judged_from = run.target, instead, len(run.attempts)
            await _resize_to(run, instead, step, fallback.REASON)
            if instead.total < goal.total and not run.request.policy.take_what_fits:
                run.target = whole
                raise failures.target_error(run, failed)
            return
        if failures.is_quota_accepted(run):
            run.target = run.held.minimum(goal)
            run.quota_shortfall = run.attempts[-1].outcome.message or ""
            return
        if run.judged_attempts and run.judged_attempts[-1].outcome.kind is OutcomeClass.QUOTA:
            run.context = await context.read_context(run.azure, run.pool)  # for what is missing now
        await failures.raise_if_final(run)
        _show_progress(run, step, run.live, goal)
        await _attempt(run, goal, step, reason)


def _show_progress(run: ResizeRun, step: str, current: Counts, goal: Counts) -> None:
    if step:
        run.board.update(step, done=min(current.total, goal.total), total=goal.total)


async def _attempt(run: ResizeRun, goal: Counts, step: str, reason: str) -> None:
    """Request a resize once, wait until the pool is steady, and record the outcome."""
    await _pause(run)
    start = run.start_round(goal, "joined")
    await failures.raise_if_changed_externally(run, goal)
    if run.is_at(goal):  # another run requested the same size
        run.attempts.append(run.record(start, ResizeOutcome()))
        return
    timeout_s = run.timeout_s(goal)
    if run.context is not None and not run.live.covers(goal):
        await run.budget.reserve(run.context, goal.maximum(run.live), timeout_s + attempt.BUDGET_DELAY_S)
    if run.expiry.is_over and goal.total:
        raise failures.expired_error(run)
    run.set_state(await run.expiry.step_back(run.state, goal, run.held))
    if run.expiry.is_stuck:
        run.set_state(await run.expiry.turn_off(run.state))
        reason = ": ".join(part for part in (reason, "turned autoscale off and on") if part)
    asked, before = run.expiry.asked(goal), run.state
    start = run.start_round(goal, reason, timeout_s)
    outcome = await attempt.request_resize(run.azure, before, lambda: _request(run, goal, timeout_s), asked)
    if outcome is None:
        run.set_state(
            await attempt.wait_for_end(
                run.azure,
                before,
                asked,
                limit_s=run.wait_limit_s(),
                on_poll=lambda state: _show_progress(run, step, state.current, goal),
            )
        )
    else:
        run.set_state(await pools.read_state(run.azure, run.pool))
    await run.read_rates()
    run.census = await readiness.count_and_record(run.azure, run.pool)
    outcome = outcome or attempt.resize_outcome(before, run.state, asked, run.held)
    run.expiry.is_stuck = outcome.code == attempt.NOT_EVALUATED
    run.attempts.append(run.record(start, outcome))


async def _request(run: ResizeRun, goal: Counts, timeout_s: float) -> None:
    """Request a size: by the formula of a pool with an expiry, else by a resize."""
    if run.expiry.expires is None:
        await pools.resize(run.azure, run.pool, goal, timeout_s, run.request.drain)
    else:
        await run.expiry.send(goal)


async def _pause(run: ResizeRun) -> None:
    """Wait after a temporary fault in Azure, longer each time."""
    faults = [one for one in run.attempts if one.outcome.kind is OutcomeClass.TRANSIENT]
    if faults and run.attempts[-1] is faults[-1]:
        await run.azure.sleep(min(TRANSIENT_PAUSE_S * 2 ** (len(faults) - 1), MAX_PAUSE_S))


# -- until the nodes are ready -------------------------------------------------------------------------------------


async def _reach_ready(run: ResizeRun) -> None:
    """Wait until the nodes are ready, replace bad ones if the policy requires it, and request lost ones again."""
    for _ in range(MAX_READY_TRIES):
        await node_health.settle(run, run.census)
        if run.request.policy.repair:
            await _repair(run)
        if run.held.covers(run.target):
            break
        state = await pools.wait_until_steady(run.azure, run.pool)
        run.census = await readiness.count_and_record(run.azure, run.pool)
        if not run.expiry.asked(run.target).is_kept(state):
            raise failures.target_error(run, attempt.external_change(state))
        run.set_state(state)
        await _resize_to(run, run.target, reason="nodes were lost")
    run.record_drift(run.azure.now(), run.live)
    if not run.held.covers(run.target):
        raise failures.target_error(run, ResizeOutcome(OutcomeClass.PARTIAL, None, "the pool keeps losing nodes"))
    await failures.raise_if_too_many_bad(run)


async def _repair(run: ResizeRun) -> None:
    """Reboot, wait for, or replace a pool's bad nodes; each of these is a row of the table."""
    rebooted: set[str] = set()
    for _ in range(node_health.MAX_REPLACEMENTS):
        bad = await node_health.read_bad_nodes(run)
        if not bad:
            return
        failed = [one for one, state in bad.items() if state == "starttaskfailed" and one not in rebooted]
        if failed:
            rebooted |= set(failed)
            start, repair = run.start_round(), await node_health.reboot(run, failed)
            await node_health.settle(run)
            run.record(start, repair.outcome, repair.action)
        if "unusable" in bad.values():
            start = run.start_round()
            run.census, repair = await node_health.wait_for_recovery(run)
            run.record(start, repair.outcome, repair.action)
        if still_bad := list(await node_health.read_bad_nodes(run)):
            await _replace(run, still_bad)


async def _replace(run: ResizeRun, node_ids: list[str]) -> None:
    """Remove nodes, and resize the pool to its target again."""
    run.azure.ledger.set_wanted_size(run.pool, run.target.dedicated, run.target.spot)
    for first in range(0, len(node_ids), node_health.MAX_REMOVED_AT_ONCE):
        await _remove(run, node_ids[first : first + node_health.MAX_REMOVED_AT_ONCE])
    await _resize_to(run, run.target, reason="replaced bad nodes")
    await node_health.settle(run)


async def _remove(run: ResizeRun, node_ids: Sequence[str]) -> None:
    """Remove nodes and wait until they are gone; nodes that are gone or have recovered are left alone."""
    start, bad = run.start_round(), await node_health.read_bad_nodes(run)
    leaving = [one for one in node_ids if one in bad]
    if not leaving:
        return
    # Azure removes single nodes only from a pool of fixed size.
    run.set_state(await run.expiry.turn_off(run.state))
    before, asked = run.state, attempt.AskedSize()
    failure = await attempt.request_resize(
        run.azure, before, lambda: pools.remove_nodes(run.azure, run.pool, leaving), asked
    )
    if failure is None:
        run.set_state(await attempt.wait_for_end(run.azure, before, asked))
    run.census = await readiness.count_and_record(run.azure, run.pool)
    if failure is None:
        run.record(start, ResizeOutcome(OutcomeClass.REPAIR), f"removed {count_text(len(leaving), 'bad node')}")
        return
    run.record(start, failure)
    if failure.kind is OutcomeClass.EXTERNAL:
        raise failures.target_error(run, failure)
