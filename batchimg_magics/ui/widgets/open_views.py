"""Who looks at a widget: the views that pages have open of it, as they tell it themselves."""

from __future__ import annotations

from typing import Literal, TypeAlias

__all__ = ["OpenViews", "Visibility"]

#: Whether somebody looks on, whether all pages that show it are hidden, or whether no view is left.
Visibility: TypeAlias = Literal["seen", "hidden", "gone"]


class OpenViews:
    """The views of one widget.

    A page that died could not say that its views are gone. So whoever comes new is counted alone at first, and a roll
    call brings back the others that are still there, a moment later.
    """

    def __init__(self) -> None:
        self._views: dict[str, Visibility] = {}

    def set_view_state(self, view: str, state: Visibility, *, new: bool = False) -> bool:
        """Take in what a view says of itself, and return whether the others have to be called.

        Parameters
        ----------
        view
            What the view calls itself.
        state
            How it is.
        new
            Whether it says so for the first time.
        """
        call = new and bool(self._views)
        if new:
            self._views.clear()
        if state == "gone":
            self._views.pop(view, None)
        else:
            self._views[view] = state
        return call

    @property
    def visibility(self) -> Visibility:
        """Whether anybody looks on."""
        if not self._views:
            return "gone"
        return "seen" if "seen" in self._views.values() else "hidden"
