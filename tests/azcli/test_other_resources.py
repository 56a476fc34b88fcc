"""Commands of the Azure CLI beside images and pools: VMs, disks, groups, accounts, jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batchimg_magics.emulator.furnish import ACCOUNT
from tests.azcli.cloud import AzureCli

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

G = ("-g", "research")
UBUNTU = ("--image", "canonical:ubuntu-24_04-lts:server", "--node-agent-sku-id", "batch.node.ubuntu 24.04")


def test_vm_is_stopped_generalized_and_deleted(instant_emulator: AzureCli) -> None:
    vm = (*G, "-n", "desk-vm")
    instant_emulator.az("vm", "restart", *vm)
    running = instant_emulator.refused("vm", "generalize", *vm)
    assert (running.exit_code, running.stderr.splitlines()[1]) == (1, "Code: OperationNotAllowed")
    line = "systemd-run --on-active=30 /bin/sh -c 'waagent -deprovision+user -force && sync && poweroff'"
    script = ("--command-id", "RunShellScript", "--scripts", line)
    (response,) = instant_emulator.az("vm", "run-command", "invoke", *vm, *script)["value"]
    assert (response["code"], response["displayStatus"]) == ("ProvisioningState/succeeded", "Provisioning succeeded")
    instant_emulator.az("vm", "deallocate", *vm)
    for words in (("restart",), ("run-command", "invoke", *script)):
        assert "(or set to run)" in instant_emulator.refused("vm", *words, *vm).stderr
    instant_emulator.az("vm", "generalize", *vm)
    statuses = instant_emulator.az("vm", "get-instance-view", *vm, "--query", "instanceView.statuses[].code")
    assert statuses == ["ProvisioningState/succeeded", "OSState/generalized", "PowerState/deallocated"]
    assert "since the VM is generalized" in instant_emulator.refused("vm", "start", *vm).stderr
    instant_emulator.az("vm", "delete", *vm, "--yes")
    gone = instant_emulator.refused("vm", "show", *vm)
    assert (gone.exit_code, gone.stderr.split(")")[0]) == (3, "ERROR: (ResourceNotFound")
    assert instant_emulator.az("disk", "show", *G, "-n", "desk-vm_OsDisk_1", "--query", "diskState") == "Unattached"


def test_disk_is_copied_and_deleted(instant_emulator: AzureCli) -> None:
    disk = instant_emulator.az("disk", "create", *G, "-n", "copy", "--source", "gen1-vm_OsDisk_1")
    assert (disk["creationData"]["createOption"], disk["diskSizeGB"]) == ("Copy", 30)
    instant_emulator.az("disk", "delete", *G, "-n", "copy", "--yes")
    assert instant_emulator.refused("disk", "show", *G, "-n", "copy").exit_code == 3


def test_a_group_is_deleted_with_its_resources(instant_emulator: AzureCli) -> None:
    assert instant_emulator.az("group", "exists", "-n", "spare") is False
    group = instant_emulator.az("group", "create", "-n", "spare", "-l", "westus2", "--tags", "who=me")
    assert (group["location"], group["tags"]) == ("westus2", {"who": "me"})
    instant_emulator.az("sig", "create", "-g", "spare", "-r", "spare_gallery")
    assert instant_emulator.az("resource", "list", "-g", "spare", "--query", "[].name") == ["spare_gallery"]
    instant_emulator.az("group", "delete", "-n", "spare", "--yes")
    assert instant_emulator.az("group", "exists", "-n", "spare") is False
    assert "(ResourceGroupNotFound)" in instant_emulator.refused("resource", "list", "-g", "spare").stderr
    assert instant_emulator.az("sig", "list") == []


def test_batch_account_is_shown_and_listed(instant_emulator: AzureCli) -> None:
    account = instant_emulator.az("batch", "account", "show", *G, "-n", ACCOUNT)
    assert (account["location"], account["poolAllocationMode"], account["poolQuota"]) == ("eastus", "BatchService", 100)
    assert instant_emulator.environment["AZURE_BATCH_ENDPOINT"] == f"https://{account['accountEndpoint']}"
    families = {row["name"]: row["coreQuota"] for row in account["dedicatedCoreQuotaPerVmFamily"]}
    assert families["standardDSv5Family"] > 0
    assert ACCOUNT in instant_emulator.az("batch", "account", "list", "--query", "[].name")
    assert {*instant_emulator.az("batch", "account", "keys", "list", *G, "-n", ACCOUNT)} == {
        "accountName",
        "primary",
        "secondary",
    }


def test_account_of_ones_own_is_logged_in_to(instant_emulator: AzureCli) -> None:
    shell = AzureCli(
        {name: value for name, value in instant_emulator.environment.items() if "AZURE_BATCH_" not in name}
    )
    shell.az("batch", "account", "create", *G, "-n", "mine", "-l", "westus2")
    response = shell.az("batch", "account", "login", *G, "-n", "mine", "--show")
    assert (response["account"], response["tokenType"]) == ("mine", "Bearer")
    assert response["endpoint"] == f"{shell.environment['AZURE_RESOURCE_MANAGER']}/mine/"
    shell.az("batch", "pool", "create", "--id", "p", "--vm-size", "Standard_D2s_v3", *UBUNTU)
    assert shell.az("batch", "pool", "list", "--query", "[].id") == ["p"]
    assert instant_emulator.az("batch", "pool", "list") == []  # of the account that was printed
    assert shell.az("batch", "account", "show")["name"] == "mine"
    assert shell.az("batch", "account", "set", *G, "-n", "mine", "--tags", "a=b")["tags"] == {"a": "b"}
    shell.az("batch", "account", "delete", *G, "-n", "mine", "--yes")
    assert shell.refused("batch", "account", "show", *G, "-n", "mine").exit_code == 3


@pytest.fixture
def small_pool(instant_emulator: AzureCli) -> Iterator[str]:
    options = ("--vm-size", "Standard_D2s_v3", *UBUNTU, "--target-dedicated-nodes", "1")
    instant_emulator.az("batch", "pool", "create", "--id", "small", *options)
    yield "small"
    instant_emulator.az("batch", "pool", "delete", "--pool-id", "small", "--yes")


def test_task_runs_on_a_pool(instant_emulator: AzureCli, small_pool: str, tmp_path: Path) -> None:
    instant_emulator.az("batch", "job", "create", "--id", "j", "--pool-id", small_pool)
    task = ("--job-id", "j", "--task-id", "t")
    instant_emulator.az("batch", "task", "create", *task, "--command-line", "/bin/sh -c 'exit 3'")
    response = instant_emulator.az("batch", "task", "show", *task)
    assert (response["state"], response["executionInfo"]["exitCode"]) == ("completed", 3)
    assert response["nodeInfo"]["poolId"] == small_pool
    files = instant_emulator.az("batch", "task", "file", "list", *task, "--query", "[].name")
    assert files == ["stderr.txt", "stdout.txt"]
    out = tmp_path / "out.txt"
    instant_emulator.az(
        "batch", "task", "file", "download", *task, "--file-path", "stdout.txt", "--destination", str(out)
    )
    assert "exit 3" in out.read_text()
    instant_emulator.az("batch", "job", "delete", "--job-id", "j", "--yes")
    assert instant_emulator.az("batch", "job", "list") == []


def test_pools_properties_are_changed(instant_emulator: AzureCli, small_pool: str) -> None:
    instant_emulator.az("batch", "pool", "set", "--pool-id", small_pool, "--metadata", "a=b")
    response = instant_emulator.az("batch", "pool", "show", "--pool-id", small_pool, "--select", "id,metadata")
    assert response["metadata"] == [{"name": "a", "value": "b"}]
    assert "allocationState" not in response
    assert instant_emulator.az("batch", "pool", "reset", "--pool-id", small_pool, "--metadata", "c=d")["metadata"] == [
        {"name": "c", "value": "d"}
    ]
