"""Options that say what a pool's nodes are. What has parts (mounts, registries, users) is said in YAML."""

from __future__ import annotations

from batchimg_magics.ui.verbs.options import Option, parse_count

__all__ = ["NODE_OPTIONS"]


def _parse_pair(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals or not name:
        raise ValueError("a name and a text belong here")
    return name, value


def _parse_package(word: str) -> tuple[str, str | None]:
    name, _, version = word.partition("=")
    return name, version or None


_REPEATABLE = "may be given several times"
NODE_OPTIONS: tuple[Option, ...] = (
    Option("--start-task", "a command line that each node runs before it takes tasks", metavar="COMMAND"),
    Option(
        "--check-command",
        "a command that proves the software on each node, e.g. 'samtools --version'",
        metavar="COMMAND",
    ),
    Option("--task-slots", "tasks that run on a node at once", metavar="N", parse=parse_count),
    Option("--inter-node", "the nodes talk to each other, as MPI needs it; Azure then makes smaller pools"),
    Option("--subnet", "resource id of the subnet that the nodes join", metavar="ID"),
    Option("--no-public-address", "the nodes have no public addresses; they need a subnet then"),
    Option(
        "--login-ports",
        f"a port of the nodes that is reached from outside, e.g. 22 for SSH; {_REPEATABLE}",
        metavar="PORT",
        parse=parse_count,
        combine=tuple,
    ),
    Option("--os-disk-gib", "size of the OS disk in GiB, at least the image's", metavar="N", parse=parse_count),
    Option(
        "--os-disk-type",
        "kind of the OS disk",
        metavar="TYPE",
        choices=("Standard_LRS", "StandardSSD_LRS", "Premium_LRS"),
    ),
    Option(
        "--container-images", f"a container image to pull onto each node; {_REPEATABLE}", metavar="IMAGE", combine=tuple
    ),
    Option(
        "--application-packages",
        f"an application of the Batch account to put on each node; {_REPEATABLE}",
        metavar="NAME[=VERSION]",
        parse=_parse_package,
        combine=dict,
    ),
    Option(
        "--identities",
        f"resource id of an identity that the nodes may act as; {_REPEATABLE}",
        metavar="ID",
        combine=tuple,
    ),
    Option(
        "--metadata",
        f"a name and a text of your own on the pool; {_REPEATABLE}",
        metavar="NAME=TEXT",
        parse=_parse_pair,
        combine=dict,
    ),
    Option(
        "--tags",
        f"as --metadata, a tag: it counts in Azure's bills; {_REPEATABLE}",
        metavar="NAME=TEXT",
        parse=_parse_pair,
        combine=dict,
    ),
    Option(
        "--api",
        "arm (default), or batch: make the pool through the Batch service, which has no tags and identities",
        metavar="PLANE",
        choices=("arm", "batch"),
    ),
)
