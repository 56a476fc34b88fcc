"""Stopped time: what is refused and shown while an operation is in progress."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.azcli.cloud import AzureCli

G = ("-g", "research")
UBUNTU = ("--image", "canonical:ubuntu-24_04-lts:server", "--node-agent-sku-id", "batch.node.ubuntu 24.04")
#: Simulated seconds in which everything here ends.
LONG_S = 1800.0


def test_pool_is_resized_one_resize_at_a_time(stopped_emulator: AzureCli) -> None:
    at = ("--pool-id", "p")
    options = ("--vm-size", "Standard_D2s_v3", *UBUNTU, "--target-dedicated-nodes", "2")
    stopped_emulator.az("batch", "pool", "create", "--id", "p", *options)
    show = ("batch", "pool", "show", *at, "--query", "[allocationState, currentDedicatedNodes]")
    assert stopped_emulator.az(*show) == ["resizing", 0]
    resize = ("batch", "pool", "resize", *at, "--target-dedicated-nodes")
    refused = stopped_emulator.refused(*resize, "5")
    assert (refused.exit_code, refused.stderr.split(")")[0]) == (1, "ERROR: (PoolBeingResized")
    stopped_emulator.advance(LONG_S)
    assert stopped_emulator.az(*show) == ["steady", 2]
    stopped_emulator.az(*resize, "5")
    assert stopped_emulator.az(*show)[0] == "resizing"
    stopped_emulator.az("batch", "pool", "resize", *at, "--abort")
    assert stopped_emulator.az(*show)[0] == "stopping"
    stopped_emulator.advance(LONG_S)
    pool = stopped_emulator.az("batch", "pool", "show", *at)
    assert pool["allocationState"] == "steady"
    assert [error["code"] for error in pool["resizeErrors"]] == ["ResizeStopped"]
    stopped_emulator.az("batch", "pool", "delete", *at, "--yes")
    assert stopped_emulator.az("batch", "pool", "show", *at, "--query", "state") == "deleting"


def test_node_is_rebooted_when_it_is_ready(stopped_emulator: AzureCli) -> None:
    options = ("--vm-size", "Standard_D2s_v3", *UBUNTU, "--target-dedicated-nodes", "1")
    stopped_emulator.az("batch", "pool", "create", "--id", "r", *options)
    stopped_emulator.advance(LONG_S)
    (node,) = stopped_emulator.az("batch", "node", "list", "--pool-id", "r", "--query", "[].id")
    at = ("--pool-id", "r", "--node-id", node)
    stopped_emulator.az("batch", "node", "reboot", *at)
    assert stopped_emulator.az("batch", "node", "show", *at, "--query", "state") == "rebooting"
    refused = stopped_emulator.refused("batch", "node", "reboot", *at)
    assert (refused.exit_code, refused.stderr.split(")")[0]) == (1, "ERROR: (NodeBeingRebooted")
    stopped_emulator.advance(LONG_S)
    assert stopped_emulator.az("batch", "node", "show", *at, "--query", "state") == "idle"


def test_work_continues_without_waiting(stopped_emulator: AzureCli) -> None:
    vm = (*G, "-n", "desk-vm")
    stopped_emulator.az("vm", "deallocate", *vm, "--no-wait")
    assert stopped_emulator.az("vm", "show", *vm, "-d", "--query", "powerState") == "VM deallocating"
    assert "since the VM is deallocating" in stopped_emulator.refused("vm", "generalize", *vm).stderr
    stopped_emulator.az("snapshot", "create", *G, "-n", "s", "--source", "gen1-vm_OsDisk_1", "--no-wait")
    state = ("snapshot", "show", *G, "-n", "s", "--query", "provisioningState")
    assert stopped_emulator.az(*state) == "Updating"
    stopped_emulator.advance(LONG_S)
    assert stopped_emulator.az(*state) == "Succeeded"
    stopped_emulator.az("snapshot", "wait", *G, "-n", "s", "--created")
    stopped_emulator.az("vm", "generalize", *vm)
    stopped_emulator.az("group", "delete", "-n", "research", "--yes", "--no-wait")
    assert (
        stopped_emulator.az("group", "show", "-n", "research", "--query", "properties.provisioningState") == "Deleting"
    )
    late = stopped_emulator.refused("snapshot", "create", *G, "-n", "late", "--source", "s")
    assert late.stderr.startswith("ERROR: (ResourceGroupBeingDeleted)")
    stopped_emulator.advance(LONG_S)
    assert stopped_emulator.az("group", "list") == []
