"""Stopped time: what is refused and shown while an operation is in progress."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.azcli.cloud import AzureCli

G = ("-g", "research")
UBUNTU = ("--image", "canonical:ubuntu-24_04-lts:server", "--node-agent-sku-id", "batch.node.ubuntu 24.04")
#: Simulated seconds in which everything here ends.
LONG_S = 1800.0


def test_pool_is_resized_one_resize_at_a_time(still: AzureCli) -> None:
    at = ("--pool-id", "p")
    options = ("--vm-size", "Standard_D2s_v3", *UBUNTU, "--target-dedicated-nodes", "2")
    still.az("batch", "pool", "create", "--id", "p", *options)
    show = ("batch", "pool", "show", *at, "--query", "[allocationState, currentDedicatedNodes]")
    assert still.az(*show) == ["resizing", 0]
    resize = ("batch", "pool", "resize", *at, "--target-dedicated-nodes")
    refused = still.refused(*resize, "5")
    assert (refused.exit_code, refused.stderr.split(")")[0]) == (1, "ERROR: (PoolBeingResized")
    still.advance(LONG_S)
    assert still.az(*show) == ["steady", 2]
    still.az(*resize, "5")
    assert still.az(*show)[0] == "resizing"
    still.az("batch", "pool", "resize", *at, "--abort")
    assert still.az(*show)[0] == "stopping"
    still.advance(LONG_S)
    pool = still.az("batch", "pool", "show", *at)
    assert pool["allocationState"] == "steady"
    assert [error["code"] for error in pool["resizeErrors"]] == ["ResizeStopped"]
    still.az("batch", "pool", "delete", *at, "--yes")
    assert still.az("batch", "pool", "show", *at, "--query", "state") == "deleting"


def test_node_is_rebooted_when_it_is_ready(still: AzureCli) -> None:
    options = ("--vm-size", "Standard_D2s_v3", *UBUNTU, "--target-dedicated-nodes", "1")
    still.az("batch", "pool", "create", "--id", "r", *options)
    still.advance(LONG_S)
    (node,) = still.az("batch", "node", "list", "--pool-id", "r", "--query", "[].id")
    at = ("--pool-id", "r", "--node-id", node)
    still.az("batch", "node", "reboot", *at)
    assert still.az("batch", "node", "show", *at, "--query", "state") == "rebooting"
    refused = still.refused("batch", "node", "reboot", *at)
    assert (refused.exit_code, refused.stderr.split(")")[0]) == (1, "ERROR: (NodeBeingRebooted")
    still.advance(LONG_S)
    assert still.az("batch", "node", "show", *at, "--query", "state") == "idle"


def test_work_continues_without_waiting(still: AzureCli) -> None:
    vm = (*G, "-n", "desk-vm")
    still.az("vm", "deallocate", *vm, "--no-wait")
    assert still.az("vm", "show", *vm, "-d", "--query", "powerState") == "VM deallocating"
    assert "since the VM is deallocating" in still.refused("vm", "generalize", *vm).stderr
    still.az("snapshot", "create", *G, "-n", "s", "--source", "gen1-vm_OsDisk_1", "--no-wait")
    state = ("snapshot", "show", *G, "-n", "s", "--query", "provisioningState")
    assert still.az(*state) == "Updating"
    still.advance(LONG_S)
    assert still.az(*state) == "Succeeded"
    still.az("snapshot", "wait", *G, "-n", "s", "--created")
    still.az("vm", "generalize", *vm)
    still.az("group", "delete", "-n", "research", "--yes", "--no-wait")
    assert still.az("group", "show", "-n", "research", "--query", "properties.provisioningState") == "Deleting"
    late = still.refused("snapshot", "create", *G, "-n", "late", "--source", "s")
    assert late.stderr.startswith("ERROR: (ResourceGroupBeingDeleted)")
    still.advance(LONG_S)
    assert still.az("group", "list") == []
