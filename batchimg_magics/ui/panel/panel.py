"""One pool on one panel: its head, its size, its rounds, its nodes, and the line that does what the controls say.

Nothing here waits: work runs on the session's loop, and what it says is set on traits from there, which front ends show
live and bring back after a reload. The panel is a convenience; the notebook, with its line, is the record.
"""

from __future__ import annotations

import datetime as dt
from html import escape
from typing import TYPE_CHECKING, Any, TypeAlias

import ipywidgets as w

from batchimg_magics.core import situation
from batchimg_magics.core.counts import Counts
from batchimg_magics.core.watching import look
from batchimg_magics.errors import BatchImgError
from batchimg_magics.spec.lines import line
from batchimg_magics.ui import tables
from batchimg_magics.ui.copyline import CopyLine
from batchimg_magics.ui.heatmap import NodeMap
from batchimg_magics.ui.panel import static
from batchimg_magics.ui.panel.question import QuestionTab
from batchimg_magics.ui.panel.sizing import SizingTab
from batchimg_magics.ui.progress import steps_html

if TYPE_CHECKING:
    from batchimg_magics.core.azure import Azure
    from batchimg_magics.core.tables import Table
    from batchimg_magics.core.watching import Sight
    from batchimg_magics.session import Session, Watching
    from batchimg_magics.work import Work

__all__ = ["Panel", "alert", "with_html"]

#: What IPython takes from a widget: data by mime type, or that with metadata.
Bundle: TypeAlias = dict[str, Any] | tuple[dict[str, Any], dict[str, Any]] | None

_ROUND_COLUMNS = (
    "round", "class", "action", "message", "dedicated_from", "dedicated_to", "spot_from", "spot_to", "seconds", "usd",
)  # fmt: skip


class Panel(w.VBox):  # type: ignore[misc] # ipywidgets is untyped
    """The panel of one pool.

    Parameters
    ----------
    session
        Whose connection.
    name
        The pool's.

    Raises
    ------
    NotFoundError
        There is no such pool.
    """

    #: Of the class, since a panel whose pool is not there is closed before it watched anything.
    _watching: Watching | None = None

    def __init__(self, session: Session, name: str) -> None:
        self.session, self.name = session, name
        self._situation, self._image = session.ask(lambda azure: situation.read(azure, name))
        self._sight: Sight | None = None
        self._work: Work | None = None
        self._usd = 0.0
        self.head = w.HTML()
        self.sizing = SizingTab(changed=self._show_line, resize=self.resize, stop=self.stop, repair=self.repair)
        self.question = QuestionTab(self._size, self._take)
        self.question.vm_size = self._situation.vm_size
        self.tabs = w.Tab([self.sizing, self.question], titles=("Size", "How many do I need?"))
        self.progress = w.HTML()
        self.rounds = w.HTML()
        self.map = NodeMap(on_point=self._pointed, on_hidden=self._hidden)
        self.foot = CopyLine()
        super().__init__([self.head, self.tabs, self.progress, self.map, self.rounds, self.foot])
        self.add_class("batchimg-panel")
        self.sizing.stand(self._situation, Counts(), 0.0)
        self._seen(session.ask(lambda azure: look(azure, name)))
        self._watching = session.watch(name, self._seen)

    # -- what is seen --------------------------------------------------------------------------------------------

    def _seen(self, sight: Sight) -> None:
        """Show what a look saw; called on the session's thread."""
        before, self._sight = self._sight, sight
        self._spend(before, sight)
        if sight.pool is None:
            self._gone(sight)
            return
        census = sight.census
        now = Counts(census.live(dedicated=True), census.live(dedicated=False))
        ids, states = [node.id for node in sight.nodes], [node.state for node in sight.nodes]
        kinds = [node.is_dedicated for node in sight.nodes]
        if sight.pool.allocation != "steady" and (before is None or before.is_quiet):
            self.map.record(_clock(before.at if before else sight.at))
        self.map.show(ids, states, kinds, time=_clock(sight.at))
        self.sizing.aim(sight.pool.target)
        self.sizing.stand(None, now, sight.at)
        self.sizing.stop.disabled = not (self._resizing or sight.pool.allocation == "resizing")
        self.sizing.repair.disabled = not census.bad
        if sight.rounds is not None:
            self.rounds.value = _rounds_html(sight.rounds)
        self._join()
        self._show_progress()
        self._show_head()
        self._show_line()

    def _gone(self, sight: Sight) -> None:
        self.map.show([], [], [], time=_clock(sight.at))
        for button in (self.sizing.resize, self.sizing.stop, self.sizing.repair):
            button.disabled = True
        self.sizing.why.value = f"<div>{escape(sight.problem or f'pool {self.name} is not there any more')}</div>"
        self._show_head()

    def _spend(self, before: Sight | None, now: Sight) -> None:
        """Add up what the nodes have cost since the panel looked first."""
        if before is None or before.pool is None:
            return
        rates, census = self._situation.rates, before.census
        rate = rates.cost(census.live(dedicated=True), census.live(dedicated=False))
        if rate is not None:
            self._usd += rate * max(0.0, now.at - before.at) / 3600

    def _show_head(self) -> None:
        kind, said = ("local", "LOCAL: nothing is real")
        if self.session.label != "LOCAL":
            kind, said = ("real", "AZURE: nodes cost money")
        facts = "".join(f"<span>{escape(name)} <b>{escape(told)}</b></span>" for name, told in self._facts())
        self.head.value = (
            f'<div class="batchimg-head"><span class="badge {kind}">{said}</span>'
            f'<span class="title">{escape(self.name)}</span>{facts}</div>'
        )

    def _facts(self) -> list[tuple[str, str]]:
        sight, seen = self._sight, self._sight.pool if self._sight else None
        if sight is None or seen is None:
            return [("state", "gone")]
        census = sight.census
        live = Counts(census.live(dedicated=True), census.live(dedicated=False))
        rate = self._situation.rates.cost(live.dedicated, live.spot) if live.total else 0.0
        facts = [
            ("image", self._image.name),
            ("pool", "deleting" if seen.deleting else "active"),
            ("allocation", seen.allocation),
            ("dedicated", f"{live.dedicated:,} of {seen.target.dedicated:,}"),
            ("spot", f"{live.spot:,} of {seen.target.spot:,}"),
            ("cost", "not known" if rate is None else f"${rate:,.2f} an hour"),
            ("since this panel", f"${self._usd:,.2f}"),
        ]
        if self._image.published is not None:
            days = max(0, int((sight.at - self._image.published.timestamp()) // 86_400))
            facts.insert(1, ("age", f"{days} days"))
        if self._situation.expires is not None:
            facts.append(("expires", self._situation.expires.strftime("%Y-%m-%d %H:%MZ")))
        if sight.problem:
            facts.append(("last look", sight.problem))
        return facts

    def _show_progress(self) -> None:
        work = self._work
        if work is None:
            return
        if not work.done():
            self.progress.value = steps_html(work.label, work.board.steps(), work.board.now())
            return
        self._work = None
        self._hurry()
        try:
            self.progress.value = f"<div>{escape(work.result().caption)}</div>"
        except BatchImgError as error:
            self.progress.value = alert(error)
        self.sizing.touched = False

    def _show_line(self) -> None:
        self.foot.line = line("resize", {"name": self.name, **self.sizing.options})

    # -- what is done --------------------------------------------------------------------------------------------

    def resize(self) -> None:
        """Send the resize that the controls say."""
        if (seen := self.sizing.refresh()) is None or seen.impossible:
            return
        self._begin("resize", **self.sizing.options)

    def stop(self) -> None:
        """Stop the resize that is going on, whoever began it."""
        self._begin("stop")

    def repair(self) -> None:
        """Reboot or replace bad nodes."""
        self._begin("repair")

    def _begin(self, verb: str, **options: Any) -> None:
        try:
            work = self.session.begin(verb, name=self.name, **options)
        except BatchImgError as error:
            self.progress.value = alert(error)
            return
        self.sizing.touched = False
        # A resize that is being stopped tells by itself what came of it.
        if self._work is None or self._work.done():
            self._follow(work)

    def _hurry(self) -> None:
        if self._watching is not None:
            self._watching.hurry()

    def _join(self) -> None:
        """Follow the work on this pool that goes on in the session, whoever began it: a cell, another panel."""
        if self._work is None and (work := self.session.going_on(self.name)) is not None:
            self._follow(work)

    def _follow(self, work: Work) -> None:
        self._work = work
        self.sizing.stop.disabled = not self._resizing
        work.then(self._show_progress)
        self._hurry()

    @property
    def _resizing(self) -> bool:
        """Whether work of this session resizes the pool: what may be stopped before Azure shows it."""
        return self._work is not None and self._work.verb == "resize" and not self._work.done()

    def _size(self, options: dict[str, Any]) -> Table:
        return self.session.run("size", name=self.name, **options)

    def _take(self, dedicated: int | None, spot: int | None) -> None:
        if dedicated is not None:
            self.sizing.nodes_field.value = dedicated
        if spot is not None:
            self.sizing.spot_field.value = spot
        self.tabs.selected_index = 0

    def _pointed(self, node_id: str) -> None:
        async def ask(azure: Azure) -> None:
            client = await azure.batch()
            node = await azure.find(client.get_node(self.name, node_id))
            if node is not None:
                errors = "; ".join(f"{one.code}: {one.message}" for one in node.errors or [])
                since = node.state_transition_time.strftime("%Y-%m-%d %H:%M:%SZ") if node.state_transition_time else ""
                self.map.tell(node_id, since=since, error=errors)

        self.session.submit(ask)

    def _hidden(self, hidden: bool) -> None:  # noqa: FBT001 - one word says it
        if self._watching is not None:
            self._watching.hide(hidden)

    def close(self) -> None:
        """Stop watching; work goes on."""
        if self._watching is not None:
            self._watching.stop()
        super().close()

    # -- without widgets -----------------------------------------------------------------------------------------

    def _repr_mimebundle_(self, **options: Any) -> Bundle:
        """Return the widget, with the panel as it stands beside it for whoever shows no widgets."""
        return with_html(super()._repr_mimebundle_(**options), self._static())

    def _static(self) -> str:
        nodes = self._sight.nodes if self._sight else ()
        head = [("", f"{self.session.label} {self.name}"), *self._facts()]
        counts = self.map.squares.counts()
        return static.page(head, [node.state for node in nodes], counts, rounds=self.rounds.value, line=self.foot.line)


def with_html(bundle: Bundle, html: str) -> Bundle:
    """Return a widget's mime bundle with HTML beside it for whoever shows no widgets."""
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    if data is not None:
        data["text/html"] = html
    return bundle


def _rounds_html(table: Table) -> str:
    columns = {name: table.columns[name] for name in _ROUND_COLUMNS if name in table.columns}
    return tables.html(columns) if any(columns.values()) else ""


def alert(error: BatchImgError) -> str:
    """Return an error as HTML: what went wrong, and what to do."""
    return f"<div role='alert'><b>{escape(error.message)}</b><br>{escape(error.hint)}</div>"


def _clock(at: float) -> str:
    return dt.datetime.fromtimestamp(at, dt.UTC).strftime("%H:%M:%S")
