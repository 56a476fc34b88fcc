"""What Batch refuses in the configuration of a pool, through the SDK clients of both planes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from batchimg_magics.emulator.furnish import ACCOUNT, GROUP, REGION, SUBSCRIPTION
from batchimg_magics.emulator.world.store import Item
from tests.support.batch_clients import BatchClients, run_with_clients

Json = dict[str, Any]
LINUX = {"publisher": "canonical", "offer": "0001-com-ubuntu-server-jammy", "sku": "22_04-lts"}
WINDOWS = {"publisher": "microsoftwindowsserver", "offer": "windowsserver", "sku": "2022-datacenter-g2"}
AGENTS = {True: "batch.node.windows amd64", False: "batch.node.ubuntu 22.04"}
NETWORK = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Network"
SUBNET = f"{NETWORK}/virtualNetworks/research-vnet/subnets/default"
SET = {"id": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Compute/diskEncryptionSets/s"}
IMAGE = f"{NETWORK.replace('Network', 'Compute')}/galleries/g/images/i"
CONFIDENTIAL = {"securityProfile": {"securityType": "confidentialVM"}}


def machine(*, windows: bool = False, **more: Any) -> Json:
    """Return a virtual machine configuration in ARM's names."""
    return {"imageReference": WINDOWS if windows else LINUX, "nodeAgentSkuId": AGENTS[windows], **more}


def encrypted(kind: str) -> Json:
    """Return the OS disk of a confidential VM."""
    return {"managedDisk": {"securityProfile": {"securityEncryptionType": kind}}}


def nat(name: str = "a", first: int = 1000, last: int = 1039, backend: int = 8080, **more: Any) -> Json:
    span = {"frontendPortRangeStart": first, "frontendPortRangeEnd": last}
    return {"name": name, "protocol": "TCP", "backendPort": backend, **span, **more}


def nats(*rows: Json, **network: Any) -> Json:
    return {"networkConfiguration": {"endpointConfiguration": {"inboundNatPools": list(rows)}, **network}}


def source(priority: int, prefix: str = "*") -> Json:
    return {"priority": priority, "access": "Allow", "sourceAddressPrefix": prefix}


def addresses(*names: str, subnet: str | None = SUBNET, provision: str = "UserManaged") -> Json:
    ids = [name if name.startswith("/") else f"{NETWORK}/publicIPAddresses/{name}" for name in names]
    return {
        "networkConfiguration": {
            **({"subnetId": subnet} if subnet else {}),
            "publicIPAddressConfiguration": {"provision": provision, "ipAddressIds": ids},
        }
    }


def disks(*rows: Json) -> Json:
    return {"machine": machine(dataDisks=list(rows))}


def user(name: str = "me", **more: Any) -> Json:
    whole = {"name": name, "password": "secret", **more}
    return {"userAccounts": [{key: value for key, value in whole.items() if value}]}


def upgrades(machine_part: Json | None = None, **policy: Any) -> Json:
    return {"machine": machine(**(machine_part or {})), "upgradePolicy": policy}


#: What is wrong: the properties in ARM's names, `machine` for the virtual machine configuration, and the property that
#: the refusal names.
REFUSED: dict[str, tuple[Json, str]] = {
    "six NAT pools": (
        nats(*(nat(f"a{n}", 1000 + 40 * n, 1039 + 40 * n, 8000 + n) for n in range(6))),
        "inboundNATPools",
    ),
    "reserved port": (nats(nat(backend=29876)), "backendPort"),
    "port twice": (nats(nat(), nat("b", 2000, 2039)), "backendPort"),
    "name twice": (nats(nat(), nat("A", 2000, 2039, 8081)), "name"),
    "bad name": (nats(nat("-a")), "name"),
    "name ends with a hyphen": (nats(nat("a-")), "name"),
    "reserved frontend ports": (nats(nat(first=49_990, last=50_100)), "frontendPortRangeStart"),
    "few frontend ports": (nats(nat(last=1038)), "frontendPortRangeEnd"),
    "ports in the wrong order": (nats(nat(first=2000, last=1000)), "frontendPortRangeStart"),
    "overlapping ports": (nats(nat(), nat("b", 1039, 1100, 8081)), "frontendPortRangeStart"),
    "priority": (nats(nat(networkSecurityGroupRules=[source(149)])), "priority"),
    "priority twice": (nats(nat(networkSecurityGroupRules=[source(150), source(150)])), "priority"),
    "source": (nats(nat(networkSecurityGroupRules=[source(150, "1.2.3")])), "sourceAddressPrefix"),
    "26 rules": (
        nats(nat(networkSecurityGroupRules=[source(150 + n) for n in range(26)])),
        "networkSecurityGroupRules",
    ),
    "NAT without an address": (
        nats(nat(), subnetId=SUBNET, publicIPAddressConfiguration={"provision": "NoPublicIPAddresses"}),
        "inboundNATPools",
    ),
    "own addresses without a list": (addresses(), "ipAddressIds"),
    "own addresses without a subnet": (addresses("good", subnet=None), "subnetId"),
    "addresses that Batch manages": (addresses("good", provision="BatchManaged"), "ipAddressIds"),
    "no such address": (addresses("none"), "ipAddressIds"),
    "basic address": (addresses("basic"), "ipAddressIds"),
    "address elsewhere": (addresses("elsewhere"), "ipAddressIds"),
    "address in use": (addresses("used"), "ipAddressIds"),
    "no address": (addresses(SUBNET), "ipAddressIds"),
    "LUN above 63": (disks({"lun": 64, "diskSizeGB": 8}), "lun"),
    "LUN twice": (disks({"lun": 1, "diskSizeGB": 8}, {"lun": 1, "diskSizeGB": 9}), "lun"),
    "disk without a size": (disks({"lun": 1}), "diskSizeGB"),
    "disk without a LUN": (disks({"diskSizeGB": 8}), "lun"),
    "long user": (user("a" * 21), "name"),
    "no password": (user(password=""), "password"),
    "uid alone": (user(linuxUserConfiguration={"uid": 1000}), "uid"),
    "login mode on Linux": (user(windowsUserConfiguration={"loginMode": "Interactive"}), "windowsUserConfiguration"),
    "image twice": (
        {"machine": machine(imageReference={**LINUX, "id": IMAGE})},
        "imageReference",
    ),
    "formula alone": ({"scaleSettings": None, "formula": "$TargetDedicatedNodes=1;"}, "autoScaleFormula"),
    "display name": ({"displayName": "a" * 1025}, "displayName"),
    "resource tags": ({"resourceTags": {"a": "b"}}, "resourceTags"),
    "licence on Linux": ({"machine": machine(licenseType="Windows_Server")}, "licenseType"),
    "no such licence": ({"machine": machine(windows=True, licenseType="RHEL_BYOS")}, "licenseType"),
    "Windows settings on Linux": (
        {"machine": machine(windowsConfiguration={"enableAutomaticUpdates": True})},
        "windowsConfiguration",
    ),
    "confidential without encryption": ({"machine": machine(**CONFIDENTIAL)}, "securityEncryptionType"),
    "encryption without confidential": (
        {"machine": machine(osDisk=encrypted("NonPersistedTPM"))},
        "securityEncryptionType",
    ),
    "encryption set": ({"machine": machine(osDisk={"managedDisk": {"diskEncryptionSet": SET}})}, "diskEncryptionSet"),
    "half of the disks": (
        {"machine": machine(windows=True, diskEncryptionConfiguration={"targets": ["OsDisk"]})},
        "targets",
    ),
    "OS disk on Linux": ({"machine": machine(diskEncryptionConfiguration={"targets": ["OsDisk"]})}, "targets"),
    "no such placement": ({"machine": machine(nodePlacementConfiguration={"policy": "Global"})}, "policy"),
    "InfiniBand across zones": (
        {
            "vmSize": "Standard_HB120rs_v3",
            "interNodeCommunication": "Enabled",
            "machine": machine(nodePlacementConfiguration={"policy": "Zonal"}),
        },
        "nodePlacementConfiguration",
    ),
    "no upgrade mode": (upgrades(automaticOSUpgradePolicy={"enableAutomaticOSUpgrade": True}), "mode"),
    "no such upgrade mode": (upgrades(mode="sometimes"), "mode"),
    "shares": (
        upgrades(
            mode="rolling", rollingUpgradePolicy={"maxBatchInstancePercent": 50, "maxUnhealthyInstancePercent": 20}
        ),
        "maxBatchInstancePercent",
    ),
    "small share": (
        upgrades(mode="rolling", rollingUpgradePolicy={"maxBatchInstancePercent": 4}),
        "maxBatchInstancePercent",
    ),
    "across zones": (
        upgrades(mode="rolling", rollingUpgradePolicy={"enableCrossZoneUpgrade": True}),
        "enableCrossZoneUpgrade",
    ),
}

ACCEPTED: dict[str, Json] = {
    "ports for SSH": nats(nat("ssh", backend=22), nat("rdp", 2000, 2039, 3389)),
    "own addresses": addresses("good"),
    "disks": disks({"lun": 0, "diskSizeGB": 8}, {"lun": 63, "diskSizeGB": 8, "caching": "ReadOnly"}),
    "licence": {"machine": machine(windows=True, licenseType="Windows_Server")},
    "confidential": {
        "machine": machine(
            **CONFIDENTIAL,
            osDisk=encrypted("DiskWithVMGuestState"),
        )
    },
    "zones": {"machine": machine(nodePlacementConfiguration={"policy": "Zonal"})},
    "rolling": upgrades(
        {"nodePlacementConfiguration": {"policy": "Zonal"}},
        mode="rolling",
        rollingUpgradePolicy={"enableCrossZoneUpgrade": True, "maxBatchInstancePercent": 20},
    ),
    "temporary disk": {"machine": machine(diskEncryptionConfiguration={"targets": ["TemporaryDisk"]})},
    "display name": {"displayName": "a" * 1024},
}


def arm_body(case: Json) -> Json:
    case = {"vmSize": "Standard_D2s_v5", "machine": machine(), **case}
    properties = {name: value for name, value in case.items() if name not in ("machine", "formula")}
    properties["deploymentConfiguration"] = {"virtualMachineConfiguration": case["machine"]}
    return {"properties": {name: value for name, value in properties.items() if value is not None}}


def batch_body(case: Json, name: str) -> Json:
    case = {"vmSize": "standard_d2s_v5", "machine": machine(), **case}
    body = {key: value for key, value in case.items() if key not in ("machine", "formula", "scaleSettings")}
    configuration = dict(case["machine"])
    configuration["nodeAgentSKUId"] = configuration.pop("nodeAgentSkuId")
    reference = dict(configuration["imageReference"])
    if "id" in reference:
        reference["virtualMachineImageId"] = reference.pop("id")
    body["virtualMachineConfiguration"] = {**configuration, "imageReference": reference}
    if "interNodeCommunication" in body:
        body["enableInterNodeCommunication"] = body.pop("interNodeCommunication") == "Enabled"
    if "inboundNatPools" in (endpoints := body.get("networkConfiguration", {}).get("endpointConfiguration", {})):
        renamed = {"inboundNATPools": endpoints["inboundNatPools"]}
        body["networkConfiguration"] = {**body["networkConfiguration"], "endpointConfiguration": renamed}
    if "formula" in case:
        body |= {"autoScaleFormula": case["formula"], "enableAutoScale": False}
    return {"id": name, **body}


def put_addresses(both: BatchClients) -> None:
    """Put public addresses into the emulator's state that a pool may and may not use."""
    static = {"publicIPAllocationMethod": "Static"}
    made: dict[str, Json] = {
        "good": {"sku": {"name": "Standard"}, "properties": static},
        "basic": {"sku": {"name": "Basic"}, "properties": static},
        "elsewhere": {"sku": {"name": "Standard"}, "location": "westeurope", "properties": static},
        "used": {"sku": {"name": "Standard"}, "properties": {**static, "ipConfiguration": {"id": "x"}}},
    }
    with both.azure.store.transaction(write=True):
        for name, document in made.items():
            key = f"{NETWORK}/publicIPAddresses/{name}"
            whole = {"id": key, "name": name, "location": REGION, "type": "Microsoft.Network/publicIPAddresses"}
            both.azure.store.put(Item(key.lower(), "microsoft.network/publicipaddresses", whole | document))


def refusal_of(error: HttpResponseError) -> str:
    """Return code and property of a refusal."""
    body = json.loads(error.response.text())  # type: ignore[union-attr] # it is an answer of the service
    if "error" in body:
        details = {one["code"]: one["message"] for one in body["error"]["details"]}
        return f"{body['error']['code']} {details.get('PropertyName')}"
    details = {one["key"]: one["value"] for one in body["values"]}
    return f"{body['code']} {details.get('PropertyName')}"


async def _create(both: BatchClients, plane: str, case: Json, name: str) -> str:
    try:
        if plane == "arm":
            await both.arm.pool.create(*both.where, name, arm_body(case))
        else:
            await both.batch.create_pool(batch_body(case, name))  # type: ignore[arg-type] # the SDK takes JSON too
    except HttpResponseError as error:
        return refusal_of(error)
    return "created"


@pytest.mark.parametrize("plane", ["arm", "batch"])
def test_what_batch_refuses_and_what_not(plane: str) -> None:
    async def work(both: BatchClients) -> tuple[dict[str, str], set[str]]:
        put_addresses(both)
        refused = {
            what: await _create(both, plane, case, f"p{number}")
            for number, (what, (case, _)) in enumerate(REFUSED.items())
            if plane == "batch" or "formula" not in case
        }
        taken = {await _create(both, plane, case, f"q{number}") for number, case in enumerate(ACCEPTED.values())}
        return refused, taken

    refused, taken = run_with_clients(work)
    required = ("MissingRequiredProperty", "InvalidPropertyValue")
    wanted = {what: name for what, (_, name) in REFUSED.items() if what in refused}
    assert {what: found.partition(" ")[2] for what, found in refused.items()} == wanted
    assert {found.partition(" ")[0] for found in refused.values()} == set(required)
    assert taken == {"created"}


def test_own_addresses_and_ports_limit_the_nodes() -> None:
    async def work(both: BatchClients) -> list[str]:
        put_addresses(both)
        assert both.azure.account == ACCOUNT
        await both.batch.create_pool(batch_body(addresses("good"), "p"))  # type: ignore[arg-type]
        await both.until_steady("p")
        found = []
        for count in (101, 100):
            targets: Any = {"targetDedicatedNodes": count, "targetLowPriorityNodes": 0}
            try:
                await both.batch.begin_resize_pool("p", targets)
            except HttpResponseError as error:
                found.append(refusal_of(error))
            else:
                found.append("resizes")
        return found

    assert run_with_clients(work) == ["InvalidPropertyValue ipAddressIds", "resizes"]
