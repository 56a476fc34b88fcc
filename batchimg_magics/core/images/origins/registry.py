"""All image sources and the choice among them. A new module of `origins` gets its case here.

A module is imported when it is used: one command uses one of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.compute import virtual_machines

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.images.origins.origin import ImageOrigin
    from batchimg_magics.pool_spec.pool import PoolSpec

__all__ = ["find"]


async def find(azure: Azure, spec: PoolSpec, *, yes: bool) -> ImageOrigin:
    """Find the image source of a spec and read it. Nothing is changed.

    Parameters
    ----------
    azure, spec
        The connection, and the spec of the pool.
    yes
        Whether the user confirmed that the VM itself may be generalized.

    Raises
    ------
    NotFoundError, SpecError
        The source does not exist, or no image can be made from it.
    """
    match spec.origin_field:
        case "from_vhd":
            from batchimg_magics.core.images.origins import vhd

            return await vhd.find(azure, spec)
        case "from_snapshot":
            from batchimg_magics.core.images.origins import snapshots

            return await snapshots.find(azure, spec)
        case "from_image":
            from batchimg_magics.core.images.origins import managed_image

            return await managed_image.find(azure, spec)
        case "from_version":
            from batchimg_magics.core.images.origins import image_version

            return await image_version.find(azure, spec)
    return await _find_vm_origin(azure, spec, yes=yes)


async def _find_vm_origin(azure: Azure, spec: PoolSpec, *, yes: bool) -> ImageOrigin:
    vm = await virtual_machines.find_vm(azure, str(spec.from_vm))
    if virtual_machines.is_generalized(vm) or spec.generalized:
        from batchimg_magics.core.images.origins import generalized_vm

        return await generalized_vm.find(azure, vm)
    if spec.capture == "in-place":
        from batchimg_magics.core.images.origins import vm_in_place

        return await vm_in_place.find(azure, vm, yes=yes)
    from batchimg_magics.core.images.origins import vm_copy

    return await vm_copy.find(azure, vm, stop=spec.stop)
