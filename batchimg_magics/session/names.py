"""Names of existing resources, for completion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import resources
from batchimg_magics.core.base import concurrency
from batchimg_magics.core.batch import nodes, pools, vm_sizes
from batchimg_magics.core.runs import jobs
from batchimg_magics.resource_ids import ResourceId, compute_list

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from batchimg_magics.core.azure.client import Azure


async def _pool_names(azure: Azure) -> list[str]:
    return [pool["name"] for pool in await pools.read_all(azure)]


async def _run_names(azure: Azure) -> list[str]:
    return [run.id for run in await jobs.list_jobs(azure)]


async def _vm_names(azure: Azure) -> list[str]:
    return [
        vm["name"] for vm in await resources.read_list(azure, compute_list(azure.scope.subscription, "virtualMachines"))
    ]


async def _size_names(azure: Azure) -> list[str]:
    return [size["name"] for size in await vm_sizes.read_sizes(azure)]


async def _checkable_names(azure: Azure) -> list[str]:
    vms, pool_names, managed = await concurrency.gather(
        _vm_names(azure),
        _pool_names(azure),
        resources.read_list(azure, azure.scope.compute_list("images")),
    )
    return sorted({*vms, *pool_names, *(image["name"] for image in managed)})


async def _image_names(azure: Azure) -> list[str]:
    """Return the names of pools, and the versions of the images that they use: ``NAME/1.0.2``."""
    found = await pools.read_all(azure)
    images = [ResourceId.parse(image).label for one in found if (image := pools.image_of(one))]
    return sorted({*(str(one["name"]) for one in found), *images})


async def _node_ids(azure: Azure, pool: str) -> list[str]:
    return [node.id for node in await nodes.read_nodes(azure, pool, states_only=True)]


#: Kind of name to the function that reads the names.
COMPLETION_NAMES: dict[str, Callable[[Azure], Coroutine[Any, Any, list[str]]]] = {
    "checkable": _checkable_names,
    "image": _image_names,
    "pool": _pool_names,
    "run": _run_names,
    "vm": _vm_names,
    "vm_size": _size_names,
}


def read_names(azure: Azure, kind: str, of: str) -> Coroutine[Any, Any, list[str]]:
    """Read the names of a kind; `of` is the pool of the kind ``node``."""
    return _node_ids(azure, of) if kind == "node" else COMPLETION_NAMES[kind](azure)
