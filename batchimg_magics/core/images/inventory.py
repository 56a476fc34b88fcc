"""The inventory: images with their sources, and the resources that can use images.

Images are those of the connection's subscription. Their users can be in any subscription that the caller can read.
What cannot be read is noted, and the rest is read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from batchimg_magics.core.azure import api_versions, pages, resources, tags
from batchimg_magics.core.base import concurrency
from batchimg_magics.core.compute import network_interfaces, security_groups
from batchimg_magics.errors import ServiceError
from batchimg_magics.resource_ids import ResourceId, compute_list

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json


#: How many lists are read at the same time: a caller may see a thousand subscriptions, with several lists each.
MAX_CONCURRENT = 8
#: How many lists that cannot be read a caption names.
MOST_NAMED = 5


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
        """What could not be read, for a caption, the first few by name; empty where all was read."""
        if not self.unreadable:
            return ""
        named = sorted(self.unreadable)
        more = f", and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
        return f"could not read: {', '.join(named[:MOST_NAMED])}{more}"

    async def read(self, what: str, call: Awaitable[list[Json]]) -> list[Json]:
        """Await a list; where it cannot be read, note that and return none.

        Raises
        ------
        ServiceError
            The user is not signed in: nothing can be read.
        """
        try:
            return await call
        except ServiceError as error:
            if error.status_code == 401:
                raise
            self.unreadable.append(f"{what} ({error.code or error.status_code})")
            return []


async def read_inventory(azure: Azure) -> Inventory:
    """Read the whole inventory."""
    inventory = Inventory()
    await concurrency.gather(
        _read_users(azure, inventory), _read_images(azure, inventory), _read_interfaces(azure, inventory)
    )
    return inventory


async def read_machines(azure: Azure) -> Inventory:
    """Return an inventory that has the VMs of the connection's subscription only."""
    found, own = Inventory(), azure.scope.subscription
    what = f"VMs of subscription {own}"
    found.machines += await _read_list(found, azure, what, compute_list(own, "virtualMachines"))
    return found


async def _read_list(inventory: Inventory, azure: Azure, what: str, path: str) -> list[Json]:
    """Return the documents of a list; where it cannot be read, note that and return none."""
    return await inventory.read(what, resources.read_list(azure, path))


async def _read_interfaces(azure: Azure, inventory: Inventory) -> None:
    inventory.interfaces, inventory.security_groups = await concurrency.gather(
        inventory.read("network interfaces", network_interfaces.list_interfaces(azure)),
        inventory.read("network security groups", security_groups.list_security_groups(azure)),
    )


async def _read_temporary_in(azure: Azure, inventory: Inventory, subscription: str) -> None:
    """Read the temporary resources in another subscription, where VMs were copied: one list has all types.

    VMs are left out: they are among the users of images.
    """
    condition = quote(f"tagName eq '{tags.TEMPORARY}' and tagValue eq 'yes'")
    query = f"api-version={api_versions.RESOURCES}&$filter={condition}&$expand=createdTime"
    reading = pages.read_all(azure, f"/subscriptions/{subscription}/resources?{query}")
    found = await inventory.read(f"temporary resources of subscription {subscription}", reading)
    inventory.temporary += [one for one in found if str(one["type"]).lower() != "microsoft.compute/virtualmachines"]


async def read_other_pools(azure: Azure) -> tuple[list[Json], list[str]]:
    """Return the pools of all other Batch accounts that the caller can read, and what could not be read."""
    inventory = Inventory()
    subscriptions = await _read_subscriptions(azure, inventory)
    await concurrency.gather(*(_read_pools_in(azure, inventory, one) for one in subscriptions), limit=MAX_CONCURRENT)
    own = str(azure.scope.account_id).lower() + "/"
    return [pool for pool in inventory.pools if not pool["id"].lower().startswith(own)], inventory.unreadable


async def _read_users(azure: Azure, inventory: Inventory) -> None:
    subscriptions = await _read_subscriptions(azure, inventory)
    await concurrency.gather(
        *(_read_users_in(azure, inventory, one) for one in subscriptions),
        *(_read_pools_in(azure, inventory, one) for one in subscriptions),
        *(_read_temporary_in(azure, inventory, one) for one in subscriptions[1:]),
        limit=MAX_CONCURRENT,
    )


async def _read_subscriptions(azure: Azure, inventory: Inventory) -> list[str]:
    """Return the ids of the subscriptions that the caller can read, the connection's own first."""
    own = azure.scope.subscription
    reading = pages.read_all(azure, f"/subscriptions?api-version={api_versions.SUBSCRIPTIONS}")
    found = await inventory.read("other subscriptions", reading)
    # Pools and VMs of a subscription that is past due or disabled exist, and use their images.
    others = (str(one["subscriptionId"]) for one in found if one.get("state") != "Deleted")
    return [own, *(one for one in others if one.lower() != own.lower())]


async def _read_users_in(azure: Azure, inventory: Inventory, subscription: str) -> None:
    """Read the VMs and scale sets of one subscription."""
    for name, kind, found in (
        ("VMs", "virtualMachines", inventory.machines),
        ("scale sets", "virtualMachineScaleSets", inventory.scale_sets),
    ):
        what = f"{name} of subscription {subscription}"
        found.extend(await _read_list(inventory, azure, what, compute_list(subscription, kind)))


async def _read_pools_in(azure: Azure, inventory: Inventory, subscription: str) -> None:
    """Read the pools of all Batch accounts of one subscription."""
    url = f"/subscriptions/{subscription}/providers/Microsoft.Batch/batchAccounts?api-version={api_versions.BATCH}"
    accounts = await inventory.read(f"Batch accounts of subscription {subscription}", pages.read_all(azure, url))
    ids = [ResourceId.parse(account["id"]) for account in accounts]
    own = azure.scope.account_id
    is_own = subscription.lower() == azure.scope.subscription.lower()
    if is_own and azure.scope.account and str(own).lower() not in {str(one).lower() for one in ids}:
        ids.append(own)  # it exists, even if the list of accounts cannot be read
    for account in ids:
        reading = pages.read_all(azure, f"{account}/pools?api-version={api_versions.BATCH}")
        inventory.pools += await inventory.read(f"pools of Batch account {account.name}", reading)


async def _read_images(azure: Azure, inventory: Inventory) -> None:
    own = azure.scope.subscription
    inventory.galleries, inventory.managed_images, inventory.snapshots, inventory.disks = await concurrency.gather(
        _read_list(inventory, azure, "galleries", compute_list(own, "galleries")),
        _read_list(inventory, azure, "managed images", compute_list(own, "images")),
        _read_list(inventory, azure, "snapshots", compute_list(own, "snapshots")),
        _read_list(inventory, azure, "disks", compute_list(own, "disks")),
    )
    places = [ResourceId.parse(one["id"]) for one in inventory.galleries]
    found = await concurrency.gather(
        *(_read_list(inventory, azure, f"gallery {one.name}", f"{one}/images") for one in places),
        limit=MAX_CONCURRENT,
    )
    inventory.definitions = [definition for each in found for definition in each]
    reading = (_read_versions(azure, inventory, one) for one in inventory.definitions)
    for versions in await concurrency.gather(*reading, limit=MAX_CONCURRENT):
        inventory.versions += versions


async def _read_versions(azure: Azure, inventory: Inventory, definition: Json) -> list[Json]:
    (_, gallery), (_, name) = (where := ResourceId.parse(definition["id"])).path
    return await _read_list(inventory, azure, f"image {gallery}/{name}", f"{where}/versions")
