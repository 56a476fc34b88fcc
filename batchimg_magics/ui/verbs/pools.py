"""The verbs that make pools, look at them and take them away."""

from __future__ import annotations

from batchimg_magics.ui.verbs.options import (
    NAME,
    NO_WAIT,
    NODES,
    RESIZE_TIMEOUT,
    SPOT,
    UNTIL,
    Option,
    Verb,
    count,
    replica,
    text_of,
)

__all__ = ["VERBS"]

VERBS: tuple[Verb, ...] = (
    Verb("pools", "list the pools", (), ("pools",)),
    Verb(
        "create",
        "make the image of a prepared VM and a pool from it; the same line again goes on where it was",
        (
            NAME,
            Option("--from-vm", "the prepared VM: its name or its resource id", metavar="VM", offer="vm"),
            Option("--vm-size", "the nodes' size, e.g. Standard_D4s_v5", metavar="SIZE", offer="vm_size"),
            NODES,
            SPOT,
            Option("--generalized", "your word that the VM's system was deprovisioned, where Azure does not mark it"),
            Option(
                "--node-agent-sku", "the Batch node agent, for a VM not made from a Marketplace image", metavar="ID"
            ),
            Option(
                "--replicas",
                "replicas of the image version in a region; may be given several times",
                metavar="REGION=N",
                read=replica,
                gather=dict,
            ),
            Option("--start-task", "a command line that each node runs before it takes tasks", metavar="COMMAND"),
            Option("--task-slots", "tasks that run on a node at once", metavar="N", read=count),
            Option("--subnet", "resource id of the subnet that the nodes join", metavar="ID"),
            Option(
                "--spec",
                "read the pool from a YAML file; options win over it. A cell's body does the same",
                metavar="FILE",
                read=text_of,
                offer="file",
            ),
            RESIZE_TIMEOUT,
            UNTIL,
            NO_WAIT,
        ),
        (
            "create genomics --from-vm prep-vm --vm-size Standard_D4s_v5 --nodes 20 --spot 5",
            "create genomics --spec genomics.yaml --nodes 50",
        ),
        takes_body=True,
    ),
    Verb(
        "nodes",
        "show every node of a pool and its state now",
        (NAME, Option("--counts", "one row a state instead of one a node")),
        ("nodes genomics", "nodes genomics --counts"),
    ),
    Verb(
        "delete",
        "delete a pool, and with --image what was made for it",
        (
            NAME,
            Option("--image", "its image versions and snapshots too"),
            Option("--dry-run", "only show what would be deleted"),
            Option("--yes", "really do it, on a real connection"),
            NO_WAIT,
        ),
        ("delete genomics --dry-run --image", "delete genomics --image"),
    ),
)
