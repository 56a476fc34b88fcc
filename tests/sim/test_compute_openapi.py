"""Answers of Microsoft.Compute against Microsoft's own description of them, where it lies beside the checkout."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.sim.compute_world import LONG_S, Compute, copy_of, resource, version

SPECS = Path(__file__).parents[3] / "shared" / "specs" / "compute" / "Microsoft.Compute"
#: The description of each kind of resource, and the api-version that it describes.
DISKS, SNAPSHOTS = SPECS / "DiskRP/stable/2023-10-02/disk.json", SPECS / "DiskRP/stable/2023-10-02/snapshot.json"
IMAGES, MACHINES = (SPECS / f"ComputeRP/stable/2024-03-01/{name}.json" for name in ("image", "virtualMachine"))
GALLERIES = SPECS / "GalleryRP/stable/2023-07-03/gallery.json"
pytestmark = pytest.mark.skipif(not DISKS.exists(), reason="Microsoft's OpenAPI is not beside this checkout")
#: How many references of a schema are followed in a row; errors have errors inside.
DEPTH = 16


@functools.cache
def description(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def inlined(file: Path, schema: Any, depth: int = 0) -> Any:
    """Return a schema with what it refers to in place, whichever file that is in, and without enumerations.

    ARM's words differ in case between versions; the tests of each kind look at words.
    """
    if isinstance(schema, list):
        return [inlined(file, one, depth) for one in schema]
    if not isinstance(schema, dict) or depth > DEPTH:
        return schema if not isinstance(schema, dict) else {}
    if "$ref" in schema:
        where, _, pointer = schema["$ref"].partition("#/")
        target = (file.parent / where).resolve() if where else file
        found = description(target)
        for word in pointer.split("/"):
            found = found[word]
        return inlined(target, found, depth + 1)
    whole = {name: inlined(file, one, depth) for name, one in schema.items() if name not in ("enum", "example")}
    for part in whole.pop("allOf", []):
        whole = part | whole | {"properties": part.get("properties", {}) | whole.get("properties", {})}
    return whole


def strange(schema: dict[str, Any], value: Any, path: str = "") -> list[str]:
    """Return the paths of what an answer has and its description has not."""
    if isinstance(value, list):
        return [one for row in value for one in strange(schema.get("items", {}), row, f"{path}[]")]
    known = schema.get("properties", {})
    if not isinstance(value, dict) or not known:
        return []
    here = [f"{path}.{name}" for name in value if name not in known]
    deeper = [strange(known[name], inner, f"{path}.{name}") for name, inner in value.items() if name in known]
    return here + [one for found in deeper for one in found]


def check(file: Path, template: str, method: str, answer: Any, status: int = 200) -> None:
    assert answer.status == status
    paths = {path.lower().rstrip("/"): operations for path, operations in description(file)["paths"].items()}
    found = next(
        one for path, one in paths.items() if path.endswith(f"/providers/microsoft.compute/{template.lower()}")
    )
    schema = inlined(file, found[method]["responses"][str(status)].get("schema"))
    if schema is None:
        assert answer.body is None
        return
    jsonschema.Draft4Validator(schema).validate(answer.body)
    assert strange(schema, answer.body) == []


@pytest.fixture(scope="module")
def compute() -> Compute:
    """Return a world with one of each kind, and a version that is being copied."""
    made = Compute()
    made.definition(security="TrustedLaunch")
    made.snapshot("os", "prep-vm_OsDisk_1")
    made.snapshot("data", "prep-vm_DataDisk_0", incremental=True)
    made.make("disks/empty", {"creationData": {"createOption": "Empty"}, "diskSizeGB": 8}, sku={"name": "UltraSSD_LRS"})
    made.make("disks/copy", {"creationData": copy_of("snapshots/os")})
    start = {"createOption": "CopyStart", "sourceResourceId": resource("snapshots/data")}
    made.make("snapshots/far", {"creationData": start, "incremental": True}, location="westus2")
    vm = {"sourceVirtualMachine": {"id": resource("virtualMachines/win-vm")}, "hyperVGeneration": "V2"}
    made.make("images/win", vm)
    made.make("galleries/lab/images/tools/versions/1.0.0", version(data={0: "snapshots/data"}))
    profile = version(regions=("eastus", "westus2"))
    made.ask("PUT", "galleries/lab/images/tools/versions/1.0.1", {"location": "eastus", "properties": profile})
    made.clock.advance(600)
    return made


GALLERY = "galleries/{galleryName}"
DEFINITION = f"{GALLERY}/images/{{galleryImageName}}"
VERSION = f"{DEFINITION}/versions/{{galleryImageVersionName}}"


@pytest.mark.parametrize(
    ("file", "template", "path"),
    [
        (DISKS, "disks", "disks"),
        (DISKS, "disks/{diskName}", "disks/empty"),
        (DISKS, "disks/{diskName}", "disks/copy"),
        (DISKS, "disks/{diskName}", "disks/desk-vm_OsDisk_1"),
        (SNAPSHOTS, "snapshots", "snapshots"),
        (SNAPSHOTS, "snapshots/{snapshotName}", "snapshots/os"),
        (SNAPSHOTS, "snapshots/{snapshotName}", "snapshots/far"),
        (IMAGES, "images", "images"),
        (IMAGES, "images/{imageName}", "images/win"),
        (GALLERIES, "galleries", "galleries"),
        (GALLERIES, GALLERY, "galleries/lab"),
        (GALLERIES, f"{GALLERY}/images", "galleries/lab/images"),
        (GALLERIES, DEFINITION, "galleries/lab/images/tools"),
        (GALLERIES, f"{DEFINITION}/versions", "galleries/lab/images/tools/versions"),
        (GALLERIES, VERSION, "galleries/lab/images/tools/versions/1.0.0"),
        (GALLERIES, VERSION, "galleries/lab/images/tools/versions/1.0.1?$expand=ReplicationStatus"),
    ],
)
def test_what_is_read(compute: Compute, file: Path, template: str, path: str) -> None:
    check(file, template, "get", compute.ask("GET", path, version=file.parent.name))


@pytest.mark.parametrize(
    ("file", "template", "path", "status"),
    [
        (DISKS, "disks/{diskName}", "disks/new", 202),
        (SNAPSHOTS, "snapshots/{snapshotName}", "snapshots/new", 202),
        (GALLERIES, GALLERY, "galleries/new", 201),
    ],
)
def test_what_is_made(compute: Compute, file: Path, template: str, path: str, status: int) -> None:
    properties = {} if "galleries" in path else {"creationData": {"createOption": "Empty"}, "diskSizeGB": 1}
    told = compute.ask("PUT", path, {"location": "eastus", "properties": properties}, file.parent.name)
    check(file, template, "put", told, status)
    compute.clock.advance(LONG_S)
    check(file, template, "delete", compute.ask("DELETE", path, version=file.parent.name), 202)


def test_a_link_to_a_disk(compute: Compute) -> None:
    grant = {"access": "Read", "durationInSeconds": 60}
    told = compute.ask("POST", "snapshots/os/beginGetAccess", grant, SNAPSHOTS.parent.name)
    compute.clock.advance(10)
    done = compute.ask("GET", told.headers["Location"])
    check(SNAPSHOTS, "snapshots/{snapshotName}/beginGetAccess", "post", done)
