"""Virtual machines: read, start and stop, mark as generalized, capture, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm import assumed_resources, bodies, resource_types, resources
from batchimg_magics.emulator.arm.open_world import is_open
from batchimg_magics.emulator.arm.operations import OPERATION_TIMINGS, OperationResult, begin_operation, operation_s
from batchimg_magics.emulator.arm.resource_types import ResourceType, list_paths
from batchimg_magics.emulator.catalog.vm_sizes import find_size
from batchimg_magics.emulator.compute.guest import system as guest_system
from batchimg_magics.emulator.compute.model import body_rules, core_quotas, vm_create, vm_extensions
from batchimg_magics.emulator.compute.model.vm_view import (
    disk_key,
    disks_of,
    etag,
    instance_view,
    power_state,
    vm_document,
)
from batchimg_magics.emulator.http.messages import Call, Refusal, Reply, Routes
from batchimg_magics.emulator.http.planes import unknown_route
from batchimg_magics.emulator.network import interfaces
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.emulator.world.store import Item

VMS = vm_create.VMS
#: The power state after each action, and during it.
_POWER_STATES = {
    "deallocate": ("deallocated", "deallocating"),
    "powerOff": ("stopped", "stopping"),
    "start": ("running", "starting"),
}
#: Actions that VMs on managed disks do not support, and why. Source: recorded.
_REFUSED_ACTIONS = {
    "performMaintenance": (
        "Operation 'performMaintenance' is not allowed on VM '{}' since the Subscription of this VM is not eligible."
    ),
    "convertToManagedDisks": "VM '{}' is already using managed disks.",
    "reimage": (
        "The Reimage and OSUpgrade Virtual Machine actions require that the virtual machine has Automatic OS Upgrades"
        " enabled."
    ),
}
evidence = Evidence("Virtual machines")
evidence.rule(
    "A generalized operating system that is started is provisioned again, and is no longer generalized.",
    "the guest agent does so; no recording shows it",
)
_KIND = ResourceType(VMS, vm_create.build, "vm", "vm deletion", check_body=body_rules.check_of(VMS))
routes = Routes("arm")


def _machine(call: Call) -> Item:
    return assumed_resources.need_or_assume(call, resources.resource_id(call, VMS))


@routes.on("GET", resources.path_of(VMS))
def get_machine(call: Call) -> Reply:
    """Answer with one VM, with its instance view if requested."""
    vm = assumed_resources.get_requested(call, VMS)
    document = _document(call, vm)
    if "instanceview" in call.query.get("$expand", "").lower():
        document["properties"]["instanceView"] = _view(call, vm)
    return Reply(200, document, {"ETag": etag(vm)})


def _document(call: Call, vm: Item) -> dict[str, Any]:
    return vm_extensions.with_extensions(call.store, vm, vm_document(vm, call.now), call.now)


def _view(call: Call, vm: Item) -> dict[str, Any]:
    return vm_extensions.add_to_view(call.store, vm, instance_view(call.store, vm, call.now), call.now)


@routes.on("GET", f"{resources.path_of(VMS)}/instanceView")
def get_instance_view(call: Call) -> Reply:
    """Answer with the instance view of a VM."""
    vm = assumed_resources.get_requested(call, VMS)
    return Reply(200, _view(call, vm))


def _list(call: Call) -> Reply:
    """Answer with the VMs of a group or a subscription, with their instance views for ``statusOnly=true``."""
    vms = resources.list_items(call, VMS)
    documents = [_document(call, vm) for vm in vms]
    wanted = call.query.get("$expand", "").lower() == "instanceview" or call.query.get("statusonly") == "true"
    if wanted:
        for vm, document in zip(vms, documents, strict=True):
            document["properties"]["instanceView"] = _view(call, vm)
    return Reply(200, {"value": documents})


for _path in list_paths(VMS):
    routes.on("GET", _path)(_list)


@routes.on("PUT", resources.path_of(VMS))
def put_machine(call: Call) -> Reply:
    """Create or change a VM."""
    return vm_create.put(call, _KIND)


@routes.on("PATCH", resources.path_of(VMS))
def patch_machine(call: Call) -> Reply:
    """Change the tags, size or disks of a VM."""
    return vm_create.patch(call, _KIND)


def _change(verb: str) -> Callable[[Call], Reply]:
    def answer(call: Call) -> Reply:
        vm = _machine(call)
        resource_types.refuse_during_operation(call, vm)
        if vm.hidden.get("generalized") and verb == "start":
            message = f"Operation 'start' is not allowed on VM '{vm.doc['name']}' since the VM is generalized."
            raise Refusal(409, "OperationNotAllowed", message)
        if verb == "start" and power_state(vm, call.now) == "deallocated" and not is_open(call.store):
            _refuse_above_quota(call, vm)
        if verb == "powerOff":
            _refuse_deallocated(call, vm)
        pace = OPERATION_TIMINGS[f"vm {verb}"]
        seconds = operation_s(call, pace.seconds, vm.key + verb)
        change_power_state(call, vm, verb, seconds)
        return Reply(202, None, begin_operation(call, vm.doc["location"], "operations", seconds, pace))

    return answer


def _refuse_deallocated(call: Call, vm: Item) -> None:
    """Refuse to power off a VM that is deallocated. Source: terraform-provider-azurerm #28218, AzureTRE #4135."""
    if power_state(vm, call.now) in ("deallocated", "deallocating"):
        message = (
            f"Operation 'powerOff' is not allowed on VM '{vm.doc['name']}' since the VM is either deallocated or "
            "marked to be deallocated. Please refer to https://aka.ms/vmpowerstates to learn about different VM power "
            "states."
        )
        raise Refusal(409, "OperationNotAllowed", message)


def _refuse_above_quota(call: Call, vm: Item) -> None:
    properties = vm.doc["properties"]
    size = find_size(str(properties.get("hardwareProfile", {}).get("vmSize", "")))
    core_quotas.refuse_above_quota(call, size, core_quotas.kind_of(properties), vm.key, starts=True)


def change_power_state(call: Call, vm: Item, verb: str, seconds: float) -> None:
    """Change the power state of a VM in so many seconds; an operating system that starts is no longer generalized."""
    after, during = _POWER_STATES[verb]
    if power_state(vm, call.now) == after:
        return
    revised = {"revision": vm.hidden.get("revision", 1) + 1, "since": call.now + seconds}
    if verb != "powerOff":  # a stopped VM keeps its disks in use
        revised["held"] = [*vm.hidden.get("held", [])[-1:], call.now + seconds]
    vm.hidden |= revised | {"change": {"end": call.now + seconds, "during": during, "after": after}}
    vm.hidden.pop("stops_at", None)
    guest_system.drop_later_changes(call.store, _os_disk(call, vm), call.now)
    if verb == "start":
        _boot(call, vm, call.now + seconds)
    call.store.put(vm)


def _os_disk(call: Call, vm: Item) -> Item | None:
    return call.store.get(disk_key(disks_of(vm)[0])) if disks_of(vm) else None


def _boot(call: Call, vm: Item, at: float) -> None:
    """Start the operating system of a VM: it is provisioned, and its agent runs."""
    vm.hidden["booted"] = at
    disk = _os_disk(call, vm)
    if disk is not None:
        guest_system.start_system(call.store, disk, call.now)


for _verb in _POWER_STATES:
    routes.on("POST", f"{resources.path_of(VMS)}/{_verb}")(_change(_verb))


@routes.on("POST", f"{resources.path_of(VMS)}/restart")
def restart(call: Call) -> Reply:
    """Restart a VM; a generalized operating system is provisioned, as at every start."""
    vm = _machine(call)
    resource_types.refuse_during_operation(call, vm)
    need_running(call, vm)
    pace = OPERATION_TIMINGS["vm restart"]
    seconds = operation_s(call, pace.seconds, vm.key)
    vm.hidden.pop("stops_at", None)
    _boot(call, vm, call.now + seconds)
    call.store.put(vm)
    return Reply(202, None, begin_operation(call, vm.doc["location"], "operations", seconds, pace))


def need_running(call: Call, vm: Item) -> None:
    """Refuse an action that needs a running VM. Source: issue threads quote the response to restart and runCommand."""
    if power_state(vm, call.now) not in ("running", "starting"):
        message = "The operation requires the VM to be running (or set to run)."
        raise Refusal(409, "OperationNotAllowed", message)


def _refuse(verb: str) -> Callable[[Call], Reply]:
    def answer(call: Call) -> Reply:
        vm = _machine(call)
        if verb == "convertToManagedDisks" and any("vhd" in disk for disk in disks_of(vm)):
            raise unknown_route(call.method, call.path, call.api_version)
        raise Refusal(409, "OperationNotAllowed", _REFUSED_ACTIONS[verb].format(vm.doc["name"]))

    return answer


for _verb in _REFUSED_ACTIONS:
    routes.on("POST", f"{resources.path_of(VMS)}/{_verb}")(_refuse(_verb))


@routes.on("POST", f"{resources.path_of(VMS)}/generalize")
def generalize(call: Call) -> Reply:
    """Mark a VM as generalized in Azure, which does not depend on the contents of its disk."""
    vm = _machine(call)
    resource_types.refuse_during_operation(call, vm)
    state = power_state(vm, call.now)
    if state not in ("stopped", "deallocated"):
        message = (
            f"Operation 'generalize' is not allowed on VM '{vm.doc['name']}' since the VM is {state}. "
            "It has to be stopped or deallocated."
        )
        raise Refusal(409, "OperationNotAllowed", message)
    vm.hidden |= {"generalized": True, "revision": vm.hidden.get("revision", 1) + 1}
    call.store.put(vm)
    return Reply(200)


@routes.on("POST", f"{resources.path_of(VMS)}/capture")
def capture(call: Call) -> Reply:
    """Copy the blobs of a generalized VM, and answer with a template that creates VMs from them."""
    vm = _machine(call)
    template = capture_template(call, vm)
    pace = OPERATION_TIMINGS["vm capture"]
    headers = begin_operation(
        call, vm.doc["location"], "operations", pace.seconds, pace, OperationResult(answer=template)
    )
    return Reply(202, None, headers)


@routes.on("DELETE", resources.path_of(VMS))
def delete_machine(call: Call) -> Reply:
    """Delete a VM; its disks and network interfaces stay unless their delete option says otherwise."""
    vm = assumed_resources.find_or_assume(call, resources.resource_id(call, VMS))
    reply = resource_types.begin_deletion(call, _KIND, vm)
    if vm is not None:
        guest_system.drop_later_changes(call.store, _os_disk(call, vm), call.now)
    for disk in disks_of(vm) if vm is not None else []:
        item = call.store.get(disk_key(disk))
        if item is not None and str(disk.get("deleteOption", "")).lower() == "delete":
            ends = vm.hidden["work"]["end"] if vm is not None else call.now
            resources.delete_until(call.store, item, call.now, ends)
    if vm is not None:
        interfaces.delete_with_vm(call, vm)
        vm_extensions.delete_with_vm(call.store, vm, call.now)
    return reply


_SCHEMA = "http://schema.management.azure.com/schemas/2014-04-01-preview/VM_IP.json"
_PARAMETERS = ("vmName", "vmSize", "adminUserName", "adminPassword", "networkInterfaceId")


def capture_template(call: Call, vm: Item) -> dict[str, Any]:
    """Return the template that creates VMs from a captured one, or refuse to capture it. Source: recorded."""
    body = body_rules.check_action(call.body, "VirtualMachineCaptureParameters")
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
