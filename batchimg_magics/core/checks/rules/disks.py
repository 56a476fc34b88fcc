"""Rules for the disks of the VM and the image."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.checks.rules import fixes, sources
from batchimg_magics.core.checks.rules.rule import failed, passed, rule, unchecked, unchecked_content, warned
from batchimg_magics.core.checks.rules.system import extension_names
from batchimg_magics.pool_spec.data_disks import DEFAULT_MOUNT_PATH, start_task_to_paste
from batchimg_magics.pool_spec.line import shell_word
from batchimg_magics.pool_spec.words import count_text
from batchimg_magics.resource_ids import ResourceId, is_same_resource

if TYPE_CHECKING:
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.checks.facts import Facts
    from batchimg_magics.core.checks.rules.rule import RuleResult, RuleResults

#: The largest data disk of an image version.
LARGEST_DATA_DISK_GIB = 1024
#: Disk types without full snapshots, which image versions are made from.
_NO_FULL_SNAPSHOT = {"ultrassd_lrs": "an Ultra disk", "premiumv2_lrs": "a Premium SSD v2 disk"}
_START_TASK = ("properties", "startTask", "commandLine")
#: What the settings of an encrypted disk have.
_KEYS_OF_ENCRYPTION = ("diskEncryptionKey", "keyEncryptionKey", "encryptionSettings")
#: Commands in a start task that mount disks or bring them online.
_MOUNTS = re.compile(r"/dev/disk/azure|/dev/(sd|nvme)|\bmount\b|\bSet-Disk\b|\bdiskpart\b", re.IGNORECASE)


@rule("managed-disks", "error", sources.DOCUMENT)
def managed_disks(facts: Facts) -> RuleResults:
    """All disks of the VM are managed disks and exist: unmanaged disks cannot be captured."""
    source = facts.source
    if facts.vm is None or source is None:
        return None
    if source.unmanaged:
        return failed(
            f"VM {source.name!r} has no managed disk for {', '.join(source.unmanaged)}",
            f"convert its disks: `az vm convert --ids {shell_word(source.id)}`",
        )
    # Without its OS disk a VM is no image source, which the rule `image-origin` reports.
    told = facts.problem.message if facts.problem else ""
    if missing := [name for name in (ResourceId.parse(one).name for one in facts.missing_ids) if name not in told]:
        detach = "; ".join(
            f"`az vm disk detach --vm-name {shell_word(source.name)} {fixes.az_location_options(source.id)} "
            f"--name {shell_word(one)}`"
            for one in missing
        )
        return failed(f"disks of VM {source.name!r} are missing: {', '.join(missing)}", detach)
    return passed(count_text(len(source.disks), "managed disk"))


@rule("source-disks", "error", sources.GALLERY, needs=("disks",))
def source_disks(facts: Facts) -> RuleResults:
    """The disks support full snapshots: none is ephemeral, Ultra or Premium SSD v2."""
    if facts.vm is None:
        return None
    found = []
    if dig(facts.vm, "properties", "storageProfile", "osDisk", "diffDiskSettings", "option"):
        found.append(
            failed(
                f"VM {facts.vm['name']!r} has an ephemeral OS disk, which does not support snapshots",
                "prepare a VM with a managed OS disk",
            )
        )
    found += [
        failed(
            f"{disk['name']} is {kind}: an image version cannot be made from it",
            "copy its data to a Premium_LRS or StandardSSD_LRS disk, and attach that disk instead",
        )
        for disk in facts.disks
        if (kind := _NO_FULL_SNAPSHOT.get(str(dig(disk, "sku", "name")).lower()))
    ]
    return found or passed(
        ", ".join(sorted({str(dig(disk, "sku", "name")) for disk in facts.disks})) or "no disks to check"
    )


@rule("data-disk-size", "warning", sources.GALLERY, needs=("disks",))
def data_disk_size(facts: Facts) -> RuleResults:
    """No data disk is larger than 1 TiB, the limit of image versions."""
    system = facts.system
    if facts.kind not in ("vm", "disks") or system is None or not system.data_disks:
        return None
    large = [f"LUN {lun} has {gib} GiB" for lun, gib in system.data_disks if (gib or 0) > LARGEST_DATA_DISK_GIB]
    if not large:
        return passed(f"the largest data disk has {max(gib or 0 for _, gib in system.data_disks)} GiB")
    return warned(", ".join(large), "copy the required data to a smaller disk, or mount storage on the nodes")


@rule("data-disks", "warning", sources.DOCUMENT)
def data_disks(facts: Facts) -> RuleResults:
    """The nodes mount the data disks of the image, which Batch only attaches."""
    system = facts.system
    if system is None or not system.data_disks:
        return None
    luns, windows = [lun for lun, _ in system.data_disks], system.os_type.lower() == "windows"
    at = f"data disks at LUN {', '.join(map(str, luns))}"
    path = facts.spec.mount_data_disks
    if path and windows and path != DEFAULT_MOUNT_PATH:
        wrong = f"--mount-data-disks {path}: Windows nodes have drive letters instead"
        return replace(failed(wrong, "--mount-data-disks without a path"), severity="error")
    if path:
        return passed(f"every node mounts its {at}" + ("" if windows else f" in {path}"))
    own = facts.spec.start_task.command_line if facts.spec.start_task else dig(facts.pool, *_START_TASK)
    if (own and _MOUNTS.search(str(own))) or (windows and own and "EncodedCommand" in str(own)):
        return passed(f"every node gets {at}; the start task mounts disks")
    # A pool that exists can only get another start task.
    paste = f", or a start task as administrator: {start_task_to_paste(system.os_type, luns)}" if facts.pool else ""
    where = "" if windows else f" in {DEFAULT_MOUNT_PATH}"
    # An image alone is not wrong: its pools decide.
    return (passed if facts.kind == "image" and not facts.pool_named else warned)(
        f"every node gets {at}, and does not mount them",
        f"--mount-data-disks mounts them{where}{paste}",
    )


@rule("data-disk-count", "error", sources.GALLERY, needs=("Batch's VM sizes",))
def data_disk_count(facts: Facts) -> RuleResults:
    """The VM size supports as many data disks as the image and the pool have, and no two of them have the same LUN."""
    system, most = facts.system, facts.capabilities.get("MaxDataDiskCount")
    own = [disk.lun for disk in facts.spec.data_disks]
    if facts.size is None or system is None or not (system.data_disks or own):
        return None
    if taken := [str(lun) for lun, _ in system.data_disks if lun in own]:
        return failed(
            f"the image has a data disk at LUN {', '.join(taken)}, and the pool another one there",
            "use another `lun` for the data disks of the pool",
        )
    if most is None:
        return unchecked(f"Azure does not report how many data disks {facts.spec.vm_size} supports", fixes.TEST_FIRST)
    size, count = facts.spec.vm_size, len(system.data_disks) + len(own)
    if count <= int(most):
        return passed(f"data disks: {count} of at most {most}")
    larger = facts.similar_sizes(lambda can: int(can.get("MaxDataDiskCount", 0)) >= count)
    owners = "image and pool have" if own else "the image has"
    return failed(f"{owners} {count_text(count, 'data disk')}, and {size} supports {most}", f"--vm-size: {larger}")


@rule("os-disk-size", "error", sources.GALLERY_POOL)
def os_disk_size(facts: Facts) -> RuleResults:
    """The OS disk of the nodes is at least as large as the OS disk of the image."""
    system, requested = facts.system, facts.spec.os_disk_gib
    if system is None or requested is None or system.os_disk_gib is None:
        return None
    if requested >= system.os_disk_gib:
        return passed(f"{requested} GiB; the OS disk of the image has {system.os_disk_gib} GiB")
    fix = f"--os-disk-gib {system.os_disk_gib}, or omit it"
    return failed(f"{requested} GiB requested; the OS disk of the image has {system.os_disk_gib} GiB", fix)


@rule("os-disk-encryption", "error", sources.DOCUMENT, needs=("disks",))
def os_disk_encryption(facts: Facts) -> RuleResults:
    """The OS disk has no encryption other than the platform-managed one, and no Azure Disk Encryption."""
    if facts.source is None:
        return None
    if (disk := facts.os_disk) is None:
        return None if facts.vm is not None else unchecked_content(facts, "whether its OS disk was encrypted")
    found: list[RuleResult] = []
    kind = "disk" if facts.vm else "snapshot"
    extension = _encryption_extension(facts.vm or {})
    if extension or _azure_disk_encryption(facts.vm or {}, disk):
        off = f"`az vm encryption disable --ids {shell_word(facts.vm['id'])} --volume-type all`; " if facts.vm else ""
        found.append(
            failed(
                f"{disk['name']} is encrypted by Azure Disk Encryption{extension}: nodes cannot start from it",
                f"{off}on Linux, encryption of the OS disk cannot be disabled: prepare another VM",
            )
        )
    keys = str(dig(disk, "properties", "encryption", "type") or "")
    if "CustomerKey" in keys:
        key_set = ResourceId.parse(str(dig(disk, "properties", "encryption", "diskEncryptionSetId"))).name
        found.append(
            warned(
                f"{disk['name']} is encrypted with the key of disk encryption set {key_set}; gallery copies are not",
                f"`az {kind} update --ids {shell_word(disk['id'])} --encryption-type EncryptionAtRestWithPlatformKey`, "
                "if your policies allow it",
            )
        )
    if dig(facts.vm, "properties", "securityProfile", "encryptionAtHost"):
        found.append(passed("the VM uses encryption at host, which is not part of the disk: nodes do not use it"))
    return found or passed("platform-managed encryption only (supported)")


@rule("data-disk-encryption", "error", sources.DOCUMENT, needs=("disks",))
def data_disk_encryption(facts: Facts) -> RuleResults:
    """No data disk is encrypted by Azure Disk Encryption: its key stays in a key vault, and nodes cannot read it."""
    disks = [disk for disk in facts.disks if disk is not facts.os_disk]
    if facts.kind not in ("vm", "disks") or not disks:
        return None
    encrypted = [disk for disk in disks if _azure_disk_encryption(facts.vm or {}, disk)]
    if not encrypted:
        return passed(f"{count_text(len(disks), 'data disk')} without Azure Disk Encryption")
    names = ", ".join(str(disk["name"]) for disk in encrypted)
    off = f"`az vm encryption disable --ids {shell_word(facts.vm['id'])} --volume-type data`" if facts.vm else ""
    fix = off or "take the snapshots of disks without Azure Disk Encryption"
    return failed(f"{names}: encrypted by Azure Disk Encryption, which nodes cannot read", fix)


def _azure_disk_encryption(vm: Json, disk: Json) -> bool:
    """Return whether Azure Disk Encryption is on, by the disk, the VM or the instance view."""
    name = str(disk["name"]).lower()
    os_disk = dig(vm, "properties", "storageProfile", "osDisk") or {}
    own = is_same_resource(str(dig(os_disk, "managedDisk", "id") or ""), str(disk["id"]))
    views: list[Any] = dig(vm, "properties", "instanceView", "disks") or []
    view: Json = next((one for one in views if str(one.get("name", "")).lower() == name), {})
    properties = disk.get("properties") or {}
    settings = [
        os_disk.get("encryptionSettings") if own else None,
        properties.get("encryptionSettingsCollection"),
        properties.get("encryptionSettings"),  # the older name
        *(view.get("encryptionSettings") or []),
    ]
    return any(_is_on(one) for one in settings)


def _is_on(settings: object) -> bool:
    """Tell whether encryption settings are on: ``enabled``, or keys without that word, as in older documents."""
    if not isinstance(settings, dict):
        return False
    enabled = settings.get("enabled")
    return bool(enabled) if enabled is not None else any(settings.get(key) for key in _KEYS_OF_ENCRYPTION)


def _encryption_extension(vm: Json) -> str:
    """Return the extension of Azure Disk Encryption that a VM has, as text; empty if it has none."""
    names = [one for one in extension_names(vm) if "azurediskencryption" in one.lower()]
    return f" (extension {names[0]})" if names else ""
