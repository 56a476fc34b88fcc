"""The VM sizes that Batch offers in the account's region, and their capabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchimg_magics.core.azure import api_versions, pages
from batchimg_magics.core.batch import retirements
from batchimg_magics.core.batch.vm_size_names import canonical_size
from batchimg_magics.core.compute.image_source import STANDARD
from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.values import suggest_name
from batchimg_magics.pool_spec.words import count_text

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json


#: Minimum OS disk in GiB for a node without a temporary disk. Assumed: about twice Ubuntu's 30 GiB.
LEAST_OS_DISK_GIB = 64


@dataclass(frozen=True, slots=True)
class ImageNeeds:
    """What a VM size must have to boot an image.

    Parameters
    ----------
    generation, architecture, security_type
        As in Azure's documents: V1 or V2; x64 or Arm64; the security type of the image. Empty: not known.
    controllers
        Disk controllers that the image supports for booting, as Azure writes them; empty: SCSI.
    data_disks
        Number of data disks.
    os_disk_gib
        Size of the OS disk, which Batch uses where a size has no temporary disk; None: not known.
    os_type
        Linux or Windows.
    """

    generation: str = ""
    architecture: str = ""
    security_type: str = STANDARD
    controllers: str = ""
    data_disks: int = 0
    os_disk_gib: int | None = None
    os_type: str = "Linux"

    def misfit(self, can: Mapping[str, str]) -> str:
        """Return why a size with these capabilities cannot boot the image; empty if it can.

        What Azure does not report about a size does not count against it.
        """
        of_size, security = can.get("CpuArchitectureType", "").lower(), self.security_type.lower()
        reasons = {
            f"the image is for {self.architecture}": bool(self.architecture and of_size)
            and of_size != self.architecture.lower(),
            f"the image is of generation {self.generation}": bool(self.generation)
            and self.generation not in can.get("HyperVGenerations", self.generation).split(","),
            "the image requires Trusted Launch": security == "trustedlaunch"
            and can.get("TrustedLaunchDisabled") == "True",
            "the image is of a confidential VM": security == "confidentialvm"
            and not can.get("ConfidentialComputingType"),
            "the image does not support NVMe": "SCSI" not in can.get("DiskControllerTypes", "SCSI")
            and "NVMe" not in self.controllers,
            f"the image has {count_text(self.data_disks, 'data disk')}": self.data_disks
            > int(can.get("MaxDataDiskCount", self.data_disks)),
        }
        return next((reason for reason, applies in reasons.items() if applies), "")

    def lacks_temporary_disk(self, can: Mapping[str, str]) -> bool:
        """Return whether a size has no temporary disk, and the OS disk is too small to be used instead."""
        none = float(can.get("MaxResourceVolumeMB", 1)) == 0
        return none and self.os_disk_gib is not None and self.os_disk_gib < LEAST_OS_DISK_GIB


async def read_sizes(azure: Azure) -> list[Json]:
    """Return the VM sizes that Batch offers in the account's region. They are read once."""
    if "sizes" not in azure.memo:
        where = f"/subscriptions/{azure.scope.subscription}/providers/Microsoft.Batch/locations/{await azure.region()}"
        url = f"{where}/virtualMachineSkus?api-version={api_versions.BATCH}"
        azure.memo["sizes"] = await pages.read_all(azure, url)  # many: without the models of the SDK
    found: list[Json] = azure.memo["sizes"]
    return found


async def read_size_name(azure: Azure, size: str) -> str:
    """Return a VM size's name as the price list spells it: the two planes show a pool's size in upper or lower case."""
    names = {one["name"].lower(): str(one["name"]) for one in await read_sizes(azure)}
    return names.get(size.lower(), canonical_size(size))


async def read_size(azure: Azure, asked: str) -> Json:
    """Return a VM size that Batch offers in the account's region. Errors are those of `find_size`."""
    return find_size(await read_sizes(azure), asked)


def find_size(offered: Sequence[Json], asked: str) -> Json:
    """Return the offered VM size of a name.

    Raises
    ------
    SpecError
        Batch does not offer it; the hint suggests the nearest name.
    """
    by_name = {one["name"].lower(): one for one in offered}
    if asked.lower() not in by_name:
        if (gone := retirements.find_retirement("vm-size", asked)) is not None:
            raise SpecError(
                f"Batch does not offer VM size {asked!r} in the account's region; it ends on {gone.date}",
                hint=f"use {gone.use}: {gone.source}",
            )
        names = [one["name"] for one in offered]
        # The short form of a name, without the common prefix.
        short = f"standard_{asked.lower()}"
        hint = f"did you mean {by_name[short]['name']}?" if short in by_name else suggest_name(asked, names)
        raise SpecError(f"Batch does not offer VM size {asked!r} in the account's region", hint=hint)
    return by_name[asked.lower()]


def capabilities(size: Json) -> dict[str, str]:
    """Return the capabilities of a VM size by name."""
    return {str(one.get("name")): str(one.get("value")) for one in size.get("capabilities") or []}


def vcpus(size: Json) -> int:
    """Return the number of vCPUs of a VM size, which core quotas count."""
    return int(capabilities(size).get("vCPUs", 0))


def memory_gib(size: Json) -> float | None:
    """Return a VM size's memory in GiB; None where it is not known."""
    found = capabilities(size).get("MemoryGB")
    return None if found is None else float(found)


def architecture(size: Json) -> str:
    """Return the processor architecture of a VM size: ``x64`` or ``Arm64``."""
    return capabilities(size).get("CpuArchitectureType", "x64")


def end_of_size(size: Json) -> dt.date | None:
    """Return the last day of a VM size as Batch lists it; None where no end is announced."""
    return retirements.end_of("vm-size", str(size["name"]), size.get("batchSupportEndOfLife"))
