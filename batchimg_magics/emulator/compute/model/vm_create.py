"""Creation of VMs: from an image or from a disk, with their disks and network interfaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm import assumed_resources, bodies, resource_types, resources
from batchimg_magics.emulator.arm.open_world import is_open
from batchimg_magics.emulator.arm.operations import OPERATION_TIMINGS, operation_s
from batchimg_magics.emulator.arm.resource_types import BuildResult, ResourceType
from batchimg_magics.emulator.catalog.vm_sizes import find_size
from batchimg_magics.emulator.compute.model import (
    core_quotas,
    size_offers,
    vm_accounts,
    vm_changes,
    vm_disks,
    vm_resize,
    vm_rules,
)
from batchimg_magics.emulator.compute.model.vm_view import etag, vm_document
from batchimg_magics.emulator.http.messages import Call, Refusal, Reply
from batchimg_magics.emulator.http.planes import timestamp
from batchimg_magics.emulator.network.interfaces import attach_to_vm, create_with_vm

if TYPE_CHECKING:
    from batchimg_magics.emulator.catalog.vm_sizes import VmSize
    from batchimg_magics.emulator.world.store import Item

VMS = "Microsoft.Compute/virtualMachines"
#: The sizes of VMs without one, by operating system.
_PATCH_MODES = {"Linux": "ImageDefault", "Windows": "AutomaticByOS"}
#: Source: Azure's naming rules for VMs.
_MAX_NAME = 64
#: Passwords and keys that no response shows.
_SECRETS = frozenset({"adminPassword", "customData"})
_KEPT_FACTS = (
    "generalized", "power", "since", "booted", "stops_at", "held", "system", "change", "instance_view", "command_until",
    "custom_data",
)  # fmt: skip


def put(call: Call, kind: ResourceType) -> Reply:
    """Create or change a VM."""
    resources.need_group(call)
    call.body = bodies.body_of(call)
    key = resources.resource_id(call, VMS)
    old = resources.find(call.store, call.now, key)
    resources.check_conditions(call, old, etag(old) if old is not None else "")
    location = bodies.location_of(call)
    resource_types.check_name(call.params["name1"], resource_types.NAME_RULE)
    if len(call.params["name1"]) > _MAX_NAME:
        message = f"The name of a virtual machine cannot have more than {_MAX_NAME} characters."
        raise bodies.invalid("name", message)
    resource_types.refuse_during_operation(call, old)
    resources.refuse_other_region(old, location)
    call.body = bodies.with_properties(kind.check_body(call.body, patched=False))
    return _begin_change(call, kind, old, {"name": call.params["name1"], "id": key, "type": VMS})


def patch(call: Call, kind: ResourceType) -> Reply:
    """Change the members of a VM that a body has."""
    old = assumed_resources.need_or_assume(call, resources.resource_id(call, VMS))
    resources.check_conditions(call, old, etag(old))
    resource_types.refuse_during_operation(call, old)
    asked = bodies.with_properties(kind.check_body(bodies.body_of(call), patched=True))
    call.body = {**old.doc, **asked, "properties": bodies.merged(old.doc["properties"], asked["properties"])}
    return _begin_change(call, kind, old, {})


def _begin_change(call: Call, kind: ResourceType, old: Item | None, names: dict[str, Any]) -> Reply:
    built = kind.build(call, old)
    beside = ("location", "tags", "zones", "identity", "plan", "sku")
    top_level = {one: call.body[one] for one in beside if call.body.get(one) is not None}
    document = (old.doc if old is not None else names) | top_level
    reply = resource_types.begin_change(call, kind, old, built, document)
    vm = call.store.get(str(document["id"]))
    if vm is not None and isinstance(reply.body, dict):
        reply.body = vm_document(vm, call.now)
        reply.headers["ETag"] = etag(vm)
    return reply


def build(call: Call, old: Item | None) -> BuildResult:
    """Check the body of a VM, and create its disks and network interfaces."""
    asked = call.body["properties"]
    size = _size(call, asked)
    security = bodies.part(asked.get("securityProfile"), "securityProfile")
    _refuse_security(size, security)
    _refuse_unavailable(call, old, asked, size)
    if old is None:
        vm_rules.check_new(call, asked, size)
    else:
        vm_changes.check_change(call, old)
    storage, system = vm_disks.storage_profile(call, old, asked, size)
    if old is None or asked.get("licenseType") != old.doc["properties"].get("licenseType"):
        vm_rules.check_licence(asked, system.os_type)
    properties = {
        **{name: one for name, one in asked.items() if name not in ("provisioningState", "instanceView")},
        "hardwareProfile": {"vmSize": size.name} if size else asked["hardwareProfile"],
        "storageProfile": storage,
        "networkProfile": _network(call, old, asked),
        "timeCreated": old.doc["properties"].get("timeCreated") if old else timestamp(call.now, zone="+00:00"),
        "vmId": old.doc["properties"]["vmId"] if old else call.store.new_guid("vm"),
    }
    if profile := _os_profile(call, old, asked, system):
        properties["osProfile"] = profile
    if old is not None:
        facts = {name: old.hidden[name] for name in _KEPT_FACTS if name in old.hidden}
        seconds = operation_s(call, OPERATION_TIMINGS["vm update"].seconds, old.key)
        return BuildResult(properties, facts | {"revision": old.hidden.get("revision", 1) + 1}, seconds=seconds)
    seconds = operation_s(call, OPERATION_TIMINGS["vm"].seconds, call.path)
    starts = {"end": call.now + seconds, "during": "starting", "after": "running"}
    hidden = {"change": starts, "since": call.now + seconds, "held": [call.now + seconds]}
    hidden |= {"generalized": False, "revision": 1, "booted": call.now + seconds}
    if custom := (asked.get("osProfile") or {}).get("customData"):
        hidden["custom_data"] = custom
    return BuildResult(properties, hidden | {"system": list(system.name)}, seconds=seconds)


def _size(call: Call, asked: dict[str, Any]) -> VmSize | None:
    hardware = bodies.part(asked.get("hardwareProfile"), "hardwareProfile")
    name = bodies.text(hardware.get("vmSize"), "vmSize")
    size = find_size(name)
    if size is None and not is_open(call.store):
        raise bodies.invalid("vmSize", f"The value {name} provided for the VM size is not valid.")
    return size


def _refuse_unavailable(call: Call, old: Item | None, asked: dict[str, Any], size: VmSize | None) -> None:
    """Refuse a new VM, or a new size of one, that the subscription may not use or that is above its quotas."""
    before = "" if old is None else old.doc["properties"].get("hardwareProfile", {}).get("vmSize", "")
    if size is None or size.name.lower() == before.lower() or is_open(call.store):
        return
    size_offers.refuse_unavailable(size, call.body["location"], call.body.get("zones"))
    if old is not None:
        vm_resize.refuse(call.store, old, size, call.now)
    kind = core_quotas.kind_of(asked)
    core_quotas.refuse_above_quota(call, size, kind, resources.resource_id(call, VMS))


def _refuse_security(size: VmSize | None, security: dict[str, Any]) -> None:
    wanted = str(security.get("securityType", ""))
    if wanted == "TrustedLaunch" and size is not None and not size.trusted_launch:
        message = f"The VM size '{size.name}' does not support security type 'TrustedLaunch'."
        raise Refusal(400, "BadRequest", message)


def _os_profile(
    call: Call, old: Item | None, asked: dict[str, Any], system: vm_disks.OperatingSystem
) -> dict[str, Any] | None:
    """Return the OS profile that Azure shows: without secrets, and with defaults."""
    profile = bodies.part(asked.get("osProfile"), "osProfile")
    if old is not None:
        kept: dict[str, Any] | None = old.doc["properties"].get("osProfile")
        return kept
    if not system.generalized:
        if profile:
            raise bodies.invalid("osProfile", "Parameter 'osProfile' is not allowed.")
        return None
    if not profile:
        raise bodies.missing("osProfile")
    bodies.text(profile.get("adminUsername"), "osProfile.adminUsername")
    vm_accounts.check_profile(profile, system.os_type, call.params["name1"])
    shown_profile = {name: one for name, one in profile.items() if name not in _SECRETS}
    shown_profile.setdefault("computerName", call.params["name1"])
    word = f"{system.os_type.lower()}Configuration"
    own: dict[str, Any] = {"disablePasswordAuthentication": "adminPassword" not in profile}
    if system.os_type == "Windows":
        own = {"enableAutomaticUpdates": True}
    patching = {"patchMode": _PATCH_MODES[system.os_type], "assessmentMode": "ImageDefault"}
    filled = {"provisionVMAgent": True, "patchSettings": patching} | own
    rest = {"secrets": [], "allowExtensionOperations": True, "requireGuestProvisionSignal": True}
    return rest | shown_profile | {word: filled | bodies.part(profile.get(word), f"osProfile.{word}")}


def _network(call: Call, old: Item | None, asked: dict[str, Any]) -> dict[str, Any]:
    """Return the network profile: existing network interfaces, or ones that are created with the VM."""
    profile = bodies.part(asked.get("networkProfile"), "networkProfile")
    interfaces = bodies.parts(profile.get("networkInterfaces"), "networkInterfaces")
    configurations = bodies.parts(profile.get("networkInterfaceConfigurations"), "networkInterfaceConfigurations")
    kept: dict[str, Any] = old.doc["properties"].get("networkProfile", {}) if old is not None else {}
    if old is not None and not interfaces and not configurations:
        return kept
    if not interfaces and not configurations:
        raise bodies.missing("networkProfile.networkInterfaces")
    vm_id = resources.resource_id(call, VMS)
    known = {str(one.get("id")).lower() for one in kept.get("networkInterfaces") or []}
    for interface in interfaces:
        key = bodies.text(interface.get("id"), "networkInterfaces.id")
        if key.lower() not in known:
            attach_to_vm(call, vm_id, key)
    created = [{"id": create_with_vm(call, vm_id, one), "properties": _attachment(one)} for one in configurations]
    return {"networkInterfaces": [*interfaces, *created]}


def _attachment(configuration: dict[str, Any]) -> dict[str, Any]:
    """Return how a VM shows a network interface that was created with it."""
    asked = bodies.part(configuration.get("properties"), "networkInterfaceConfigurations.properties")
    return {"primary": asked.get("primary", True), "deleteOption": asked.get("deleteOption", "Detach")}
