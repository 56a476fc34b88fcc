"""Long-running operations of Microsoft.Compute: how long each takes, and how a client follows it.

An operation is stored when it begins, with the moment at which it ends; what a poll answers is computed from the time.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchimg_magics.sim import arm
from batchimg_magics.sim.planes import stamp
from batchimg_magics.sim.retirement import is_open
from batchimg_magics.sim.wire import Call, Refusal, Reply, Routes
from batchimg_magics.sim.world import Item

if TYPE_CHECKING:
    from batchimg_magics.sim.world import World

NAMESPACE = "Microsoft.Compute"
OPERATION = "microsoft.compute/operations"
#: By how much a time may differ from its median, either way; which way, the seed of the world decides.
SPREAD = 0.15
#: An end that never comes: the year 9999.
NEVER = 253_370_764_800.0

routes = Routes("arm")


@dataclass(frozen=True, slots=True)
class Pace:
    """How long work takes, and how Azure wants it to be followed.

    Parameters
    ----------
    seconds
        Median.
    first, next
        Retry-After in seconds of the first answer and of each poll; None: not sent.
    """

    seconds: float
    first: int | None = None
    next: int | None = None


#: Medians of recordings, and Retry-After as seen there. Source: FACTS 6; what is not in there is assumed: disks as
#: snapshots, deletions of disks and images, start and powerOff of VMs, run-command, how long a VM is in the making.
PACES = {
    "disk": Pace(0.7, 2, 10),
    "disk deletion": Pace(1.0, None, 10),
    "disk access": Pace(0.4, None, 10),
    "image": Pace(13.0),
    "image deletion": Pace(5.0),
    "gallery": Pace(0.2),
    "version": Pace(438.0, 60, 60),
    "version deletion": Pace(90.0, 60, 60),
    "vm": Pace(45.0, 10, 30),
    "vm update": Pace(5.0, 10, 30),
    "vm deletion": Pace(40.0, 10, 30),
    "vm deallocate": Pace(45.0, 10, 30),
    "vm powerOff": Pace(18.0, 10, 30),
    "vm start": Pace(20.0, 10, 30),
    "vm capture": Pace(0.3, 10, 30),
    "vm runCommand": Pace(11.0, 10, 30),
}
#: The pace of an operation that nobody began, by the word in its address: an open world's recording began later.
_ASSUMED = {"DiskOperations": "disk", "capsOperations": "version", "operations": "image"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an operation's last answer shows.

    Parameters
    ----------
    resource
        Key of the resource that is shown; empty for none.
    answer
        What is shown where it is no resource.
    error
        Code and message of an operation that fails; None for one that succeeds.
    """

    resource: str = ""
    answer: dict[str, Any] | None = None
    error: tuple[str, str] | None = None


NOTHING = Outcome()


def share(world: World, about: str) -> float:
    """Return a number from 0 up to 1 that is the same in every run of a world with this seed."""
    digest = hashlib.sha256(f"{world.meta('seed')}/{about.lower()}".encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32


def took(call: Call, median: float, about: str) -> float:
    """Return how long a piece of work takes: near its median, the same in each run of the same world."""
    return median * (1 + SPREAD * (2 * share(call.world, f"{about}/{call.method}") - 1))


def begin(
    call: Call, location: str, family: str, seconds: float, pace: Pace, outcome: Outcome = NOTHING
) -> dict[str, str]:
    """Note an operation that begins now, and return the headers that lead to it.

    Parameters
    ----------
    call, location
        The request, and the region that works on it.
    family
        The word in the operation's address: ``operations``, ``DiskOperations`` or ``capsOperations``.
    seconds, pace
        How long it takes, and how to follow it.
    outcome
        What its last answer shows.
    """
    guid = call.world.guid("operation")
    subscription = call.params["subscription"]
    path = f"/subscriptions/{subscription}/providers/{NAMESPACE}/locations/{arm.region(location)}/{family}/{guid}"
    _store(call, path, guid, seconds, pace.next, outcome)
    # Which machine works on it: recorded of all but the gallery's operations.
    worker = "" if family == "capsOperations" else f"p={_worker(call.world, location)}&"
    version = f"api-version={call.api_version}"
    headers = {"Azure-AsyncOperation": f"{call.base}{path}?{worker}{version}"}
    if call.method != "PUT" or family == "DiskOperations":
        headers["Location"] = f"{call.base}{path}?{worker}monitor=true&{version}"
    return headers | ({"Retry-After": str(pace.first)} if pace.first else {})


def _store(call: Call, path: str, guid: str, seconds: float, retry: int | None, outcome: Outcome) -> Item:
    hidden = {
        "begin": call.now,
        "end": call.now + seconds,
        "next": retry,
        "resource": outcome.resource,
        "answer": outcome.answer,
        "error": outcome.error,
    }
    item = Item(path.lower(), OPERATION, {"name": guid}, hidden)
    call.world.put(item)
    return item


def _worker(world: World, location: str) -> str:
    digits = hashlib.sha256(f"{world.meta('seed')}/{arm.region(location)}".encode()).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:32]}"


def _poll(call: Call) -> Reply:
    item = call.world.get(call.path)
    family = call.path.split("/")[-2]
    if item is None and is_open(call.world):
        pace = PACES[next(name for word, name in _ASSUMED.items() if word.lower() == family.lower())]
        item = _store(call, call.path, call.params["id"], pace.seconds, pace.next, NOTHING)
    if item is None:
        raise Refusal(404, "NotFound", "The entity was not found in this Azure location.")
    hidden = item.hidden
    over = call.now >= hidden["end"]
    waiting = {} if over or not hidden["next"] else {"Retry-After": str(hidden["next"])}
    made = call.world.get(hidden["resource"]) if over and hidden["resource"] else None
    output = hidden["answer"] if made is None else arm.shown(made, call.now)
    if call.query.get("monitor") == "true":
        return _result(call, hidden, output, waiting)
    body: dict[str, Any] = {"startTime": stamp(hidden["begin"], zone="+00:00")}
    if not over:
        return Reply(200, body | {"status": "InProgress", "name": item.doc["name"]}, waiting)
    body |= {"endTime": stamp(hidden["end"], zone="+00:00"), "status": "Failed" if hidden["error"] else "Succeeded"}
    if hidden["error"]:
        code, message = hidden["error"]
        body["error"] = {"code": code, "message": message}
    elif output is not None:
        body["properties"] = {"output": output}
    return Reply(200, body | {"name": item.doc["name"]})


def _result(call: Call, hidden: dict[str, Any], output: dict[str, Any] | None, waiting: dict[str, str]) -> Reply:
    """Answer at the address that says nothing of a state: 202 until it is over, then the result."""
    if call.now < hidden["end"]:
        address = f"{call.base}{call.path}?monitor=true&api-version={call.api_version}"
        return Reply(202, None, waiting | {"Location": address})
    if hidden["error"]:
        raise Refusal(409, *hidden["error"])
    return Reply(200, output)


for _word in _ASSUMED:
    routes.on("GET", f"/subscriptions/{{subscription}}/providers/{NAMESPACE}/locations/{{location}}/{_word}/{{id}}")(
        _poll
    )
