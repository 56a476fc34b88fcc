"""Every request to Microsoft.Compute gets a response in Azure's format; the app raises no exception."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.compute_emulator import LONG_S, ComputeEmulator, copy_of, definition, resource, version

#: One good body of each kind; each test puts something else somewhere into one.
GOOD: dict[str, dict[str, Any]] = {
    "disks/x": {
        "sku": {"name": "Premium_LRS"},
        "tags": {"a": "b"},
        "properties": {"creationData": copy_of("snapshots/os"), "diskSizeGB": 64},
    },
    "snapshots/x": {"properties": {"creationData": copy_of("disks/desk-vm_OsDisk_1"), "incremental": True}},
    "images/x": {
        "properties": {
            "hyperVGeneration": "V2",
            "storageProfile": {
                "osDisk": {"osType": "Linux", "osState": "Generalized", "snapshot": {"id": resource("snapshots/os")}},
                "dataDisks": [{"lun": 0, "managedDisk": {"id": resource("disks/desk-vm_DataDisk_0")}}],
            },
        }
    },
    "images/y": {
        "properties": {
            "hyperVGeneration": "V1",
            "sourceVirtualMachine": {"id": resource("virtualMachines/gen1-vm")},
        }
    },
    "galleries/x": {"properties": {"description": "d"}, "tags": {}},
    "galleries/lab/images/x": {
        "properties": definition("x", security="TrustedLaunch") | {"purchasePlan": {"name": "n"}}
    },
    "galleries/lab/images/tools/versions/1.0.0": {
        "properties": version(data={0: "snapshots/os"}, regions=({"name": "eastus", "regionalReplicaCount": 2},))
        | {"safetyProfile": {"allowDeletionOfReplicatedLocations": True}}
    },
}
SOMETHING = [
    *(None, True, 0, -1, 2**40, 0.5, "", "x", "1", "TrustedLaunch"),
    *([], [None], [{}], [[1]], {}, {"id": "x"}, {"id": 7}),
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/disks/d",
    resource("images/none"),
]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of each part of a body."""
    inside: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inside = list(value.items())
    elif isinstance(value, list):
        inside = list(enumerate(value))
    return [path, *(one for name, inner in inside for one in places(inner, (*path, name)))]


PLACES = [(kind, path) for kind, body in GOOD.items() for path in places(body) if path]


def changed(body: Any, path: tuple[Any, ...], value: Any) -> Any:
    body = copy.deepcopy(body)
    inner = body
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    return body


@pytest.fixture(scope="module")
def compute() -> ComputeEmulator:
    made = ComputeEmulator()
    made.definition()
    made.snapshot("os", "desk-vm_OsDisk_1")
    return made


def try_out(compute: ComputeEmulator, path: str, body: Any, version: str) -> None:
    """Make, read, change, copy and delete; each is taken or refused."""
    response = compute.ask("PUT", path, body, version)
    assert response.status in (200, 201, 202, 400, 403, 404, 409), response.body
    if response.status >= 400:
        assert set(response.body) == {"error"}
        return
    for method in ("GET", "PATCH"):
        assert compute.ask(method, path, {"tags": {}} if method == "PATCH" else None, version).status < 500
    assert compute.ask("GET", response.headers["Azure-AsyncOperation"]).status == 200
    compute.clock.advance(LONG_S)
    assert compute.ask("GET", path, version=version).status == 200
    assert compute.ask("GET", path.rpartition("/")[0], version=version).status == 200
    again = compute.ask("PUT", path, body, version)
    assert again.status < 500
    compute.clock.advance(LONG_S)
    assert compute.ask("DELETE", path, version=version).status in (202, 409)
    compute.clock.advance(LONG_S)


@settings(max_examples=250, deadline=None, derandomize=True)
@given(
    place=st.sampled_from(PLACES),
    value=st.sampled_from(SOMETHING),
    version=st.sampled_from(["2018-06-01", "2024-03-03", "2026-04-01"]),
)
def test_anything_anywhere_in_a_body_is_taken_or_refused(
    compute: ComputeEmulator, place: tuple[str, tuple[Any, ...]], value: Any, version: str
) -> None:
    path, where = place
    try_out(compute, path, changed({"location": "eastus"} | GOOD[path], where, value), version)


@pytest.mark.parametrize("path", GOOD)
@pytest.mark.parametrize("body", [None, [], "x", 5, {}, {"location": "eastus"}, {"location": 5}, {"properties": []}])
def test_invalid_bodies(compute: ComputeEmulator, path: str, body: Any) -> None:
    response = compute.ask("PUT", path, body)
    assert response.status < 500
    compute.clock.advance(LONG_S)
    assert compute.ask("PATCH", path, body).status < 500
    compute.clock.advance(LONG_S)


@pytest.mark.parametrize("verb", ["beginGetAccess", "endGetAccess"])
@pytest.mark.parametrize("body", [None, [], {}, {"access": 5}, {"access": "Read", "durationInSeconds": "soon"}])
def test_links_that_are_none(compute: ComputeEmulator, verb: str, body: Any) -> None:
    assert compute.ask("POST", f"snapshots/os/{verb}", body).status in (202, 400)


@pytest.mark.parametrize("path", GOOD)
def test_every_good_body_is_taken(path: str) -> None:
    fresh = ComputeEmulator()
    fresh.definition()
    fresh.snapshot("os", "desk-vm_OsDisk_1")
    response = fresh.ask("PUT", path, {"location": "eastus"} | GOOD[path])
    assert response.status in (201, 202), response.body
