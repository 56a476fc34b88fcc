"""What Batch refuses in a body because of its type, its limits, or properties that exclude each other."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.batch_emulator import ARM_MACHINE, JAMMY, MACHINE, BatchEmulator, arm_pool_body

Json = dict[str, Any]
WINDOWS = {
    "imageReference": {"publisher": "microsoftwindowsserver", "offer": "windowsserver", "sku": "2022-datacenter-g2"},
    "nodeAgentSKUId": "batch.node.windows amd64",
}
NFS = {"nfsMountConfiguration": {"source": "host:/share", "relativeMountPath": "share"}}
BLOBS = {"accountName": "a", "containerName": "c", "relativeMountPath": "blobs"}
URL = "https://store.blob.core.windows.net/files"
PORTS = {
    "name": "n",
    "protocol": "tcp",
    "backendPort": 8080,
    "frontendPortRangeStart": 1000,
    "frontendPortRangeEnd": 1099,
}


def machine(**more: Any) -> Json:
    return {"virtualMachineConfiguration": MACHINE | more}


def start(**more: Any) -> Json:
    return {"startTask": {"commandLine": "true"} | more}


def files(*rows: Json) -> Json:
    return start(resourceFiles=list(rows))


def mounts(*rows: Json, windows: bool = False) -> Json:
    return {"mountConfiguration": list(rows)} | ({"virtualMachineConfiguration": WINDOWS} if windows else {})


def blobs(**more: str) -> Json:
    return mounts({"azureBlobFileSystemConfiguration": BLOBS | more})


def sources(*ports: str) -> Json:
    rule = {"priority": 150, "access": "allow", "sourceAddressPrefix": "*", "sourcePortRanges": list(ports)}
    nat = PORTS | {"networkSecurityGroupRules": [rule]}
    return {"networkConfiguration": {"endpointConfiguration": {"inboundNATPools": [nat]}}}


def families(*names: str) -> Json:
    return {"networkConfiguration": {"publicIPAddressConfiguration": {"ipFamilies": list(names)}}}


#: What is wrong -> the properties of the pool, the code, and the property that the refusal names.
POOLS: dict[str, tuple[Json, str, str]] = {
    "policy without fill type": ({"taskSchedulingPolicy": {}}, "MissingRequiredProperty", "nodeFillType"),
    "metadata without value": ({"metadata": [{"name": "a"}]}, "MissingRequiredProperty", "value"),
    "metadata with an empty name": ({"metadata": [{"name": "", "value": "b"}]}, "EmptyMetadataKey", ""),
    "too much metadata": ({"metadata": [{"name": "a", "value": "b" * 8192}]}, "MetadataTooLarge", ""),
    "metadata twice": ({"metadata": [{"name": "a", "value": "b"}] * 2}, "InvalidPropertyValue", "metadata"),
    "too many slots": ({"taskSlotsPerNode": 257}, "InvalidPropertyValue", "taskSlotsPerNode"),
    "spot nodes that communicate": (
        {"enableInterNodeCommunication": True, "targetDedicatedNodes": 1, "targetLowPriorityNodes": 1},
        "InvalidPropertyValue",
        "targetLowPriorityNodes",
    ),
    "interval without autoscale": (
        {"autoScaleEvaluationInterval": "PT10M"},
        "InvalidPropertyValue",
        "autoScaleEvaluationInterval",
    ),
    "eleven packages": (
        {"applicationPackageReferences": [{"applicationId": f"a{n}"} for n in range(11)]},
        "InvalidPropertyValue",
        "applicationPackageReferences",
    ),
    "no such operating system setting": (machine(windowsConfiguration={"x": 1}), "InvalidRequestBody", ""),
    "extension twice": (
        machine(extensions=[{"name": "e", "publisher": "p", "type": "t"}] * 2),
        "InvalidPropertyValue",
        "extensions",
    ),
    "extension after an unknown one": (
        machine(extensions=[{"name": "e", "publisher": "p", "type": "t", "provisionAfterExtensions": ["f"]}]),
        "InvalidPropertyValue",
        "provisionAfterExtensions",
    ),
    "UEFI settings alone": (
        machine(securityProfile={"uefiSettings": {"vTpmEnabled": True}}),
        "InvalidPropertyValue",
        "uefiSettings",
    ),
    "containers without type": (machine(containerConfiguration={}), "MissingRequiredProperty", "type"),
    "other containers": (machine(containerConfiguration={"type": "podman"}), "InvalidPropertyValue", "type"),
    "registry without user": (
        machine(containerConfiguration={"type": "dockerCompatible", "containerRegistries": [{"registryServer": "r"}]}),
        "InvalidPropertyValue",
        "username",
    ),
    "disk without number": (machine(dataDisks=[{"diskSizeGB": 1}]), "MissingRequiredProperty", "lun"),
    "start task with two users": (
        start(userIdentity={"username": "a", "autoUser": {"scope": "pool"}}),
        "InvalidPropertyValue",
        "userIdentity",
    ),
    "start task in a container": (
        start(containerSettings={"imageName": "i"}),
        "InvalidPropertyValue",
        "containerSettings",
    ),
    "start task that is empty": (start(commandLine=" "), "MissingRequiredProperty", "commandLine"),
    "start task with a number": (start(waitForSuccess=1), "InvalidRequestBody", ""),
    "file without source": (files({"filePath": "a"}), "InvalidPropertyValue", "resourceFiles"),
    "file with two sources": (
        files({"filePath": "a", "httpUrl": URL, "storageContainerUrl": URL}),
        "InvalidPropertyValue",
        "resourceFiles",
    ),
    "file without path": (files({"httpUrl": URL}), "MissingRequiredProperty", "filePath"),
    "file with prefix": (
        files({"httpUrl": URL, "filePath": "a", "blobPrefix": "b"}),
        "InvalidPropertyValue",
        "blobPrefix",
    ),
    "file with words as mode": (
        files({"httpUrl": URL, "filePath": "a", "fileMode": "rwx"}),
        "InvalidPropertyValue",
        "fileMode",
    ),
    "file outside": (files({"httpUrl": URL, "filePath": "../a"}), "InvalidPropertyValue", "filePath"),
    "file of no host": (files({"httpUrl": "files/a", "filePath": "a"}), "InvalidPropertyValue", "httpUrl"),
    "variable without name": (start(environmentSettings=[{"value": "1"}]), "MissingRequiredProperty", "name"),
    "variable twice": (
        start(environmentSettings=[{"name": "A", "value": "1"}] * 2),
        "InvalidPropertyValue",
        "environmentSettings",
    ),
    "mount of no kind": (mounts({}), "InvalidPropertyValue", "mountConfiguration"),
    "mount of two kinds": (
        mounts(NFS | {"azureBlobFileSystemConfiguration": BLOBS | {"accountKey": "k"}}),
        "InvalidPropertyValue",
        "mountConfiguration",
    ),
    "mount without source": (
        mounts({"nfsMountConfiguration": {"relativeMountPath": "a"}}),
        "MissingRequiredProperty",
        "source",
    ),
    "mount without key": (blobs(), "InvalidPropertyValue", "azureBlobFileSystemConfiguration"),
    "mount with two keys": (
        blobs(accountKey="k", sasKey="s"),
        "InvalidPropertyValue",
        "azureBlobFileSystemConfiguration",
    ),
    "mount twice": (mounts(NFS, NFS), "InvalidPropertyValue", "relativeMountPath"),
    "eleven mounts": (mounts(*[NFS] * 11), "InvalidPropertyValue", "mountConfiguration"),
    "mount that Windows cannot": (mounts(NFS, windows=True), "InvalidPropertyValue", "nfsMountConfiguration"),
    "pause that is no duration": (
        {"upgradePolicy": {"mode": "rolling", "rollingUpgradePolicy": {"pauseTimeBetweenBatches": "soon"}}},
        "InvalidRequestBody",
        "",
    ),
    "port too high": (sources("70000"), "InvalidPropertyValue", "sourcePortRanges"),
    "ports that overlap": (sources("1-10", "10"), "InvalidPropertyValue", "sourcePortRanges"),
    "IPv6 alone": (families("IPv6"), "InvalidPropertyValue", "ipFamilies"),
    "family twice": (families("IPv4", "IPv4"), "InvalidPropertyValue", "ipFamilies"),
    "removed property": ({"targetNodeCommunicationMode": "simplified"}, "InvalidRequestBody", ""),
}
#: What is right, though it is close to something wrong.
TAKEN: dict[str, Json] = {
    "file modes and paths": files(
        {"httpUrl": URL, "filePath": "bin/a..b", "fileMode": "0755"}, {"storageContainerUrl": URL, "blobPrefix": "a"}
    ),
    "mounts": mounts(NFS, {"azureBlobFileSystemConfiguration": BLOBS | {"sasKey": "s"}}),
    "share on Windows": mounts(
        {
            "azureFileShareConfiguration": {
                "accountName": "a",
                "azureFileUrl": "https://a.file.core.windows.net/s",
                "accountKey": "k",
                "relativeMountPath": "S",
            }
        },
        windows=True,
    ),
    "blobs on Windows": mounts({"azureBlobFileSystemConfiguration": BLOBS | {"accountKey": "k"}}, windows=True),
    "containers": machine(containerConfiguration={"type": "DockerCompatible", "containerImageNames": ["a"]})
    | start(containerSettings={"imageName": "a", "workingDirectory": "ContainerImageDefault"}),
    "both stacks": families("IPv6", "IPv4"),
    "source ports": sources("1-10", "11"),
    "communicating nodes": {"enableInterNodeCommunication": True, "targetDedicatedNodes": 1},
}


@pytest.fixture(scope="module")
def azure() -> BatchEmulator:
    return BatchEmulator()


@pytest.mark.parametrize("what", POOLS)
def test_a_pool_is_refused(azure: BatchEmulator, what: str) -> None:
    more, code, name = POOLS[what]
    refused = azure.create_pool("refused", **more)
    assert (refused.status, refused.code, refused.why().get("PropertyName", "")) == (400, code, name)


@pytest.mark.parametrize("what", TAKEN)
def test_a_pool_is_taken(azure: BatchEmulator, what: str) -> None:
    assert azure.create_pool(what.replace(" ", "-"), **TAKEN[what]).status == 201


def test_resource_manager_refuses_the_same(azure: BatchEmulator) -> None:
    for more, name in (
        ({"startTask": {"commandLine": "true", "resourceFiles": [{"filePath": "a"}]}}, "resourceFiles"),
        ({"mountConfiguration": [{}]}, "mountConfiguration"),
        ({"metadata": [{"name": "a"}]}, "value"),
        ({"scaleSettings": {"autoScale": {}}}, "formula"),
        ({"interNodeCommunication": "On"}, "interNodeCommunication"),
        ({"taskSchedulingPolicy": {"nodeFillType": "Heap"}}, "nodeFillType"),
    ):
        refused = azure.arm("PUT", "/pools/refused", arm_pool_body(**more))
        assert refused.status == 400
        assert refused.body["error"]["details"][0] == {"code": "PropertyName", "message": name}


def test_properties_that_are_newer_than_the_api_version_are_unknown(azure: BatchEmulator) -> None:
    pool = {"id": "old", "vmSize": "Standard_D2s_v3", "virtualMachineConfiguration": MACHINE}
    order = {"taskSchedulingPolicy": {"nodeFillType": "Pack", "jobDefaultOrder": "none"}}
    refused = azure.batch("POST", "/pools", pool | order, version="2024-02-01.19.0")
    assert "'jobDefaultOrder' does not exist on type" in refused.why()["Reason"]
    shared = {"imageReference": JAMMY | {"sharedGalleryImageId": "/sharedGalleries/a"}}
    refused = azure.batch("POST", "/pools", pool | machine(**shared), version="2024-02-01.19.0")
    assert "'sharedGalleryImageId' does not exist on type" in refused.why()["Reason"]
    assert azure.batch("POST", "/pools", pool | order).status == 201


def test_a_changed_pool_is_judged_like_a_new_one(azure: BatchEmulator) -> None:
    azure.create_pool("changed")
    for method, path, more in (
        ("PATCH", "/pools/changed", {"metadata": [{"name": "a"}]}),
        ("PATCH", "/pools/changed", files({"filePath": "a"})),
        ("PATCH", "/pools/changed", mounts({})),
        ("PATCH", "/pools/changed", machine(containerConfiguration={})),
        ("POST", "/pools/changed/updateproperties", start(commandLine="") | {"metadata": []}),
    ):
        assert azure.batch(method, path, more).status == 400
    assert azure.arm("PATCH", "/pools/changed", {"properties": {"metadata": [{"name": "a"}]}}).status == 400
    assert azure.arm("PATCH", "/pools/changed", {"properties": {"startTask": {"commandLine": ""}}}).status == 400
    body = {"properties": {"deploymentConfiguration": {"virtualMachineConfiguration": ARM_MACHINE | {"colour": 1}}}}
    assert azure.arm("PATCH", "/pools/changed", body).status == 400
