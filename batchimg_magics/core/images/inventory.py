"""The inventory: images with their sources, and the resources that can use images.

Images are those of the connection's subscription. Their users can be in any subscription that the caller can read.
What cannot be read is noted, and the rest is read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from batchimg_magics.core.azure import api_versions, pages, tags
from batchimg_magics.core.base import concurrency
from batchimg_magics.core.compute import network_interfaces, security_groups
from batchimg_magics.errors import ServiceError
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json


@dataclass(slots=True)
class Inventory:
    """Documents of Azure Resource Manager.

    Parameters
    ----------
    pools, machines, scale_sets
        Resources that can use an image, of every subscription that can be read.
    galleries, definitions, versions, managed_images, snapshots, disks
        Images and their sources in the connection's subscription.
    interfaces, security_groups
        Network interfaces and network security groups in the connection's resource group.
    temporary
        Temporary resources in other subscriptions, as lists of resources show them: without their properties.
    unreadable
        What could not be read, each with Azure's error code.
    """

    pools: list[Json] = field(default_factory=list)
    machines: list[Json] = field(default_factory=list)
    scale_sets: list[Json] = field(default_factory=list)
    galleries: list[Json] = field(default_factory=list)
    definitions: list[Json] = field(default_factory=list)
    versions: list[Json] = field(default_factory=list)
    managed_images: list[Json] = field(default_factory=list)
    snapshots: list[Json] = field(default_factory=list)
    disks: list[Json] = field(default_factory=list)
    interfaces: list[Json] = field(default_factory=list)
    security_groups: list[Json] = field(default_factory=list)
    temporary: list[Json] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    @property
    def all_resources(self) -> list[Json]:
        """All images and their sources without galleries: VMs first, snapshots last."""
        images = (self.versions, self.definitions, self.managed_images)
        network = (self.interfaces, self.security_groups)
        ordered = (self.machines, *network, *images, self.disks, self.snapshots, self.temporary)
        return [document for documents in ordered for document in documents]

    @property
    def unreadable_text(self) -> str:
        """What could not be read, for a caption; empty where all was read."""
        return f"could not read: {', '.join(sorted(self.unreadable))}" if self.unreadable else ""


async def read_inventory(azure: Azure) -> Inventory:
    """Read the whole inventory."""
    inventory = Inventory()
    await concurrency.gather(
        _read_users(azure, inventory), _read_images(azure, inventory), _read_interfaces(azure, inventory)
    )
    return inventory


async def _read_list(inventory: Inventory, azure: Azure, what: str, pages: AsyncIterable[object]) -> list[Json]:
    """Return the documents of a list; where it cannot be read, note that and return none."""
    try:
        return await azure.list_documents(pages)
    except ServiceError as error:
        if error.status_code == 401:  # not signed in: nothing can be read
            raise
        inventory.unreadable.append(f"{what} ({error.code or error.status_code})")
        return []


async def _read_interfaces(azure: Azure, inventory: Inventory) -> None:
    try:
        inventory.interfaces, inventory.security_groups = await concurrency.gather(
            network_interfaces.list_interfaces(azure), security_groups.list_security_groups(azure)
        )
    except ServiceError as error:
        inventory.unreadable.append(f"network interfaces ({error.code or error.status_code})")


async def _read_temporary_in(azure: Azure, inventory: Inventory) -> None:
    """Read the temporary resources in another subscription, where VMs were copied: one list has all types.

    VMs are left out: they are among the users of images.
    """
    condition = quote(f"tagName eq '{tags.TEMPORARY}' and tagValue eq 'yes'")
    query = f"api-version={api_versions.RESOURCES}&$filter={condition}&$expand=createdTime"
    url = f"/subscriptions/{azure.scope.subscription}/resources?{query}"
    try:
        found = await pages.read_all(azure, url)
    except ServiceError as error:
        what = f"temporary resources of subscription {azure.scope.subscription}"
        inventory.unreadable.append(f"{what} ({error.code or error.status_code})")
        return
    inventory.temporary += [one for one in found if str(one["type"]).lower() != "microsoft.compute/virtualmachines"]


async def read_other_pools(azure: Azure) -> tuple[list[Json], list[str]]:
    """Return the pools of all other Batch accounts that the caller can read, and what could not be read."""
    inventory = Inventory()
    places = await _read_subscriptions(azure, inventory)
    await concurrency.gather(*(_read_pools_in(one, inventory) for one in places))
    own = str(azure.scope.account_id).lower() + "/"
    return [pool for pool in inventory.pools if not pool["id"].lower().startswith(own)], inventory.unreadable


async def _read_users(azure: Azure, inventory: Inventory) -> None:
    places = await _read_subscriptions(azure, inventory)
    others = [one for one in places if one is not azure]
    await concurrency.gather(
        *(_read_users_in(one, inventory) for one in places),
        *(_read_pools_in(one, inventory) for one in places),
        *(_read_temporary_in(one, inventory) for one in others),
    )


async def _read_subscriptions(azure: Azure, inventory: Inventory) -> list[Azure]:
    """Return a client for every subscription that the caller can read, the connection's own first."""
    own = azure.scope.subscription
    try:
        found = (await azure.get(f"/subscriptions?api-version={api_versions.SUBSCRIPTIONS}")).json()["value"]
    except ServiceError as error:
        inventory.unreadable.append(f"other subscriptions ({error.code or error.status_code})")
        return [azure]
    enabled = [str(one["subscriptionId"]) for one in found if one.get("state") == "Enabled"]
    return [azure, *(azure.for_subscription(one) for one in enabled if one.lower() != own.lower())]


async def _read_users_in(azure: Azure, inventory: Inventory) -> None:
    """Read the VMs and scale sets of one subscription."""
    within = f"of subscription {azure.scope.subscription}"
    machines, scale_sets = await concurrency.gather(
        _read_list(inventory, azure, f"VMs {within}", azure.compute.virtual_machines.list_all()),
        _read_list(inventory, azure, f"scale sets {within}", azure.compute.virtual_machine_scale_sets.list_all()),
    )
    inventory.machines += machines
    inventory.scale_sets += scale_sets


async def _read_pools_in(azure: Azure, inventory: Inventory) -> None:
    """Read the pools of all Batch accounts of one subscription."""
    what = f"Batch accounts of subscription {azure.scope.subscription}"
    accounts = await _read_list(inventory, azure, what, azure.management.batch_account.list())
    ids = [ResourceId.parse(account["id"]) for account in accounts]
    own = azure.scope.account_id
    if azure.scope.account and str(own).lower() not in {str(one).lower() for one in ids}:
        ids.append(own)  # it exists, even if the list of accounts cannot be read
    for pools in await concurrency.gather(*(_read_pools_of(azure, inventory, one) for one in ids)):
        inventory.pools += pools


async def _read_pools_of(azure: Azure, inventory: Inventory, account: ResourceId) -> list[Json]:
    pages = azure.management.pool.list_by_batch_account(account.resource_group, account.name)
    return await _read_list(inventory, azure, f"pools of Batch account {account.name}", pages)


async def _read_images(azure: Azure, inventory: Inventory) -> None:
    compute = azure.compute
    inventory.galleries, inventory.managed_images, inventory.snapshots, inventory.disks = await concurrency.gather(
        _read_list(inventory, azure, "galleries", compute.galleries.list()),
        _read_list(inventory, azure, "managed images", compute.images.list()),
        _read_list(inventory, azure, "snapshots", compute.snapshots.list()),
        _read_list(inventory, azure, "disks", compute.disks.list()),
    )
    places = [ResourceId.parse(one["id"]) for one in inventory.galleries]
    found = await concurrency.gather(
        *(
            _read_list(
                inventory,
                azure,
                f"gallery {one.name}",
                compute.gallery_images.list_by_gallery(one.resource_group, one.name),
            )
            for one in places
        )
    )
    inventory.definitions = [definition for each in found for definition in each]
    for versions in await concurrency.gather(*(_read_versions(azure, inventory, one) for one in inventory.definitions)):
        inventory.versions += versions


async def _read_versions(azure: Azure, inventory: Inventory, definition: Json) -> list[Json]:
    (_, gallery), (_, name) = (where := ResourceId.parse(definition["id"])).path
    pages = azure.compute.gallery_image_versions.list_by_gallery_image(where.resource_group, gallery, name)
    return await _read_list(inventory, azure, f"image {gallery}/{name}", pages)
