"""Display a panel: the widget, and a static form for places where widgets cannot run.

Two outputs are written. The first has the widget alone; the second has the static form, as HTML and as text. Where the
widget runs, its style hides the second output. Everywhere else the second one is what a reader sees: in a notebook
whose kernel has ended, in an untrusted notebook, on GitHub, and in exports. One output with both would be shorter, but
exporters and JupyterLab prefer the widget to HTML even where its scripts or its kernel are missing.
"""

from __future__ import annotations

from contextvars import Context
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.session.session import Session

__all__ = ["STATIC_CLASS", "StaticForm", "display_panel"]

#: Class of the static form, followed by the id of the widget's model: `panel.js` hides it by this name.
STATIC_CLASS = "batchimg-static-"


class StaticForm(Protocol):
    """A widget with a static form."""

    session: Session
    model_id: str

    def static_html(self) -> str:
        """Return the static form as HTML."""

    def static_text(self) -> str:
        """Return the static form as text."""

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Return the mime bundle of the widget."""


def display_panel(panel: StaticForm) -> Callable[[], None]:
    """Write the outputs of a panel; in a terminal, print its text.

    Returns
    -------
    callable
        Writes the static form again, in the same place: in a notebook that is saved or exported later, it is then not
        older than the last change. It can be called on any thread.
    """
    from IPython import get_ipython
    from IPython.display import display

    shell = get_ipython()
    if shell is None or getattr(shell, "kernel", None) is None:
        print(f"\n{panel.static_text()}")  # noqa: T201 - a terminal, which may have written "Out[1]: " before
        return lambda: None
    bundle = panel._repr_mimebundle_()
    data = {} if bundle is None else bundle[0]
    display({**data, "text/plain": ""}, raw=True)  # type: ignore[no-untyped-call] # untyped upstream
    handle: Any = display(_static_data(panel), raw=True, display_id=True)  # type: ignore[no-untyped-call] # untyped upstream

    def update() -> None:
        # Not in the context of the cell that opened the panel: nbclient drops what belongs to a cell that has ended.
        Context().run(handle.update, _static_data(panel), raw=True)

    return update


def _static_data(panel: StaticForm) -> dict[str, str]:
    name = f"{STATIC_CLASS}{panel.model_id}"
    # Above the static form, JupyterLab would say that the widget is loading, or was not found.
    output = ".jp-OutputArea-child"
    style = f"<style>{output}:not(:has(.batchimg-panel)):has(+ {output} .{name}) {{ display: none; }}</style>"
    html = f'{style}<div class="{name}">{panel.static_html()}</div>'
    return {"text/html": html, "text/plain": panel.static_text()}
