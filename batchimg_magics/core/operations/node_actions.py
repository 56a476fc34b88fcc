"""`repair --node`: reboot, reimage or remove single nodes, or set whether they take tasks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import polling
from batchimg_magics.core.base.concurrency import gather
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.batch import node_actions, nodes, pools
from batchimg_magics.core.batch.node_actions import NodeAction
from batchimg_magics.core.operations import node_removal
from batchimg_magics.core.scaling import readiness
from batchimg_magics.errors import ConflictError, NotFoundError, SpecError
from batchimg_magics.pool_spec.values import suggest_name
from batchimg_magics.pool_spec.words import count_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.base.consent import Consent
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.batch.node_pages import Node

__all__ = ["NodeCommand", "act_on_nodes"]

#: Requests at the same time.
MAX_CONCURRENT = 8
#: Seconds in which a node shows that it accepted a request: several servers answer.
MAX_UNCHANGED_S = 60.0
#: The form of an id that Azure Batch gave. Source: recordings.
_FULL_ID = re.compile(r"tvmps_[0-9a-f]{64}_[dp]")


@dataclass(frozen=True, slots=True)
class NodeCommand:
    """What to do with which nodes of a pool.

    Parameters
    ----------
    pool
        Name of the pool.
    words
        Ids of nodes, or shortened ids.
    action
        What to do.
    drain
        What happens to their tasks: a value of Azure's option; None: Azure's default, which is requeue.
    """

    pool: str
    words: tuple[str, ...]
    action: NodeAction
    drain: str | None = None


@dataclass(slots=True)
class _Target:
    """A node, and what came of the request. `before` is None where the node is not in the pool any more."""

    node_id: str
    before: Node | None
    outcome: str = "done"
    after: Node | None = None
    message: str = ""
    fix: str = ""
    seconds: float | None = None

    def row(self, pool: str, action: NodeAction) -> dict[str, Any]:
        shown = self.after if self.outcome != "planned" else self.before
        errors = nodes.errors_text(shown) if shown else ""
        return {
            "pool": pool,
            "node_id": self.node_id,
            "action": action.value,
            "outcome": self.outcome,
            "state": shown.state if shown else None,
            "exit_code": shown.start_task_info.exit_code if shown and shown.start_task_info else None,
            "running_tasks": self.before.running_tasks_count if self.before else None,
            "message": self.message or errors or None,
            "fix": self.fix or None,
            "dedicated": self.before.is_dedicated if self.before else None,
            "seconds": self.seconds,
        }


async def act_on_nodes(azure: Azure, command: NodeCommand, board: Board, consent: Consent) -> Table:
    """Do something with single nodes of a pool, and wait until it is done.

    Returns
    -------
    Table
        One row per node, with the schema ``node actions``. A reboot that waits for the tasks of a node is only
        requested.

    Raises
    ------
    NotFoundError
        The pool or a node does not exist.
    SpecError
        A shortened id means several nodes.
    ConflictError
        Azure refused the action for some of the nodes; the table of the error has all. Or a formula sets the size of
        the pool, from which nodes are to be removed.
    """
    state = await pools.read_state(azure, command.pool)
    pools.raise_if_deleting(state)
    targets = await _find(azure, command, state.name)
    if consent.withheld and _needs_consent(command, targets):
        for target in targets:
            target.outcome = "planned"
        return consent.captioned(_table(command, state.name, targets, _plan_text(command, state.name, targets)))
    began = azure.now()
    step = f"{command.action.value} {count_text(len(targets), 'node')}"
    board.begin(step, expected_s=command.action.minutes * 60 or None, total=len(targets))
    try:
        if command.action is NodeAction.REMOVE:
            wanted = [target.node_id for target in targets if target.before is not None]
            problem = await node_removal.remove_nodes(azure, state, wanted, command.drain, board)
            await _read_after_removal(azure, state.name, targets, problem)
        else:
            await _request(azure, command, state.name, targets, board, step)
    finally:
        board.end(step)
    for target in targets:
        if target.seconds is None and target.outcome == "done":
            target.seconds = round(azure.now() - began, 1)
    await readiness.count_and_record(azure, state.name)
    return _result(command, state.name, targets)


def _result(command: NodeCommand, pool: str, targets: list[_Target]) -> Table:
    """Return the table; raise an error with it where Azure refused something."""
    table = _table(command, pool, targets, _done_text(command, pool, targets))
    refused = [target for target in targets if target.outcome == "refused"]
    if refused:
        many = (
            f"{len(refused)} of {count_text(len(targets), 'node')}"
            if len(targets) > 1
            else f"node {refused[0].node_id}"
        )
        be = "were" if len(refused) > 1 else "was"
        raised = ConflictError(
            f"pool {pool!r}: {many} {be} not {command.action.done}: {refused[0].message}",
            hint=refused[0].fix,
            status_code=409,
        )
        raised.table = table
        raise raised
    return table


# -- which nodes -----------------------------------------------------------------------------------------------------


async def _find(azure: Azure, command: NodeCommand, pool: str) -> list[_Target]:
    known = [node.id for node in await nodes.read_nodes(azure, pool, states_only=True)]
    ids = dict.fromkeys(_find_one(known, word, command, pool) for word in command.words)
    found = await gather(*(nodes.read_node(azure, pool, one) for one in ids), limit=MAX_CONCURRENT)
    targets = [_Target(one, node) for one, node in zip(ids, found, strict=True)]
    for target in targets:
        if target.before is None:
            if command.action is not NodeAction.REMOVE:
                raise _not_found(known, target.node_id, pool)
            target.outcome, target.message = "unchanged", "the node is not in the pool any more"
    return targets


def _find_one(known: Sequence[str], word: str, command: NodeCommand, pool: str) -> str:
    found = nodes.find_node_ids(known, word)
    if len(found) > 1:
        raise SpecError(
            f"--node is {word!r}, and {len(found)} nodes of pool {pool!r} have such an id",
            hint=f"give more of the id: {', '.join(found[:3])}{' ...' if len(found) > 3 else ''}",
        )
    if found:
        return found[0]
    if command.action is NodeAction.REMOVE and _FULL_ID.fullmatch(word):
        return word  # an interrupted removal is repeated
    raise _not_found(known, word, pool)


def _not_found(known: Sequence[str], word: str, pool: str) -> NotFoundError:
    return NotFoundError(
        f"there is no node {word!r} in pool {pool!r}",
        hint=suggest_name(word, known) or f"`%batchimg nodes {pool}` lists the nodes",
        status_code=404,
        code="NodeNotFound",
    )


def _needs_consent(command: NodeCommand, targets: list[_Target]) -> bool:
    if command.action is NodeAction.REMOVE:
        return any(target.before is not None for target in targets)
    return command.action.ends_tasks(command.drain) and _running_tasks(targets) > 0


def _running_tasks(targets: list[_Target]) -> int:
    return sum(target.before.running_tasks_count or 0 for target in targets if target.before is not None)


# -- the requests ----------------------------------------------------------------------------------------------------


async def _request(
    azure: Azure, command: NodeCommand, pool: str, targets: list[_Target], board: Board, step: str
) -> None:
    """Send a request for each node, and wait until the nodes are ready again, or have failed."""

    async def one(target: _Target) -> None:
        try:
            await node_actions.request_action(azure, pool, target.node_id, command.action, command.drain)
        except (ConflictError, NotFoundError) as error:
            joined = command.action.is_unchanged(error)
            target.outcome = "unchanged" if joined else "refused"
            target.message = error.message
            target.fix = "" if joined else node_actions.refusal_fix(pool, target.node_id, error)

    await gather(*(one(target) for target in targets), limit=MAX_CONCURRENT)
    # Tasks may run for days: the node restarts, or closes, when they have ended.
    gentle = bool(command.action.option) and not command.action.ends_tasks(command.drain)
    if gentle and _running_tasks(targets):
        for target in targets:
            if target.outcome == "done" and target.before is not None and target.before.running_tasks_count:
                target.outcome, target.message = "requested", "done when its tasks have ended"
    waiting = [one for one in targets if one.outcome == "done" and command.action.restarts]
    await _wait(azure, pool, waiting, board, step)
    await _read_after(azure, pool, [one for one in targets if one not in waiting])


async def _wait(azure: Azure, pool: str, targets: list[_Target], board: Board, step: str) -> None:
    """Wait until nodes that restart are ready, or have failed."""
    if not targets:
        return
    began, left = azure.now(), list(targets)

    async def poll() -> polling.PollResult[None]:
        await _read_after(azure, pool, left)
        for target in [*left]:
            if _has_settled(target, waited_s=azure.now() - began):
                target.seconds = round(azure.now() - began, 1)
                left.remove(target)
        board.update(step, done=len(targets) - len(left))
        return polling.PollResult(not left, None, remaining=len(left))

    await polling.poll_until(
        azure,
        poll,
        what=f"restart of {count_text(len(targets), 'node')} of pool {pool}",
        first_s=pools.FIRST_POLL_S,
        timeout_s=readiness.SETTLE_TIMEOUT_S,
        pace=readiness.BOOT_POLL_PACE,
    )


def _has_settled(target: _Target, *, waited_s: float) -> bool:
    before, after = target.before, target.after
    if after is None or before is None:
        target.outcome, target.message = "refused", "the node left the pool"
        return True
    if after.state in nodes.TRANSITIONAL:
        return False
    if after.state_transition_time != before.state_transition_time or after.last_boot_time != before.last_boot_time:
        return True
    if waited_s > MAX_UNCHANGED_S:
        target.outcome, target.message = "unchanged", "Azure accepted the request, and the node did not change"
        return True
    return False


async def _read_after(azure: Azure, pool: str, targets: list[_Target]) -> None:
    found = await gather(*(nodes.read_node(azure, pool, one.node_id) for one in targets), limit=MAX_CONCURRENT)
    for target, node in zip(targets, found, strict=True):
        target.after = node


async def _read_after_removal(azure: Azure, pool: str, targets: list[_Target], problem: str) -> None:
    await _read_after(azure, pool, targets)
    for target in targets:
        if target.after is not None and target.after.state not in nodes.LEAVING:
            target.outcome, target.message = "refused", problem or "the node is still in the pool"
            target.fix = "run the same command again"
        elif target.after is not None:
            target.outcome, target.message = "requested", "the node is leaving the pool"


# -- the table -------------------------------------------------------------------------------------------------------


def _table(command: NodeCommand, pool: str, targets: list[_Target], caption: str) -> Table:
    return Table.from_rows("node actions", [target.row(pool, command.action) for target in targets], caption)


def _plan_text(command: NodeCommand, pool: str, targets: list[_Target]) -> str:
    present = sum(target.before is not None for target in targets)
    tasks = _running_tasks(targets) if command.action.ends_tasks(command.drain) else 0
    ends = f"; {tasks} running {'task' if tasks == 1 else 'tasks'} would end" if tasks else ""
    return f"Dry run: {count_text(present, 'node')} of pool {pool} would be {command.action.done}{ends}"


def _done_text(command: NodeCommand, pool: str, targets: list[_Target]) -> str:
    parts = [
        f"{count_text(sum(one.outcome == 'done' for one in targets), 'node')} of pool {pool} {command.action.done}"
    ]
    if requested := sum(one.outcome == "requested" for one in targets):
        parts.append(f"{requested} requested: done when their tasks have ended")
    parts += [
        f"{count} {word}" for word in ("unchanged", "refused") if (count := sum(one.outcome == word for one in targets))
    ]
    return "; ".join(parts)
