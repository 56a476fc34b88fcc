"""Nodes by state over time, drawn: a picture that stays in the notebook. Matplotlib is imported for the first one."""

from __future__ import annotations

import datetime as dt
import io
from typing import TYPE_CHECKING

from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.words import NODE_STATES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Samples = Sequence[tuple[float, Mapping[str, int]]]

__all__ = ["plot_nodes"]

#: The same colour for a state in every picture: those that work are green, those that are paid for in vain red.
_COLOURS = {
    "idle": "#66bb6a", "running": "#2e7d32", "creating": "#bbdefb", "starting": "#64b5f6",
    "waitingforstarttask": "#1976d2", "rebooting": "#b39ddb", "reimaging": "#9575cd", "upgradingos": "#7e57c2",
    "unusable": "#c62828", "starttaskfailed": "#ef5350", "preempted": "#ffb74d", "offline": "#8d6e63",
    "leavingpool": "#e0e0e0", "deallocating": "#cfd8dc", "deallocated": "#90a4ae", "unknown": "#616161",
}  # fmt: skip
_OTHER = "#000000"
_SIZE, _DPI = (9.0, 3.5), 100


def plot_nodes(samples: Samples, pool: str) -> bytes:
    """Draw what was seen of a pool's nodes, as a PNG.

    Parameters
    ----------
    samples
        Moments in seconds since 1970, and how many nodes were in which state then.
    pool
        The pool's name.

    Raises
    ------
    SpecError
        There is nothing to draw, or matplotlib is not installed.
    """
    if not samples:
        raise SpecError(
            f"nobody has looked at the nodes of pool {pool!r} yet", hint="`%batchimg resize` keeps a record"
        )
    try:
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
        from matplotlib.figure import Figure
    except ImportError as error:
        raise SpecError("--plot needs matplotlib", hint="pip install 'batchimg_magics[plot]'") from error
    present = {state for _, states in samples for state in states}
    states = [*(one for one in NODE_STATES if one in present), *sorted(present - set(NODE_STATES))]
    moments = date2num([dt.datetime.fromtimestamp(at, dt.UTC) for at, _ in samples])
    counts = [[found.get(state, 0) for _, found in samples] for state in states]
    figure = Figure(figsize=_SIZE, dpi=_DPI, layout="constrained")
    axes = figure.add_subplot()
    if states:
        axes.stackplot(moments, counts, labels=states, colors=[_COLOURS.get(state, _OTHER) for state in states])
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, reverse=True)
    locator = AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.set(title=f"nodes of pool {pool}", ylabel="nodes", xlabel="UTC", ylim=(0, None))
    made = io.BytesIO()
    figure.savefig(made, format="png")
    return made.getvalue()
