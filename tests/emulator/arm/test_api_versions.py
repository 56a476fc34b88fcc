"""Api-versions and regions that do not exist are refused by every resource provider."""

from __future__ import annotations

from typing import Any

import pytest

from batchimg_magics.emulator.catalog.api_versions import find_type
from tests.support.emulator_client import ARM, COMPUTE, IN_GROUP, TOP, EmulatorClient

BATCH = f"{IN_GROUP}/providers/Microsoft.Batch/batchAccounts"
NETWORK = f"{IN_GROUP}/providers/Microsoft.Network"
ROLES = f"{TOP}/providers/Microsoft.Authorization"
#: A URL of each kind, an api-version that it has, and the refusal of one that it does not have.
TYPES = {
    "subscription": (TOP, "2022-12-01", "InvalidApiVersionParameter"),
    "group": (IN_GROUP, "2024-11-01", "InvalidApiVersionParameter"),
    "resources": (f"{IN_GROUP}/resources", "2022-09-01", "InvalidApiVersionParameter"),
    "providers": (f"{TOP}/providers/Microsoft.Batch", "2021-04-01", "InvalidApiVersionParameter"),
    "vm": (f"{COMPUTE}/virtualMachines/prep-vm", "2016-03-30", "NoRegisteredProviderFound"),
    "view": (f"{COMPUTE}/virtualMachines/prep-vm/instanceView", "2026-04-01", "NoRegisteredProviderFound"),
    "disks": (f"{TOP}/providers/Microsoft.Compute/disks", "2023-10-02", "InvalidResourceType"),
    "galleries": (f"{COMPUTE}/galleries", "2023-07-03", "NoRegisteredProviderFound"),
    "skus": (f"{TOP}/providers/Microsoft.Compute/skus", "2019-04-01", "InvalidResourceType"),
    "usages": (f"{TOP}/providers/Microsoft.Compute/locations/eastus/usages", "2024-07-01", "NoRegisteredProviderFound"),
    "account": (f"{BATCH}/genomicsbatch", "2025-06-01", "NoRegisteredProviderFound"),
    "pools": (f"{BATCH}/genomicsbatch/pools", "2017-09-01", "NoRegisteredProviderFound"),
    "network": (f"{NETWORK}/virtualNetworks/research-vnet", "2022-01-01", "NoRegisteredProviderFound"),
    "locks": (f"{ROLES}/locks", "2016-09-01", "InvalidResourceType"),
    "policies": (f"{ROLES}/policyAssignments", "2021-06-01", "InvalidResourceType"),
    "extension": (
        f"{COMPUTE}/disks/x/providers/Microsoft.Authorization/locks",
        "2020-05-01",
        "NoRegisteredProviderFound",
    ),
}


@pytest.fixture(scope="module")
def azure() -> EmulatorClient:
    return EmulatorClient()


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("wrong", ["2099-01-01", "2014-01-31", "2024-07-02-preview"])
def test_an_api_version_that_a_type_does_not_have_is_refused(azure: EmulatorClient, name: str, wrong: str) -> None:
    url, known, code = TYPES[name]
    assert azure.ask("GET", url, version=known).status == 200
    refused = azure.ask("GET", url, version=wrong)
    assert (refused.status, refused.code) == (400, code)
    assert f"'{wrong}'" in refused.message
    assert known in refused.message


def test_versions_are_those_of_the_type_not_of_the_provider(azure: EmulatorClient) -> None:
    of_galleries, of_disks = "2024-03-03", "2024-03-02"
    assert azure.ask("GET", f"{COMPUTE}/galleries", version=of_galleries).status == 200
    assert azure.ask("GET", f"{COMPUTE}/disks", version=of_disks).status == 200
    refused = azure.ask("GET", f"{COMPUTE}/disks", version=of_galleries)
    assert refused.message.startswith(
        "No registered resource provider found for location 'eastus' and API version '2024-03-03' for type 'disks'. "
        "The supported api-versions are '2016-04-30-preview, 2017-03-30, "
    )
    assert "'. The supported locations are 'australiacentral, " in refused.message
    refused = azure.ask("PUT", f"{COMPUTE}/disks/d", {"location": "West US 2"}, version="2099-01-01")
    assert "for location 'westus2' and API version '2099-01-01'" in refused.message
    assert azure.ask("GET", f"{COMPUTE}/disks/d", version=of_disks).status == 404


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_the_method_does_not_matter(azure: EmulatorClient, method: str) -> None:
    body = None if method in ("GET", "DELETE") else {"location": "eastus"}
    assert azure.ask(method, f"{COMPUTE}/galleries/g", body, version="1999-09-09").code == "NoRegisteredProviderFound"
    assert azure.ask("POST", f"{COMPUTE}/virtualMachines/prep-vm/start", version="1999-09-09").status == 400


def test_the_version_of_a_preview_has_any_case(azure: EmulatorClient) -> None:
    assert azure.ask("GET", f"{COMPUTE}/disks", version="2016-04-30-PREVIEW").status == 200


@pytest.mark.parametrize(
    ("url", "version", "code"),
    [
        (f"{TOP}/resourceGroups/new", "2021-04-01", "LocationNotAvailableForResourceGroup"),
        (f"{COMPUTE}/disks/d", "2023-10-02", "LocationNotAvailableForResourceType"),
        (f"{COMPUTE}/galleries/g", "2023-07-03", "LocationNotAvailableForResourceType"),
        (f"{COMPUTE}/virtualMachines/v", "2024-07-01", "LocationNotAvailableForResourceType"),
        (f"{BATCH}/lab", "2024-07-01", "LocationNotAvailableForResourceType"),
        (f"{NETWORK}/networkInterfaces/n", "2023-09-01", "LocationNotAvailableForResourceType"),
    ],
)
@pytest.mark.parametrize("region", ["mars", "eastus9", "uaecentral", "global"])
def test_a_region_that_does_not_exist_is_refused(
    azure: EmulatorClient, url: str, version: str, code: str, region: str
) -> None:
    refused = azure.ask("PUT", url, {"location": region, "properties": {}}, version=version)
    assert (refused.status, refused.code) == (400, code)
    assert refused.message.startswith(f"The provided location '{region}' is not available for resource ")
    assert ",eastus,eastus2," in refused.message


def test_a_region_without_the_provider_is_refused(azure: EmulatorClient) -> None:
    body: dict[str, Any] = {"location": "Belgium Central"}
    refused = azure.ask("PUT", f"{BATCH}/lab", body, version="2024-07-01")
    assert "is not available for resource type 'Microsoft.Batch/batchAccounts'" in refused.message
    assert azure.ask("PUT", f"{COMPUTE}/galleries/g", body, version="2023-07-03").status == 201


def test_a_region_in_a_path_has_to_exist(azure: EmulatorClient) -> None:
    for path, version in (
        ("Compute/locations/mars/usages", "2024-07-01"),
        ("Batch/locations/mars/quotas", "2024-07-01"),
    ):
        refused = azure.ask("GET", f"{TOP}/providers/Microsoft.{path}", version=version)
        assert (refused.status, refused.code) == (400, "NoRegisteredProviderFound")
        assert "for location 'mars'" in refused.message


def test_restricted_regions_are_listed(azure: EmulatorClient) -> None:
    listed = azure.ask("GET", f"{TOP}/locations", version="2022-12-01").body["value"]
    assert {"eastus", "uaecentral"} <= {one["name"] for one in listed}


def test_no_path_without_an_api_version_needs_one(azure: EmulatorClient) -> None:
    assert azure.ask("GET", f"{ARM}/metadata/endpoints", version="2099-01-01").status == 200


def test_actions_have_the_versions_of_their_resource() -> None:
    assert find_type("microsoft.compute", ("VirtualMachines", "start")) == find_type(
        "Microsoft.Compute", ("virtualMachines",)
    )
    assert find_type("Microsoft.Compute", ("none",)) == ("", ())


def test_an_empty_parent_in_a_path_is_left_out(azure: EmulatorClient) -> None:
    """SDKs send one for a resource without a parent, e.g. ``resources.get``."""
    url = f"{IN_GROUP}/providers/Microsoft.Compute//disks/prep-vm_OsDisk_1"
    assert azure.ask("GET", url, version="2023-10-02").body["name"] == "prep-vm_OsDisk_1"
    lock = f"{url}/providers/Microsoft.Authorization/locks/keep"
    made = azure.ask("PUT", lock, {"properties": {"level": "CanNotDelete"}}, version="2016-09-01")
    assert made.status == 201
    assert "//disks" not in made.body["id"]
    assert azure.ask("DELETE", lock, version="2016-09-01").status == 200


@pytest.mark.parametrize("version", ["2099-01-01", "2024-07-01.21.0", "2021-01-01", "2024-07-01", "latest"])
def test_an_api_version_of_the_data_plane_has_to_exist(azure: EmulatorClient, version: str) -> None:
    url = "https://genomicsbatch.eastus.batch.azure.com/pools"
    refused = azure.ask("GET", url, version=version)
    assert (refused.status, refused.body["code"]) == (400, "InvalidQueryParameterValue")
    assert refused.body["values"] == [
        {"key": "QueryParameterName", "value": "api-version"},
        {"key": "QueryParameterValue", "value": version},
    ]
    assert azure.ask("GET", url, version="2019-08-01.10.0").status == 200
