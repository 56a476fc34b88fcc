"""What an update starts from: the image version that a pool uses, and the temporary VM that the commands run in."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchimg_magics.core.azure import tags
from batchimg_magics.core.azure.documents import dig, region_key
from batchimg_magics.core.base.node_counts import current_or_target
from batchimg_magics.core.batch import pools
from batchimg_magics.core.batch.vm_size_names import canonical_size
from batchimg_magics.core.compute import galleries, image_versions, network_interfaces, virtual_machines
from batchimg_magics.core.images.origins import image_version
from batchimg_magics.core.images.origins.updated_version import UpdatedVersion, commands_hash
from batchimg_magics.errors import NotFoundError, SpecError
from batchimg_magics.pool_spec.pool import PoolSpec
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.images.update_commands import UserCommand

__all__ = ["UpdateRequest", "read_origin", "used_version"]

_MACHINE = ("properties", "deploymentConfiguration", "virtualMachineConfiguration")


@dataclass(frozen=True, slots=True)
class UpdateRequest:
    """What an update is to do.

    Parameters
    ----------
    commands
        The commands.
    again
        Whether they run on the result of an earlier run of the same commands.
    how
        What happens to the nodes of the pool: ``keep``, ``drain`` or ``replace``.
    keep_s
        Seconds until the end of life of the old version.
    size, subnet
        VM size and subnet of the temporary VM; None: they are chosen.
    """

    commands: Sequence[UserCommand]
    again: bool = False
    how: str = "keep"
    keep_s: float = 90 * 86_400.0
    size: str | None = None
    subnet: str | None = None


async def used_version(azure: Azure, pool: Json) -> Json:
    """Return the image version that a pool uses.

    Raises
    ------
    SpecError, NotFoundError
        It uses none, or it does not exist any more.
    """
    image = pools.image_of(pool) or ""
    if "/versions/" not in image.lower():
        kind = "a managed image" if image else "a Marketplace image"
        raise SpecError(
            f"pool {pool['name']!r} is made from {kind}, not from a gallery image version",
            hint="`%batchimg migrate` replaces it by a pool that can be updated"
            if image
            else "create it with --from-vm",
        )
    if pools.tag_of(pool, tags.POOL) is None:
        raise SpecError(
            f"this tool did not create pool {pool['name']!r}", hint="`%batchimg pools` lists the pools: column managed"
        )
    version = await image_versions.read_version(azure, ResourceId.parse(image))
    if version is None:
        raise NotFoundError(
            f"the image version of pool {pool['name']!r} does not exist any more: {image}",
            hint="`%batchimg images` lists the images; create the pool again from one of them",
            status_code=404,
        )
    return version


async def read_origin(
    azure: Azure, pool: Json, version: Json, request: UpdateRequest
) -> tuple[UpdatedVersion, PoolSpec, dict[str, int]]:
    """Return the image source, the spec of the image, and its regions."""
    target = ResourceId.parse(version["id"])
    parent = ResourceId(target.subscription, target.resource_group, target.provider, target.path[:-1])
    definition = await galleries.read_definition(azure, parent)
    if definition is None:
        raise NotFoundError(f"there is no image definition {parent}", hint="`%batchimg images` lists the images")
    region, name = await azure.region(), str(pool["name"])
    source = dataclasses.replace(await image_version.source_of(azure, version, definition), region=region)
    size = canonical_size(str(pool["properties"]["vmSize"]))
    origin = UpdatedVersion(
        version,
        source,
        request.commands,
        subnet=request.subnet or await _subnet(azure, pool, version),
        size=size,
        asked_size=request.size,
        uefi=dig(pool, *_MACHINE, "securityProfile", "uefiSettings"),
    )
    known = version.get("tags") or {}
    root = known.get(tags.ROOT_IMAGE) or known.get(tags.IMAGE)
    origin.extra_tags = {
        tags.UPDATE: commands_hash(request.commands),
        tags.UPDATED_FROM: str(version["id"]),
        **({tags.ROOT_IMAGE: root} if root else {}),
        **{key: known[key] for key in (tags.SOURCE_VM,) if key in known},
    }
    counts = current_or_target(pool)
    spec = PoolSpec.build(
        name,
        from_version=str(version["id"]),
        vm_size=size,
        node_agent_sku=pools.agent_of(pool),
        nodes=counts.dedicated,
        spot=counts.spot,
        subnet=dig(pool, "properties", "networkConfiguration", "subnetId"),
    )
    if tags.is_tagged_for(definition, name, azure.scope.account):
        # In the same definition; of a gallery of others, the update is in the account's own gallery.
        own = ResourceId(parent.subscription, parent.resource_group, parent.provider, parent.path[:-1])
        spec = spec.model_copy(update={"gallery": str(own)})
    targets = dig(version, "properties", "publishingProfile", "targetRegions") or []
    regions = {region_key(one["name"]): int(one.get("regionalReplicaCount") or 1) for one in targets}
    return origin, spec, {region: 1, **regions}


async def _subnet(azure: Azure, pool: Json, version: Json) -> str:
    """Return the subnet of the temporary VM: that of the pool, otherwise that of the VM that the image is from.

    Raises
    ------
    SpecError
        Neither is known.
    """
    if subnet := dig(pool, "properties", "networkConfiguration", "subnetId"):
        return str(subnet)
    source = str(dig(version, "tags", tags.SOURCE_VM) or "")
    vm = await virtual_machines.read(azure, ResourceId.parse(source)) if source else None
    if vm is not None:
        return await network_interfaces.subnet_of(azure, vm)
    raise SpecError(
        f"no subnet is known for the temporary VM: pool {pool['name']!r} is in none, and the VM of its image is gone",
        hint="give one with --copy-subnet ID, from which package servers can be reached",
    )
