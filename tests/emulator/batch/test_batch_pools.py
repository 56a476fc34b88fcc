"""Pools on the data plane: accepted and refused requests, and their effects over time."""

from __future__ import annotations

from typing import Any

import pytest

from batchimg_magics.emulator.world.store import Item
from tests.support.batch_emulator import ACCOUNT_ID, IMAGES, MACHINE, BatchEmulator


@pytest.fixture
def azure() -> BatchEmulator:
    return BatchEmulator()


# -- the data plane ----------------------------------------------------------------------------------------------


def test_a_pool_reads_as_recorded(azure: BatchEmulator) -> None:
    answer = azure.create_pool("My-Pool", 2)
    assert answer.status == 201
    assert answer.headers["Location"].endswith("/pools/My-Pool")
    pool = azure.pool("my-pool")
    assert pool["id"] == "My-Pool"
    assert pool["eTag"] == answer.headers["ETag"]
    assert pool["vmSize"] == "standard_d2s_v3"
    assert pool["allocationState"] == "resizing"
    assert (pool["targetDedicatedNodes"], pool["currentDedicatedNodes"]) == (2, 0)
    assert pool["taskSchedulingPolicy"] == {"jobDefaultOrder": "none", "nodeFillType": "Spread"}
    assert "certificateReferences" not in pool
    old = azure.batch("GET", "/pools/my-pool", version="2024-02-01.19.0").body
    assert old["certificateReferences"] == []
    assert old["taskSchedulingPolicy"] == {"nodeFillType": "Spread"}


def test_defaults_of_start_task_users_disk_and_network(azure: BatchEmulator) -> None:
    machine = {
        "imageReference": {"publisher": "MicrosoftWindowsServer", "offer": "WindowsServer", "sku": "2022-datacenter"},
        "nodeAgentSKUId": "batch.node.windows amd64",
        "osDisk": {"caching": "readwrite", "diskSizeGB": "100"},
    }
    azure.create_pool(
        virtualMachineConfiguration=machine,
        startTask={"commandLine": "cmd /c echo"},
        userAccounts=[{"name": "u", "password": "secret"}],
        networkConfiguration={},
    )
    pool = azure.pool()
    assert pool["startTask"] == {
        "commandLine": "cmd /c echo",
        "maxTaskRetryCount": 0,
        "waitForSuccess": True,
        "userIdentity": {"autoUser": {"scope": "pool", "elevationLevel": "nonadmin"}},
    }
    user = {"name": "u", "elevationLevel": "nonadmin", "windowsUserConfiguration": {"loginMode": "batch"}}
    assert pool["userAccounts"] == [user]
    disk = {"ephemeralOSDiskSettings": {}, "caching": "ReadWrite", "diskSizeGB": 100}
    assert pool["virtualMachineConfiguration"]["osDisk"] == disk
    assert "networkConfiguration" not in pool or pool["networkConfiguration"]


def test_an_empty_pool_is_steady_after_a_moment(azure: BatchEmulator) -> None:
    azure.create_pool()
    assert azure.pool()["allocationState"] == "resizing"
    azure.clock.advance(1.5)
    assert azure.pool()["allocationState"] == "steady"


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"vmSize": "thisisinvalid"}, "vmSize"),
        ({"targetDedicatedNodes": -1}, "targetDedicatedNodes"),
        ({"targetDedicatedNodes": "many"}, "targetDedicatedNodes"),
        ({"targetDedicatedNodes": True}, "targetDedicatedNodes"),
        ({"resizeTimeout": "PT4M"}, "resizeTimeout"),
        ({"resizeTimeout": "soon"}, "resizeTimeout"),
        ({"id": "no spaces"}, "id"),
        ({"taskSlotsPerNode": 9}, "taskSlotsPerNode"),
        ({"taskSchedulingPolicy": {"nodeFillType": "wide"}}, "nodeFillType"),
        ({"virtualMachineConfiguration": MACHINE | {"nodeAgentSKUId": "batch.node.none"}}, "nodeAgentSKUId"),
        ({"virtualMachineConfiguration": MACHINE | {"nodeAgentSKUId": "batch.node.windows amd64"}}, "nodeAgentSKUId"),
        ({"enableAutoScale": True, "autoScaleFormula": "1", "targetDedicatedNodes": 1}, "targetDedicatedNodes"),
    ],
)
def test_bad_values_are_named(azure: BatchEmulator, change: dict[str, Any], name: str) -> None:
    refused = azure.create_pool(**change)
    assert (refused.status, refused.code) == (400, "InvalidPropertyValue")
    assert refused.why()["PropertyName"] == name


@pytest.mark.parametrize("name", ["vmSize", "id", "virtualMachineConfiguration"])
def test_what_is_missing_is_named(azure: BatchEmulator, name: str) -> None:
    refused = azure.create_pool(**{name: None}) if name != "id" else azure.create_pool(None)  # type: ignore[arg-type]
    assert (refused.status, refused.code) == (400, "MissingRequiredProperty")
    assert refused.why()["PropertyName"] == name


def test_unknown_properties_and_invalid_bodies_are_refused(azure: BatchEmulator) -> None:
    assert azure.create_pool(colour="blue").code == "InvalidRequestBody"
    assert "application_id" in azure.create_pool(applicationPackageReferences=[{"application_id": "x"}]).why()["Reason"]
    assert azure.batch("POST", "/pools", [1]).code == "InvalidRequestBody"


def test_an_unsupported_image_is_refused_in_azures_words(azure: BatchEmulator) -> None:
    refused = azure.create_pool(
        virtualMachineConfiguration=MACHINE | {"imageReference": {"publisher": "a", "offer": "b", "sku": "c"}}
    )
    assert refused.why() == {
        "PropertyName": "imageReference",
        "Reason": "The specified imageReference with publisher a offer b sku c is not supported.",
    }


def test_an_image_past_its_end_of_life_is_refused_by_the_simulated_date(azure: BatchEmulator) -> None:
    focal = {"publisher": "canonical", "offer": "0001-com-ubuntu-server-focal", "sku": "20_04-lts"}
    machine = {"imageReference": focal, "nodeAgentSKUId": "batch.node.ubuntu 20.04"}
    assert azure.create_pool(virtualMachineConfiguration=machine).status == 400
    assert BatchEmulator(start=1_700_000_000.0).create_pool(virtualMachineConfiguration=machine).status == 201
    azure.store.set_meta("images_past_end_of_life", "taken")
    assert azure.create_pool(virtualMachineConfiguration=machine).status == 201


def test_managed_images_by_api_version_and_retirement() -> None:
    image, agent = {"imageReference": {"virtualMachineImageId": f"{IMAGES}/images/mine"}}, "batch.node.ubuntu 22.04"
    machine = image | {"nodeAgentSKUId": agent}
    body = {"id": "p", "vmSize": "Standard_D2s_v3", "virtualMachineConfiguration": machine}
    then, today = BatchEmulator(start=1_700_000_000.0), BatchEmulator()
    for version in ("2020-03-01.11.0", "2025-06-01"):
        refused = then.batch("POST", "/pools", body, version=version)
        assert refused.why()["PropertyName"] == "virtualMachineImageId"
        assert "galleries/{galleryName}" in refused.why()["Reason"]
    assert today.batch("POST", "/pools", body, version="2019-08-01.10.0").status == 400
    assert then.batch("POST", "/pools", body, version="2019-08-01.10.0").why()["Reason"].endswith("could not be found")
    there = Item(f"{IMAGES}/images/mine".lower(), "microsoft.compute/images", {"properties": {}})
    then.store.put(there)
    then.store.set_meta("managed_image_pools", "retired")
    assert then.batch("POST", "/pools", body, version="2019-08-01.10.0").status == 400
    then.store.set_meta("managed_image_pools", "taken")
    assert then.batch("POST", "/pools", body, version="2019-08-01.10.0").status == 201
    properties = {
        "vmSize": "Standard_D2s_v3",
        "deploymentConfiguration": {
            "virtualMachineConfiguration": {"imageReference": {"id": f"{IMAGES}/images/mine"}, "nodeAgentSkuId": agent}
        },
    }
    assert then.arm("PUT", "/pools/r", {"properties": properties}, version="2021-01-01").status == 400
    assert then.arm("PUT", "/pools/r", {"properties": properties}, version="2020-03-01").status == 200
    elsewhere = machine | {"imageReference": {"virtualMachineImageId": f"{IMAGES}/images/m".replace("4f1c", "0000")}}
    other = body | {"id": "q", "virtualMachineConfiguration": elsewhere}
    assert "different subscription" in then.batch("POST", "/pools", other, version="2019-08-01.10.0").why()["Reason"]


@pytest.mark.parametrize(
    ("version", "plane", "part"),
    [
        ("2019-08-01.10.0", "batch", {"virtualMachineConfiguration": MACHINE | {"osDisk": {"diskSizeGB": 64}}}),
        ("2019-08-01.10.0", "batch", {"networkConfiguration": {"publicIPAddressConfiguration": {}}}),
        ("2019-08-01.10.0", "batch", {"taskSlotsPerNode": 2}),
        ("2020-03-01", "arm", {"taskSlotsPerNode": 2}),
        (
            "2020-03-01",
            "arm",
            {"mountConfiguration": [{"azureBlobFileSystemConfiguration": {"identityReference": {}}}]},
        ),
    ],
)
def test_old_api_versions_do_not_know_what_came_later(version: str, plane: str, part: dict[str, Any]) -> None:
    def strange(asked: str) -> bool:
        azure = BatchEmulator(start=1_700_000_000.0)
        if plane == "batch":
            body = {"id": "p", "vmSize": "Standard_D2s_v3", "virtualMachineConfiguration": MACHINE} | part
            response = azure.batch("POST", "/pools", body, version=asked)
        else:
            response = azure.arm("PUT", "/pools/p", {"properties": part}, version=asked)
        return "does not exist on type" in str(response.body)

    assert strange(version)
    assert not strange("2025-06-01")


def test_a_shared_key_opens_no_custom_image(azure: BatchEmulator) -> None:
    image = {"imageReference": {"virtualMachineImageId": f"{IMAGES}/galleries/g/images/i/versions/1.0.0"}}
    machine = image | {"nodeAgentSKUId": "batch.node.ubuntu 22.04"}
    body = {"id": "p", "vmSize": "Standard_D2s_v3", "virtualMachineConfiguration": machine}
    refused = azure.batch("POST", "/pools", body, authorization="SharedKey a:b")
    assert (refused.status, refused.code) == (403, "AuthenticationFailed")
    assert "SharedKey is not allowed" in refused.why()["AuthenticationErrorDetail"]


def test_a_name_is_taken_in_any_case_until_the_pool_is_deleted(azure: BatchEmulator) -> None:
    azure.create_pool("Pool")
    assert azure.create_pool("pOOL").code == "PoolExists"
    assert azure.batch("DELETE", "/pools/POOL").status == 202
    assert azure.pool("pool")["state"] == "deleting"
    assert azure.create_pool("pool").code == "PoolBeingDeleted"
    assert azure.batch("POST", "/pools/pool/resize", {"targetDedicatedNodes": 1}).code == "PoolBeingDeleted"
    azure.clock.advance(10)
    assert azure.batch("GET", "/pools/pool").code == "PoolNotFound"
    gone = azure.batch("HEAD", "/pools/pool")
    assert (gone.status, gone.body) == (404, None)
    assert azure.create_pool("pool").status == 201


def test_a_pool_with_nodes_is_deleting_until_they_have_left(azure: BatchEmulator) -> None:
    azure.create_pool(dedicated=3)
    azure.wait_until_steady()
    azure.batch("DELETE", "/pools/p")
    azure.clock.advance(60)
    assert azure.states() == {"leavingpool": 3}
    azure.clock.advance(60)
    assert azure.batch("GET", "/pools/p").status == 404


def test_the_pool_quota_is_kept(azure: BatchEmulator) -> None:
    account = azure.store.get(ACCOUNT_ID)
    assert account is not None
    account.doc["properties"]["poolQuota"] = 2
    azure.store.put(account)
    assert [azure.create_pool(name).status for name in "abc"] == [201, 201, 409]


def test_conditional_headers(azure: BatchEmulator) -> None:
    azure.create_pool()
    tag = azure.pool()["eTag"]
    assert azure.batch("PATCH", "/pools/p", {"metadata": []}, if_match="0x0").code == "ConditionNotMet"
    assert azure.batch("PATCH", "/pools/p", {"metadata": []}, if_match=tag).status == 200
    assert azure.pool()["eTag"] != tag
    assert azure.batch("DELETE", "/pools/p", if_match=tag).status == 412
    assert azure.batch("DELETE", "/pools/p", if_none_match="*").status == 412


@pytest.mark.parametrize("subnet", ["x", "0", "/subscriptions/s", "/virtualNetworks/v/subnets/s"])
def test_a_subnet_is_named_by_its_id(azure: BatchEmulator, subnet: str) -> None:
    refused = azure.create_pool("s", networkConfiguration={"subnetId": subnet})
    assert (refused.status, refused.code, refused.why()["PropertyName"]) == (400, "InvalidPropertyValue", "subnetId")


def test_certificates_are_not_to_be_had(azure: BatchEmulator) -> None:
    one = {"thumbprint": "0123abcd", "thumbprintAlgorithm": "sha1"}
    refused = azure.create_pool("c", certificateReferences=[one])
    assert (refused.status, refused.code) == (409, "InvalidCertificateReferences")
    assert refused.why() == {"0123abcd": "The specified certificate does not exist."}


def test_patch_changes_what_is_given_and_updateproperties_takes_the_rest_away(azure: BatchEmulator) -> None:
    azure.create_pool(metadata=[{"name": "a", "value": "1"}], startTask={"commandLine": "true"})
    azure.batch("PATCH", "/pools/p", {"metadata": [{"name": "b", "value": "2"}]})
    assert azure.pool()["metadata"] == [{"name": "b", "value": "2"}]
    assert "startTask" in azure.pool()
    changed = {"metadata": [], "applicationPackageReferences": [], "certificateReferences": []}
    assert azure.batch("POST", "/pools/p/updateproperties", changed).status == 204
    assert not {"startTask", "metadata"} & set(azure.pool())
    refused = azure.batch("PATCH", "/pools/p", {"applicationPackageReferences": [{"applicationId": "none"}]})
    assert (refused.code, refused.why()) == (
        "InvalidApplicationPackageReferences",
        {"none": "The specified application package does not exist."},
    )


def test_image_and_size_change_only_without_nodes(azure: BatchEmulator) -> None:
    azure.create_pool(dedicated=1)
    azure.wait_until_steady()
    assert azure.batch("PATCH", "/pools/p", {"vmSize": "Standard_D4s_v3"}).status == 409
    azure.batch("POST", "/pools/p/resize", {"targetDedicatedNodes": 0})
    azure.wait_until_steady()
    assert azure.batch("PATCH", "/pools/p", {"vmSize": "Standard_D4s_v3"}).status == 200
    assert azure.pool()["vmSize"] == "standard_d4s_v3"


def test_lists_have_pages_filters_and_selections(azure: BatchEmulator) -> None:
    for name in ("a", "b", "c"):
        azure.create_pool(name)
    page = azure.batch("GET", "/pools?maxresults=2").body
    assert [pool["id"] for pool in page["value"]] == ["a", "b"]
    assert "odata.nextLink" not in azure.batch("GET", "/pools?maxresults=3").body
    rest = azure.send("GET", page["odata.nextLink"]).body
    assert [pool["id"] for pool in rest["value"]] == ["c"]
    assert "odata.nextLink" not in rest
    found = azure.batch("GET", "/pools?$filter=id%20eq%20'b'%20or%20startswith(id,'c')&$select=id").body["value"]
    assert found == [{"id": "b"}, {"id": "c"}]
    refused = azure.batch("GET", "/pools?maxresults=-5")
    assert (refused.status, refused.code) == (400, "InvalidQueryParameterValue")
    assert refused.why()["Reason"] == "MaxResults cannot be less than 1"
    assert azure.batch("GET", "/pools?$filter=id%20is%20'b'").code == "InvalidQueryParameterValue"


# -- resizes -----------------------------------------------------------------------------------------------------


def test_an_omitted_count_is_zero(azure: BatchEmulator) -> None:
    azure.create_pool(dedicated=2, spot=5)
    azure.wait_until_steady()
    azure.batch("POST", "/pools/p/resize", {"targetDedicatedNodes": 3})
    pool = azure.wait_until_steady()
    assert (pool["currentDedicatedNodes"], pool["currentLowPriorityNodes"], pool["targetLowPriorityNodes"]) == (3, 0, 0)


def test_a_resize_needs_a_steady_pool_and_a_target(azure: BatchEmulator) -> None:
    azure.create_pool(dedicated=1)
    assert azure.batch("POST", "/pools/p/resize", {"targetDedicatedNodes": 2}).code == "PoolBeingResized"
    azure.wait_until_steady()
    assert azure.batch("POST", "/pools/p/resize", {}).code == "MissingRequiredProperty"
    assert azure.batch("POST", "/pools/p/resize", {"targetDedicatedNodes": "2"}).status == 202


def test_stopping_leaves_the_etag_and_its_error_stays_until_the_next_resize(azure: BatchEmulator) -> None:
    azure.create_pool()
    azure.wait_until_steady()
    azure.batch("POST", "/pools/p/resize", {"targetDedicatedNodes": 0, "targetLowPriorityNodes": 5})
    tag = azure.pool()["eTag"]
    stopped = azure.batch("POST", "/pools/p/stopresize")
    assert (stopped.status, stopped.headers["ETag"]) == (202, tag)
    assert azure.pool()["allocationState"] == "stopping"
    error = {
        "code": "ResizeStopped",
        "message": "Desired number of low priority nodes could not be allocated due to a stop resize operation",
    }
    assert azure.wait_until_steady()["resizeErrors"] == [error]
    azure.clock.advance(86_400)
    assert azure.pool()["resizeErrors"] == [error]
    azure.batch("POST", "/pools/p/resize", {"targetDedicatedNodes": 0})
    assert "resizeErrors" not in azure.pool()


def test_a_series_quota_allows_what_fits_and_reports_it(azure: BatchEmulator) -> None:
    azure.create_pool("big", 600, vmSize="Standard_D2s_v5")
    pool = azure.wait_until_steady("big")
    assert pool["currentDedicatedNodes"] == 500
    assert pool["resizeErrors"] == [
        {
            "code": "AccountVMSeriesCoreQuotaReached",
            "message": "The specified account has reached VM series core quota for standardDSv5Family",
        }
    ]
    azure.create_pool("more", 1, vmSize="Standard_D4s_v5")
    assert azure.wait_until_steady("more")["resizeErrors"][0]["code"] == "AccountVMSeriesCoreQuotaReached"
    azure.create_pool("other", 1, vmSize="Standard_F2s_v2")
    assert "resizeErrors" not in azure.wait_until_steady("other")


def test_totals_and_spot_have_quotas_of_their_own(azure: BatchEmulator) -> None:
    account = azure.store.get(ACCOUNT_ID)
    assert account is not None
    account.doc["properties"] |= {"dedicatedCoreQuota": 10, "lowPriorityCoreQuota": 6}
    azure.store.put(account)
    azure.create_pool(dedicated=8, spot=8)
    pool = azure.wait_until_steady()
    assert (pool["currentDedicatedNodes"], pool["currentLowPriorityNodes"]) == (5, 3)
    codes = [error["code"] for error in pool["resizeErrors"]]
    assert codes == ["AccountCoreQuotaReached", "AccountLowPriorityCoreQuotaReached"]


def test_an_account_without_quotas_has_those_of_compute(azure: BatchEmulator) -> None:
    account = azure.store.get(ACCOUNT_ID)
    assert account is not None
    for name in ("dedicatedCoreQuota", "lowPriorityCoreQuota", "dedicatedCoreQuotaPerVMFamilyEnforced"):
        del account.doc["properties"][name]
    azure.store.put(account)
    azure.create_pool(dedicated=2**31 - 1, spot=2**31 - 1)
    pool = azure.wait_until_steady()
    assert (pool["currentDedicatedNodes"], pool["currentLowPriorityNodes"]) == (175, 50)
    assert [error["code"] for error in pool["resizeErrors"]] == ["AllocationFailed", "AllocationFailed"]
    (cause,) = pool["resizeErrors"][0]["values"]
    assert cause["name"] == "Provider Error Json"
    assert "exceeding approved standardDSv3Family Cores quota" in cause["value"]


def test_a_timeout_leaves_what_came(azure: BatchEmulator) -> None:
    azure.create_pool(spot=900, vmSize="Standard_A1_v2", resizeTimeout="PT5M")
    pool = azure.wait_until_steady()
    assert pool["resizeErrors"][0]["code"] == "AllocationTimedout"
    assert 0 < pool["currentLowPriorityNodes"] < 900


def test_disks_read_back_as_recorded(azure: BatchEmulator) -> None:
    disks = {"osDisk": {"diskSizeGB": 60}, "dataDisks": [{"lun": 0, "diskSizeGB": 10}]}
    azure.create_pool("disks", virtualMachineConfiguration=MACHINE | disks)
    shown = azure.pool("disks")["virtualMachineConfiguration"]
    assert shown["osDisk"]["caching"] == "None"
    (data,) = shown["dataDisks"]
    assert (data["caching"], data["managedDisk"]) == ("none", {"storageAccountType": "standard_lrs"})


def test_older_api_versions_tell_how_nodes_communicate(azure: BatchEmulator) -> None:
    def modes() -> tuple[Any, Any]:
        shown = azure.batch("GET", "/pools/modes", version="2024-07-01.20.0").body
        return shown.get("targetNodeCommunicationMode"), shown.get("currentNodeCommunicationMode")

    azure.create_pool("modes", 1)
    assert modes() == (None, None)
    azure.wait_until_steady("modes")
    assert modes() == (None, "simplified")
    assert "currentNodeCommunicationMode" not in azure.pool("modes")
    replaced = {"metadata": [], "applicationPackageReferences": [], "certificateReferences": []}
    azure.batch("POST", "/pools/modes/updateproperties", replaced, version="2024-02-01.19.0")
    assert modes() == ("default", "simplified")
    azure.batch("POST", "/pools/modes/updateproperties", replaced)
    assert modes() == (None, "simplified")
    replaced.pop("certificateReferences")
    refused = azure.batch("POST", "/pools/modes/updateproperties", replaced, version="2024-02-01.19.0")
    assert refused.why()["PropertyName"] == "certificateReferences"


def test_a_pool_that_is_getting_nodes_does_not_change_them(azure: BatchEmulator) -> None:
    azure.create_pool("growing", 2)
    for method, path, body in (
        ("PATCH", "/pools/growing", {"vmSize": "Standard_D4s_v3"}),
        ("PATCH", "/pools/growing", {"taskSlotsPerNode": 2}),
    ):
        assert azure.batch(method, path, body).code == "OperationInvalidForCurrentState"
    refused = azure.arm("PATCH", "/pools/growing", {"properties": {"vmSize": "Standard_D4s_v3"}})
    assert refused.code == "OperationInvalidForCurrentState"
    scale = {"scaleSettings": {"fixedScale": {"targetDedicatedNodes": 3}}}
    assert azure.arm("PATCH", "/pools/growing", {"properties": scale}).code == "PoolBeingResized"
    assert azure.batch("PATCH", "/pools/growing", {"metadata": []}).status == 200
    azure.create_pool("empty")
    azure.wait_until_steady("empty")
    assert azure.batch("PATCH", "/pools/empty", {"vmSize": "Standard_D4s_v3"}).status == 200


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("resize", {}, "MissingRequiredProperty"),
        ("resize", {"targetDedicatedNodes": 1, "resizeTimeout": "PT1M"}, "InvalidPropertyValue"),
        ("resize", {"targetDedicatedNodes": 1, "nodeDeallocationOption": "hard"}, "InvalidPropertyValue"),
        ("resize", {"targetDedicatedNodes": 1}, "PoolNotFound"),
        ("removenodes", {}, "MissingRequiredProperty"),
        ("removenodes", {"nodeList": []}, "MissingRequiredProperty"),
        ("removenodes", {"nodeList": ["n"] * 101}, "InvalidPropertyValue"),
        ("removenodes", {"nodeList": ["n"]}, "PoolNotFound"),
        ("updateproperties", {"metadata": []}, "MissingRequiredProperty"),
        ("enableautoscale", {"autoScaleEvaluationInterval": "PT1M"}, "InvalidPropertyValue"),
        ("evaluateautoscale", {}, "MissingRequiredProperty"),
        ("nodes/n/reboot", {"nodeRebootOption": "hard"}, "InvalidPropertyValue"),
        ("nodes/n/reboot", {}, "PoolNotFound"),
    ],
)
def test_a_body_is_judged_before_its_pool_is_looked_up(
    azure: BatchEmulator, path: str, body: dict[str, Any], code: str
) -> None:
    assert azure.batch("POST", f"/pools/ghost/{path}", body).code == code
