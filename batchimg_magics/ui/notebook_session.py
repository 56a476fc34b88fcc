"""The session of a notebook: the verbs, and the panel, which needs widgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.errors import BatchImgError
from batchimg_magics.session import session as below

if TYPE_CHECKING:
    from batchimg_magics.connection.sign_in import SignInPrompt
    from batchimg_magics.ui.panel.chooser import PoolChooser
    from batchimg_magics.ui.panel.panel import Panel

__all__ = ["Session"]


class Session(below.Session):
    """One connection to a Batch account, in the emulator or in Azure.

    Every verb is a method that returns a pandas DataFrame; docs/reference.md lists the columns. `panel` returns a
    widget.

    Parameters
    ----------
    wrap_transport
        Wraps the HTTP transport of each connection of the session, for example to count or to log requests.
    credential
        Signs in to Azure: a credential of azure-identity, synchronous or asynchronous. The session does not close it.
        None: `connect` chooses one.
    progress
        None or True: show bars in notebooks and terminals. False: show none. A function: it is called with a
        `ProgressEvent` a few times a second, and when a verb has ended.

    Raises
    ------
    BatchImgError
        Every verb raises a subclass of it, with a hint.
    """

    def show_sign_in(self, prompt: SignInPrompt) -> None:
        """Show what a person must do to sign in: in the output of the cell, otherwise on standard error."""
        from batchimg_magics.ui.sign_in import display_prompt

        if not display_prompt(prompt):
            super().show_sign_in(prompt)

    def _say(self, text: str, verb: str = "", pool: str = "") -> str:
        from batchimg_magics.session.python_words import in_python_words

        return in_python_words(text, verb, pool)

    def panel(self, name: str | None = None) -> Panel | PoolChooser:
        """Return the panel of a pool, or a list of pools to choose from.

        Parameters
        ----------
        name
            The name of the pool; None: show the list.

        Returns
        -------
        anywidget.AnyWidget
            A front end without widgets shows its content as HTML, a terminal as text.

        Raises
        ------
        NotFoundError
            There is no such pool.
        """
        try:
            return self.open_panel(name)
        except BatchImgError as error:
            raise self._python_error(error, "panel") from None

    def open_panel(self, name: str | None = None) -> Panel | PoolChooser:
        """Return what `panel` returns; its errors have the words of a command line."""
        from batchimg_magics.ui.panel.chooser import PoolChooser
        from batchimg_magics.ui.panel.panel import Panel  # imports ipywidgets, which only the panel needs

        return PoolChooser(self) if name is None else Panel(self, name)
