"""Long-running operations of Microsoft.Compute: how long they take, and how clients poll them.

An operation is stored when it begins, with the time at which it ends; responses to polls are computed from the time.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.catalog import regions
from batchimg_magics.emulator.world.chance import seeded_fraction
from batchimg_magics.emulator.world.evidence import Evidence
from batchimg_magics.emulator.world.store import Item

if TYPE_CHECKING:
    from batchimg_magics.emulator.http.messages import Call
    from batchimg_magics.emulator.world.store import Store

NAMESPACE = "Microsoft.Compute"
OPERATION = "microsoft.compute/operations"
evidence = Evidence("Operations of Microsoft.Compute")
SPREAD = evidence.assumed(
    0.15,
    "of the median",
    "by which a duration differs from it at most, in either direction, depending on the seed",
    "durations in recordings differ more, but there are too few to derive a distribution",
)


class OperationTiming(msgspec.Struct, frozen=True):
    """How long an operation takes, and how clients should poll it.

    Parameters
    ----------
    seconds
        Median.
    first_retry_s, poll_retry_s
        Retry-After of the first response and of each poll; None: not sent.
    """

    seconds: float
    first_retry_s: int | None = None
    poll_retry_s: int | None = None


def _recorded(seconds: float, what: str, why: str) -> float:
    return evidence.recorded(seconds, "s", what, why)


def _assumed(seconds: float, what: str) -> float:
    return evidence.assumed(seconds, "s", what, "no recording shows its beginning and end")


#: Medians, and Retry-After as in recordings. Source: recordings.
OPERATION_TIMINGS = {
    "disk": OperationTiming(
        _recorded(
            0.7, "creation of a disk or a snapshot", "median of snapshots, at most 11 s; disks took 0.1 to 0.8 s"
        ),
        2,
        10,
    ),
    "disk deletion": OperationTiming(_assumed(1.0, "deletion of a disk or a snapshot"), None, 10),
    "disk access": OperationTiming(
        _recorded(0.4, "grant or revocation of access to a disk", "one recording: 0.36 s"), None, 10
    ),
    "image": OperationTiming(_recorded(13.0, "creation of a managed image", "median, 5 to 21 s")),
    "image deletion": OperationTiming(_assumed(5.0, "deletion of a managed image")),
    "gallery": OperationTiming(
        _recorded(0.2, "creation or deletion of a gallery or an image definition", "0.1 to 0.2 s")
    ),
    "version": OperationTiming(
        _recorded(438.0, "creation of a gallery image version, for each region", "median, 150 to 781 s"), 60, 60
    ),
    "version deletion": OperationTiming(
        _recorded(90.0, "deletion of a gallery image version", "median, up to 135 s"), 60, 60
    ),
    "vm": OperationTiming(_assumed(45.0, "creation of a VM"), 10, 30),
    "vm update": OperationTiming(_assumed(5.0, "update of a VM"), 10, 30),
    "vm deletion": OperationTiming(_assumed(40.0, "deletion of a VM"), 10, 30),
    "vm deallocate": OperationTiming(_recorded(45.0, "deallocation of a VM", "median, 24 to 257 s"), 10, 30),
    "vm powerOff": OperationTiming(_recorded(18.0, "power-off of a VM", "one recording: 17.7 s"), 10, 30),
    "vm start": OperationTiming(_assumed(20.0, "start of a VM"), 10, 30),
    "vm restart": OperationTiming(_assumed(30.0, "restart of a VM"), 10, 30),
    "vm capture": OperationTiming(_recorded(0.3, "capture of a VM", "one recording: 0.25 s"), 10, 30),
    "network": OperationTiming(_assumed(1.0, "creation of a network resource"), 1, 10),
    "network deletion": OperationTiming(_assumed(5.0, "deletion of a network resource"), 10, 10),
    "vm extension": OperationTiming(_assumed(20.0, "removal of a VM extension"), 10, 30),
    "vm runCommand": OperationTiming(
        _recorded(11.0, "run-command on a VM", "one recording of another command: 10.3 s"), 10, 30
    ),
}


class OperationResult(msgspec.Struct, frozen=True):
    """The final response of an operation.

    Parameters
    ----------
    resource
        Key of the resource in the response; empty for none.
    answer
        The response if it is not a resource.
    error
        Code and message of a failed operation; None if it succeeds.
    """

    resource: str = ""
    answer: dict[str, Any] | None = None
    error: tuple[str, str] | None = None


NO_RESULT = OperationResult()


def operation_s(call: Call, median: float, about: str) -> float:
    """Return how long an operation takes: near its median, and the same for the same seed."""
    return median * (1 + SPREAD * (2 * seeded_fraction(call.store, f"{about}/{call.method}") - 1))


def begin_operation(
    call: Call,
    location: str,
    family: str,
    seconds: float,
    pace: OperationTiming,
    outcome: OperationResult = NO_RESULT,
    *,
    namespace: str = NAMESPACE,
) -> dict[str, str]:
    """Store an operation that begins now, and return the headers for polling it.

    Parameters
    ----------
    call, location
        The request, and the region of the resource.
    family
        The segment in the URL of the operation: ``operations``, ``DiskOperations`` or ``capsOperations``.
    seconds, pace
        How long it takes, and how to poll it.
    outcome
        Its final response.
    namespace
        The resource provider.
    """
    guid = call.store.new_guid("operation")
    subscription = call.params["subscription"]
    region = regions.region_name(location)
    path = f"/subscriptions/{subscription}/providers/{namespace}/locations/{region}/{family}/{guid}"
    store_operation(call, path, guid, seconds, pace.poll_retry_s, outcome)
    # The machine that executes it: recorded for all operations but those of galleries.
    worker = "" if family == "capsOperations" or namespace != NAMESPACE else f"p={_worker(call.store, location)}&"
    version = f"api-version={call.api_version}"
    headers = {"Azure-AsyncOperation": f"{call.base}{path}?{worker}{version}"}
    if call.method != "PUT" or family == "DiskOperations":
        headers["Location"] = f"{call.base}{path}?{worker}monitor=true&{version}"
    return headers | ({"Retry-After": str(pace.first_retry_s)} if pace.first_retry_s else {})


def store_operation(
    call: Call, path: str, guid: str, seconds: float, retry: int | None, outcome: OperationResult
) -> Item:
    """Store an operation that begins now, with the time at which it ends and its result."""
    hidden = {
        "begin": call.now,
        "end": call.now + seconds,
        "next": retry,
        "resource": outcome.resource,
        "answer": outcome.answer,
        "error": outcome.error,
    }
    item = Item(path.lower(), OPERATION, {"name": guid}, hidden)
    call.store.put(item)
    return item


def _worker(store: Store, location: str) -> str:
    digits = hashlib.sha256(f"{store.meta('seed')}/{regions.region_name(location)}".encode()).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:32]}"
