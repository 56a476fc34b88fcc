"""What goes wrong on purpose: named scenarios that a world is in, and single faults of its answers.

What a scenario does to nodes is in `pool_scenarios`; what it does to answers is here. Both are kept in the world, so
that every process on it sees the same.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from batchimg_magics.emulator.http.messages import ConnectionDroppedError, Refusal
from batchimg_magics.emulator.world.chance import seeded_fraction
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.http.messages import Call, Plane
    from batchimg_magics.emulator.world.store import Store

#: The scenarios by name, and what goes wrong in each.
SCENARIOS = {
    "calm": "nothing goes wrong",
    "slow-large": "nodes of large pools come so late that a resize to 1,000 times out twice",
    "quota": "the core quotas of Batch accounts are small",
    "image-deleted": "the image of a pool is gone by the time of its next allocation",
    "flaky": "now and then an answer of 429, 500 or 503, a dropped connection, an answer lost after the work",
    "preemption": "spot nodes are taken away, and come back",
    "bad-start-task": "every start task fails",
    "no-replica": "the copy of a gallery image version into the region of a Batch account fails",
    "stuck-replication": "the copy of a gallery image version into its last region never ends",
    "not-deprovisioned": "VMs look prepared, and their systems were never deprovisioned",
}
evidence = Evidence("Scenarios: answers and quotas")
SMALL_QUOTAS = evidence.assumed(
    {"dedicatedCoreQuota": 40, "dedicatedCoreQuotaPerVMFamily": 32, "lowPriorityCoreQuota": 16},
    "cores",
    "that an account has in the scenario `quota`",
    "little enough that ten nodes of four cores meet each of them",
)


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One thing that goes wrong with answers.

    Parameters
    ----------
    method, path
        Which requests it happens to: a method, and a regular expression that is found in host and path, whatever the
        case; empty for any.
    status, code, message, retry_after_s
        The answer that is given in place of the work.
    lost
        In place of a status: the connection drops before the work (``request``) or after it (``answer``).
    skip, times
        How many matching requests pass before it, and to how many it happens; None: to all that come.
    share
        To what share of the matching requests it happens.
    """

    method: str = ""
    path: str = ""
    status: int = 0
    code: str = ""
    message: str = ""
    retry_after_s: int = 0
    lost: Literal["", "request", "answer"] = ""
    skip: int = 0
    times: int | None = 1
    share: float = 1.0

    def __post_init__(self) -> None:
        if bool(self.status) == bool(self.lost):
            raise ValueError("a fault is either a status or a loss")
        if self.status and not 400 <= self.status <= 599:
            raise ValueError(f"the status of a fault is from 400 to 599, not {self.status}")
        try:
            re.compile(self.path)
        except re.error as error:
            raise ValueError(f"path: {error}") from error

    def matches(self, call: Call) -> bool:
        """Tell whether a request is one that it happens to."""
        method = not self.method or self.method.upper() == call.method
        return method and re.search(self.path, f"{call.host}{call.path}", re.IGNORECASE) is not None


_SHARES = evidence.assumed(
    {"429": 0.02, "500": 0.01, "503": 0.02, "request lost": 0.01, "answer lost": 0.01},
    "of all requests",
    "to which this happens in the scenario `flaky`",
    "nobody says how often Azure fails so",
)
_FLAKY = (
    Fault(status=429, retry_after_s=2, share=_SHARES["429"], times=None),
    Fault(status=500, share=_SHARES["500"], times=None),
    Fault(status=503, retry_after_s=1, share=_SHARES["503"], times=None),
    Fault(lost="request", share=_SHARES["request lost"], times=None),
    Fault(lost="answer", share=_SHARES["answer lost"], times=None),
)
#: Code and message of an answer that says nothing of them, by status: of ARM, and of Batch.
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


def set_scenario(store: Store, name: str) -> None:
    """Put the world into a scenario.

    Raises
    ------
    ValueError
        There is none of that name.
    """
    if name not in SCENARIOS:
        raise ValueError(f"no scenario is called {name!r}; there are {', '.join(SCENARIOS)}")
    store.set_meta("scenario", name)


def is_active(store: Store, name: str) -> bool:
    """Tell whether the world is in the scenario of that name."""
    return bool(store.meta("scenario") == name)


def pending_faults(store: Store) -> list[Fault]:
    """Return the single faults that are still to happen."""
    return msgspec.convert(store.meta("faults") or [], list[Fault])


def set_pending_faults(store: Store, faults: list[Fault]) -> None:
    """Keep single faults, in place of those before."""
    store.set_meta("faults", msgspec.to_builtins(faults))


def take_fault(call: Call, plane: Plane | None) -> Fault | None:
    """Return what goes wrong with a request, and count that it did."""
    if plane == "sim":
        return None
    kept = call.store.meta("faults")
    fault = _take_pending(call) if kept else None
    if fault is None and is_active(call.store, "flaky"):
        chances = enumerate(_FLAKY)
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
    """Let happen what comes in place of the work.

    Raises
    ------
    LostError
        The request never arrived.
    Refusal
        The service failed.
    """
    if fault.lost == "request":
        raise ConnectionDroppedError(handled=False)
    if fault.status:
        words = _BATCH_DEFAULT_ERRORS if plane == "batch" else _DEFAULT_ERRORS
        code, message = words.get(fault.status, ("SimulatedFault", "A fault of the local Azure's, asked for."))
        headers = {"Retry-After": str(fault.retry_after_s)} if fault.retry_after_s else {}
        raise Refusal(fault.status, fault.code or code, fault.message or message, headers=headers)


def with_scenario_quotas(store: Store, properties: dict[str, Any]) -> dict[str, Any]:
    """Return a Batch account's properties with the quotas that the world's scenario leaves it."""
    if not is_active(store, "quota"):
        return properties
    most = SMALL_QUOTAS
    small: dict[str, Any] = {
        name: min(properties[name], most[name])
        for name in ("dedicatedCoreQuota", "lowPriorityCoreQuota")
        if name in properties
    }
    families = properties.get("dedicatedCoreQuotaPerVMFamily")
    if families:
        cores = most["dedicatedCoreQuotaPerVMFamily"]
        small["dedicatedCoreQuotaPerVMFamily"] = [
            family | {"coreQuota": min(family["coreQuota"], cores)} for family in families
        ]
    return properties | small
