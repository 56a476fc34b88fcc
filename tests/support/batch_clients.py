"""The SDK clients of Batch, connected to an emulator in instant time."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from azure.batch.aio import BatchClient
from azure.mgmt.batch.aio import BatchManagementClient

from batchimg_magics.emulator import open_emulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from azure.batch import models as batch_models

    from batchimg_magics.emulator.emulator import Emulator

Result = TypeVar("Result")
IMAGE = {"publisher": "canonical", "offer": "0001-com-ubuntu-server-jammy", "sku": "22_04-lts"}
POOL = {
    "properties": {
        "vmSize": "Standard_D2s_v5",
        "deploymentConfiguration": {
            "virtualMachineConfiguration": {"imageReference": IMAGE, "nodeAgentSkuId": "batch.node.ubuntu 22.04"}
        },
        "scaleSettings": {"fixedScale": {"targetDedicatedNodes": 0, "targetLowPriorityNodes": 0}},
    }
}


class BatchClients:
    """Both clients of one emulator: that of ARM, and that of the Batch service.

    Parameters
    ----------
    azure
        The emulator.
    """

    def __init__(self, azure: Emulator) -> None:
        self.azure = azure
        self.arm = BatchManagementClient(azure.credential, azure.subscription_id, transport=azure.transport)
        self.batch = BatchClient(
            f"https://{azure.account}.eastus.batch.azure.com", azure.credential, transport=azure.transport
        )
        self.where = (azure.resource_group, azure.account)

    async def until_steady(self, name: str) -> batch_models.BatchPool:
        while (pool := await self.batch.get_pool(name)).allocation_state != "steady":
            await self.azure.clock.sleep(10)
        return pool


@asynccontextmanager
async def open_clients(azure: Emulator) -> AsyncIterator[BatchClients]:
    both = BatchClients(azure)
    async with both.arm, both.batch:
        yield both


def run_with_clients(work: Callable[[BatchClients], Awaitable[Result]]) -> Result:
    """Run a function with both clients of a new emulator in instant time."""
    azure = open_emulator()
    loop = azure.new_event_loop()

    async def whole() -> Result:
        async with open_clients(azure) as both:
            return await work(both)

    try:
        with azure.advancing_time():
            return loop.run_until_complete(whole())
    finally:
        loop.close()
        azure.close()
