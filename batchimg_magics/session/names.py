"""Names of existing resources, for completion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.core.base import concurrency
from batchimg_magics.core.batch import pools, vm_sizes

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from batchimg_magics.core.azure.client import Azure


async def _pool_names(azure: Azure) -> list[str]:
    return [pool["name"] for pool in await pools.read_all(azure)]


async def _vm_names(azure: Azure) -> list[str]:
    return [vm["name"] for vm in await azure.list_documents(azure.compute.virtual_machines.list_all())]


async def _size_names(azure: Azure) -> list[str]:
    return [size["name"] for size in await vm_sizes.read_sizes(azure)]


async def _checkable_names(azure: Azure) -> list[str]:
    vms, pool_names, managed = await concurrency.gather(
        _vm_names(azure),
        _pool_names(azure),
        azure.list_documents(azure.compute.images.list_by_resource_group(azure.scope.resource_group)),
    )
    return sorted({*vms, *pool_names, *(image["name"] for image in managed)})


#: Kind of name to the function that reads the names.
COMPLETION_NAMES: dict[str, Callable[[Azure], Coroutine[Any, Any, list[str]]]] = {
    "checkable": _checkable_names,
    "pool": _pool_names,
    "vm": _vm_names,
    "vm_size": _size_names,
}
