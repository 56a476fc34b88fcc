"""Applications of a Batch account, their packages, and pools that use them; reads of scale sets."""

from __future__ import annotations

from typing import Any

import pytest

from batchimg_magics.emulator.arm.imports import import_documents
from tests.support.batch_emulator import ACCOUNT_ID, IMAGES, BatchEmulator, arm_pool_body

TOOL = f"{ACCOUNT_ID}/applications/tool"


@pytest.fixture
def azure() -> BatchEmulator:
    made = BatchEmulator()
    assert made.arm("PUT", "/applications/tool", {"properties": {"displayName": "Tool"}}).status == 200
    return made


def test_a_package_from_its_making_to_its_end(azure: BatchEmulator) -> None:
    pending = azure.arm("PUT", "/applications/tool/versions/1.0").body
    assert pending["properties"]["state"] == "Pending"
    assert pending["properties"]["storageUrl"].startswith("https://")
    active = azure.arm("POST", "/applications/tool/versions/1.0/activate", {"format": "zip"}).body
    assert (active["properties"]["state"], active["properties"]["format"]) == ("Active", "zip")
    assert [one["name"] for one in azure.arm("GET", "/applications/tool/versions").body["value"]] == ["1.0"]
    assert azure.arm("DELETE", "/applications/tool").code == "ApplicationContainsPackages"
    assert azure.arm("DELETE", "/applications/tool/versions/1.0").status == 200
    assert azure.arm("DELETE", "/applications/tool/versions/1.0").status == 204
    assert azure.arm("DELETE", "/applications/tool").status == 200
    assert azure.arm("GET", "/applications/tool").code == "ApplicationNotFound"
    assert azure.arm("GET", "/applications").body["value"] == []


def test_only_an_existing_version_is_the_default(azure: BatchEmulator) -> None:
    default = {"properties": {"defaultVersion": "1.0"}}
    assert azure.arm("PATCH", "/applications/tool", default).code == "InvalidPropertyValue"
    azure.arm("PUT", "/applications/tool/versions/1.0")
    kept = azure.arm("PATCH", "/applications/tool", default).body["properties"]
    assert kept == {"allowUpdates": True, "displayName": "Tool", "defaultVersion": "1.0"}
    assert azure.arm("PUT", "/applications/none/versions/1.0").code == "ApplicationNotFound"


def refused(azure: BatchEmulator, reference: dict[str, Any]) -> str:
    response = azure.create_pool(applicationPackageReferences=[reference])
    assert response.code == "InvalidApplicationPackageReferences"
    return response.why()[reference["applicationId"]]


def test_a_pool_has_packages_that_are_active(azure: BatchEmulator) -> None:
    assert "no default version" in refused(azure, {"applicationId": TOOL})
    azure.arm("PUT", "/applications/tool/versions/1.0")
    assert "not active" in refused(azure, {"applicationId": TOOL, "version": "1.0"})
    azure.arm("POST", "/applications/tool/versions/1.0/activate", {"format": "zip"})
    assert "does not exist" in refused(azure, {"applicationId": f"{ACCOUNT_ID}/applications/none", "version": "1.0"})
    assert "does not exist" in refused(azure, {"applicationId": "tool", "version": "1.0"})  # not its whole id
    azure.arm("PATCH", "/applications/tool", {"properties": {"defaultVersion": "1.0"}})
    assert azure.create_pool(applicationPackageReferences=[{"applicationId": TOOL}]).status == 201


def test_arm_calls_the_reference_an_id(azure: BatchEmulator) -> None:
    azure.arm("PUT", "/applications/tool/versions/1.0")
    azure.arm("POST", "/applications/tool/versions/1.0/activate", {"format": "zip"})
    packages = [{"id": TOOL, "version": "1.0"}]
    made = azure.arm("PUT", "/pools/p", arm_pool_body(applicationPackages=packages)).body
    assert made["properties"]["applicationPackages"] == packages
    assert azure.pool()["applicationPackageReferences"] == [{"applicationId": TOOL, "version": "1.0"}]


def test_no_plane_shows_a_secret(azure: BatchEmulator) -> None:
    secrets = {
        "mountConfiguration": [
            {
                "azureBlobFileSystemConfiguration": {
                    "accountName": "a",
                    "containerName": "c",
                    "relativeMountPath": "p",
                    "accountKey": "s3",
                }
            }
        ],
        "userAccounts": [
            {"name": "u", "password": "s3", "linuxUserConfiguration": {"sshPrivateKey": "s3", "uid": 1, "gid": 1}}
        ],
    }
    azure.create_pool(**secrets)
    assert "s3" not in str(azure.pool()) + str(azure.arm("GET", "/pools/p").body)
    assert azure.pool()["userAccounts"][0]["linuxUserConfiguration"] == {"uid": 1, "gid": 1}


def test_scale_sets_are_those_that_were_imported(azure: BatchEmulator) -> None:
    everywhere = f"{IMAGES.partition('/resourceGroups')[0]}/providers/Microsoft.Compute/virtualMachineScaleSets"
    version = "2024-07-01"
    assert azure.arm("GET", everywhere, version=version).body == {"value": []}
    one = {
        "id": f"{IMAGES}/virtualMachineScaleSets/web",
        "location": "eastus",
        "properties": {"virtualMachineProfile": {}},
    }
    import_documents(azure.store, azure.clock.now(), [one])
    assert [row["name"] for row in azure.arm("GET", everywhere, version=version).body["value"]] == ["web"]
    assert [
        row["name"] for row in azure.arm("GET", f"{IMAGES}/virtualMachineScaleSets", version=version).body["value"]
    ] == ["web"]
    assert azure.arm("GET", one["id"], version=version).body["location"] == "eastus"
    assert azure.arm("GET", f"{IMAGES}/virtualMachineScaleSets/none", version=version).code == "ResourceNotFound"
