"""Options that describe the nodes of a pool. What has several fields, such as mounts and users, is set in YAML."""

from __future__ import annotations

from batchimg_magics.verbs.verb import Option, parse_count, parse_pair

__all__ = ["NODE_OPTIONS"]


def _parse_package(word: str) -> tuple[str, str | None]:
    name, _, version = word.partition("=")
    return name, version or None


NODE_OPTIONS: tuple[Option, ...] = (
    Option(
        "--start-task",
        "Run this command on each node before the node accepts tasks",
        metavar="COMMAND",
        annotation="str | Mapping[str, Any]",
        is_code=True,
    ),
    Option(
        "--check-command",
        "Run this command after the start task to verify the software, for example 'samtools --version'",
        metavar="COMMAND",
        is_code=True,
    ),
    Option(
        "--no-packages",
        "Do not let the nodes provide the list of their packages (default: their start task does)",
        dest="packages",
        const=False,
    ),
    Option(
        "--task-slots",
        "Set the number of tasks that run on a node at the same time (default 1)",
        metavar="N",
        parse=parse_count,
    ),
    Option(
        "--mount-data-disks",
        "Mount the data disks of the image on each node, on Linux at /mnt/lunN or PATH/lunN (default: do not mount)",
        metavar="PATH",
        annotation="bool | str",
        implied="/mnt",
    ),
    Option("--inter-node", "Enable inter-node communication, for example for MPI; Azure limits the size of such pools"),
    Option("--subnet", "Connect the nodes to this subnet (resource ID)", metavar="ID"),
    Option("--no-public-address", "Create nodes without public IP addresses; requires --subnet"),
    Option(
        "--login-ports",
        "Open this port of each node for inbound connections, for example 22 for SSH; can be repeated",
        metavar="PORT",
        parse=parse_count,
        combine=tuple,
        annotation="Sequence[int | Mapping[str, Any]]",
    ),
    Option(
        "--os-disk-gib",
        "Set the OS disk size in GiB, at least the size in the image (default: the size in the image)",
        metavar="N",
        parse=parse_count,
    ),
    Option(
        "--os-disk-type",
        "Set the OS disk type: Standard_LRS, StandardSSD_LRS or Premium_LRS (default: chosen by Azure)",
        metavar="TYPE",
        choices=("Standard_LRS", "StandardSSD_LRS", "Premium_LRS"),
    ),
    Option(
        "--os-disk-caching",
        "Set the host caching of the OS disk: None, ReadOnly or ReadWrite (default: chosen by Azure)",
        metavar="CACHING",
        choices=("None", "ReadOnly", "ReadWrite"),
    ),
    Option("--ephemeral-os-disk", "Create the OS disk on the cache disk of the node, without a managed disk"),
    Option(
        "--data-disks",
        "Attach an empty data disk of this size in GiB to each node; can be repeated",
        metavar="GIB",
        parse=parse_count,
        combine=tuple,
        annotation="Sequence[int | Mapping[str, Any]]",
    ),
    Option(
        "--license-type",
        "Use your own Windows licences: Windows_Server or Windows_Client (Azure Hybrid Benefit)",
        metavar="TYPE",
        choices=("Windows_Server", "Windows_Client"),
    ),
    Option("--encryption-at-host", "Encrypt all disks of a node at its host"),
    Option(
        "--disk-encryption",
        "Encrypt this disk of Windows nodes: OsDisk, TemporaryDisk; repeat it, since Azure requires both",
        metavar="DISK",
        choices=("OsDisk", "TemporaryDisk"),
        combine=tuple,
    ),
    Option(
        "--disk-encryption-set",
        "Encrypt the OS disk with this disk encryption set (resource ID); only in user subscription mode",
        metavar="ID",
    ),
    Option(
        "--security-encryption",
        "Set the OS disk encryption of confidential VMs (default: that of the VM)",
        metavar="TYPE",
        choices=("VMGuestStateOnly", "DiskWithVMGuestState", "NonPersistedTPM"),
    ),
    Option(
        "--node-placement",
        "Place the nodes in one zone (regional, the default) or across the zones of the region (zonal)",
        metavar="POLICY",
        choices=("regional", "zonal"),
    ),
    Option(
        "--public-addresses",
        "Use this public IP address of yours (resource ID), one per 100 nodes; requires --subnet; can be repeated",
        metavar="ID",
        combine=tuple,
    ),
    Option("--accelerated-networking", "Enable accelerated networking; the VM size must support it"),
    Option(
        "--upgrade-policy",
        "Set how the operating system is upgraded: automatic, manual or rolling",
        metavar="MODE",
        choices=("automatic", "manual", "rolling"),
        annotation="str | Mapping[str, Any]",
    ),
    Option(
        "--node-fill",
        "Distribute tasks over the nodes (spread, the default) or fill one node after the other (pack)",
        metavar="TYPE",
        choices=("spread", "pack"),
    ),
    Option(
        "--job-order",
        "Order jobs of the same priority: none (the default) or creationtime",
        metavar="ORDER",
        choices=("none", "creationtime"),
    ),
    Option("--display-name", "Set the name of the pool in the Azure portal", metavar="TEXT"),
    Option("--containers", "Prepare the nodes for containers, also without --container-images"),
    Option(
        "--container-images",
        "Pull this container image onto each node; can be repeated",
        metavar="IMAGE",
        combine=tuple,
    ),
    Option(
        "--application-packages",
        "Deploy this application package of the Batch account to each node; can be repeated",
        metavar="NAME[=VERSION]",
        parse=_parse_package,
        combine=dict,
    ),
    Option(
        "--identities",
        "Assign this user-assigned managed identity (resource ID) to the pool; can be repeated",
        metavar="ID",
        combine=tuple,
    ),
    Option(
        "--metadata",
        "Add pool metadata; can be repeated",
        metavar="NAME=VALUE",
        parse=parse_pair,
        combine=dict,
    ),
    Option(
        "--tags",
        "Add an Azure resource tag to the pool and to all that is created for it; can be repeated",
        metavar="NAME=VALUE",
        parse=parse_pair,
        combine=dict,
    ),
    Option(
        "--api",
        "Create the pool with the arm API (default) or the batch API, which supports no tags or identities",
        metavar="API",
        choices=("arm", "batch"),
    ),
)
