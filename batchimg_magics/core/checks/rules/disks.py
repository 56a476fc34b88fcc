"""Rules about the VM's disks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.checks.rules import fixes, sources
from batchimg_magics.core.checks.rules.rule import failed, passed, rule, unchecked, unchecked_content, warned
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.checks.facts import Facts
    from batchimg_magics.core.checks.rules.rule import RuleResult, RuleResults

#: A disk of an image version is at most this large.
LARGEST_DATA_DISK_GIB = 1024
#: Disks of which there are no full snapshots, which an image version is made from.
_NO_FULL_SNAPSHOT = {"ultrassd_lrs": "an Ultra disk", "premiumv2_lrs": "a Premium SSD v2 disk"}
_LINUX = (
    "/bin/bash -c 'for l in {luns}; do p=$(ls -d /dev/disk/azure/scsi1/lun$l-part1 /dev/disk/azure/scsi1/lun$l "
    "2>/dev/null | head -1); mkdir -p /data/lun$l && mount $p /data/lun$l; done'"
)
_WINDOWS = (
    'powershell -Command "Get-Disk | Where-Object IsOffline | Set-Disk -IsOffline 0; '
    'Get-Disk | Where-Object IsReadOnly | Set-Disk -IsReadOnly 0"'
)


@rule("managed-disks", "error", sources.DOCUMENT)
def managed_disks(facts: Facts) -> RuleResults:
    """All disks of the VM are managed and there: an image is made from disks, not from blobs."""
    source = facts.source
    if facts.vm is None or source is None:
        return None
    if source.unmanaged:
        return failed(
            f"VM {source.name!r} has no managed disk for {', '.join(source.unmanaged)}",
            f"convert it: `az vm convert --ids {source.id}`",
        )
    if facts.missing_ids:
        gone = [ResourceId.parse(one).name for one in facts.missing_ids]
        detach = "; ".join(
            f"`az vm disk detach --vm-name {source.name} {fixes.az_location_options(source.id)} --name {one}`"
            for one in gone
        )
        return failed(f"disks of VM {source.name!r} are gone: {', '.join(gone)}", detach)
    return passed(f"{len(source.disks)} managed disks")


@rule("source-disks", "error", sources.GALLERY, needs=("disks",))
def source_disks(facts: Facts) -> RuleResults:
    """The disks are of a kind that full snapshots can be taken of: neither ephemeral nor Ultra nor Premium SSD v2."""
    if facts.vm is None:
        return None
    found = []
    if dig(facts.vm, "properties", "storageProfile", "osDisk", "diffDiskSettings", "option"):
        found.append(
            failed(
                f"VM {facts.vm['name']!r} has an ephemeral OS disk, of which there are no snapshots",
                "prepare a VM with a managed OS disk",
            )
        )
    found += [
        failed(
            f"{disk['name']} is {kind}: an image version cannot be made from it",
            "copy what is on it to a Premium_LRS or StandardSSD_LRS disk, and attach that one in its place",
        )
        for disk in facts.disks
        if (kind := _NO_FULL_SNAPSHOT.get(str(dig(disk, "sku", "name")).lower()))
    ]
    return found or passed(
        ", ".join(sorted({str(dig(disk, "sku", "name")) for disk in facts.disks})) or "none to judge"
    )


@rule("data-disk-size", "warning", sources.GALLERY, needs=("disks",))
def data_disk_size(facts: Facts) -> RuleResults:
    """No data disk is larger than 1 TiB, the limit of image versions."""
    system = facts.system
    if facts.kind not in ("vm", "disks") or system is None or not system.data_disks:
        return None
    large = [f"LUN {lun} has {gib} GiB" for lun, gib in system.data_disks if (gib or 0) > LARGEST_DATA_DISK_GIB]
    if not large:
        return passed(f"the largest has {max(gib or 0 for _, gib in system.data_disks)} GiB")
    return warned(", ".join(large), "copy what nodes need to a smaller disk, or let nodes mount it from storage")


@rule("data-disks", "info", sources.DOCUMENT)
def data_disks(facts: Facts) -> RuleResults:
    """Every node gets the data disks, and has to mount them from inside."""
    system = facts.system
    if system is None or not system.data_disks:
        return None
    luns = [lun for lun, _ in system.data_disks]
    snippet = _WINDOWS if system.os_type.lower() == "windows" else _LINUX.format(luns=" ".join(map(str, luns)))
    return passed(
        f"every node gets data disks at LUN {', '.join(map(str, luns))}; they are not mounted there",
        f"mount them in the start task, as an administrator: {snippet}",
    )


@rule("data-disk-count", "error", sources.GALLERY, needs=("Batch's VM sizes",))
def data_disk_count(facts: Facts) -> RuleResults:
    """The VM size takes as many data disks as the image has."""
    system, most = facts.system, facts.capabilities.get("MaxDataDiskCount")
    if facts.size is None or system is None or not system.data_disks:
        return None
    if most is None:
        return unchecked(
            f"Azure does not say how many data disks {facts.spec.vm_size} takes", "make a node or two first"
        )
    size, count = facts.spec.vm_size, len(system.data_disks)
    if count <= int(most):
        return passed(f"{count} of at most {most}")
    larger = facts.similar_sizes(lambda can: int(can.get("MaxDataDiskCount", 0)) >= count)
    return failed(f"the image has {count} data disks, and {size} takes {most}", f"--vm-size: {larger}")


@rule("os-disk-size", "error", sources.GALLERY_POOL)
def os_disk_size(facts: Facts) -> RuleResults:
    """The nodes' OS disks are at least as large as the image's."""
    system, asked = facts.system, facts.spec.os_disk_gib
    if system is None or asked is None or system.os_disk_gib is None:
        return None
    if asked >= system.os_disk_gib:
        return passed(f"{asked} GiB, and the image's has {system.os_disk_gib}")
    fix = f"--os-disk-gib {system.os_disk_gib}, or leave it out"
    return failed(f"{asked} GiB are asked for, and the image's OS disk has {system.os_disk_gib}", fix)


@rule("os-disk-encryption", "error", sources.DOCUMENT, needs=("disks",))
def os_disk_encryption(facts: Facts) -> RuleResults:
    """The OS disk is not encrypted."""
    if facts.source is None:
        return None
    if (disk := facts.os_disk) is None:
        return None if facts.vm is not None else unchecked_content(facts, "whether its OS disk was encrypted")
    found: list[RuleResult] = []
    kind = "disk" if facts.vm else "snapshot"
    if _encrypted_inside(facts.vm or {}, disk):
        off = f"`az vm encryption disable --ids {facts.vm['id']} --volume-type all`; " if facts.vm else ""
        found.append(
            failed(
                f"{disk['name']} is encrypted from inside by Azure Disk Encryption: nodes could not start from it",
                f"{off}on Linux an OS disk stays encrypted: prepare another VM",
            )
        )
    keys = str(dig(disk, "properties", "encryption", "type") or "")
    if "CustomerKey" in keys:
        of = ResourceId.parse(str(dig(disk, "properties", "encryption", "diskEncryptionSetId"))).name
        found.append(
            warned(
                f"{disk['name']} is encrypted with the key of disk encryption set {of}; its gallery copies are not",
                f"`az {kind} update --ids {disk['id']} --encryption-type EncryptionAtRestWithPlatformKey`, if you may",
            )
        )
    if dig(facts.vm, "properties", "securityProfile", "encryptionAtHost"):
        found.append(passed("the VM has encryption at host: that is the VM's and not the disk's, nodes are without it"))
    return found or passed("only by the platform, as every disk")


def _encrypted_inside(vm: Json, disk: Json) -> bool:
    """Tell whether Azure Disk Encryption is on: the disk, the VM or the instance view says so."""
    os_disk = dig(vm, "properties", "storageProfile", "osDisk") or {}
    views: list[Any] = dig(vm, "properties", "instanceView", "disks") or []
    view: Json = next((one for one in views if str(one.get("name", "")).lower() == str(disk["name"]).lower()), {})
    said = [os_disk.get("encryptionSettings"), dig(disk, "properties", "encryptionSettingsCollection")]
    return any(dig(one, "enabled") for one in [*said, *(view.get("encryptionSettings") or [])])
