"""Failures of requests: single faults set by the control API, and those of the current scenario.

The single faults are in the emulator state, so that every process that uses the state has the same ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from batchimg_magics.emulator.http import scenarios
from batchimg_magics.emulator.http.messages import ConnectionDroppedError, Refusal
from batchimg_magics.emulator.http.scenarios import Fault
from batchimg_magics.emulator.world.chance import seeded_fraction

if TYPE_CHECKING:
    from batchimg_magics.emulator.http.messages import Call, Plane
    from batchimg_magics.emulator.world.store import Store

#: Code and message of a fault that names none, by status: of ARM, and of Batch.
_DEFAULT_ERRORS = {
    429: ("TooManyRequests", "Too many requests. Please retry after some time."),
    500: ("InternalServerError", "The server encountered an internal error. Please retry the request."),
    503: ("ServiceUnavailable", "The service is temporarily unavailable. Please retry the request."),
    504: (
        "GatewayTimeout",
        "The gateway did not receive a response from the service within the specified time period.",
    ),
}
_BATCH_DEFAULT_ERRORS = {
    429: ("TooManyRequests", "Too many requests have been sent to the server. Please retry after some time."),
    500: ("InternalError", "Server encountered an internal error. Please try again after some time."),
    503: ("ServerBusy", "Server is busy at the moment. Please try again after some time."),
}


def pending_faults(store: Store) -> list[Fault]:
    """Return the single faults that have not happened yet."""
    return msgspec.convert(store.meta("faults") or [], list[Fault])


def set_pending_faults(store: Store, faults: list[Fault]) -> None:
    """Replace the single faults."""
    store.set_meta("faults", msgspec.to_builtins(faults))


def take_fault(call: Call, plane: Plane | None) -> Fault | None:
    """Return the fault that applies to a request, and count it; None if the request succeeds."""
    if plane == "sim":
        return None
    kept = call.store.meta("faults")
    fault = _take_pending(call) if kept else None
    if fault is None:
        # The text seeds the draw: the same seed gives the same failures.
        chances = enumerate(scenarios.current(call.store).faults)
        fault = next((one for number, one in chances if _occurs(call, one, f"flaky {number}")), None)
    return fault


def _take_pending(call: Call) -> Fault | None:
    with call.store.transaction(write=True):
        faults = pending_faults(call.store)
        for number, fault in enumerate(faults):
            if not fault.matches(call):
                continue
            occurs = not fault.skip and _occurs(call, fault, f"fault {number}")
            faults[number] = _count_down(fault, occurs=occurs)
            if occurs or fault.skip:
                set_pending_faults(call.store, [one for one in faults if one.times != 0])
                return fault if occurs else None
    return None


def _occurs(call: Call, fault: Fault, about: str) -> bool:
    return seeded_fraction(call.store, f"{call.request_id}/{about}") < fault.share


def _count_down(fault: Fault, *, occurs: bool) -> Fault:
    if fault.skip:
        return msgspec.structs.replace(fault, skip=fault.skip - 1)
    if not occurs or fault.times is None:
        return fault
    return msgspec.structs.replace(fault, times=fault.times - 1)


def raise_fault(fault: Fault, plane: Plane | None) -> None:
    """Raise the error of a fault, if it happens before the request is handled.

    Raises
    ------
    ConnectionDroppedError
        The connection is dropped before the request is handled.
    Refusal
        The fault has a status.
    """
    if fault.lost == "request":
        raise ConnectionDroppedError(handled=False)
    if fault.status:
        words = _BATCH_DEFAULT_ERRORS if plane == "batch" else _DEFAULT_ERRORS
        code, message = words.get(fault.status, ("SimulatedFault", "A simulated fault of the emulator."))
        headers = {"Retry-After": str(fault.retry_after_s)} if fault.retry_after_s else {}
        raise Refusal(fault.status, fault.code or code, fault.message or message, headers=headers)
