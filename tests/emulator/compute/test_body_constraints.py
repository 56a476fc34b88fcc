"""Every constraint of Microsoft's OpenAPI on the bodies of Microsoft.Compute is refused, if the documents are there."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from batchimg_magics.emulator.compute.model.body_rules import shapes
from tests.support import compute_bodies as bodies
from tests.support import openapi
from tests.support.compute_emulator import LONG_S, ComputeEmulator
from tests.support.openapi import BATCH, COMPUTE_ON_ARM, MISSING, Schema

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(not BATCH[0].exists(), reason=MISSING)
#: operationId -> path and body of a request that is taken.
GRANT = {"access": "Read", "durationInSeconds": 60}
WRITES: dict[str, tuple[str, dict[str, Any]]] = {
    "Disks_CreateOrUpdate": ("disks/new", bodies.DISK),
    "Disks_Update": ("disks/free", {}),
    "Disks_GrantAccess": ("disks/free/beginGetAccess", GRANT),
    "Snapshots_CreateOrUpdate": ("snapshots/new", bodies.SNAPSHOT),
    "Snapshots_Update": ("snapshots/plain", {}),
    "Snapshots_GrantAccess": ("snapshots/plain/beginGetAccess", GRANT),
    "Images_CreateOrUpdate": ("images/new", bodies.IMAGE),
    "Images_Update": ("images/plain", {}),
    "Galleries_CreateOrUpdate": ("galleries/new", bodies.GALLERY),
    "Galleries_Update": ("galleries/lab", {}),
    "GalleryImages_CreateOrUpdate": ("galleries/lab/images/new", bodies.DEFINITION),
    "GalleryImages_Update": ("galleries/lab/images/tools", {}),
    "GalleryImageVersions_CreateOrUpdate": ("galleries/lab/images/tools/versions/2.0.0", bodies.RELEASE),
    "GalleryImageVersions_Update": ("galleries/lab/images/tools/versions/1.0.0", {}),
    "VirtualMachines_CreateOrUpdate": ("virtualMachines/new", bodies.VM),
    "VirtualMachines_Update": ("virtualMachines/desk-vm", {}),
    "VirtualMachines_Capture": (
        "virtualMachines/prep-vm/capture",
        {"vhdPrefix": "v", "destinationContainerName": "c", "overwriteVhds": True},
    ),
}
#: operationId -> the object type of its body.
KINDS = {
    name: {
        "Disks": "Disk",
        "Snapshots": "Snapshot",
        "Images": "Image",
        "Galleries": "Gallery",
        "GalleryImages": "GalleryImage",
        "GalleryImageVersions": "GalleryImageVersion",
        "VirtualMachines": "VirtualMachine",
    }[name.partition("_")[0]]
    + ("Update" if name.endswith("_Update") else "")
    for name in WRITES
    if name.endswith("Update")
} | {
    "Disks_GrantAccess": "GrantAccessData",
    "Snapshots_GrantAccess": "GrantAccessData",
    "VirtualMachines_Capture": "VirtualMachineCaptureParameters",
}


OBJECTS = shapes().table


class Breach(NamedTuple):
    """A value at a path of a body that a constraint excludes; None removes the member."""

    path: tuple[str | int, ...]
    value: object


def breaches(schema: Schema, path: tuple[str | int, ...] = (), *, patched: bool, depth: int = 0) -> Iterator[Breach]:
    """Yield what the constraints of a schema exclude."""
    here = schema.resolved
    known = here.description
    if schema.description.get("readOnly") or known.get("readOnly") or depth > 12:
        return
    if known.get("type") == "array":
        yield Breach(path, {})
        yield from breaches(here.items, (*path, 0), patched=False, depth=depth + 1)
    elif here.members:
        if path:
            yield Breach(path, "no object")
        if not patched:
            yield from (Breach((*path, name), None) for name in sorted(here.required))
        for name, member in here.members.items():
            yield from breaches(member, (*path, name), patched=patched, depth=depth + 1)
    else:
        yield from (Breach(path, value) for value in excluded(known))


def excluded(known: dict[str, Any]) -> Iterator[object]:
    """Yield values that the description of a simple value excludes."""
    if known.get("type") in ("integer", "number"):
        yield "no number"
    elif known.get("type") in ("boolean", "string"):
        yield {}
    yield from (known[end] + step for end, step in (("minimum", -1), ("maximum", 1)) if end in known)
    if "enum" in known:
        yield "no such word"
    if "maxLength" in known:
        yield "a" * (known["maxLength"] + 1)


def broken(body: dict[str, Any], breach: Breach) -> dict[str, Any]:
    """Return a body with the breach; objects and lists on the way are made."""
    whole: Any = copy.deepcopy(body)
    place = whole
    for word, following in zip(breach.path, breach.path[1:], strict=False):
        empty: Any = [] if isinstance(following, int) else {}
        if isinstance(place, list):
            place.extend([empty] * (1 - len(place)))
            place = place[0]
            continue
        if not isinstance(place.get(word), type(empty)):
            place[word] = empty
        place = place[word]
    if breach.value is None:
        place.pop(breach.path[-1], None)
    elif isinstance(place, list):
        place[:] = [breach.value]
    else:
        place[breach.path[-1]] = breach.value
    return whole


@pytest.fixture(scope="module")
def compute() -> ComputeEmulator:
    return bodies.prepared()


@pytest.mark.parametrize("name", sorted(WRITES))
def test_every_constraint_of_a_body_is_refused(name: str, compute: ComputeEmulator) -> None:
    operation = next(one for one in openapi.operations(COMPUTE_ON_ARM) if one.name == name)
    path, body = WRITES[name]
    assert operation.body is not None
    taken = []
    for breach in breaches(operation.body, patched=operation.method == "patch"):
        response = compute.ask(operation.method.upper(), path, broken(body, breach))
        if response.status != 400:
            taken.append((breach, response.body))
            compute.clock.advance(LONG_S)
    assert not taken


def test_every_member_of_a_body_is_known() -> None:
    """A body with all members of Microsoft's documents is read, whatever else is said about them."""
    missing = []
    for operation in openapi.operations(COMPUTE_ON_ARM):
        if operation.name in WRITES and operation.body is not None:
            missing += unknown_members(operation.body, KINDS[operation.name])
    assert not missing


def unknown_members(schema: Schema, kind: str, seen: tuple[str, ...] = ()) -> list[str]:
    known = {name.rstrip("!").lower(): what.strip("[]") for name, what in OBJECTS[kind].items()}
    found = [f"{kind}.{name}" for name in schema.members if name.lower() not in known]
    for name, member in schema.members.items():
        what = known.get(name.lower(), "")
        if what in OBJECTS and what not in seen:
            inner = member.items if member.resolved.description.get("type") == "array" else member
            found += unknown_members(inner, what, (*seen, what))
    return found
