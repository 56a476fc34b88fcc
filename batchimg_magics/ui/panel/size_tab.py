"""The resize tab: the controls of a resize, and a forecast for the selected size."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from batchimg_magics.core.base.node_counts import Counts
from batchimg_magics.core.batch.pools import resize_timeout_s
from batchimg_magics.core.estimates.forecast import Forecast, ForecastInputs, forecast
from batchimg_magics.display.progress import format_duration
from batchimg_magics.pool_spec.values import MAX_NODES
from batchimg_magics.ui.widgets.slider import Slider

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SizeTab"]

#: Smallest upper end of a slider; a higher number in its field extends it.
MIN_SLIDER_MAX = 100
#: Azure's value, and its effect on the tasks of nodes that are removed. Source: Batch service, nodeDeallocationOption.
DRAIN_LABELS = (
    ("requeue: end running tasks and requeue them", "requeue"),
    ("terminate: end running tasks, without a retry", "terminate"),
    ("taskcompletion: wait for running tasks", "taskcompletion"),
    ("retaineddata: wait for running tasks and for the retention time of their files", "retaineddata"),
)
_WIDE = {"description_width": "11em"}
_UNKNOWN = "not available"


class SizeTab(w.VBox):  # type: ignore[misc] # ipywidgets is untyped
    """The controls, the forecast and the buttons of a resize.

    Parameters
    ----------
    changed
        Called when the user changed a control.
    resize, stop, repair, refresh
        Called when the button was clicked.

    Attributes
    ----------
    blocked_reason
        Why the pool cannot be resized at all; empty: it can.
    is_edited
        Whether the user changed a control since the last resize was started.
    """

    def __init__(
        self,
        *,
        changed: Callable[[], None],
        resize: Callable[[], None],
        stop: Callable[[], None],
        repair: Callable[[], None],
        refresh: Callable[[], None],
    ) -> None:
        self._make_controls()
        self._make_buttons(resize=resize, stop=stop, repair=repair, refresh=refresh)
        self.blocked_html = w.HTML()
        self.blocked_reason = ""
        self._read_at, self._refresh_error = 0.0, ""
        self._context: ForecastInputs | None = None
        self._now, self._at = Counts(), 0.0
        self._changed = changed
        self._ignore_changes = False
        self.is_edited = False
        row = w.Layout(flex_flow="row wrap", align_items="center", grid_gap="4px 12px")
        super().__init__(
            [
                self._dedicated_row,
                self._spot_row,
                self.vm_size_html,
                w.HBox([self.timeout, self.timeout_note], layout=row),
                w.HBox([self.drain], layout=row),
                w.HBox([self.repair_bad, self.canary], layout=row),
                self.forecast_html,
                w.HBox([self.resize, self.stop, self.repair, self.refresh_button, self.blocked_html], layout=row),
            ]
        )

    def _make_controls(self) -> None:
        self.nodes, self.nodes_field, self._dedicated_row = _node_count_controls("Dedicated nodes")
        self.spot, self.spot_field, self._spot_row = _node_count_controls("Spot nodes")
        self.vm_size_html = w.HTML()
        self.timeout = w.BoundedIntText(20, min=0, max=10_080, description="Resize timeout", style=_WIDE)
        self.timeout.layout.width = "18em"
        self.timeout_note = w.HTML()
        self.has_custom_timeout = False
        self.repair_bad = w.Checkbox(value=False, description="Repair unusable nodes", indent=False)
        self.canary = w.Checkbox(value=False, description="Test with one node first (canary)", indent=False)
        self.drain = w.Dropdown(options=DRAIN_LABELS, description="Node deallocation", style=_WIDE)
        self.drain.tooltip = "Node deallocation option: what happens to running tasks on nodes that are removed"
        self.drain.layout = w.Layout(width="36em", max_width="100%")
        self.forecast_html = w.HTML()
        for control in (self.nodes, self.spot, self.repair_bad, self.canary, self.drain):
            control.observe(self._on_change, "value")
        self.timeout.observe(self._on_timeout_change, "value")

    def _make_buttons(self, **presses: Callable[[], None]) -> None:
        self.resize = w.Button(description="Resize", button_style="primary", tooltip="Start the resize")
        self.stop = w.Button(
            description="Stop resize", tooltip="Stop the current resize; existing nodes are kept", disabled=True
        )
        self.repair = w.Button(description="Repair", tooltip="Reboot or replace unusable nodes", disabled=True)
        self.refresh_button = w.Button(description="Refresh", tooltip="Read nodes, quotas and prices again")
        buttons = {"resize": self.resize, "stop": self.stop, "repair": self.repair, "refresh": self.refresh_button}
        for name, button in buttons.items():
            button.on_click(lambda _, press=presses[name]: press())

    @property
    def target(self) -> Counts:
        """The node counts that the controls show."""
        return Counts(self.nodes.value, self.spot.value)

    @property
    def options(self) -> dict[str, Any]:
        """The options of `resize` that the controls show; default values are left out."""
        options: dict[str, Any] = {"nodes": self.nodes.value, "spot": self.spot.value}
        if self.has_custom_timeout:
            options["timeout"] = f"{self.timeout.value}m"
        if self.repair_bad.value:
            options["repair"] = True
        if self.canary.value:
            options["canary"] = True
        if self.drain.value != DRAIN_LABELS[0][1] and not self.target.covers(self._now):
            options["drain"] = self.drain.value
        return options

    def set_target(self, target: Counts) -> None:
        """Set the controls to the pool's target, unless the user changed them."""
        if self.is_edited or target == self.target:
            return
        self._ignore_changes = True
        for field, value in ((self.nodes_field, target.dedicated), (self.spot_field, target.spot)):
            field.value = value
        self._ignore_changes = False
        self.refresh()

    def update_inputs(self, context: ForecastInputs | None, now: Counts, at: float) -> None:
        """Update the current nodes, and the inputs of the forecast if they were read again."""
        if context is not None:
            self._context, self._read_at, self._refresh_error = context, at, ""
        self._now, self._at = now, at
        self.refresh()

    def show_refresh_error(self, problem: str) -> None:
        """Show why the inputs of the forecast could not be read again."""
        self._refresh_error = problem
        self.refresh()

    def _on_change(self, _: object) -> None:
        if self._ignore_changes:
            return
        self.is_edited = True
        self.refresh()
        self._changed()

    def _on_timeout_change(self, _: object) -> None:
        if not self._ignore_changes:
            # The default value is no custom timeout: it continues to follow the size.
            self.has_custom_timeout = self.timeout.value != self._default_timeout_minutes()
            self._on_change(None)

    def _default_timeout_minutes(self) -> int:
        return round(resize_timeout_s(self.target.total) / 60)

    def refresh(self) -> Forecast | None:
        """Update the forecast and whether the resize is possible; return the forecast."""
        if self._context is None:
            return None
        timeout_s = self.timeout.value * 60.0 if self.has_custom_timeout else None
        result = forecast(self._context, self._now, self.target, timeout_s=timeout_s, at=self._at)
        if self.blocked_reason:
            result = replace(result, blockers=(self.blocked_reason,))
        if not self.has_custom_timeout:
            self._ignore_changes = True
            self.timeout.value = self._default_timeout_minutes()
            self._ignore_changes = False
        self.vm_size_html.value = _vm_size_text(self._context)
        self.timeout_note.value = _muted("minutes (recommended: 15 per 1,000 nodes, at least 20 for custom images)")
        age = dt.datetime.fromtimestamp(self._read_at, dt.UTC).strftime("quotas and prices read at %H:%M:%SZ")
        age += f"; reading them again failed: {self._refresh_error}" if self._refresh_error else ""
        self.forecast_html.value = _forecast_text(result, self._context, self._now, self.target) + _note(age)
        self.resize.disabled = bool(result.blockers)
        self.blocked_html.value = _messages_html("Cannot resize", result.blockers) if result.blockers else ""
        return result


def _node_count_controls(name: str) -> tuple[Slider, w.BoundedIntText, w.HBox]:
    slider = Slider(max=MIN_SLIDER_MAX, name=f"{name}, slider")
    field = w.BoundedIntText(0, min=0, max=MAX_NODES, description=name, style=_WIDE, layout=w.Layout(width="18em"))

    def follow(change: dict[str, Any]) -> None:
        # Extend the slider if needed, so that field and slider always show the same number.
        slider.max = max(MIN_SLIDER_MAX, slider.max, _rounded(change["new"]))
        slider.value = change["new"]

    field.observe(follow, "value")
    slider.observe(lambda change: setattr(field, "value", change["new"]), "value")
    layout = w.Layout(flex_flow="row wrap", align_items="center")
    return slider, field, w.HBox([field, slider], layout=layout)


def _rounded(value: int) -> int:
    """Return a round number not below a value, for a slider's upper end."""
    step = int(10 ** max(1, len(str(value)) - 1))
    return -(-value // step) * step


def _vm_size_text(context: ForecastInputs) -> str:
    memory = "" if context.memory_gib is None else f", {context.memory_gib:g} GiB"
    cores = f"{context.headroom.cores} vCPUs{memory}" if context.headroom.cores else "no longer offered"
    return f"<div>VM size <b>{escape(context.vm_size)}</b> ({cores})</div>"


def _forecast_text(result: Forecast, context: ForecastInputs, now: Counts, target: Counts) -> str:
    cells = [
        (
            "cores",
            "<br>".join(f"{escape(one.name)}: {_cores_text(needed, one.free)}" for one, needed in result.cores)
            or "no quota found",
        ),
        (
            "replicas",
            _UNKNOWN if context.replicas is None else f"{context.replicas}/{result.replicas_needed}",
        ),
    ]
    if target.total > now.total:
        attempts = f", in about {result.rounds} resize attempts" if result.rounds > 1 else ""
        first = ", with one node first" if result.first_node else ""
        cells.append(("time until ready", f"about {format_duration(result.ready_s)}{attempts}{first}"))
        if result.usd_until_ready is not None:
            cells.append(("cost until ready", f"about ${result.usd_until_ready:,.2f}"))
    cost = _UNKNOWN if result.usd_per_hour is None else f"${result.usd_per_hour:,.2f}/h incl. disks"
    limit = context.usd_per_hour_limit
    cells.append(("cost", cost + ("" if limit is None else f" (limit ${limit:,.2f}/h)")))
    if result.usd_until_expiry is not None:
        cells.append(("cost until expiry", f"${result.usd_until_expiry:,.2f}"))
    rows = "".join(f'<tr><th scope="row">{name}</th><td>{text}</td></tr>' for name, text in cells)
    table = f'<table class="batchimg-facts" aria-label="Resize forecast">{rows}</table>'
    return f"{table}{_messages_html('Note', result.warnings)}"


def _cores_text(needed: int, free: int) -> str:
    text = f"needs {needed:,} of {free:,} available cores"
    return text if needed <= free else f'<span class="over">{text}</span>'


def _messages_html(head: str, lines: tuple[str, ...]) -> str:
    return "".join(f"<div><b>{head}:</b> {escape(line)}</div>" for line in lines)


def _muted(text: str) -> str:
    return f'<span class="batchimg-muted">{escape(text)}</span>'


def _note(text: str) -> str:
    return f"<div>{_muted(text)}</div>"
