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
