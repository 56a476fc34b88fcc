"""Plot a pool's nodes by state over time, as a picture for a notebook. Matplotlib is imported on first use."""

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

#: Colours of states: green for usable nodes, red for nodes that are billed but unusable.
_COLOURS = {
    "idle": "#66bb6a", "running": "#2e7d32", "creating": "#bbdefb", "starting": "#64b5f6",
    "waitingforstarttask": "#1976d2", "rebooting": "#b39ddb", "reimaging": "#9575cd", "upgradingos": "#7e57c2",
    "unusable": "#c62828", "starttaskfailed": "#ef5350", "preempted": "#ffb74d", "offline": "#8d6e63",
    "leavingpool": "#e0e0e0", "deallocating": "#cfd8dc", "deallocated": "#90a4ae", "unknown": "#616161",
}  # fmt: skip
_OTHER = "#000000"
_SIZE, _DPI = (9.0, 3.5), 100


def plot_nodes(samples: Samples, pool: str) -> bytes:
    """Plot the recorded node states of a pool, as a PNG.

    Parameters
    ----------
    samples
        (seconds since 1970, number of nodes by state).
    pool
        Name of the pool.

    Raises
    ------
    SpecError
        There are no samples, or matplotlib is not installed.
    """
    if not samples:
        raise SpecError(
            f"no node states of pool {pool!r} are recorded yet", hint="`%batchimg resize` and `wait` record them"
        )
    try:
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
        from matplotlib.figure import Figure
    except ImportError as error:
        raise SpecError("--plot needs matplotlib", hint="pip install 'batchimg_magics[plot]'") from error
    present = {state for _, states in samples for state in states}
    states = [*(one for one in NODE_STATES if one in present), *sorted(present - set(NODE_STATES))]
    times = date2num([dt.datetime.fromtimestamp(at, dt.UTC) for at, _ in samples])
    counts = [[by_state.get(state, 0) for _, by_state in samples] for state in states]
    figure = Figure(figsize=_SIZE, dpi=_DPI, layout="constrained")
    axes = figure.add_subplot()
    if states:
        axes.stackplot(times, counts, labels=states, colors=[_COLOURS.get(state, _OTHER) for state in states])
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, reverse=True)
    locator = AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.set(title=f"nodes of pool {pool}", ylabel="nodes", xlabel="UTC", ylim=(0, None))
    png = io.BytesIO()
    figure.savefig(png, format="png")
    return png.getvalue()
