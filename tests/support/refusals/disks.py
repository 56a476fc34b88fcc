"""Disks, snapshots and images that Azure does not make."""

from __future__ import annotations

from typing import Any

from tests.support.compute_bodies import (
    COPY,
    DISK,
    GONE,
    IMAGE,
    SNAPSHOT,
)
from tests.support.compute_emulator import copy_of, resource
from tests.support.refusals.actions import ELSEWHERE

#: A name, the body that is taken, what is changed in it, the status, and the code if it is known.
missing_set = {
    "type": "EncryptionAtRestWithCustomerKey",
    "diskEncryptionSetId": resource("diskEncryptionSets/none"),
}
gone = {
    "createOption": "FromImage",
    "galleryImageReference": {"id": resource("galleries/lab/images/no/versions/1.0.0")},
}
managed = {"createOption": "FromImage", "imageReference": {"id": resource("images/plain")}}
DISKS: list[tuple[str, dict[str, Any], dict[str, Any], int, str]] = [
    ("no location", DISK, {"location": GONE}, 400, "LocationRequired"),
    ("unknown region", DISK, {"location": "atlantis"}, 400, "LocationNotAvailableForResourceType"),
    ("unknown member", DISK, {"diskSizeGB": 8}, 400, "InvalidRequestContent"),
    ("sku without name", DISK, {"sku": {"tier": "Premium"}}, 400, "InvalidRequestContent"),
    ("unknown sku", DISK, {"sku.name": "Foo_LRS"}, 400, "InvalidParameter"),
    ("no creation data", DISK, {"properties.creationData": GONE}, 400, "InvalidParameter"),
    ("no option", DISK, {"properties.creationData": {}}, 400, "InvalidParameter"),
    ("unknown option", DISK, {"properties.creationData.createOption": "Clone"}, 400, ""),
    ("no size", DISK, {"properties.diskSizeGB": GONE}, 400, "InvalidParameter"),
    ("size 0", DISK, {"properties.diskSizeGB": 0}, 400, "InvalidParameter"),
    ("size -5", DISK, {"properties.diskSizeGB": -5}, 400, "InvalidParameter"),
    ("size a word", DISK, {"properties.diskSizeGB": "large"}, 400, ""),
    ("size above any", DISK, {"properties.diskSizeGB": 70_000}, 400, "InvalidParameter"),
    ("size above premium", DISK, {"properties.diskSizeGB": 40_000}, 400, "InvalidParameter"),
    ("unknown property", DISK, {"properties.sizeGB": 8}, 400, ""),
    ("unknown os type", DISK, {"properties.osType": "BeOS"}, 400, ""),
    ("unknown generation", DISK, {"properties.hyperVGeneration": "V3"}, 400, ""),
    ("unknown network policy", DISK, {"properties.networkAccessPolicy": "Some"}, 400, ""),
    ("private without access", DISK, {"properties.networkAccessPolicy": "AllowPrivate"}, 400, ""),
    ("unknown public access", DISK, {"properties.publicNetworkAccess": "Maybe"}, 400, ""),
    ("unknown architecture", DISK, {"properties.supportedCapabilities": {"architecture": "mips"}}, 400, ""),
    ("unknown encryption", DISK, {"properties.encryption": {"type": "Rot13"}}, 400, ""),
    ("key without set", DISK, {"properties.encryption": {"type": "EncryptionAtRestWithCustomerKey"}}, 400, ""),
    ("missing encryption set", DISK, {"properties.encryption": missing_set}, 404, ""),
    (
        "missing disk access",
        DISK,
        {
            "properties.networkAccessPolicy": "AllowPrivate",
            "properties.diskAccessId": resource("diskAccesses/none"),
        },
        404,
        "",
    ),
    ("two zones", DISK, {"zones": ["1", "2"]}, 400, "ResourceTypeNotSupportMultiZones"),
    ("unknown zone", DISK, {"zones": ["9"]}, 400, ""),
    ("zone in a region without", DISK, {"location": "westus", "zones": ["1"]}, 400, ""),
    ("zone of a zrs disk", DISK, {"sku.name": "Premium_ZRS", "zones": ["1"]}, 400, ""),
    ("shared standard", DISK, {"sku.name": "Standard_LRS", "properties.maxShares": 2}, 400, ""),
    ("shares 0", DISK, {"properties.maxShares": 0}, 400, ""),
    ("too many shares", DISK, {"properties.maxShares": 9}, 400, ""),
    ("tier of standard", DISK, {"sku.name": "Standard_LRS", "properties.tier": "P10"}, 400, ""),
    ("unknown tier", DISK, {"properties.tier": "P11"}, 400, ""),
    ("tier below", DISK, {"properties.diskSizeGB": 1024, "properties.tier": "P4"}, 400, ""),
    ("bursting small", DISK, {"properties.burstingEnabled": True}, 400, ""),
    (
        "bursting standard",
        DISK,
        {
            "sku.name": "Standard_LRS",
            "properties.diskSizeGB": 1024,
            "properties.burstingEnabled": True,
        },
        400,
        "",
    ),
    ("iops of premium", DISK, {"properties.diskIOPSReadWrite": 900}, 400, ""),
    ("iops above ultra", DISK, {"sku.name": "UltraSSD_LRS", "properties.diskIOPSReadWrite": 900_000}, 400, ""),
    ("sector of premium", DISK, {"properties.creationData.logicalSectorSize": 512}, 400, ""),
    (
        "unknown sector",
        DISK,
        {
            "sku.name": "UltraSSD_LRS",
            "properties.creationData.logicalSectorSize": 1024,
        },
        400,
        "",
    ),
    ("ultra os disk", DISK, {"sku.name": "UltraSSD_LRS", "properties.osType": "Linux"}, 400, ""),
    ("plan without name", DISK, {"properties.purchasePlan": {"publisher": "p"}}, 400, ""),
    ("copy of nothing", DISK, {"properties.creationData.createOption": "Copy"}, 400, "InvalidParameter"),
    ("import of nothing", DISK, {"properties.creationData.createOption": "Import"}, 400, "InvalidParameter"),
    (
        "import without account",
        DISK,
        {"properties.creationData": {"createOption": "Import", "sourceUri": "https://a.blob.core.windows.net/v/d.vhd"}},
        400,
        "InvalidParameter",
    ),
    (
        "import of no address",
        DISK,
        {"properties.creationData": {"createOption": "Import", "sourceUri": "d.vhd", "storageAccountId": "/x"}},
        400,
        "",
    ),
    ("upload without size", DISK, {"properties.creationData.createOption": "Upload"}, 400, "InvalidParameter"),
    (
        "upload too small",
        DISK,
        {"properties.creationData": {"createOption": "Upload", "uploadSizeBytes": 1000}},
        400,
        "InvalidParameter",
    ),
    ("image of nothing", DISK, {"properties.creationData.createOption": "FromImage"}, 400, "InvalidParameter"),
    ("missing version", DISK, {"properties.creationData": gone}, 404, ""),
    ("from a managed image", DISK, {"properties.creationData": managed}, 400, ""),
    ("missing source", COPY, {"properties.creationData": copy_of("snapshots/none")}, 404, "NotFound"),
    ("source is a vm", COPY, {"properties.creationData": copy_of("virtualMachines/desk-vm")}, 400, ""),
    ("source elsewhere", COPY, {"location": "westus2"}, 404, ""),
    (
        "source of no subscription",
        COPY,
        {"properties.creationData": {"createOption": "Copy", "sourceResourceId": f"{ELSEWHERE}/disks/d"}},
        403,
        "LinkedAuthorizationFailed",
    ),
    ("source no id", COPY, {"properties.creationData": {"createOption": "Copy", "sourceResourceId": "os"}}, 400, ""),
    ("smaller than source", COPY, {"properties.diskSizeGB": 1}, 400, ""),
    (
        "security of a copy",
        COPY,
        {"properties.securityProfile": {"securityType": "ConfidentialVM_NonPersistedTPM"}},
        400,
        "",
    ),
    ("unknown security", DISK, {"properties.securityProfile": {"securityType": "Strong"}}, 400, ""),
    (
        "trusted gen 1",
        COPY,
        {
            "properties.creationData": copy_of("disks/gen1-vm_OsDisk_1"),
            "properties.securityProfile": {"securityType": "TrustedLaunch"},
        },
        400,
        "",
    ),
    (
        "start of a disk copy",
        COPY,
        {"properties.creationData": {"createOption": "CopyStart", "sourceResourceId": resource("disks/free")}},
        404,
        "NotFound",
    ),
]

#: A name, the body that is taken, what is changed in it, the status, and the code if it is known.
SNAPSHOTS: list[tuple[str, dict[str, Any], dict[str, Any], int, str]] = [
    ("no location", SNAPSHOT, {"location": GONE}, 400, "LocationRequired"),
    ("ultra", SNAPSHOT, {"sku.name": "UltraSSD_LRS"}, 400, "InvalidParameter"),
    ("sku without name", SNAPSHOT, {"sku": {}}, 400, "InvalidRequestContent"),
    ("missing source", SNAPSHOT, {"properties.creationData": copy_of("disks/none")}, 404, "NotFound"),
    (
        "missing source by uri",
        SNAPSHOT,
        {"properties.creationData": {"createOption": "Copy", "sourceUri": resource("disks/none")}},
        404,
        "NotFound",
    ),
    ("zones", SNAPSHOT, {"zones": ["1"]}, 400, ""),
    ("tier", SNAPSHOT, {"properties.tier": "P4"}, 400, ""),
    ("incremental a word", SNAPSHOT, {"properties.incremental": "perhaps"}, 400, ""),
    ("full of ultra", SNAPSHOT, {"properties.creationData": copy_of("disks/ultra")}, 400, ""),
    (
        "full of copy start",
        SNAPSHOT,
        {"properties.creationData": {"createOption": "CopyStart", "sourceResourceId": resource("snapshots/plain")}},
        400,
        "",
    ),
    ("disk of another region", SNAPSHOT, {"properties.creationData": copy_of("disks/there")}, 404, ""),
    ("unknown copy speed", SNAPSHOT, {"properties.creationData.provisionedBandwidthCopySpeed": "Fast"}, 400, ""),
    ("larger than its source", SNAPSHOT, {"properties.diskSizeGB": -1}, 400, ""),
]

#: A name, the body that is taken, what is changed in it, the status, and the code if it is known.
profile = "properties.storageProfile"
IMAGES: list[tuple[str, dict[str, Any], dict[str, Any], int, str]] = [
    ("no source", IMAGE, {profile: GONE}, 400, "InvalidParameter"),
    ("no os disk", IMAGE, {f"{profile}.osDisk": GONE}, 400, "InvalidParameter"),
    ("no os type", IMAGE, {f"{profile}.osDisk.osType": GONE}, 400, "InvalidParameter"),
    ("no os state", IMAGE, {f"{profile}.osDisk.osState": GONE}, 400, "InvalidParameter"),
    ("unknown os state", IMAGE, {f"{profile}.osDisk.osState": "Tidy"}, 400, ""),
    ("unknown caching", IMAGE, {f"{profile}.osDisk.caching": "Write"}, 400, ""),
    ("unknown account", IMAGE, {f"{profile}.osDisk.storageAccountType": "Foo_LRS"}, 400, ""),
    ("ultra disk", IMAGE, {f"{profile}.osDisk.storageAccountType": "UltraSSD_LRS"}, 400, ""),
    (
        "no generation",
        IMAGE,
        {
            "properties.hyperVGeneration": GONE,
            f"{profile}.osDisk": {
                "osType": "Linux",
                "osState": "Generalized",
                "blobUri": "https://a.blob.core.windows.net/v/d.vhd",
            },
        },
        400,
        "InvalidParameter",
    ),
    ("unknown generation", IMAGE, {"properties.hyperVGeneration": "V3"}, 400, ""),
    ("other generation than its source", IMAGE, {"properties.hyperVGeneration": "V1"}, 400, ""),
    ("no lun", IMAGE, {f"{profile}.dataDisks": [{"managedDisk": {"id": resource("disks/free")}}]}, 400, ""),
    ("lun 64", IMAGE, {f"{profile}.dataDisks.0.lun": 64}, 400, ""),
    (
        "two of a lun",
        IMAGE,
        {f"{profile}.dataDisks": [{"lun": 0, "managedDisk": {"id": resource("disks/free")}}] * 2},
        400,
        "",
    ),
    ("missing snapshot", IMAGE, {f"{profile}.osDisk.snapshot.id": resource("snapshots/none")}, 404, "NotFound"),
    (
        "missing vm",
        IMAGE,
        {"properties": {"sourceVirtualMachine": {"id": resource("virtualMachines/none")}}},
        404,
        "NotFound",
    ),
    (
        "running vm",
        IMAGE,
        {"properties": {"sourceVirtualMachine": {"id": resource("virtualMachines/desk-vm")}}},
        409,
        "OperationNotAllowed",
    ),
    (
        "trusted vm",
        IMAGE,
        {"properties": {"sourceVirtualMachine": {"id": resource("virtualMachines/prep-vm")}, "hyperVGeneration": "V2"}},
        409,
        "OperationNotAllowed",
    ),
    ("vm and disks", IMAGE, {"properties.sourceVirtualMachine": {"id": resource("virtualMachines/win-vm")}}, 400, ""),
    (
        "vm of another region",
        IMAGE,
        {
            "location": "westus2",
            "properties": {
                "sourceVirtualMachine": {"id": resource("virtualMachines/win-vm")},
                "hyperVGeneration": "V2",
            },
        },
        400,
        "",
    ),
    ("of another region", IMAGE, {"location": "westus2"}, 400, "InvalidParameter"),
    ("snapshot is a disk", IMAGE, {f"{profile}.osDisk.snapshot.id": resource("disks/system")}, 400, ""),
    ("source is a vm", IMAGE, {f"{profile}.osDisk.snapshot.id": resource("virtualMachines/desk-vm")}, 400, ""),
    ("two sources of a disk", IMAGE, {f"{profile}.osDisk.managedDisk": {"id": resource("disks/system")}}, 400, ""),
    ("zones", IMAGE, {"zones": ["1"]}, 400, ""),
]
