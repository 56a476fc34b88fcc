"""`Azure`: the clients of one Batch account, with one credential and one transport.

Every request of core is sent through this class. SDK clients are created on first use, errors are translated in one
place, and the time of the service is read from the Date header of its responses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from azure.core.exceptions import AzureError
from azure.core.rest import HttpRequest

from batchimg_magics.core.azure import api_versions, pipeline, private_accounts
from batchimg_magics.core.azure.account_cost import AccountCost
from batchimg_magics.core.azure.cloud import AZURE_PUBLIC, Cloud
from batchimg_magics.core.azure.documents import Json, document, region_key
from batchimg_magics.core.azure.error_translation import translate
from batchimg_magics.core.azure.ledger import Ledger
from batchimg_magics.core.azure.outages import OutagePolicy
from batchimg_magics.core.azure.service_clock import ServiceClock
from batchimg_magics.errors import BatchImgError, NotFoundError
from batchimg_magics.resource_ids import BATCH, COMPUTE, ResourceId

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable, Mapping
    from pathlib import Path

    from azure.batch.aio import BatchClient
    from azure.core import AsyncPipelineClient
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.core.pipeline.transport import AsyncHttpTransport
    from azure.core.rest import AsyncHttpResponse
    from azure.mgmt.batch.aio import BatchManagementClient
    from azure.mgmt.compute.aio import ComputeManagementClient

    from batchimg_magics.core.azure.price_list import PriceList
    from batchimg_magics.core.base.node_counts import Counts
    from batchimg_magics.core.base.package_store import PackageStore

T = TypeVar("T")

#: A verb asks the service for its time if it was silent for so many real seconds: the machine may have slept.
MAX_SILENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Scope:
    """The Batch account that a connection works on.

    Parameters
    ----------
    subscription
        The subscription's id.
    resource_group
        The resource group of the Batch account, where snapshots and galleries are created.
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
        """Tell whether a resource is in the connection's resource group."""
        own = (self.subscription.lower(), self.resource_group.lower())
        return (resource.subscription.lower(), resource.resource_group.lower()) == own

    def pool_id(self, name: str) -> ResourceId:
        """Return a pool's id in Azure Resource Manager."""
        return self.account_id.child("pools", name)

    def compute_list(self, kind: str) -> str:
        """Return the path of the Microsoft.Compute resources of a type in the resource group."""
        return f"{self.account_id.group}/providers/{COMPUTE}/{kind}"

    def compute_id(self, *path: tuple[str, str]) -> ResourceId:
        """Return the id of a Microsoft.Compute resource in the resource group."""
        return ResourceId(self.subscription, self.resource_group, COMPUTE, path)


class Azure:
    """One Batch account and the async clients for it.

    Parameters
    ----------
    scope
        Subscription, resource group, account.
    credential
        An async credential, as azure-identity has them.
    transport
        Sends the requests; its `sleep` is used for waiting.
    cache
        A directory for public data (prices); None: they are kept in memory.
    ledger
        The local history file, beside which local lists of packages are; None: all of it is kept in memory.
    spending_limit
        The most that all pools of the account may cost; None: no limit.
    cloud
        The hosts of its services, and the scopes of tokens.
    resource_tags
        Tags of every resource that is created on this connection. They are part of no hash.

    Attributes
    ----------
    clock
        The service's time. A connection whose time passes at another speed sets it.
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
        cloud: Cloud = AZURE_PUBLIC,
        resource_tags: Mapping[str, str] | None = None,
    ) -> None:
        self.scope = scope
        self.cloud = cloud
        self.resource_tags = dict(resource_tags or {})
        self.ledger = Ledger(ledger, str(scope.account_id))
        self._packages_folder = ledger and ledger.with_name(f"{ledger.name.removesuffix('ledger.db')}packages")
        self.spending_limit = spending_limit or SpendingLimit()
        self.account_cost = AccountCost()
        self._cache = cache
        self._credential = credential
        self._transport = transport
        self.clock = ServiceClock()
        self._answered: set[str] = set()
        #: Results of reads that do not change during a connection, by a name for each.
        self.memo: dict[str, Any] = {}
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
        """The client of Microsoft.Compute: VMs, disks, snapshots, galleries."""
        from azure.mgmt.compute.aio import ComputeManagementClient

        return ComputeManagementClient(self._credential, self.scope.subscription, **self._arm_options)

    def compute_for(self, where: ResourceId) -> ComputeManagementClient:
        """Return the Microsoft.Compute client for a resource's subscription, which may be another one of the tenant."""
        return self.for_subscription(where.subscription).compute

    @cached_property
    def management(self) -> BatchManagementClient:
        """The client of Batch accounts and pools in Azure Resource Manager."""
        from azure.mgmt.batch.aio import BatchManagementClient

        return BatchManagementClient(self._credential, self.scope.subscription, **self._arm_options)

    @property
    def _options(self) -> dict[str, Any]:
        """The options of a client: each has policies of its own."""
        return {
            "per_retry_policies": [pipeline.RequestObserver(self._set_time), pipeline.TokenHosts(self._endpoints)],
            "retry_policy": OutagePolicy(self._answered),
            "transport": self._transport,
        }

    def _endpoints(self) -> list[str]:
        """Return the URLs of the hosts that get tokens: Azure Resource Manager, and the data plane of the account."""
        found = [self.cloud.resource_manager]
        if self._account is not None:
            found.append(f"https://{self._account['properties']['accountEndpoint']}")
        return found

    @property
    def _arm_options(self) -> dict[str, Any]:
        """The options of clients of Azure Resource Manager."""
        where = {"base_url": self.cloud.resource_manager, "credential_scopes": [self.cloud.arm_scope]}
        return {**self._options, **where}

    @cached_property
    def prices(self) -> PriceList:
        """The public retail price list of the cloud."""
        from batchimg_magics.core.azure.price_list import PriceList

        # The file has the prices of the public cloud; those of another cloud are kept in memory.
        file = self._cache / "prices.json" if self._cache and self.cloud == AZURE_PUBLIC else None
        return PriceList(self._transport, self.now, file, url=self.cloud.price_list)

    async def batch(self) -> BatchClient:
        """Return the client of the data plane, whose address is in the account's document."""
        if self._batch is None:
            from azure.batch.aio import BatchClient

            endpoint = await self._data_plane()
            self._batch = BatchClient(
                endpoint,
                self._credential,
                api_version=api_versions.BATCH,
                credential_scopes=[self.cloud.batch_scope],
                **self._options,
            )
        return self._batch

    async def _data_plane(self) -> str:
        return f"https://{(await self.account())['properties']['accountEndpoint']}"

    async def account(self) -> Json:
        """Return the Batch account's document. It is read once.

        Raises
        ------
        NotFoundError
            The account does not exist.
        """
        if self._account is None:
            self._account = (await self.get(f"{self.scope.account_id}?api-version={api_versions.BATCH}")).json()
        return self._account

    @property
    def known_region(self) -> str:
        """The region of the Batch account, empty before it was read."""
        return "" if self._account is None else region_key(str(self._account["location"]))

    async def region(self) -> str:
        """Return the region of the Batch account by its programmatic name, e.g. ``eastus2``. Errors: as `account`."""
        return region_key(str((await self.account())["location"]))

    def for_subscription(self, subscription: str) -> Azure:
        """Return a client for another subscription with the same credential; it has no Batch account."""
        if subscription.lower() == self.scope.subscription.lower():
            return self
        scope = Scope(subscription, self.scope.resource_group, "")
        other = Azure(scope, self._credential, self._transport, cloud=self.cloud, resource_tags=self.resource_tags)
        other.clock = self.clock
        return self._other_subscriptions.setdefault(subscription.lower(), other)

    async def close(self) -> None:
        """Close all clients and the local history file."""
        for other in self._other_subscriptions.values():
            await other.close()
        clients = (self.__dict__.get("compute"), self.__dict__.get("management"), self._batch)
        for client in (*clients, *self._readers.values()):
            if client is not None:
                await client.close()
        await self._credential.close()
        self.ledger.close()

    @cached_property
    def packages(self) -> PackageStore:
        """The local store of lists of packages."""
        from batchimg_magics.core.base.package_store import PackageStore  # few verbs need it

        return PackageStore(self._packages_folder)

    # -- requests ------------------------------------------------------------------------------------------------

    async def call(self, call: Awaitable[T]) -> T:
        """Await an SDK call and translate its errors to this package's errors."""
        try:
            return await call
        except AzureError as error:
            raise self._translate(error) from error

    def _translate(self, error: AzureError) -> BatchImgError:
        return private_accounts.explain_refusal(translate(error), error, self._account)

    async def call_or_none(self, call: Awaitable[T]) -> T | None:
        """Await an SDK call; return None where Azure returns 404."""
        try:
            return await self.call(call)
        except NotFoundError:
            return None

    async def list_documents(self, pages: AsyncIterable[Any]) -> list[Json]:
        """Return all items of an SDK list as documents; an empty list where the parent resource does not exist."""
        try:
            return [document(item) async for item in pages]
        except AzureError as error:
            translated = self._translate(error)
            if isinstance(translated, NotFoundError):
                return []
            raise translated from error

    async def get(self, url: str, *, plane: Literal["arm", "batch"] = "arm") -> AsyncHttpResponse:
        """Send a GET request to one plane with authentication and retries; the URL is absolute or begins with ``/``.

        Raises
        ------
        ServiceError
            Azure refused the request; or the URL is on another host, to which no token may be sent.
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
        """Send a request that no SDK client in use has a call for. Parameters and errors are those of `get`."""
        endpoint = self.cloud.resource_manager if plane == "arm" else await self._data_plane()
        if (reader := self._readers.get(plane)) is None:
            scopes = {"arm": self.cloud.arm_scope, "batch": self.cloud.batch_scope}
            reader = self._readers[plane] = pipeline.create_pipeline(
                endpoint, self._credential, scopes[plane], self._options
            )
        try:
            request = HttpRequest(method, reader.format_url(url), json=body, headers=headers)
            response: AsyncHttpResponse = await reader.send_request(request)
            response.raise_for_status()
        except AzureError as error:
            raise self._translate(error) from error
        return response

    # -- time ----------------------------------------------------------------------------------------------------

    def now(self) -> float:
        """Return the service's time in seconds since 1970; 0 before the first response."""
        return self.clock.now()

    def _set_time(self, date: float) -> None:
        self.clock.set(date)

    async def ask_time(self) -> None:
        """Have the service tell its time, unless it just did: what passed since the last response may be anything.

        Raises
        ------
        NotFoundError
            The account does not exist.
        """
        if self._account is not None and self.clock.silence_s() > MAX_SILENCE_S:
            self._account = None
        await self.account()

    async def sleep(self, seconds: float) -> None:
        """Wait for a number of seconds of the service's time."""
        until = self.now() + seconds
        await self._transport.sleep(seconds)
        # A transport may use another time than the clock, which is then moved forward by the difference.
        self.clock.advance_to(until)


@dataclass(slots=True)
class SpendingLimit:
    """The most that all pools of a connection's account may cost.

    Parameters
    ----------
    usd_per_hour
        US dollars per hour for all pools: nodes, disks, load balancers and public addresses; None: no limit.
    planned
        Name of a pool in lower case to the counts that this session is resizing it to.
    """

    usd_per_hour: float | None = None
    planned: dict[str, Counts] = field(default_factory=dict)
