"""What can go wrong, as a tree of exceptions.

::

    BatchImgError               one line of what went wrong, and a hint: what to do
    ├── SpecError               what was asked for makes no sense; raised before any request that changes something
    ├── NotConnectedError       the connection asked for is not there
    ├── ServiceError            Azure refused: status_code, code, request_id
    │   ├── AuthenticationError nobody is signed in, or whoever is may not (401, 403)
    │   ├── NotFoundError       404
    │   ├── ConflictError       409 or 412; or something is there already, and differs
    │   └── ThrottledError      429, after all patience
    ├── ProvisioningError       Azure took a request and failed at it later: resource_id, state
    ├── ResizeError             a pool did not get to its target: errors, target, current
    ├── InUseError              something else needs what is to be deleted: users
    ├── BudgetError             it would cost more than was allowed
    ├── WaitTimeoutError        it took longer than was allowed
    └── DetachedError           the wait was interrupted; Azure goes on with what it was asked for
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.masking import mask_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "AuthenticationError",
    "BatchImgError",
    "BudgetError",
    "ConflictError",
    "DetachedError",
    "InUseError",
    "NotConnectedError",
    "NotFoundError",
    "ProvisioningError",
    "ResizeError",
    "ServiceError",
    "SpecError",
    "ThrottledError",
    "WaitTimeoutError",
]


class BatchImgError(Exception):
    """The root of all errors of this package.

    Parameters
    ----------
    message
        What went wrong, in one line.
    hint
        What to do about it, in one line; may be empty.

    Attributes
    ----------
    table
        What had been done by then, when there is such a table, else None.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        # Whatever a message quotes, a link's signature is not for showing.
        self.message = mask_tokens(message)
        self.hint = mask_tokens(hint)
        super().__init__(self.message)
        self.table: Any = None

    def _render_traceback_(self) -> list[str]:
        """Return the lines that IPython shows instead of a traceback; the cell fails all the same."""
        lines = [f"{type(self).__name__}: {self.message}"]
        if self.hint:
            lines.append(f"  -> {self.hint}")
        return lines


class SpecError(BatchImgError, ValueError):
    """What was asked for makes no sense. Nothing was changed."""


class NotConnectedError(BatchImgError):
    """The connection that was asked for is not there."""


class ServiceError(BatchImgError):
    """Azure refused a request.

    Parameters
    ----------
    message, hint
        As for `BatchImgError`.
    status_code
        HTTP status, 0 when no answer came.
    code
        Azure's error code, e.g. ``PoolNotFound``.
    request_id
        What Microsoft's support asks for.
    """

    def __init__(
        self, message: str, *, hint: str = "", status_code: int = 0, code: str = "", request_id: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.status_code = status_code
        self.code = code
        self.request_id = request_id


class AuthenticationError(ServiceError):
    """Nobody is signed in, or whoever is may not do this."""


class NotFoundError(ServiceError):
    """There is no such thing."""


class ConflictError(ServiceError):
    """The state of a resource does not allow it, or something is there already and differs."""


class ThrottledError(ServiceError):
    """Azure asked for fewer requests, more often than there was patience."""


class ProvisioningError(BatchImgError):
    """Azure took a request and failed at it later.

    Parameters
    ----------
    message, hint
        As for `BatchImgError`.
    resource_id
        What was being made or changed.
    state
        The provisioning state it ended in, e.g. ``Failed``.
    """

    def __init__(self, message: str, *, resource_id: str, state: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.resource_id = resource_id
        self.state = state


class ResizeError(BatchImgError):
    """A pool did not get to its target, or its nodes are no good.

    Parameters
    ----------
    message, hint
        As for `BatchImgError`.
    errors
        This resize's errors as (code, message) pairs.
    target, current
        Counts by kind: ``dedicated`` and ``spot``.
    """

    def __init__(
        self,
        message: str,
        *,
        errors: Sequence[tuple[str, str]] = (),
        target: Mapping[str, int] | None = None,
        current: Mapping[str, int] | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.errors = tuple(errors)
        self.target = dict(target or {})
        self.current = dict(current or {})


class InUseError(BatchImgError):
    """Something else needs what is to be deleted.

    Parameters
    ----------
    message, hint
        As for `BatchImgError`.
    users
        Ids of what needs it.
    """

    def __init__(self, message: str, *, users: Sequence[str] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.users = tuple(users)


class BudgetError(BatchImgError):
    """It would cost more than was allowed."""


class WaitTimeoutError(BatchImgError, TimeoutError):
    """It took longer than was allowed. Azure goes on with what it was asked for."""


class DetachedError(BatchImgError):
    """The wait was interrupted. Azure goes on with what it was asked for; nothing new was begun."""
