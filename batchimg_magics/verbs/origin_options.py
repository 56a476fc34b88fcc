"""Options that name the source of an image and how it is built."""

from __future__ import annotations

from batchimg_magics.verbs.verb import Option, parse_replica

__all__ = ["FROM_VM", "ORIGIN_OPTIONS"]


def parse_data_snapshot(word: str) -> tuple[int, str]:
    """Parse ``LUN=ID``."""
    lun, equals, key = word.partition("=")
    if not equals or not lun.isdecimal():
        raise ValueError("a LUN and the ID of a snapshot are needed")
    return int(lun), key


#: The most common source; the others are in `ORIGIN_OPTIONS`.
FROM_VM = Option("--from-vm", "Build the image from this VM (name or resource ID)", metavar="VM", completion="vm")
ORIGIN_OPTIONS: tuple[Option, ...] = (
    Option(
        "--from-vhd",
        "Build the image from this VHD blob; a SAS token in the URL is ignored and never stored",
        metavar="URL",
    ),
    Option("--from-snapshot", "Build the image from this snapshot of an OS disk (resource ID)", metavar="ID"),
    Option(
        "--data-snapshot",
        "Add the snapshot of a data disk to --from-snapshot; can be repeated",
        metavar="LUN=ID",
        parse=parse_data_snapshot,
        dest="data_snapshots",
        combine=dict,
    ),
    Option("--from-image", "Build the image from this managed image (resource ID)", metavar="ID"),
    Option("--from-version", "Use this existing gallery image version (resource ID)", metavar="ID"),
    Option(
        "--capture",
        "Generalize a temporary copy of the VM (copy, default) or the VM itself (in-place, irreversible)",
        metavar="HOW",
        choices=("copy", "in-place"),
    ),
    Option("--stop", "Stop the VM for consistent snapshots, then restart it (default: do not stop it)"),
    Option(
        "--copy-size",
        "Set the VM size of the temporary copy (default: a small size whose family has free cores)",
        metavar="SIZE",
        completion="vm_size",
    ),
    Option(
        "--copy-subnet",
        "Put the temporary copy into this subnet (resource ID) (default: the VM's subnet)",
        metavar="ID",
    ),
    Option(
        "--keep-users",
        "Keep accounts and home directories in the image, without keys and passwords (default: remove the admin's)",
    ),
    Option("--generalized", "Assert that the OS is generalized although Azure does not mark it so"),
    Option(
        "--new-image",
        "Build a new image version if the VM or VHD may have changed since the last one (default: reuse it)",
    ),
    Option(
        "--via",
        "Build the gallery version from snapshots (default) or from an intermediate managed-image",
        metavar="METHOD",
        choices=("snapshots", "managed-image"),
    ),
    Option("--direct", "Create the pool directly from the managed image, which Azure retired on 31 March 2026"),
    Option(
        "--gallery",
        "Store the image in this existing gallery (resource ID) (default: a gallery of the Batch account)",
        metavar="ID",
    ),
    Option(
        "--storage-account",
        "Set the storage account of the VHD (resource ID) (default: by its name in the resource group)",
        metavar="ID",
    ),
    Option(
        "--os-type",
        "Set the operating system of a VHD or snapshot: Linux or Windows (required for a VHD)",
        metavar="OS",
        choices=("Linux", "Windows"),
    ),
    Option(
        "--generation",
        "Set the Hyper-V generation of a VHD or snapshot: V1 (BIOS) or V2 (UEFI) (required for a VHD)",
        metavar="GEN",
        choices=("V1", "V2"),
    ),
    Option(
        "--security-type",
        "Set the security type of a VHD or snapshot if Azure does not record it (default Standard)",
        metavar="TYPE",
        choices=("Standard", "TrustedLaunch", "ConfidentialVM"),
    ),
    Option(
        "--architecture",
        "Set the CPU architecture of a VHD or snapshot if Azure does not record it (default x64)",
        metavar="ARCH",
        choices=("x64", "Arm64"),
    ),
    Option(
        "--node-agent-sku", "Set the node agent SKU ID if it cannot be derived from a Marketplace image", metavar="ID"
    ),
    Option(
        "--replicas",
        "Set the replicas of the image version in a region (default: 1 per 300 nodes); can be repeated",
        metavar="REGION=N",
        parse=parse_replica,
        combine=dict,
    ),
)
