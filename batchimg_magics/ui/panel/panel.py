"""One pool on one panel: its head, its size, its rounds, its nodes, and the line that does what the controls say.

Nothing here waits: work runs on the session's loop, and what it says is set on traits from there, which front ends show
live and bring back after a reload. The panel is a convenience; the notebook, with its line, is the record.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any, TypeAlias

import ipywidgets as w

from batchimg_magics.core.base import concurrency
from batchimg_magics.core.base.node_counts import Counts
from batchimg_magics.core.scaling import context
from batchimg_magics.core.scaling.watch import look
from batchimg_magics.errors import BatchImgError, NotConnectedError
from batchimg_magics.pool_spec.line import line
from batchimg_magics.ui.panel import head, rounds, snapshot
from batchimg_magics.ui.panel.question_tab import QuestionTab
from batchimg_magics.ui.panel.refresh import Renewal
from batchimg_magics.ui.panel.size_tab import SizingTab
from batchimg_magics.ui.progress import steps_html
from batchimg_magics.ui.widgets.copy_line import CopyLine
from batchimg_magics.ui.widgets.node_map import NodeMap

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.estimates.forecast import Situation
    from batchimg_magics.core.scaling.context import Image
    from batchimg_magics.core.scaling.watch import Sight
    from batchimg_magics.session.session import Session, Watching
    from batchimg_magics.session.work import Work
    from batchimg_magics.ui.widgets.open_views import Looking

__all__ = ["Panel", "alert", "with_html"]

#: What IPython takes from a widget: data by mime type, or that with metadata.
Bundle: TypeAlias = dict[str, Any] | tuple[dict[str, Any], dict[str, Any]] | None


@dataclass(frozen=True, slots=True)
class _Opening:
    """What a panel shows first."""

    situation: Situation
    image: Image
    sight: Sight
    usd: float | None


async def _opening(azure: Azure, name: str) -> _Opening:
    read, image = await context.read(azure, name)
    sight, usd = await concurrency.together(look(azure, name), context.spent(azure, name, read.rates))
    return _Opening(read, image, sight, usd)


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
    _renewal: Renewal | None = None

    def __init__(self, session: Session, name: str) -> None:
        self.session, self.name = session, name
        first = session.ask(lambda azure: _opening(azure, name))
        self._connection = session.connection
        self._situation, self._image, self._usd = first.situation, first.image, first.usd
        self._sight: Sight | None = None
        self._work: Work | None = None
        self._foreign = False
        self.head = w.HTML()
        self.sizing = SizingTab(
            changed=self._show_line, resize=self.resize, stop=self.stop, repair=self.repair, refresh=self.refresh
        )
        self.question = QuestionTab(self._size, self._take)
        self.question.vm_size = self._situation.vm_size
        self.tabs = w.Tab([self.sizing, self.question], titles=("Size", "How many do I need?"))
        self.progress = w.HTML()
        self.anyway = w.Button(description="Resize all the same", button_style="warning", tooltip="End running tasks")
        self.anyway.layout.display = "none"
        self.anyway.on_click(lambda _: self._resize(yes=True))
        self._sent: dict[str, Any] | None = None
        self._withheld: dict[str, Any] | None = None
        self.rounds = w.HTML()
        self.map = NodeMap(on_point=self._pointed, on_looking=self._looked_at)
        self.foot = CopyLine()
        super().__init__([self.head, self.tabs, self.progress, self.anyway, self.map, self.rounds, self.foot])
        self.add_class("batchimg-panel")
        self.sizing.stand(self._situation, Counts(), first.sight.at)
        self._seen(first.sight)
        self._renewal = Renewal(session, name, self._renewed, self.sizing.not_renewed)
        self._renewal.at = first.sight.at
        self._begin_watching()

    # -- what is seen --------------------------------------------------------------------------------------------

    def _seen(self, sight: Sight) -> None:
        """Show what a look saw; called on the session's thread."""
        before = self._sight
        if sight.pool is None and sight.problem and before is not None:
            # A look that failed before one had succeeded knows less than the panel.
            sight = replace(before, at=sight.at, problem=sight.problem)
        self._sight = sight
        self._spend(before, sight)
        if sight.pool is None:
            self._gone()
            return
        census = sight.census
        if sight.pool.allocation != "steady" and (before is None or before.is_quiet):
            self.map.record(_clock(before.at if before else sight.at))
        self._show_map(sight)
        self.sizing.obstacle = ""
        self._join()
        self.sizing.aim(self._aim(sight.pool.target))
        self.sizing.stand(None, head.live(sight), sight.at)
        self.sizing.stop.disabled = not (self._resizing or sight.pool.allocation == "resizing")
        self.sizing.repair.disabled = not census.bad
        if sight.rounds is not None:
            self.rounds.value = rounds.html(sight.rounds)
        if before is not None and before.pool is not None and before.pool.allocation != sight.pool.allocation:
            self._renew()
        self._show_progress()
        self._show_head()
        self._show_line()

    def _show_map(self, sight: Sight) -> None:
        ids, states = [node.id for node in sight.nodes], [node.state for node in sight.nodes]
        self.map.show(ids, states, [node.is_dedicated for node in sight.nodes], time=_clock(sight.at))

    def _gone(self) -> None:
        if self._sight is not None:
            self._show_map(self._sight)
        self.sizing.obstacle = f"pool {self.name} is not there any more"
        self.sizing.refresh()
        for button in (self.sizing.stop, self.sizing.repair):
            button.disabled = True
        self._show_progress()
        self._show_head()

    def _renewed(self, read: Situation, image: Image, at: float) -> None:
        """Take in what a forecast rests on; called on the session's thread."""
        self._situation, self._image = read, image
        now = head.live(self._sight) if self._sight else Counts()
        self.sizing.stand(read, now, at)
        self._show_head()

    def _aim(self, target: Counts) -> Counts:
        """Return what the pool is on its way to: of a resize in rounds, where the last round ends."""
        if not self._resizing or self._work is None:
            return target
        wanted = self._work.options
        kinds = ((wanted.get("nodes"), target.dedicated), (wanted.get("spot"), target.spot))
        return Counts(*(asked if isinstance(asked, int) else there for asked, there in kinds))

    def _spend(self, before: Sight | None, now: Sight) -> None:
        """Add up what the nodes have cost since the last look."""
        if before is None or before.pool is None or self._usd is None:
            return
        there = head.live(before)
        rate = self._situation.rates.cost(there.dedicated, there.spot) if there.total else 0.0
        self._usd = None if rate is None else self._usd + rate * max(0.0, now.at - before.at) / 3600

    def _show_head(self) -> None:
        self.head.value = head.html(self.session.label, self.name, self._facts())

    def _facts(self) -> list[tuple[str, str]]:
        return head.facts(self._sight, self._situation, self._image, self._usd)

    def _show_progress(self) -> None:
        work = self._work
        if work is None:
            self._show_foreign()
            return
        if not work.done():
            self.progress.value = steps_html(work.label, work.board.steps(), work.board.now())
            return
        self._work = None
        if self._watching is not None:
            self._watching.expect(expecting=False)
            self._watching.hurry()
        self._renew()
        try:
            done = work.result()
        except BatchImgError as error:
            self.progress.value = alert(error)
            return
        self.progress.value = f"<div role='status'>{escape(done.caption)}</div>"
        # On a real connection a resize that ends running tasks is only said: whoever reads it may agree.
        if self._sent is not None and "planned" in done.columns.get("class", ()):
            self._withheld = self._sent
            self._take(self._sent["nodes"], self._sent["spot"])
            self.sizing.touched = True  # a look at the pool leaves it there
        self._show_line()

    def _show_foreign(self) -> None:
        """Tell of a resize that nobody in this session asked for: of another kernel, or of this one before it ended."""
        pool = self._sight.pool if self._sight else None
        if pool is None or pool.allocation != "resizing":
            if self._foreign:
                self._foreign, self.progress.value = False, ""
            return
        self._foreign = True
        since = f" since {_clock(pool.since.timestamp())}Z" if pool.since else ""
        same = line("resize", {"name": self.name, "nodes": pool.target.dedicated, "spot": pool.target.spot})
        self.progress.value = (
            f"<div role='status'>Azure resizes this pool to {escape(str(pool.target))} nodes{since}, "
            f"and nothing in this session waits for it: <code>{escape(same)}</code> does</div>"
        )

    def _show_line(self) -> None:
        options = self.sizing.options
        offered = self._withheld == options
        self.anyway.layout.display = "" if offered else "none"
        self.foot.line = line("resize", {"name": self.name, **options, **({"yes": True} if offered else {})})

    # -- what is done --------------------------------------------------------------------------------------------

    def resize(self) -> None:
        """Send the resize that the controls say."""
        self._resize()

    def _resize(self, **agreed: bool) -> None:
        if (seen := self.sizing.refresh()) is None or seen.impossible:
            return
        self._sent, self._withheld = self.sizing.options, None
        if self._begin("resize", **self._sent, **agreed):
            self.sizing.touched = False
        self._show_line()

    def stop(self) -> None:
        """Stop the resize that is going on, whoever began it."""
        self._begin("stop")

    def repair(self) -> None:
        """Reboot or replace bad nodes."""
        self._begin("repair")

    def refresh(self) -> None:
        """Look again at once: at the nodes, and at what the forecast rests on."""
        if self._watching is not None:
            self._watching.hurry()
        self._renew()

    def _begin(self, verb: str, **options: Any) -> bool:
        try:
            self._same_connection()
            work = self.session.begin(verb, name=self.name, **options)
        except BatchImgError as error:
            self.progress.value = alert(error)
            return False
        # A resize that is being stopped tells by itself what came of it.
        if self._work is None or self._work.done():
            self._follow(work)
        return True

    def _same_connection(self) -> None:
        """Refuse to act on another account than the one that the panel shows."""
        if self.session.connection is not self._connection:
            raise NotConnectedError(
                "this panel is of a connection that was closed",
                hint=f"`%batchimg panel {self.name}` shows the pool of that name on the connection of now",
            )

    def _join(self) -> None:
        """Follow the work on this pool that goes on in the session, whoever began it: a cell, another panel."""
        if self._work is None and (work := self.session.going_on(self.name)) is not None:
            self._follow(work)

    def _follow(self, work: Work) -> None:
        self._work, self._foreign = work, False
        self.sizing.stop.disabled = not self._resizing
        if self._watching is not None:
            self._watching.expect(expecting=True)
        work.then(self._show_progress)

    @property
    def _resizing(self) -> bool:
        """Whether work of this session resizes the pool: what may be stopped before Azure shows it."""
        return self._work is not None and self._work.verb == "resize" and not self._work.done()

    def _size(self, options: dict[str, Any]) -> Work:
        self._same_connection()
        return self.session.begin("size", name=self.name, **options)

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

        if self.session.connection is self._connection:
            self.session.submit(ask)

    # -- who looks on --------------------------------------------------------------------------------------------

    def _looked_at(self, looking: Looking) -> None:
        """Ask Azure about the pool only while a page shows it; work goes on all the same."""
        if looking == "gone":
            self._stop_watching()
            return
        self._begin_watching()
        if self._watching is not None:
            self._watching.hide(looking == "hidden")
        if self._renewal is not None and looking == "hidden":
            self._renewal.stop()

    def _begin_watching(self) -> None:
        if self.session.connection is not self._connection:
            self._stop_watching()
            return
        if self._watching is None:
            self._watching = self.session.watch(self.name, self._seen)
            self._watching.expect(expecting=self._resizing)
        if self._renewal is not None:
            self._renewal.start()

    def _stop_watching(self) -> None:
        if self._watching is not None:
            self._watching.stop()
            self._watching = None
        if self._renewal is not None:
            self._renewal.stop()

    def _renew(self) -> None:
        if self._renewal is not None:
            self._renewal.ask()

    def close(self) -> None:
        """Stop watching; work goes on."""
        self._stop_watching()
        super().close()

    # -- without widgets -----------------------------------------------------------------------------------------

    def _repr_mimebundle_(self, **options: Any) -> Bundle:
        """Return the widget, with the panel as it stands beside it for whoever shows no widgets."""
        return with_html(super()._repr_mimebundle_(**options), self._static())

    def _static(self) -> str:
        nodes = self._sight.nodes if self._sight else ()
        told = [("", f"{self.session.label} {self.name}"), *self._facts()]
        return snapshot.page(
            told,
            [(node.state, node.is_dedicated) for node in nodes],
            self.map.squares.counts(),
            rounds=self.rounds.value,
            line=self.foot.line,
        )


def with_html(bundle: Bundle, html: str) -> Bundle:
    """Return a widget's mime bundle with HTML beside it for whoever shows no widgets."""
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    if data is not None:
        data["text/html"] = html
    return bundle


def alert(error: BatchImgError) -> str:
    """Return an error as HTML: what went wrong, and what to do."""
    return f"<div role='alert'><b>{escape(error.message)}</b><br>{escape(error.hint)}</div>"


def _clock(at: float) -> str:
    return dt.datetime.fromtimestamp(at, dt.UTC).strftime("%H:%M:%S")
