"""Run a command over the rows of a table: one job, a task for each row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.core.base.durations import format_duration
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.batch import pools
from batchimg_magics.core.runs import jobs, tasks
from batchimg_magics.core.runs.answer import RunAnswer, read_answer
from batchimg_magics.core.runs.pool_facts import NodePrices, RunPool, read_prices
from batchimg_magics.core.runs.request import RunPlan
from batchimg_magics.core.runs.watching import RunWatch
from batchimg_magics.errors import ConflictError
from batchimg_magics.masking import make_visible
from batchimg_magics.pool_spec.words import count_text

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.runs.jobs import RunJob
    from batchimg_magics.core.runs.request import RunRequest

__all__ = ["PREVIEW_ROWS", "answer_caption", "answer_facts", "run_command"]

#: Rows that a dry run shows.
PREVIEW_ROWS = 5
_ADD = "tasks"
#: The states of a job that takes tasks.
_OPEN = ("active", "enabling", "disabling", "disabled")


async def run_command(azure: Azure, request: RunRequest, board: Board) -> Table:
    """Run a command over a table, or go on with the run of the same command over the same table.

    Returns
    -------
    Table
        One row per row that has a task: the input columns, then what came of it.

    Raises
    ------
    SpecError
        The command or the table is not valid for the pool; nothing was sent.
    ConflictError
        The job of the run has ended, and takes no more tasks.
    """
    document = await pools.require(azure, request.pool)
    pool = RunPool.of(document)
    pool.check(request.slots, request.container)
    plan = RunPlan(request, pool)
    plan.check()
    if request.dry_run:
        return preview(plan)
    return await _Run(azure, plan, pool, board).run(await read_prices(azure, document, request.slots))


def preview(plan: RunPlan) -> Table:
    """Return the first tasks of a run, as they would be added."""
    rows = []
    for row in range(min(plan.request.wanted, PREVIEW_ROWS)):
        variables = (f"{name}={make_visible(value)}" for name, value in plan.variables(row).items())
        rows.append({
            "row": row,
            "task": plan.task_id(row),
            "command_line": plan.command_line(row),
            "environment": "\n".join(variables),
        })  # fmt: skip
    total = plan.request.wanted
    caption = f"{plan.job_id} on {plan.pool.name}: would run {count_text(total, 'row')}{_notes(plan)}"
    return Table.from_rows("run preview", rows, caption, run=plan.job_id, all_rows=total)


def _notes(plan: RunPlan) -> str:
    """Return what a caption says of the table."""
    twice = plan.request.table.repeated()
    return f"; {count_text(twice, 'row')} of the table equal to another one" if twice else ""


class _Run:
    """One run of a plan."""

    def __init__(self, azure: Azure, plan: RunPlan, pool: RunPool, board: Board) -> None:
        self.azure = azure
        self.plan = plan
        self.pool = pool
        self.board = board

    async def run(self, prices: NodePrices) -> Table:
        """Add what is missing, wait for it, and return the answer."""
        new = await jobs.add_job(self.azure, self.plan, prices.text())
        job = await self._job()
        self.board.goes_on(f"%batchimg results {job.id}", f"%batchimg stop-run {job.id}")
        wanted = range(self.plan.request.wanted)
        counts = tasks.TaskCounts() if new else await tasks.read_counts(self.azure, job.id)
        total, watched = counts.total, RunWatch(self.azure, job.id, self.pool, job.prices, self.board)
        if total < len(wanted):
            known = set() if new else await tasks.read_rows(self.azure, job.id)
            total = await self._add(job, [row for row in wanted if row not in known]) + len(known)
        again = await self._retry(job) if self.plan.request.retry_failed and counts.failed else 0
        if job.state in ("disabled", "disabling"):
            await jobs.enable(self.azure, job.id)
        if again or counts.done < total:
            await watched.until_done(total)
        answer = await self._answer(job, total, watched)
        if job.state != "completed" and answer.counts.succeeded == job.rows:
            await jobs.end(self.azure, job.id)
        retried = f"; {count_text(again, 'row')} run again" if again else ""
        caption = f"{answer_caption(answer)}{retried}{_notes(self.plan)}"
        return answer.table("run", caption, **answer_facts(answer))

    async def _job(self) -> RunJob:
        """Return the job, which must be that of this plan."""
        job = await jobs.read_job(self.azure, self.plan.job_id)
        if job is None or job.hash != self.plan.hash:
            raise ConflictError(
                f"the account has another job with the id {self.plan.job_id}", hint="delete that job, or add a variable"
            )
        return job

    async def _add(self, job: RunJob, rows: list[int]) -> int:
        """Add the tasks of rows and return how many."""
        if rows and job.state not in _OPEN:
            raise ConflictError(
                f"run {job.id} has ended ({job.state}), and {count_text(len(rows), 'row')} of it have no task",
                hint=f"`%batchimg results {job.id}` shows the others; delete the job in Azure to run all rows again",
            )
        done = 0

        def added(count: int) -> None:
            nonlocal done
            done += count
            self.board.update(_ADD, done=done)

        if rows:
            self.board.begin(_ADD, total=len(rows))
            await tasks.add_rows(self.azure, self.plan, rows, added)
            self.board.end(_ADD)
        return len(rows)

    async def _retry(self, job: RunJob) -> int:
        """Let the rows run again that failed, and return how many."""
        if job.state not in _OPEN:
            raise ConflictError(
                f"run {job.id} has ended ({job.state}), so that no row of it can run again",
                hint="delete the job in Azure to run all rows again",
            )
        failed = (await read_answer(self.azure, job, values=False, tails=False)).failed_rows()
        await tasks.run_again(self.azure, self.plan, failed)
        return len(failed)

    async def _answer(self, job: RunJob, total: int, watch: RunWatch) -> RunAnswer:
        """Read the tasks; the counts may have been ahead of them."""
        answer = await read_answer(self.azure, job, self.plan.request.table)
        pause_s = 1.0
        while answer.counts.done < total:
            await watch.until_done(total)
            await self.azure.sleep(pause_s := min(30.0, 2 * pause_s))
            answer = await read_answer(self.azure, job, self.plan.request.table)
        return answer


def answer_caption(answer: RunAnswer) -> str:
    """Return the caption of the rows of a run."""
    counts, facts = answer.counts, answer.facts()
    parts = [f"{counts.succeeded} succeeded"]
    kinds = ((counts.failed, "failed"), (counts.running, "running"), (counts.active, "waiting"))
    parts += [f"{number} {word}" for number, word in kinds if number]
    if (without := answer.job.rows - len(answer.rows)) > 0:
        parts.append(f"{without} without a task yet")
    more = [f"{format_duration(facts['mean_seconds'])} a row"] if facts["mean_seconds"] is not None else []
    more += [f"{facts['rows_per_hour']:,.0f} rows an hour"] if facts["rows_per_hour"] else []
    more += [f"${facts['usd']:,.2f}"] if facts["usd"] is not None else []
    again = "; --retry failed runs the failed rows again" if counts.failed else ""
    return "; ".join([f"{answer.job.id} on {answer.job.pool}: {', '.join(parts)}", *more]) + again


def answer_facts(answer: RunAnswer) -> dict[str, Any]:
    """Return further facts of the table of a run."""
    from batchimg_magics.core.runs.answer import answer_columns

    names = [column.name for column in answer_columns(answer.job)]
    renamed = {kept.name: name for kept, name in zip(answer.job.columns, names, strict=True) if kept.name != name}
    return {"input_columns": names, **({"renamed_columns": renamed} if renamed else {})}
