"""Why no node of a pool can be allocated: its VM size, its region or its image does not support its configuration.

Batch does not compare them when a pool is created. The messages are those of Compute where they are known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.catalog.regions import REGIONS_WITH_ZONES
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchimg_magics.emulator.batch.model.pools import Pool
    from batchimg_magics.emulator.catalog.vm_sizes import VmSize
    from batchimg_magics.emulator.compute.model.bootable_images import BootableImage

evidence = Evidence("Configuration and VM size of pools")
evidence.rule(
    "A pool whose VM size does not support its configuration is created, and the allocation of its nodes fails.",
    "recorded for an ephemeral OS disk that is too large, and for confidential VMs of another size: both were created",
)
evidence.rule(
    "No node is allocated if a data disk of the pool has the LUN of a data disk of the image, or if both together are "
    "more data disks than the VM size takes.",
    "Batch's documents do not say how the two lists are combined",
)


def find_misfit(pool: Pool, size: VmSize, region: str, image: BootableImage | None) -> tuple[str, str] | None:
    """Return why Compute would refuse the nodes of a pool, as (code, message); None if it would not.

    Parameters
    ----------
    pool, size, region
        The pool, its VM size, and the region of its account.
    image
        Its custom image; None for a Marketplace image.
    """
    machine = pool.doc["virtualMachineConfiguration"]
    found = (*_size_misfits(pool.doc, machine, size, region), *_disk_misfits(machine, size, image))
    return next(iter(found), None)


def _size_misfits(
    pool: dict[str, Any], machine: dict[str, Any], size: VmSize, region: str
) -> Iterator[tuple[str, str]]:
    profile = machine.get("securityProfile", {})
    if str(profile.get("securityType", "")).lower() == "confidentialvm" and not size.confidential:
        yield "BadRequest", f"The VM size '{size.name}' does not support security type 'ConfidentialVM'."
    if profile.get("encryptionAtHost") and not size.premium_io:
        yield "InvalidParameter", f"The VM size '{size.name}' does not support encryption at host."
    if pool.get("networkConfiguration", {}).get("enableAcceleratedNetworking") and not size.accelerated_networking:
        yield (
            "VMSizeIsNotPermittedToEnableAcceleratedNetworking",
            f"The specified VM size '{size.name}' is not permitted to have accelerated networking enabled.",
        )
    if machine.get("nodePlacementConfiguration", {}).get("policy") == "Zonal" and region not in REGIONS_WITH_ZONES:
        yield "LocationNotSupportAvailabilityZones", f"The location '{region}' does not support availability zones."


def _disk_misfits(machine: dict[str, Any], size: VmSize, image: BootableImage | None) -> Iterator[tuple[str, str]]:
    disk = machine.get("osDisk", {})
    gib = int(disk.get("diskSizeGB") or (image.os_disk_gib if image else 0))
    if disk.get("ephemeralOSDiskSettings", {}).get("placement"):
        if not size.cache_gib:
            yield (
                "InvalidParameter",
                f"The VM size '{size.name}' does not support Ephemeral OS disks on its cache disk.",
            )
        elif gib > size.cache_gib:
            text = (
                f"OS disk of Ephemeral VM with size greater than {size.cache_gib} GB is not allowed for VM size"
                f" {size.name} when the DiffDiskPlacement is CacheDisk."
            )
            yield "OperationNotAllowed", text
    own = {int(one["lun"]) for one in machine.get("dataDisks", [])}
    of_image = {lun for lun, _ in image.data_disks} if image else set()
    if taken := sorted(own & of_image):
        yield "InvalidParameter", f"The value '{taken[0]}' of parameter 'dataDisk.lun' is already in use by the image."
    if len(own) + len(of_image) > size.max_data_disks:
        yield (
            "OperationNotAllowed",
            f"The maximum number of data disks allowed to be attached to a VM of this size is {size.max_data_disks}.",
        )
