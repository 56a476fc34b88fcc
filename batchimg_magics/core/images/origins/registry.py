"""All image sources, and the choice among them: a new module of `origins` gets its line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.compute import virtual_machines
from batchimg_magics.core.images.origins import (
    generalized_vm,
    image_version,
    managed_image,
    snapshots,
    vhd,
    vm_copy,
    vm_in_place,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.images.origins.origin import ImageOrigin
    from batchimg_magics.pool_spec.pool import PoolSpec

__all__ = ["find"]


async def find(azure: Azure, spec: PoolSpec, *, yes: bool) -> ImageOrigin:
    """Read what an image is to be made from, and choose the road from there. Nothing is changed.

    Parameters
    ----------
    azure, spec
        Where, and what is wanted.
    yes
        Whether the researcher agreed to a VM being deprovisioned itself.

    Raises
    ------
    NotFoundError, SpecError
        It is not there, or no image can be made of it.
    """
    if spec.from_vm is None:
        return await _ORIGINS[spec.origin_field](azure, spec)
    vm = await virtual_machines.find_vm(azure, spec.from_vm)
    if virtual_machines.is_generalized(vm) or spec.generalized:
        return await generalized_vm.find(azure, vm)
    if spec.capture == "in-place":
        return await vm_in_place.find(azure, vm, yes=yes)
    return await vm_copy.find(azure, vm, stop=spec.stop)


_ORIGINS: dict[str, Callable[[Azure, PoolSpec], Awaitable[ImageOrigin]]] = {
    "from_vhd": vhd.find,
    "from_snapshot": snapshots.find,
    "from_image": managed_image.find,
    "from_version": image_version.find,
}
