"""VM sizes: their properties, quota families, and the prices of the emulator.

The properties are Azure's documented ones. The prices are round numbers near the list prices of 2025. They are good for
comparing sizes, but not for a bill.
"""

from __future__ import annotations

import functools
from importlib import resources
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator


#: Families of sizes with AMD SEV-SNP.
_CONFIDENTIAL_FAMILIES = frozenset({"standardDCasv5Family"})


class VmSize(msgspec.Struct, frozen=True):
    """One VM size.

    Parameters
    ----------
    name, family
        As Azure spells them; quotas are by family.
    vcpus, memory_gib, gpus
        Of a VM of this size.
    generations
        Supported Hyper-V generations: ``V1``, ``V2``.
    architecture
        Of the processor.
    temp_gib
        Size of the temporary disk, 0 for none.
    max_data_disks, max_nics
        How many can be attached.
    controllers
        Disk controllers: ``SCSI``, ``NVMe``.
    premium_io, trusted_launch, accelerated_networking, rdma, spot
        Whether the size supports it.
    batch_end_of_life
        The date when Batch ends the support, or None.
    price_per_hour, windows_surcharge_per_hour
        In US dollars, of the emulator.
    cache_gib
        Size of the cache disk, 0 for none.
    """

    name: str
    family: str
    vcpus: int
    memory_gib: float
    generations: list[str]
    architecture: Literal["x64", "Arm64"]
    temp_gib: int
    max_data_disks: int
    max_nics: int
    controllers: list[str]
    premium_io: bool
    trusted_launch: bool
    accelerated_networking: bool
    rdma: bool
    gpus: int
    spot: bool
    batch_end_of_life: str | None
    price_per_hour: float
    windows_surcharge_per_hour: float
    cache_gib: int = 0

    @property
    def confidential(self) -> bool:
        """Whether its VMs can be confidential VMs."""
        return self.family in _CONFIDENTIAL_FAMILIES


@functools.cache
def all_sizes() -> dict[str, VmSize]:
    """Return every size by its name in lower case, in the order of the data."""
    text = resources.files("batchimg_magics.emulator.catalog").joinpath("data/sizes.json").read_bytes()
    return {size.name.lower(): size for size in msgspec.json.decode(text, type=list[VmSize])}


def find_size(name: str) -> VmSize | None:
    """Return the size of that name, regardless of case, or None."""
    return all_sizes().get(name.lower())


MIB_PER_GIB, BYTES_PER_GIB = 1024, 1024**3


def capabilities(size: VmSize) -> Iterator[tuple[str, str]]:
    """Yield the capabilities of a size, as Compute's resource SKUs and Batch's list of VM sizes have them.

    ``DiskControllerTypes`` is present only for sizes with NVMe. Source: the recorded list of Batch (2024-07-01), which
    has no such row for three sizes with SCSI.
    """
    yield "MaxResourceVolumeMB", str(size.temp_gib * MIB_PER_GIB)
    yield "OSVhdSizeMB", "1047552"
    yield "vCPUs", str(size.vcpus)
    yield "MemoryPreservingMaintenanceSupported", str(not size.gpus)
    yield "HyperVGenerations", ",".join(size.generations)
    if "NVMe" in size.controllers:
        yield "DiskControllerTypes", ",".join(size.controllers)
    yield "MemoryGB", f"{size.memory_gib:g}"
    yield "MaxDataDiskCount", str(size.max_data_disks)
    yield "CpuArchitectureType", size.architecture
    yield "LowPriorityCapable", str(size.spot)
    yield "PremiumIO", str(size.premium_io)
    yield "VMDeploymentTypes", "IaaS"
    yield "vCPUsAvailable", str(size.vcpus)
    if size.gpus:
        yield "GPUs", str(size.gpus)
    yield "vCPUsPerCore", "1" if size.gpus or size.architecture == "Arm64" else "2"
    yield "EphemeralOSDiskSupported", str(size.premium_io and size.temp_gib > 0)
    if size.cache_gib:
        yield "CachedDiskBytes", str(size.cache_gib * BYTES_PER_GIB)
    yield "EncryptionAtHostSupported", str(size.premium_io)
    yield "CapacityReservationSupported", str(size.premium_io)
    yield "AcceleratedNetworkingEnabled", str(size.accelerated_networking)
    yield "RdmaEnabled", str(size.rdma)
    yield "MaxNetworkInterfaces", str(size.max_nics)
    if size.confidential:
        yield "ConfidentialComputingType", "SNP"
    if "V2" in size.generations and not size.trusted_launch:
        yield "TrustedLaunchDisabled", "True"
