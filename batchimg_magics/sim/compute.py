"""What every resource type of Microsoft.Compute has in common: long-running operations, and the verbs on a resource.

A type is a `Kind`: how it is made from a body, and how long its work takes. `register` gives it its routes. All that
goes on is kept as when it began and when it ends, and what a request sees of it is computed from the time.
"""

from __future__ import annotations

import copy
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchimg_magics.sim import arm
from batchimg_magics.sim.planes import stamp
from batchimg_magics.sim.wire import Call, Refusal, Reply, Routes
from batchimg_magics.sim.world import Item

if TYPE_CHECKING:
    from collections.abc import Callable

NAMESPACE = "Microsoft.Compute"
OPERATION = "microsoft.compute/operations"
#: By how much a time may differ from its median; which way, a resource's own history decides.
SPREAD = 0.15

routes = Routes("arm")


@dataclass(frozen=True, slots=True)
class Pace:
    """How long work takes and how Azure wants it to be followed.

    Parameters
    ----------
    seconds
        Median.
    first, next
        Retry-After of the first answer and of each poll in seconds; None: not sent.
    """

    seconds: float
    first: int | None = None
    next: int | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """A resource type.

    Parameters
    ----------
    type
        In full, e.g. ``Microsoft.Compute/snapshots``.
    build
        Makes the document and what it hides, given the request and what is there already. Raises `Refusal`.
    put, delete
        Their pace.
    operations
        The word in the operations' addresses.
    put_status
        Of the answer to a PUT that makes one.
    fresh
        The provisioning state while it is made.
    interim
        Properties that are shown while work goes on, beside those of the body as it has them; None: all.
    output
        Whether an operation's last answer has the resource in it.
    refuse_delete
        Raises `Refusal` where something is in the way of a deletion.
    by_subscription
        Whether a subscription lists them too.
    """

    type: str
    build: Callable[[Call, Item | None], tuple[dict[str, Any], dict[str, Any]]]
    put: Pace
    delete: Pace
    operations: str = "operations"
    put_status: int = 201
    fresh: str = "Creating"
    interim: frozenset[str] | None = None
    output: bool = False
    refuse_delete: Callable[[Call, Item], None] | None = None
    by_subscription: bool = True


# -- operations --------------------------------------------------------------------------------------------------


def took(call: Call, median: float, about: str) -> float:
    """Return how long a piece of work takes: near its median, the same in each run of the same world."""
    seed = f"{call.world.meta('seed')}/{about.lower()}/{call.method}".encode()
    part = int.from_bytes(hashlib.sha256(seed).digest()[:4], "big") / 2**32
    return median * (1 + SPREAD * (2 * part - 1))


def begin(
    call: Call,
    location: str,
    family: str,
    seconds: float,
    pace: Pace,
    output: str = "",
    answer: dict[str, Any] | None = None,
) -> dict[str, str]:
    """Note an operation that begins now, and return the headers that lead to it.

    Parameters
    ----------
    call, location, family
        The request, the region, and the word in the operation's address.
    seconds, pace
        How long it takes, and how to follow it.
    output
        Key of the resource that the last answer shows; empty for none.
    answer
        What the last answer shows, where it is no resource.
    """
    guid = call.world.guid("operation")
    region = location.replace(" ", "").lower()
    path = f"/subscriptions/{call.params['subscription']}/providers/{NAMESPACE}/locations/{region}/{family}/{guid}"
    hidden = {"begin": call.now, "end": call.now + seconds, "next": pace.next, "output": output, "answer": answer}
    call.world.put(Item(path.lower(), OPERATION, {"name": guid}, hidden))
    url = f"{call.base}{path}?p={guid}&api-version={call.api_version}"
    headers = {"Azure-AsyncOperation": url}
    if call.method != "PUT" or family == "DiskOperations":
        headers["Location"] = f"{url}&monitor=true"
    return headers | ({"Retry-After": str(pace.first)} if pace.first else {})


def _operation(call: Call) -> Reply:
    item = call.world.get(call.path)
    if item is None:
        raise Refusal(404, "NotFound", "The entity was not found in this Azure location.")
    hidden = item.hidden
    over = call.now >= hidden["end"]
    waiting = {} if over or not hidden["next"] else {"Retry-After": str(hidden["next"])}
    made = call.world.get(hidden["output"]) if over and hidden["output"] else None
    output = hidden["answer"] if made is None else arm.shown(made, call.now)
    if call.query.get("monitor") == "true":
        return Reply(200, output) if over else Reply(202, None, waiting | {"Location": f"{call.base}{call.path}"})
    body: dict[str, Any] = {"startTime": stamp(hidden["begin"], zone="+00:00")}
    if over:
        body["endTime"] = stamp(hidden["end"], zone="+00:00")
    body["status"] = "Succeeded" if over else "InProgress"
    if over and output is not None:
        body["properties"] = {"output": output}
    return Reply(200, body | {"name": item.doc["name"]}, waiting)


for _word in ("operations", "DiskOperations", "capsOperations"):
    routes.on("GET", f"/subscriptions/{{subscription}}/providers/{NAMESPACE}/locations/{{location}}/{_word}/{{id}}")(
        _operation
    )


# -- verbs -------------------------------------------------------------------------------------------------------


def register(table: Routes, kind: Kind) -> None:
    """Give a type its routes: GET, list, PUT, PATCH, DELETE."""
    one, some = arm.path_of(kind.type), arm.path_of(kind.type, collection=True)
    table.on("GET", one)(lambda call: Reply(200, arm.shown(arm.need(call, arm.resource_id(call, kind.type)), call.now)))
    table.on("GET", some)(lambda call: Reply(200, {"value": arm.listing(call, kind.type)}))
    if kind.by_subscription:
        path = f"/subscriptions/{{subscription}}/providers/{kind.type}"
        table.on("GET", path)(lambda call: Reply(200, {"value": arm.listing(call, kind.type)}))
    table.on("PUT", one)(lambda call: _put(call, kind))
    table.on("PATCH", one)(lambda call: _patch(call, kind))
    table.on("DELETE", one)(lambda call: _delete(call, kind))


def body_of(call: Call) -> dict[str, Any]:
    """Return a request's body, with properties whether it has any or not."""
    if not isinstance(call.body, dict):
        raise Refusal(400, "InvalidRequestContent", "The request content was invalid and could not be deserialized.")
    return {"properties": {}, **call.body}


def _put(call: Call, kind: Kind) -> Reply:
    arm.need_group(call)
    body = body_of(call)
    if not body.get("location"):
        raise Refusal(400, "LocationRequired", "The location property is required for this definition.")
    key = arm.resource_id(call, kind.type)
    old = arm.find(call.world, call.now, key)
    refuse_at_work(call, old)
    properties, hidden = kind.build(call, old)
    document = {"name": key.rpartition("/")[2], "id": key, "type": kind.type, "location": body["location"]}
    document |= {part: body[part] for part in ("tags", "sku", "zones", "identity", "extendedLocation") if part in body}
    document["properties"] = properties | {"provisioningState": "Succeeded"}
    return _work(call, kind, old, Item(key.lower(), kind.type.lower(), document, hidden))


def _patch(call: Call, kind: Kind) -> Reply:
    key = arm.resource_id(call, kind.type)
    old = arm.need(call, key)
    refuse_at_work(call, old)
    patch = body_of(call)
    call.body = {
        **{part: old.doc[part] for part in ("location", "sku") if part in old.doc},
        **patch,
        "properties": merged(old.doc["properties"], patch["properties"]),
    }
    properties, hidden = kind.build(call, old)
    document = old.doc | {"properties": properties | {"provisioningState": "Succeeded"}}
    document |= {part: patch[part] for part in ("tags", "sku") if part in patch}
    return _work(call, kind, old, Item(old.key, old.kind, document, hidden))


def merged(old: Any, new: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a document with a patch on it: what the patch does not name stays, lists are replaced."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    return old | {key: merged(old.get(key), value) for key, value in new.items()}


def _work(call: Call, kind: Kind, old: Item | None, item: Item) -> Reply:
    """Begin to make or change a resource."""
    state = kind.fresh if old is None else "Updating"
    seconds = took(call, kind.put.seconds, item.key)
    interim = copy.deepcopy(item.doc)
    if kind.interim is not None:
        asked = body_of(call)["properties"]
        kept = {name: part for name, part in interim["properties"].items() if name in kind.interim}
        interim["properties"] = asked | kept
    interim["properties"]["provisioningState"] = state
    item.hidden["work"] = {"kind": state, "begin": call.now, "end": call.now + seconds, "doc": interim}
    call.world.put(item)
    status = kind.put_status if old is None or kind.put_status == 202 else 200
    output = item.key if kind.output else ""
    return Reply(status, interim, begin(call, item.doc["location"], kind.operations, seconds, kind.put, output))


def _delete(call: Call, kind: Kind) -> Reply:
    item = arm.find(call.world, call.now, arm.resource_id(call, kind.type))
    if item is None:
        arm.need_group(call)
        return Reply(204)
    if kind.refuse_delete is not None:
        kind.refuse_delete(call, item)
    seconds = took(call, kind.delete.seconds, item.key)
    if arm.at_work(item, call.now) != "Deleting":
        item.hidden["work"] = {"kind": "Deleting", "begin": call.now, "end": call.now + seconds, "doc": None}
        call.world.put(item)
    return Reply(202, None, begin(call, item.doc["location"], kind.operations, seconds, kind.delete))


def refuse_at_work(call: Call, item: Item | None) -> None:
    """Refuse to change what is being changed or deleted."""
    if item is not None and (state := arm.at_work(item, call.now)):
        raise Refusal(
            409,
            "OperationNotAllowed",
            f"Operation is not allowed on resource '{item.doc['name']}' since its state is '{state}'.",
        )


def invalid(parameter: str, message: str) -> Refusal:
    """Return the refusal of one parameter."""
    return Refusal(400, "InvalidParameter", message, target=parameter)


def source(call: Call, key: object, parameter: str) -> Item:
    """Return a resource that a body names as its source, or refuse."""
    try:
        arm.split_id(str(key))
    except ValueError:
        raise invalid(parameter, f"The value of parameter {parameter} is invalid.") from None
    item = arm.find(call.world, call.now, str(key))
    if item is None:
        raise Refusal(404, "NotFound", f"Resource {str(key).rpartition('/')[2]} is not found.")
    return item


def region(name: object) -> str:
    """Return a region's programmatic name."""
    return str(name).replace(" ", "").lower()
