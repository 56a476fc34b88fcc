"""What a resize's errors mean: their outcome class, and the cause in one plain sentence.

The classes are in `core.base.outcomes`, the causes in `core.base.causes`. Batch's own code decides where it can. In an
``AllocationFailed`` the error of the resource provider decides, which is in its values.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchimg_magics.core.base.diagnosis import diagnose
from batchimg_magics.core.base.outcomes import OutcomeClass

if TYPE_CHECKING:
    from collections.abc import Iterable

#: (code, message, values as "name: value") of a resize error, as `pools.PoolState` has it.
ResizeProblem = tuple[str, str, str]
#: How Batch's own message begins that names no cause.
_NOT_ALLOCATED = "Desired number"


@dataclass(frozen=True, slots=True)
class ResizeOutcome:
    """How a resize attempt ended.

    Parameters
    ----------
    kind
        Its class.
    code
        Azure's error code; None where there was no error.
    message
        What happened, in one plain sentence; None likewise.
    fix
        What to do about the cause; may be empty.
    """

    kind: OutcomeClass = OutcomeClass.DONE
    code: str | None = None
    message: str | None = None
    fix: str = ""


def classify(errors: Iterable[ResizeProblem]) -> ResizeOutcome:
    """Return the outcome that a resize's errors describe: of several, the most severe; DONE where there is none."""
    return min(map(_classify_error, errors), key=lambda one: one.kind.severity, default=ResizeOutcome())


def _classify_error(error: ResizeProblem) -> ResizeOutcome:
    code, message, values = error
    own = diagnose(json.dumps({"code": code, "message": message}))
    words = own.error.message
    if own.cause is not None and not own.cause.general:
        said = words
        if own.cause.kind in (OutcomeClass.FATAL, OutcomeClass.TRANSIENT):
            said = own.name if words.startswith(_NOT_ALLOCATED) else f"{own.name} ({words})"
        return ResizeOutcome(own.cause.kind, code, said, own.fix)
    found = diagnose(values) if values else None
    if found is not None and found.cause is not None:
        return ResizeOutcome(found.cause.kind, code, found.sentence, found.fix)
    kind, fix = (own.cause.kind, own.fix) if own.cause is not None else (OutcomeClass.PARTIAL, "")
    said = f"{words} ({found.sentence})" if found is not None and found.sentence else words
    return ResizeOutcome(kind, code, said, fix)
