"""Options that say what a pool's nodes are. What has parts (mounts, registries, users) is said in YAML."""

from __future__ import annotations

from batchimg_magics.ui.verbs.options import Option, count

__all__ = ["SHAPE"]


def _pair(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals or not name:
        raise ValueError("a name and a text belong here")
    return name, value


def _package(word: str) -> tuple[str, str | None]:
    name, _, version = word.partition("=")
    return name, version or None


_MANY = "may be given several times"
SHAPE: tuple[Option, ...] = (
    Option("--start-task", "a command line that each node runs before it takes tasks", metavar="COMMAND"),
    Option(
        "--check-command",
        "a command that proves the software on each node, e.g. 'samtools --version'",
        metavar="COMMAND",
    ),
    Option("--task-slots", "tasks that run on a node at once", metavar="N", parse=count),
    Option("--inter-node", "the nodes talk to each other, as MPI needs it; Azure then makes smaller pools"),
    Option("--subnet", "resource id of the subnet that the nodes join", metavar="ID"),
    Option("--no-public-address", "the nodes have no public addresses; they need a subnet then"),
    Option(
        "--login-ports",
        f"a port of the nodes that is reached from outside, e.g. 22 for SSH; {_MANY}",
        metavar="PORT",
        parse=count,
        combine=tuple,
    ),
    Option("--os-disk-gib", "size of the OS disk in GiB, at least the image's", metavar="N", parse=count),
    Option(
        "--os-disk-type",
        "kind of the OS disk",
        metavar="TYPE",
        choices=("Standard_LRS", "StandardSSD_LRS", "Premium_LRS"),
    ),
    Option("--container-images", f"a container image to pull onto each node; {_MANY}", metavar="IMAGE", combine=tuple),
    Option(
        "--application-packages",
        f"an application of the Batch account to put on each node; {_MANY}",
        metavar="NAME[=VERSION]",
        parse=_package,
        combine=dict,
    ),
    Option(
        "--identities", f"resource id of an identity that the nodes may act as; {_MANY}", metavar="ID", combine=tuple
    ),
    Option(
        "--metadata",
        f"a name and a text of your own on the pool; {_MANY}",
        metavar="NAME=TEXT",
        parse=_pair,
        combine=dict,
    ),
    Option(
        "--tags",
        f"as --metadata, a tag: it counts in Azure's bills; {_MANY}",
        metavar="NAME=TEXT",
        parse=_pair,
        combine=dict,
    ),
    Option(
        "--api",
        "arm (default), or batch: make the pool through the Batch service, which has no tags and identities",
        metavar="PLANE",
        choices=("arm", "batch"),
    ),
)
