"""The views of a widget that are open in browser pages, as the pages report them."""

from __future__ import annotations

from typing import Literal, TypeAlias

__all__ = ["OpenViews", "Visibility"]

#: ``visible``: at least one view is visible; ``hidden``: views are open, all on hidden pages; ``closed``: none is open.
Visibility: TypeAlias = Literal["visible", "hidden", "closed"]


class OpenViews:
    """The views of one widget.

    A page that crashed cannot report that its views are closed. When a new view opens, all others are therefore
    forgotten, and the views that are still open are asked to report again.
    """

    def __init__(self) -> None:
        self._views: dict[str, Visibility] = {}

    def set_view_state(self, view: str, state: Visibility, *, new: bool = False) -> bool:
        """Record the state of a view, and return whether the other views must be asked to report.

        Parameters
        ----------
        view
            The view's id.
        state
            Its state.
        new
            Whether this is its first report.
        """
        needs_reports = new and bool(self._views)
        if new:
            self._views.clear()
        if state == "closed":
            self._views.pop(view, None)
        else:
            self._views[view] = state
        return needs_reports

    @property
    def visibility(self) -> Visibility:
        """The widget's visibility: of its most visible view."""
        if not self._views:
            return "closed"
        return "visible" if "visible" in self._views.values() else "hidden"
