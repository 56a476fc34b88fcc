"""The simulator's own routes, under ``/_sim/``: what is in the world, what time it is, what goes wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.arm.imports import ImportRefusedError, import_documents
from batchimg_magics.emulator.http import faults, planes, scenarios
from batchimg_magics.emulator.http.messages import Call, Refusal, Reply, Routes
from batchimg_magics.emulator.world.chance import NEVER

if TYPE_CHECKING:
    from batchimg_magics.emulator.world.clock import Clock


def control_routes(clock: Clock) -> Routes:
    """Return the routes for the world of a clock."""
    routes = Routes("sim", "/_sim", versioned=False)

    @routes.on("POST", "/advance")
    def _advance(call: Call) -> Reply:
        clock.advance(_seconds(call))
        return Reply(200, {"now": planes.timestamp(clock.now())})

    routes.on("POST", "/import")(_import)
    routes.on("GET", "/faults")(_faults)
    routes.on("POST", "/faults")(_set_faults)
    return routes


def _body(call: Call) -> dict[str, Any]:
    if not isinstance(call.body, dict):
        raise _refused("the body is no object")
    return call.body


def _seconds(call: Call) -> float:
    """Return by how much the request wants time to move: on, and not beyond the years that dates can be written of."""
    try:
        seconds = float(_body(call)["seconds"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise _refused(f"seconds: {error}") from error
    if not 0 <= seconds < NEVER - call.now:
        raise _refused(f"seconds: time never goes back and ends in the year 9999, and not {seconds} s from now")
    return seconds


def _refused(reason: str) -> Refusal:
    return Refusal(400, "InvalidRequestContent", reason)


def _import(call: Call) -> Reply:
    """Put documents into the world as they stand, of whatever type: what has no rules here can at least be read."""
    body = _body(call)
    documents = body.get("resources", [])
    if not isinstance(documents, list):
        raise _refused("resources is no list")
    try:
        ids = import_documents(call.store, call.now, documents, deprovisioned=body.get("deprovisioned"), any_type=True)
    except ImportRefusedError as error:
        raise _refused(str(error)) from error
    return Reply(200, {"ids": ids})


def _faults(call: Call) -> Reply:
    """Answer with what goes wrong, and with what could."""
    store = call.store
    return Reply(
        200,
        {
            "scenario": store.meta("scenario") or "calm",
            "faults": msgspec.to_builtins(faults.pending_faults(store)),
            "allocation": store.meta("allocation") or {},
            "scenarios": {name: scenario.description for name, scenario in scenarios.SCENARIOS.items()},
        },
    )


def _set_faults(call: Call) -> Reply:
    """Let things go wrong: a ``scenario``, single ``faults``, numbers of ``allocation``; what is not named stays."""
    body, store = _body(call), call.store
    try:
        if "scenario" in body:
            scenarios.set_scenario(store, str(body["scenario"]))
        if "faults" in body:
            faults.set_pending_faults(store, msgspec.convert(body["faults"], list[scenarios.Fault]))
        if "allocation" in body:
            store.set_meta("allocation", msgspec.convert(body["allocation"], dict[str, float | bool]))
    except (ValueError, msgspec.ValidationError) as error:
        raise _refused(str(error)) from error
    return _faults(call)
