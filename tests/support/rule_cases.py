"""Every rule, with facts that violate it and with facts that comply."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.support.documents import ACCOUNT
from tests.support.rule_resources import (
    GALLERY,
    IMAGES,
    OTHER_SUBSCRIPTION,
    SIZE,
    SUBNET,
    RuleResources,
    account,
    definition,
    gallery,
    managed_image,
    network,
    pool,
    public_address,
    security_group,
    snapshot,
    version,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd

    from batchimg_magics.session.session import Session


HOME = ACCOUNT.partition("/providers/")[0]
_TOP = HOME.partition("/resourceGroups/")[0]
_POLICIES = "/providers/Microsoft.Authorization/policyDefinitions"
TAG, TAG_VALUE = "871b6d14-10aa-478d-b590-94f262ecfa99", "1e30110a-5ceb-460c-a204-c1c3969c6d62"
LOCATIONS, SIZES = "e56962a6-4747-49cd-b67b-bf8b01975c4c", "cccc23c7-8427-4f53-ad12-b6a63eb452b3"


@dataclass(frozen=True)
class Case:
    """What a rule reports about some resources.

    Parameters
    ----------
    rule, says
        The rule, and a part of what it found; with `fix`, of what to do about it.
    ok, severity
        As the table has them; of a rule that breaks nothing, ``info``.
    change
        What is different from the prepared VM that keeps all rules.
    name, ask, date, limit
        What is checked, with which options, on which day, under which limit of dollars an hour.
    """

    rule: str
    says: str
    change: Callable[[RuleResources], object] = lambda _: None
    ok: bool | None = False
    severity: str = "error"
    fix: str = ""
    name: str = "lab-vm"
    date: str = "2026-07-01"
    limit: float | None = None
    ask: dict[str, Any] = field(default_factory=dict)

    @property
    def fires(self) -> bool:
        return self.ok is not True or self.severity == "info"

    def __str__(self) -> str:
        return f"{self.rule}: {self.says}"


def ask(**options: Any) -> dict[str, Any]:
    return {"ask": options}


def kept(rule: str, says: str, change: Callable[[RuleResources], object] = lambda _: None, **more: Any) -> Case:
    return Case(rule, says, change, ok=True, **{"severity": "", **more})


def warned(rule: str, says: str, change: Callable[[RuleResources], object] = lambda _: None, **more: Any) -> Case:
    return Case(rule, says, change, severity="warning", **more)


def noted(rule: str, says: str, change: Callable[[RuleResources], object] = lambda _: None, **more: Any) -> Case:
    return Case(rule, says, change, ok=True, severity="info", **more)


def unknown(rule: str, says: str, change: Callable[[RuleResources], object] = lambda _: None, **more: Any) -> Case:
    return Case(rule, says, change, ok=None, severity="warning", **more)


def statuses(*codes: str) -> Callable[[RuleResources], object]:
    return lambda lab: lab.vm["properties"].update(instanceView={"statuses": [{"code": code} for code in codes]})


def vm(**properties: Any) -> Callable[[RuleResources], object]:
    return lambda lab: lab.vm["properties"].update(properties)


def os_disk(**properties: Any) -> Callable[[RuleResources], object]:
    return lambda lab: lab.os_disk["properties"].update(properties)


def data_disk(**properties: Any) -> Callable[[RuleResources], object]:
    return lambda lab: lab.data_disk["properties"].update(properties)


def sku(name: str) -> Callable[[RuleResources], object]:
    return lambda lab: lab.data_disk.update(sku={"name": name})


def marketplace(publisher: str, offer: str, sku: str) -> Callable[[RuleResources], object]:
    image = {"publisher": publisher, "offer": offer, "sku": sku, "version": "latest"}
    return lambda lab: lab.storage.update(imageReference=image)


def accounts(**properties: Any) -> Callable[[RuleResources], object]:
    return lambda lab: lab.account.update(account(**properties))


def inside_network() -> dict[str, Any]:
    """Return the properties of a private account whose network this client is in."""
    endpoint = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/privateEndpoints/emulator-client"
    state = {"privateLinkServiceConnectionState": {"status": "Approved"}, "privateEndpoint": {"id": endpoint}}
    return {"publicNetworkAccess": "Disabled", "privateEndpointConnections": [{"properties": state}]}


def selected_networks(*addresses: str) -> dict[str, Any]:
    """Return the network profile of an account that allows these addresses only."""
    rules = [{"action": "Allow", "value": address} for address in addresses]
    return {"accountAccess": {"defaultAction": "Deny", "ipRules": rules}}


def there(*documents: dict[str, Any]) -> Callable[[RuleResources], object]:
    return lambda lab: lab.more.extend(documents)


def both(*changes: Callable[[RuleResources], object]) -> Callable[[RuleResources], object]:
    return lambda lab: [change(lab) for change in changes]


def extension(name: str = "MonitorAgent", kind: str = "") -> Callable[[RuleResources], object]:
    child = {"type": "Microsoft.Compute/virtualMachines/extensions", "name": name, "properties": {"type": kind or name}}
    return lambda lab: lab.vm.update(resources=[{**child, "id": f"{lab.vm['id']}/extensions/{name}"}])


def handlers(*types: str) -> Callable[[RuleResources], object]:
    found = {"extensionHandlers": [{"type": one} for one in types]}
    return lambda lab: lab.vm["properties"]["instanceView"].update(vmAgent=found)


def lock(level: str, of: str = HOME) -> Callable[[RuleResources], object]:
    key = f"{of}/providers/Microsoft.Authorization/locks/keep"
    kind = {"name": "keep", "type": "Microsoft.Authorization/locks"}
    return there({"id": key, **kind, "properties": {"level": level}})


def policy(definition: str, of: str = HOME, more: dict[str, Any] | None = None, **given: Any) -> dict[str, Any]:
    """Return an assignment of a built-in policy, or of one by its id."""
    found = definition if "/" in definition else f"{_POLICIES}/{definition}"
    values = {name: {"value": value} for name, value in given.items()}
    return {
        "id": f"{of}/providers/Microsoft.Authorization/policyAssignments/ours",
        "name": "ours",
        "type": "Microsoft.Authorization/policyAssignments",
        "properties": {"displayName": "Our rule", "policyDefinitionId": found, "parameters": values, **(more or {})},
    }


def custom_policy(condition: dict[str, Any], effect: str = "deny", name: str = "custom") -> dict[str, Any]:
    """Return the definition of a policy."""
    return {
        "id": f"{_TOP}/providers/Microsoft.Authorization/policyDefinitions/{name}",
        "name": name,
        "type": "Microsoft.Authorization/policyDefinitions",
        "properties": {"displayName": name, "policyRule": {"if": condition, "then": {"effect": effect}}},
    }


def another_account() -> dict[str, Any]:
    found = account(accountEndpoint="otherbatch.eastus.batch.azure.com")
    key = ACCOUNT.replace(ACCOUNT.split("/")[2], OTHER_SUBSCRIPTION).replace("genomicsbatch", "otherbatch")
    return {**found, "id": key, "name": "otherbatch"}


def trusted(lab: RuleResources) -> None:
    lab.vm["properties"]["securityProfile"] = {"securityType": "TrustedLaunch"}
    lab.os_disk["properties"]["securityProfile"] = {"securityType": "TrustedLaunch"}


def nodes_of(dedicated: int, spot: int = 0) -> dict[str, Any]:
    return {"fixedScale": {"targetDedicatedNodes": dedicated, "targetLowPriorityNodes": spot}}


def of_blob() -> dict[str, Any]:
    image = managed_image(blobUri="https://lab.blob.core.windows.net/vhds/a.vhd")
    del image["properties"]["storageProfile"]["osDisk"]["snapshot"]
    return image


TOOLS = there(definition(), version())
OLD = there(managed_image(), snapshot())
MINE = {"name": f"{GALLERY}/images/tools"}
THE_POOL = {"name": "old-pool"}
THE_OLD = {"name": f"{IMAGES}/old"}
USER = accounts(poolAllocationMode="UserSubscription", dedicatedCoreQuota=None, lowPriorityCoreQuota=None)
ELSEWHERE = SUBNET.replace(SUBNET.split("/")[2], OTHER_SUBSCRIPTION)
SECURITY = {"networkSecurityGroup": {"id": security_group("Deny")["id"]}}

KEYS = f"{IMAGES}/keys".replace("images", "diskEncryptionSets")
DOCUMENT: dict[str, Any] = {"virtualMachineConfiguration": {"nodeAgentSKUId": "batch.node.ubuntu 22.04"}}
EGRESS = str(public_address()["id"])


def planned(lab: RuleResources) -> None:
    lab.vm.update(plan={"publisher": "acme", "product": "db", "name": "gold"})


def running(**subnet: Any) -> Callable[[RuleResources], object]:
    """Return a change: the VM runs, is not generalized, and has an interface in a subnet."""

    def change(lab: RuleResources) -> None:
        interface = f"{SUBNET.partition('/virtualNetworks/')[0]}/networkInterfaces/lab-nic"
        configuration = {"name": "ip", "properties": {"subnet": {"id": SUBNET}}}
        lab.vm["properties"]["instanceView"]["statuses"] = [{"code": "PowerState/running"}]
        lab.vm["properties"]["osProfile"] = {"adminUsername": "ada"}
        lab.vm["properties"]["networkProfile"] = {"networkInterfaces": [{"id": interface}]}
        kind = {"id": interface, "name": "lab-nic", "type": "Microsoft.Network/networkInterfaces", "location": "eastus"}
        lab.more += [network(**subnet), kind | {"properties": {"ipConfigurations": [configuration]}}]

    return change


def crowded(lab: RuleResources) -> None:
    """Change: other VMs use all cores of the region."""
    running()(lab)
    for number in range(12):
        one = {"id": f"{lab.vm['id']}{number}", "name": f"lab-vm{number}", "location": "eastus", "type": lab.vm["type"]}
        view = {"statuses": [{"code": "PowerState/running"}]}
        size = {"hardwareProfile": {"vmSize": "Standard_HB120rs_v3"}, "instanceView": view}
        size["storageProfile"] = {"osDisk": {"osType": "Linux", "name": "big", "createOption": "FromImage"}}
        lab.more.append(one | {"properties": size})


def marked(power: str) -> Callable[[RuleResources], object]:
    """Return a change: the VM has the mark of a stop for a copy, and this power state."""

    def change(lab: RuleResources) -> None:
        running()(lab)
        lab.vm["properties"]["instanceView"]["statuses"] = [{"code": f"PowerState/{power}"}]
        lab.vm["tags"] = {"batchimg-stopped": "other"}

    return change


VM = f"{HOME}/providers/Microsoft.Compute/virtualMachines/lab-vm"
AWAY = definition(group=GALLERY.replace(GALLERY.split("/")[2], OTHER_SUBSCRIPTION))
AWAY_VERSION = version(group=GALLERY.replace(GALLERY.split("/")[2], OTHER_SUBSCRIPTION))
CASES = [
    Case("copy-size", "has another kind of temporary disk", running(), **ask(copy_size="Standard_D2s_v5")),
    Case("copy-size", "does not offer VM size", running(), **ask(copy_size="Standard_D2s_v55"), fix="Standard_D2s_v5"),
    kept("copy-size", "can boot the disks", running(), **ask(copy_size="Standard_D2ds_v5")),
    Case("copy-quota", "cores: 14", crowded, fix="az vm list-usage --location eastus"),
    kept("copy-quota", "fits into the quotas", running()),
    warned("stopped-vm", "was stopped for a copy for pool other", marked("deallocated"), fix="cleanup --delete"),
    kept("stopped-vm", "out of date", marked("running")),
    warned("copy-subnet", "is private", running(defaultOutboundAccess=False), fix="--copy-subnet"),
    Case(
        "copy-subnet",
        "is delegated to Microsoft.X/y",
        running(delegations=[{"properties": {"serviceName": "Microsoft.X/y"}}]),
    ),
    kept("copy-subnet", "default outbound access", running()),
    kept("copy-subnet", "NAT gateway", running(defaultOutboundAccess=False, natGateway={"id": f"{GALLERY}"})),
    warned("homes", "removes /home/ada", running(), fix="/opt"),
    kept("homes", "accounts and home directories stay", running(), **ask(keep_users=True)),
    kept("generalized", "VM is generalized"),
    kept("generalized", "you state", statuses("PowerState/running"), **ask(generalized=True)),
    noted("generalized", "a temporary copy is generalized", statuses("PowerState/running")),
    warned(
        "generalized", "--capture in-place generalizes it", statuses("PowerState/running"), **ask(capture="in-place")
    ),
    kept("image-origin", "image source is VM 'lab-vm'"),
    Case("image-origin", "is in no subnet", statuses("PowerState/running"), fix="--generalized"),
    kept("os-state", "generalized", TOOLS, **MINE),
    Case(
        "os-state",
        "is Specialized; Batch requires Generalized",
        there(definition(osState="Specialized"), version()),
        **MINE,
    ),
    kept("deallocated", "VM is deallocated"),
    kept("deallocated", "running and is deallocated first", statuses("PowerState/running"), **ask(generalized=True)),
    kept("deallocated", "stopped while its snapshots", statuses("PowerState/running"), **ask(stop=True)),
    warned("deallocated", "is running", statuses("PowerState/running"), fix="--stop"),
    unknown("deallocated", "no power state", statuses("OSState/generalized")),
    kept("extensions", "no VM extensions"),
    Case(
        "extensions",
        "MonitorAgent, inside",
        both(
            lambda lab: lab.vm.update(
                resources=[{"type": "Microsoft.Compute/virtualMachines/extensions", "id": "/x/MonitorAgent"}]
            ),
            lambda lab: lab.vm["properties"]["instanceView"].update(extensions=[{"name": "inside"}]),
        ),
        fix="lab-vm/extensions/MonitorAgent /subscriptions",
    ),
    # A temporary copy has no extensions: only the image of the VM's own disks has their remains.
    warned("extensions", "a temporary copy has none", both(statuses("PowerState/running"), extension()), fix="policy"),
    Case(
        "extensions",
        "has VM extensions: MonitorAgent",
        both(statuses("PowerState/running"), extension()),
        **ask(capture="in-place"),
        fix="--accept extensions",
    ),
    Case(
        "extensions",
        "has VM extensions: MonitorAgent",
        both(statuses("PowerState/running"), extension()),
        **ask(direct=True),
    ),
    warned("extensions", "(accepted with --accept extensions)", extension(), **ask(accept=["extensions"])),
    Case("extensions", "has VM extensions: Chef", handlers("Contoso.Chef", "Microsoft.CPlat.Core.RunCommandLinux")),
    kept("extensions", "no VM extensions", handlers("Microsoft.CPlat.Core.RunCommandLinux")),
    kept("base-image", "Batch supports canonical:0001-com-ubuntu-server-jammy:22_04-lts-gen2"),
    Case("base-image", "does not support", marketplace("somebody", "else", "1")),
    warned(
        "base-image", "does not support", marketplace("some", "else", "1"), **ask(node_agent_sku="batch.node.debian 12")
    ),
    unknown(
        "base-image", "the Marketplace image of VM 'lab-vm' is unknown", lambda lab: lab.storage.pop("imageReference")
    ),
    kept("node-agent", "batch.node.ubuntu 22.04"),
    Case(
        "node-agent",
        "its node agent SKU is not known",
        both(
            lambda lab: lab.storage.pop("imageReference"),
            lambda lab: lab.vm["properties"]["instanceView"].update(osName="debian", osVersion="12"),
        ),
        fix="specify --node-agent-sku 'batch.node.debian 12'",
    ),
    Case(
        "node-agent",
        "its node agent SKU is not known",
        both(
            lambda lab: lab.storage.pop("imageReference"),
            lambda lab: lab.vm["properties"]["instanceView"].update(osName="ubuntu", osVersion="24.04"),
            os_disk(supportedCapabilities={"architecture": "Arm64"}),
        ),
        fix="specify --node-agent-sku 'batch.node.ubuntu 24.04-arm64', the node agent for the same system",
    ),
    Case(
        "node-agent",
        "its node agent SKU is not known",
        lambda lab: lab.storage.pop("imageReference"),
        fix="prepare a VM from an image",
    ),
    warned(
        "node-agent",
        "batch.node.ubuntu 22.04 is for the Marketplace image, and the VM reports ubuntu 24.04",
        lambda lab: lab.vm["properties"]["instanceView"].update(osName="ubuntu", osVersion="24.04"),
        fix="--node-agent-sku",
    ),
    kept("node-agent", "Batch supports batch.node", both(TOOLS, there(pool())), **THE_POOL),
    warned(
        "node-agent",
        "Batch no longer supports batch.node.ubuntu 18.04",
        both(TOOLS, there(pool(machine={"nodeAgentSkuId": "batch.node.ubuntu 18.04"}))),
        **THE_POOL,
    ),
    kept("retiring", "Azure has announced no retirement", marketplace("canonical", "ubuntu-24_04-lts", "server")),
    # Of the systems that an agent runs on, one has no end.
    kept("retiring", "no retirement", marketplace("almalinux", "almalinux-x86_64", "9-gen2")),
    warned(
        "retiring",
        "Batch support of batch.node.ubuntu 22.04 ends on 2027-06-30, in 364 days",
        fix="use Ubuntu 24.04 (batch.node.ubuntu 24.04): https://github.com/Azure/Batch/issues/200",
    ),
    Case("retiring", "batch.node.ubuntu 22.04 ended on 2027-06-30", date="2027-07-02"),
    warned(
        "retiring",
        "Batch support of debian:debian-11:11-gen2 ends on 2026-08-31, in 61 days",
        marketplace("debian", "debian-11", "11-gen2"),
        fix="for example of debian:debian-12:12-gen2",
    ),
    Case(
        "retiring",
        "Batch support of canonical:0001-com-ubuntu-server-focal:20_04-lts-gen2 ended on 2025-04-23",
        marketplace("canonical", "0001-com-ubuntu-server-focal", "20_04-lts-gen2"),
        fix="for example of canonical:ubuntu-24_04-lts:server",
    ),
    # Not in Batch's list, and so without a date there.
    Case(
        "retiring",
        "microsoftwindowsserver:windowsserver:2016-datacenter-with-containers ended on 2027-01-12",
        both(
            marketplace("microsoftwindowsserver", "windowsserver", "2016-datacenter-with-containers"),
            lambda lab: lab.storage["osDisk"].update(osType="Windows"),
            os_disk(osType="Windows"),
        ),
        fix="Windows Server 2022",
        date="2027-02-01",
        **ask(node_agent_sku="batch.node.windows amd64"),
    ),
    # Where Batch's list has a date, it counts: the VMs of this size ended in 2024.
    warned(
        "retiring", "VM size Basic_A1 ends on 2028-11-15, in 137 days", **ask(vm_size="Basic_A1"), date="2028-07-01"
    ),
    Case(
        "retiring", "VM size Standard_DS2_v2 ended on 2028-05-01", **ask(vm_size="Standard_DS2_v2"), date="2028-06-01"
    ),
    Case(
        "retiring",
        "VM size Standard_NC6s_v3 ended on 2025-09-30",
        **ask(vm_size="Standard_NC6s_v3"),
        fix="use an NC A100 v4 size: https://learn.microsoft.com/",
    ),
    Case(
        "retiring",
        "classic node communication of pools ended on 2026-03-31",
        both(TOOLS, there(pool(targetNodeCommunicationMode="Classic"))),
        fix="simplified node communication",
        **THE_POOL,
    ),
    Case("retiring", "pools that use a managed image", both(OLD, there(pool(image=f"{IMAGES}/old"))), **THE_POOL),
    kept("purchase-plan", "no purchase plan"),
    warned(
        "purchase-plan", "acme:db:gold; the image definition gets the plan", planned, fix="az vm image terms accept"
    ),
    Case("purchase-plan", "a managed image cannot have a plan", planned, **ask(via="managed-image")),
    noted(
        "purchase-plan",
        "has the plan acme:db:gold",
        there(definition(purchasePlan={"publisher": "acme", "product": "db", "name": "gold"}), version()),
        **MINE,
    ),
    kept("temp-drive", "150 GiB"),
    kept("temp-drive", "has 64 GiB", **ask(vm_size="Standard_D4s_v5")),
    kept("temp-drive", "has 128 GiB", os_disk(diskSizeGB=30), **ask(vm_size="Standard_D4s_v5", os_disk_gib=128)),
    warned(
        "temp-drive", "has 30 GiB", os_disk(diskSizeGB=30), fix="Standard_D4ds_v5", **ask(vm_size="Standard_D4s_v5")
    ),
    kept("managed-disks", "2 managed disks"),
    Case(
        "managed-disks",
        "no managed disk for lab-vm-os",
        lambda lab: lab.storage["osDisk"].update(
            managedDisk=None, vhd={"uri": "https://x.blob.core.windows.net/v/a.vhd"}
        ),
    ),
    Case(
        "managed-disks",
        "missing: lost",
        lambda lab: lab.storage["dataDisks"][0]["managedDisk"].update(
            id=f"{lab.data_disk['id']}/../lost".replace("lab-data/../", "")
        ),
    ),
    kept("source-disks", "Premium_LRS"),
    Case("source-disks", "lab-data is an Ultra disk", sku("UltraSSD_LRS")),
    Case("source-disks", "Premium SSD v2", sku("PremiumV2_LRS")),
    Case("source-disks", "ephemeral", lambda lab: lab.storage["osDisk"].update(diffDiskSettings={"option": "Local"})),
    kept("data-disk-size", "256 GiB"),
    warned("data-disk-size", "LUN 2 has 2048 GiB", data_disk(diskSizeGB=2048)),
    warned("data-disks", "at LUN 2, and does not mount them", fix="--mount-data-disks mounts them in /mnt"),
    warned(
        "data-disks",
        "at LUN 2",
        lambda lab: lab.storage["osDisk"].update(osType="Windows"),
        fix="--mount-data-disks mounts them",
    ),
    kept("data-disks", "every node mounts its data disks at LUN 2 in /mnt", **ask(mount_data_disks=True)),
    kept("data-disks", "the start task mounts disks", **ask(start_task="/bin/sh -c 'mount /dev/sdc1 /data'")),
    Case(
        "data-disks",
        "Windows nodes have drive letters",
        lambda lab: lab.storage["osDisk"].update(osType="Windows"),
        **ask(mount_data_disks="/data"),
    ),
    kept("data-disk-count", "data disks: 1 of at most 8"),
    Case(
        "data-disk-count",
        "5 data disks",
        there(
            definition(),
            version(storage={"osDiskImage": {}, "dataDiskImages": [{"lun": lun} for lun in range(5)]}),
        ),
        **MINE,
        **ask(vm_size="Standard_D2s_v5"),
    ),
    kept("os-disk-size", "64 GiB; the OS disk of the image has 64 GiB", **ask(os_disk_gib=64)),
    Case("os-disk-size", "63 GiB requested", **ask(os_disk_gib=63), fix="--os-disk-gib 64"),
    kept("os-disk-encryption", "platform-managed encryption only"),
    Case("os-disk-encryption", "Azure Disk Encryption", os_disk(encryptionSettingsCollection={"enabled": True})),
    Case(
        "os-disk-encryption",
        "Azure Disk Encryption",
        lambda lab: lab.vm["properties"]["instanceView"].update(
            disks=[{"name": "lab-os", "encryptionSettings": [{"enabled": True}]}]
        ),
    ),
    Case(
        "os-disk-encryption",
        "(extension volumes (AzureDiskEncryptionForLinux))",
        extension("volumes", "AzureDiskEncryptionForLinux"),
    ),
    kept("data-disk-encryption", "1 data disk without"),
    Case("data-disk-encryption", "lab-data: encrypted", data_disk(encryptionSettingsCollection={"enabled": True})),
    Case("data-disk-encryption", "lab-data: encrypted", data_disk(encryptionSettings={"diskEncryptionKey": {"a": 1}})),
    Case(
        "data-disk-encryption",
        "lab-data: encrypted",
        lambda lab: lab.vm["properties"]["instanceView"].update(
            disks=[{"name": "lab-data", "encryptionSettings": [{"enabled": True}]}]
        ),
        fix="--volume-type data",
    ),
    warned(
        "os-disk-encryption",
        "disk encryption set lab-keys",
        os_disk(
            encryption={
                "type": "EncryptionAtRestWithCustomerKey",
                "diskEncryptionSetId": f"{IMAGES}/lab-keys".replace("images", "diskEncryptionSets"),
            }
        ),
    ),
    noted("os-disk-encryption", "encryption at host", vm(securityProfile={"encryptionAtHost": True})),
    kept("region", "the region of the Batch account"),
    noted("region", "replicas in both", lambda lab: lab.vm.update(location="westus2")),
    kept("region", "the region of the Batch account", OLD, **THE_OLD),
    Case("region", "is in westus", there({**managed_image(), "location": "westus"}, snapshot()), **THE_OLD),
    kept("region", "in the subscription of the Batch account", TOOLS, **MINE),
    warned(
        "region",
        "the gallery is in subscription",
        there(
            definition(group=GALLERY.replace(GALLERY.split("/")[2], OTHER_SUBSCRIPTION)),
            version(group=GALLERY.replace(GALLERY.split("/")[2], OTHER_SUBSCRIPTION)),
        ),
        name=f"{GALLERY}/images/tools".replace(GALLERY.split("/")[2], OTHER_SUBSCRIPTION),
    ),
    kept("image-exists", "image exists", TOOLS, **MINE),
    Case("image-exists", "missing: lab/tools/1.0.0", there(pool()), **THE_POOL),
    Case("image-exists", "missing: old-os", there(managed_image()), **THE_OLD),
    kept("image-source", "snapshots", OLD, **THE_OLD),
    warned("image-source", "a VHD", there(of_blob()), **THE_OLD),
    kept("image-source", "image will be made from snapshots", **ask(direct=True)),
    kept("direct-retired", "supported until 31 March 2026", **ask(direct=True), date="2026-03-30"),
    Case(
        "direct-retired",
        "an image would be created before the service refuses",
        **ask(direct=True),
        date="2026-03-31",
        fix="`%batchimg create POOL --from-vm ",
    ),
    warned(
        "direct-retired", "the service may refuse it", OLD, **THE_OLD, **ask(direct=True), fix="/old --vm-size SIZE`"
    ),
    kept("replicas", "replicas in eastus: 1, for 0 nodes", TOOLS, **MINE),
    warned(
        "replicas", "replicas in eastus: 1, enough to start 300 nodes", TOOLS, **MINE, **ask(nodes=301), fix="eastus=2`"
    ),
    warned("replicas", "replicas in eastus: 1", **ask(nodes=301, replicas={"eastus": 1}), fix="--replicas eastus=2"),
    Case(
        "replicas",
        "no replicas in eastus, only in westus",
        there(definition(), version(targetRegions=[{"name": "westus"}])),
        **MINE,
    ),
    kept("replication-mode", "Full", TOOLS, **MINE),
    Case("replication-mode", "Shallow", there(definition(), version(replicationMode="Shallow")), **MINE),
    kept("version-end-of-life", "no end-of-life date", TOOLS, **MINE),
    warned(
        "version-end-of-life",
        "ended on 2026-01-01",
        there(definition(), version(endOfLifeDate="2026-01-01T00:00:00Z")),
        **MINE,
    ),
    kept("image-shared", "no other pool", both(TOOLS, there(pool())), **THE_POOL),
    noted("image-shared", "also used by old-pool", both(TOOLS, there(pool())), **MINE),
    warned("image-shared", "is also used by old-pool", both(OLD, there(pool(image=f"{IMAGES}/old"))), **THE_OLD),
    kept("managed-image-limit", "2,000 dedicated and 0 spot nodes in 1 pool", OLD, **THE_OLD, **ask(nodes=2000)),
    warned("managed-image-limit", "limit of 2000", OLD, **THE_OLD, **ask(nodes=2500)),
    Case("managed-image-limit", "more than 2,500 and 1,000", OLD, **THE_OLD, **ask(spot=1001)),
    Case(
        "managed-image-limit",
        "2,501 dedicated and 0 spot nodes in 2 pools",
        # Another image of the same snapshot serves a pool.
        both(
            OLD,
            there(managed_image("other"), pool(image=f"{IMAGES}/other", scaleSettings=nodes_of(501))),
        ),
        **THE_OLD,
        **ask(nodes=2000),
    ),
    kept(
        "managed-image-limit",
        "2,000 dedicated and 0 spot nodes in 1 pool",
        # An image of another snapshot has a limit of its own.
        both(
            OLD,
            there(
                managed_image("other", snapshot="new-os"),
                pool(image=f"{IMAGES}/other", scaleSettings=nodes_of(501)),
            ),
        ),
        **THE_OLD,
        **ask(nodes=2000),
    ),
    warned(
        "managed-image-limit",
        "NAT pools lower",
        both(
            OLD,
            there(
                pool(
                    image=f"{IMAGES}/old",
                    networkConfiguration={"endpointConfiguration": {"inboundNatPools": [{"name": "ssh"}]}},
                )
            ),
        ),
        **THE_POOL,
    ),
    kept("vm-size", "Batch offers"),
    Case("vm-size", "does not offer", **ask(vm_size="Standard_D4ds_v55"), fix="did you mean Standard_D4ds_v5?"),
    Case(
        "vm-size",
        "does not offer",
        lambda lab: lab.account.update(location="eastus2"),
        **ask(vm_size="Standard_HB120rs_v3"),
    ),
    Case("vm-size", "not available for spot", **ask(vm_size="Basic_A1", spot=1)),
    kept("vm-size-restrictions", "not restricted"),
    Case(
        "vm-size-restrictions",
        "NotAvailableForSubscription",
        both(USER, lambda lab: lab.account.update(location="northeurope")),
        **ask(vm_size="Standard_HB120rs_v3"),
    ),
    kept("generation", "image is V2"),
    Case("generation", "generation V2", **ask(vm_size="Standard_D4_v3"), fix="--vm-size Standard_"),
    kept("architecture", "image and VM size are x64"),
    Case("architecture", "the image is for x64", **ask(vm_size="Standard_D4ps_v5")),
    kept("security-type", "Standard"),
    noted("security-type", "nodes will use Trusted Launch", trusted),
    Case("security-type", "does not support it", trusted, **ask(vm_size="Standard_HB120rs_v3")),
    Case("security-type", "requires generation V2", both(trusted, os_disk(hyperVGeneration="V1"))),
    Case(
        "security-type",
        "of a confidential VM, and",
        vm(securityProfile={"securityType": "ConfidentialVM"}),
    ),
    noted(
        "security-type",
        "nodes will be confidential VMs",
        vm(securityProfile={"securityType": "ConfidentialVM"}),
        **ask(vm_size="Standard_DC4as_v5"),
    ),
    Case(
        "security-type",
        "requires TrustedLaunch, and the pool has no security type",
        there(definition(features=[{"name": "SecurityType", "value": "TrustedLaunch"}]), version(), pool()),
        **THE_POOL,
    ),
    Case(
        "security-type",
        "the pool has TrustedLaunch",
        both(TOOLS, there(pool(machine={"securityProfile": {"securityType": "trustedLaunch"}}))),
        **THE_POOL,
    ),
    kept("disk-controller", "SCSI"),
    Case("disk-controller", "has NVMe only", **ask(vm_size="Standard_D4s_v6"), fix="--vm-size Standard_"),
    kept(
        "disk-controller",
        "image supports NVMe",
        os_disk(supportedCapabilities={"diskControllerTypes": "SCSI, NVMe"}),
        **ask(vm_size="Standard_D4s_v6"),
    ),
    kept("quota-dedicated", "40 dedicated cores needed, 400 of 400 free", **ask(nodes=10)),
    Case("quota-dedicated", "64 missing", **ask(nodes=116), fix="--nodes 50 fits; or request more quota"),
    Case(
        "quota-dedicated",
        "20 of 400 free: 20 missing",
        both(TOOLS, there(pool(currentDedicatedNodes=95, scaleSettings=nodes_of(95)))),
        **ask(nodes=10),
        # The family has no free core, but the total has.
        fix="--vm-size Standard_D4ads_v5 --nodes 5 fit together; or request more quota",
    ),
    Case("quota-dedicated", "of 1,000 free", USER, **ask(nodes=300), fix="Quotas, Compute"),
    unknown(
        "quota-dedicated", "the quota of dedicated cores is unknown", accounts(dedicatedCoreQuota=None), **ask(nodes=1)
    ),
    kept(
        "quota-family",
        "200 of 200 free",
        both(TOOLS, there(pool(vmSize="Standard_D4s_v5", scaleSettings=nodes_of(9)))),
        **ask(nodes=50),
    ),
    Case(
        "quota-family",
        "164 of 200 free",
        both(TOOLS, there(pool(currentDedicatedNodes=9, scaleSettings=nodes_of(9)))),
        **ask(nodes=50),
    ),
    kept("quota-family", "40 cores of standardDDSv5Family needed, 200 of 200", **ask(nodes=10)),
    Case("quota-family", "40 missing", **ask(nodes=60), fix="--nodes 50 fits"),
    Case("quota-family", "standardDDSv5Family needed, 350 of 350 free: 50 missing", USER, **ask(nodes=100)),
    # What of Compute's quota is in use are this pool's own nodes, and a VM of two cores.
    kept(
        "quota-dedicated",
        "987 of 1,000 free",
        both(USER, TOOLS, there(pool(currentDedicatedNodes=80, scaleSettings=nodes_of(80)))),
        **THE_POOL,
        **ask(nodes=240),
    ),
    kept("quota-spot", "100 spot cores needed, 100 of 100", **ask(spot=25)),
    Case("quota-spot", "4 missing", **ask(spot=26)),
    Case(
        "quota-spot",
        "80 of 100 free: 20 missing",
        both(TOOLS, there(pool(currentLowPriorityNodes=5, scaleSettings=nodes_of(9, 5)))),
        **ask(spot=25),
    ),
    # Nodes that a pool is to have one day, and that nobody is making now, hold nothing.
    kept("quota-dedicated", "400 of 400", both(TOOLS, there(pool(scaleSettings=nodes_of(9)))), **ask(nodes=10)),
    kept("quota-spot", "100 of 100", both(TOOLS, there(pool(scaleSettings=nodes_of(9)))), **ask(spot=25)),
    Case("quota-spot", "of 100 free", USER, **ask(spot=26)),
    kept("pool-quota", "pools: 0 of at most 3"),
    kept("pool-quota", "pools: 2 of at most 3", both(TOOLS, there(pool(), pool("another")))),
    Case(
        "pool-quota",
        "the account has 3 pools, and its quota is 3",
        both(TOOLS, there(pool(), pool("another"), pool("third"))),
    ),
    Case("pool-quota", "the account has 1 pool, and its quota is 1", both(accounts(poolQuota=1), TOOLS, there(pool()))),
    Case(
        "data-disk-count",
        "a data disk at LUN 2, and the pool another one there",
        **ask(data_disks=[{"lun": 2, "size_gib": 8}]),
    ),
    Case("data-disk-count", "image and pool have 9 data disks", **ask(data_disks=[8] * 8)),
    kept("pool-document", "everything in the document is kept", **ask(spec=DOCUMENT)),
    warned("pool-document", "not kept: futureSetting", **ask(spec={**DOCUMENT, "futureSetting": 1})),
    kept("ephemeral-os-disk", "64 GiB on a cache disk of 100 GiB", **ask(ephemeral_os_disk=True)),
    Case("ephemeral-os-disk", "has 128 GiB, and the cache disk", **ask(ephemeral_os_disk=True, os_disk_gib=128)),
    Case(
        "ephemeral-os-disk",
        "does not support ephemeral OS disks",
        **ask(ephemeral_os_disk=True, vm_size="Standard_D4s_v5"),
        fix="Standard_D4ds_v5",
    ),
    kept("encryption-at-host", "supports encryption at host", **ask(encryption_at_host=True)),
    Case(
        "encryption-at-host",
        "Standard_D2_v3 does not support encryption at host",
        **ask(encryption_at_host=True, vm_size="Standard_D2_v3"),
    ),
    kept("accelerated-networking", "supports accelerated networking", **ask(accelerated_networking=True)),
    Case(
        "accelerated-networking",
        "does not support accelerated networking",
        **ask(accelerated_networking=True, vm_size="Standard_A2_v2"),
    ),
    kept("zones", "in zones 1, 2, 3 of eastus", **ask(node_placement="zonal")),
    Case(
        "zones",
        "has InfiniBand",
        **ask(node_placement="zonal", inter_node=True, vm_size="Standard_HB120rs_v3"),
    ),
    Case(
        "zones",
        "not offered in several zones of westus",
        lambda lab: lab.account.update(location="westus"),
        **ask(node_placement="zonal"),
    ),
    kept(
        "operating-system",
        "Windows",
        lambda lab: lab.storage["osDisk"].update(osType="Windows"),
        **ask(license_type="Windows_Server"),
    ),
    Case("operating-system", "only Windows has license_type", **ask(license_type="Windows_Client")),
    kept("os-disk-key", "in user subscription mode", USER, **ask(disk_encryption_set=KEYS)),
    Case("os-disk-key", "in Batch service mode", **ask(disk_encryption_set=KEYS)),
    Case("os-disk-key", "the image is Standard", **ask(security_encryption="VMGuestStateOnly")),
    kept(
        "public-addresses",
        "1 static Standard address",
        there(network(), public_address()),
        **ask(subnet=SUBNET, public_addresses=[EGRESS]),
    ),
    Case(
        "public-addresses",
        "there is no public address",
        there(network()),
        **ask(subnet=SUBNET, public_addresses=[EGRESS]),
    ),
    Case(
        "public-addresses",
        "egress has the SKU Basic",
        there(network(), public_address(sku={"name": "Basic"})),
        **ask(subnet=SUBNET, public_addresses=[EGRESS]),
    ),
    Case(
        "public-addresses",
        "egress is not static",
        there(network(), public_address(properties={"publicIPAllocationMethod": "Dynamic"})),
        **ask(subnet=SUBNET, public_addresses=[EGRESS]),
    ),
    kept("subnet", "in eastus", there(network()), **ask(subnet=SUBNET)),
    Case("subnet", "no subnet", **ask(subnet=SUBNET)),
    Case(
        "subnet",
        f"is in eastus, subscription {OTHER_SUBSCRIPTION}",
        there(network(subnet_id=ELSEWHERE)),
        **ask(subnet=ELSEWHERE),
    ),
    Case("subnet", "is in westus", there(network(location="westus")), **ask(subnet=SUBNET)),
    kept("subnet-addresses", "251 of 251", there(network()), **ask(subnet=SUBNET, nodes=5)),
    Case(
        "subnet-addresses",
        "9 of 11 addresses free; the pool will have 10 nodes",
        there(network("10.1.0.0/28", ipConfigurations=[{"id": "a"}, {"id": "b"}])),
        **ask(subnet=SUBNET, nodes=10),
    ),
    warned(
        "subnet-outbound",
        "the subnet has no NAT gateway",
        there(network()),
        **ask(subnet=SUBNET, no_public_address=True),
    ),
    kept(
        "subnet-outbound",
        "must be able to connect",
        there(network(natGateway={"id": "nat"})),
        **ask(subnet=SUBNET, no_public_address=True),
    ),
    kept("subnet-outbound", "BatchNodeManagement.eastus", there(network()), **ask(subnet=SUBNET)),
    Case(
        "subnet-outbound",
        "the private subnet has no NAT gateway",
        there(network(defaultOutboundAccess=False)),
        **ask(subnet=SUBNET, no_public_address=True),
        fix="accept it: --accept subnet-outbound",
    ),
    warned(
        "subnet-outbound",
        "the subnet has no NAT gateway",
        # It can lead to a firewall.
        there(network(defaultOutboundAccess=False, routeTable={"id": "routes"})),
        **ask(subnet=SUBNET, no_public_address=True),
    ),
    kept("subnet-outbound", "must be able", there(network(defaultOutboundAccess=False)), **ask(subnet=SUBNET)),
    kept("subnet-delegation", "not delegated", there(network()), **ask(subnet=SUBNET)),
    Case(
        "subnet-delegation",
        "delegated to Microsoft.ContainerInstance/containerGroups",
        there(network(delegations=[{"properties": {"serviceName": "Microsoft.ContainerInstance/containerGroups"}}])),
        **ask(subnet=SUBNET),
    ),
    noted("subnet-role", "subnets/join/action", there(network()), **ask(subnet=SUBNET), fix="Classic Virtual Machine"),
    warned(
        "subnet-outbound",
        "rule way-out",
        there(network(**SECURITY), security_group("Deny")),
        **ask(subnet=SUBNET),
        fix="--destination-address-prefixes BatchNodeManagement.eastus",
    ),
    kept(
        "subnet-outbound",
        "must be able to connect",
        # The first rule that fits decides, and only about the way out.
        there(network(**SECURITY), security_group("Deny", first=[{"access": "Allow", "priority": 100}])),
        **ask(subnet=SUBNET),
    ),
    warned(
        "subnet-outbound",
        "rule way-out",
        there(
            network(**SECURITY),
            security_group(
                "Deny",
                first=[
                    {"access": "Allow", "priority": 101, "direction": "Inbound"},
                    {"access": "Allow", "priority": 102, "destinationPortRange": "80"},
                    {"access": "Allow", "priority": 103, "destinationAddressPrefix": "10.0.0.0/8"},
                    {"access": "Allow", "priority": 300},
                ],
            ),
        ),
        **ask(subnet=SUBNET),
    ),
    kept(
        "subnet-outbound",
        "must be able to connect",
        there(network(**SECURITY), security_group("Allow")),
        **ask(subnet=SUBNET),
    ),
    kept("task-slots", "task slots: 16 of at most 16", **ask(task_slots=16)),
    kept("gallery", "gallery lab exists", there(gallery()), **ask(gallery=GALLERY)),
    Case("gallery", "there is no gallery 'lab'", **ask(gallery=GALLERY), fix="leave out --gallery"),
    Case("task-slots", "17 task slots", **ask(task_slots=17), fix="at most 16"),
    kept("resize-timeout", "20 min for 10 nodes", **ask(nodes=10)),
    kept("resize-timeout", "several resize attempts", **ask(spot=400, nodes=1000, timeout="30m")),
    warned("resize-timeout", "10 min for 10 nodes", **ask(nodes=10, timeout="10m"), fix="--timeout 20m"),
    kept("cost", "--max-cost-per-hour is $100.00", **ask(nodes=10), limit=100.0),
    Case(
        "cost", "/h for 10 dedicated, $0.00/h for other pools; --max-cost-per-hour is $1.00", **ask(nodes=10), limit=1.0
    ),
    Case(
        "cost",
        "/h for other pools; --max-cost-per-hour is $20.00",
        both(TOOLS, there(pool(scaleSettings=nodes_of(90)))),
        **ask(nodes=1),
        limit=20.0,
    ),
    Case(
        "cost",
        "the cost of these nodes is unknown",
        lambda lab: lab.os_disk["properties"].pop("diskSizeGB"),
        **ask(nodes=1),
        limit=9.0,
    ),
    kept("autoscale-target", "sets a target", **ask(formula="$TargetDedicated = 2;")),
    warned("autoscale-target", "sets no target", **ask(formula='lifespan = time() - time("2026-07-01T09:00:00Z");')),
    kept("inter-node-kinds", "nodes of one kind", **ask(inter_node=True, nodes=2)),
    warned("inter-node-kinds", "2 dedicated + 1 spot", **ask(inter_node=True, nodes=2, spot=1)),
    kept("account-access", "public network access is enabled"),
    kept("account-access", "can be reached from here", accounts(**inside_network())),
    Case("account-access", "and it cannot be reached from here", accounts(publicNetworkAccess="Disabled")),
    Case("account-access", "selected networks only", accounts(networkProfile=selected_networks("198.51.100.0/24"))),
    kept("locks", "no lock"),
    kept("locks", "no lock", lock("CanNotDelete")),  # a generalized VM has no temporary copy
    Case("locks", "lock 'keep' makes resource group research read-only", lock("ReadOnly"), fix="az lock delete --ids"),
    Case("locks", "makes the subscription read-only", lock("ReadOnly", _TOP)),
    Case(
        "locks",
        "makes virtualmachines lab-vm read-only",
        both(statuses("PowerState/running"), lock("ReadOnly", VM)),
        **ask(stop=True),
    ),
    kept("locks", "no lock", both(statuses("PowerState/running"), lock("ReadOnly", VM))),
    warned(
        "locks",
        "snapshots of 320 GiB) cannot be deleted, and costs about $41.60 a month",
        both(statuses("PowerState/running"), lock("CanNotDelete")),
    ),
    kept("policies", "no policy is assigned"),
    Case(
        "policies",
        "policy 'Require a tag on resources' (assignment 'Our rule') denies: snapshots, galleries,",
        there(policy(TAG, tagName="CostCenter")),
        fix="`%batchimg connect` with --tag CostCenter=VALUE",
    ),
    Case(
        "policies",
        "policy 'Require a tag on resources'",
        there(policy(TAG, tagName="Cost Center")),
        fix="`%batchimg connect` with --tag 'Cost Center=VALUE'",
    ),
    Case(
        "policies",
        "'Require a tag and its value on resources'",
        there(policy(TAG_VALUE, tagName="a", tagValue="7")),
        fix="--tag a=7",
    ),
    warned(
        "policies",
        "(accepted with --accept policies)",
        there(policy(TAG, tagName="CostCenter")),
        **ask(accept="policies"),
    ),
    kept(
        "policies",
        "policies that were checked: 1; none denies",
        there(policy(TAG, tagName="team")),
        **ask(tags={"team": "x"}),
    ),
    kept(
        "policies", "no policy is assigned", there(policy(TAG, tagName="a", more={"enforcementMode": "DoNotEnforce"}))
    ),
    kept("policies", "no policy is assigned", there(policy(TAG, tagName="a", more={"notScopes": [HOME]}))),
    Case(
        "policies",
        "'Allowed locations'",
        there(policy(LOCATIONS, _TOP, listOfAllowedLocations=["westeurope"])),
        fix="az policy exemption create",
    ),
    kept("policies", "none denies", there(policy(LOCATIONS, listOfAllowedLocations=["East US"]))),
    warned(
        "policies",
        "'Allowed virtual machine size SKUs' (assignment 'Our rule') may deny: virtualMachines",
        both(statuses("PowerState/running"), there(policy(SIZES, listOfAllowedSKUs=["Standard_D2s_v3"]))),
    ),
    kept("policies", "none denies", there(policy(SIZES, listOfAllowedSKUs=["Standard_D2s_v3"]))),  # makes no VM
    kept(
        "policies",
        "none denies",
        there(custom_policy({"field": "type", "like": "*"}, "audit"), policy(f"{_TOP}{_POLICIES}/custom")),
    ),
    Case(
        "policies",
        "policy 'custom'",
        there(
            custom_policy(
                {
                    "allOf": [
                        {"field": "tags['env']", "notIn": ["prod", "test"]},
                        {"field": "type", "contains": "snapshots"},
                    ]
                }
            ),
            policy(f"{_TOP}{_POLICIES}/custom"),
        ),
    ),
    warned(
        "policies",
        "may deny: snapshots",
        there(custom_policy({"count": {"field": "x[*]"}, "equals": 0}), policy(f"{_TOP}{_POLICIES}/custom")),
    ),
    Case(
        "registration",
        f"not registered in subscription {OTHER_SUBSCRIPTION}",
        there(AWAY, AWAY_VERSION),
        name=AWAY["id"],
        fix="az provider register --namespace Microsoft.Batch --subscription",
    ),
    kept(
        "registration",
        "Microsoft.Batch is registered in",
        # A subscription with a Batch account is registered.
        there(AWAY, AWAY_VERSION, another_account()),
        name=AWAY["id"],
    ),
    kept("authentication", "Entra ID"),
    Case("authentication", "allows only SharedKey", accounts(allowedAuthenticationModes=["SharedKey"])),
]


def findings(session: Session, case: Case, tmp_path: Path) -> pd.DataFrame:
    lab = RuleResources()
    case.change(lab)
    lab.open(session, tmp_path, date=case.date, max_cost_per_hour=case.limit)
    asked = dict(case.ask)
    if case.name == "lab-vm":
        asked.setdefault("vm_size", SIZE)
    return session.check(case.name, all=True, **asked)


def commands(table: pd.DataFrame, program: str) -> list[str]:
    """Return the commands in the fixes of a table, without the name of the program."""
    return [line for fix in table.fix.dropna() for line in re.findall(rf"`{program} ([^`]*)`", fix)]
