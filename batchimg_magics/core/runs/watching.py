"""Watch a run until its tasks have ended: counts by one small request a poll, and a forecast of the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.azure import polling
from batchimg_magics.core.azure.polling import PollPace, PollResult
from batchimg_magics.core.base.durations import format_duration, format_time
from batchimg_magics.core.batch import pools
from batchimg_magics.core.runs.jobs import read_job
from batchimg_magics.core.runs.pool_facts import RunPool
from batchimg_magics.core.runs.tasks import TaskCounts, read_counts
from batchimg_magics.errors import ConflictError, NotFoundError, WaitTimeoutError

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.runs.pool_facts import NodePrices

__all__ = ["STALL_S", "RunWatch"]

#: The step of the progress.
STEP = "rows"
#: Seconds between two polls where nothing ends: a tenth of the time waited so far, within these bounds.
PACE = PollPace(1 / 10, 5.0, 60.0)
#: Seconds without any running task after which the pool and the job are read, and after which the wait ends.
CHECK_S, STALL_S = 300.0, 7200.0
#: Seconds after which tasks that are neither counted as done nor as open are lost: counts may be late.
LOST_S = 60.0


class RunWatch:
    """Watches the tasks of one run.

    Parameters
    ----------
    azure, job, pool, prices, board
        The connection, the id of the job, its pool, what a task costs per hour, and the progress.

    Attributes
    ----------
    warning
        What the user should know of the forecast; empty: nothing.
    """

    def __init__(self, azure: Azure, job: str, pool: RunPool, prices: NodePrices, board: Board) -> None:
        self.warning = ""
        self._azure = azure
        self._job = job
        self._pool = pool
        self._price = _mean_price(pool, prices)
        self._board = board
        self._first: tuple[float, int] | None = None
        self._last: tuple[float, int] | None = None
        self._slot_s = 0.0
        self._idle_since: float | None = None
        self._checked = 0.0

    async def until_done(self, total: int) -> TaskCounts:
        """Wait until so many tasks have ended, and return the last counts.

        Raises
        ------
        ConflictError
            The run was stopped meanwhile.
        NotFoundError
            The job or the pool was deleted meanwhile.
        WaitTimeoutError
            No task has run for a long time, or the pool has no nodes any more.
        """
        self._board.begin(STEP, total=total)

        async def poll() -> PollResult[TaskCounts]:
            counts = await read_counts(self._azure, self._job)
            self._tell(counts, total)
            if counts.done < total:
                await self._check_progress(counts)
            return PollResult(counts.done >= total, counts, remaining=total - counts.done)

        counts = await polling.poll_until(self._azure, poll, what=f"run {self._job}", pace=PACE)
        self._board.end(STEP)
        return counts

    def _tell(self, counts: TaskCounts, total: int) -> None:
        now = self._azure.now()
        self._first = self._first or (now, counts.done)
        if self._last is not None:
            self._slot_s += (now - self._last[0]) * (counts.running + self._last[1]) / 2
        self._last = (now, counts.running)
        began, before = self._first
        parts = [f"{counts.failed} failed"] if counts.failed else []
        parts += [f"{counts.running} running", f"{counts.active} waiting"]
        left_s = None
        if counts.done > before and now > began:
            left_s = (total - counts.done) * (now - began) / (counts.done - before)
            parts.append(f"about {format_duration(left_s)} left")
            if self._price is not None:
                usd = self._slot_s * self._price / 3600 * (total - before) / (counts.done - before)
                parts.append(f"about ${usd:,.2f} in all")
            self._warn(now + left_s)
        expected_s = None if left_s is None else now - began + left_s
        text = ", ".join(filter(None, [*parts, self.warning]))
        self._board.update(STEP, done=counts.done, total=total, detail=text, expected_s=expected_s)

    def _warn(self, end: float) -> None:
        expires = self._pool.expires
        late = expires is not None and end > expires.timestamp()
        self.warning = (
            f"pool {self._pool.name} expires at {format_time(expires)}, before that" if expires and late else ""
        )

    async def _check_progress(self, counts: TaskCounts) -> None:
        """Find out why nothing runs, once in a while."""
        now = self._azure.now()
        if counts.running:
            self._idle_since = None
            return
        if self._idle_since is None:
            self._idle_since = self._checked = now
        idle_s = now - self._idle_since
        if not counts.active and idle_s >= LOST_S:
            raise ConflictError(
                f"run {self._job}: tasks of it were deleted", hint="the same line again adds them, and runs them again"
            )
        if now - self._checked < CHECK_S:
            return
        self._checked = now
        found = await read_job(self._azure, self._job)
        if found is None:
            raise NotFoundError(f"run {self._job} was deleted", hint="run the same line again", status_code=404)
        if found.state != "active":
            raise ConflictError(
                f"run {self._job} was stopped: its job is {found.state}",
                hint=f"`%batchimg results {self._job}` shows the rows; the same line again goes on",
            )
        pool = RunPool.of(await pools.require(self._azure, self._pool.name))
        again = f"the tasks wait in Azure; `%batchimg resize {pool.name} --nodes N`, then the same line again"
        is_over = pool.expires is not None and now > pool.expires.timestamp() and not pool.dedicated + pool.spot
        if is_over or not pool.has_nodes:
            raise WaitTimeoutError(f"run {self._job} waits: pool {pool.name} has no nodes any more", hint=again)
        if idle_s >= STALL_S:
            raise WaitTimeoutError(
                f"run {self._job}: no task has run for {format_duration(idle_s)}",
                hint=f"`%batchimg nodes {pool.name}` shows the nodes; the tasks wait in Azure",
            )


def _mean_price(pool: RunPool, prices: NodePrices) -> float | None:
    """Return the price of a task per hour on the nodes that a pool has now."""
    kinds = ((pool.dedicated, prices.dedicated), (pool.spot, prices.spot))
    known = [(count, price) for count, price in kinds if count and price is not None]
    if not known:
        return prices.dedicated
    return sum(count * price for count, price in known) / sum(count for count, _ in known)
