"""The shapes that imported documents must have, so that the rules of the emulator can process them.

Documents come from many tools. The row of a list, as ``az resource list`` prints it, is refused: it does not tell what
the resource is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.arm.resources import type_of
from batchimg_magics.emulator.arm.role_definitions import RoleProperties

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Reference(msgspec.Struct):
    id: str = ""


class _Attached(msgspec.Struct, rename="camel"):
    name: str = ""
    lun: int = 0
    os_type: str = ""
    managed_disk: _Reference | None = None
    vhd: dict[str, str] | None = None


class _Storage(msgspec.Struct, rename="camel"):
    os_disk: _Attached | None = None
    data_disks: list[_Attached] | None = None


class _Hardware(msgspec.Struct, rename="camel"):
    vm_size: str = ""


class _Profile(msgspec.Struct, rename="camel"):
    computer_name: str = ""


class _Status(msgspec.Struct):
    code: str = ""


class _View(msgspec.Struct):
    statuses: list[_Status] = []


class _Machine(msgspec.Struct, rename="camel"):
    storage_profile: _Storage | None = None
    hardware_profile: _Hardware | None = None
    os_profile: _Profile | None = None
    instance_view: _View | None = None


class _Creation(msgspec.Struct, rename="camel"):
    create_option: str = ""


class _Disk(msgspec.Struct, rename="camel"):
    disk_size_gb: int = msgspec.field(default=0, name="diskSizeGB")
    os_type: str = ""
    creation_data: _Creation | None = None
    security_profile: dict[str, Any] | None = None
    supported_capabilities: dict[str, Any] | None = None


class _Family(msgspec.Struct, rename="camel"):
    name: str = ""
    core_quota: int = 0


class _Account(msgspec.Struct, rename="camel"):
    dedicated_core_quota: int | None = None
    low_priority_core_quota: int | None = None
    pool_quota: int = 100
    family_quotas: list[_Family] | None = msgspec.field(default=None, name="dedicatedCoreQuotaPerVMFamily")


class _Document(msgspec.Struct):
    name: str
    location: str = ""
    tags: dict[str, str] | None = None


class _Part(msgspec.Struct):
    name: str = ""
    properties: dict[str, Any] = {}


class _Subnet(_Part, kw_only=True):
    id: str
    name: str


class _Interface(msgspec.Struct, rename="camel"):
    ip_configurations: list[_Part] | None = None


class _Network(msgspec.Struct, rename="camel"):
    subnets: list[_Subnet] | None = None
    address_space: dict[str, Any] | None = None


class _SecurityGroup(msgspec.Struct, rename="camel"):
    security_rules: list[_Part] | None = None


class _RouteTable(msgspec.Struct):
    routes: list[_Part] | None = None


class _Gateway(msgspec.Struct, rename="camel"):
    public_ip_addresses: list[_Reference] | None = None


class _Address(msgspec.Struct, rename="camel"):
    dns_settings: dict[str, Any] | None = None


class _Assignment(msgspec.Struct, rename="camel"):
    role_definition_id: str
    scope: str


class _Image(msgspec.Struct, rename="camel"):
    storage_profile: _Storage | None = None


class _Definition(msgspec.Struct, rename="camel"):
    os_type: str = ""
    features: list[dict[str, Any]] | None = None


class _Version(msgspec.Struct, rename="camel"):
    storage_profile: dict[str, Any] | None = None
    publishing_profile: dict[str, Any] | None = None


class _Pool(msgspec.Struct, rename="camel"):
    vm_size: str = ""
    deployment_configuration: dict[str, Any] | None = None
    network_configuration: dict[str, Any] | None = None
    metadata: list[dict[str, Any]] | None = None


#: The expected properties of each type.
_SHAPES: dict[str, type[msgspec.Struct]] = {
    "microsoft.authorization/roleassignments": _Assignment,
    "microsoft.authorization/roledefinitions": RoleProperties,
    "microsoft.batch/batchaccounts": _Account,
    "microsoft.batch/batchaccounts/pools": _Pool,
    "microsoft.compute/disks": _Disk,
    "microsoft.compute/galleries/images": _Definition,
    "microsoft.compute/galleries/images/versions": _Version,
    "microsoft.compute/images": _Image,
    "microsoft.compute/snapshots": _Disk,
    "microsoft.compute/virtualmachines": _Machine,
    "microsoft.network/natgateways": _Gateway,
    "microsoft.network/networkinterfaces": _Interface,
    "microsoft.network/networksecuritygroups": _SecurityGroup,
    "microsoft.network/publicipaddresses": _Address,
    "microsoft.network/routetables": _RouteTable,
    "microsoft.network/virtualnetworks": _Network,
}
#: The properties without which a resource of a type is not known: each group needs one of its members.
NEEDED: dict[str, tuple[tuple[str, ...], ...]] = {
    "microsoft.batch/batchaccounts/pools": (("vmSize",), ("deploymentConfiguration",)),
    "microsoft.compute/disks": (("creationData", "diskSizeGB", "osType"),),
    "microsoft.compute/galleries/images": (("osType",),),
    "microsoft.compute/galleries/images/versions": (("storageProfile", "publishingProfile"),),
    "microsoft.compute/images": (("storageProfile",),),
    "microsoft.compute/snapshots": (("creationData", "diskSizeGB", "osType"),),
    "microsoft.compute/virtualmachines": (("storageProfile",), ("hardwareProfile",)),
    "microsoft.compute/virtualmachines/extensions": (("publisher",), ("type",), ("typeHandlerVersion",)),
    "microsoft.network/networkinterfaces": (("ipConfigurations",),),
    "microsoft.network/virtualnetworks": (("subnets", "addressSpace"),),
}
#: The commands of the Azure CLI that print a resource of a type by its id; ``az resource`` does so for the others.
_COMMANDS = {
    "microsoft.compute/disks": "disk",
    "microsoft.compute/galleries": "sig",
    "microsoft.compute/galleries/images": "sig image-definition",
    "microsoft.compute/galleries/images/versions": "sig image-version",
    "microsoft.compute/images": "image",
    "microsoft.compute/snapshots": "snapshot",
    "microsoft.compute/virtualmachines": "vm",
    "microsoft.network/networkinterfaces": "network nic",
    "microsoft.network/networksecuritygroups": "network nsg",
    "microsoft.network/publicipaddresses": "network public-ip",
    "microsoft.network/virtualnetworks": "network vnet",
}


def show_command(key: str) -> str:
    """Return the command of the Azure CLI that prints the document of a resource."""
    try:
        group = _COMMANDS.get(type_of(key).lower(), "resource")
    except ValueError:  # of a subscription or of another scope
        group = "resource"
    return f"az {group} show --ids {key} --output json"


def shape_problem(document: dict[str, Any]) -> str | None:
    """Return which part of a document is missing or has a type that the rules cannot process, or None."""
    kind, properties = str(document["type"]).lower(), document["properties"]
    try:
        msgspec.convert(document, _Document)
        if (shape := _SHAPES.get(kind)) is not None:
            msgspec.convert(properties, shape)
    except msgspec.ValidationError as error:
        return str(error)
    for group in NEEDED.get(kind, ()):
        if not any(name in properties for name in group):
            return f"it has no {' or '.join(group)}: it is the row of a list; export the resource with `az ... show`"
    if kind == "microsoft.compute/virtualmachines" and not isinstance(properties["storageProfile"].get("osDisk"), dict):
        return "its storageProfile has no osDisk"
    return None


def references(document: dict[str, Any]) -> Iterator[str]:
    """Yield the ids of the resources without which a resource cannot be judged or copied."""
    kind, properties = str(document["type"]).lower(), document["properties"]
    if kind == "microsoft.compute/virtualmachines":
        storage = properties["storageProfile"]
        disks = [storage["osDisk"], *storage.get("dataDisks", [])]
        yield from _ids([one.get("managedDisk") for one in disks])
        network = properties.get("networkProfile")
        yield from _ids(network.get("networkInterfaces") if isinstance(network, dict) else None)
    elif kind == "microsoft.network/networkinterfaces":
        for subnet in _subnets(properties):
            yield subnet.partition("/subnets/")[0]
    elif kind == "microsoft.compute/virtualmachines/extensions":
        yield str(document["id"]).rpartition("/extensions/")[0]
    elif kind == "microsoft.compute/galleries/images/versions":
        yield str(document["id"]).rpartition("/versions/")[0]
    elif kind == "microsoft.compute/galleries/images":
        yield str(document["id"]).rpartition("/images/")[0]
    elif kind == "microsoft.batch/batchaccounts/pools":
        yield str(document["id"]).rpartition("/pools/")[0]
        machine = (properties.get("deploymentConfiguration") or {}).get("virtualMachineConfiguration")
        reference = machine.get("imageReference") if isinstance(machine, dict) else None
        yield from _ids([reference])


def _subnets(interface: dict[str, Any]) -> Iterator[str]:
    for one in interface.get("ipConfigurations") or ():
        inner = one.get("properties") if isinstance(one, dict) else None
        subnet = inner.get("subnet") if isinstance(inner, dict) else None
        yield from _ids([subnet])


def _ids(parts: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    for one in parts if isinstance(parts, list) else ():
        if isinstance(one, dict) and one.get("id"):
            yield str(one["id"])
