"""The verb ``estimate``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeVar

from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.words import NODE_KINDS
from batchimg_magics.verbs.verb import Option, Verb, VerbCall, check_choice, parse_count, parse_number, parse_share

if TYPE_CHECKING:
    from batchimg_magics.connection.connection import Connection

__all__ = ["VERB"]

Number = TypeVar("Number", int, float)


def start(
    connection: Connection,
    name: str | None = None,
    *,
    tasks: int | None = None,
    minutes: float | None = None,
    deadline: str | float | None = None,
    budget: float | None = None,
    evictions: float | None = None,
    kind: str | None = None,
    **question: Any,
) -> VerbCall:
    """Validate the options and return the work of the verb."""
    from batchimg_magics.core.estimates import options, workload
    from batchimg_magics.pool_spec.values import parse_duration, pool_name

    run, known = question.pop("from_run", None), tasks is not None
    if run is not None:
        if minutes is not None:
            raise SpecError("--minutes are those of the run", hint="remove --minutes, or --from-run")
        tasks, minutes = 1 if tasks is None else tasks, 1.0
    if tasks is None or minutes is None:
        raise SpecError("the workload was not given", hint="add --tasks N and --minutes M, or --from-run RUN")
    if deadline is None and budget is None:
        raise SpecError("no deadline and no budget was given", hint="add --deadline 4h, --budget 200, or both")
    query = options.SizingQuery(
        tasks=_check_positive(tasks, "--tasks"),
        minutes=_check_positive(minutes, "--minutes"),
        deadline_s=None if deadline is None else parse_duration(deadline),
        budget_usd=None if budget is None else _check_positive(budget, "--budget"),
        evictions_per_hour=workload.EVICTIONS_PER_HOUR if evictions is None else _check_evictions(evictions),
        kinds=NODE_KINDS if kind is None else (check_choice(kind, "--kind", NODE_KINDS),),
        name=None if name is None else pool_name(name),
        **question,
    )
    if query.slots is not None:
        _check_positive(query.slots, "--slots")
    if run is not None:
        from batchimg_magics.core.operations.estimate_run import estimate_from_run

        return lambda _: estimate_from_run(connection.azure, run, query, all_rows=known)
    return lambda _: options.list_options(connection.azure, query)


def _check_positive(value: Number, option: str) -> Number:
    if not 0 < value < math.inf:
        raise SpecError(f"{option} is {value}", hint="it must be greater than 0")
    return value


def _check_evictions(value: float) -> float:
    if not 0 <= value < 1:
        raise SpecError(f"--evictions is {value}", hint="a share of the Spot nodes per hour: 0.1 or 10%")
    return value


VERB = Verb(
    "estimate",
    "Estimate the pool size for a workload, given a deadline or a budget",
    (
        Option(
            "name",
            "Name of the pool that will run the tasks (optional)",
            metavar="NAME",
            completion="pool",
            optional=True,
        ),
        Option(
            "--from-vm",
            "Show only VM sizes that an image of this VM boots on (default: of the pool, if NAME exists)",
            metavar="VM",
            completion="vm",
        ),
        Option(
            "--from-run",
            "Take the tasks that are left, and their mean duration, from this run, for example a pilot",
            metavar="RUN",
            completion="run",
        ),
        Option("--tasks", "Set the number of tasks (required without --from-run)", metavar="N", parse=parse_count),
        Option(
            "--minutes",
            "Set the duration of one task in minutes (required without --from-run)",
            metavar="M",
            parse=parse_number,
        ),
        Option(
            "--slots",
            "Set the number of tasks that run on a node at the same time (default: one per vCPU)",
            metavar="N",
            parse=parse_count,
        ),
        Option(
            "--deadline",
            "Set the time in which all tasks must finish, for example 4h (required without --budget)",
            metavar="DURATION",
        ),
        Option(
            "--budget", "Set the maximum cost in USD (required without --deadline)", metavar="USD", parse=parse_number
        ),
        Option(
            "--vm-size",
            "Include only VM sizes that match a pattern, for example 'Standard_D*s_v5'",
            metavar="SIZE",
            completion="vm_size",
        ),
        Option(
            "--kind", "Include only dedicated or only spot nodes (default: both)", metavar="KIND", choices=NODE_KINDS
        ),
        Option(
            "--evictions",
            "Set the share of Spot nodes that are evicted per hour, for example 20% (default 10%)",
            metavar="SHARE",
            parse=parse_share,
        ),
        Option("--windows", "Use the prices of Windows nodes (default: as the VM or the pool, else Linux)"),
        Option("--rows", "Set the number of options to show (default 12)", metavar="N", parse=parse_count),
    ),
    (
        "estimate --tasks 10000 --minutes 12 --slots 4 --deadline 4h",
        "estimate genomics --tasks 10000 --minutes 12 --budget 200 --kind spot",
        "estimate --from-run run-3f2a91c04d --deadline 2h",
        "estimate --from-vm prep-vm --tasks 10000 --minutes 12 --deadline 4h",
    ),
    start,
    returns="One row per VM size and node kind: those of the pool first, then the cheapest that fits; an unknown "
    "price is missing.",
    raises=(("SpecError", "No number of nodes can meet the deadline or the budget."),),
)
