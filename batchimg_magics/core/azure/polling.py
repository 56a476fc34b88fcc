"""The one way to wait: poll, honour Retry-After, back off, judge, report.

The SDKs' own pollers are not used: those of the Batch client hide failures (`begin_resize_pool(...).result()` returns
as soon as the pool is steady, whatever went wrong), and none of them can be resumed by another process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from batchimg_magics.core.azure.documents import dig
from batchimg_magics.errors import ProvisioningError, WaitTimeoutError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from azure.core.rest import AsyncHttpResponse

    from batchimg_magics.core.azure.client import Azure

T = TypeVar("T")

#: Where what is left can be counted (nodes, which take their time) and grows less: half the time that the rest takes at
#: this pace, within these bounds. The looks come closer as the end does, but for a part of the time waited so far.
MIN_COUNTED_S, MAX_COUNTED_S, COUNTED_FRACTION = 5.0, 90.0, 1 / 40
#: The same in times of Azure's own Retry-After, where it names one.
MAX_RETRY_AFTERS = 3
#: When work that Azure says nothing about is looked at first: most of it is over within a second. Source: FACTS 6.
FIRST_POLL_S = 1.0
#: Passed to an SDK's `begin_*` call: send the request, return the first answer, poll nothing.
NO_POLLING: dict[str, Any] = {"polling": False, "cls": lambda response, _body, _headers: response.http_response}
_FAILED_STATES = ("failed", "canceled")


@dataclass(frozen=True, slots=True)
class PollResult(Generic[T]):
    """What one poll saw.

    Parameters
    ----------
    done
        Whether the wait is over.
    value
        What `until` then returns.
    retry_after_s
        When Azure wants to be asked again; None where it does not say.
    left
        How much is left, where that can be counted: its pace tells when to look again.
    """

    done: bool
    value: T
    retry_after_s: float | None = None
    remaining: int | None = None


@dataclass(frozen=True, slots=True)
class PollPace:
    """How far two looks are apart, where Azure does not say: a part of the time waited so far, within bounds.

    Waiting then takes at most that part longer than what is waited for, and a long wait costs few requests.

    Parameters
    ----------
    part
        Of the time waited so far.
    shortest_s, longest_s
        The bounds.
    """

    fraction: float
    shortest_s: float
    longest_s: float


#: Of work whose end cannot be foreseen.
DEFAULT_PACE = PollPace(1 / 6, 2.0, 15.0)


class _PollSchedule:
    """When to look again."""

    def __init__(self, pace: PollPace) -> None:
        self._pace = pace
        self._before: tuple[float, int] | None = None

    def pause_s(self, waited_s: float, result: PollResult[Any]) -> float:
        """Return how long to wait, after so long, with what was seen."""
        half_s = self._half_remaining_s(waited_s, result.remaining)
        if result.retry_after_s is not None:
            # The moments at which Azure wants to be asked; a few are left out while the end is far off.
            turns = 1.0 if half_s is None or not result.retry_after_s else half_s // result.retry_after_s
            return result.retry_after_s * min(MAX_RETRY_AFTERS, max(1.0, turns))
        if half_s is not None:
            return min(MAX_COUNTED_S, max(MIN_COUNTED_S, waited_s * COUNTED_FRACTION, half_s))
        return min(self._pace.longest_s, max(self._pace.shortest_s, waited_s * self._pace.fraction))

    def _half_remaining_s(self, waited_s: float, left: int | None) -> float | None:
        """Return half the time that what is left takes at the pace since the look before; None: nobody can tell."""
        before, self._before = self._before, None if left is None else (waited_s, left)
        if left is None or before is None or before[1] <= left:
            return None
        return left * (waited_s - before[0]) / (before[1] - left) / 2


async def poll_until(
    azure: Azure,
    poll: Callable[[], Awaitable[PollResult[T]]],
    *,
    what: str,
    first_s: float | None = None,
    timeout_s: float | None = None,
    pace: PollPace = DEFAULT_PACE,
) -> T:
    """Look again and again until a look says that it is done.

    Parameters
    ----------
    azure
        Whose time passes.
    look
        One poll; it raises to end the wait as a failure.
    what
        What is waited for, for the error.
    first_s
        When to look for the first time: Azure's Retry-After to the request that began it. None: at once.
    timeout_s
        How long to wait at most.
    pace
        How far two looks are apart, where Azure says nothing and nothing grows less.

    Raises
    ------
    WaitTimeoutError
        It took longer than `timeout_s`.
    """
    began, turns = azure.now(), _PollSchedule(pace)
    if first_s is not None:
        await azure.sleep(first_s)
    while not (result := await poll()).done:
        waited = azure.now() - began
        if timeout_s is not None and waited >= timeout_s:
            raise WaitTimeoutError(
                f"{what}: not done after {waited / 60:.0f} min",
                hint="Azure goes on with it; run the same line again, or allow more time",
            )
        pause_s = turns.pause_s(waited, result)
        await azure.sleep(pause_s if timeout_s is None else min(pause_s, timeout_s - waited))
    return result.value


@dataclass(frozen=True, slots=True)
class Operation:
    """A long-running operation that Azure Resource Manager has taken.

    Parameters
    ----------
    url
        Where it is polled; None: it was over with the first answer.
    by_body
        Whether a poll's body tells the status (``Azure-AsyncOperation``) or its HTTP status does (``Location``).
    retry_after_s
        When to poll first.
    """

    url: str | None
    by_body: bool
    retry_after_s: float | None

    @classmethod
    def from_response(cls, answer: AsyncHttpResponse) -> Operation:
        """Read an operation off the first answer to a long-running request."""
        headers = answer.headers
        if url := headers.get("Azure-AsyncOperation"):
            return cls(url, by_body=True, retry_after_s=_retry_after(answer))
        url = headers.get("Location") if answer.status_code == 202 else None
        return cls(url, by_body=False, retry_after_s=_retry_after(answer))


async def wait_for_operation(azure: Azure, operation: Operation, *, what: str, resource_id: str) -> Any:  # noqa: ANN401 - JSON
    """Wait until an operation is over, and return what came of it where Azure says so, else None.

    Raises
    ------
    ProvisioningError
        It failed or was cancelled; Azure's own words are in the message.
    """

    async def poll() -> PollResult[Any]:
        answer = await azure.get(str(operation.url))
        if not operation.by_body:
            over = answer.status_code != 202
            return PollResult(over, answer.json() if over and answer.content else None, _retry_after(answer))
        body = answer.json()
        status = str(body.get("status"))
        if status.lower() in _FAILED_STATES:
            code, message = dig(body, "error", "code") or status, dig(body, "error", "message") or "no reason given"
            raise operation_error(what, resource_id, status, f"{code}: {message}")
        output = dig(body, "properties", "output")
        return PollResult(status.lower() == "succeeded", output, _retry_after(answer))

    if operation.url is None:
        return None
    first_s = FIRST_POLL_S if operation.retry_after_s is None else operation.retry_after_s
    return await poll_until(azure, poll, what=what, first_s=first_s)


async def create_and_wait(azure: Azure, begin: Awaitable[Any], *, what: str, resource_id: str) -> None:
    """Send the request of a `begin_*` call (called with `FIRST_ANSWER`) and wait until its operation is over.

    Raises
    ------
    ProvisioningError
        Azure took the request and failed at it.
    """
    await wait_for_operation(azure, await begin_operation(azure, begin), what=what, resource_id=resource_id)


async def begin_operation(azure: Azure, begin: Awaitable[Any]) -> Operation:
    """Send the request of a `begin_*` call (called with `FIRST_ANSWER`) and return its operation."""
    poller = await azure.call(begin)
    return Operation.from_response(await poller.result())


async def delete_and_wait(azure: Azure, begin: Awaitable[Any], *, what: str, resource_id: str) -> None:
    """Do as `made` for a deletion; what is gone already is fine."""
    poller = await azure.call_or_none(begin)
    if poller is not None:
        operation = Operation.from_response(await poller.result())
        await wait_for_operation(azure, operation, what=f"deleting {what}", resource_id=resource_id)


async def wait_until_provisioned(
    azure: Azure, read: Callable[[], Awaitable[dict[str, Any]]], *, what: str
) -> dict[str, Any]:
    """Wait until a resource that somebody is making is there, and return its document.

    This is how work is taken up again whose operation's address was lost with the process that began it.

    Raises
    ------
    ProvisioningError
        Making it failed.
    """

    async def poll() -> PollResult[dict[str, Any]]:
        found = await read()
        state = str(dig(found, "properties", "provisioningState"))
        if state.lower() in _FAILED_STATES:
            raise operation_error(what, str(found.get("id")), state, "Azure keeps no reason")
        return PollResult(state.lower() == "succeeded", found)

    return await poll_until(azure, poll, what=what)


def operation_error(what: str, resource_id: str, state: str, reason: str) -> ProvisioningError:
    """Return the error for something that Azure began and did not finish."""
    return ProvisioningError(
        f"{what} ended as {state}: {reason.partition(chr(10))[0]}",
        resource_id=resource_id,
        state=state,
        hint=f"nothing was made after it; delete {resource_id.rpartition('/')[2]!r} and run the same line again",
    )


def _retry_after(answer: AsyncHttpResponse) -> float | None:
    text = answer.headers.get("Retry-After")
    return float(text) if text and text.isdigit() else None
