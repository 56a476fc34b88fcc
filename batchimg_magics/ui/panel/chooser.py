"""A list of pools whose panel can be opened."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError
from contextvars import copy_context
from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from batchimg_magics.errors import BatchImgError
from batchimg_magics.ui.panel.panel import Panel, error_html
from batchimg_magics.ui.panel.static_html import Bundle, add_html

if TYPE_CHECKING:
    from batchimg_magics.session.session import Session

__all__ = ["PoolChooser"]


class PoolChooser(w.VBox):  # type: ignore[misc] # ipywidgets is untyped
    """A list of the account's pools, with the panel of the selected one below it.

    Parameters
    ----------
    session
        The session whose connection is used.

    Attributes
    ----------
    open_thread
        The thread that opens the panel of the selected pool; None before one was opened.
    """

    def __init__(self, session: Session) -> None:
        rows = session.run("pools").rows()
        self._session = session
        self.open_thread: threading.Thread | None = None
        self._labels = [f"{row['pool']} ({row['vm_size']}, {row['dedicated']} + {row['spot']} nodes)" for row in rows]
        choices = list(zip(self._labels, (row["pool"] for row in rows), strict=True))
        self.pools = w.Dropdown(options=choices, description="Pool", layout=w.Layout(width="30em", max_width="100%"))
        self.choose = w.Button(description="Open", button_style="primary", disabled=not choices)
        self.choose.on_click(lambda _: self.show())
        self.below = w.VBox([] if choices else [w.HTML("No pools. Create one with <code>%batchimg create</code>.")])
        layout = w.Layout(flex_flow="row wrap")
        super().__init__([w.HBox([self.pools, self.choose], layout=layout), self.below])
        self.add_class("batchimg-chooser")

    def show(self) -> None:
        """Open the panel of the selected pool in a thread; the kernel is not blocked."""
        for one in self.below.children:
            one.close()
        name = self.pools.value
        self.below.children = [w.HTML(f"<div role='status'>Reading pool {escape(name)}</div>")]
        self.choose.disabled = True
        # In the context of this click, so that IPython assigns output of the thread to the same cell.
        self.open_thread = threading.Thread(target=copy_context().run, args=(self._open, name), daemon=True)
        self.open_thread.start()

    def _open(self, name: str) -> None:
        try:
            self.below.children = [Panel(self._session, name)]
        except BatchImgError as error:
            self.below.children = [w.HTML(error_html(error))]
        except CancelledError:  # the session was closed
            self.below.children = []
        finally:
            self.choose.disabled = False

    def _repr_mimebundle_(self, **options: Any) -> Bundle:
        rows = "".join(f"<li>{escape(label)}</li>" for label in self._labels)
        return add_html(super()._repr_mimebundle_(**options), f"<div>Pools:<ul>{rows or '<li>none</li>'}</ul></div>")
