"""Changes of resources that Azure refuses."""

from __future__ import annotations

from tests.support.compute_bodies import DISK, IMAGE, SNAPSHOT, VM, changed, located
from tests.support.compute_emulator import copy_of, definition, resource
from tests.support.refusals.actions import ELSEWHERE, Row, row

vm, disk = "virtualMachines/desk-vm", "disks/free"
idle = "virtualMachines/prep-vm"
large = changed(DISK, {"properties.diskSizeGB": 32})
where, same = "galleries/lab/images/tools", located(definition(security="TrustedLaunch"))
name = "galleries/lab/images/tools/versions/1.0.0"
#: Other values of the properties that a definition keeps.
OTHER = {
    "osType": "Windows",
    "osState": "Specialized",
    "hyperVGeneration": "V1",
    "architecture": "Arm64",
    "identifier": {"publisher": "x", "offer": "y", "sku": "z"},
    "eula": "other",
    "privacyStatementUri": "https://x.org",
    "purchasePlan": {"name": "n", "publisher": "p", "product": "q"},
    "features": [{"name": "SecurityType", "value": "ConfidentialVM"}],
}
#: A name, the method, the path, the body, the status, and the code if it is known.
CHANGES: list[Row] = [
    row("disk moved", "PUT", disk, changed(DISK, {"location": "westus2"}), 409, "InvalidResourceLocation"),
    row("disk shrunk", "PUT", disk, DISK, 400),
    row("disk shrunk by patch", "PATCH", disk, {"properties": {"diskSizeGB": 8}}, 400),
    row(
        "disk to another source", "PUT", disk, changed(large, {"properties.creationData": copy_of("snapshots/os")}), 400
    ),
    row("disk to another sku", "PATCH", disk, {"sku": {"name": "UltraSSD_LRS"}}, 400),
    row("ultra to another sku", "PATCH", "disks/ultra", {"sku": {"name": "Premium_LRS"}}, 400),
    row("disk to zrs", "PATCH", disk, {"sku": {"name": "Premium_ZRS"}}, 400),
    row(
        "disk to another zone", "PUT", "disks/zonal", changed(DISK, {"zones": ["2"], "properties.diskSizeGB": 32}), 400
    ),
    row("disk to a zone", "PUT", disk, changed(large, {"zones": ["2"]}), 400),
    row("disk to another system", "PATCH", "disks/system", {"properties": {"osType": "Windows"}}, 400),
    row(
        "disk to another generation",
        "PUT",
        "disks/system",
        located({"creationData": copy_of("snapshots/plain"), "hyperVGeneration": "V1"}),
        400,
    ),
    row("disk patched source", "PATCH", disk, {"properties": {"creationData": copy_of("snapshots/os")}}, 400),
    row(
        "running disk to another sku",
        "PATCH",
        "disks/desk-vm_OsDisk_1",
        {"sku": {"name": "Standard_LRS"}},
        409,
        "OperationNotAllowed",
    ),
    row(
        "running disk grown",
        "PATCH",
        "disks/desk-vm_OsDisk_1",
        {"properties": {"diskSizeGB": 512}},
        409,
        "OperationNotAllowed",
    ),
    row(
        "disk to another security",
        "PATCH",
        "disks/system",
        {"properties": {"securityProfile": {"securityType": "TrustedLaunch"}}},
        400,
    ),
    row(
        "disk to platform again",
        "PATCH",
        disk,
        {"properties": {"encryption": {"type": "EncryptionAtRestWithCustomerKey"}}},
        400,
    ),
    row("snapshot to incremental", "PATCH", "snapshots/os", {"properties": {"incremental": True}}, 400),
    row(
        "snapshot to full",
        "PUT",
        "snapshots/data",
        located({"creationData": copy_of("disks/prep-vm_DataDisk_0"), "incremental": False}),
        400,
    ),
    row("snapshot to another source", "PUT", "snapshots/os", located({"creationData": copy_of("disks/free")}), 400),
    row(
        "snapshot shrunk",
        "PUT",
        "snapshots/data",
        located({"creationData": copy_of("disks/prep-vm_DataDisk_0"), "incremental": True, "diskSizeGB": 1}),
        400,
    ),
    row(
        "snapshot moved",
        "PUT",
        "snapshots/os",
        located({"creationData": copy_of("disks/prep-vm_OsDisk_1")}) | {"location": "westus2"},
        409,
        "InvalidResourceLocation",
    ),
    row("image moved", "PUT", "images/plain", changed(IMAGE, {"location": "westus2"}), 409, "InvalidResourceLocation"),
    row(
        "image of another snapshot",
        "PUT",
        "images/plain",
        changed(IMAGE, {"properties.storageProfile.osDisk.snapshot.id": resource("snapshots/os")}),
        409,
    ),
    row(
        "image of another vm",
        "PUT",
        "images/plain",
        located({"sourceVirtualMachine": {"id": resource("virtualMachines/win-vm")}}),
        409,
    ),
    row(
        "image of another state",
        "PUT",
        "images/plain",
        changed(IMAGE, {"properties.storageProfile.osDisk.osState": "Specialized"}),
        409,
    ),
    row(
        "image of another generation", "PUT", "images/plain", changed(IMAGE, {"properties.hyperVGeneration": "V1"}), 409
    ),
    row(
        "image with one disk more",
        "PUT",
        "images/plain",
        changed(
            IMAGE, {"properties.storageProfile.dataDisks": [{"lun": 1, "managedDisk": {"id": resource("disks/free")}}]}
        ),
        409,
    ),
    row("image patched", "PATCH", "images/plain", {"properties": {"hyperVGeneration": "V1"}}, 409),
    *(
        row(f"definition {word} to another {part}", method, where, body, 409, "PropertyChangeNotAllowed")
        for part, value in OTHER.items()
        for word, method, body in (
            ("put", "PUT", changed(same, {f"properties.{part}": value})),
            ("patched", "PATCH", {"properties": {part: value}}),
        )
    ),
    row("definition moved", "PUT", where, changed(same, {"location": "westus2"}), 409, "InvalidResourceLocation"),
    row(
        "version patched source",
        "PATCH",
        name,
        {"properties": {"storageProfile": {"osDiskImage": {"source": {"id": resource("snapshots/plain")}}}}},
        409,
    ),
    row(
        "version patched away",
        "PATCH",
        name,
        {"properties": {"publishingProfile": {"targetRegions": [{"name": "eastus"}]}}},
        400,
    ),
    *(
        row(f"vm to another {member}", "PATCH", vm, {"properties": {member: value}}, 409)
        for member, value in {
            "osProfile": {"adminUsername": "other"},
            "storageProfile": {"osDisk": {"name": "other"}},
            "availabilitySet": {"id": resource("availabilitySets/a")},
            "priority": "Spot",
        }.items()
    ),
    row(
        "vm with a disk of another region",
        "PATCH",
        vm,
        {
            "properties": {
                "storageProfile": {
                    "dataDisks": [{"lun": 9, "createOption": "Attach", "managedDisk": {"id": resource("disks/there")}}]
                }
            }
        },
        400,
    ),
    row("vm to a zone", "PATCH", vm, {"zones": ["1"]}, 409),
    row(
        "vm to another image",
        "PATCH",
        vm,
        {
            "properties": {
                "storageProfile": {
                    "imageReference": {
                        "publisher": "canonical",
                        "offer": "ubuntu-24_04-lts",
                        "sku": "server-gen1",
                        "version": "latest",
                    }
                }
            }
        },
        409,
        "PropertyChangeNotAllowed",
    ),
    row(
        "vm to unknown size",
        "PATCH",
        vm,
        {"properties": {"hardwareProfile": {"vmSize": "Standard_Huge"}}},
        400,
        "InvalidParameter",
    ),
    row(
        "vm to gen 1 size",
        "PATCH",
        vm,
        {"properties": {"hardwareProfile": {"vmSize": "Standard_NC24ads_A100_v4"}}},
        409,
    ),
    row(
        "vm to size for few disks",
        "PATCH",
        "virtualMachines/desk-vm",
        {"properties": {"hardwareProfile": {"vmSize": "Standard_D2ps_v5"}}},
        400,
    ),
    row(
        "vm computer name",
        "PATCH",
        vm,
        {"properties": {"osProfile": {"computerName": "other"}}},
        409,
        "PropertyChangeNotAllowed",
    ),
    row(
        "vm custom data",
        "PATCH",
        vm,
        {"properties": {"osProfile": {"customData": "YQ=="}}},
        409,
        "PropertyChangeNotAllowed",
    ),
    row(
        "vm to a trusted one", "PATCH", vm, {"properties": {"securityProfile": {"securityType": "ConfidentialVM"}}}, 409
    ),
    row("vm moved", "PUT", vm, changed(VM, {"location": "westus2"}), 409, "InvalidResourceLocation"),
    row(
        "generalized vm patched", "PATCH", idle, {"properties": {"hardwareProfile": {"vmSize": "Standard_D2s_v5"}}}, 409
    ),
    row(
        "group missing",
        "PUT",
        f"{resource('').replace('/research/', '/nowhere/')}disks/new",
        DISK,
        404,
        "ResourceGroupNotFound",
    ),
    row("subscription missing", "PUT", f"{ELSEWHERE}/disks/new", DISK, 404, "SubscriptionNotFound"),
    row("too many tags", "PUT", "disks/new", DISK | {"tags": {str(n): "" for n in range(51)}}, 400),
    row("tag with signs", "PUT", "disks/new", DISK | {"tags": {"a<b": ""}}, 400),
    *(
        row(f"{what} of {kind}{more}", "PUT", f"{kind}/{wrong}", body, 400, "InvalidParameter")
        for kind, body in (("disks", DISK), ("snapshots", SNAPSHOT), ("images", IMAGE))
        for what, more, wrong in (("long name", "", "a" * 81), ("name", " with signs", "a+b"))
    ),
    row("vm name with signs", "PUT", "virtualMachines/a_b*", VM, 400, ""),
    row("long vm name", "PUT", f"virtualMachines/{'a' * 65}", VM, 400, "InvalidParameter"),
]
