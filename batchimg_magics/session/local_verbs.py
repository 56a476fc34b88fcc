"""The verbs that need no connection: saved connections, records of notebooks, and what runs in this process."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from itertools import chain
from typing import TYPE_CHECKING, Any

from batchimg_magics.connection import profiles
from batchimg_magics.core.base.table import Table
from batchimg_magics.pool_spec.line import format_line
from batchimg_magics.session.work import VerbRun

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["outcome_line", "run"]


def run(verb: str, options: Mapping[str, Any], running: Iterable[VerbRun], background: Iterable[VerbRun]) -> VerbRun:
    """Run a verb that needs no connection.

    Parameters
    ----------
    verb, options
        One of `registry.LOCAL_VERBS` and its options.
    running, background
        The verbs of the session that run or have ended just now, and those that were started without waiting.
    """
    if verb == "profiles":
        return VerbRun.finished(verb, options, profiles_table(**options))
    if verb == "record":
        from batchimg_magics.core.operations.record import record_notebook  # only this verb needs it

        return VerbRun.finished(verb, options, record_notebook(**options))
    shown = {id(one): one for one in chain((one for one in running if not one.done()), background)}
    return VerbRun.finished(verb, options, status_table(shown.values()))


def profiles_table(delete: str | None = None) -> Table:
    """Return the saved connections, after the deletion of one.

    Raises
    ------
    NotConnectedError
        There is no such saved connection.
    """
    if delete is not None:
        profiles.delete_profile(delete)
    rows = []
    for name, one in sorted(profiles.read_profiles().items()):
        row = {key: value or None for key, value in asdict(one).items()}
        tags = ", ".join(f"{key}={value}" for key, value in one.tags.items())
        row |= {"profile": name, "connection": "local" if one.is_emulator else "azure", "tags": tags or None}
        rows.append(
            row | {"max_usd_per_hour": one.max_cost_per_hour, "command": format_line("connect", {"profile": name})}
        )
    deleted = f"; deleted {delete}" if delete is not None else ""
    return Table.from_rows("profiles", rows, f"saved connections: {len(rows)}{deleted}")


def status_table(runs: Iterable[VerbRun]) -> Table:
    """Return the verbs that run, and those that have ended, one per row."""
    rows = [_row(one) for one in runs]
    running = sum(1 for row in rows if row["state"] == "running")
    if not rows:
        text = "no verb runs in this process; on the command line, each command is a process of its own"
        return Table.from_rows("status", [], text)
    ended = f", ended: {len(rows) - running}" if running < len(rows) else ""
    return Table.from_rows("status", rows, f"running: {running}{ended}")


def _row(run: VerbRun) -> dict[str, Any]:
    progress, state = run.progress(), state_of(run)
    steps = progress.activities
    present = next(iter(reversed(progress.running)), None) if state == "running" else None
    began = min((one.began for one in steps), default=None)
    return {
        "verb": run.verb,
        "resource": run.label.partition(" ")[2] or None,
        "state": state,
        "step": None if present is None else present.name,
        "steps_done": progress.ended_count,
        "steps_total": len(progress.plan) or None,
        "parts_done": present and present.done,
        "parts_total": present and present.total,
        "elapsed_seconds": round(progress.elapsed_s, 1),
        "expected_seconds": progress.expected_s if state == "running" else None,
        "started": None if began is None else dt.datetime.fromtimestamp(began, dt.UTC).replace(microsecond=0),
        "outcome": None if state == "running" else _outcome(run),
        "command": run.resume_line,
        "stop": run.stop_line if state == "running" and run.has_stop_line else None,
    }


def state_of(run: VerbRun) -> str:
    """Return ``running``, ``done``, ``failed`` or ``interrupted``."""
    if not run.done():
        return "running"
    if run.interrupted:
        return "interrupted"
    return "done" if run.error is None else "failed"


def _outcome(run: VerbRun) -> str:
    if run.error is None:
        return run.caption
    hint = getattr(run.error, "hint", "")
    return f"{run.error} -> {hint}" if hint else str(run.error)


def outcome_line(run: VerbRun) -> str:
    """Return one line about a verb that has ended in the background."""
    return f"{run.label}: {state_of(run)} in the background: {_outcome(run)}"
