"""Wait for Azure: poll with Retry-After and back-off, detect failures, stop at a timeout.

The SDKs' own pollers are not used. Those of the Batch client hide failures (`begin_resize_pool(...).result()` returns
as soon as the pool is steady, even if the resize failed), and another process cannot resume them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from batchimg_magics.core.azure import resources
from batchimg_magics.core.azure.conflicts import was_faster
from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.base.diagnosis import diagnose
from batchimg_magics.errors import ConflictError, NotFoundError, ProvisioningError, WaitTimeoutError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from azure.core.rest import AsyncHttpResponse

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.resource_ids import ResourceId

T = TypeVar("T")

#: Where the remaining amount can be counted (nodes) and decreases: the next poll is after half the time that the rest
#: takes at this rate, within these bounds in seconds, but not before this fraction of the time waited so far.
MIN_COUNTED_S, MAX_COUNTED_S, COUNTED_FRACTION = 5.0, 90.0, 1 / 40
#: Maximum of the same, as a multiple of Retry-After.
MAX_RETRY_AFTERS = 3
#: Seconds before the first poll where Azure sends no Retry-After: most recorded operations end within a second.
FIRST_POLL_S = 1.0
#: Arguments of an SDK's `begin_*` call: send the request, return the first response, do not poll.
NO_POLLING: dict[str, Any] = {"polling": False, "cls": lambda response, _body, _headers: response.http_response}
_FAILED_STATES = ("failed", "canceled")


@dataclass(frozen=True, slots=True)
class PollResult(Generic[T]):
    """The result of one poll.

    Parameters
    ----------
    done
        Whether the wait is over.
    value
        What `poll_until` then returns.
    retry_after_s
        Azure's Retry-After in seconds; None where it sends none.
    remaining
        How much is left, where that can be counted: its rate decides when to poll again.
    """

    done: bool
    value: T
    retry_after_s: float | None = None
    remaining: int | None = None


@dataclass(frozen=True, slots=True)
class PollPace:
    """The time between two polls where Azure sends no Retry-After: a fraction of the time waited so far.

    Waiting then takes longer than the operation by at most that fraction, and a long wait costs few requests.

    Parameters
    ----------
    fraction
        Of the time waited so far.
    shortest_s, longest_s
        Bounds of the time in seconds.
    """

    fraction: float
    shortest_s: float
    longest_s: float


#: For operations of unknown duration.
DEFAULT_PACE = PollPace(1 / 6, 2.0, 15.0)


class _PollSchedule:
    """Decides when to poll again."""

    def __init__(self, pace: PollPace) -> None:
        self._pace = pace
        self._before: tuple[float, int] | None = None

    def pause_s(self, waited_s: float, result: PollResult[Any]) -> float:
        """Return how many seconds to wait until the next poll."""
        half_s = self._half_remaining_s(waited_s, result.remaining)
        if result.retry_after_s is not None:
            # A multiple of Retry-After while the end is far away.
            multiple = 1.0 if half_s is None or not result.retry_after_s else half_s // result.retry_after_s
            return result.retry_after_s * min(MAX_RETRY_AFTERS, max(1.0, multiple))
        if half_s is not None:
            return min(MAX_COUNTED_S, max(MIN_COUNTED_S, waited_s * COUNTED_FRACTION, half_s))
        return min(self._pace.longest_s, max(self._pace.shortest_s, waited_s * self._pace.fraction))

    def _half_remaining_s(self, waited_s: float, remaining: int | None) -> float | None:
        """Return half the seconds that the rest takes at the rate since the last poll; None where it is not known."""
        before, self._before = self._before, None if remaining is None else (waited_s, remaining)
        if remaining is None or before is None or before[1] <= remaining:
            return None
        return remaining * (waited_s - before[0]) / (before[1] - remaining) / 2


async def poll_until(
    azure: Azure,
    poll: Callable[[], Awaitable[PollResult[T]]],
    *,
    what: str,
    first_s: float | None = None,
    timeout_s: float | None = None,
    pace: PollPace = DEFAULT_PACE,
) -> T:
    """Poll until a poll returns that the wait is over.

    Parameters
    ----------
    azure
        The connection.
    poll
        One poll. An exception ends the wait.
    what
        What is waited for; part of the error message.
    first_s
        Seconds before the first poll: Azure's Retry-After to the request that began the operation. None: poll at once.
    timeout_s
        The longest wait in seconds; None: no limit.
    pace
        The time between polls, where Azure sends no Retry-After and nothing can be counted.

    Raises
    ------
    WaitTimeoutError
        The wait took longer than `timeout_s`.
    """
    began, schedule = azure.now(), _PollSchedule(pace)
    if first_s is not None:
        await azure.sleep(first_s)
    while not (result := await poll()).done:
        waited = azure.now() - began
        if timeout_s is not None and waited >= timeout_s:
            raise WaitTimeoutError(
                f"{what}: not finished after {waited / 60:.0f} min",
                hint="the operation continues in Azure; run the same command again, or allow more time",
            )
        pause_s = schedule.pause_s(waited, result)
        await azure.sleep(pause_s if timeout_s is None else min(pause_s, timeout_s - waited))
    return result.value


@dataclass(frozen=True, slots=True)
class Operation:
    """A long-running operation of Azure Resource Manager.

    Parameters
    ----------
    url
        The URL to poll; None: the operation ended with the first response.
    by_body
        Whether the status is in the body of a poll (``Azure-AsyncOperation``) or is its HTTP status (``Location``).
    retry_after_s
        Seconds before the first poll; None where Azure sends no Retry-After.
    """

    url: str | None
    by_body: bool
    retry_after_s: float | None

    @classmethod
    def from_response(cls, answer: AsyncHttpResponse) -> Operation:
        """Return the operation of the first response to a long-running request."""
        headers = answer.headers
        if url := headers.get("Azure-AsyncOperation"):
            return cls(url, by_body=True, retry_after_s=_retry_after(answer))
        url = headers.get("Location") if answer.status_code == 202 else None
        return cls(url, by_body=False, retry_after_s=_retry_after(answer))


async def wait_for_operation(
    azure: Azure, operation: Operation, *, what: str, resource_id: str, timeout_s: float | None = None
) -> Any:  # noqa: ANN401 - JSON
    """Wait until an operation ends, and return its output where it has one, else None.

    Raises
    ------
    ProvisioningError
        The operation failed or was canceled; the message has Azure's reason.
    WaitTimeoutError
        The wait took longer than `timeout_s`.
    """

    async def poll() -> PollResult[Any]:
        answer = await azure.get(str(operation.url))
        if not operation.by_body:
            over = answer.status_code != 202
            return PollResult(over, answer.json() if over and answer.content else None, _retry_after(answer))
        body = answer.json()
        status = str(body.get("status"))
        if status.lower() in _FAILED_STATES:
            raise operation_error(what, resource_id, status, dig(body, "error"))
        output = dig(body, "properties", "output")
        return PollResult(status.lower() == "succeeded", output, _retry_after(answer))

    if operation.url is None:
        return None
    first_s = FIRST_POLL_S if operation.retry_after_s is None else operation.retry_after_s
    return await poll_until(azure, poll, what=what, first_s=first_s, timeout_s=timeout_s)


async def create_and_wait(azure: Azure, begin: Awaitable[Any], *, what: str, resource_id: str) -> None:
    """Send the request of a `begin_*` call (called with `NO_POLLING`) and wait until its operation ends.

    Raises
    ------
    ConflictError
        Azure refused the request, and the resource is not being created.
    ProvisioningError
        Azure accepted the request and the operation failed.
    """
    await wait_for_creation(azure, begin_operation(azure, begin), what=what, resource_id=resource_id)


async def wait_for_creation(azure: Azure, begun: Awaitable[Operation], *, what: str, resource_id: str) -> None:
    """Do the same for a request that returns its operation."""
    try:
        operation = await begun
    except ConflictError as error:
        await wait_for_earlier_creation(azure, error, what=what, resource_id=resource_id)
    else:
        await wait_for_operation(azure, operation, what=what, resource_id=resource_id)


async def wait_for_earlier_creation(azure: Azure, error: ConflictError, *, what: str, resource_id: str) -> None:
    """Wait until a resource is provisioned that an earlier request creates, which made Azure refuse this one.

    The answer to the earlier request was lost, or another run of the same line sent it.

    Raises
    ------
    ConflictError
        The error that was given: it has another cause.
    ProvisioningError
        Creating it failed.
    """
    if not was_faster(error):
        raise error
    try:
        await wait_until_provisioned(azure, lambda: resources.read(azure, resource_id), what=what)
    except NotFoundError:
        raise error from None


async def begin_operation(azure: Azure, begin: Awaitable[Any]) -> Operation:
    """Send the request of a `begin_*` call (called with `NO_POLLING`) and return its operation."""
    poller = await azure.call(begin)
    return Operation.from_response(await poller.result())


async def begin_put(azure: Azure, resource: ResourceId, api_version: str, body: Json) -> Operation:
    """Send a PUT for which no SDK client is in use, and return its operation."""
    return Operation.from_response(await azure.send("PUT", f"{resource}?api-version={api_version}", body))


async def delete_and_wait(azure: Azure, begin: Awaitable[Any], *, what: str, resource_id: str) -> None:
    """Do the same for a deletion; a resource that does not exist is no error."""
    poller = await azure.call_or_none(begin)
    if poller is not None:
        operation = Operation.from_response(await poller.result())
        await wait_for_operation(azure, operation, what=f"deleting {what}", resource_id=resource_id)


async def delete_by_id(azure: Azure, resource: ResourceId, api_version: str, *, what: str) -> None:
    """Delete a resource for which no SDK client is in use, and wait; one that does not exist is no error."""
    answer = await azure.call_or_none(azure.send("DELETE", f"{resource}?api-version={api_version}"))
    if answer is not None:
        await wait_for_operation(azure, Operation.from_response(answer), what=what, resource_id=str(resource))


async def wait_until_provisioned(
    azure: Azure, read: Callable[[], Awaitable[dict[str, Any]]], *, what: str
) -> dict[str, Any]:
    """Wait until a resource that is being created is provisioned, and return its document.

    This resumes a creation whose operation URL was lost with the process that began it.

    Raises
    ------
    ProvisioningError
        Creating it failed.
    """

    async def poll() -> PollResult[dict[str, Any]]:
        found = await read()
        state = str(dig(found, "properties", "provisioningState"))
        if state.lower() in _FAILED_STATES:
            raise operation_error(what, str(found.get("id")), state)
        return PollResult(state.lower() == "succeeded", found)

    return await poll_until(azure, poll, what=what)


def operation_error(what: str, resource_id: str, state: str, error: Json | None = None) -> ProvisioningError:
    """Return the error for an operation that Azure accepted and that failed.

    Parameters
    ----------
    what, resource_id, state
        What was done, to which resource, and how it ended.
    error
        The error of the operation's document; None where Azure stores none.
    """
    again = f"delete {resource_id.rpartition('/')[2]!r} and run the same command again"
    if not error:
        reason, code, hint = "Azure gives no reason", "", f"later steps were not started; {again}"
    else:
        found = diagnose(json.dumps(error))
        fix = found.fix if found.cause is not None and found.cause.in_requests else ""
        code = found.error.code or str(error.get("code") or state)
        reason = found.sentence if fix else str(found.error)
        hint = f"{fix}; then {again}" if fix else f"later steps were not started; {again}"
    return ProvisioningError(
        f"{what} ended as {state}: {reason}", resource_id=resource_id, state=state, hint=hint, code=code
    )


def _retry_after(answer: AsyncHttpResponse) -> float | None:
    text = answer.headers.get("Retry-After")
    return float(text) if text and text.isdigit() else None
