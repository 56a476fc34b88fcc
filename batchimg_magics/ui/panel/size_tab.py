"""The sizing tab: the controls of a resize, and what it will need while one moves them."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from batchimg_magics.core.base.node_counts import Counts
from batchimg_magics.core.batch.pools import timeout_s
from batchimg_magics.core.estimates.forecast import Forecast, Situation, forecast
from batchimg_magics.ui.progress import duration
from batchimg_magics.ui.widgets.slider import Slider

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SizingTab"]

#: The slider's least end; the number field goes beyond, and takes the slider along.
LEAST_END = 100
MOST = 100_000
#: Azure's word for each, and what it does to the tasks of nodes that are deallocated. Source: Batch service,
#: nodeDeallocationOption.
DRAINS = (
    ("requeue: end tasks and queue them again", "requeue"),
    ("terminate: end tasks for good", "terminate"),
    ("taskcompletion: wait until tasks end", "taskcompletion"),
    ("retaineddata: wait for tasks, and until their files' retention ends", "retaineddata"),
)
_WIDE = {"description_width": "11em"}


class SizingTab(w.VBox):  # type: ignore[misc] # ipywidgets is untyped
    """Sliders, fields and switches, the forecast, and the buttons.

    Parameters
    ----------
    changed
        Called when a control has been moved.
    resize, stop, repair, refresh
        Called when a button was pressed.

    Attributes
    ----------
    obstacle
        Why nothing can be asked of the pool at all; empty: nothing is in the way.
    touched
        Whether somebody has moved a control since the last resize was sent.
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
        self.why = w.HTML()
        self.obstacle = ""
        self._read_at, self._not_renewed = 0.0, ""
        self._situation: Situation | None = None
        self._now, self._at = Counts(), 0.0
        self._changed = changed
        self._quiet = False
        self.touched = False
        row = w.Layout(flex_flow="row wrap", align_items="center", grid_gap="4px 12px")
        super().__init__(
            [
                self._dedicated_row,
                self._spot_row,
                self.size,
                w.HBox([self.timeout, self.timeout_why], layout=row),
                w.HBox([self.drain], layout=row),
                w.HBox([self.repair_bad, self.canary], layout=row),
                self.outlook,
                w.HBox([self.resize, self.stop, self.repair, self.again, self.why], layout=row),
            ]
        )

    def _make_controls(self) -> None:
        self.nodes, self.nodes_field, self._dedicated_row = _count("Dedicated nodes")
        self.spot, self.spot_field, self._spot_row = _count("Spot nodes")
        self.size = w.HTML()
        self.timeout = w.BoundedIntText(20, min=0, max=10_080, description="Resize timeout", style=_WIDE)
        self.timeout.layout.width = "18em"
        self.timeout_why = w.HTML()
        self.own_timeout = False
        self.repair_bad = w.Checkbox(value=False, description="Repair bad nodes", indent=False)
        self.canary = w.Checkbox(value=False, description="One node first (canary)", indent=False)
        self.drain = w.Dropdown(options=DRAINS, description="Node deallocation", style=_WIDE)
        self.drain.tooltip = "Node deallocation option: what becomes of the tasks on nodes that a resize takes away"
        self.drain.layout = w.Layout(width="36em", max_width="100%")
        self.outlook = w.HTML()
        for control in (self.nodes, self.spot, self.repair_bad, self.canary, self.drain):
            control.observe(self._moved, "value")
        self.timeout.observe(self._timed, "value")

    def _make_buttons(self, **presses: Callable[[], None]) -> None:
        self.resize = w.Button(description="Resize", button_style="primary", tooltip="Send the resize")
        self.stop = w.Button(
            description="Stop", tooltip="Stop the resize; the nodes that are there stay", disabled=True
        )
        self.repair = w.Button(description="Repair", tooltip="Reboot or replace bad nodes", disabled=True)
        self.again = w.Button(description="Refresh", tooltip="Look again: nodes, quotas, prices")
        buttons = {"resize": self.resize, "stop": self.stop, "repair": self.repair, "refresh": self.again}
        for name, button in buttons.items():
            button.on_click(lambda _, press=presses[name]: press())

    @property
    def target(self) -> Counts:
        """What the controls ask for."""
        return Counts(self.nodes.value, self.spot.value)

    @property
    def options(self) -> dict[str, Any]:
        """The options of `resize` that the controls say; those that say nothing are left out."""
        said: dict[str, Any] = {"nodes": self.nodes.value, "spot": self.spot.value}
        if self.own_timeout:
            said["timeout"] = f"{self.timeout.value}m"
        if self.repair_bad.value:
            said["repair"] = True
        if self.canary.value:
            said["canary"] = True
        if self.drain.value != DRAINS[0][1] and not self.target.covers(self._now):
            said["drain"] = self.drain.value
        return said

    def aim(self, target: Counts) -> None:
        """Put the sliders where the pool's target is, unless somebody has moved them."""
        if self.touched or target == self.target:
            return
        self._quiet = True
        for field, value in ((self.nodes_field, target.dedicated), (self.spot_field, target.spot)):
            field.value = value
        self._quiet = False
        self.refresh()

    def stand(self, situation: Situation | None, now: Counts, at: float) -> None:
        """Take in how things stand, and what the forecast rests on where it was read again."""
        if situation is not None:
            self._situation, self._read_at, self._not_renewed = situation, at, ""
        self._now, self._at = now, at
        self.refresh()

    def not_renewed(self, problem: str) -> None:
        """Tell why what the forecast rests on could not be read again."""
        self._not_renewed = problem
        self.refresh()

    def _moved(self, _: object) -> None:
        if self._quiet:
            return
        self.touched = True
        self.refresh()
        self._changed()

    def _timed(self, _: object) -> None:
        if not self._quiet:
            # A timeout that is proposed anyway is nobody's own: it goes on following the size.
            self.own_timeout = self.timeout.value != self._proposed()
            self._moved(None)

    def _proposed(self) -> int:
        return round(timeout_s(self.target.total) / 60)

    def refresh(self) -> Forecast | None:
        """Say what the resize will need, and whether it can be sent."""
        if self._situation is None:
            return None
        own_s = self.timeout.value * 60.0 if self.own_timeout else None
        seen = forecast(self._situation, self._now, self.target, timeout_s=own_s, at=self._at)
        if self.obstacle:
            seen = replace(seen, impossible=(self.obstacle,))
        if not self.own_timeout:
            self._quiet = True
            self.timeout.value = self._proposed()
            self._quiet = False
        self.size.value = _size(self._situation)
        self.timeout_why.value = _muted("minutes; 15 for each 1,000 nodes and 20 at least, as custom images want")
        read = dt.datetime.fromtimestamp(self._read_at, dt.UTC).strftime("quotas and prices of %H:%M:%SZ")
        missing = f"; they could not be read again: {self._not_renewed}" if self._not_renewed else ""
        self.outlook.value = _outlook(seen, self._situation, self._now, self.target) + _note(read + missing)
        self.resize.disabled = bool(seen.impossible)
        self.why.value = _said("cannot be sent", seen.impossible) if seen.impossible else ""
        return seen


def _count(name: str) -> tuple[Slider, w.BoundedIntText, w.HBox]:
    slider = Slider(max=LEAST_END, name=f"{name}, slider")
    field = w.BoundedIntText(0, min=0, max=MOST, description=name, style=_WIDE, layout=w.Layout(width="18em"))

    def follow(change: dict[str, Any]) -> None:
        # The slider's end moves along, so that both always say the same.
        slider.max = max(LEAST_END, slider.max, _rounded(change["new"]))
        slider.value = change["new"]

    field.observe(follow, "value")
    slider.observe(lambda change: setattr(field, "value", change["new"]), "value")
    layout = w.Layout(flex_flow="row wrap", align_items="center")
    return slider, field, w.HBox([field, slider], layout=layout)


def _rounded(value: int) -> int:
    """Return a round number above a value, for a slider's end."""
    step = int(10 ** max(1, len(str(value)) - 1))
    return -(-value // step) * step


def _size(situation: Situation) -> str:
    memory = "" if situation.memory_gib is None else f", {situation.memory_gib:g} GiB"
    cores = f"{situation.room.cores} vCPUs{memory}" if situation.room.cores else "not offered any more"
    return f"<div>VM size <b>{escape(situation.vm_size)}</b> ({cores})</div>"


def _outlook(seen: Forecast, situation: Situation, now: Counts, target: Counts) -> str:
    cells = [
        (
            "cores",
            "<br>".join(f"{escape(one.name)}: {_of(wanted, one.free)}" for one, wanted in seen.cores)
            or "no quota known",
        ),
        (
            "replicas",
            "not known" if situation.replicas is None else f"{seen.replicas_wanted} wanted, {situation.replicas} there",
        ),
    ]
    if target.total > now.total:
        rounds = f" in about {seen.rounds} rounds" if seen.rounds > 1 else ""
        cells.append(("ready", f"about {duration(seen.ready_s)} from now{rounds}"))
    cost = "not known" if seen.usd_per_hour is None else f"${seen.usd_per_hour:,.2f} an hour, disks too"
    limit = situation.usd_per_hour_limit
    cells.append(("cost", cost + ("" if limit is None else f"; ${limit:,.2f} allowed")))
    if seen.usd_until_expiry is not None:
        cells.append(("until expiry", f"${seen.usd_until_expiry:,.2f}"))
    rows = "".join(f'<tr><th scope="row">{name}</th><td>{said}</td></tr>' for name, said in cells)
    table = f'<table class="batchimg-facts" aria-label="What the resize will need">{rows}</table>'
    return f"{table}{_said('note', seen.doubts)}"


def _of(wanted: int, free: int) -> str:
    said = f"{wanted:,} wanted, {free:,} free"
    return said if wanted <= free else f'<span class="over">{said}</span>'


def _said(head: str, lines: tuple[str, ...]) -> str:
    return "".join(f"<div><b>{head}:</b> {escape(line)}</div>" for line in lines)


def _muted(text: str) -> str:
    return f'<span class="batchimg-muted">{escape(text)}</span>'


def _note(text: str) -> str:
    return f"<div>{_muted(text)}</div>"
