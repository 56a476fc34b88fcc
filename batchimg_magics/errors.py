"""The exceptions of this package.

::

    BatchImgError               base class: a message, and a hint with what to do
    ├── SpecError               invalid input; raised before any request that changes something
    ├── NotConnectedError       the requested connection is not available
    ├── ServiceError            Azure rejected a request: status_code, code, request_id
    │   ├── AuthenticationError not signed in, or permission is missing (401, 403)
    │   ├── PolicyError         an Azure policy denies it: policy, assignment (403)
    │   ├── NotFoundError       the resource does not exist (404)
    │   ├── ConflictError       the state of a resource does not allow it, or it exists and differs (409, 412)
    │   │   └── LockError       a lock forbids it: scopes (409)
    │   └── ThrottledError      too many requests, also after all retries (429)
    ├── ProvisioningError       Azure accepted a request, and the operation failed: resource_id, state
    ├── ResizeError             a pool did not reach its target: errors, target, current
    ├── InUseError              another resource depends on the one to be deleted: users
    ├── BudgetError             the cost would exceed a limit
    ├── WaitTimeoutError        an operation took longer than allowed
    └── DetachedError           the wait was interrupted; operations already started continue in Azure
"""

from __future__ import annotations

import linecache
import re
import sys
import traceback
from typing import TYPE_CHECKING, Any, Self, TypeVar

from batchimg_magics.masking import make_visible, mask_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

__all__ = [
    "AuthenticationError",
    "BatchImgError",
    "BudgetError",
    "ConflictError",
    "DetachedError",
    "InUseError",
    "LockError",
    "NotConnectedError",
    "NotFoundError",
    "PolicyError",
    "ProvisioningError",
    "ResizeError",
    "ServiceError",
    "SpecError",
    "ThrottledError",
    "WaitTimeoutError",
]


class BatchImgError(Exception):
    """The base class of all errors of this package.

    Parameters
    ----------
    message
        What went wrong, in one line.
    hint
        What to do about it, in one line; may be empty.

    Attributes
    ----------
    table
        A table of the steps completed before the error; None if there is none.
    frame
        The same table as a pandas DataFrame, for an error of a method of `Session`; otherwise None.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        # A message may quote a URL or other text of the service.
        self.message = make_visible(mask_tokens(message))
        self.hint = make_visible(mask_tokens(hint))
        super().__init__(self.message)
        self.table: Any = None
        self.frame: Any = None
        self._shows_calls = False

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions are rebuilt from their arguments, and a subclass may require more than the message.
        return _rebuild, (type(self), self.args, self.__dict__)

    def copy(self, message: str, hint: str) -> Self:
        """Return the same error with other words and without a traceback; it shows the calls that lead to it."""
        attributes = {**self.__dict__, "message": message, "hint": hint, "_shows_calls": True}
        attributes.pop("__notes__", None)  # a list that both would share
        return _rebuild(type(self), (message,), attributes)

    def _render_traceback_(self) -> list[str]:
        """Return the lines that IPython shows instead of a traceback; the cell still fails."""
        lines = [f"{type(self).__name__}: {self.message}"]
        if self.hint:
            lines.append(f"  -> {self.hint}")
        return [*lines, *(_call_lines(self.__traceback__) if self._shows_calls else ())]


_Error = TypeVar("_Error", bound=BatchImgError)


def _rebuild(kind: type[_Error], args: tuple[Any, ...], attributes: Mapping[str, Any]) -> _Error:
    """Return an error without calling its constructor."""
    made = kind.__new__(kind, *args)
    made.args = args
    made.__dict__.update(attributes)
    return made


def _call_lines(calls: TracebackType | None) -> list[str]:
    """Return the lines of the user's code in a traceback, without those of this package and of IPython."""
    lines: list[str] = []
    for frame, number in traceback.walk_tb(calls):
        if str(frame.f_globals.get("__name__")).partition(".")[0] in ("IPython", __package__):
            continue
        code = frame.f_code
        where = "" if code.co_name == "<module>" else f", in {code.co_name}"
        source = linecache.getline(code.co_filename, number, frame.f_globals).strip()
        lines.append(f"  at {_file_name(code.co_filename)}, line {number}{where}: {source}")
    return lines


def _file_name(file: str) -> str:
    """Return the name of a file, or of the cell that IPython gave this file name."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    cell: tuple[str, str] | None = shell.compile.format_code_name(file) if shell else None
    return " ".join(cell) if cell else file


#: The longest word of an error about input that is shown whole, and the longest message: ids of Azure are shorter.
_MAX_WORD, _MAX_INPUT_MESSAGE = 400, 4000


class SpecError(BatchImgError, ValueError):
    """The input is invalid. Nothing was changed. Long input is shown without its middle."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(_without_middles(message), hint=_without_middles(hint))


def _without_middles(text: str) -> str:
    """Return a text without the middle of words that are longer than any name, or without its own middle."""
    if len(text) <= _MAX_WORD:
        return text
    short = re.sub(rf"\S{{{_MAX_WORD},}}", lambda word: f"{word[0][:60]}...{word[0][-20:]}", text)
    half = _MAX_INPUT_MESSAGE // 2
    return short if len(short) <= _MAX_INPUT_MESSAGE else f"{short[:half]} ... {short[-half:]}"


class NotConnectedError(BatchImgError):
    """The requested connection is not available."""


class ServiceError(BatchImgError):
    """Azure rejected a request.

    Parameters
    ----------
    message, hint
        As for `BatchImgError`.
    status_code
        HTTP status; 0 if there was no response.
    code
        Azure's error code, e.g. ``PoolNotFound``.
    request_id
        Id of the request, for Microsoft support.
    """

    def __init__(
        self, message: str, *, hint: str = "", status_code: int = 0, code: str = "", request_id: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.status_code = status_code
        self.code = code
        self.request_id = request_id


class AuthenticationError(ServiceError):
    """You are not signed in, or have no permission for this operation."""


class PolicyError(ServiceError):
    """An Azure policy denies the resource as it would be.

    Parameters
    ----------
    message, hint
        As for `BatchImgError`.
    policy, assignment
        The names of the policy and of its assignment; empty where Azure does not tell.
    facts
        Status, code and request id, as for `ServiceError`.
    """

    def __init__(self, message: str, *, hint: str = "", policy: str = "", assignment: str = "", **facts: Any) -> None:
        super().__init__(message, hint=hint, **facts)
        self.policy = policy
        self.assignment = assignment


class NotFoundError(ServiceError):
    """The resource does not exist."""


class ConflictError(ServiceError):
    """The state of a resource does not allow the operation, or the resource exists already and differs."""


class LockError(ConflictError):
    """A lock on the resource or above it forbids the operation.

    Parameters
    ----------
    message, hint
        As for `BatchImgError`.
    scopes
        Ids of what is locked: resources, resource groups, or the subscription.
    facts
        Status, code and request id, as for `ServiceError`.
    """

    def __init__(self, message: str, *, hint: str = "", scopes: Sequence[str] = (), **facts: Any) -> None:
        super().__init__(message, hint=hint, **facts)
        self.scopes = tuple(scopes)


class ThrottledError(ServiceError):
    """Azure throttled the requests, also after all retries."""


class ProvisioningError(BatchImgError):
    """Azure accepted a request, and the operation failed.

    Parameters
    ----------
    message, hint
        As for `BatchImgError`.
    resource_id
        The resource that was being created or changed.
    state
        The provisioning state it ended in, e.g. ``Failed``.
    code
        Azure's error code, e.g. ``OverconstrainedAllocationRequest``; empty where there is none.
    """

    def __init__(self, message: str, *, resource_id: str, state: str, hint: str = "", code: str = "") -> None:
        super().__init__(message, hint=hint)
        self.resource_id = resource_id
        self.state = state
        self.code = code


class ResizeError(BatchImgError):
    """A pool did not reach its target, or its nodes are unusable.

    Parameters
    ----------
    message, hint
        As for `BatchImgError`.
    errors
        Errors of the resize as (code, message) pairs.
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
        self.errors = tuple((code, make_visible(mask_tokens(words))) for code, words in errors)
        self.target = dict(target or {})
        self.current = dict(current or {})


class InUseError(BatchImgError):
    """Another resource depends on the one to be deleted.

    Parameters
    ----------
    message, hint
        As for `BatchImgError`.
    users
        Ids of the resources that depend on it.
    """

    def __init__(self, message: str, *, users: Sequence[str] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.users = tuple(users)


class BudgetError(BatchImgError):
    """The cost would exceed the allowed limit."""


class WaitTimeoutError(BatchImgError, TimeoutError):
    """The operation took longer than allowed. It continues in Azure."""


class DetachedError(BatchImgError):
    """The wait was interrupted. Operations already started continue in Azure; no new one was started."""
