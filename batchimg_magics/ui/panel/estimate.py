"""The section "Estimate": the `estimate` verb as a form, whose results can be applied to the size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.display.tables import format_cell
from batchimg_magics.errors import BatchImgError
from batchimg_magics.pool_spec.words import count_text
from batchimg_magics.ui.panel.activity import error_state, message_state

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.session.work import VerbRun

__all__ = ["EstimateSection"]

#: Columns of the result, their headings, and whether they are numbers.
HEADINGS = (
    ("vm_size", "VM size", False),
    ("kind", "Node type", False),
    ("nodes", "Nodes", True),
    ("makespan_minutes", "Duration (min)", True),
    ("usd", "Cost (USD)", True),
    ("fits", "Within quotas", False),
    ("limit", "Limited by", False),
)
_NUMBERS = {"tasks": (1, 10**9), "minutes": (0.01, 10.0**6), "slots": (0, 256)}


class EstimateSection:
    """A form for tasks, minutes, deadline and budget, and the resulting options.

    Parameters
    ----------
    start_estimate
        Starts the `estimate` verb with the given options.
    apply_counts
        Called with (dedicated, spot) when an option is applied.
    on_change
        Called when the state changed.

    Attributes
    ----------
    fields
        The values of the form.
    vm_size
        The VM size of the pool: only options of this size can be applied.
    estimate_run
        The last run of the verb; None before the first one.
    """

    def __init__(
        self,
        start_estimate: Callable[[dict[str, Any]], VerbRun],
        apply_counts: Callable[[int | None, int | None], None],
        on_change: Callable[[], None],
    ) -> None:
        self.fields: dict[str, Any] = {
            "tasks": 1000, "minutes": 10.0, "slots": 0, "deadline": "4h", "budget": "", "only_this": True,
        }  # fmt: skip
        self.vm_size = ""
        self.estimate_run: VerbRun | None = None
        self._start_estimate, self._apply_counts, self._on_change = start_estimate, apply_counts, on_change
        self._is_running = False
        self._caption = ""
        self._rows: list[dict[str, Any]] = []
        self._problem: dict[str, Any] = {}

    def update(self, values: dict[str, Any]) -> None:
        """Change fields as a front end asks; unknown fields and values of another type are ignored."""
        for name, value in values.items():
            if name in _NUMBERS and isinstance(value, (int, float)) and not isinstance(value, bool):
                least, most = _NUMBERS[name]
                number = min(most, max(least, value))
                self.fields[name] = number if name == "minutes" else int(number)
            elif (name in ("deadline", "budget") and isinstance(value, str)) or (
                name == "only_this" and isinstance(value, bool)
            ):
                self.fields[name] = value
        self._on_change()

    @property
    def options(self) -> dict[str, Any]:
        """The options of `estimate` in the form.

        Raises
        ------
        ValueError
            The budget is not a number.
        """
        fields = self.fields
        options: dict[str, Any] = {"tasks": fields["tasks"], "minutes": fields["minutes"]}
        if fields["slots"]:
            options["slots"] = fields["slots"]
        if fields["deadline"].strip():
            options["deadline"] = fields["deadline"].strip()
        if fields["budget"].strip():
            options["budget"] = float(fields["budget"].strip().removeprefix("$"))
        if fields["only_this"] and self.vm_size:
            options["vm_size"] = self.vm_size
        return options

    def calculate(self) -> None:
        """Start the estimate; the result is shown when it is ready, and the kernel is not blocked."""
        self._rows, self._problem, self._caption = [], {}, ""
        try:
            verb_run = self._start_estimate(self.options)
        except BatchImgError as error:
            self._problem = error_state(error)
        except ValueError:
            budget = self.fields["budget"]
            self._problem = message_state(
                f"budget {budget!r} is not a number", hint="enter US dollars, for example 25", tone="bad"
            )
        else:
            self._is_running, self.estimate_run = True, verb_run
            verb_run.add_done_callback(lambda: self.show_answer(verb_run))
        self._on_change()

    def show_answer(self, verb_run: VerbRun) -> None:
        """Show the result; called on the session's thread."""
        self._is_running = False
        try:
            table = verb_run.result()
        except BatchImgError as error:
            self._problem = error_state(error)
        else:
            self._caption = table.caption
            self._rows = [row for row in table.rows() if row["nodes"]]
        self._on_change()

    def apply(self, index: object) -> None:
        """Copy an option to the size; an option of another VM size cannot be applied."""
        if isinstance(index, int) and 0 <= index < len(self._rows) and self._is_applicable(self._rows[index]):
            kind, nodes = self._rows[index]["kind"], self._rows[index]["nodes"]
            self._apply_counts(nodes if kind == "dedicated" else None, nodes if kind == "spot" else None)

    def _is_applicable(self, row: dict[str, Any]) -> bool:
        return str(row["vm_size"]).lower() == self.vm_size.lower()

    def state(self) -> dict[str, Any]:
        """Return the section as data for the front end."""
        return {
            "form": self.fields,
            "running": self._is_running,
            "caption": self._caption,
            "problem": self._problem,
            "headings": [{"text": text, "number": number} for _, text, number in HEADINGS],
            "rows": [
                {
                    "cells": [_format_value(name, row[name]) for name, _, _ in HEADINGS],
                    "applicable": self._is_applicable(row),
                    "label": f"Apply {count_text(row['nodes'], row['kind'] + ' node')}",
                }
                for row in self._rows
            ],
        }


def _format_value(name: str, value: object) -> str:
    if name == "usd":
        return "not available" if value is None else f"{value:,.2f}"
    if name == "makespan_minutes" and isinstance(value, float):
        return f"{value:,.0f}"
    return format_cell(value)
