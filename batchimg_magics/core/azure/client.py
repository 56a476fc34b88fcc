"""`Azure`: the clients of one Batch account over one credential and one transport.

Everything that core says to Azure goes through here: the SDKs' clients are made on first use, their errors are
translated in one place, and the service's clock is read off its answers.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import urlsplit

from azure.core.exceptions import AzureError
from azure.core.rest import HttpRequest

from batchimg_magics.core.azure import pipeline
from batchimg_magics.core.azure.documents import Json, document
from batchimg_magics.core.azure.error_translation import translate
from batchimg_magics.core.azure.ledger import Ledger
from batchimg_magics.core.azure.spending_limit import SpendingLimit
from batchimg_magics.errors import (
    NotFoundError,
    ServiceError,
)
from batchimg_magics.resource_ids import BATCH, COMPUTE, ResourceId

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable
    from pathlib import Path

    from azure.batch.aio import BatchClient
    from azure.core import AsyncPipelineClient
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.core.pipeline.transport import AsyncHttpTransport
    from azure.core.rest import AsyncHttpResponse
    from azure.mgmt.batch.aio import BatchManagementClient
    from azure.mgmt.compute.aio import ComputeManagementClient

    from batchimg_magics.core.azure.price_list import PriceList

T = TypeVar("T")

ARM_ENDPOINT = "https://management.azure.com"
#: The api-version of Microsoft.Batch, the same on both planes. What is read often is asked for without the SDK's
#: clients, whose models cost more time to import than the answers to read: so it is named here for both.
BATCH_API_VERSION = "2025-06-01"
#: What each plane's tokens are for. Source: the SDKs' own scopes.
_AUDIENCES = {"arm": f"{ARM_ENDPOINT}/.default", "batch": "https://batch.core.windows.net//.default"}


@dataclass(frozen=True, slots=True)
class Scope:
    """Where the work goes.

    Parameters
    ----------
    subscription
        The subscription's id.
    resource_group
        Where snapshots and galleries are made, and the Batch account is.
    account
        The Batch account's name.
    """

    subscription: str
    resource_group: str
    account: str

    @property
    def account_id(self) -> ResourceId:
        """The Batch account's id."""
        return ResourceId(self.subscription, self.resource_group, BATCH, (("batchAccounts", self.account),))

    def contains(self, resource: ResourceId) -> bool:
        """Tell whether a resource is in the resource group."""
        home = (self.subscription.lower(), self.resource_group.lower())
        return (resource.subscription.lower(), resource.resource_group.lower()) == home

    def pool_id(self, name: str) -> ResourceId:
        """Return a pool's id in Azure Resource Manager."""
        return self.account_id.child("pools", name)

    def compute_id(self, *path: tuple[str, str]) -> ResourceId:
        """Return the id of a resource of Microsoft.Compute in the resource group."""
        return ResourceId(self.subscription, self.resource_group, COMPUTE, path)


class Azure:
    """One Batch account and what belongs to it, as async clients.

    Parameters
    ----------
    scope
        Subscription, resource group, account.
    credential
        An async credential of azure-identity's kind.
    transport
        How requests are sent, and what `sleep` goes through.
    cache
        A directory for what Azure tells everybody; None: it is kept in memory.
    ledger
        The file of what was made and measured; None: in memory.
    spending_limit
        What everything in the account may cost; None: no limit.
    endpoint
        Azure Resource Manager's.
    """

    def __init__(
        self,
        scope: Scope,
        credential: AsyncTokenCredential,
        transport: AsyncHttpTransport[Any, Any],
        *,
        cache: Path | None = None,
        ledger: Path | None = None,
        spending_limit: SpendingLimit | None = None,
        endpoint: str = ARM_ENDPOINT,
    ) -> None:
        self.scope = scope
        self._endpoint = endpoint
        self.ledger = Ledger(ledger, str(scope.account_id))
        self.spending_limit = spending_limit or SpendingLimit()
        self._cache = cache
        self._credential = credential
        self._transport = transport
        self._options: dict[str, Any] = {
            "per_retry_policies": [pipeline.RequestObserver(self.set_time)],
            "transport": transport,
        }
        #: What was read once and does not change: who reads it, keeps it here.
        self.memo: dict[str, Any] = {}
        self._clock_base: float | None = None
        self._account: Json | None = None
        self._batch: BatchClient | None = None
        self._other_subscriptions: dict[str, Azure] = {}
        self._readers: dict[str, AsyncPipelineClient[HttpRequest, AsyncHttpResponse]] = {}

    @property
    def credential(self) -> AsyncTokenCredential:
        """The credential of the clients."""
        return self._credential

    @property
    def transport(self) -> AsyncHttpTransport[Any, Any]:
        """The transport of the clients."""
        return self._transport

    # -- clients -------------------------------------------------------------------------------------------------

    @cached_property
    def compute(self) -> ComputeManagementClient:
        """VMs, disks, snapshots, galleries."""
        from azure.mgmt.compute.aio import ComputeManagementClient

        return ComputeManagementClient(self._credential, self.scope.subscription, self._endpoint, **self._options)

    def compute_for(self, where: ResourceId) -> ComputeManagementClient:
        """Return the client of Compute in a resource's subscription, which may be another one of the tenant."""
        return self.for_subscription(where.subscription).compute

    @cached_property
    def management(self) -> BatchManagementClient:
        """Batch accounts and pools in Azure Resource Manager."""
        from azure.mgmt.batch.aio import BatchManagementClient

        return BatchManagementClient(self._credential, self.scope.subscription, self._endpoint, **self._options)

    @cached_property
    def prices(self) -> PriceList:
        """The public price list."""
        from batchimg_magics.core.azure.price_list import PriceList

        return PriceList(self._transport, self.now, self._cache and self._cache / "prices.json")

    async def batch(self) -> BatchClient:
        """Return the client of the account's data plane, whose address the account tells."""
        if self._batch is None:
            from azure.batch.aio import BatchClient

            endpoint = await self._data_plane()
            self._batch = BatchClient(endpoint, self._credential, api_version=BATCH_API_VERSION, **self._options)
        return self._batch

    async def _data_plane(self) -> str:
        return f"https://{(await self.account())['properties']['accountEndpoint']}"

    async def account(self) -> Json:
        """Return the Batch account's document; it is read once.

        Raises
        ------
        NotFoundError
            There is no such account.
        """
        if self._account is None:
            self._account = (await self.get(f"{self.scope.account_id}?api-version={BATCH_API_VERSION}")).json()
        return self._account

    def for_subscription(self, subscription: str) -> Azure:
        """Return what asks another subscription in the same name; its account is none."""
        if subscription.lower() == self.scope.subscription.lower():
            return self
        there = Scope(subscription, self.scope.resource_group, "")
        other = Azure(there, self._credential, self._transport, endpoint=self._endpoint)
        return self._other_subscriptions.setdefault(subscription.lower(), other)

    async def close(self) -> None:
        """Let connections go."""
        for other in self._other_subscriptions.values():
            await other.close()
        made = (self.__dict__.get("compute"), self.__dict__.get("management"), self._batch)
        for client in (*made, *self._readers.values()):
            if client is not None:
                await client.close()
        await self._credential.close()
        self.ledger.close()

    # -- asking --------------------------------------------------------------------------------------------------

    async def call(self, call: Awaitable[T]) -> T:
        """Await an SDK call, with Azure's errors as ours."""
        try:
            return await call
        except AzureError as error:
            raise translate(error) from error

    async def call_or_none(self, call: Awaitable[T]) -> T | None:
        """Await an SDK call; None where Azure says 404."""
        try:
            return await self.call(call)
        except NotFoundError:
            return None

    async def list_documents(self, pages: AsyncIterable[Any]) -> list[Json]:
        """Return all items of a listing as documents; none where the place to list is not there."""
        try:
            return [document(item) async for item in pages]
        except AzureError as error:
            translated = translate(error)
            if isinstance(translated, NotFoundError):
                return []
            raise translated from error

    async def get(self, url: str, *, plane: Literal["arm", "batch"] = "arm") -> AsyncHttpResponse:
        """GET an address of one plane, absolute or from its root, with authentication and retries.

        Raises
        ------
        ServiceError
            Azure refused; or the address is on another host, which must never see our token.
        """
        return await self.send("GET", url, plane=plane)

    async def send(
        self,
        method: str,
        url: str,
        body: Json | None = None,
        *,
        plane: Literal["arm", "batch"] = "arm",
        headers: dict[str, str] | None = None,
    ) -> AsyncHttpResponse:
        """Send a request that no SDK in use has a call for, as `get` does."""
        home = self._endpoint if plane == "arm" else await self._data_plane()
        if (host := urlsplit(url).hostname) not in (None, urlsplit(home).hostname):
            raise ServiceError(f"a link leads to another host, {host}, and was not followed")
        if (reader := self._readers.get(plane)) is None:
            reader = self._readers[plane] = pipeline.create_pipeline(
                home, self._credential, _AUDIENCES[plane], self._options
            )
        try:
            request = HttpRequest(method, reader.format_url(url), json=body, headers=headers)
            response: AsyncHttpResponse = await reader.send_request(request)
            response.raise_for_status()
        except AzureError as error:
            raise translate(error) from error
        return response

    # -- time ----------------------------------------------------------------------------------------------------

    def now(self) -> float:
        """Return the service's time in seconds since 1970, as far as its answers have told."""
        if self._clock_base is None:
            return 0.0
        return self._clock_base + _loop_time()

    def set_time(self, date: float) -> None:
        """Take note of an answer's Date, which is cut to whole seconds."""
        now = self.now()
        if not date <= now < date + 1:
            self._clock_base = date - _loop_time()

    async def sleep(self, seconds: float) -> None:
        """Let so many seconds of the service's time pass."""
        until = self.now() + seconds
        await self._transport.sleep(seconds)
        # A transport may sleep in another time than the loop's: the service's clock has moved on all the same.
        if self._clock_base is not None and (behind := until - self.now()) > 0:
            self._clock_base += behind


def _loop_time() -> float:
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return time.monotonic()
