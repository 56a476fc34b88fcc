"""Which 409 and 412 responses mean that another client was faster, and which errors leave open what Azure did.

All others are errors of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.errors import AuthenticationError, NotFoundError

if TYPE_CHECKING:
    from batchimg_magics.errors import ServiceError

#: Codes in lower case. Source: the REST references of Azure Batch and Azure Compute.
_EXISTS = frozenset(
    {"conflict", "poolexists", "propertychangenotallowed", "resourcealreadyexists", "resourceexists", "alreadyexists"}
)
_CHANGED = frozenset(
    {
        "anotheroperationinprogress", "conditionnotmet", "operationinvalidforcurrentstate", "operationpreempted",
        "poolbeingdeleted", "poolbeingresized", "preconditionfailed", "updateconditionnotmet",
    }
)  # fmt: skip
#: The code that Azure uses for a state that passes, and also for quotas and settings.
_NOT_ALLOWED = "operationnotallowed"
_STATES = ("since its state is", "in progress", "being deleted", "being updated")
#: Statuses after which Azure may have handled the request; 0: its answer was lost.
_UNCLEAR = frozenset({0, 500, 502, 504})


def was_faster(error: ServiceError) -> bool:
    """Tell whether another client created, changed or deleted the resource at the same time."""
    code, text = error.code.lower(), error.message.lower()
    if error.status_code == 412 or code in _EXISTS | _CHANGED:
        return True
    return code == _NOT_ALLOWED and "quota" not in text and any(words in text for words in _STATES)


def is_unclear(error: ServiceError) -> bool:
    """Tell whether Azure may have handled a request that failed: the answer was lost, or a gateway gave up."""
    return error.status_code in _UNCLEAR and not isinstance(error, (AuthenticationError, NotFoundError))
