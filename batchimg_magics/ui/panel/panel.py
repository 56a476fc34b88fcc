"""The panel of one pool: its head, its size, its nodes, its resize attempts, and the equivalent command.

Nothing here blocks the kernel: verbs run on the session's loop, which sets the traits of widgets; front ends display
traits live and restore them after a reload. The panel is a convenience; the notebook, with the command, is the record.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from batchimg_magics.core.base.node_counts import Counts
from batchimg_magics.display.progress import steps_html
from batchimg_magics.errors import BatchImgError, NotConnectedError
from batchimg_magics.pool_spec.line import format_line
from batchimg_magics.ui.panel import head, rounds, static_html
from batchimg_magics.ui.panel.estimate_tab import EstimateTab
from batchimg_magics.ui.panel.refresh import ContextRefresh, read_panel_data
from batchimg_magics.ui.panel.size_tab import SizeTab
from batchimg_magics.ui.panel.static_html import Bundle, add_html, error_html
from batchimg_magics.ui.widgets.copy_line import CopyLine
from batchimg_magics.ui.widgets.node_map import NodeMap

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.estimates.forecast import ForecastInputs
    from batchimg_magics.core.scaling.context import ImageSummary
    from batchimg_magics.core.scaling.watch import PoolSnapshot
    from batchimg_magics.session.pool_watch import PoolWatch
    from batchimg_magics.session.session import Session
    from batchimg_magics.session.work import VerbRun
    from batchimg_magics.ui.widgets.open_views import Visibility

__all__ = ["Panel"]


class Panel(w.VBox):  # type: ignore[misc] # ipywidgets is untyped
    """The panel of one pool.

    Parameters
    ----------
    session
        The session whose connection is used.
    name
        Name of the pool.

    Raises
    ------
    NotFoundError
        The pool does not exist.
    """

    #: Class attributes, since a panel whose pool does not exist is closed before they are set.
    _watch: PoolWatch | None = None
    _context_refresh: ContextRefresh | None = None

    def __init__(self, session: Session, name: str) -> None:
        self.session, self.name = session, name
        initial = session.call(lambda azure: read_panel_data(azure, name))
        self._connection = session.connection
        self._context, self._image, self._usd = initial.context, initial.image, initial.usd
        self._snapshot: PoolSnapshot | None = None
        self._verb_run: VerbRun | None = None
        self._shows_external = False
        self.head = w.HTML()
        self.size_tab = SizeTab(
            changed=self._show_command, resize=self.resize, stop=self.stop, repair=self.repair, refresh=self.refresh
        )
        self.estimate_tab = EstimateTab(self._start_estimate, self._apply_counts)
        self.estimate_tab.vm_size = self._context.vm_size
        self.tabs = w.Tab([self.size_tab, self.estimate_tab], titles=("Resize", "Estimate"))
        self.progress = w.HTML()
        self.confirm_button = w.Button(
            description="Confirm resize", button_style="warning", tooltip="Resize, and end running tasks"
        )
        self.confirm_button.layout.display = "none"
        self.confirm_button.on_click(lambda _: self._resize(yes=True))
        self._sent_options: dict[str, Any] | None = None
        self._unconfirmed_options: dict[str, Any] | None = None
        self.rounds = w.HTML()
        self.map = NodeMap(on_hover=self._on_hover, on_visibility=self._on_visibility)
        self.copy_line = CopyLine()
        super().__init__(
            [self.head, self.tabs, self.progress, self.confirm_button, self.map, self.rounds, self.copy_line]
        )
        self.add_class("batchimg-panel")
        self.size_tab.update_inputs(self._context, Counts(), initial.snapshot.at)
        self.show_snapshot(initial.snapshot)
        self._context_refresh = ContextRefresh(session, name, self.show_context, self.size_tab.show_refresh_error)
        self._context_refresh.read_at = initial.snapshot.at
        self._start_watch()

    # -- what was read -------------------------------------------------------------------------------------------

    @property
    def snapshot(self) -> PoolSnapshot | None:
        """The state of the pool that the panel shows."""
        return self._snapshot

    @property
    def context(self) -> ForecastInputs:
        """The quotas, prices and limits that the forecast uses."""
        return self._context

    @property
    def image(self) -> ImageSummary:
        """The image of the pool."""
        return self._image

    @property
    def context_read_at(self) -> float:
        """When the context was read, in seconds of the service's time."""
        return self._context_refresh.read_at if self._context_refresh is not None else 0.0

    @property
    def usd_so_far(self) -> float | None:
        """The cost of the nodes up to now in US dollars, or None if a price is not known."""
        return self._usd

    @property
    def is_watching(self) -> bool:
        """Whether the panel reads the pool at intervals."""
        return self._watch is not None

    # -- displayed state -----------------------------------------------------------------------------------------

    def show_snapshot(self, snapshot: PoolSnapshot) -> None:
        """Show a snapshot of the pool; called on the session's thread."""
        before = self._snapshot
        if snapshot.pool is None and snapshot.problem and before is not None:
            # A failed poll has no data: the panel keeps the previous snapshot.
            snapshot = replace(before, at=snapshot.at, problem=snapshot.problem)
        self._snapshot = snapshot
        self._add_cost(before, snapshot)
        if snapshot.pool is None:
            self._show_deleted()
            return
        census = snapshot.census
        if snapshot.pool.allocation != "steady" and (before is None or before.is_steady):
            self.map.start_recording(_format_time(before.at if before else snapshot.at))
        self._show_map(snapshot)
        self.size_tab.blocked_reason = ""
        self._follow_running()
        self.size_tab.set_target(self._resize_target(snapshot.pool.target))
        self.size_tab.update_inputs(None, head.count_nodes(snapshot), snapshot.at)
        self.size_tab.stop.disabled = not (self._resizing or snapshot.pool.allocation == "resizing")
        self.size_tab.repair.disabled = not census.bad
        if snapshot.rounds is not None:
            self.rounds.value = rounds.rounds_html(snapshot.rounds)
        if before is not None and before.pool is not None and before.pool.allocation != snapshot.pool.allocation:
            self._refresh_context()
        self._show_progress()
        self._show_head()
        self._show_command()

    def _show_map(self, snapshot: PoolSnapshot) -> None:
        ids, states = [node.id for node in snapshot.nodes], [node.state for node in snapshot.nodes]
        self.map.show(ids, states, [node.is_dedicated for node in snapshot.nodes], time=_format_time(snapshot.at))

    def _show_deleted(self) -> None:
        if self._snapshot is not None:
            self._show_map(self._snapshot)
        self.size_tab.blocked_reason = f"pool {self.name} does not exist any more"
        self.size_tab.refresh()
        for button in (self.size_tab.stop, self.size_tab.repair):
            button.disabled = True
        self._show_progress()
        self._show_head()

    def show_context(self, context: ForecastInputs, image: ImageSummary, at: float) -> None:
        """Update the inputs of the forecast; called on the session's thread."""
        self._context, self._image = context, image
        now = head.count_nodes(self._snapshot) if self._snapshot else Counts()
        self.size_tab.update_inputs(context, now, at)
        self._show_head()

    def _resize_target(self, target: Counts) -> Counts:
        """Return the target of the pool; of a resize by this session, the target of its last attempt."""
        if not self._resizing or self._verb_run is None:
            return target
        options = self._verb_run.options
        kinds = ((options.get("nodes"), target.dedicated), (options.get("spot"), target.spot))
        return Counts(*(requested if isinstance(requested, int) else current for requested, current in kinds))

    def _add_cost(self, before: PoolSnapshot | None, now: PoolSnapshot) -> None:
        """Add the cost of the nodes since the previous snapshot."""
        if before is None or before.pool is None or self._usd is None:
            return
        counts = head.count_nodes(before)
        rate = self._context.rates.known_cost(counts.dedicated, counts.spot) if counts.total else 0.0
        self._usd = None if rate is None else self._usd + rate * max(0.0, now.at - before.at) / 3600

    def _show_head(self) -> None:
        self.head.value = head.head_html(self.session.label, self.name, self._facts())

    def _facts(self) -> list[tuple[str, str]]:
        return head.pool_facts(self._snapshot, self._context, self._image, self._usd)

    def _show_progress(self) -> None:
        verb_run = self._verb_run
        if verb_run is None:
            self._show_external_resize()
            return
        if not verb_run.done():
            self.progress.value = steps_html(verb_run.label, verb_run.board.activities(), verb_run.board.now())
            return
        self._verb_run = None
        if self._watch is not None:
            self._watch.set_expecting(expecting=False)
            self._watch.poll_now()
        self._refresh_context()
        try:
            table = verb_run.result()
        except BatchImgError as error:
            self.progress.value = error_html(error)
            return
        self.progress.value = f"<div role='status'>{escape(table.caption)}</div>"
        # On Azure, a resize that would end running tasks is only planned: the user can confirm it.
        if self._sent_options is not None and "planned" in table.columns.get("class", ()):
            self._unconfirmed_options = self._sent_options
            self._apply_counts(self._sent_options["nodes"], self._sent_options["spot"])
            self.size_tab.is_edited = True  # keeps these counts when the next snapshot arrives
        self._show_command()

    def _show_external_resize(self) -> None:
        """Show a resize that this session did not start, such as one of another kernel."""
        pool = self._snapshot.pool if self._snapshot else None
        if pool is None or pool.allocation != "resizing":
            if self._shows_external:
                self._shows_external, self.progress.value = False, ""
            return
        self._shows_external = True
        since = f" since {_format_time(pool.state_since.timestamp())}Z" if pool.state_since else ""
        command = format_line("resize", {"name": self.name, "nodes": pool.target.dedicated, "spot": pool.target.spot})
        self.progress.value = (
            f"<div role='status'>This pool is being resized to {escape(str(pool.target))} nodes{since}, but not by "
            f"this session. To wait for it here, run <code>{escape(command)}</code></div>"
        )

    def _show_command(self) -> None:
        options = self.size_tab.options
        needs_confirmation = self._unconfirmed_options == options
        self.confirm_button.layout.display = "" if needs_confirmation else "none"
        self.copy_line.line = format_line(
            "resize", {"name": self.name, **options, **({"yes": True} if needs_confirmation else {})}
        )

    # -- actions -------------------------------------------------------------------------------------------------

    def resize(self) -> None:
        """Start a resize with the options of the controls."""
        self._resize()

    def _resize(self, **confirmation: bool) -> None:
        if (forecast := self.size_tab.refresh()) is None or forecast.blockers:
            return
        self._sent_options, self._unconfirmed_options = self.size_tab.options, None
        if self._start_verb("resize", **self._sent_options, **confirmation):
            self.size_tab.is_edited = False
        self._show_command()

    def stop(self) -> None:
        """Stop the current resize of the pool, also one that another session started."""
        self._start_verb("stop-resize")

    def repair(self) -> None:
        """Reboot or replace unusable nodes."""
        self._start_verb("repair")

    def refresh(self) -> None:
        """Read the nodes and the inputs of the forecast again now."""
        if self._watch is not None:
            self._watch.poll_now()
        self._refresh_context()

    def _start_verb(self, verb: str, **options: Any) -> bool:
        try:
            self._check_connection()
            verb_run = self.session.begin(verb, name=self.name, **options)
        except BatchImgError as error:
            self.progress.value = error_html(error)
            return False
        # A resize that is being stopped reports its own outcome.
        if self._verb_run is None or self._verb_run.done():
            self._follow(verb_run)
        return True

    def _check_connection(self) -> None:
        """Refuse to act on another connection than that of the panel."""
        if self.session.connection is not self._connection:
            raise NotConnectedError(
                "the connection of this panel is closed",
                hint=f"open a panel on the current connection: `%batchimg panel {self.name}`",
            )

    def _follow_running(self) -> None:
        """Show the progress of a verb that runs on this pool in the session, started by a cell or another panel."""
        if self._verb_run is None and (verb_run := self.session.find_running(self.name)) is not None:
            self._follow(verb_run)

    def _follow(self, verb_run: VerbRun) -> None:
        self._verb_run, self._shows_external = verb_run, False
        self.size_tab.stop.disabled = not self._resizing
        if self._watch is not None:
            self._watch.set_expecting(expecting=True)
        verb_run.add_done_callback(self._show_progress)

    @property
    def _resizing(self) -> bool:
        """Whether this session is resizing the pool: it can be stopped before Azure reports the resize."""
        return self._verb_run is not None and self._verb_run.verb == "resize" and not self._verb_run.done()

    def _start_estimate(self, options: dict[str, Any]) -> VerbRun:
        self._check_connection()
        return self.session.begin("estimate", name=self.name, **options)

    def _apply_counts(self, dedicated: int | None, spot: int | None) -> None:
        if dedicated is not None:
            self.size_tab.nodes_field.value = dedicated
        if spot is not None:
            self.size_tab.spot_field.value = spot
        self.tabs.selected_index = 0

    def _on_hover(self, node_id: str) -> None:
        async def read_details(azure: Azure) -> None:
            client = await azure.batch()
            node = await azure.call_or_none(client.get_node(self.name, node_id))
            if node is not None:
                errors = "; ".join(f"{one.code}: {one.message}" for one in node.errors or [])
                since = node.state_transition_time.strftime("%Y-%m-%d %H:%M:%SZ") if node.state_transition_time else ""
                self.map.show_node_details(node_id, since=since, error=errors)

        if self.session.connection is self._connection:
            self.session.submit(read_details)

    # -- visibility ----------------------------------------------------------------------------------------------

    def _on_visibility(self, visibility: Visibility) -> None:
        """Poll Azure only while the panel is open in a page; verbs continue in any case."""
        if visibility == "closed":
            self._stop_watch()
            return
        self._start_watch()
        if self._watch is not None:
            self._watch.set_hidden(visibility == "hidden")
        if self._context_refresh is not None and visibility == "hidden":
            self._context_refresh.stop()

    def _start_watch(self) -> None:
        if self.session.connection is not self._connection:
            self._stop_watch()
            return
        if self._watch is None:
            self._watch = self.session.watch(self.name, self.show_snapshot)
            self._watch.set_expecting(expecting=self._resizing)
        if self._context_refresh is not None:
            self._context_refresh.start()

    def _stop_watch(self) -> None:
        if self._watch is not None:
            self._watch.stop()
            self._watch = None
        if self._context_refresh is not None:
            self._context_refresh.stop()

    def _refresh_context(self) -> None:
        if self._context_refresh is not None:
            self._context_refresh.read_now()

    def close(self) -> None:
        """Stop polling; verbs continue."""
        self._stop_watch()
        super().close()

    # -- without widgets -----------------------------------------------------------------------------------------

    def _repr_mimebundle_(self, **options: Any) -> Bundle:
        """Return the widget, and the panel as HTML for front ends without widgets."""
        return add_html(super()._repr_mimebundle_(**options), self._static_html())

    def _static_html(self) -> str:
        nodes = self._snapshot.nodes if self._snapshot else ()
        facts = [("", f"{self.session.label} {self.name}"), *self._facts()]
        return static_html.panel_html(
            facts,
            [(node.state, node.is_dedicated) for node in nodes],
            self.map.squares.counts(),
            rounds=self.rounds.value,
            line=self.copy_line.line,
        )


def _format_time(at: float) -> str:
    return dt.datetime.fromtimestamp(at, dt.UTC).strftime("%H:%M:%S")
