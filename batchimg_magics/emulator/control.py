"""The control API of the emulator, under ``/_sim/``: import of documents, time, and simulated faults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator import state_document
from batchimg_magics.emulator.arm import resources
from batchimg_magics.emulator.arm.import_files import ImportRefusedError
from batchimg_magics.emulator.arm.imports import import_documents
from batchimg_magics.emulator.batch.model import scenarios as pool_scenarios
from batchimg_magics.emulator.compute.guest import system
from batchimg_magics.emulator.compute.model import core_quotas, vm_view
from batchimg_magics.emulator.http import faults, planes, scenarios
from batchimg_magics.emulator.http.messages import Call, Refusal, Reply, Routes
from batchimg_magics.emulator.world.chance import NEVER

if TYPE_CHECKING:
    from batchimg_magics.emulator.world.clock import Clock
    from batchimg_magics.emulator.world.store import Item


class ErrorValue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One value of a resize error."""

    name: str
    value: str


class AllocationError(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A resize error with which every allocation ends."""

    code: str
    message: str
    values: list[ErrorValue] = []


class _Reset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a reset."""

    empty: bool = False


#: The types of resources with an operating system; that of a VM is on its OS disk.
_KINDS_WITH_SYSTEM = (
    "microsoft.compute/disks",
    "microsoft.compute/snapshots",
    "microsoft.compute/images",
    "microsoft.compute/galleries/images/versions",
)


def control_routes(clock: Clock) -> Routes:
    """Return the routes of the control API."""
    routes = Routes("sim", "/_sim", versioned=False)

    @routes.on("POST", "/advance")
    def _advance(call: Call) -> Reply:
        clock.advance(_seconds(call))
        return Reply(200, {"now": planes.timestamp(clock.now())})

    @routes.on("POST", "/reset")
    def _reset(call: Call) -> Reply:
        return _moved(call, state_document.begin_again(call.store, clock, empty=_is_empty(call)))

    @routes.on("GET", "/dump")
    def _dump(call: Call) -> Reply:
        return Reply(200, state_document.write_document(call.store, clock))

    @routes.on("POST", "/load")
    def _load(call: Call) -> Reply:
        try:
            return _moved(call, state_document.put_document(call.store, clock, call.body))
        except state_document.DocumentRefusedError as error:
            raise _refused(str(error)) from error

    routes.on("POST", "/import")(_import)
    routes.on("POST", "/quotas")(_set_quotas)
    routes.on("GET", "/systems")(_list_systems)
    routes.on("POST", "/systems")(_post_systems)
    routes.on("GET", "/faults")(_faults)
    routes.on("POST", "/faults")(_set_faults)
    return routes


def _moved(call: Call, now: float) -> Reply:
    """Answer at the time that a request has set, which may be before that at which it came."""
    call.now = now
    return Reply(200, {"now": planes.timestamp(now)})


def _is_empty(call: Call) -> bool:
    """Return whether a reset leaves out the default resources; the body is optional."""
    try:
        return msgspec.convert(call.body or {}, _Reset).empty
    except msgspec.ValidationError as error:
        raise _refused(str(error)) from error


def _body(call: Call) -> dict[str, Any]:
    if not isinstance(call.body, dict):
        raise _refused("the body is not an object")
    return call.body


def _seconds(call: Call) -> float:
    """Return by how many seconds a request advances the time; dates end with the year 9999."""
    try:
        seconds = float(_body(call)["seconds"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise _refused(f"seconds: {error}") from error
    if not 0 <= seconds < NEVER - call.now:
        raise _refused(
            f"seconds: time cannot go back, and it cannot pass the year 9999, so it cannot advance by {seconds} s"
        )
    return seconds


def _refused(reason: str) -> Refusal:
    return Refusal(400, "InvalidRequestContent", reason)


def _import(call: Call) -> Reply:
    """Import documents as they are. Types without rules in the emulator can be read only."""
    body = _body(call)
    documents = body.get("resources", [])
    if not isinstance(documents, list):
        raise _refused("resources is not a list")
    systems = _systems(body.get("systems") or {})
    try:
        ids = import_documents(call.store, call.now, documents, deprovisioned=body.get("deprovisioned"), any_type=True)
    except ImportRefusedError as error:
        raise _refused(str(error)) from error
    _set_systems(call, systems)
    return Reply(200, {"ids": ids})


def _systems(value: object) -> dict[str, system.SystemFacts]:
    try:
        return msgspec.convert(value, dict[str, system.SystemFacts])
    except msgspec.ValidationError as error:
        raise _refused(f"systems: {error}") from error


def _set_systems(call: Call, systems: dict[str, system.SystemFacts]) -> None:
    for key, facts in systems.items():
        system.set_system(call.store, _with_system(call, key), facts, call.now)


def _with_system(call: Call, key: str) -> Item:
    """Return the resource that has an operating system: for a VM its OS disk."""
    item = resources.find(call.store, call.now, key)
    if item is not None and item.kind == "microsoft.compute/virtualmachines":
        disks = vm_view.disks_of(item)
        item = call.store.get(vm_view.disk_key(disks[0])) if disks else None
    if item is None:
        raise _refused(f"systems: {key} does not exist, or has no managed OS disk")
    return item


def _list_systems(call: Call) -> Reply:
    """Answer with the states of the operating systems that are known, by the id of their disk, snapshot or image."""
    specialized = {"deprovisioned": False} if pool_scenarios.node_effects(call.store).specialized else {}
    found = {
        str(item.doc["id"]): system.shown_system(call.store, item, call.now) | specialized
        for kind in _KINDS_WITH_SYSTEM
        for item in call.store.items(kind)
        if "deprovisioned" in item.hidden and resources.document_at(item, call.now) is not None
    }
    return Reply(200, {"systems": found})


def _post_systems(call: Call) -> Reply:
    """Set states of operating systems."""
    _set_systems(call, _systems(_body(call).get("systems") or {}))
    return _list_systems(call)


def _set_quotas(call: Call) -> Reply:
    """Set core quotas of a subscription in a region, by the names that Compute's usages have."""
    body = _body(call)
    try:
        limits = msgspec.convert(body.get("limits"), dict[str, int])
    except msgspec.ValidationError as error:
        raise _refused(f"limits: {error}") from error
    subscription, region = str(body.get("subscription") or ""), str(body.get("location") or "")
    core_quotas.set_limits(call.store, limits, subscription=subscription, region=region)
    return Reply(200, {"limits": limits})


def _faults(call: Call) -> Reply:
    """Answer with the current scenario and faults, and with the scenarios that exist."""
    store = call.store
    return Reply(
        200,
        {
            "scenario": scenarios.current_name(store),
            "faults": msgspec.to_builtins(faults.pending_faults(store)),
            "allocation": store.meta("allocation") or {},
            "scenarios": {name: scenario.description for name, scenario in scenarios.SCENARIOS.items()},
        },
    )


def _allocation(given: object) -> dict[str, Any]:
    """Return the values of ``allocation``: numbers and booleans, and ``errors``."""
    values = dict(msgspec.convert({} if given is None else given, dict[str, Any]))
    errors = msgspec.convert(values.pop("errors", None) or [], list[AllocationError])
    effects: dict[str, Any] = dict(msgspec.convert(values, dict[str, float | bool]))
    return effects | ({"errors": msgspec.to_builtins(errors)} if errors else {})


def _set_faults(call: Call) -> Reply:
    """Set the ``scenario``, single ``faults`` or values of ``allocation``; members that are not given stay.

    ``allocation`` replaces its former value; null removes it.
    """
    body, store = _body(call), call.store
    try:
        if "scenario" in body:
            pool_scenarios.set_scenario(store, call.now, str(body["scenario"]))
        if "faults" in body:
            faults.set_pending_faults(store, msgspec.convert(body["faults"], list[scenarios.Fault]))
        if "allocation" in body:
            store.set_meta("allocation", _allocation(body["allocation"]))
            pool_scenarios.apply_to_images(store, call.now)
    except (ValueError, msgspec.ValidationError) as error:
        raise _refused(str(error)) from error
    return _faults(call)
