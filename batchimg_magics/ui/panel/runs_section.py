"""The section "Runs": the rows of a run as squares, those that failed first, and the card of one row with its output.

The counts are one small request at each refresh; the rows are read only after the counts have changed. Text from the
service is never interpreted as HTML.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from batchimg_magics.core.runs import jobs, row_states, tasks
from batchimg_magics.core.runs.row_states import ROW_STATES, RowStates
from batchimg_magics.display.cells import escape_html
from batchimg_magics.errors import BatchImgError, NotFoundError
from batchimg_magics.pool_spec.line import format_line
from batchimg_magics.pool_spec.words import count_text
from batchimg_magics.ui.panel.static_html import legend_html
from batchimg_magics.ui.widgets.node_picture import node_map_img

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.runs.jobs import RunJob
    from batchimg_magics.core.runs.tasks import TaskCounts
    from batchimg_magics.core.scaling.watch import PoolSnapshot
    from batchimg_magics.ui.panel.section import SectionHost

__all__ = ["RunsSection"]

#: Seconds between two lists of the runs where no row waits or runs, and where some do; and between two reads of counts.
IDLE_LIST_S, LIST_S, COUNT_S = 600.0, 60.0, 10.0
#: Seconds between two reads of the rows, for each request that they take: one for 1,000 rows.
ROWS_S, ROWS_A_PAGE = 5.0, 1000
#: Runs to choose from, and bytes of each output file that the card shows.
MAX_RUNS, MAX_BYTES = 8, 20_000


class RunsSection:
    """The rows of one run on the pool: the newest run, unless another one is chosen.

    Parameters
    ----------
    host
        The panel.
    """

    def __init__(self, host: SectionHost) -> None:
        self._host = host
        self._runs: list[RunJob] = []
        self._chosen = ""
        self._shown: RunJob | None = None
        self._counts: TaskCounts | None = None
        self._states = RowStates()
        self._card: dict[str, Any] = {}
        self._problem = ""
        self._sequence = 0
        self._is_reading = False
        self._started: set[str] = set()
        self._next_at = self._listed_at = self._rows_at = float("-inf")
        self._set_state()

    def show(self, snapshot: PoolSnapshot) -> None:
        """Read the runs again, if that is due."""
        if snapshot.pool is None or self._is_reading:
            return
        started = {run.label for run in self._host.session.running() if run.verb in ("run", "stop-run")}
        if snapshot.at >= self._next_at or started != self._started:
            self._listed_at = float("-inf") if started != self._started else self._listed_at
            self._started = started
            self._read()

    def refresh(self) -> None:
        """Read everything again, as the user asks."""
        self._listed_at = float("-inf")
        self._read()

    def on_message(self, content: dict[str, Any]) -> None:
        """Answer a front end. Its messages are untrusted: anything unexpected is ignored."""
        match content:
            case {"kind": "request all"}:
                self._send_all()
            case {"kind": "choose", "run": str(name)} if any(run.id == name for run in self._runs):
                self._chosen, self._card = name, {}
                self._read()
            case {"kind": "select", "place": int(place)} if 0 <= place < len(self._states.rows):
                self._select(self._states.rows[place])
            case {"kind": "unselect"}:
                self._card = {}
            case _:
                return
        self._set_state()

    # -- what is read --------------------------------------------------------------------------------------------

    def _read(self) -> None:
        if self._is_reading:
            self._next_at = float("-inf")  # again at the next snapshot
            return
        self._is_reading = True

        async def read(azure: Azure) -> None:
            try:
                await self._read_runs(azure)
            finally:
                self._is_reading = False

        self._host.read(self._telling(read))

    def _telling(
        self, function: Callable[[Azure], Coroutine[Any, Any, None]]
    ) -> Callable[[Azure], Coroutine[Any, Any, None]]:
        """Return a function that shows what went wrong, and the state afterwards."""

        async def call(azure: Azure) -> None:
            try:
                await function(azure)
                self._problem = ""
            except BatchImgError as error:
                self._problem = error.message
                self._next_at = azure.now() + LIST_S
            self._set_state()

        return call

    async def _read_runs(self, azure: Azure) -> None:
        if azure.now() - self._listed_at >= LIST_S:
            name = self._host.name.lower()
            found = await jobs.list_jobs(azure)
            self._runs = [run for run in found if run.pool.lower() == name][:MAX_RUNS]
            self._listed_at = azure.now()
        run = next((one for one in self._runs if one.id == self._chosen), next(iter(self._runs), None))
        if run is None:
            self._shown, self._counts, self._next_at = None, None, azure.now() + IDLE_LIST_S
            return
        try:
            counts = await tasks.read_counts(azure, run.id)
            await self._read_rows(azure, run, counts)
        except NotFoundError:
            self._listed_at, self._next_at = float("-inf"), azure.now()  # deleted meanwhile
            return
        self._next_at = azure.now() + (COUNT_S if counts.total > counts.done else IDLE_LIST_S)

    async def _read_rows(self, azure: Azure, run: RunJob, counts: TaskCounts) -> None:
        is_new = self._shown is None or self._shown.id != run.id
        if not is_new and counts == self._counts:
            return
        pause_s = ROWS_S * (1 + counts.total // ROWS_A_PAGE)
        # The last change is shown in any case.
        if not is_new and counts.total > counts.done and azure.now() - self._rows_at < pause_s:
            return
        self._states = await row_states.read_row_states(azure, run)
        self._shown, self._counts, self._rows_at = run, counts, azure.now()
        self._send_all()

    def _select(self, row: int) -> None:
        run, task_id = self._shown, self._states.ids.get(row)
        if run is None:
            return
        if self._card.get("row") == row:
            self._card = {}
            return
        line = format_line("logs", {"run": run.id, "row": row})
        self._card = card = {"row": row, "state": "missing", "loading": task_id is not None, "line": line}
        if task_id is None:
            self._card |= {"reason": "The row has no task yet: the same line again adds it.", "line": ""}
            return

        async def read(azure: Azure) -> None:
            try:
                details = await row_states.read_row(azure, run, task_id, MAX_BYTES)
            except BatchImgError as error:
                card["reason"] = error.message
            else:
                card.update(
                    state=details.state,
                    reason=details.reason,
                    facts=list(details.facts),
                    values=[list(pair) for pair in details.values],
                    files=[_file_state(one) for one in details.files],
                )
            card["loading"] = False

        self._host.read(self._telling(read))

    # -- what is shown -------------------------------------------------------------------------------------------

    def _summary(self) -> str:
        run, counts = self._shown, self._states.counts()
        if run is None:
            return ""
        parts = [f"{count:,} {word}" for word, count in counts.items()]
        rows = count_text(len(self._states.rows), "row")
        return f"{run.id}, {rows}: {', '.join(parts)}" if parts else f"{run.id}: no rows"

    def _set_state(self) -> None:
        run = self._shown
        self._host.set_section_state(
            "runs",
            {
                "run": "" if run is None else run.id,
                "runs": [one.id for one in self._runs],
                "command": "" if run is None else run.command,
                "summary": self._summary(),
                "words": list(ROW_STATES),
                "counts": self._states.counts(),
                "selected": [self._states.rows.index(self._card["row"])] if self._is_selected() else [],
                "card": dict(self._card),
                "problem": self._problem,
            },
        )

    def _is_selected(self) -> bool:
        return self._card.get("row") in self._states.rows

    def _send_all(self) -> None:
        self._sequence += 1
        codes = np.array(self._states.codes, np.uint8).tobytes()
        rows = np.array(self._states.rows, np.uint32).tobytes()
        self._host.send_to_section("runs", {"kind": "all", "sequence": self._sequence}, [codes, rows])

    def static_html(self) -> str:
        """Return the rows as a picture, its legend, and the rows that failed; empty without a run."""
        states, run = self._states, self._shown
        if run is None:
            return ""
        counts = {word: (count, 0) for word, count in states.counts().items()}
        title = f"<div>{escape_html(self._summary())}</div>"
        picture = node_map_img(list(ROW_STATES), np.array(states.codes, np.uint8), counts, noun="row")
        listed = "".join(f"<li>row {row}: {escape_html(text)}</li>" for row, text in states.reasons.items())
        rest = states.counts().get("failed", 0) - len(states.reasons)
        more = f"<li>and {rest:,} more</li>" if rest > 0 else ""
        failed = f'<div>Rows that failed:</div><ul style="margin:2px 0">{listed}{more}</ul>' if listed else ""
        return title + picture + legend_html(counts) + failed


def _file_state(found: dict[str, Any]) -> dict[str, str]:
    text = found.get("text") or ""
    note = found.get("error") or ((found.get("shown") or "") if text else "empty")
    return {"name": found.get("file") or "", "text": text, "note": note}
