"""Errors with which every allocation ends, as the control API sets them: on both planes, until they are removed."""

from __future__ import annotations

from typing import Any

import pytest

from batchimg_magics.emulator.app import App
from tests.support.batch_emulator import MACHINE, BatchEmulator

FAULTS = "https://management.azure.com/_sim/faults"
ERROR = {
    "code": "AllocationFailed",
    "message": "Desired number of dedicated nodes could not be allocated",
    "values": [{"name": "Provider Error Json", "value": '{"error": {"code": "SubnetIsFull"}}'}],
}


def served() -> BatchEmulator:
    azure = BatchEmulator()
    azure.app = App(azure.store, azure.clock, control=True)
    return azure


def set_allocation(azure: BatchEmulator, allocation: Any, status: int = 200) -> Any:
    answer = azure.send("POST", FAULTS, {"allocation": allocation})
    assert answer.status == status
    return answer.body.get("allocation")


def test_every_allocation_ends_with_them_until_they_are_removed() -> None:
    azure = served()
    assert set_allocation(azure, {"errors": [ERROR], "unusable": 0.5}) == {"errors": [ERROR], "unusable": 0.5}
    body = {"id": "p", "vmSize": "standard_d2s_v3", "virtualMachineConfiguration": MACHINE}
    azure.batch("POST", "/pools", body | {"targetDedicatedNodes": 2, "targetLowPriorityNodes": 1})
    azure.clock.advance(600)
    pool = azure.batch("GET", "/pools/p").body
    assert (pool["allocationState"], pool["currentDedicatedNodes"], pool["currentLowPriorityNodes"]) == ("steady", 0, 0)
    assert pool["resizeErrors"] == [ERROR]
    inner = azure.arm("GET", "/pools/p").body["properties"]
    (shown,) = inner["resizeOperationStatus"]["errors"]
    assert (shown["code"], shown["details"][0]["code"]) == ("AllocationFailed", "Provider Error Json")
    assert set_allocation(azure, None) == {}
    azure.batch("POST", "/pools/p/resize", {"targetDedicatedNodes": 2, "targetLowPriorityNodes": 1})
    azure.clock.advance(1200)
    assert azure.batch("GET", "/pools/p").body["currentDedicatedNodes"] == 2


@pytest.mark.parametrize(
    "errors",
    [
        [{"code": "x"}],
        [{"code": 1, "message": "m"}],
        [ERROR | {"values": [{"name": "n"}]}],
        ["x"],
        "x",
        [ERROR | {"a": 1}],
    ],
)
def test_other_shapes_are_refused(errors: Any) -> None:
    azure = served()
    set_allocation(azure, {"errors": errors}, status=400)
    assert azure.store.meta("allocation") is None
