"""The users of resources: pools, scale sets and VMs, down to the snapshots and disks that their images were made from.

Pools and scale sets need their image for every new node. A VM that was created from an image does not need it, but
needs its disks. A gallery image version is a full copy, but its source is needed to create it again, so the sources of
a pool's image count as used by the pool.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchimg_magics.core.azure import tags
from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.batch import pools
from batchimg_magics.core.compute.lineage import source_ids
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.images.inventory import Inventory


@dataclass(frozen=True, slots=True)
class ResourceUser:
    """A user of a resource.

    Parameters
    ----------
    name
        The text in tables: a pool's name, with its account if that is another one; ``VM x``, ``scale set x``.
    id
        Resource id.
    requires
        Whether it cannot do without the resource.
    includes_children
        Whether it also uses the sources of the resource.
    """

    name: str
    id: str
    requires: bool = True
    includes_children: bool = True


class ResourceUsage:
    """The users of the resources in an inventory.

    Parameters
    ----------
    inventory
        The resources.
    account
        The connection's Batch account.
    """

    def __init__(self, inventory: Inventory, account: ResourceId) -> None:
        self._direct: dict[str, list[ResourceUser]] = defaultdict(list)
        self._derived: dict[str, set[str]] = defaultdict(set)
        documents = (*inventory.versions, *inventory.managed_images, *inventory.snapshots, *inventory.disks)
        temporary = {one["id"].lower() for one in documents if dig(one, "tags", tags.TEMPORARY) is not None}
        for document in documents:
            # Temporary resources are not needed any more once the resource made from them exists.
            exists = dig(document, "properties", "provisioningState") == "Succeeded"
            for source in source_ids(document):
                if not (exists and source.lower() in temporary):
                    self._derived[source.lower()].add(document["id"].lower())
        for used, user in _find_uses(inventory, account):
            self._direct[used.lower()].append(user)
        for definition in (document["id"].lower() for document in inventory.definitions):
            within = [one["id"].lower() for one in inventory.versions if one["id"].lower().startswith(f"{definition}/")]
            # A pool that names the definition uses its latest version.
            for version in within:
                self._direct[version] += self._direct[definition]
            self._derived[definition.rpartition("/images/")[0]].add(definition)
            self._derived[definition] |= set(within)

    def users_of(self, resource: str) -> list[ResourceUser]:
        """Return the users of a resource and of what was made from it."""
        found = {user.id.lower(): user for user in self._direct[resource.lower()]}
        for below in self.made_from(resource):
            deep = (user for user in self._direct[below] if user.includes_children)
            found = {user.id.lower(): user for user in deep} | found
        return sorted(found.values(), key=lambda user: user.name)

    def needed_by(self, resource: str, *, but: str = "") -> list[ResourceUser]:
        """Return the users that require a resource, without the pool with the id `but`."""
        return [user for user in self.users_of(resource) if user.requires and user.id.lower() != but.lower()]

    def made_from(self, resource: str) -> set[str]:
        """Return the ids, in lower case, of all resources that were made from a resource, at any depth."""
        found: set[str] = set()
        waiting = [resource.lower()]
        while waiting:
            fresh = self._derived[waiting.pop()] - found
            found |= fresh
            waiting += fresh
        return found


def _find_uses(inventory: Inventory, account: ResourceId) -> Iterator[tuple[str, ResourceUser]]:
    """Yield the id of each used image or disk, and its user."""
    for pool in inventory.pools:
        if image := pools.image_of(pool):
            yield image, _pool_user(pool, account)
    for scale_set in inventory.scale_sets:
        path = ("properties", "virtualMachineProfile", "storageProfile", "imageReference", "id")
        if image := dig(scale_set, *path):
            yield str(image), ResourceUser(f"scale set {scale_set['name']}", scale_set["id"])
    for machine in inventory.machines:
        storage = dig(machine, "properties", "storageProfile") or {}
        user = ResourceUser(f"VM {machine['name']}", machine["id"], includes_children=False)
        if image := dig(storage, "imageReference", "id"):
            yield str(image), ResourceUser(user.name, user.id, requires=False, includes_children=False)
        for disk in (storage.get("osDisk"), *(storage.get("dataDisks") or [])):
            if managed := dig(disk, "managedDisk", "id"):
                yield str(managed), user


def _pool_user(pool: Json, account: ResourceId) -> ResourceUser:
    where = ResourceId.parse(pool["id"])
    own = str(ResourceId(where.subscription, where.resource_group, where.provider, where.path[:1])).lower()
    name = where.name if own == str(account).lower() else f"{where.path[0][1]}/{where.name}"
    return ResourceUser(name, pool["id"])
