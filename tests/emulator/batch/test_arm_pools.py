"""Pools in ARM: one pool in two dialects, and what ARM alone has."""

from __future__ import annotations

import pytest

from tests.support.batch_emulator import ARM_MACHINE, BatchEmulator, arm_pool_body


@pytest.fixture
def azure() -> BatchEmulator:
    return BatchEmulator()


def test_one_pool_has_two_dialects(azure: BatchEmulator) -> None:
    more = {
        "startTask": {"commandLine": "true", "userIdentity": {"autoUser": {"elevationLevel": "Admin"}}},
        "interNodeCommunication": "Enabled",
        "targetNodeCommunicationMode": "Simplified",
        "metadata": [{"name": "owner", "value": "me"}],
    }
    # The property is older than 2025-06-01, which no longer has it.
    made = azure.arm("PUT", "/pools/P", arm_pool_body(**more) | {"tags": {"a": "b"}}, version="2024-07-01")
    assert made.status == 200
    assert made.headers["ETag"] == made.body["etag"]
    properties = made.body["properties"]
    assert (properties["vmSize"], properties["allocationState"]) == ("STANDARD_D2S_V3", "Resizing")
    assert properties["startTask"]["userIdentity"] == {"autoUser": {"scope": "Pool", "elevationLevel": "Admin"}}
    assert made.body["tags"] == {"a": "b"}
    other = azure.pool("P")
    assert other["startTask"]["userIdentity"] == {"autoUser": {"scope": "pool", "elevationLevel": "admin"}}
    assert (other["enableInterNodeCommunication"], other["targetNodeCommunicationMode"]) == (True, "simplified")
    assert f'W/"{other["eTag"]}"' == made.body["etag"]
    assert "tags" not in other
    azure.clock.advance(5)
    assert azure.arm("GET", "/pools/p").body["properties"]["allocationState"] == "Steady"
    assert azure.pool("P")["allocationState"] == "steady"


def test_put_creates_once_and_then_replaces_everything(azure: BatchEmulator) -> None:
    body = arm_pool_body(metadata=[{"name": "a", "value": "1"}], displayName="first")
    assert azure.arm("PUT", "/pools/p", body, if_none_match="*").status == 200
    refused = azure.arm("PUT", "/pools/p", body, if_none_match="*")
    assert (refused.status, refused.code) == (412, "ConditionNotMet")
    azure.clock.advance(5)
    replaced = azure.arm("PUT", "/pools/p", arm_pool_body(dedicated=1)).body["properties"]
    assert not {"metadata", "displayName"} & set(replaced)
    assert replaced["scaleSettings"]["fixedScale"]["targetDedicatedNodes"] == 1


def test_patch_of_scale_settings_is_a_resize_and_an_omitted_count_is_zero(azure: BatchEmulator) -> None:
    azure.arm("PUT", "/pools/p", arm_pool_body(2, 3))
    azure.wait_until_steady()
    scale = {"properties": {"scaleSettings": {"fixedScale": {"targetDedicatedNodes": 1}}}}
    assert azure.arm("PATCH", "/pools/p", scale, if_match='W/"0x0"').status == 412
    assert azure.arm("PATCH", "/pools/p", scale).body["properties"]["allocationState"] == "Resizing"
    assert azure.arm("PATCH", "/pools/p", scale).code == "PoolBeingResized"
    assert azure.wait_until_steady()["currentLowPriorityNodes"] == 0


def test_arm_shows_the_last_resize_with_its_errors(azure: BatchEmulator) -> None:
    azure.arm("PUT", "/pools/p", arm_pool_body(3) | {})
    azure.arm("POST", "/pools/p/stopResize")
    azure.wait_until_steady()
    status = azure.arm("GET", "/pools/p").body["properties"]["resizeOperationStatus"]
    assert status["targetDedicatedNodes"] == 3
    assert status["errors"][0]["code"] == "ResizeStopped"


def test_errors_on_arm_name_their_target_and_quote_the_request(azure: BatchEmulator) -> None:
    refused = azure.arm("PUT", "/pools/p", arm_pool_body(vmSize="none"))
    error = refused.body["error"]
    assert (error["code"], error["target"]) == ("InvalidPropertyValue", "BatchAccount")
    assert {"code": "PropertyName", "message": "vmSize"} in error["details"]
    assert "\nRequestId:" in error["message"]


def test_delete_on_arm_is_a_long_operation_while_there_are_nodes(azure: BatchEmulator) -> None:
    azure.arm("PUT", "/pools/p", arm_pool_body(1))
    azure.wait_until_steady()
    begun = azure.arm("DELETE", "/pools/p")
    assert (begun.status, begun.headers["Retry-After"]) == (202, "15")
    assert azure.arm("GET", "/pools/p").body["properties"]["provisioningState"] == "Deleting"
    assert azure.send("GET", begun.headers["Location"]).status == 202
    azure.clock.advance(120)
    assert azure.send("GET", begun.headers["Location"]).status == 200
    assert azure.arm("GET", "/pools/p").status == 404
    assert azure.arm("DELETE", "/pools/p").status == 204


def test_an_empty_pool_is_removed_from_arm_at_once_and_later_from_the_data_plane(azure: BatchEmulator) -> None:
    azure.arm("PUT", "/pools/p", arm_pool_body())
    begun = azure.arm("DELETE", "/pools/p")
    assert azure.send("GET", begun.headers["Location"]).status == 200
    assert azure.arm("GET", "/pools/p").status == 404
    assert azure.pool()["state"] == "deleting"


def test_scale_settings_are_fixed_or_automatic(azure: BatchEmulator) -> None:
    azure.arm("PUT", "/pools/p", arm_pool_body())
    azure.wait_until_steady()
    both = {"autoScale": {"formula": "$TargetDedicatedNodes=1"}, "fixedScale": {"targetDedicatedNodes": 1}}
    refused = azure.arm("PATCH", "/pools/p", {"properties": {"scaleSettings": both}})
    assert (refused.status, refused.code) == (400, "InvalidPropertyValue")
    assert azure.arm("PATCH", "/pools/p", {"properties": {"scaleSettings": {}}}).status == 200


def test_the_list_on_arm_filters(azure: BatchEmulator) -> None:
    azure.arm("PUT", "/pools/a", arm_pool_body())
    azure.clock.advance(5)
    azure.arm("PUT", "/pools/b", arm_pool_body())
    listed = azure.arm("GET", "/pools?$filter=properties/allocationState%20eq%20'Steady'").body["value"]
    assert [pool["name"] for pool in listed] == ["a"]


def test_what_retired_is_refused_by_api_version(azure: BatchEmulator) -> None:
    cloud = {"deploymentConfiguration": {"cloudServiceConfiguration": {"osFamily": "5"}}, "vmSize": "small"}
    refused = azure.arm("PUT", "/pools/p", {"properties": cloud})
    assert refused.code == "CloudServiceConfigurationRetired"
    made = azure.arm("PUT", "/pools/p", {"properties": cloud}, version="2021-06-01")
    assert made.body["properties"]["vmSize"] == "Small"


def test_names_that_the_planes_spell_differently_are_distinguished_by_their_place(azure: BatchEmulator) -> None:
    machine = ARM_MACHINE | {
        "containerConfiguration": {
            "type": "DockerCompatible",
            "containerRegistries": [{"username": "puller", "registryServer": "r"}],
        },
        "extensions": [{"name": "e", "publisher": "p", "type": "t", "settings": {"policy": "mine", "userName": "u"}}],
    }
    network = {
        "dynamicVnetAssignmentScope": "Job",
        "endpointConfiguration": {
            "inboundNatPools": [
                {
                    "name": "ssh",
                    "protocol": "TCP",
                    "backendPort": 22,
                    "frontendPortRangeStart": 15000,
                    "frontendPortRangeEnd": 15100,
                }
            ]
        },
    }
    task = {"commandLine": "true", "userIdentity": {"userName": "runner"}}
    body = arm_pool_body(networkConfiguration=network, startTask=task)
    body["properties"]["deploymentConfiguration"]["virtualMachineConfiguration"] = machine
    shown = azure.arm("PUT", "/pools/p", body).body["properties"]
    assert shown["networkConfiguration"] == network | {"enableAcceleratedNetworking": False}
    assert shown["startTask"]["userIdentity"] == {"userName": "runner"}
    assert shown["deploymentConfiguration"]["virtualMachineConfiguration"]["extensions"] == machine["extensions"]
    other = azure.pool()
    assert other["startTask"]["userIdentity"] == {"username": "runner"}
    assert other["networkConfiguration"]["endpointConfiguration"]["inboundNATPools"][0]["protocol"] == "tcp"
    assert other["networkConfiguration"]["dynamicVNetAssignmentScope"] == "job"
    registries = other["virtualMachineConfiguration"]["containerConfiguration"]["containerRegistries"]
    assert (
        registries
        == shown["deploymentConfiguration"]["virtualMachineConfiguration"]["containerConfiguration"][
            "containerRegistries"
        ]
    )
