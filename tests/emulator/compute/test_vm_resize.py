"""Sizes that a VM can be resized to: within its family while it runs, and others when it is deallocated."""

from __future__ import annotations

import pytest

from tests.support.compute_emulator import ComputeEmulator, EmulatorResponse


@pytest.fixture
def compute() -> ComputeEmulator:
    return ComputeEmulator()


def resize(compute: ComputeEmulator, vm: str, size: str) -> EmulatorResponse:
    return compute.ask("PATCH", f"virtualMachines/{vm}", {"properties": {"hardwareProfile": {"vmSize": size}}})


def test_a_running_vm_gets_sizes_of_its_family_only(compute: ComputeEmulator) -> None:
    assert resize(compute, "desk-vm", "Standard_D8s_v5").status == 200
    compute.clock.advance(600)
    assert compute.ask("GET", "virtualMachines/desk-vm").properties["hardwareProfile"]["vmSize"] == "Standard_D8s_v5"
    other = resize(compute, "desk-vm", "Standard_E4s_v5")
    assert (other.status, other.code) == (409, "OperationNotAllowed")
    assert "not available in the current hardware cluster" in other.message
    running = compute.ask("GET", "virtualMachines/desk-vm/vmSizes").body["value"]
    assert {one["name"] for one in running} >= {"Standard_D2s_v5", "Standard_D8s_v5"}
    assert "Standard_E4s_v5" not in {one["name"] for one in running}
    compute.ask("POST", "virtualMachines/desk-vm/deallocate")
    compute.clock.advance(600)
    assert "Standard_E4s_v5" in {
        one["name"] for one in compute.ask("GET", "virtualMachines/desk-vm/vmSizes").body["value"]
    }
    assert resize(compute, "desk-vm", "Standard_E4s_v5").status == 200


@pytest.mark.parametrize(
    ("vm", "size", "code", "words"),
    [
        ("prep-vm", "Standard_D4ds_v5", "OperationNotAllowed", "changing from resource disk to non-resource disk"),
        ("win-vm", "Standard_D4ps_v5", "BadRequest", "CPU Architecture"),
        ("prep-vm", "Standard_None", "InvalidParameter", "is not valid"),
        ("gen1-vm", "Standard_D4s_v6", "BadRequest", "Hypervisor Generation '1'"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(compute: ComputeEmulator, vm: str, size: str, code: str, words: str) -> None:
    refused = resize(compute, vm, size)
    assert (refused.code, words in refused.message) == (code, True), refused.body
