"""Galleries and image definitions of the emulator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.compute_emulator import ComputeEmulator, body, definition, through_sdk

if TYPE_CHECKING:
    from azure.mgmt.compute.aio import ComputeManagementClient


@pytest.fixture
def compute() -> ComputeEmulator:
    return ComputeEmulator()


def test_a_gallery_and_a_definition_through_the_sdk() -> None:
    async def work(client: ComputeManagementClient) -> list[Any]:
        galleries, images = client.galleries, client.gallery_images
        await (await galleries.begin_create_or_update("research", "lab", body())).result()
        made = await (await images.begin_create_or_update("research", "lab", "tools", body(definition()))).result()
        names = [one.name async for one in images.list_by_gallery("research", "lab")]
        names += [one.name async for one in galleries.list()]
        await (await images.begin_delete("research", "lab", "tools")).result()
        await (await galleries.begin_delete("research", "lab")).result()
        names += [one.name async for one in galleries.list_by_resource_group("research")]
        return [made, names]

    made, names = through_sdk(work)
    # Since galleries 2025-03-03, which the SDK sends, a definition is TrustedLaunchSupported unless it says otherwise.
    assert [(one.name, one.value) for one in made.features] == [("SecurityType", "TrustedLaunchSupported")]
    assert (made.provisioning_state, made.architecture) == ("Succeeded", "x64")
    assert names == ["tools", "lab"]


@pytest.mark.parametrize("name", ["-first", "_first", ".first", "last-", "last_", "last.", "x" * 81])
def test_names_of_definitions_that_azure_refuses(compute: ComputeEmulator, name: str) -> None:
    compute.make("galleries/lab", {})
    assert compute.refused(f"galleries/lab/images/{name}", definition())[:2] == (400, "InvalidParameter")
    assert compute.make("galleries/lab/images/a-b_c.d", definition()).status == 200


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("trustedlaunch", "TrustedLaunch"),
        ("TRUSTEDLAUNCHSUPPORTED", "TrustedLaunchSupported"),
        ("TrustedLaunchAndConfidentialVMSupported", "TrustedLaunchAndConfidentialVmSupported"),
    ],
)
def test_security_types_are_answered_in_azures_spelling(compute: ComputeEmulator, asked: str, shown: str) -> None:
    features = [{"name": "securityType", "value": asked}]
    compute.make("galleries/lab", {})
    made = compute.make("galleries/lab/images/i", definition() | {"features": features}).properties
    assert made["features"] == [{"name": "SecurityType", "value": shown}]


@pytest.mark.parametrize("name", ["two-words", "_first", ".first", "x" * 81, "last.", "last_"])
def test_names_that_azure_refuses(compute: ComputeEmulator, name: str) -> None:
    status, code, message = compute.refused(f"galleries/{name}", {})
    assert (status, code) == (400, "InvalidParameter")
    assert name in message


def test_a_gallerys_name_is_taken_once_in_a_subscription(compute: ComputeEmulator) -> None:
    compute.make("galleries/lab", {})
    group = "/subscriptions/4f1c9a52-7d3e-4b8a-9c60-2e5d81f7a034/resourcegroups/second"
    assert compute.ask("PUT", group, {"location": "eastus"}, "2021-04-01").status == 201
    other = compute.ask("PUT", f"{group}/providers/Microsoft.Compute/galleries/LAB", {"location": "eastus"})
    assert other.status == 409
    compute.ask("DELETE", "galleries/lab")
    compute.clock.advance(10)
    again = compute.ask("PUT", f"{group}/providers/Microsoft.Compute/galleries/LAB", {"location": "eastus"})
    assert again.status == 201


def test_a_definition_needs_its_gallery(compute: ComputeEmulator) -> None:
    assert compute.refused("galleries/none/images/tools", definition())[:2] == (404, "ParentResourceNotFound")


def test_a_definition_without_features_has_the_default_of_the_api_version(compute: ComputeEmulator) -> None:
    compute.make("galleries/lab", {})
    bare = {name: one for name, one in definition().items() if name not in ("hyperVGeneration", "architecture")}
    found = {}
    for version in ("2021-10-01", "2024-03-03", "2025-03-03"):
        response = bare | {"identifier": {"publisher": "p", "offer": "o", "sku": version}}
        made = compute.make(f"galleries/lab/images/i{version}", response, version=version).properties
        features = {one["name"]: one["value"] for one in made.get("features", [])}
        found[version] = (made["hyperVGeneration"], made["architecture"], features.get("SecurityType"))
    assert found == {
        "2021-10-01": ("V1", "x64", None),
        "2024-03-03": ("V1", "x64", None),
        "2025-03-03": ("V2", "x64", "TrustedLaunchSupported"),
    }


def test_a_first_generation_is_never_trusted(compute: ComputeEmulator) -> None:
    compute.make("galleries/lab", {})
    status, code, _ = compute.refused("galleries/lab/images/i", definition(generation="V1", security="TrustedLaunch"))
    assert (status, code) == (400, "InvalidParameter")
    old = compute.make("galleries/lab/images/i", definition(generation="V1"), version="2025-03-03").properties
    assert "features" not in old


def test_publisher_offer_and_sku_are_taken_once_in_a_gallery(compute: ComputeEmulator) -> None:
    compute.definition("tools")
    same = definition("other") | {"identifier": definition("tools")["identifier"]}
    status, _, message = compute.refused("galleries/lab/images/other", same)
    assert status == 409
    assert "genomics" in message
    assert compute.make("galleries/lab/images/other", definition("other")).status == 200


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"osType": None}, "InvalidParameter"),
        ({"osState": "Sleeping"}, "InvalidParameter"),
        ({"hyperVGeneration": "V3"}, "InvalidParameter"),
        ({"architecture": "vax"}, "InvalidParameter"),
        ({"identifier": {"publisher": "p", "offer": "o"}}, "InvalidParameter"),
        ({"features": [{"name": "SecurityType", "value": "Odd"}]}, "InvalidParameter"),
        ({"features": [{"name": "SecurityType", "value": "Standard"}]}, "InvalidParameter"),
        ({"features": [{"name": "SecurityType", "value": None}]}, "InvalidParameter"),
    ],
)
def test_refused_definitions(compute: ComputeEmulator, change: dict[str, Any], code: str) -> None:
    compute.make("galleries/lab", {})
    status, found, _ = compute.refused("galleries/lab/images/i", definition() | change)
    assert (status, found) == (400, code)


def test_what_a_definition_is_stays(compute: ComputeEmulator) -> None:
    compute.definition(security="TrustedLaunch")
    changes: list[dict[str, Any]] = [
        {"osType": "Windows"},
        {"hyperVGeneration": "V1"},
        {"features": []},
        {"osState": "Specialized"},
    ]
    for change in changes:
        other = definition(security="TrustedLaunch") | change
        assert compute.refused("galleries/lab/images/tools", other)[:2] == (409, "PropertyChangeNotAllowed")
    described = definition(security="TrustedLaunch") | {"description": "ours"}
    response = compute.ask("PUT", "galleries/lab/images/tools", {"location": "eastus", "properties": described})
    assert (response.status, response.properties["description"]) == (200, "ours")


def test_nothing_is_deleted_before_what_is_in_it(compute: ComputeEmulator) -> None:
    compute.definition()
    compute.snapshot("os", "desk-vm_OsDisk_1")
    compute.version()
    for path in ("galleries/lab", "galleries/lab/images/tools"):
        response = compute.ask("DELETE", path)
        assert (response.status, response.code) == (409, "CannotDeleteResource")
        assert "galleries/lab/images/tools" in response.message
    for path in ("galleries/lab/images/tools/versions/1.0.0", "galleries/lab/images/tools", "galleries/lab"):
        response = compute.ask("DELETE", path)
        assert response.status == 202
        compute.clock.advance(600)
        assert compute.ask("GET", path).status == 404


def test_a_patch_changes_tags_and_description(compute: ComputeEmulator) -> None:
    compute.definition()
    response = compute.ask(
        "PATCH", "galleries/lab/images/tools", {"tags": {"a": "b"}, "properties": {"description": "d"}}
    )
    assert response.status == 200
    compute.clock.advance(10)
    after = compute.ask("GET", "galleries/lab/images/tools")
    assert (after.body["tags"], after.properties["description"]) == ({"a": "b"}, "d")
    assert after.properties["identifier"] == definition()["identifier"]
