"""Sign-in with the Azure CLI, and the default resources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.emulator.furnish import ACCOUNT, SUBSCRIPTION
from batchimg_magics.emulator.http.tokens import TENANT

if TYPE_CHECKING:
    from tests.azcli.cloud import AzureCli

VMS = ["desk-vm", "gen1-vm", "prep-vm", "win-vm"]


def test_what_the_server_prints_is_enough_to_sign_in(instant_emulator: AzureCli) -> None:
    account = instant_emulator.az("account", "show")
    assert (account["id"], account["tenantId"], account["state"]) == (SUBSCRIPTION, TENANT, "Enabled")
    assert account["environmentName"] == instant_emulator.az("cloud", "show")["name"] == "BatchimgLocal"
    assert account["user"] == {"name": instant_emulator.environment["AZURE_CLIENT_ID"], "type": "servicePrincipal"}
    assert [row["id"] for row in instant_emulator.az("account", "list", "--refresh")] == [SUBSCRIPTION]
    assert instant_emulator.az("account", "get-access-token")["tokenType"] == "Bearer"


def test_regions_groups_and_resources_are_listed(instant_emulator: AzureCli) -> None:
    regions = instant_emulator.az("account", "list-locations", "--query", "[].name")
    assert {"eastus", "westus2"} <= {*regions}
    (group,) = instant_emulator.az("group", "list", "--query", "[?name=='research']")
    assert (group["location"], group["properties"]["provisioningState"]) == ("eastus", "Succeeded")
    words = ["resource", "list", "-g", "research", "--resource-type", "Microsoft.Batch/batchAccounts"]
    assert [row["name"] for row in instant_emulator.az(*words)] == [ACCOUNT]
    path = f"/subscriptions/{SUBSCRIPTION}/resourcegroups?api-version=2021-04-01"
    response = instant_emulator.az("rest", "--method", "get", "--url", path)
    assert "research" in [row["name"] for row in response["value"]]


def test_vms_are_there_with_their_state_and_their_addresses(instant_emulator: AzureCli) -> None:
    assert instant_emulator.az("vm", "list", "--query", "[].name") == VMS
    vm = instant_emulator.az("vm", "show", "-g", "research", "-n", "prep-vm", "--show-details")
    assert (vm["powerState"], vm["provisioningState"]) == ("VM deallocated", "Succeeded")
    assert vm["securityProfile"]["securityType"] == "TrustedLaunch"
    assert [disk["lun"] for disk in vm["storageProfile"]["dataDisks"]] == [0]
    (addresses,) = instant_emulator.az("vm", "list-ip-addresses", "-g", "research", "-n", "prep-vm")
    (public,) = addresses["virtualMachine"]["network"]["publicIpAddresses"]
    assert public["ipAddress"] == vm["publicIps"]
    heading, _, *rows = instant_emulator.table("vm", "list", "--show-details")
    assert heading.split() == ["Name", "ResourceGroup", "PowerState", "PublicIps", "Fqdns", "Location"]
    assert [row.split()[0] for row in rows] == VMS


def test_disks_show_their_vm_and_their_source(instant_emulator: AzureCli) -> None:
    disks = instant_emulator.az("disk", "list", "-g", "research", "--query", "[?contains(name, 'prep-vm')]")
    assert [(disk["name"], disk.get("osType"), disk["diskSizeGB"], disk["diskState"]) for disk in disks] == [
        ("prep-vm_DataDisk_0", None, 256, "Reserved"),
        ("prep-vm_OsDisk_1", "Linux", 64, "Reserved"),
    ]
    assert all(disk["managedBy"].endswith("/virtualMachines/prep-vm") for disk in disks)


def test_sizes_and_quotas_are_listed(instant_emulator: AzureCli) -> None:
    (size,) = instant_emulator.az("vm", "list-skus", "-l", "eastus", "--size", "Standard_D4s_v5")
    assert {one["name"]: one["value"] for one in size["capabilities"]}["vCPUs"] == "4"
    usages = {row["name"]["value"]: row for row in instant_emulator.az("vm", "list-usage", "-l", "eastus")}
    assert int(usages["cores"]["limit"]) == 1000
    skus = instant_emulator.az(
        "batch", "location", "list-skus", "-l", "eastus", "--query", "[?name=='Standard_D4s_v5']"
    )
    assert [sku["familyName"] for sku in skus] == ["standardDSv5Family"]
    assert instant_emulator.az("batch", "location", "quotas", "show", "-l", "eastus") == {"accountQuota": 3}
