"""An emulator with one resource of each type of Microsoft.Compute, and a valid request of each described operation."""

from __future__ import annotations

import dataclasses
from typing import Any

from batchimg_magics.emulator.furnish import GROUP, REGION, SUBSCRIPTION
from tests.support.compute_emulator import ComputeEmulator, copy_of, definition, resource, version
from tests.support.openapi import Exchange, Operation

HOSTS = {"arm": "management.azure.com"}
NETWORK = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Network"
NAMES = {
    "subscriptionId": SUBSCRIPTION,
    "resourceGroupName": GROUP,
    "location": REGION,
    "vmName": "desk-vm",
    "diskName": "empty",
    "snapshotName": "os",
    "imageName": "win",
    "galleryName": "lab",
    "galleryImageName": "tools",
    "galleryImageVersionName": "1.0.0",
    "vmExtensionName": "script",
}


def prepared() -> ComputeEmulator:
    """Return an emulator with one resource of each type, and a version that is being replicated."""
    made = ComputeEmulator()
    made.nic()
    made.definition(security="TrustedLaunch")
    made.make("galleries/bare", {})
    made.make("virtualMachines/desk-vm/extensions/script", _EXTENSION)
    made.make("galleries/lab/images/bare", definition("bare"))
    made.snapshot("os", "prep-vm_OsDisk_1")
    made.snapshot("data", "prep-vm_DataDisk_0", incremental=True)
    made.snapshot("plain", "desk-vm_OsDisk_1")
    made.make("galleries/lab/images/plain", definition("plain"))
    made.make("images/plain", _IMAGE)
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


def _located(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"location": REGION, "properties": properties, **more}


_EMPTY = {"creationData": {"createOption": "Empty"}, "diskSizeGB": 1}
_GRANT = {"access": "Read", "durationInSeconds": 60}
_PLAN = {"purchasePlan": {"name": "n", "publisher": "p", "product": "q"}}
_TAGS = {"tags": {"a": "b"}}
_VM = {
    "hardwareProfile": {"vmSize": "Standard_D2s_v5"},
    "storageProfile": {
        "imageReference": {"publisher": "canonical", "offer": "ubuntu-24_04-lts", "sku": "server", "version": "latest"},
        "osDisk": {"createOption": "FromImage", "managedDisk": {"storageAccountType": "Premium_LRS"}},
        "dataDisks": [{"lun": 0, "createOption": "Empty", "diskSizeGB": 8}],
    },
    "osProfile": {"computerName": "x", "adminUsername": "u", "adminPassword": "not-a-Secret-1"},
    "securityProfile": {"securityType": "TrustedLaunch", "uefiSettings": {"secureBootEnabled": True}},
    "networkProfile": {"networkInterfaces": [{"id": f"{NETWORK}/networkInterfaces/spare-nic"}]},
}
_CAPTURE = {"vhdPrefix": "v", "destinationContainerName": "c", "overwriteVhds": True}
_IMAGE = {
    "hyperVGeneration": "V2",
    "storageProfile": {
        "osDisk": {"osType": "Linux", "osState": "Generalized", "snapshot": {"id": resource("snapshots/plain")}},
        "dataDisks": [{"lun": 0, "managedDisk": {"id": resource("disks/desk-vm_DataDisk_0")}}],
    },
}
_EXTENSION = {
    "publisher": "Microsoft.Azure.Extensions",
    "type": "CustomScript",
    "typeHandlerVersion": "2.1",
    "autoUpgradeMinorVersion": True,
    "settings": {"commandToExecute": "true"},
}
_ACCESS = {"publisher": "Microsoft.OSTCExtensions", "type": "VMAccessForLinux", "typeHandlerVersion": "1.5"}
_NEW_VERSION = {"galleryImageVersionName": "2.0.0"}
#: operationId -> good requests.
EXCHANGES: dict[str, list[Exchange]] = {
    "Disks_CreateOrUpdate": [
        Exchange(202, {"diskName": "new"}, _located(_EMPTY, sku={"name": "Premium_LRS"}, **_TAGS)),
        Exchange(202, {"diskName": "new"}, _located({"creationData": copy_of("snapshots/os")})),
    ],
    "Disks_Delete": [Exchange(202), Exchange(204, {"diskName": "none"})],
    "Disks_Get": [Exchange(names={"diskName": name}) for name in ("empty", "copy", "desk-vm_OsDisk_1")],
    "Disks_GrantAccess": [Exchange(202, body=_GRANT)],
    "Disks_List": [Exchange()],
    "Operations_List": [Exchange()],
    "Disks_ListByResourceGroup": [Exchange()],
    "Disks_RevokeAccess": [Exchange(202)],
    "Disks_Update": [Exchange(202, body=_TAGS | {"properties": {"diskSizeGB": 16}})],
    "Galleries_CreateOrUpdate": [Exchange(201, {"galleryName": "new"}, _located({"description": "d"}))],
    "Galleries_Delete": [Exchange(202, {"galleryName": "bare"}), Exchange(204, {"galleryName": "none"})],
    "Galleries_Get": [Exchange()],
    "Galleries_List": [Exchange()],
    "Galleries_ListByResourceGroup": [Exchange()],
    "Galleries_Update": [Exchange(body=_TAGS)],
    "GalleryImageVersions_CreateOrUpdate": [
        Exchange(201, _NEW_VERSION, _located(version(data={0: "snapshots/data"}, regions=("eastus", "westus2")))),
        Exchange(201, _NEW_VERSION | {"galleryImageName": "plain"}, _located(version("images/plain"))),
    ],
    "GalleryImageVersions_Delete": [Exchange(202), Exchange(204, _NEW_VERSION)],
    "GalleryImageVersions_Get": [
        Exchange(query={"$expand": "ReplicationStatus"}),
        Exchange(names={"galleryImageVersionName": "1.0.1"}, query={"$expand": "ReplicationStatus"}),
    ],
    "GalleryImageVersions_ListByGalleryImage": [Exchange()],
    "GalleryImageVersions_Update": [Exchange(body=_TAGS)],
    "GalleryImages_CreateOrUpdate": [
        Exchange(201, {"galleryImageName": "new"}, _located(definition("new", security="TrustedLaunch") | _PLAN))
    ],
    "GalleryImages_Delete": [Exchange(202, {"galleryImageName": "bare"}), Exchange(204, {"galleryImageName": "none"})],
    "GalleryImages_Get": [Exchange()],
    "GalleryImages_ListByGallery": [Exchange()],
    "GalleryImages_Update": [Exchange(body=_TAGS)],
    "Images_CreateOrUpdate": [Exchange(201, {"imageName": "new"}, _located(_IMAGE))],
    "Images_Delete": [Exchange(202), Exchange(204, {"imageName": "none"})],
    "Images_Get": [Exchange()],
    "Images_List": [Exchange()],
    "Images_ListByResourceGroup": [Exchange()],
    "Images_Update": [Exchange(body=_TAGS)],
    "Snapshots_CreateOrUpdate": [
        Exchange(202, {"snapshotName": "new"}, _located(_EMPTY)),
        Exchange(202, {"snapshotName": "new"}, _located({"creationData": copy_of("disks/copy"), "incremental": True})),
    ],
    "Snapshots_Delete": [Exchange(202), Exchange(204, {"snapshotName": "none"})],
    "Snapshots_Get": [Exchange(names={"snapshotName": name}) for name in ("os", "data", "far")],
    "Snapshots_GrantAccess": [Exchange(202, body=_GRANT)],
    "Snapshots_List": [Exchange()],
    "Snapshots_ListByResourceGroup": [Exchange()],
    "Snapshots_RevokeAccess": [Exchange(202)],
    "Snapshots_Update": [Exchange(202, body=_TAGS)],
    "Usage_List": [Exchange()],
    "VirtualMachineExtensions_CreateOrUpdate": [
        Exchange(200, {}, _located(_EXTENSION)),
        Exchange(400, {"vmExtensionName": "new"}, _located(_EXTENSION)),
        Exchange(201, {"vmExtensionName": "new"}, _located(_EXTENSION | _ACCESS)),
    ],
    "VirtualMachineExtensions_Delete": [Exchange(202), Exchange(204, {"vmExtensionName": "none"})],
    "VirtualMachineExtensions_Get": [Exchange(), Exchange(query={"$expand": "instanceView"})],
    "VirtualMachineExtensions_List": [Exchange()],
    "VirtualMachineExtensions_Update": [Exchange(body=_TAGS)],
    "VirtualMachineSizes_List": [Exchange()],
    "VirtualMachines_Capture": [Exchange(409, {"vmName": "prep-vm"}, _CAPTURE)],
    "VirtualMachines_ConvertToManagedDisks": [Exchange(409)],
    "VirtualMachines_CreateOrUpdate": [
        Exchange(201, {"vmName": "new"}, _located(_VM)),
        Exchange(200, {}, _located({"hardwareProfile": {"vmSize": "Standard_D2s_v5"}})),
    ],
    "VirtualMachines_Deallocate": [Exchange(202)],
    "VirtualMachines_Delete": [Exchange(202), Exchange(204, {"vmName": "none"})],
    "VirtualMachines_Generalize": [Exchange(names={"vmName": "prep-vm"}), Exchange(409)],
    "VirtualMachines_Get": [
        *(Exchange(names={"vmName": name}) for name in ("desk-vm", "prep-vm", "win-vm", "gen1-vm")),
        Exchange(query={"$expand": "instanceView"}),
    ],
    "VirtualMachines_InstanceView": [Exchange(), Exchange(names={"vmName": "win-vm"})],
    "VirtualMachines_List": [Exchange(), Exchange(query={"$expand": "instanceView"})],
    "VirtualMachines_ListAll": [Exchange(query={"statusOnly": "true"})],
    "VirtualMachines_ListAvailableSizes": [Exchange(), Exchange(names={"vmName": "prep-vm"})],
    "VirtualMachines_PerformMaintenance": [Exchange(409)],
    "VirtualMachines_PowerOff": [Exchange(202, query={"skipShutdown": "true"})],
    "VirtualMachines_Reimage": [Exchange(409, body={"tempDisk": True})],
    "VirtualMachines_Restart": [Exchange(202), Exchange(409, {"vmName": "prep-vm"})],
    "VirtualMachines_Start": [Exchange(202), Exchange(409, {"vmName": "prep-vm"})],
    "VirtualMachines_Update": [Exchange(body=_TAGS)],
}


def table(operations: list[Operation]) -> dict[Operation, list[Exchange]]:
    """Return valid requests of some operations."""
    return {
        one: [dataclasses.replace(exchange, names=NAMES | exchange.names) for exchange in EXCHANGES[one.name]]
        for one in operations
    }
