"""Requests that follow Microsoft's OpenAPI documents, and others: no 500, nothing undescribed, no hang.

Each example is a new emulator and a few requests; at the end all of its resources must still be readable.
``BATCHIMG_FUZZ=20000`` makes a campaign of it: so many examples of each service, others on each run.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchimg_magics.emulator.furnish import REGION
from tests.support import openapi, openapi_batch, openapi_compute
from tests.support.compute_emulator import resource
from tests.support.openapi import BATCH, BATCH_ON_ARM, COMPUTE_ON_ARM, MISSING
from tests.support.openapi_batch import HOSTS
from tests.support.openapi_strategies import Grammar, Request, Session, sessions

if TYPE_CHECKING:
    from tests.support.batch_emulator import BatchEmulator
    from tests.support.compute_emulator import ComputeEmulator
    from tests.support.openapi import Exchange, Operation

    Table = dict[Operation, list[Exchange]]

pytestmark = pytest.mark.skipif(not BATCH[0].exists(), reason=MISSING)
EXAMPLES = int(os.environ.get("BATCHIMG_FUZZ", "0"))
PROFILE = settings(
    max_examples=EXAMPLES or 12,
    derandomize=not EXAMPLES,
    database=None,
    deadline=timedelta(seconds=30),  # an answer takes milliseconds; this finds what never ends
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
CONDITIONS = {
    "If-Match": ["*", '"0x1"', 'W/"0x1"', ""],
    "If-None-Match": ["*", '"0x1"'],
    "ifMatch": ["*"],
    "$select": ["id", "id,state", "name", ",", "nothing"],
    "$filter": ["id eq 'p'", "state eq 'active'", "startswith(id, 'p')", "location eq 'eastus'", "((", "not not"],
    "$expand": ["instanceView", "ReplicationStatus", "stats", "x"],
    "maxresults": ["1", "1000", "0", "x"],
}
BATCH_WORDS: dict[str, list[Any]] = CONDITIONS | {
    "poolId": ["p", "work", "auto", "none"],
    "vmSize": ["Standard_D2s_v3", "STANDARD_D4S_V5", "standard_f2s_v2", "small", ""],
    "targetDedicatedNodes": [0, 1, 40, "7"],
    "targetLowPriorityNodes": [0, 3, "2"],
    "autoScaleFormula": ["$TargetDedicatedNodes=1;", "$TargetDedicatedNodes=1/0", "x", "time(", ""],
    "formula": [
        "$TargetDedicatedNodes=$PendingTasks.GetSample(1)",
        "$TargetLowPriorityNodes=2;$NodeDeallocationOption=requeue",
    ],
    "nodeAgentSKUId": ["batch.node.ubuntu 22.04", "batch.node.windows amd64"],
    "commandLine": ["sleep 100", "/bin/sh -c 'exit 1'", "true", ""],
    "id": ["p", "new", "New", "a b", ""],
    "location": [REGION, "East US 2", "nowhere"],
    "virtualMachineImageId": [resource("galleries/lab/images/tools/versions/1.0.0"), resource("images/x"), "x"],
    "name": ["a", "new", "p"],
    "value": ["1"],
}
RESOURCES = [
    *("snapshots/os", "snapshots/data", "snapshots/far", "disks/copy", "disks/empty", "disks/desk-vm_OsDisk_1"),
    *("images/win", "images/plain", "virtualMachines/prep-vm", "virtualMachines/desk-vm", "disks/none"),
    *("galleries/lab/images/tools", "galleries/lab/images/tools/versions/1.0.0"),
]
COMPUTE_WORDS: dict[str, list[Any]] = CONDITIONS | {
    "id": [*(resource(one) for one in RESOURCES), "x", f"{openapi_compute.NETWORK}/networkInterfaces/spare-nic"],
    "sourceResourceId": [*(resource(one) for one in RESOURCES), ""],
    "location": [REGION, "East US", "westus2", "nowhere"],
    "name": [REGION, "westus2", "Premium_LRS", "UltraSSD_LRS", "SecurityType", "a"],
    "vmSize": ["Standard_D2s_v5", "Standard_B1s", "Huge"],
    "diskSizeGB": [1, 64, 4096, 40000],
    "lun": [0, 1, 63],
    "endOfLifeDate": ["2030-01-01T00:00:00Z"],
}


BATCH_TABLE = openapi_batch.table(openapi.operations(BATCH + BATCH_ON_ARM))
COMPUTE_TABLE = openapi_compute.table(openapi.operations(COMPUTE_ON_ARM))


def of_plane(plane: str) -> Table:
    return {one: exchanges for one, exchanges in BATCH_TABLE.items() if one.plane == plane}


def some(table: Table, words: dict[str, list[Any]], most: int = 6) -> st.SearchStrategy[Session]:
    return sessions(Grammar(table, words, wild=False), Grammar(table, words, wild=True), most)


def play(emulator: BatchEmulator | ComputeEmulator, session: Session, table: Table) -> None:
    """Ask one after the other, then read the lists of a table.

    What was asked wildly may come back as it was asked; what was asked as described is answered as described.
    """
    asked = [*session.requests, *(Request(one, exchanges[0]) for one, exchanges in table.items() if "List" in one.name)]
    for request in asked:
        operation = request.operation
        response = openapi.ask(emulator.app, operation, HOSTS[operation.plane], request.asked, request.headers)
        if session.described:
            operation.check(response)
        else:
            operation.check_shape(response)
        emulator.clock.advance(request.wait_s)


def speaking(table: Table) -> list[Operation]:
    return [operation for operation in table if operation.body is not None]


@pytest.mark.parametrize("operation", speaking(BATCH_TABLE), ids=str)
@settings(PROFILE, max_examples=EXAMPLES // 20 or 8)
@given(data=st.data())
def test_any_body_of_batch(operation: Operation, data: st.DataObject) -> None:
    only = {operation: BATCH_TABLE[operation]}
    play(openapi_batch.prepared(), data.draw(some(only, BATCH_WORDS, most=2)), {})


@pytest.mark.parametrize("operation", speaking(COMPUTE_TABLE), ids=str)
@settings(PROFILE, max_examples=EXAMPLES // 20 or 8)
@given(data=st.data())
def test_any_body_of_compute(operation: Operation, data: st.DataObject) -> None:
    only = {operation: COMPUTE_TABLE[operation]}
    play(openapi_compute.prepared(), data.draw(some(only, COMPUTE_WORDS, most=2)), {})


@PROFILE
@given(session=some(of_plane("batch"), BATCH_WORDS))
def test_the_data_plane_of_batch(session: Session) -> None:
    play(openapi_batch.prepared(), session, BATCH_TABLE)


@PROFILE
@given(session=some(of_plane("arm"), BATCH_WORDS))
def test_batch_on_resource_manager(session: Session) -> None:
    play(openapi_batch.prepared(), session, BATCH_TABLE)


@PROFILE
@given(session=some(COMPUTE_TABLE, COMPUTE_WORDS))
def test_compute(session: Session) -> None:
    play(openapi_compute.prepared(), session, COMPUTE_TABLE)
