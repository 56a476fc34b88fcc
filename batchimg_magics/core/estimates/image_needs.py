"""What a VM size must have for a pool's image, or for the image that would be made from a VM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.batch import node_agents, pools
from batchimg_magics.core.batch.vm_sizes import ImageNeeds
from batchimg_magics.core.compute import galleries, image_versions, virtual_machines
from batchimg_magics.core.compute.image_versions import ImageState
from batchimg_magics.errors import BatchImgError
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json


async def read_vm_needs(azure: Azure, name: str) -> ImageNeeds:
    """Return the needs of an image that is made from a VM.

    Raises
    ------
    NotFoundError
        The VM or its OS disk does not exist.
    """
    vm = await virtual_machines.find_vm(azure, name)
    source = await virtual_machines.read_source(azure, vm)
    os_disk_gib = dig(vm, "properties", "storageProfile", "osDisk", "diskSizeGB")
    return ImageNeeds(
        source.generation,
        source.architecture,
        source.security_type,
        source.controllers,
        max(0, len(source.disks) - 1),
        os_disk_gib,
        source.os_type,
    )


async def read_pool_needs(azure: Azure, pool: Json) -> ImageNeeds | None:
    """Return the needs of a pool's image; None where it cannot be read.

    Parameters
    ----------
    azure, pool
        The connection, and the pool's document in Azure Resource Manager.
    """
    agent = pools.agent_of(pool)
    os_type, architecture = node_agents.os_type_of(agent), node_agents.architecture_of(agent)
    image_id = pools.image_of(pool)
    if image_id is None:
        return await _marketplace_needs(azure, pool, os_type, architecture)
    if "/versions/" not in image_id.lower():
        return None
    where = ResourceId.parse(image_id)
    definition_id = ResourceId(where.subscription, where.resource_group, where.provider, where.path[:2])
    try:
        definition = await galleries.read_definition_cached(azure, definition_id)
        version = await image_versions.read_image_version(azure, image_id)
    except BatchImgError:
        return None
    if definition is None or version.state is ImageState.MISSING:
        return None
    sizes = await image_versions.read_disk_sizes(azure, image_id)
    features = dig(definition, "properties", "features") or []
    return ImageNeeds(
        str(dig(definition, "properties", "hyperVGeneration") or "V1"),
        str(dig(definition, "properties", "architecture") or "x64"),
        galleries.security_of(definition),
        ", ".join(str(one.get("value")) for one in features if one.get("name") == "DiskControllerTypes"),
        max(0, len(sizes) - 1),
        next(iter(sizes), None),
        os_type,
    )


async def _marketplace_needs(azure: Azure, pool: Json, os_type: str, architecture: str) -> ImageNeeds:
    reference = (
        dig(pool, "properties", "deploymentConfiguration", "virtualMachineConfiguration", "imageReference") or {}
    )
    names = (str(reference.get("publisher")), str(reference.get("offer")), str(reference.get("sku")))
    found = node_agents.entries_of(await node_agents.read_supported_images(azure), names)
    second = any("Generation2VMImage" in one.get("capabilities", ()) for one in found)
    return ImageNeeds(("V2" if second else "V1") if found else "", architecture, os_type=os_type)
