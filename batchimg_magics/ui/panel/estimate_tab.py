"""The estimate tab: the `estimate` verb as a form, whose results can be applied to the resize tab."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from batchimg_magics.display.tables import format_cell
from batchimg_magics.errors import BatchImgError

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.session.work import VerbRun

__all__ = ["EstimateTab"]

_WIDE = {"description_width": "11em"}
#: Columns of the result, and their headings.
_HEADINGS = {
    "vm_size": "VM size",
    "kind": "node type",
    "nodes": "nodes",
    "makespan_minutes": "duration (min)",
    "usd": "cost (USD)",
    "fits": "within quotas",
    "limit": "limited by",
}


class EstimateTab(w.VBox):  # type: ignore[misc] # ipywidgets is untyped
    """A form for tasks, minutes, deadline and budget, and the resulting options.

    Parameters
    ----------
    start_estimate
        Starts the `estimate` verb with the given options.
    apply_counts
        Called with (dedicated, spot) when an option is applied.

    Attributes
    ----------
    estimate_run
        The last run of the verb; None before the first one.
    """

    def __init__(
        self,
        start_estimate: Callable[[dict[str, Any]], VerbRun],
        apply_counts: Callable[[int | None, int | None], None],
    ) -> None:
        self.tasks = w.BoundedIntText(1000, min=1, max=10**9, description="Tasks", style=_WIDE)
        self.minutes = w.BoundedFloatText(10.0, min=0.01, max=10**6, description="Minutes per task", style=_WIDE)
        self.slots = w.BoundedIntText(
            0, min=0, max=256, description="Tasks per node (0 = one per vCPU)", style={"description_width": "initial"}
        )
        self.slots.layout.width = "24em"
        self.deadline = w.Text("4h", placeholder="4h, 90m", description="Deadline", style=_WIDE)
        self.budget = w.Text("", placeholder="USD", description="Budget", style=_WIDE)
        self.only_this = w.Checkbox(value=True, description="Only this pool's VM size", indent=False)
        self.calculate_button = w.Button(
            description="Calculate", button_style="primary", tooltip="Calculate the options"
        )
        self.answer = w.HTML()
        self.rows = w.Dropdown(
            options=[], description="Option", style=_WIDE, layout=w.Layout(width="36em", max_width="100%")
        )
        self.apply_button = w.Button(description="Apply", tooltip="Copy this option to the resize tab", disabled=True)
        self.vm_size = ""
        self.estimate_run: VerbRun | None = None
        self._start_estimate, self._apply_counts = start_estimate, apply_counts
        self.calculate_button.on_click(lambda _: self.calculate())
        self.apply_button.on_click(lambda _: self._apply_option())
        row = w.Layout(flex_flow="row wrap", align_items="center", grid_gap="4px 12px")
        super().__init__(
            [
                w.HBox([self.tasks, self.minutes, self.slots], layout=row),
                w.HBox([self.deadline, self.budget], layout=row),
                w.HBox([self.only_this, self.calculate_button], layout=row),
                self.answer,
                w.HBox([self.rows, self.apply_button], layout=row),
            ]
        )

    @property
    def options(self) -> dict[str, Any]:
        """The options of `estimate` in the form."""
        options: dict[str, Any] = {"tasks": self.tasks.value, "minutes": self.minutes.value}
        if self.slots.value:
            options["slots"] = self.slots.value
        if self.deadline.value.strip():
            options["deadline"] = self.deadline.value.strip()
        if self.budget.value.strip():
            options["budget"] = self.budget.value.strip().removeprefix("$")
        if self.only_this.value and self.vm_size:
            options["vm_size"] = self.vm_size
        return options

    def calculate(self) -> None:
        """Start the estimate; the result is shown when it is ready, and the kernel is not blocked."""
        self.rows.options, self.apply_button.disabled = [], True
        try:
            options = self.options
            if "budget" in options:
                options["budget"] = float(options["budget"])
            verb_run = self._start_estimate(options)
        except BatchImgError as error:
            self._show_error(error.message, error.hint)
        except ValueError:
            self._show_error(f"budget {self.budget.value!r} is not a number", "enter US dollars, for example 25")
        else:
            self.answer.value, self.calculate_button.disabled = (
                "<div role='status'>Reading VM sizes, quotas and prices</div>",
                True,
            )
            self.estimate_run = verb_run
            verb_run.add_done_callback(lambda: self.show_answer(verb_run))

    def show_answer(self, verb_run: VerbRun) -> None:
        """Show the result; called on the session's thread."""
        self.calculate_button.disabled = False
        try:
            table = verb_run.result()
        except BatchImgError as error:
            self._show_error(error.message, error.hint)
            return
        rows = [row for row in table.rows() if row["nodes"]]
        self.answer.value = _options_html(table.caption, rows)
        # The VM size of a pool cannot be changed: only options of this size can be applied.
        applicable = [row for row in rows if str(row["vm_size"]).lower() == self.vm_size.lower()]
        self.rows.options = [(f"{row['nodes']} {row['kind']} nodes", (row["kind"], row["nodes"])) for row in applicable]
        self.rows.index = 0 if applicable else None
        self.apply_button.disabled = not applicable

    def _show_error(self, message: str, hint: str) -> None:
        self.answer.value = f"<div role='alert'>{escape(message)}<br>{escape(hint)}</div>"

    def _apply_option(self) -> None:
        if self.rows.value is not None:
            kind, nodes = self.rows.value
            self._apply_counts(nodes if kind == "dedicated" else None, nodes if kind == "spot" else None)


def _format_value(name: str, value: object) -> str:
    if name == "usd":
        return "not available" if value is None else f"{value:,.2f}"
    return format_cell(value)


def _options_html(caption: str, rows: list[dict[str, Any]]) -> str:
    heads = "".join(
        f"<th scope='col' style='text-align:left;padding:2px 10px 2px 0'>{heading}</th>"
        for heading in _HEADINGS.values()
    )
    body = "".join(
        "<tr>"
        + "".join(
            f"<td style='padding:1px 10px 1px 0'>{escape(_format_value(name, row[name]))}</td>" for name in _HEADINGS
        )
        + "</tr>"
        for row in rows
    )
    return f"<div>{escape(caption)}</div><div style='overflow-x:auto'><table><tr>{heads}</tr>{body}</table></div>"
