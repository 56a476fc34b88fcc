"""From a prepared VM to a pool with the Azure CLI: snapshots, image, gallery, pool, nodes."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics.emulator.furnish import SUBSCRIPTION

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.azcli.cloud import AzureCli

IN_GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/research"
COMPUTE = f"{IN_GROUP}/providers/Microsoft.Compute"
G = ("-g", "research")
DEFINITION = ("--publisher", "me", "--offer", "tools", "--os-type", "Linux", "--os-state", "Generalized")
UBUNTU = ("--node-agent-sku-id", "batch.node.ubuntu 22.04")


@pytest.fixture(scope="module")
def version(instant_emulator: AzureCli) -> Iterator[str]:
    """Make a gallery image version of prep-vm, checking each answer on the way; return its id, and take it down."""
    yield _up(instant_emulator)
    _down(instant_emulator)


def _up(cloud: AzureCli) -> str:
    os_disk = cloud.az("snapshot", "create", *G, "-n", "os", "--source", "prep-vm_OsDisk_1", "--tags", "who=me")
    assert os_disk["creationData"]["sourceResourceId"] == f"{COMPUTE}/disks/prep-vm_OsDisk_1"
    assert (os_disk["provisioningState"], os_disk["diskSizeGB"], os_disk["osType"]) == ("Succeeded", 64, "Linux")
    assert (os_disk["hyperVGeneration"], os_disk["incremental"], os_disk["tags"]) == ("V2", False, {"who": "me"})
    assert os_disk["securityProfile"] == {"securityType": "TrustedLaunch"}
    cloud.az("snapshot", "create", *G, "-n", "data", "--source", "prep-vm_DataDisk_0")
    gallery = cloud.az("sig", "create", *G, "-r", "lab")
    assert (gallery["location"], gallery["provisioningState"]) == ("eastus", "Succeeded")
    trusted = ("--hyper-v-generation", "V2", "--features", "SecurityType=TrustedLaunch")
    made = cloud.az(
        "sig", "image-definition", "create", *G, "-r", "lab", "-i", "tools", "--sku", "v2", *DEFINITION, *trusted
    )
    assert made["identifier"] == {"publisher": "me", "offer": "tools", "sku": "v2"}
    assert made["features"] == [{"name": "SecurityType", "value": "TrustedLaunch"}]
    disks = ("--os-snapshot", "os", "--data-snapshots", "data", "--data-snapshot-luns", "0")
    regions = ("--target-regions", "eastus=2", "westus2")
    made = cloud.az("sig", "image-version", "create", *G, "-r", "lab", "-i", "tools", "-e", "1.0.0", *disks, *regions)
    assert made["provisioningState"] == "Succeeded"
    assert made["storageProfile"]["osDiskImage"]["source"]["id"] == os_disk["id"]
    return str(made["id"])


def _down(cloud: AzureCli) -> None:
    in_gallery = (*G, "-r", "lab")
    assert "CannotDeleteResource" in cloud.refused("sig", "delete", *in_gallery).stderr
    cloud.az("sig", "image-version", "delete", *in_gallery, "-i", "tools", "-e", "1.0.0")
    assert cloud.az("sig", "image-version", "list", *in_gallery, "-i", "tools") == []
    cloud.az("sig", "image-definition", "delete", *in_gallery, "-i", "tools")
    cloud.az("sig", "delete", *in_gallery)
    for name in ("os", "data"):
        cloud.az("snapshot", "delete", *G, "-n", name)
    assert cloud.az("sig", "list") == cloud.az("snapshot", "list") == []


def pool_file(folder: Path, version: str, **beside: Any) -> str:
    """Write a pool of a TrustedLaunch image, which options cannot say."""
    security = {"securityType": "trustedLaunch", "uefiSettings": {"secureBootEnabled": True, "vTpmEnabled": True}}
    machine = {
        "imageReference": {"virtualMachineImageId": version},
        "nodeAgentSKUId": UBUNTU[1],
        "securityProfile": security,
    }
    path = folder / "pool.json"
    path.write_text(json.dumps({"vmSize": "Standard_D4s_v5", "virtualMachineConfiguration": machine, **beside}))
    return str(path)


def test_snapshots_and_versions_can_be_looked_at(instant_emulator: AzureCli, version: str) -> None:
    assert instant_emulator.az("snapshot", "list", *G, "--query", "[].name") == ["data", "os"]
    assert instant_emulator.az("snapshot", "show", *G, "-n", "os", "--query", "diskState") == "Unattached"
    assert instant_emulator.az("snapshot", "update", *G, "-n", "data", "--set", "tags.a=b", "--query", "tags") == {
        "a": "b"
    }
    instant_emulator.az("snapshot", "wait", *G, "-n", "data", "--updated")
    at = (*G, "-r", "lab", "-i", "tools")
    assert [row["id"] for row in instant_emulator.az("sig", "image-version", "list", *at)] == [version]
    shown = instant_emulator.az("sig", "image-version", "show", *at, "-e", "1.0.0", "--expand", "ReplicationStatus")
    regions = [(row["name"], row["regionalReplicaCount"]) for row in shown["publishingProfile"]["targetRegions"]]
    assert regions == [("East US", 2), ("West US 2", 1)]
    assert {row["state"] for row in shown["replicationStatus"]["summary"]} == {"Completed"}
    assert instant_emulator.az("sig", "image-definition", "list", *G, "-r", "lab", "--query", "[].name") == ["tools"]
    assert instant_emulator.az("sig", "show", *G, "-r", "lab", "--query", "provisioningState") == "Succeeded"


def test_version_gets_another_region(instant_emulator: AzureCli, version: str) -> None:
    at = (*G, "-r", "lab", "-i", "tools", "-e", "1.0.0")
    instant_emulator.az(
        "sig", "image-version", "update", *at, "--add", "publishingProfile.targetRegions", "name=westeurope"
    )
    names = instant_emulator.az(
        "sig", "image-version", "show", "--ids", version, "--query", "publishingProfile.targetRegions[].name"
    )
    assert names == ["East US", "West US 2", "West Europe"]


def test_pool_is_made_resized_and_deleted(instant_emulator: AzureCli, version: str, tmp_path: Path) -> None:
    metadata = [{"name": "who", "value": "me"}]
    asked = {"id": "tools", "targetDedicatedNodes": 2, "targetLowPriorityNodes": 1, "metadata": metadata}
    instant_emulator.az("batch", "pool", "create", "--json-file", pool_file(tmp_path, version, **asked))
    pool = instant_emulator.az("batch", "pool", "show", "--pool-id", "tools")
    assert (pool["state"], pool["allocationState"], pool["vmSize"]) == ("active", "steady", "standard_d4s_v5")
    assert (pool["currentDedicatedNodes"], pool["currentLowPriorityNodes"]) == (2, 1)
    assert pool["metadata"] == metadata
    machine = pool["virtualMachineConfiguration"]
    assert machine["imageReference"]["virtualMachineImageId"] == version
    assert machine["securityProfile"]["securityType"] == "trustedlaunch"
    resize = ("batch", "pool", "resize", "--pool-id", "tools")
    instant_emulator.az(*resize, "--target-dedicated-nodes", "4", "--target-low-priority-nodes", "2")
    (row,) = instant_emulator.az("batch", "pool", "list", "--filter", "startswith(id, 'tool')")
    assert (row["currentDedicatedNodes"], row["currentLowPriorityNodes"]) == (4, 2)
    nodes = instant_emulator.az("batch", "node", "list", "--pool-id", "tools")
    states = Counter((node["state"], node["isDedicated"]) for node in nodes)
    assert states == {("idle", True): 4, ("idle", False): 2}
    (counts,) = instant_emulator.az("batch", "pool", "node-counts", "list", "--filter", "poolId eq 'tools'")
    assert (counts["dedicated"]["idle"], counts["lowPriority"]["idle"]) == (4, 2)
    instant_emulator.az(*resize, "--target-dedicated-nodes", "3")  # the count that is not named is 0, not what it was
    left = instant_emulator.az("batch", "node", "list", "--pool-id", "tools", "--query", "[].isDedicated")
    assert left == [True] * 3
    instant_emulator.az("batch", "pool", "delete", "--pool-id", "tools", "--yes")
    gone = instant_emulator.refused("batch", "pool", "show", "--pool-id", "tools")
    assert (gone.exit_code, gone.stderr.split(")")[0]) == (3, "ERROR: (PoolNotFound")


def test_nodes_are_rebooted_held_back_and_removed(instant_emulator: AzureCli, version: str, tmp_path: Path) -> None:
    instant_emulator.az(
        "batch", "pool", "create", "--json-file", pool_file(tmp_path, version, id="n", targetDedicatedNodes=2)
    )
    first, second = instant_emulator.az("batch", "node", "list", "--pool-id", "n", "--query", "[].id")
    at = ("--pool-id", "n", "--node-id", first)
    before = instant_emulator.az("batch", "node", "show", *at)
    instant_emulator.az("batch", "node", "reboot", *at)
    after = instant_emulator.az("batch", "node", "show", *at)
    assert (before["state"], after["state"]) == ("idle", "idle")
    assert after["lastBootTime"] > before["lastBootTime"]
    instant_emulator.az("batch", "node", "scheduling", "disable", *at)
    assert instant_emulator.az("batch", "node", "show", *at, "--query", "schedulingState") == "disabled"
    instant_emulator.az("batch", "node", "scheduling", "enable", *at)
    # Pools have no endpoint for SSH unless one is asked for, and the api-version of `az` does not take such a port.
    closed = instant_emulator.refused("batch", "node", "remote-login-settings", "show", *at)
    assert "(OperationNotValidOnNode)" in closed.stderr
    assert "startup" in instant_emulator.az("batch", "node", "file", "list", *at, "--query", "[].name")
    instant_emulator.az("batch", "node", "delete", "--pool-id", "n", "--node-list", first)
    assert instant_emulator.az("batch", "node", "list", "--pool-id", "n", "--query", "[].id") == [second]
    assert "(NodeNotFound)" in instant_emulator.refused("batch", "node", "reboot", *at).stderr
    instant_emulator.az("batch", "pool", "delete", "--pool-id", "n", "--yes")


def test_pool_scales_itself(instant_emulator: AzureCli, version: str, tmp_path: Path) -> None:
    instant_emulator.az("batch", "pool", "create", "--json-file", pool_file(tmp_path, version, id="auto"))
    at = ("--pool-id", "auto")
    instant_emulator.az(
        "batch", "pool", "autoscale", "enable", *at, "--auto-scale-formula", "$TargetDedicatedNodes = 3;"
    )
    evaluate = ("batch", "pool", "autoscale", "evaluate", *at, "--auto-scale-formula")
    assert "$TargetDedicatedNodes=7;" in instant_emulator.az(*evaluate, "$TargetDedicatedNodes = 3 + 4;")["results"]
    assert (
        instant_emulator.az(*evaluate, "$TargetDedicatedNodes = ;")["error"]["code"]
        == "AutoScalingFormulaEvaluationError"
    )
    refused = instant_emulator.refused("batch", "pool", "resize", *at, "--target-dedicated-nodes", "1")
    assert "(OperationInvalidForCurrentState)" in refused.stderr
    assert "Reason: The specified pool has AutoScale enabled." in refused.stderr
    instant_emulator.az("batch", "pool", "autoscale", "disable", *at)
    pool = instant_emulator.az("batch", "pool", "show", *at)
    assert (pool["enableAutoScale"], pool["currentDedicatedNodes"]) == (False, 3)
    instant_emulator.az("batch", "pool", "delete", *at, "--yes")


def test_pool_without_the_security_of_its_image_gets_no_nodes(instant_emulator: AzureCli, version: str) -> None:
    options = ("--vm-size", "Standard_D4s_v5", "--image", version, *UBUNTU, "--target-dedicated-nodes", "2")
    instant_emulator.az("batch", "pool", "create", "--id", "plain", *options)
    pool = instant_emulator.az("batch", "pool", "show", "--pool-id", "plain")
    assert (pool["allocationState"], pool["currentDedicatedNodes"]) == ("steady", 0)
    (error,) = pool["resizeErrors"]
    assert error["code"] == "AllocationFailed"
    assert "TrustedLaunch" in json.dumps(error)
    instant_emulator.az("batch", "pool", "delete", "--pool-id", "plain", "--yes")


def test_managed_images_are_made_and_no_longer_make_pools(instant_emulator: AzureCli) -> None:
    image = instant_emulator.az(
        "image", "create", *G, "-n", "of-vm", "--source", "gen1-vm", "--hyper-v-generation", "V1"
    )
    assert image["sourceVirtualMachine"]["id"] == f"{COMPUTE}/virtualMachines/gen1-vm"
    os_disk = image["storageProfile"]["osDisk"]
    assert (os_disk["osState"], os_disk["osType"], os_disk["diskSizeGB"]) == ("Generalized", "Linux", 30)
    instant_emulator.az("snapshot", "create", *G, "-n", "gen1", "--source", "gen1-vm_OsDisk_1")
    other = instant_emulator.az("image", "create", *G, "-n", "of-snapshot", "--source", "gen1", "--os-type", "Linux")
    assert other["storageProfile"]["osDisk"]["snapshot"]["id"] == f"{COMPUTE}/snapshots/gen1"
    assert instant_emulator.az("image", "list", *G, "--query", "[].name") == ["of-snapshot", "of-vm"]
    assert instant_emulator.az("image", "show", *G, "-n", "of-vm", "--query", "hyperVGeneration") == "V1"
    options = ("--vm-size", "Standard_D2s_v3", "--image", image["id"], *UBUNTU)
    refused = instant_emulator.refused("batch", "pool", "create", "--id", "direct", *options)
    assert refused.exit_code == 1
    assert "(InvalidPropertyValue)" in refused.stderr
    assert "PropertyName: virtualMachineImageId" in refused.stderr
    for name in ("of-vm", "of-snapshot"):
        instant_emulator.az("image", "delete", *G, "-n", name)
    instant_emulator.az("snapshot", "delete", *G, "-n", "gen1")
