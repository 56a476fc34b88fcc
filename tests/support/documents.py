"""Resource documents as Azure returns them, to import into an emulator."""

from __future__ import annotations

from typing import Any

GROUP = "/subscriptions/4f1c9a52-7d3e-4b8a-9c60-2e5d81f7a034/resourceGroups/research/providers/Microsoft.Compute"
ACCOUNT = GROUP.replace("Microsoft.Compute", "Microsoft.Batch/batchAccounts/genomicsbatch")
MARKETPLACE = {
    "publisher": "canonical",
    "offer": "0001-com-ubuntu-server-jammy",
    "sku": "22_04-lts",
    "version": "latest",
}


def disk(name: str, **properties: Any) -> dict[str, Any]:
    """Return a managed disk."""
    return {
        "id": f"{GROUP}/disks/{name}",
        "name": name,
        "type": "Microsoft.Compute/disks",
        "location": "eastus",
        "sku": {"name": "Premium_LRS", "tier": "Premium"},
        "properties": {
            "creationData": {"createOption": "FromImage"},
            "diskSizeGB": 30,
            "diskState": "Attached",
            "hyperVGeneration": "V1",
            "osType": "Linux",
            "provisioningState": "Succeeded",
            **properties,
        },
    }


def vm(name: str, os_disk: dict[str, Any], image: dict[str, Any] | None = MARKETPLACE) -> dict[str, Any]:
    """Return a running VM on that OS disk, as ``osDisk`` shows it."""
    return {
        "id": f"{GROUP}/virtualMachines/{name}",
        "name": name,
        "type": "Microsoft.Compute/virtualMachines",
        "location": "eastus",
        "properties": {
            "hardwareProfile": {"vmSize": "Standard_DS1_v2"},
            "provisioningState": "Succeeded",
            "vmId": "11111111-0000-4000-8000-000000000001",
            "storageProfile": {
                **({"imageReference": dict(image)} if image else {}),
                "osDisk": {"osType": "Linux", "name": f"{name}-os", "createOption": "FromImage", **os_disk},
                "dataDisks": [],
            },
            "networkProfile": {"networkInterfaces": []},
        },
    }


def managed(name: str) -> dict[str, Any]:
    """Return the ``osDisk`` of a VM with a managed disk."""
    return {"caching": "ReadWrite", "managedDisk": {"id": f"{GROUP}/disks/{name}", "storageAccountType": "Premium_LRS"}}


def pool_body() -> dict[str, Any]:
    """Return the body of a pool of a Marketplace image without nodes, as another client would send it."""
    machine = {"imageReference": dict(MARKETPLACE), "nodeAgentSkuId": "batch.node.ubuntu 22.04"}
    return {
        "properties": {
            "vmSize": "Standard_D4s_v5",
            "deploymentConfiguration": {"virtualMachineConfiguration": machine},
            "scaleSettings": {"fixedScale": {"targetDedicatedNodes": 0, "targetLowPriorityNodes": 0}},
        },
    }
