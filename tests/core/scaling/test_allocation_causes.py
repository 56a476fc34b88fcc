"""Why allocations fail, end to end: the cause, its class and its fix, in the error and in the tables."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics.emulator.arm.locks import LOCKS
from batchimg_magics.emulator.world.store import Item
from batchimg_magics.errors import ResizeError
from batchimg_magics.session.session import Session
from tests.support.connections import connection_of, emulator_of

if TYPE_CHECKING:
    from collections.abc import Iterator

LINE = {"from_vm": "prep-vm", "vm_size": "Standard_D2s_v5", "canary": False}
SUBNET = "/subscriptions/s/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/v/subnets/nodes"


@pytest.fixture(scope="module")
def ready() -> Iterator[Session]:
    with Session() as session:
        session.connect(state=":memory:", speed="max")
        session.create("p", nodes=0, **LINE)
        yield session


def fail_with(session: Session, *values: tuple[str, str], code: str = "AllocationFailed") -> None:
    message = "Desired number of dedicated nodes could not be allocated"
    error = {"code": code, "message": message, "values": [{"name": name, "value": value} for name, value in values]}
    emulator_of(session).store.set_meta("allocation", {"errors": [error]})


def provider(code: str, message: str, **more: Any) -> tuple[str, str]:
    return "Provider Error Json", json.dumps({"error": {"code": code, "message": message, **more}})


CASES = {
    "subnet right": (
        [
            provider(
                "LinkedAuthorizationFailed",
                "The client 'c' with object id 'c' has permission to perform action 'Microsoft.Compute/vmss/write' on "
                "scope '/subscriptions/s'; however, it does not have permission to perform action(s) "
                "'Microsoft.Network/virtualNetworks/subnets/join/action' on the linked scope(s) "
                f"'{SUBNET}' (respectively) or the linked scope(s) are invalid.",
            )
        ],
        "fatal", "the right to use the subnet is missing", SUBNET,
    ),
    "network gone": (
        [provider("ResourceNotFound", "The Resource 'Microsoft.Network/virtualNetworks/v' was not found.")],
        "fatal", "the virtual network of the pool's subnet does not exist", "virtual network again",
    ),
    "wrapped": (
        [provider("DeploymentFailed", "At least one resource deployment operation failed.", details=[
            {"code": "Conflict", "message": json.dumps({"error": {"code": "QuotaExceeded", "message": "family X"}})}
        ])],
        "quota", "family X", "request more quota",
    ),
    "spot": (
        [provider("SkuNotAvailable", "The requested VM size is currently not available in location 'eastus'.")],
        "transient", "no capacity for the VM size just now", "another VM size or region",
    ),
    "cut off": (
        [("Provider Error Json", '{"error": {"code": "ScopeLocked", "message": "The scope \'/x\' cannot perf'),
         ("Provider Error Json Truncated", "True")],
        "fatal", "a lock forbids it", "remove the lock",
    ),
    "reason": (
        [("Reason", "Azure Batch Service does not have the desired permissions to perform a pool operation.")],
        "fatal", "Batch may not create nodes in the subscription", "role Contributor on the subscription",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_cause_its_class_and_its_mend(ready: Session, case: str) -> None:
    values, kind, said, fix = CASES[case]
    fail_with(ready, *values)
    with pytest.raises(ResizeError) as caught:
        ready.resize("p", nodes=1)
    assert said in caught.value.message
    assert fix in caught.value.hint
    row = ready.history("p").iloc[-1]
    assert (row["class"], said in row.message, fix in row.hint) == (kind, True, True)
    assert "{" not in row.message + caught.value.message
    assert len(row.message) < 300


def test_the_next_resize_is_judged_alone(ready: Session) -> None:
    fail_with(ready, provider("SubnetIsFull", "Subnet is full"))
    with pytest.raises(ResizeError, match="no free IP addresses"):
        ready.resize("p", nodes=1)
    emulator_of(ready).store.set_meta("allocation", {})
    assert list(ready.resize("p", nodes=1)["class"]) == ["done"]
    ready.resize("p", nodes=0, yes=True)


def test_a_lock_on_the_network_of_a_pool(ready: Session) -> None:
    scope = connection_of(ready).azure.scope
    network = f"/subscriptions/{scope.subscription}/resourceGroups/{scope.resource_group}"
    emulator_of(ready).store.set_meta("allocation", {})
    subnet = f"{network}/providers/Microsoft.Network/virtualNetworks/research-vnet/subnets/default"
    ready.create("q", nodes=0, subnet=subnet, **LINE)
    key = f"{network}/providers/Microsoft.Authorization/locks/keep"
    document = {"id": key, "name": "keep", "type": "Microsoft.Authorization/locks", "properties": {"level": "ReadOnly"}}
    store = emulator_of(ready).store
    store.put(Item(key.lower(), LOCKS, document))
    with pytest.raises(ResizeError, match="a lock on /subscriptions/") as caught:
        ready.resize("q", nodes=1)
    assert f"az lock list --resource-group {scope.resource_group}" in caught.value.hint
    store.delete(key)
    assert list(ready.resize("q", nodes=1)["class"]) == ["done"]
