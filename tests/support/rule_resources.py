"""Resources for the rules: one prepared VM that keeps them all, and what a test changes."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.furnish import SUBSCRIPTION
from tests.support.documents import ACCOUNT, GROUP, MARKETPLACE, disk, managed, vm

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from batchimg_magics.session.session import Session

SIZE = "Standard_D4ds_v5"
GALLERY = f"{GROUP}/galleries/lab"
IMAGES = f"{GROUP}/images"
NETWORK = GROUP.replace("Microsoft.Compute", "Microsoft.Network")
SUBNET = f"{NETWORK}/virtualNetworks/lab-net/subnets/nodes"
GENERALIZED = [{"code": "OSState/generalized"}, {"code": "PowerState/deallocated"}]


def account(**properties: Any) -> dict[str, Any]:
    """Return a Batch account that replaces the default one."""
    return {
        "id": ACCOUNT,
        "name": "genomicsbatch",
        "type": "Microsoft.Batch/batchAccounts",
        "location": "eastus",
        "properties": {
            "accountEndpoint": "genomicsbatch.eastus.batch.azure.com",
            "provisioningState": "Succeeded",
            "poolAllocationMode": "BatchService",
            "dedicatedCoreQuota": 400,
            "dedicatedCoreQuotaPerVMFamily": [{"name": "standardDDSv5Family", "coreQuota": 200}],
            "dedicatedCoreQuotaPerVMFamilyEnforced": True,
            "lowPriorityCoreQuota": 100,
            "poolQuota": 3,
            "allowedAuthenticationModes": ["SharedKey", "AAD"],
            **properties,
        },
    }


def machine(**properties: Any) -> dict[str, Any]:
    """Return the properties of a VM that is generalized and deallocated, beside those of `documents.vm`."""
    return {"instanceView": {"statuses": GENERALIZED}, **properties}


def network(
    prefix: str = "10.1.0.0/24", *, location: str = "eastus", subnet_id: str = SUBNET, **subnet: Any
) -> dict[str, Any]:
    """Return a virtual network with one subnet."""
    inside = {"id": subnet_id, "name": "nodes", "properties": {"addressPrefix": prefix, **subnet}}
    return {
        "id": subnet_id.partition("/subnets/")[0],
        "name": "lab-net",
        "type": "Microsoft.Network/virtualNetworks",
        "location": location,
        "properties": {"subnets": [inside]},
    }


def security_group(access: str, first: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """Return a network security group with a rule for outbound traffic to everywhere, and similar ones."""
    way_out = {
        "direction": "Outbound",
        "access": access,
        "priority": 200,
        "protocol": "*",
        "destinationAddressPrefix": "Internet",
        "destinationPortRange": "400-500",
    }
    rules = [{"name": "way-out", "properties": way_out}]
    rules += [{"name": f"other-{one['priority']}", "properties": way_out | one} for one in first]
    return {
        "id": f"{NETWORK}/networkSecurityGroups/lab-nsg",
        "name": "lab-nsg",
        "type": "Microsoft.Network/networkSecurityGroups",
        "location": "eastus",
        "properties": {"securityRules": rules},
    }


def public_address(**changes: Any) -> dict[str, Any]:
    """Return a public address that a pool can use."""
    return {
        "id": f"{NETWORK}/publicIPAddresses/egress",
        "name": "egress",
        "type": "Microsoft.Network/publicIPAddresses",
        "location": "eastus",
        "sku": {"name": "Standard"},
        "properties": {"publicIPAllocationMethod": "Static"},
        **changes,
    }


def gallery() -> dict[str, Any]:
    """Return an unmanaged gallery without its content."""
    return {
        "id": GALLERY,
        "name": "lab",
        "type": "Microsoft.Compute/galleries",
        "location": "eastus",
        "properties": {},
    }


def definition(name: str = "tools", group: str = GALLERY, **properties: Any) -> dict[str, Any]:
    """Return an unmanaged image definition."""
    return {
        "id": f"{group}/images/{name}",
        "name": name,
        "type": "Microsoft.Compute/galleries/images",
        "location": "eastus",
        "properties": {
            "osType": "Linux",
            "osState": "Generalized",
            "hyperVGeneration": "V2",
            "architecture": "x64",
            "identifier": {"publisher": "lab", "offer": "linux", "sku": name},
            **properties,
        },
    }


def version(
    name: str = "1.0.0", of: str = "tools", storage: dict[str, Any] | None = None, group: str = GALLERY, **profile: Any
) -> dict[str, Any]:
    """Return an unmanaged image version with one replica in eastus, and more properties of its publishing profile."""
    targets = [{"name": "East US", "regionalReplicaCount": 1}]
    return {
        "id": f"{group}/images/{of}/versions/{name}",
        "name": name,
        "type": "Microsoft.Compute/galleries/images/versions",
        "location": "eastus",
        "properties": {
            "publishingProfile": {"targetRegions": targets, "publishedDate": "2026-06-01T00:00:00Z", **profile},
            "storageProfile": storage or {"osDiskImage": {"sizeInGB": 30, "source": {}}},
        },
    }


def managed_image(name: str = "old", *, snapshot: str = "old-os", **storage: Any) -> dict[str, Any]:
    """Return a managed image made from a snapshot."""
    os_disk = {"osType": "Linux", "osState": "Generalized", "snapshot": {"id": f"{GROUP}/snapshots/{snapshot}"}}
    return {
        "id": f"{IMAGES}/{name}",
        "name": name,
        "type": "Microsoft.Compute/images",
        "location": "eastus",
        "properties": {"hyperVGeneration": "V1", "storageProfile": {"osDisk": os_disk | storage, "dataDisks": []}},
    }


def snapshot(name: str = "old-os", **properties: Any) -> dict[str, Any]:
    """Return an unmanaged snapshot."""
    origin = {"createOption": "Copy", "sourceResourceId": f"{GROUP}/disks/gone"}
    return {
        "id": f"{GROUP}/snapshots/{name}",
        "name": name,
        "type": "Microsoft.Compute/snapshots",
        "location": "eastus",
        "properties": {"creationData": origin, "diskSizeGB": 30, "osType": "Linux", **properties},
    }


def pool(
    name: str = "old-pool", image: str = f"{GALLERY}/images/tools/versions/1.0.0", **properties: Any
) -> dict[str, Any]:
    """Return an unmanaged pool without nodes."""
    machine_part = {"imageReference": {"id": image}, "nodeAgentSkuId": "batch.node.ubuntu 22.04"}
    return {
        "id": f"{ACCOUNT}/pools/{name}",
        "name": name,
        "type": "Microsoft.Batch/batchAccounts/pools",
        "properties": {
            "vmSize": SIZE,
            "deploymentConfiguration": {
                "virtualMachineConfiguration": {**machine_part, **properties.pop("machine", {})}
            },
            "scaleSettings": {"fixedScale": {"targetDedicatedNodes": 0, "targetLowPriorityNodes": 0}},
            **properties,
        },
    }


@dataclass
class RuleResources:
    """Resource documents with one prepared VM, ``lab-vm``, which a test changes before it opens them.

    Attributes
    ----------
    vm, os_disk, data_disk, account
        Documents.
    more
        Further ones.
    """

    vm: dict[str, Any] = field(default_factory=lambda: copy.deepcopy(vm("lab-vm", managed("lab-os"))))
    os_disk: dict[str, Any] = field(
        default_factory=lambda: disk("lab-os", hyperVGeneration="V2", diskSizeGB=64, LastOwnershipUpdateTime=_BEFORE)
    )
    data_disk: dict[str, Any] = field(default_factory=lambda: disk("lab-data", diskSizeGB=256))
    account: dict[str, Any] = field(default_factory=account)
    more: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.vm["properties"] |= machine()
        self.storage["imageReference"] = {**MARKETPLACE, "sku": "22_04-lts-gen2"}
        attached = {"caching": "None", "createOption": "Attach", "name": "lab-data"}
        self.storage["dataDisks"] = [{"lun": 2, "managedDisk": {"id": self.data_disk["id"]}, **attached}]
        for part in ("hyperVGeneration", "osType"):
            self.data_disk["properties"].pop(part)
        for one in (self.os_disk, self.data_disk):
            one["managedBy"] = self.vm["id"]

    @property
    def storage(self) -> dict[str, Any]:
        """The VM's storage profile."""
        found: dict[str, Any] = self.vm["properties"]["storageProfile"]
        return found

    def open(self, session: Session, tmp_path: Path, **target: Any) -> None:
        """Connect a session to an emulator with these documents."""
        file = tmp_path / "lab.json"
        file.write_text(json.dumps([self.account, self.vm, self.os_disk, self.data_disk, *self.more]))
        session.connect(**{"state": ":memory:", "speed": "max", "import_files": [str(file)], **target})


_BEFORE = "2026-06-20T08:00:00+00:00"
OTHER_SUBSCRIPTION = SUBSCRIPTION[:-1] + "5"
