"""What Batch offers in the account's region: node agents for systems, and VM sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.compute.image_source import STANDARD
from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.values import suggest_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.compute.image_source import Source


async def read_sizes(azure: Azure) -> list[Json]:
    """Return the VM sizes that Batch offers in the account's region; they are read once."""
    if "sizes" not in azure.memo:
        pages = azure.management.location.list_supported_virtual_machine_skus(await azure.region())
        azure.memo["sizes"] = await azure.list_documents(pages)
    found: list[Json] = azure.memo["sizes"]
    return found


async def read_size_name(azure: Azure, size: str) -> str:
    """Return a VM size as its own name is spelt: Azure Resource Manager shows a pool's in capitals, Batch in small."""
    names = {one["name"].lower(): str(one["name"]) for one in await read_sizes(azure)}
    return names.get(size.lower(), size)


async def read_size(azure: Azure, asked: str) -> Json:
    """Return what Batch offers under a VM size's name in the account's region; as `size_named`."""
    return find_size(await read_sizes(azure), asked)


def find_size(offered: Sequence[Json], asked: str) -> Json:
    """Return what Batch offers under a VM size's name.

    Raises
    ------
    SpecError
        It does not offer it; the hint names the nearest.
    """
    by_name = {one["name"].lower(): one for one in offered}
    if asked.lower() not in by_name:
        names = [one["name"] for one in offered]
        # As people say it: without what every name begins with.
        short = f"standard_{asked.lower()}"
        hint = f"did you mean {by_name[short]['name']}?" if short in by_name else suggest_name(asked, names)
        raise SpecError(f"Batch does not offer VM size {asked!r} in the account's region", hint=hint)
    return by_name[asked.lower()]


async def smallest_matching_size(azure: Azure, vm: Json, source: Source) -> str:
    """Return the smallest VM size that a copy of a VM boots on: of the VM's own family, whose quota it has.

    Where Compute does not know the VM's own size any more, that one is returned.
    """
    own = str(dig(vm, "properties", "hardwareProfile", "vmSize"))
    pages = azure.compute.resource_skus.list(filter=f"location eq '{source.region}'")
    sizes = [one for one in await azure.list_documents(pages) if one.get("resourceType") == "virtualMachines"]
    known = next((one for one in sizes if str(one["name"]).lower() == own.lower()), None)
    if known is None:
        return own
    controller = str(dig(vm, "properties", "storageProfile", "diskControllerType") or "")

    def fits(size: Json) -> bool:
        can = capabilities(size)
        return (
            size.get("family") == known.get("family")
            and not size.get("restrictions")
            and source.generation in can.get("HyperVGenerations", "V1")
            and can.get("CpuArchitectureType", "x64") == source.architecture
            and int(can.get("MaxDataDiskCount", 0)) >= len(source.disks) - 1
            and controller in can.get("DiskControllerTypes", controller)
            and (source.security_type == STANDARD or can.get("TrustedLaunchDisabled", "False") != "True")
        )

    def extent(size: Json) -> tuple[float, float, str]:
        can = capabilities(size)
        return float(can.get("vCPUs", 0)), float(can.get("MemoryGB", 0)), str(size["name"])

    fitting = [size for size in sizes if fits(size)]
    return str(min(fitting, key=extent)["name"]) if fitting else own


def capabilities(size: Json) -> dict[str, str]:
    """Return what a size can, as resource SKUs say it."""
    return {str(one.get("name")): str(one.get("value")) for one in size.get("capabilities") or []}


def vcpus(size: Json) -> int:
    """Return how many vCPUs a VM size has: what core quotas count."""
    return int(capabilities(size).get("vCPUs", 0))


def memory_gib(size: Json) -> float | None:
    """Return a VM size's memory in GiB; None where Azure does not say."""
    found = capabilities(size).get("MemoryGB")
    return None if found is None else float(found)


def architecture(size: Json) -> str:
    """Return the architecture of a VM size's processor: x64 or Arm64."""
    return capabilities(size).get("CpuArchitectureType", "x64")
