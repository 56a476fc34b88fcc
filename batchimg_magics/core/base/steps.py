"""What plans are made of: a step sees to it that one thing is there, or gone.

It finds it, or makes it. That is all there is to resuming: the same line plans the same steps, and those that are done
find their work done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from batchimg_magics.resource_ids import ResourceId

__all__ = ["Step", "StepResult", "step_result"]


@dataclass(frozen=True, slots=True)
class StepResult:
    """What became of a step.

    Parameters
    ----------
    action
        One of `schemas.ACTIONS`.
    state, detail
        Words for the table.
    id
        Resource id, where it is known only now.
    """

    action: str
    state: str = "Succeeded"
    detail: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to see to.

    Parameters
    ----------
    name
        What it is; unique in its plan.
    resource
        Its id.
    run
        Sees to it, given the outcomes of the steps before.
    after
        Names of the steps that have to be done first.
    expected_s
        How long it usually takes, where it has to be made.
    why
        What it is for, in a few words.
    would
        What `plan` says of it where it is still to do: one of `schemas.ACTIONS`.
    there
        Tells whether it is done already, without changing anything; None: nobody can tell before.
    """

    name: str
    resource: ResourceId
    run: Callable[[Mapping[str, StepResult]], Awaitable[StepResult]]
    after: tuple[str, ...] = ()
    expected_s: float | None = None
    why: str = ""
    planned_action: str = "would create"
    is_done: Callable[[], Awaitable[bool]] | None = None


def step_result(new: bool, detail: str = "", resource_id: str = "", *, verb: str = "created") -> StepResult:  # noqa: FBT001 - one word says it
    """Return the outcome of a step that made something, or found it."""
    return StepResult(verb if new else "exists", detail=detail, id=resource_id)
