"""The VM size of a temporary copy: small, able to boot the copied disks, and of a family with free cores.

A copy of the VM's own size often needs quota for a second VM that a subscription does not have, most of all for GPU and
HPC families. The quotas are Compute's, of the VM's subscription and region, and they count deallocated VMs too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from batchimg_magics.core.azure import api_versions, pages, read_cache, resources
from batchimg_magics.core.azure.documents import dig, region_key
from batchimg_magics.core.base import concurrency
from batchimg_magics.core.batch import vm_sizes
from batchimg_magics.core.compute.image_source import STANDARD
from batchimg_magics.errors import BatchImgError, ProvisioningError, ServiceError, SpecError
from batchimg_magics.pool_spec.values import suggest_name
from batchimg_magics.pool_spec.words import count_text
from batchimg_magics.resource_ids import compute_list

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.compute.image_source import Source
    from batchimg_magics.resource_ids import ResourceId

__all__ = [
    "MAX_TRIES",
    "CopySizes",
    "FamilyQuota",
    "choose_copy_sizes",
    "is_size_unavailable",
    "raise_if_unusable",
    "read_copy_sizes",
    "read_region_sizes",
]

#: A smaller VM takes long to start a desktop or a database that the copied system starts. Assumed.
_MIN_VCPUS, _MIN_MEMORY_GIB = 2, 4.0
#: How many sizes are tried if Azure has no capacity for one, each of another family.
MAX_TRIES = 4
#: Azure's codes for a size that it cannot start now. Source: Microsoft's "Troubleshoot allocation failures" and
#: "Resolve errors for SKU not available"; a quota conflict is OperationNotAllowed or QuotaExceeded.
_UNAVAILABLE = (
    "SkuNotAvailable", "AllocationFailed", "OverconstrainedAllocationRequest", "OverconstrainedZonalAllocationRequest",
    "QuotaExceeded", "NotAvailableForSubscription",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FamilyQuota:
    """The core quota of a VM family, or of the whole region.

    Parameters
    ----------
    family
        The family's name as Azure shows it; ``cores`` for all families of the region.
    used, limit
        In vCPUs.
    """

    family: str
    used: int
    limit: int

    @property
    def free(self) -> int:
        """The number of free vCPUs."""
        return max(0, self.limit - self.used)

    def __str__(self) -> str:
        return f"{self.family}: {self.used} of {self.limit} vCPUs are used"


@dataclass(frozen=True, slots=True)
class CopySizes:
    """The VM sizes for a temporary copy.

    Parameters
    ----------
    names
        Sizes with free cores, one of each family, the best one first.
    full
        The quotas without free cores for the other sizes that could boot the copy, by family.
    wanted
        The size that the user asked for; empty for none.
    problem
        Why the requested size cannot be used; empty if it can.
    hint
        What to do about that.
    """

    names: tuple[str, ...] = ()
    full: tuple[FamilyQuota, ...] = ()
    wanted: str = ""
    problem: str = ""
    hint: str = ""


async def read_copy_sizes(azure: Azure, vm: Json, source: Source, asked: str | None) -> CopySizes:
    """Return the sizes for a copy of a VM, from the offers and usages of its subscription and region."""
    home = str(vm["id"]).split("/")[2]
    sizes, usages = await concurrency.gather(
        read_region_sizes(azure, home, source.region), _read_usages(azure, home, source.region)
    )
    return choose_copy_sizes(sizes, usages, vm, source, asked)


async def read_region_sizes(azure: Azure, subscription: str, region: str) -> list[Json]:
    """Return the VM sizes that Compute offers a subscription in a region. The list is large: it is read once."""

    async def read() -> list[Json]:
        # Thousands of sizes: the models of the SDK would take a third of the time of a whole `create`.
        query = urlencode({"api-version": api_versions.VM_SIZES, "$filter": f"location eq '{region}'"})
        listed = await pages.read_all(azure, f"{path}?{query}")
        return [one for one in listed if one.get("resourceType") == "virtualMachines"]

    path = f"/subscriptions/{subscription}/providers/Microsoft.Compute/skus"
    key = f"{path}/{region}".lower()
    if key not in azure.memo:
        azure.memo[key] = await read_cache.get_or_read(azure, key, read)
    found: list[Json] = azure.memo[key]
    return found


async def _read_usages(azure: Azure, subscription: str, region: str) -> list[Json]:
    """Return Compute's usages; empty where they cannot be read: then the creation of the VM shows the limits."""
    try:
        return await resources.read_list(azure, compute_list(subscription, f"locations/{region}/usages"))
    except ServiceError as error:
        if error.status_code != 403:
            raise
        return []


def choose_copy_sizes(
    sizes: Sequence[Json], usages: Sequence[Json], vm: Json, source: Source, asked: str | None
) -> CopySizes:
    """Return the sizes for a copy of a VM.

    Parameters
    ----------
    sizes, usages
        The VM sizes and the quota usages of the VM's subscription and region.
    vm, source
        The VM, and the image source that it is.
    asked
        The size that the user asked for; None: a small one is chosen.
    """
    by_name = {str(one["name"]).lower(): one for one in sizes}
    own = str(dig(vm, "properties", "hardwareProfile", "vmSize"))
    system = _BootedSystem.of(vm, source, by_name.get(own.lower()))
    quotas = _quotas(usages)
    if asked is not None:
        return _check_asked(asked, by_name, system, quotas, source.region)
    fitting = [one for one in sizes if not system.obstacle(one, source.region)]
    if not fitting:
        return CopySizes((own,))  # Compute does not list the VM's own size any more
    family = str(by_name.get(own.lower(), {}).get("family")).lower()
    ordered = sorted(fitting, key=lambda one: _order(one, family))
    names, full = dict[str, str](), dict[str, FamilyQuota]()
    for one in ordered:
        if (quota := _exceeded(one, quotas)) is None:
            names.setdefault(str(one.get("family")), str(one["name"]))
        else:
            full.setdefault(quota.family.lower(), quota)
    return CopySizes(tuple(names.values()), tuple(full.values()))


def _check_asked(
    asked: str, by_name: Mapping[str, Json], system: _BootedSystem, quotas: Mapping[str, FamilyQuota], region: str
) -> CopySizes:
    size = by_name.get(asked.lower()) or by_name.get(f"standard_{asked.lower()}")
    if size is None:
        known = suggest_name(asked, [str(one["name"]) for one in by_name.values()])
        problem = f"Compute does not offer VM size {asked!r} in {region}"
        return CopySizes(wanted=asked, problem=problem, hint=known or "choose another --copy-size")
    name = str(size["name"])
    if obstacle := system.obstacle(size, region):
        return CopySizes(wanted=name, problem=f"{name} {obstacle}", hint="choose another --copy-size, or leave it out")
    if quota := _exceeded(size, quotas):
        return CopySizes(full=(quota,), wanted=name)
    return CopySizes((name,), wanted=name)


@dataclass(frozen=True, slots=True)
class _BootedSystem:
    """What the copied disks need of a VM size."""

    generation: str
    architecture: str
    security_type: str
    controller: str
    data_disks: int
    temporary_disk: tuple[bool, bool] | None
    confidential: str
    encryption_at_host: bool

    @classmethod
    def of(cls, vm: Json, source: Source, own: Json | None) -> _BootedSystem:
        can = vm_sizes.capabilities(own or {})
        return cls(
            source.generation,
            source.architecture,
            source.security_type,
            str(dig(vm, "properties", "storageProfile", "diskControllerType") or ""),
            len(source.disks) - 1,
            _temporary_disk(can) if own else None,
            can.get("ConfidentialComputingType", ""),
            bool(dig(vm, "properties", "securityProfile", "encryptionAtHost")),
        )

    def obstacle(self, size: Json, region: str) -> str:
        """Return why a size cannot boot the disks, as the predicate of a sentence; empty if it can."""
        can = vm_sizes.capabilities(size)
        checks = (
            (not _is_restricted(size, region), "is not available to the subscription"),
            (
                self.generation in can.get("HyperVGenerations", "V1").split(","),
                f"does not boot {self.generation} disks",
            ),
            (can.get("CpuArchitectureType", "x64") == self.architecture, f"is not {self.architecture}"),
            (
                int(can.get("MaxDataDiskCount", 0)) >= self.data_disks,
                f"takes less than {count_text(self.data_disks, 'data disk')}",
            ),
            (
                not self.controller or self.controller in can.get("DiskControllerTypes", "SCSI").split(","),
                f"has no {self.controller} disk controller",
            ),
            (
                self.temporary_disk in (None, _temporary_disk(can)),
                "has another kind of temporary disk than the VM, and the system may expect it",
            ),
            (
                self.security_type == STANDARD or can.get("TrustedLaunchDisabled", "False") != "True",
                f"does not support {self.security_type}",
            ),
            (
                can.get("ConfidentialComputingType", "") == (self.confidential if self.is_confidential else ""),
                "is confidential, unlike the VM" if not self.is_confidential else "is not confidential like the VM",
            ),
            (
                not self.encryption_at_host or can.get("EncryptionAtHostSupported", "False") == "True",
                "does not support encryption at host",
            ),
        )
        return next((text for fits, text in checks if not fits), "")

    @property
    def is_confidential(self) -> bool:
        return self.security_type == "ConfidentialVM"


def _temporary_disk(can: Mapping[str, str]) -> tuple[bool, bool]:
    """Return whether a size has a SCSI temporary disk, and an NVMe one, which is not formatted."""
    return int(can.get("MaxResourceVolumeMB", 0)) > 0, int(can.get("NvmeDiskSizeInMiB", 0)) > 0


def _is_restricted(size: Json, region: str) -> bool:
    """Tell whether a subscription may not use a size in a region. A copy is in no zone: zonal restrictions are none."""
    for one in size.get("restrictions") or []:
        where = [region_key(str(name)) for name in one.get("values") or dig(one, "restrictionInfo", "locations") or []]
        if str(one.get("type")).lower() == "location" and (not where or region in where):
            return True
    return False


def _order(size: Json, own_family: str) -> tuple[bool, bool, bool, bool, float, float, str]:
    """Return the key that sorts sizes: large enough and current ones first, GPUs and the VM's own family last."""
    can = vm_sizes.capabilities(size)
    vcpus, memory_gib = float(can.get("vCPUs", 0)), float(can.get("MemoryGB", 0))
    return (
        str(size.get("family")).lower() == own_family,
        int(can.get("GPUs", 0)) > 0,
        vcpus < _MIN_VCPUS or memory_gib < _MIN_MEMORY_GIB,
        # The sizes without premium storage are the old ones.
        can.get("PremiumIO", "False") != "True",
        vcpus,
        memory_gib,
        str(size["name"]),
    )


def _quotas(usages: Sequence[Json]) -> dict[str, FamilyQuota]:
    """Return the quotas by name in lower case."""
    found = [FamilyQuota(str(dig(one, "name", "value")), int(one["currentValue"]), int(one["limit"])) for one in usages]
    return {one.family.lower(): one for one in found}


def _exceeded(size: Json, quotas: Mapping[str, FamilyQuota]) -> FamilyQuota | None:
    """Return the quota without free cores for a size; None if it fits. A quota that is not listed does not apply."""
    needed = vm_sizes.vcpus(size)
    found = [quotas.get(str(size.get("family")).lower()), quotas.get("cores")]
    return next((one for one in found if one is not None and one.free < needed), None)


def is_size_unavailable(error: BatchImgError) -> bool:
    """Tell whether the creation of a VM failed for lack of quota or capacity, which another size may have."""
    if not isinstance(error, (ProvisioningError, ServiceError)):
        return False
    if error.code == "OperationNotAllowed" or "OperationNotAllowed" in error.message:
        return "quota" in error.message.lower()
    return any(one in error.code or one in error.message for one in _UNAVAILABLE)


def raise_if_unusable(sizes: CopySizes, vm: ResourceId) -> None:
    """Raise the error of a VM of which no copy can be started.

    Raises
    ------
    SpecError
        The requested size cannot be used, or no size has free cores.
    """
    if sizes.problem:
        raise SpecError(f"--copy-size: {sizes.problem}", hint=sizes.hint)
    if not sizes.names:
        full = "; ".join(map(str, sizes.full))
        raise SpecError(
            f"no VM size for a copy of {vm.name} has free cores: {full}",
            hint="request quota for one of these families, or name another size with --copy-size",
        )
