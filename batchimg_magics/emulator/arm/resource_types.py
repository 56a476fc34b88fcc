"""What all resource types of Microsoft.Compute have in common: the methods on a resource, and general checks.

A type is a `ResourceType`: how it is built from a body, and how long its operations take. `register` adds its routes.
"""

from __future__ import annotations

import copy
import functools
import re
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from batchimg_magics.emulator.arm import assumed_resources, resources
from batchimg_magics.emulator.arm.bodies import body_of, invalid, location_of, merged, part, with_properties
from batchimg_magics.emulator.arm.operations import (
    NO_RESULT,
    OPERATION_TIMINGS,
    OperationResult,
    begin_operation,
    operation_s,
)
from batchimg_magics.emulator.http.messages import Call, Refusal, Reply, Routes
from batchimg_magics.emulator.world.chance import NEVER
from batchimg_magics.emulator.world.store import Item

if TYPE_CHECKING:
    from collections.abc import Callable

#: Rules for names; names of galleries have no hyphen. Source: the rules as Azure's own refusals quote them; that names
#: of galleries and definitions do not end with an underscore either is in the gallery documents.
NAME_RULE = r"^[^_\W][\w-._]{0,79}(?<![-.])$"
GALLERY_NAME_RULE, DEFINITION_NAME_RULE = r"^[^_\W][\w._]{0,79}(?<![-._])$", r"^[^_\W][\w-._]{0,79}(?<![-._])$"
_PATTERNS = {
    rule: re.compile(rule.replace(r"\w-._", r"\w.-"), re.ASCII)
    for rule in (NAME_RULE, GALLERY_NAME_RULE, DEFINITION_NAME_RULE)
}
#: How long deleted resources are remembered, so that they do not come into existence again in open mode.
DELETED_KEPT_S = 7 * 86_400.0
#: The members of a body beside location and properties that a resource keeps.
_TOP_LEVEL = ("tags", "sku", "zones", "identity", "extendedLocation", "plan")


class BuildResult(msgspec.Struct):
    """The resource that a body describes.

    Parameters
    ----------
    properties, hidden
        Of the resource when the operation is done.
    initial_properties
        The properties during the operation; None: the same.
    top_level
        Further members of the final document, e.g. the SKU with its tier.
    seconds
        How long the operation takes; None: the usual time of the type.
    error
        Code and message if the operation fails.
    """

    properties: dict[str, Any]
    hidden: dict[str, Any] = msgspec.field(default_factory=dict)
    initial_properties: dict[str, Any] | None = None
    top_level: dict[str, Any] = msgspec.field(default_factory=dict)
    seconds: float | None = None
    error: tuple[str, str] | None = None


def _current_document(call: Call, item: Item) -> dict[str, Any]:
    return resources.document_at(item, call.now) or {}


class CheckBody(Protocol):
    """Checks a body."""

    def __call__(self, body: dict[str, Any], *, patched: bool) -> dict[str, Any]:
        """Return the body of a PUT, or of a PATCH, in Azure's spelling, or refuse it."""


def _any_body(body: dict[str, Any], *, patched: bool) -> dict[str, Any]:  # noqa: ARG001 - a type without constraints
    return body


class ResourceType(msgspec.Struct, frozen=True):
    """A resource type.

    Parameters
    ----------
    type
        The full type, e.g. ``Microsoft.Compute/snapshots``.
    build
        Builds the resource from the request and the existing resource. Raises `Refusal`.
    put_timing, delete_timing
        Keys of `OPERATION_TIMINGS`.
    operations
        The segment in the URLs of its operations.
    put_status
        Status of a PUT that creates a resource.
    creating_state
        The provisioning state during creation.
    output
        Whether the final response of an operation contains the resource.
    refuse_delete
        Raises `Refusal` if the resource cannot be deleted.
    by_subscription
        Whether a subscription lists the type, too.
    show
        Returns the document of a resource for a response.
    name_rule
        The rule for names; empty: `build` checks them.
    check_body
        Checks the bodies of PUT and PATCH.
    """

    type: str
    build: Callable[[Call, Item | None], BuildResult]
    put_timing: str
    delete_timing: str
    operations: str = "operations"
    put_status: int = 201
    creating_state: str = "Creating"
    output: bool = False
    refuse_delete: Callable[[Call, Item], None] | None = None
    by_subscription: bool = True
    show: Callable[[Call, Item], dict[str, Any]] = _current_document
    name_rule: str = NAME_RULE
    check_body: CheckBody = _any_body


def register(table: Routes, kind: ResourceType) -> None:
    """Add the routes of a type: GET, list, PUT, PATCH, DELETE."""
    one = resources.path_of(kind.type)
    table.on("GET", one)(lambda call: Reply(200, kind.show(call, assumed_resources.get_requested(call, kind.type))))
    for path in list_paths(kind.type, by_subscription=kind.by_subscription):
        table.on("GET", path)(lambda call: _list(call, kind))
    register_writes(table, kind)


def register_writes(
    table: Routes, kind: ResourceType, *, methods: tuple[str, ...] = ("PUT", "PATCH", "DELETE")
) -> None:
    """Add the routes that change a resource of a type."""
    work = {"PUT": _put, "PATCH": _patch, "DELETE": _delete}
    for method in methods:
        table.on(method, resources.path_of(kind.type))(functools.partial(work[method], kind=kind))


def _need_parent(call: Call, kind: ResourceType) -> None:
    """Refuse a request for a nested resource whose parent does not exist."""
    parent = kind.type.rpartition("/")[0]
    if parent.count("/"):
        assumed_resources.need_parent(call, resources.resource_id(call, parent))


def _list(call: Call, kind: ResourceType) -> Reply:
    _need_parent(call, kind)
    return Reply(200, {"value": [kind.show(call, item) for item in resources.list_items(call, kind.type)]})


def list_paths(kind: str, *, by_subscription: bool = True) -> list[str]:
    """Return the paths of the lists of a type: in the group or the parent, and in the subscription."""
    everywhere = f"/subscriptions/{{subscription}}/providers/{kind}"
    return [resources.path_of(kind, collection=True), *([everywhere] if by_subscription else [])]


# -- checks -----------------------------------------------------------------------------------------------------


def need_source(call: Call, key: object, parameter: str) -> Item:
    """Return a resource that a body names as its source, or refuse.

    Its id may lack the first slash: azure-mgmt-compute's own tests, which Microsoft ran against Azure, send such an id.
    """
    text = f"/{str(key).strip('/')}"
    try:
        resources.split_id(text)
    except ValueError:
        raise invalid(parameter, f"The value of parameter {parameter} is invalid.") from None
    item = assumed_resources.find_or_assume(call, text)
    if item is None:
        raise Refusal(404, "NotFound", f"Resource {text.rpartition('/')[2]} is not found.")
    return item


def refuse_during_operation(call: Call, item: Item | None) -> None:
    """Refuse to change a resource that is being changed or deleted."""
    if item is not None and (state := resources.current_operation(item, call.now)):
        if item.kind.startswith("microsoft.network/"):
            message = (
                f"Another operation on this or dependent resource is in progress: '{item.doc['id']}' is in the state "
                f"'{state}'."
            )
            raise Refusal(429, "AnotherOperationInProgress", message, headers={"Retry-After": "10"})
        message = f"Operation is not allowed on resource '{item.doc['name']}' since its state is '{state}'."
        raise Refusal(409, "OperationNotAllowed", message)


def check_name(name: str, rule: str) -> None:
    """Refuse an invalid name; an empty rule allows any."""
    if rule and not _PATTERNS[rule].fullmatch(name):
        message = f"The entity name '{name}' is invalid according to its validation rule: {rule}."
        raise Refusal(400, "InvalidParameter", message)


# -- methods ----------------------------------------------------------------------------------------------------


def _put(call: Call, kind: ResourceType) -> Reply:
    resources.need_group(call)
    body = call.body = body_of(call)
    location = location_of(call)
    key = resources.resource_id(call, kind.type)
    _need_parent(call, kind)
    check_name(key.rpartition("/")[2], kind.name_rule)
    old = resources.find(call.store, call.now, key)
    refuse_during_operation(call, old)
    resources.refuse_other_region(old, location)
    body = call.body = with_properties(kind.check_body(body, patched=False))
    built = kind.build(call, old)
    document = {"name": key.rpartition("/")[2], "id": key, "type": kind.type, "location": location}
    document |= {name: body[name] for name in _TOP_LEVEL if body.get(name) is not None}
    return begin_change(call, kind, old, built, document)


def _patch(call: Call, kind: ResourceType) -> Reply:
    key = resources.resource_id(call, kind.type)
    old = assumed_resources.need_or_assume(call, key)
    refuse_during_operation(call, old)
    patch = with_properties(kind.check_body(body_of(call), patched=True))
    kept = {name: old.doc[name] for name in ("location", *_TOP_LEVEL) if name in old.doc}
    asked = {name: value for name, value in old.doc["properties"].items() if name != "provisioningState"}
    call.body = kept | patch | {"properties": merged(asked, patch["properties"])}
    built = kind.build(call, old)
    changed = {name: call.body[name] for name in _TOP_LEVEL if call.body.get(name) is not None}
    return begin_change(call, kind, old, built, old.doc | changed)


def begin_change(
    call: Call, kind: ResourceType, old: Item | None, built: BuildResult, document: dict[str, Any]
) -> Reply:
    """Begin to create or change a resource, and return the response during the operation."""
    key = str(document["id"])
    state = kind.creating_state if old is None else "Updating"
    pace = OPERATION_TIMINGS[kind.put_timing]
    seconds = operation_s(call, pace.seconds, key) if built.seconds is None else built.seconds
    if "identity" in document:
        document["identity"] = resources.with_identity_ids(call.store, key, part(document["identity"], "identity"))
    interim = copy.deepcopy(document)
    interim["properties"] = copy.deepcopy(
        built.properties if built.initial_properties is None else built.initial_properties
    )
    interim["properties"]["provisioningState"] = state
    final = {"provisioningState": "Failed" if built.error else "Succeeded"}
    document |= built.top_level | {"properties": built.properties | final}
    going_on = {"kind": state, "begin": call.now, "end": call.now + seconds, "doc": interim}
    call.store.put(Item(key.lower(), kind.type.lower(), document, built.hidden | {"work": going_on}))
    status = kind.put_status if old is None or kind.put_status == 202 else 200
    outcome = OperationResult(key if kind.output else "", error=built.error)
    headers = begin_operation(
        call, document["location"], kind.operations, seconds, pace, outcome, namespace=kind.type.partition("/")[0]
    )
    return Reply(status, interim, headers)


def _delete(call: Call, kind: ResourceType) -> Reply:
    return begin_deletion(call, kind, assumed_resources.find_or_assume(call, resources.resource_id(call, kind.type)))


def begin_deletion(call: Call, kind: ResourceType, item: Item | None) -> Reply:
    """Begin to delete a resource; 204 if it does not exist."""
    if item is None:
        resources.need_group(call)
        return Reply(204)
    if kind.refuse_delete is not None:
        kind.refuse_delete(call, item)
    pace = OPERATION_TIMINGS[kind.delete_timing]
    seconds = operation_s(call, pace.seconds, item.key)
    if resources.current_operation(item, call.now) == "Deleting":
        seconds = item.hidden["work"]["end"] - call.now
    else:
        purge_deleted(call, kind.type)
        resources.delete_until(call.store, item, call.now, call.now + seconds)
    headers = begin_operation(
        call, item.doc["location"], kind.operations, seconds, pace, NO_RESULT, namespace=kind.type.partition("/")[0]
    )
    return Reply(202, None, headers)


def purge_deleted(call: Call, kind: str) -> None:
    """Remove resources that were deleted long ago, so that the emulator state does not grow without bound."""
    for item in call.store.items(kind, f"/subscriptions/{call.params['subscription']}"):
        ended = (item.hidden.get("work") or {}).get("end", NEVER)
        if resources.document_at(item, call.now) is None and call.now - ended > DELETED_KEPT_S:
            call.store.delete(item.key)
