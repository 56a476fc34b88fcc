"""The options that say where an image comes from, and by which road."""

from __future__ import annotations

from batchimg_magics.ui.verbs.options import Option, parse_replica

__all__ = ["FROM_VM", "ORIGIN_OPTIONS"]


def parse_data_snapshot(word: str) -> tuple[int, str]:
    """Read ``LUN=ID``."""
    lun, equals, key = word.partition("=")
    if not equals or not lun.isdecimal():
        raise ValueError("a LUN and the id of a snapshot belong here")
    return int(lun), key


#: The one that is used most; the others are in `ORIGIN`.
FROM_VM = Option("--from-vm", "the prepared VM: its name or its resource id", metavar="VM", completion="vm")
ORIGIN_OPTIONS: tuple[Option, ...] = (
    Option("--from-vhd", "an uploaded VHD; a token in the URL is neither kept nor needed", metavar="URL"),
    Option("--from-snapshot", "the snapshot of an OS disk", metavar="ID"),
    Option(
        "--data-snapshot",
        "with --from-snapshot: the snapshot of a data disk; may be given several times",
        metavar="LUN=ID",
        parse=parse_data_snapshot,
        dest="data_snapshots",
        combine=dict,
    ),
    Option("--from-image", "a managed image", metavar="ID"),
    Option("--from-version", "a gallery image version, which the pool is made from as it is", metavar="ID"),
    Option(
        "--capture",
        "of a VM that nobody deprovisioned. copy: a throwaway copy of it is deprovisioned (default); in-place: the VM "
        "itself is, which ruins it for other work and needs --yes",
        metavar="HOW",
        choices=("copy", "in-place"),
    ),
    Option("--stop", "stop the VM while its disks are copied, so that they agree, and start it again"),
    Option("--generalized", "your word that the system was deprovisioned, where Azure has no mark of it"),
    Option("--new-image", "make a new image version where the VM or VHD has changed since the last one"),
    Option(
        "--via",
        "snapshots: straight into a gallery version (default); managed-image: through a managed image",
        metavar="ROAD",
        choices=("snapshots", "managed-image"),
    ),
    Option("--direct", "the pool straight from the managed image, where the service still takes that"),
    Option("--gallery", "a gallery that is there already, for the image; it is never deleted", metavar="ID"),
    Option("--storage-account", "the VHD's storage account, if not in the resource group", metavar="ID"),
    Option("--os-type", "of a VHD: its system", metavar="OS", choices=("Linux", "Windows")),
    Option("--generation", "of a VHD: V1 boots by BIOS, V2 by UEFI", metavar="GEN", choices=("V1", "V2")),
    Option(
        "--security-type",
        "of a VHD or snapshot that does not tell",
        metavar="TYPE",
        choices=("Standard", "TrustedLaunch", "ConfidentialVM"),
    ),
    Option("--architecture", "of a VHD or snapshot that does not tell", metavar="ARCH", choices=("x64", "Arm64")),
    Option("--node-agent-sku", "the Batch node agent, where no Marketplace image tells it", metavar="ID"),
    Option(
        "--replicas",
        "replicas of the image version in a region; may be given several times",
        metavar="REGION=N",
        parse=parse_replica,
        combine=dict,
    ),
)
