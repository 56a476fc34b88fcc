"""The panel of one pool: one widget, whose state lives in traits.

Nothing here blocks the kernel: a front end sends what the user did as messages; verbs run on the session's loop, which
sets traits; front ends display traits live and restore them after a reload. The panel is a convenience; the notebook,
with the command, is the record.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from batchimg_magics.core.base.node_counts import Counts
from batchimg_magics.masking import visible_values
from batchimg_magics.pool_spec.line import format_line
from batchimg_magics.pool_spec.words import count_text
from batchimg_magics.ui.panel import buttons, cards, head
from batchimg_magics.ui.panel.attempts_section import AttemptsSection
from batchimg_magics.ui.panel.display import display_panel
from batchimg_magics.ui.panel.estimate import EstimateSection
from batchimg_magics.ui.panel.form import ResizeForm
from batchimg_magics.ui.panel.nodes_section import NodesSection
from batchimg_magics.ui.panel.pool_work import PoolWork
from batchimg_magics.ui.panel.refresh import ContextRefresh, read_panel_data
from batchimg_magics.ui.panel.runs_section import RunsSection
from batchimg_magics.ui.widgets.modules import PANEL_SCRIPT, PANEL_STYLE
from batchimg_magics.ui.widgets.open_views import OpenViews
from batchimg_magics.ui.widgets.shown_state import ShownState

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.base.table import Table
    from batchimg_magics.core.estimates.forecast import ForecastInputs
    from batchimg_magics.core.scaling.context import ImageSummary
    from batchimg_magics.core.scaling.watch import PoolSnapshot
    from batchimg_magics.session.pool_watch import PoolWatch
    from batchimg_magics.session.session import Session
    from batchimg_magics.session.work import VerbRun
    from batchimg_magics.ui.panel.section import Section
    from batchimg_magics.ui.widgets.open_views import Visibility

__all__ = ["Panel"]


class Panel(anywidget.AnyWidget):
    """The panel of one pool.

    Parameters
    ----------
    session
        The session whose connection is used.
    name
        Name of the pool.

    Attributes
    ----------
    head, tiles, size, forecast, actions, activity, estimate, nodes, runs,
    attempts
        What the parts show, as JSON documents.
    form
        The size and the options that the user selected.

    Raises
    ------
    NotFoundError
        The pool does not exist.
    """

    _esm = PANEL_SCRIPT
    _css = PANEL_STYLE
    #: The id of this model, by which views find it in the notebook.
    model = traitlets.Unicode("").tag(sync=True)
    head = ShownState().tag(sync=True)
    size = ShownState().tag(sync=True)
    forecast = ShownState().tag(sync=True)
    actions = ShownState().tag(sync=True)
    activity = ShownState().tag(sync=True)
    estimate = ShownState().tag(sync=True)
    nodes = ShownState().tag(sync=True)
    runs = ShownState().tag(sync=True)
    attempts = ShownState().tag(sync=True)

    #: Class attributes, since a panel whose pool does not exist is closed before they are set.
    _watch: PoolWatch | None = None
    _context_refresh: ContextRefresh | None = None
    _update_static: Callable[[], None] | None = None

    def __init__(self, session: Session, name: str) -> None:
        self.session, self.name = session, name
        initial = session.call(lambda azure: read_panel_data(azure, name))
        super().__init__()
        self.model = self.model_id or ""
        self._connection = session.connection
        self._context, self._image, self._usd = initial.context, initial.image, initial.usd
        self._snapshot: PoolSnapshot | None = None
        self._read_at, self._refresh_problem = initial.snapshot.at, ""
        self._form_origin: tuple[str, int] = ("", 0)
        self.work = PoolWork(
            session, name, on_state=self._on_work_state, on_begin=self._on_work_begin, on_end=self._on_work_end
        )
        self.form = ResizeForm(context=self._context, at=initial.snapshot.at)
        self.estimate_section = EstimateSection(self._start_estimate, self._apply_counts, self._show_estimate)
        self.estimate_section.vm_size = self._context.vm_size
        self.nodes_section = NodesSection(self)
        self.runs_section = RunsSection(self)
        self.attempts_section = AttemptsSection(self)
        self._sections: dict[str, Section] = {
            "nodes": self.nodes_section, "runs": self.runs_section, "attempts": self.attempts_section,
        }  # fmt: skip
        self._open_views = OpenViews()
        self.on_msg(self._on_message)
        self._show_estimate()
        self.show_snapshot(initial.snapshot)
        self._context_refresh = ContextRefresh(session, name, self.show_context, self.show_refresh_error)
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
        for section in self._sections.values():
            section.show(snapshot)
        if snapshot.pool is not None:
            self.work.follow_running()
            self.form.follow(self._resize_target(snapshot.pool.target))
            self.form.now, self.form.at = head.count_nodes(snapshot), snapshot.at
        was, pool = None if before is None else before.pool, snapshot.pool
        if was is not None and pool is not None:
            if was.allocation != pool.allocation:
                self.work.lines.add(snapshot.at, f"pool is {pool.allocation}: {self.form.now.text}")
            if (was.allocation, was.formula) != (pool.allocation, pool.formula):
                self._refresh_context()
        self.work.show(snapshot)
        self._show_head()
        self._show_form()
        is_changed = before is not None and not before.shows_same_as(snapshot)
        if self._update_static is not None and is_changed and snapshot.is_steady:
            self._update_static()

    def show_context(self, context: ForecastInputs, image: ImageSummary, at: float) -> None:
        """Update the inputs of the forecast; called on the session's thread."""
        self._context, self._image = context, image
        self.form.context, self._read_at, self._refresh_problem = context, at, ""
        self._show_head()
        self._show_form()

    def show_refresh_error(self, problem: str) -> None:
        """Show why the inputs of the forecast could not be read again."""
        self._refresh_problem = problem
        self._show_form()

    def _resize_target(self, target: Counts) -> Counts:
        """Return the target of the pool; of a resize by this session, the target of its last attempt."""
        options = self.work.resize_options
        if options is None:
            return target
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
        state = head.head_state(self.name, self._connection, self._snapshot, self._context, self._usd)
        self.head = state | {"tiles": head.tile_states(self._snapshot, self._image)}

    def _show_form(self) -> None:
        """Show the size, the forecast, the buttons and the command."""
        pool = None if self._snapshot is None else self._snapshot.pool
        target = Counts() if pool is None else pool.target
        is_billed = self._connection is not None and self._connection.is_billed
        size = cards.size_state(self.form, target, is_billed=is_billed)
        self.size = size | {"by": list(self._form_origin)}
        gone = "" if pool is not None else f"pool {self.name} does not exist any more"
        result = self.form.forecast(gone)
        if result is not None:
            age, problem = cards.age_text(self._read_at), "" if gone else self._refresh_problem
            self.forecast = cards.forecast_state(self.form, result, age=age, problem=problem)
        reasons = buttons.button_reasons(
            self._snapshot, self.form, result, self.work.running, needs_yes=size["needs_yes"]
        )
        self.actions = {
            "resize": f"Resize to {self.form.nodes:,} + {self.form.spot:,}",
            "reasons": reasons,
            "blocked": result is not None and bool(result.blockers),
            "line": format_line("resize", {"name": self.name, **self.form.options}),
            "delete": f"Delete pool {self.name} and its {count_text(self.form.now.total, 'node')}? Its image is kept.",
        }

    def _show_estimate(self) -> None:
        self.estimate = self.estimate_section.state()

    def _on_work_state(self, state: dict[str, Any]) -> None:
        self.activity = state

    def _on_work_begin(self) -> None:
        if self._watch is not None:
            self._watch.set_expecting(expecting=True)

    def _on_work_end(self, verb_run: VerbRun, table: Table | None) -> None:
        """Read the pool again; a resize that waits for a confirmation keeps its size in the form."""
        if self._watch is not None:
            self._watch.set_expecting(expecting=False)
            self._watch.poll_now()
        self._refresh_context()
        if table is not None and table.attrs.get("withheld") and verb_run.verb == "resize":
            self.form.update({key: verb_run.options[key] for key in ("nodes", "spot")})
        self._show_form()

    # -- actions -------------------------------------------------------------------------------------------------

    def press(self, button: str) -> None:
        """Press a button: ``resize``, ``stop``, ``repair`` or ``delete``; nothing if it is disabled."""
        if self.actions["reasons"].get(button):
            return
        if button == "resize":
            if self.start_verb("resize", **self.form.options):
                self.form.is_edited = self.form.yes = False
        elif button == "delete":
            self.start_verb("delete", yes=True)
        else:
            self.start_verb("stop-resize" if button == "stop" else button)
        self._show_form()

    def refresh(self) -> None:
        """Read the nodes and the inputs of the forecast again now."""
        if self._watch is not None:
            self._watch.poll_now()
        self.runs_section.refresh()
        self._refresh_context()

    def start_verb(self, verb: str, **options: Any) -> VerbRun | None:
        """Start a verb on the pool and follow its progress; None: it was refused, and the panel says so."""
        return self.work.start(verb, **options)

    def _start_estimate(self, options: dict[str, Any]) -> VerbRun:
        self.work.check_connection()
        return self.session.begin("estimate", name=self.name, **options)

    def _apply_counts(self, dedicated: int | None, spot: int | None) -> None:
        counts = {"nodes": dedicated, "spot": spot}
        self._form_origin = ("", 0)
        self.form.update({key: count for key, count in counts.items() if count is not None})
        self._show_form()

    # -- messages and sections -----------------------------------------------------------------------------------

    def _on_message(self, _: object, content: dict[str, Any], __: object) -> None:
        """Answer a front end. Its messages are untrusted: anything unexpected is ignored."""
        match content:
            case {"section": str(section)} if section in self._sections:
                self._sections[section].on_message(content)
            case {"kind": "set", "values": dict(values), "view": str(view), "number": int(number)}:
                self._form_origin = (view, number)
                self.form.update(values)
                self._show_form()
            case {"kind": "press", "button": "resize" | "stop" | "repair" | "delete" as button}:
                self.press(button)
            case {"kind": "refresh"}:
                self.refresh()
            case {"kind": "estimate", "values": dict(values)}:
                self.estimate_section.update(values)
                self.estimate_section.calculate()
            case {"kind": "apply", "index": index}:
                self.estimate_section.apply(index)
            case {"kind": "view", "view": str(view), "state": "visible" | "hidden" | "closed" as state}:
                self._on_view_state(view, state, new=content.get("new") is True)

    def set_section_state(self, section: str, state: dict[str, Any]) -> None:
        """Set the JSON state of a section."""
        setattr(self, section, state)

    def send_to_section(self, section: str, content: dict[str, Any], buffers: Sequence[bytes] = ()) -> None:
        """Send a message to the views of a section."""
        self.send({"section": section, **visible_values(content)}, buffers=list(buffers))

    def read(self, function: Callable[[Azure], Coroutine[Any, Any, None]]) -> None:
        """Run a coroutine on the session's loop; nothing if the panel's connection is closed."""
        if self.work.is_own_connection:
            self.session.submit(function)

    # -- visibility ----------------------------------------------------------------------------------------------

    def _on_view_state(self, view: str, state: Visibility, *, new: bool) -> None:
        """Poll Azure only while the panel is open in a page; verbs continue in any case."""
        before = self._open_views.visibility
        if self._open_views.set_view_state(view, state, new=new):
            self.send({"kind": "report views"})
        now = self._open_views.visibility
        if now == before:
            return
        if now == "closed":
            self._stop_watch()
            return
        self._start_watch()
        if self._watch is not None:
            self._watch.set_hidden(now == "hidden")
        if self._context_refresh is not None and now == "hidden":
            self._context_refresh.stop()

    def _start_watch(self) -> None:
        if not self.work.is_own_connection:
            self._stop_watch()
            return
        if self._watch is None:
            self._watch = self.session.watch(self.name, self.show_snapshot)
            self._watch.set_expecting(expecting=self.work.running is not None)
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

    # -- display -------------------------------------------------------------------------------------------------

    def _ipython_display_(self) -> None:
        """Display the widget where there are widgets, and its static form elsewhere."""
        self._update_static = display_panel(self)

    def static_html(self) -> str:
        """Return the panel as HTML without JavaScript; all text is escaped."""
        from batchimg_magics.ui.panel.static_html import panel_html

        return panel_html(self.head, self.actions["line"], [one.static_html() for one in self._sections.values()])

    def __repr__(self) -> str:
        return self.static_text()

    def static_text(self) -> str:
        """Return the panel as text for terminals."""
        from batchimg_magics.ui.panel.static_text import panel_text

        return panel_text(self.head, self.nodes_section.squares.counts(), self.actions["line"])
