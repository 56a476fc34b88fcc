"""Plot a pool's nodes by state over time, as a picture for a notebook. Matplotlib is imported on first use."""

from __future__ import annotations

import datetime as dt
import io
from typing import TYPE_CHECKING

from batchimg_magics.core.scaling import timeline
from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.words import NODE_STATES
from batchimg_magics.ui.widgets.colours import state_colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from batchimg_magics.core.base.table import Table
    from batchimg_magics.core.scaling.timeline import Spell

__all__ = ["plot_nodes"]

_SIZE, _DPI = (9.0, 3.5), 100
#: How many seconds wide the last sample of a pool is: nothing is known after it.
LAST_S = 60.0


def plot_nodes(history: Table, pool: str) -> bytes:
    """Plot the recorded node states of a pool, as a PNG.

    Each state is a band as high as its number of nodes, in the colours of the panel. Where an earlier pool had the
    same name, there is a gap between the two.

    Parameters
    ----------
    history
        The table of the verb ``history`` of one pool.
    pool
        Name of the pool.

    Raises
    ------
    SpecError
        There are no samples, or matplotlib is not installed.
    """
    spells = timeline.spells(history.attrs["samples"], history.rows())
    if not spells:
        raise SpecError(
            f"no node states of pool {pool!r} are recorded yet", hint="`%batchimg resize` and `wait` record them"
        )
    try:
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator
    except ImportError as error:
        raise SpecError("--plot needs matplotlib", hint="pip install 'batchimg_magics[plot]'") from error
    figure = Figure(figsize=_SIZE, dpi=_DPI, layout="constrained")
    axes = figure.add_subplot()
    present = {state for spell in spells for _, states in spell.samples for state in states}
    states = [*(one for one in NODE_STATES if one in present), *sorted(present - set(NODE_STATES))]
    for number, spell in enumerate(spells):
        _draw(axes, spell, states, labelled=number == 0)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, reverse=True)
    locator = AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(title=f"nodes of pool {pool}", ylabel="nodes", xlabel="UTC", ylim=(0, None))
    png = io.BytesIO()
    figure.savefig(png, format="png")
    return png.getvalue()


def _draw(axes: Axes, spell: Spell, states: list[str], *, labelled: bool) -> None:
    """Draw the bands of one pool, and its target as a dashed line."""
    from matplotlib.dates import date2num

    samples = [*spell.samples, (spell.samples[-1][0] + LAST_S, spell.samples[-1][1])]
    last = samples[-1][0]
    times = date2num([_time(at) for at, _ in samples])
    if states:
        counts = [[by_state.get(state, 0) for _, by_state in samples] for state in states]
        # A count holds until the next one: a line between the two would show nodes that never were.
        axes.stackplot(
            times, counts, labels=states if labelled else (), colors=[state_colour(state) for state in states],
            step="post", linewidth=0,
        )  # fmt: skip
    targets = [(at, count) for at, count in spell.targets if at <= last]
    if targets:
        targets.append((last, targets[-1][1]))
        ends = date2num([_time(at) for at, _ in targets])
        axes.step(
            ends, [count for _, count in targets], where="post", color="#767676", linestyle="--", linewidth=1,
            label="target" if labelled else None,
        )  # fmt: skip


def _time(at: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(at, dt.UTC)
