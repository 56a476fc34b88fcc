"""The steps of a plan. A step ensures that one resource exists, or that it is deleted.

A step is idempotent: it finds the resource or creates it. The same command plans the same steps, so running it again
resumes the work.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from batchimg_magics.resource_ids import ResourceId

__all__ = ["Step", "StepResult", "step_result"]


@dataclass(frozen=True, slots=True)
class StepResult:
    """The outcome of a step.

    Parameters
    ----------
    action
        One of `schemas.ACTIONS`.
    state, detail
        Texts for the table.
    id
        Resource id, where it was not known before the step ran.
    image_tags
        Tags that the image gets, which were not known before the step ran.
    note
        What the caption of the whole work says about it; empty for nothing.
    """

    action: str
    state: str = "Succeeded"
    detail: str = ""
    id: str = ""
    image_tags: Mapping[str, str] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a plan.

    Parameters
    ----------
    name
        Its name; unique in its plan.
    resource
        The id of the resource.
    run
        Runs the step, given the results of the steps before it.
    after
        Names of the steps that must finish first.
    expected_s
        Usual duration in seconds, where the resource has to be created.
    why
        The purpose of the step, in a few words.
    planned_action
        The action that `plan` shows while the step is still to do: one of `schemas.ACTIONS`.
    is_done
        Tells whether the step is already done, without changing anything; None: that cannot be known before.
    leaves
        What a user is told who interrupts the work after this step began; empty for nothing.
    kind
        What the resource is, in words, for tables that show it.
    undoes
        The name of the step of which nothing is left when this one has ended; empty for none.
    """

    name: str
    resource: ResourceId
    run: Callable[[Mapping[str, StepResult]], Awaitable[StepResult]]
    after: tuple[str, ...] = ()
    expected_s: float | None = None
    why: str = ""
    planned_action: str = "would create"
    is_done: Callable[[], Awaitable[bool]] | None = None
    leaves: str = ""
    kind: str = ""
    undoes: str = ""


def step_result(new: bool, detail: str = "", resource_id: str = "", *, verb: str = "created") -> StepResult:  # noqa: FBT001 - one word says it
    """Return the result of a step that created a resource or found it."""
    return StepResult(verb if new else "exists", detail=detail, id=resource_id)
