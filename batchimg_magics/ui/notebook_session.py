"""The session as notebooks have it: the verbs, and the panel, which needs widgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.session import session as below

if TYPE_CHECKING:
    from batchimg_magics.ui.panel.chooser import PoolChooser
    from batchimg_magics.ui.panel.panel import Panel

__all__ = ["Session"]


class Session(below.Session):
    """One connection to a Batch account, local or real.

    Every verb is a method that returns a pandas DataFrame; the columns are those of the reference. `panel` returns a
    widget.

    Parameters
    ----------
    through
        Wraps the transport of the connections that the session opens: to count requests, to log them, to lose them.

    Raises
    ------
    BatchImgError
        Each verb raises one of its kinds, with a hint.
    """

    def panel(self, name: str | None = None) -> Panel | PoolChooser:
        """Return the panel of a pool; without a name, a list of the pools to choose one from.

        Parameters
        ----------
        name
            The pool's.

        Returns
        -------
        ipywidgets.VBox
            Shown by any front end that has widgets; elsewhere it is what it shows now, as HTML.

        Raises
        ------
        NotFoundError
            There is no such pool.
        """
        from batchimg_magics.ui.panel.chooser import PoolChooser
        from batchimg_magics.ui.panel.panel import Panel  # ipywidgets, which nothing else needs

        return PoolChooser(self) if name is None else Panel(self, name)
