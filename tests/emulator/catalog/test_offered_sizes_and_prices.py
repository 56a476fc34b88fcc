"""VM sizes of the emulator, their usage, and their prices."""

from __future__ import annotations

import pytest

from tests.support.emulator_client import ARM, COMPUTE, IN_GROUP, TOP, EmulatorClient

SKUS = f"{TOP}/providers/Microsoft.Compute/skus"
PRICES = "https://prices.azure.com/api/retail/prices"
VMS = "2024-07-01"


@pytest.fixture
def azure() -> EmulatorClient:
    return EmulatorClient()


def test_skus_of_a_region_have_the_capabilities_of_sizes(azure: EmulatorClient) -> None:
    rows = azure.ask("GET", f"{SKUS}?$filter=location eq 'eastus'", version="2021-07-01").body["value"]
    sizes = {row["name"]: row for row in rows}
    assert {row["locations"][0] for row in rows} == {"eastus"}
    assert sizes["Standard_D4s_v5"]["family"] == "standardDSv5Family"
    response = {one["name"]: one["value"] for one in sizes["Standard_D4s_v5"]["capabilities"]}
    assert (response["vCPUs"], response["MemoryGB"], response["HyperVGenerations"]) == ("4", "16", "V1,V2")
    assert (response["MaxResourceVolumeMB"], "DiskControllerTypes" in response) == ("0", False)
    nvme = {one["name"]: one["value"] for one in sizes["Standard_D4s_v6"]["capabilities"]}
    assert nvme["DiskControllerTypes"] == "NVMe"
    arm64 = {one["name"]: one["value"] for one in sizes["Standard_D4ps_v5"]["capabilities"]}
    assert (arm64["CpuArchitectureType"], arm64["TrustedLaunchDisabled"]) == ("Arm64", "True")


def test_skus_without_a_filter_are_those_of_every_region(azure: EmulatorClient) -> None:
    rows = azure.ask("GET", SKUS, version="2021-07-01").body["value"]
    places = {row["locations"][0] for row in rows if row["name"] == "Standard_D4s_v5"}
    assert {"eastus", "westeurope", "japaneast"} <= places
    assert {row["locations"][0] for row in rows if row["name"] == "Standard_HB120rs_v3"} < places


def test_a_filter_that_azure_does_not_take_is_refused(azure: EmulatorClient) -> None:
    response = azure.ask("GET", f"{SKUS}?$filter=name eq 'x'", version="2021-07-01")
    assert (response.status, response.code) == (400, "InvalidParameter")


def test_older_clients_get_the_sizes_of_a_region(azure: EmulatorClient) -> None:
    response = azure.ask("GET", f"{TOP}/providers/Microsoft.Compute/locations/eastus/vmSizes", version=VMS)
    (row,) = [row for row in response.body["value"] if row["name"] == "Standard_DS1_v2"]
    assert (row["numberOfCores"], row["memoryInMB"], row["resourceDiskSizeInMB"]) == (1, 3584, 7168)


def test_usages_count_the_cores_of_vms_also_of_deallocated_ones(azure: EmulatorClient) -> None:
    def used() -> dict[str, int]:
        response = azure.ask("GET", f"{TOP}/providers/Microsoft.Compute/locations/eastus/usages", version=VMS)
        return {row["name"]["value"]: row["currentValue"] for row in response.body["value"]}

    before = used()
    assert (before["virtualMachines"], before["cores"], before["standardDSv5Family"]) == (4, 12, 6)
    assert azure.ask("POST", f"{COMPUTE}/virtualMachines/desk-vm/deallocate", version=VMS).status == 202
    azure.clock.advance(100)
    assert used() == before
    assert azure.ask("DELETE", f"{COMPUTE}/virtualMachines/desk-vm", version=VMS).status == 202
    azure.clock.advance(100)
    assert used() == before | {"virtualMachines": 3, "cores": 10, "standardDSv5Family": 4}


def test_usages_count_the_nodes_of_accounts_that_live_in_the_subscription(azure: EmulatorClient) -> None:
    """And those of no other: Batch's own subscriptions hold them."""

    def used() -> dict[str, int]:
        response = azure.ask("GET", f"{TOP}/providers/Microsoft.Compute/locations/eastus/usages", version=VMS)
        return {row["name"]["value"]: row["currentValue"] for row in response.body["value"]}

    before = used()
    for name, mode in (("mine", "UserSubscription"), ("theirs", "BatchService")):
        top = f"{IN_GROUP}/providers/Microsoft.Batch/batchAccounts/{name}".removeprefix(ARM)
        scale = {"fixedScale": {"targetDedicatedNodes": 3, "targetLowPriorityNodes": 2}}
        pool = {"vmSize": "Standard_D2s_v5", "scaleSettings": scale, "currentDedicatedNodes": 3}
        pool["deploymentConfiguration"] = {"virtualMachineConfiguration": {}}
        documents = [
            {"id": top, "name": name, "location": "eastus", "properties": {"poolAllocationMode": mode}},
            {"id": f"{top}/pools/p", "name": "p", "properties": {**pool, "currentLowPriorityNodes": 2}},
        ]
        assert azure.ask("POST", f"{ARM}/_sim/import", {"resources": documents}).status == 200
    there = {"cores": before["cores"] + 6, "standardDSv5Family": before["standardDSv5Family"] + 6}
    assert used() == before | there | {"lowPriorityCores": 4}


@pytest.mark.parametrize("what", ["usages", "vmSizes"])
def test_a_region_that_is_none_is_refused(azure: EmulatorClient, what: str) -> None:
    response = azure.ask("GET", f"{TOP}/providers/Microsoft.Compute/locations/atlantis/{what}", version=VMS)
    assert (response.status, response.code) == (400, "NoRegisteredProviderFound")


def test_prices_of_a_size_by_system_and_kind(azure: EmulatorClient) -> None:
    wanted = (
        "serviceName eq 'Virtual Machines' and armRegionName eq 'eastus' and armSkuName eq 'Standard_D4s_v5' "
        "and priceType eq 'Consumption'"
    )
    response = azure.ask("GET", f"{PRICES}?$filter={wanted}", headers={})
    rows = {(row["productName"], row["skuName"]): row for row in response.body["Items"]}
    plain = rows["Virtual Machines Dsv5 Series", "D4s v5"]
    assert (plain["unitOfMeasure"], plain["currencyCode"], plain["location"]) == ("1 Hour", "USD", "East US")
    assert 0 < rows["Virtual Machines Dsv5 Series", "D4s v5 Spot"]["retailPrice"] < plain["retailPrice"]
    assert rows["Virtual Machines Dsv5 Series Windows", "D4s v5"]["retailPrice"] > plain["retailPrice"]
    assert len(rows) == response.body["Count"] == 6
    assert response.headers["x-batchimg-prices"] == "simulated"


def test_prices_come_in_pages(azure: EmulatorClient) -> None:
    text = f"{PRICES}?$filter=armRegionName eq 'eastus' or armRegionName eq 'westus'"
    seen: list[str] = []
    while text:
        page = azure.ask("GET", text, headers={}).body
        assert page["Count"] <= 1000
        seen += [row["meterId"] for row in page["Items"]]
        text = page["NextPageLink"]
    assert len(seen) == len(set(seen)) > 500
    top = azure.ask("GET", f"{PRICES}?$top=3&$skip=2", headers={}).body
    assert [row["meterId"] for row in top["Items"]] == seen_in_all_regions(azure)[2:5]


def seen_in_all_regions(azure: EmulatorClient) -> list[str]:
    return [row["meterId"] for row in azure.ask("GET", f"{PRICES}?$top=5", headers={}).body["Items"]]


def test_disks_and_snapshots_have_prices(azure: EmulatorClient) -> None:
    wanted = "armRegionName eq 'eastus' and contains(productName, 'Managed Disks')"
    rows = azure.ask("GET", f"{PRICES}?$filter={wanted}", headers={}).body["Items"]
    prices = {row["skuName"]: (row["retailPrice"], row["unitOfMeasure"]) for row in rows}
    assert prices["P10 LRS"] == (19.71, "1/Month")
    assert prices["Snapshots LRS"] == (0.05, "1 GB/Month")


@pytest.mark.parametrize("query", ["$filter=armRegionName eq", "$skip=x", "$top=0", "currencyCode='EUR'"])
def test_an_invalid_price_query_is_refused(azure: EmulatorClient, query: str) -> None:
    response = azure.ask("GET", f"{PRICES}?{query}", headers={})
    assert (response.status, response.code) == (400, "BadRequest")


def test_a_size_may_be_restricted_for_the_subscription(azure: EmulatorClient) -> None:
    rows = azure.ask("GET", f"{SKUS}?$filter=location eq 'northeurope'", version="2021-07-01").body["value"]
    restrictions = {row["name"]: row["restrictions"] for row in rows}
    (one,) = restrictions["Standard_HB120rs_v3"]
    assert (one["type"], one["reasonCode"]) == ("Location", "NotAvailableForSubscription")
    assert restrictions["Standard_D4s_v5"] == []


def test_load_balancers_have_a_price_everywhere_and_addresses_in_each_region(azure: EmulatorClient) -> None:
    def priced(service: str, region: str) -> dict[str, tuple[float, str]]:
        wanted = f"serviceName eq '{service}' and armRegionName eq '{region}' and priceType eq 'Consumption'"
        rows = azure.ask("GET", f"{PRICES}?$filter={wanted}", headers={}).body["Items"]
        assert {row["productName"] for row in rows} <= {"IP Addresses", "Load Balancer"}
        return {row["meterName"]: (row["retailPrice"], row["unitOfMeasure"]) for row in rows}

    assert priced("Load Balancer", "eastus") == priced("Virtual Network", "Global") == {}
    balancers = priced("Load Balancer", "Global")
    assert balancers["Standard Included LB Rules and Outbound Rules"] == (0.025, "1 Hour")
    assert balancers["Standard Data Processed"][1] == "1 GB"
    assert priced("Virtual Network", "westus")["Standard IPv4 Static Public IP"] == (0.005, "1 Hour")


def test_a_size_may_be_restricted_in_a_zone(azure: EmulatorClient) -> None:
    rows = azure.ask("GET", f"{SKUS}?$filter=location eq 'eastus'", version="2021-07-01").body["value"]
    (one,) = next(row["restrictions"] for row in rows if row["name"] == "Standard_D4s_v3")
    assert (one["type"], one["values"], one["restrictionInfo"]["zones"]) == ("Zone", ["eastus"], ["3"])
