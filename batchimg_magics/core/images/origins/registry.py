"""All image sources and the choice among them. A new module of `origins` gets its line here.

A module is imported when it is used: one command uses one of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from batchimg_magics.core.compute import virtual_machines

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.images.origins.origin import ImageOrigin
    from batchimg_magics.pool_spec.pool import PoolSpec

__all__ = ["find"]

#: Field of `ImageOriginSpec` -> its module in this folder. A VM has several, see below.
_ORIGINS = {
    "from_vhd": "vhd",
    "from_snapshot": "snapshots",
    "from_image": "managed_image",
    "from_version": "image_version",
}


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
    if spec.origin_field == "from_vm":
        return await _find_vm_origin(azure, spec, yes=yes)
    module = import_module(f"{__package__}.{_ORIGINS[spec.origin_field]}")
    origin: ImageOrigin = await module.find(azure, spec)
    return origin


async def _find_vm_origin(azure: Azure, spec: PoolSpec, *, yes: bool) -> ImageOrigin:
    vm = await virtual_machines.find_vm(azure, str(spec.from_vm))
    if virtual_machines.is_generalized(vm) or spec.generalized:
        from batchimg_magics.core.images.origins import generalized_vm

        return await generalized_vm.find(azure, vm)
    if spec.capture == "in-place":
        from batchimg_magics.core.images.origins import vm_in_place

        return await vm_in_place.find(azure, vm, spec, yes=yes)
    from batchimg_magics.core.images.origins import vm_copy

    return await vm_copy.find(azure, vm, spec)
