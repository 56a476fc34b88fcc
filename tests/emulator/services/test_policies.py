"""Policies: built-in and custom ones, what they deny, how the error tells it, and where they apply."""

from __future__ import annotations

from typing import Any

import pytest

from batchimg_magics.emulator.furnish import GROUP, SUBSCRIPTION
from tests.support.compute_emulator import ComputeEmulator, EmulatorResponse, copy_of, resource

TOP = f"/subscriptions/{SUBSCRIPTION}"
IN_GROUP = f"{TOP}/resourceGroups/{GROUP}"
PROVIDER = "/providers/Microsoft.Authorization"
DISK = "disks/prep-vm_OsDisk_1"
COPY = {"location": "eastus", "properties": {"creationData": copy_of(DISK)}}
BUILT_IN = {
    "tag": "871b6d14-10aa-478d-b590-94f262ecfa99",
    "value": "1e30110a-5ceb-460c-a204-c1c3969c6d62",
    "group": "96670d01-0a4d-4649-9c89-2d3abc0a5025",
    "locations": "e56962a6-4747-49cd-b67b-bf8b01975c4c",
    "types": "a08ec900-254a-4555-9bf5-e42af04b5c5c",
    "sizes": "cccc23c7-8427-4f53-ad12-b6a63eb452b3",
    "disks": "8405fdab-1faf-48aa-b702-999c9c172094",
}


def assign(
    emulator: ComputeEmulator, policy: str, scope: str = TOP, more: dict[str, Any] | None = None, **parameters: Any
) -> None:
    """Assign a built-in policy, or one by its id."""
    definition = f"{PROVIDER}/policyDefinitions/{BUILT_IN[policy]}" if policy in BUILT_IN else policy
    given = {name: {"value": value} for name, value in parameters.items()}
    body = {"displayName": f"Our {policy[-5:]}", "policyDefinitionId": definition, "parameters": given, **(more or {})}
    made = emulator.ask("PUT", f"{scope}{PROVIDER}/policyAssignments/ours", {"properties": body})
    assert made.status == 201, made.body
    assert made.properties["scope"] == scope


def snapshot(emulator: ComputeEmulator, **body: Any) -> EmulatorResponse:
    return emulator.ask("PUT", "snapshots/s", COPY | body)


def test_a_demanded_tag_is_told_with_the_policy_and_its_assignment() -> None:
    emulator = ComputeEmulator()
    assign(emulator, "tag", tagName="CostCenter")
    refused = snapshot(emulator)
    assert (refused.status, refused.code, refused.body["error"]["target"]) == (403, "RequestDisallowedByPolicy", "s")
    assert refused.message.startswith("Resource 's' was disallowed by policy. Policy identifiers: '[{\"policyAssign")
    (info,) = refused.body["error"]["additionalInfo"]
    assert info["type"] == "PolicyViolation"
    assert info["info"]["policyDefinitionDisplayName"] == "Require a tag on resources"
    assert info["info"]["policyAssignmentName"] == "ours"
    assert info["info"]["policyAssignmentDisplayName"] == "Our tag"
    assert info["info"]["policyAssignmentParameters"] == {"tagName": {"value": "CostCenter"}}
    assert emulator.ask("GET", "snapshots/s").status == 404
    assert snapshot(emulator, tags={"costcenter": "7"}).status == 202
    # A patch replaces all tags: it may not take the tag away.
    emulator.clock.advance(60)
    assert emulator.ask("PATCH", "snapshots/s", {"tags": {"other": "x"}}).code == "RequestDisallowedByPolicy"
    assert emulator.ask("PATCH", "snapshots/s", {"properties": {"networkAccessPolicy": "DenyAll"}}).status < 300


@pytest.mark.parametrize(
    ("policy", "parameters", "denied", "allowed"),
    [
        ("value", {"tagName": "env", "tagValue": "prod"}, {"tags": {"env": "x"}}, {"tags": {"Env": "Prod"}}),
        ("locations", {"listOfAllowedLocations": ["uksouth"]}, {"location": "eastus"}, None),
        ("types", {"listOfResourceTypesAllowed": ["Microsoft.Compute/disks"]}, {}, None),
    ],
)
def test_built_in_policies(
    policy: str, parameters: dict[str, Any], denied: dict[str, Any], allowed: dict[str, Any] | None
) -> None:
    emulator = ComputeEmulator()
    assign(emulator, policy, **parameters)
    assert snapshot(emulator, **denied).code == "RequestDisallowedByPolicy"
    if allowed is not None:
        assert snapshot(emulator, **allowed).status == 202


def test_disks_that_are_open_to_the_public() -> None:
    emulator = ComputeEmulator()
    assign(emulator, "disks", effect="Deny")
    body = {"location": "eastus", "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4}}
    assert emulator.ask("PUT", "disks/d", body).code == "RequestDisallowedByPolicy"
    body["properties"]["networkAccessPolicy"] = "DenyAll"
    assert emulator.ask("PUT", "disks/d", body).status == 202
    assert snapshot(emulator).status == 202


def test_a_vm_is_judged_with_the_network_interfaces_in_its_body() -> None:
    emulator = ComputeEmulator()
    assign(emulator, "tag", tagName="owner")
    interface = {"name": "v-nic", "properties": {"ipConfigurations": []}}
    body = {
        "location": "eastus",
        "tags": {"owner": "x"},
        "properties": {
            "networkProfile": {"networkApiVersion": "2022-11-01", "networkInterfaceConfigurations": [interface]}
        },
    }
    refused = emulator.ask("PUT", "virtualMachines/v", body)
    assert (refused.code, refused.body["error"]["target"]) == ("RequestDisallowedByPolicy", "v-nic")
    interface["tags"] = {"owner": "x"}
    assert emulator.ask("PUT", "virtualMachines/v", body).code != "RequestDisallowedByPolicy"


def test_sizes_of_vms() -> None:
    emulator = ComputeEmulator()
    assign(emulator, "sizes", listOfAllowedSKUs=["Standard_D2s_v5"])
    for size, denied in (("Standard_D4s_v5", True), ("standard_d2s_V5", False)):
        body = {"location": "eastus", "properties": {"hardwareProfile": {"vmSize": size}}}
        refused = emulator.ask("PUT", "virtualMachines/v", body)
        assert (refused.code == "RequestDisallowedByPolicy") is denied


def test_where_an_assignment_applies() -> None:
    emulator = ComputeEmulator()
    assign(emulator, "tag", f"{TOP}/resourceGroups/other", tagName="t")
    assert snapshot(emulator).status == 202
    assign(emulator, "tag", TOP, {"notScopes": [IN_GROUP]}, tagName="t")
    assert emulator.ask("PUT", "snapshots/s2", COPY).status == 202
    assign(emulator, "tag", TOP, {"enforcementMode": "DoNotEnforce"}, tagName="t")
    assert emulator.ask("PUT", "snapshots/s3", COPY).status == 202
    assign(emulator, "tag", "/providers/Microsoft.Management/managementGroups/university", tagName="t")
    assert emulator.ask("PUT", "snapshots/s4", COPY).status == 403
    listed = emulator.ask("GET", f"{IN_GROUP}{PROVIDER}/policyAssignments?$filter=atScope()")
    assert [one["id"].count("managementGroups") for one in listed.body["value"]] == [1, 0]
    assert len(emulator.ask("GET", f"{TOP}{PROVIDER}/policyAssignments").body["value"]) == 3


def test_custom_definitions_sets_and_messages() -> None:
    emulator = ComputeEmulator()
    rule = {
        "if": {
            "allOf": [
                {"field": "type", "like": "Microsoft.Compute/*"},
                {
                    "anyOf": [
                        {"field": "[concat('tags[', parameters('name'), ']')]", "notMatch": "CC-###"},
                        {"value": "[field('name')]", "notLike": "lab-*"},
                        {"field": "Microsoft.Compute/snapshots/incremental", "equals": False},
                    ]
                },
            ]
        },
        "then": {"effect": "[parameters('effect')]"},
    }
    properties = {
        "displayName": "Names and codes",
        "policyRule": rule,
        "parameters": {"name": {"type": "String"}, "effect": {"type": "String", "defaultValue": "Deny"}},
    }
    definition = f"{TOP}{PROVIDER}/policyDefinitions/codes"
    assert emulator.ask("PUT", definition, {"properties": properties}).status == 201
    part = {"policyDefinitionId": definition, "parameters": {"name": {"value": "[parameters('tag')]"}}}
    group = {"policyDefinitions": [part], "parameters": {"tag": {"type": "String"}}}
    initiative = f"{TOP}{PROVIDER}/policySetDefinitions/all"
    assert emulator.ask("PUT", initiative, {"properties": group}).status == 201
    assign(emulator, initiative, more={"nonComplianceMessages": [{"message": "Ask the help desk"}]}, tag="code")

    def tried(name: str, code: str, *, incremental: bool = True) -> bool:
        body = COPY | {"tags": {"code": code}}
        body["properties"] = {**body["properties"], "incremental": incremental}
        response = emulator.ask("PUT", f"snapshots/{name}", body)
        assert response.status == 202 or "Reasons: 'Ask the help desk'" in response.message
        return response.status == 202

    assert tried("lab-1", "cc-123")
    assert not tried("lab-2", "cc-12x")
    assert not tried("desk-2", "cc-123")
    assert not tried("lab-3", "cc-123", incremental=False)
    bad = {"properties": {"policyRule": {"if": {}}}}
    assert emulator.ask("PUT", f"{TOP}{PROVIDER}/policyDefinitions/bad", bad).code == "InvalidPolicyRule"
    missing = {"properties": {"policyDefinitionId": f"{definition}x"}}
    refused = emulator.ask("PUT", f"{TOP}{PROVIDER}/policyAssignments/x", missing)
    assert (refused.status, refused.code) == (404, "PolicyDefinitionNotFound")


def test_resource_groups_and_definitions_can_be_read() -> None:
    emulator = ComputeEmulator()
    assign(emulator, "group", tagName="owner")
    group, version = f"{TOP}/resourceGroups/lab", "2021-04-01"
    refused = emulator.ask("PUT", group, {"location": "eastus"}, version)
    assert (refused.code, refused.body["error"]["target"]) == ("RequestDisallowedByPolicy", "lab")
    assert emulator.ask("PUT", group, {"location": "eastus", "tags": {"owner": "x"}}, version).status == 201
    built_in = emulator.ask("GET", f"{PROVIDER}/policyDefinitions/{BUILT_IN['tag']}")
    assert built_in.properties["displayName"] == "Require a tag on resources"
    listed = emulator.ask("GET", f"{TOP}{PROVIDER}/policyDefinitions").body["value"]
    assert {"Allowed locations", "Allowed virtual machine size SKUs"} <= {
        one["properties"]["displayName"] for one in listed
    }
    assert emulator.ask("GET", f"{PROVIDER}/policyDefinitions/x").code == "PolicyDefinitionNotFound"
    path = f"{TOP}{PROVIDER}/policyAssignments/ours"
    assert emulator.ask("DELETE", path).status == 200
    assert emulator.ask("DELETE", path).status == 204
    assert emulator.ask("PUT", f"{group}2", {"location": "eastus"}, version).status == 201


def test_the_scenario_demands_a_tag_everywhere() -> None:
    emulator = ComputeEmulator()
    emulator.store.set_meta("scenario", "tag-policy")
    assert "Require a tag on resources" in snapshot(emulator).message
    assert snapshot(emulator, tags={"CostCenter": "1"}).status == 202
    (one,) = emulator.ask("GET", f"{TOP}{PROVIDER}/policyAssignments").body["value"]
    assert one["properties"]["parameters"] == {"tagName": {"value": "CostCenter"}}


def test_what_the_command_line_printed_can_be_imported() -> None:
    emulator = ComputeEmulator()
    documents = [
        {
            "displayName": "Tags please",
            "enforcementMode": "Default",
            "id": f"{TOP}{PROVIDER}/policyAssignments/tags",
            "name": "tags",
            "parameters": {"tagName": {"value": "owner"}},
            "policyDefinitionId": f"{PROVIDER}/policyDefinitions/{BUILT_IN['tag']}",
            "type": "Microsoft.Authorization/policyAssignments",
        },
        {
            "id": f"{resource(DISK)}{PROVIDER}/locks/keep",
            "level": "ReadOnly",
            "name": "keep",
            "notes": None,
            "resourceGroup": GROUP,
            "type": "Microsoft.Authorization/locks",
        },
    ]
    imported = emulator.ask("POST", "https://management.azure.com/_sim/import", {"resources": documents})
    assert imported.body["ids"] == [one["id"] for one in documents]
    assert snapshot(emulator).code == "RequestDisallowedByPolicy"
    assert emulator.ask("DELETE", DISK).code == "ScopeLocked"
