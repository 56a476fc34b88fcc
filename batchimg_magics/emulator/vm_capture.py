"""Capture of a VM on blobs: the template that Azure answers with. VMs on managed disks make images instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm import bodies
from batchimg_magics.emulator.compute.model.vm_view import disks_of
from batchimg_magics.emulator.http.messages import Refusal

if TYPE_CHECKING:
    from batchimg_magics.emulator.http.messages import Call
    from batchimg_magics.emulator.world.store import Item

_SCHEMA = "http://schema.management.azure.com/schemas/2014-04-01-preview/VM_IP.json"
_PARAMETERS = ("vmName", "vmSize", "adminUserName", "adminPassword", "networkInterfaceId")


def capture_template(call: Call, vm: Item) -> dict[str, Any]:
    """Return the template that makes VMs of a captured one, or refuse to capture it. Source: recorded."""
    body = bodies.part(call.body, "parameters")
    prefix = bodies.text(body.get("vhdPrefix"), "vhdPrefix")
    container = bodies.text(body.get("destinationContainerName"), "destinationContainerName")
    if not vm.hidden.get("generalized"):
        message = f"The VM '{vm.doc['name']}' has to be generalized before it is captured."
        raise Refusal(409, "OperationNotAllowed", message)
    (os_disk, *_) = disks_of(vm)
    if "vhd" not in os_disk:
        message = f"Capture is not supported on VM '{vm.doc['name']}': it has managed disks. Make an image of it."
        raise Refusal(409, "OperationNotAllowed", message)
    size = vm.doc["properties"]["hardwareProfile"]["vmSize"]
    account = str(os_disk["vhd"]["uri"]).split("/")[2]
    name = f"{prefix}-osDisk.{vm.doc['properties']['vmId']}.vhd"
    copy = call.store.new_guid("capture")
    profile = {
        "osType": os_disk.get("osType", "Linux"),
        "name": name,
        "createOption": "FromImage",
        "image": {"uri": f"https://{account}/system/Microsoft.Compute/Images/{container}/{name}"},
        "vhd": {"uri": f"https://{account}/vmcontainer{copy}/osDisk.{copy}.vhd"},
        "caching": os_disk.get("caching", "None"),
    }
    resource = {
        "name": "[parameters('vmName')]",
        "type": "Microsoft.Compute/virtualMachines",
        "location": vm.doc["location"],
        "apiVersion": call.api_version,
        "properties": {
            "hardwareProfile": {"vmSize": "[parameters('vmSize')]"},
            "provisioningState": 0,
            "storageProfile": {"osDisk": profile},
            "osProfile": {
                "computerName": "[parameters('vmName')]",
                "adminUsername": "[parameters('adminUsername')]",
                "adminPassword": "[parameters('adminPassword')]",
            },
            "networkProfile": {"networkInterfaces": [{"id": "[parameters('networkInterfaceId')]"}]},
        },
    }
    kinds = {"adminPassword": "securestring"}
    parameters: dict[str, dict[str, str]] = {one: {"type": kinds.get(one, "string")} for one in _PARAMETERS}
    parameters["vmSize"]["defaultValue"] = size
    return {"$schema": _SCHEMA, "contentVersion": "1.0.0.0", "parameters": parameters, "resources": [resource]}
