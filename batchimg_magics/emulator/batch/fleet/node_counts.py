"""The numbers of nodes of a fleet at many times at once, as formulas read them: the samples of a day are 2,880."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from batchimg_magics.emulator.batch.fleet import allocation, nodes
from batchimg_magics.emulator.batch.fleet.cohorts import STATE_CODES

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from batchimg_magics.emulator.batch.fleet.cohorts import Cohort, NodeKind
    from batchimg_magics.emulator.batch.fleet.nodes import Fleet

    Floats = npt.NDArray[np.float64]
#: The states of nodes that can run tasks.
USABLE = ("idle", "running")


class Spans(msgspec.Struct, frozen=True):
    """Spans of time, each with a weight: sorted begins and ends, and the sums of the weights up to each."""

    begins: Floats
    begun: Floats
    ends: Floats
    ended: Floats

    def count(self, moments: Floats) -> Floats:
        """Return the sum of the weights of the spans that contain each time; the end of a span is not in it."""
        before = self.begun[np.searchsorted(self.begins, moments, "right")]
        return before - self.ended[np.searchsorted(self.ends, moments, "right")]


def make_spans(begins: Floats, ends: Floats, weights: Floats | None = None) -> Spans:
    """Return spans; those without a length are left out."""
    kept = begins < ends
    weight = np.ones(len(begins)) if weights is None else weights
    first, last, weight = begins[kept], ends[kept], weight[kept]
    by_begin, by_end = np.argsort(first), np.argsort(last)
    none = np.zeros(1)
    return Spans(
        first[by_begin],
        np.concatenate([none, weight[by_begin].cumsum()]),
        last[by_end],
        np.concatenate([none, weight[by_end].cumsum()]),
    )


def count_nodes(fleet: Fleet, moments: Floats, kinds: Iterable[NodeKind], *, usable: bool) -> Floats:
    """Return the number of nodes of some kinds at each time: all that exist, or those that can run tasks."""
    total = np.zeros(len(moments))
    asked = set(kinds)
    if usable and (fleet.events or any(cohort.preempted_per_h for cohort in fleet.cohorts)):
        # Actions on nodes and preemptions make the states of a node more than a row of spans.
        for place, moment in enumerate(moments):
            tallies = (nodes.counts_by_state(fleet, float(moment), kind) for kind in asked)
            total[place] = sum(tally.get(state, 0) for tally in tallies for state in USABLE)
        return total
    for cohort in fleet.cohorts:
        if cohort.kind in asked:
            existing, able = _spans(cohort)
            total += (able if usable else existing).count(moments)
    return total


@functools.lru_cache(maxsize=512)
def _spans(cohort: Cohort) -> tuple[Spans, Spans]:
    """Return when each node of a cohort exists, and when it can run tasks, if no node is preempted."""
    table = allocation.node_table(cohort)
    leaves, gone = np.full(cohort.count, np.inf), np.full(cohort.count, np.inf)
    for leave in cohort.leaves:
        leaving = (table.index >= leave.low) & (table.index < leave.high)
        leaves[leaving], gone[leaving] = np.minimum(leaves[leaving], leave.at), np.minimum(gone[leaving], leave.gone)
    begins, codes = table.times, table.codes
    ends = np.concatenate([begins[1:], np.full((1, cohort.count), np.inf)])
    able = np.isin(codes, [STATE_CODES[state] for state in USABLE])
    until = np.minimum(ends, leaves)
    return make_spans(begins[0], gone), make_spans(begins[able], until[able])
