"""From a recorded VM document of Azure to a pool: the TrustedLaunch VM, on the day of the recording."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics.errors import ResizeError
from tests.support.paths import SHARED

if TYPE_CHECKING:
    from pathlib import Path

    from batchimg_magics.session.session import Session

RECORDING = SHARED / "recordings" / "cli-vm-trusted-launch.jsonl"
DAY = "2024-08-26T12:00:00Z"


def recorded_vm() -> dict[str, Any]:
    if not RECORDING.exists():
        pytest.skip("the recordings lie beside the project, and are not here")
    lines = [json.loads(line) for line in RECORDING.read_text("utf-8").splitlines()]
    vm: dict[str, Any] = next(line["response"] for line in lines if line.get("status") == 200)
    return vm


def its_disk(vm: dict[str, Any]) -> dict[str, Any]:
    disk = vm["properties"]["storageProfile"]["osDisk"]
    return {
        "id": disk["managedDisk"]["id"],
        "name": disk["name"],
        "type": "Microsoft.Compute/disks",
        "location": vm["location"],
        "managedBy": vm["id"],
        "sku": {"name": "Premium_LRS", "tier": "Premium"},
        "properties": {
            "osType": "Linux",
            "hyperVGeneration": "V2",
            "supportedCapabilities": {"architecture": "x64"},
            "creationData": {"createOption": "FromImage"},
            "diskSizeGB": 30,
            "securityProfile": {"securityType": "TrustedLaunch"},
            "provisioningState": "Succeeded",
            "diskState": "Attached",
        },
    }


def account(vm: dict[str, Any]) -> dict[str, Any]:
    group = vm["id"].partition("/providers/")[0]
    return {
        "id": f"{group}/providers/Microsoft.Batch/batchAccounts/southlab",
        "name": "southlab",
        "type": "Microsoft.Batch/batchAccounts",
        "location": vm["location"],
        "properties": {
            "accountEndpoint": "southlab.southcentralus.batch.azure.com",
            "provisioningState": "Succeeded",
            "poolAllocationMode": "BatchService",
            "dedicatedCoreQuota": 100,
            "lowPriorityCoreQuota": 100,
            "poolQuota": 10,
        },
    }


def connect(session: Session, tmp_path: Path, *, generalized: bool) -> None:
    vm = recorded_vm()
    file = tmp_path / "documents.json"
    file.write_text(json.dumps([vm, its_disk(vm), account(vm)]))
    where = session.connect(
        state=":memory:",
        speed="max",
        date=DAY,
        import_files=[str(file)],
        generalized=generalized,
        account="southlab",
    )
    assert list(where.region) == ["southcentralus"]


LINE = {"from_vm": "vm1", "vm_size": "Standard_D2s_v3", "nodes": 4, "generalized": True}


def test_a_generalized_vm_ends_in_idle_nodes(session: Session, tmp_path: Path) -> None:
    connect(session, tmp_path, generalized=True)
    steps = session.create("recorded", **LINE).set_index("step")
    assert "TrustedLaunch" in steps.loc["image definition", "detail"]
    assert "batch.node.ubuntu 20.04" in steps.loc["pool", "detail"]
    assert session.nodes("recorded").state.tolist() == ["idle"] * 4


def test_not_generalized_is_reported_as_unusable(session: Session, tmp_path: Path) -> None:
    connect(session, tmp_path, generalized=False)
    with pytest.raises(ResizeError, match="first node is not usable"):
        session.create("recorded", **LINE)
    assert session.nodes("recorded").state.tolist() == ["unusable"]
