"""Why a button of the panel is disabled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.ui.panel.cards import short_families

if TYPE_CHECKING:
    from batchimg_magics.core.estimates.forecast import Forecast
    from batchimg_magics.core.scaling.watch import PoolSnapshot
    from batchimg_magics.session.work import VerbRun
    from batchimg_magics.ui.panel.form import ResizeForm

__all__ = ["button_reasons"]


def button_reasons(
    snapshot: PoolSnapshot | None,
    form: ResizeForm,
    result: Forecast | None,
    running: VerbRun | None,
    *,
    needs_yes: bool,
) -> dict[str, str]:
    """Return the reason why each button is disabled; empty: it is enabled.

    Parameters
    ----------
    snapshot, form, result
        The pool, the form of a resize, and the forecast of that size; None: not known.
    running
        The verb of this session that is changing the pool; None: there is none.
    needs_yes
        Whether the size must be confirmed, since it removes nodes that are billed.
    """
    pool = None if snapshot is None else snapshot.pool
    if snapshot is None or pool is None:
        gone = "the pool does not exist any more"
        return {"resize": gone, "stop": gone, "repair": gone, "delete": gone}
    wait = "" if running is None else _until(running)
    deleting = "the pool is being deleted" if pool.deleting else ""
    resizing = pool.allocation == "resizing" or (running is not None and running.verb == "resize")
    return {
        "resize": deleting or wait or _resize_reason(snapshot, form, result, needs_yes=needs_yes),
        "stop": deleting or ("" if resizing else "no resize is running"),
        "repair": deleting or wait or ("" if snapshot.census.bad else "no node needs attention"),
        "delete": deleting or wait,
    }


def _until(running: VerbRun) -> str:
    word = {"resize": "the resize", "stop-resize": "the stop", "repair": "the repair", "delete": "the deletion"}
    return f"available when {word.get(running.verb, running.verb)} ends"


def _resize_reason(snapshot: PoolSnapshot, form: ResizeForm, result: Forecast | None, *, needs_yes: bool) -> str:
    if result is None:
        return "quotas and prices were not read yet"
    if result.blockers:
        return short_families("; ".join(result.blockers))
    pool = snapshot.pool
    is_same = pool is not None and form.target == pool.target == form.now and pool.allocation == "steady"
    if is_same and not (form.repair and snapshot.census.bad):
        return "the pool has this size"
    return "confirm that nodes are removed" if needs_yes and not form.yes else ""
