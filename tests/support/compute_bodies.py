"""Bodies of writes to Microsoft.Compute that are taken, and an emulator with the resources that they name."""

from __future__ import annotations

import copy
from typing import Any

from tests.support.compute_emulator import ComputeEmulator, copy_of, definition, resource, version

#: A member that a body does not have.
GONE = object()
NETWORK = resource("").replace("Microsoft.Compute", "Microsoft.Network")


def changed(body: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return a body with other values at dotted paths; `GONE` removes a member."""
    body = copy.deepcopy(body)
    for path, value in changes.items():
        *parents, last = path.split(".")
        place: Any = body
        for word in parents:
            place = place[int(word)] if isinstance(place, list) else place.setdefault(word, {})
        if value is GONE:
            del place[last]
        else:
            place[int(last) if isinstance(place, list) else last] = value
    return body


def located(properties: dict[str, Any], **beside: Any) -> dict[str, Any]:
    return {"location": "eastus", **beside, "properties": properties}


DISK = located({"creationData": {"createOption": "Empty"}, "diskSizeGB": 8}, sku={"name": "Premium_LRS"})
COPY = located({"creationData": copy_of("snapshots/os")})
SNAPSHOT = located({"creationData": copy_of("disks/free")}, sku={"name": "Standard_LRS"})
IMAGE = located(
    {
        "hyperVGeneration": "V2",
        "storageProfile": {
            "osDisk": {"osType": "Linux", "osState": "Generalized", "snapshot": {"id": resource("snapshots/plain")}},
            "dataDisks": [{"lun": 0, "managedDisk": {"id": resource("disks/free")}}],
        },
    }
)
GALLERY = located({"description": "d"})
DEFINITION = located(definition("new", security="TrustedLaunch"))
RELEASE = located(version("snapshots/os", data={0: "snapshots/data"}))
VM = located(
    {
        "hardwareProfile": {"vmSize": "Standard_D2s_v5"},
        "storageProfile": {
            "imageReference": {
                "publisher": "canonical",
                "offer": "ubuntu-24_04-lts",
                "sku": "server",
                "version": "latest",
            },
            "osDisk": {"createOption": "FromImage", "managedDisk": {"storageAccountType": "Premium_LRS"}},
            "dataDisks": [{"lun": 0, "createOption": "Empty", "diskSizeGB": 8}],
        },
        "osProfile": {"computerName": "new", "adminUsername": "researcher", "adminPassword": "Correct-horse-7"},
        "networkProfile": {"networkInterfaces": [{"id": f"{NETWORK}networkInterfaces/spare-nic"}]},
    }
)
ATTACHED = changed(
    VM,
    {
        "properties.storageProfile.imageReference": GONE,
        "properties.storageProfile.osDisk": {
            "createOption": "Attach",
            "osType": "Linux",
            "managedDisk": {"id": resource("disks/system")},
        },
        "properties.osProfile": GONE,
    },
)


def prepared() -> ComputeEmulator:
    """Return an emulator with the resources that the rows name."""
    made = ComputeEmulator()
    made.nic()
    made.make("disks/free", {"creationData": {"createOption": "Empty"}, "diskSizeGB": 32}, sku={"name": "Premium_LRS"})
    made.make(
        "disks/ultra", {"creationData": {"createOption": "Empty"}, "diskSizeGB": 32}, sku={"name": "UltraSSD_LRS"}
    )
    made.make("disks/zonal", {"creationData": {"createOption": "Empty"}, "diskSizeGB": 32}, zones=["1"])
    made.make("disks/there", {"creationData": {"createOption": "Empty"}, "diskSizeGB": 32}, location="westus2")
    made.snapshot("os", "prep-vm_OsDisk_1")
    made.snapshot("data", "prep-vm_DataDisk_0", incremental=True)
    made.snapshot("plain", "desk-vm_OsDisk_1")
    made.make("disks/system", {"creationData": copy_of("snapshots/plain")})
    made.definition(security="TrustedLaunch")
    made.make("galleries/lab/images/plain", definition("plain"))
    made.make("galleries/lab/images/empty", definition("empty"))
    made.make("images/plain", IMAGE["properties"])
    made.version("1.0.0", data={0: "snapshots/data"}, regions=("eastus", "westus2"))
    made.version("1.0.0", of="plain", source="images/plain")
    return made
