"""The steps of a resize for its progress, and their usual durations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.base.progress import PlannedStep
from batchimg_magics.core.batch import pools
from batchimg_magics.core.estimates import workload

if TYPE_CHECKING:
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.scaling.run import ResizeRun


def settle_step(pool: str) -> str:
    """Return the name of the step in which a pool's nodes start."""
    return f"nodes of {pool}"


def first_node_step(pool: str) -> str:
    """Return the name of the step in which one node is started first."""
    return f"first node of {pool}"


def settling(run: ResizeRun) -> PlannedStep:
    """Return the step in which the nodes that were allocated start."""
    starting = max(1, run.target.total - run.census.ready)
    return PlannedStep(settle_step(run.pool), workload.boot_s(starting, run.os_type))


def first_node(run: ResizeRun) -> PlannedStep:
    """Return the step in which one node is allocated and started."""
    return PlannedStep(first_node_step(run.pool), workload.start_s(1, run.os_type))


def plan_steps(run: ResizeRun, step: str, *, tests_first: bool) -> float:
    """Tell the steps of the resize and their usual durations, and return that of the allocation in seconds."""
    more, policy, steps = run.target.total - run.held.total, run.request.policy, []
    if tests_first:
        steps.append(first_node(run))
        more -= 1
    if more > 0:
        allocation_s = workload.allocation_s(more)
    else:
        allocation_s = 0.0 if run.is_at(run.target) else pools.EXPECTED_S["shrink"]
    steps.append(PlannedStep(step, allocation_s, tuple(one.name for one in steps)))
    if policy.until == "ready" and run.target.total:
        boot_s = workload.boot_s(max(0, more), run.os_type)
        steps.append(PlannedStep(settle_step(run.pool), boot_s, (step,)))
    run.board.plan(steps)
    run.board.update(step, expected_s=allocation_s or None)
    return allocation_s


def begin_first_node(run: ResizeRun, step: str) -> None:
    """Show the first node in place of the step of the resize, which begins after it."""
    run.board.withdraw(step)
    shown = first_node(run)
    run.board.begin(shown.name, expected_s=shown.expected_s, total=1)


def end_steps(board: Board, pool: str, step: str) -> None:
    """End the steps of the allocation."""
    for name in (first_node_step(pool), step):
        if board.is_running(name):
            board.end(name)
