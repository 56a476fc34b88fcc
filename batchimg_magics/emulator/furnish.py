"""The default resources of a new emulator state: a subscription, a Batch account, and four VMs.

The documents have the form of Azure's responses in recordings. Facts that no document shows (whether the operating
system on a disk is generalized) are stored beside them.
"""

from __future__ import annotations

import functools
from importlib import resources
from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.arm.imports import add_group
from batchimg_magics.emulator.arm.resources import SUBSCRIPTIONS, new_subscription
from batchimg_magics.emulator.catalog.disk_skus import disk_properties
from batchimg_magics.emulator.http.planes import timestamp
from batchimg_magics.emulator.http.tokens import TENANT
from batchimg_magics.emulator.world.evidence import Evidence
from batchimg_magics.emulator.world.store import Item

if TYPE_CHECKING:
    from batchimg_magics.emulator.world.store import Store

SUBSCRIPTION = "4f1c9a52-7d3e-4b8a-9c60-2e5d81f7a034"
GROUP = "research"
REGION = "eastus"
ACCOUNT = "genomicsbatch"
_TOP = f"/subscriptions/{SUBSCRIPTION}"
_GROUP = f"{_TOP}/resourceGroups/{GROUP}"
_DAY_S = 86_400.0
evidence = Evidence("Default resources")
_QUOTAS = evidence.assumed(
    {"dedicated": 2000, "spot": 1000},
    "cores",
    "of the default Batch account; the quotas of VM families are in data/family_quotas.json",
    "not of any real account: large enough for pools of some hundred nodes, small enough to be exceeded",
)


class _Machine(msgspec.Struct, frozen=True):
    """One of the default VMs: how it differs from the others."""

    name: str
    size: str
    image: tuple[str, str, str, str]
    os_type: str = "Linux"
    generation: str = "V2"
    trusted: bool = False
    os_disk_gib: int = 30
    data_disks_gib: tuple[tuple[int, int], ...] = ()  # (LUN, size)
    prepared: bool = True  # generalized, deallocated, and marked as generalized
    system: tuple[str, str] = ("ubuntu", "24.04")
    packages: str = "ubuntu-24.04+researcher"  # lists of catalog/package_lists.py


_MACHINES = (
    _Machine(
        "prep-vm",
        "Standard_D4s_v5",
        ("canonical", "ubuntu-24_04-lts", "server", "24.04.202506060"),
        trusted=True,
        os_disk_gib=64,
        data_disks_gib=((0, 256),),
    ),
    _Machine(
        "desk-vm",
        "Standard_D2s_v5",
        ("canonical", "ubuntu-24_04-lts", "server", "24.04.202506060"),
        data_disks_gib=((0, 128), (3, 32)),
        prepared=False,
    ),
    _Machine(
        "win-vm",
        "Standard_D4s_v3",
        ("MicrosoftWindowsServer", "WindowsServer", "2022-datacenter-g2", "20348.3807.250605"),
        os_type="Windows",
        os_disk_gib=127,
        system=("Windows Server 2022 Datacenter", "Microsoft Windows NT 10.0.20348.0"),
        packages="windows+windows-pip",
    ),
    _Machine(
        "gen1-vm",
        "Standard_DS2_v2",
        ("canonical", "ubuntu-24_04-lts", "server-gen1", "24.04.202506060"),
        generation="V1",
        packages="ubuntu-24.04",
    ),
)


def furnish(store: Store) -> None:
    """Create the default resources, unless they exist."""
    if store.meta("furnished"):
        return
    now = float(store.meta("start"))
    add_group(store, now, f"{_GROUP}/providers/Microsoft.Batch/batchAccounts/{ACCOUNT}", REGION)
    add_subscription(store)
    store.put(_account(store, now))
    store.set_meta("account", ACCOUNT)
    store.put(_network())
    for machine in _MACHINES:
        for item in _machine(store, machine, now):
            store.put(item)
    store.set_meta("furnished", value=True)


def add_subscription(store: Store) -> None:
    """Create the default subscription, or name it if it exists."""
    key = _TOP.lower()
    top = store.get(key) or Item(key, SUBSCRIPTIONS, new_subscription(SUBSCRIPTION))
    top.doc |= {"displayName": "Research (emulator)", "tenantId": TENANT}
    store.put(top)


def leave_empty(store: Store) -> None:
    """Do not create the default resources in this state, whoever opens it."""
    store.set_meta("furnished", value=True)


def _item(kind: str, name: str, properties: dict[str, Any], hidden: dict[str, Any], **beside: object) -> Item:
    key = f"{_GROUP}/providers/{kind}/{name}"
    document = {"name": name, "id": key, "type": kind, "location": REGION, **beside, "properties": properties}
    return Item(key.lower(), kind.lower(), document, hidden)


@functools.cache
def _family_quotas() -> list[dict[str, Any]]:
    text = resources.files("batchimg_magics.emulator.catalog").joinpath("data/family_quotas.json").read_bytes()
    quotas: dict[str, int] = msgspec.json.decode(text)
    return [{"name": name, "coreQuota": cores} for name, cores in quotas.items()]


def _account(store: Store, now: float) -> Item:
    guid = store.new_guid("account")
    properties = {
        "accountEndpoint": f"{ACCOUNT}.{REGION}.batch.azure.com",
        "nodeManagementEndpoint": f"{guid}.{REGION}.service.batch.azure.com",
        "provisioningState": "Succeeded",
        "dedicatedCoreQuota": _QUOTAS["dedicated"],
        "dedicatedCoreQuotaPerVMFamily": _family_quotas(),
        "dedicatedCoreQuotaPerVMFamilyEnforced": True,
        "lowPriorityCoreQuota": _QUOTAS["spot"],
        "poolQuota": 100,
        "activeJobAndJobScheduleQuota": 300,
        "poolAllocationMode": "BatchService",
        "publicNetworkAccess": "Enabled",
        "privateEndpointConnections": [],
        "encryption": {"keySource": "Microsoft.Batch"},
        "allowedAuthenticationModes": ["SharedKey", "AAD", "TaskAuthenticationToken"],
    }
    return _item("Microsoft.Batch/batchAccounts", ACCOUNT, properties, {"created": now}, identity={"type": "None"})


def _network() -> Item:
    network = f"{_GROUP}/providers/Microsoft.Network/virtualNetworks/research-vnet"
    subnet = {
        "name": "default",
        "id": f"{network}/subnets/default",
        "type": "Microsoft.Network/virtualNetworks/subnets",
        "properties": {"provisioningState": "Succeeded", "addressPrefix": "10.0.0.0/20"},
    }
    properties = {
        "provisioningState": "Succeeded",
        "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
        "subnets": [subnet],
    }
    return _item("Microsoft.Network/virtualNetworks", "research-vnet", properties, {})


def _machine(store: Store, machine: _Machine, now: float) -> list[Item]:
    """Return a VM with its disks and its network interface."""
    created = now - 14 * _DAY_S
    os_disk = _disk(store, machine, f"{machine.name}_OsDisk_1", machine.os_disk_gib, created, system=True)
    data = [
        _disk(store, machine, f"{machine.name}_DataDisk_{lun}", gib, created) for lun, gib in machine.data_disks_gib
    ]
    return [_vm(store, machine, os_disk, data, now), os_disk, *data, *_nic(machine)]


def _disk(store: Store, machine: _Machine, name: str, gib: int, created: float, *, system: bool = False) -> Item:
    creation: dict[str, Any] = {"createOption": "Empty"}
    properties: dict[str, Any] = {}
    if system:
        publisher, offer, sku, exact = machine.image
        path = f"Publishers/{publisher}/ArtifactTypes/VMImage/Offers/{offer}/Skus/{sku}/Versions/{exact}"
        reference = f"{_TOP}/Providers/Microsoft.Compute/Locations/{REGION}/{path}"
        creation = {"createOption": "FromImage", "imageReference": {"id": reference}}
        properties = {
            "osType": machine.os_type,
            "hyperVGeneration": machine.generation,
            "supportsHibernation": machine.generation == "V2",
            "supportedCapabilities": {
                "diskControllerTypes": "SCSI, NVMe",
                "acceleratedNetwork": True,
                "architecture": "x64",
            },
        }
        if machine.trusted:
            properties["securityProfile"] = {"securityType": "TrustedLaunch"}
    properties |= {"creationData": creation, "diskSizeGB": gib}
    properties |= disk_properties("Premium_LRS", gib) | {
        "encryption": {"type": "EncryptionAtRestWithPlatformKey"},
        "networkAccessPolicy": "AllowAll",
        "publicNetworkAccess": "Enabled",
        "timeCreated": timestamp(created, zone="+00:00"),
        "provisioningState": "Succeeded",
        "diskState": "Reserved" if machine.prepared else "Attached",
        "uniqueId": store.new_guid("disk"),
    }
    content = {"guest": {"packages": {"base": machine.packages}}}
    hidden = {"deprovisioned": machine.prepared, **content} if system else {}
    owner = f"{_GROUP}/providers/Microsoft.Compute/virtualMachines/{machine.name}"
    sku_document = {"name": "Premium_LRS", "tier": "Premium"}
    return _item("Microsoft.Compute/disks", name, properties, hidden, managedBy=owner, sku=sku_document)


def _vm(store: Store, machine: _Machine, os_disk: Item, data: list[Item], now: float) -> Item:
    publisher, offer, sku, exact = machine.image
    luns = [lun for lun, _ in machine.data_disks_gib]
    properties: dict[str, Any] = {
        "hardwareProfile": {"vmSize": machine.size},
        "provisioningState": "Succeeded",
        "vmId": store.new_guid("vm"),
        "storageProfile": {
            "imageReference": {
                "publisher": publisher,
                "offer": offer,
                "sku": sku,
                "version": "latest",
                "exactVersion": exact,
            },
            "osDisk": {
                "osType": machine.os_type,
                **_attachment(os_disk, "FromImage", "ReadWrite"),
            },
            "dataDisks": [
                {"lun": lun, **_attachment(disk, "Empty", "None"), "toBeDetached": False}
                for lun, disk in zip(luns, data, strict=True)
            ],
            "diskControllerType": "SCSI",
        },
        "osProfile": _os_profile(machine),
        "networkProfile": {
            "networkInterfaces": [{"id": f"{_GROUP}/providers/Microsoft.Network/networkInterfaces/{machine.name}-nic"}]
        },
        "timeCreated": timestamp(now - 14 * _DAY_S, zone="+00:00"),
    }
    if machine.trusted:
        uefi = {"secureBootEnabled": True, "vTpmEnabled": True}
        properties["securityProfile"] = {"uefiSettings": uefi, "securityType": "TrustedLaunch"}
    hidden = {
        "power": "deallocated" if machine.prepared else "running",
        "generalized": machine.prepared,
        "since": now - _DAY_S,
        "held": [now - _DAY_S],
        "system": list(machine.system),
        "revision": 1,
    }
    return _item("Microsoft.Compute/virtualMachines", machine.name, properties, hidden, tags={})


def _attachment(disk: Item, option: str, caching: str) -> dict[str, Any]:
    return {
        "name": disk.doc["name"],
        "createOption": option,
        "caching": caching,
        "managedDisk": {"storageAccountType": disk.doc["sku"]["name"], "id": disk.doc["id"]},
        "deleteOption": "Detach",
        "diskSizeGB": disk.doc["properties"]["diskSizeGB"],
    }


def _os_profile(machine: _Machine) -> dict[str, Any]:
    patching = {"patchMode": "ImageDefault", "assessmentMode": "ImageDefault"}
    profile: dict[str, Any] = {"computerName": machine.name, "adminUsername": "researcher"}
    if machine.os_type == "Windows":
        patching["patchMode"] = "AutomaticByOS"
        profile["windowsConfiguration"] = {
            "provisionVMAgent": True,
            "enableAutomaticUpdates": True,
            "patchSettings": patching,
        }
    else:
        profile["linuxConfiguration"] = {
            "disablePasswordAuthentication": False,
            "provisionVMAgent": True,
            "patchSettings": patching,
        }
    return profile | {"secrets": [], "allowExtensionOperations": True, "requireGuestProvisionSignal": True}


def _nic(machine: _Machine) -> list[Item]:
    """Return the network interface of a VM and its public IP address."""
    network = f"{_GROUP}/providers/Microsoft.Network"
    number = 4 + [one.name for one in _MACHINES].index(machine.name)
    address = _item(
        "Microsoft.Network/publicIPAddresses",
        f"{machine.name}-ip",
        # 203.0.113.0/24 is reserved for documentation: no host has such an address.
        {"provisioningState": "Succeeded", "publicIPAllocationMethod": "Static", "ipAddress": f"203.0.113.{number}"},
        {},
        sku={"name": "Standard", "tier": "Regional"},
    )
    name = f"{machine.name}-nic"
    configuration = {
        "name": "ipconfig1",
        "id": f"{network}/networkInterfaces/{name}/ipConfigurations/ipconfig1",
        "properties": {
            "provisioningState": "Succeeded",
            "privateIPAddress": f"10.0.0.{number}",
            "privateIPAllocationMethod": "Dynamic",
            "publicIPAddress": {"id": address.doc["id"]},
            "subnet": {"id": f"{network}/virtualNetworks/research-vnet/subnets/default"},
            "primary": True,
        },
    }
    owner = f"{_GROUP}/providers/Microsoft.Compute/virtualMachines/{machine.name}"
    properties = {
        "provisioningState": "Succeeded",
        "ipConfigurations": [configuration],
        "enableAcceleratedNetworking": True,
        "virtualMachine": {"id": owner},
    }
    return [_item("Microsoft.Network/networkInterfaces", name, properties, {}), address]
