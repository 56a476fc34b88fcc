"""What Azure refuses, the emulator refuses: a list of requests, each sent once to one closed emulator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.compute_bodies import (
    ATTACHED,
    COPY,
    DEFINITION,
    DISK,
    GALLERY,
    IMAGE,
    RELEASE,
    SNAPSHOT,
    VM,
    prepared,
)
from tests.support.compute_emulator import resource
from tests.support.refusals.table import ROWS, Refused

if TYPE_CHECKING:
    from tests.support.compute_emulator import ComputeEmulator


@pytest.fixture(scope="module")
def compute() -> ComputeEmulator:
    return prepared()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_it_is_refused_as_azure_does(row: Refused, compute: ComputeEmulator) -> None:
    response = compute.ask(row.method, row.path, row.body)
    assert response.status == row.status, response.body
    assert response.code == (row.code or response.code)
    assert len(response.message) > 10


def test_what_the_rows_begin_with_is_taken() -> None:
    compute = prepared()
    bodies = {
        "disks/new": DISK,
        "disks/copy": COPY,
        "snapshots/new": SNAPSHOT,
        "images/new": IMAGE,
        "galleries/new": GALLERY,
        "galleries/lab/images/new": DEFINITION,
        "galleries/lab/images/tools/versions/2.0.0": RELEASE,
        "virtualMachines/new": VM,
    }
    for path, body in bodies.items():
        assert compute.ask("PUT", path, body).status < 300, path
    assert prepared().ask("PUT", "virtualMachines/attached", ATTACHED).status == 201


def test_the_tags_of_an_imported_resource_change_whatever_it_refers_to() -> None:
    compute = prepared()
    keys = {"diskEncryptionSetId": resource("diskEncryptionSets/not-imported")}
    region = {"name": "East US", "regionalReplicaCount": 1, "encryption": {"osDiskImage": keys}}
    imported = {
        "disks/free": {"encryption": keys | {"type": "EncryptionAtRestWithCustomerKey"}},
        "galleries/lab/images/tools": {"features": [{"name": "Later", "value": "Yes"}]},
        "galleries/lab/images/tools/versions/1.0.0": {"publishingProfile": {"targetRegions": [region]}},
        "virtualMachines/desk-vm": {"licenseType": "Later", "availabilitySet": {"id": resource("availabilitySets/a")}},
    }
    for path, properties in imported.items():
        item = compute.store.get(resource(path))
        assert item is not None
        item.doc["properties"] |= properties
        compute.store.put(item)
        response = compute.ask("PATCH", path, {"tags": {"owner": "you"}})
        assert response.status in (200, 202), response.body
