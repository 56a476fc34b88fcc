"""Temporary resources of a capture by copy: snapshots, copies of the disks, a VM, its interface and its security group.

They are in the subscription and region of the VM that is copied: Azure connects a network interface only to a network
of its own subscription and region. They have the ownership tags, one more tag, and names that are always the same for
an image: the same command finds them and resumes, and temporary resources of an interrupted run are found and deleted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchimg_magics.core.azure import api_versions, resources, tags
from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.base import concurrency
from batchimg_magics.core.compute import disks, security_groups, snapshots, virtual_machines
from batchimg_magics.core.compute.network_interfaces import delete_interface, list_interfaces
from batchimg_magics.errors import BatchImgError, NotFoundError
from batchimg_magics.pool_spec.words import count_text
from batchimg_magics.resource_ids import COMPUTE, ResourceId

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from batchimg_magics.core.azure.client import Azure, Scope
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.compute.image_source import Source, SourceDisk

#: The order of deletion: Azure deletes network interfaces with their VM; disks can be deleted after it only, and a
#: security group after the interfaces that it is on. Snapshots are the last: `has_temporary` looks for them.
DELETION_ORDER = (
    frozenset({"virtualmachines"}),
    frozenset({"networkinterfaces", "disks"}),
    frozenset({"networksecuritygroups"}),
    frozenset({"snapshots"}),
)
_WORDS = {
    "virtualmachines": "VM",
    "networkinterfaces": "interface",
    "networksecuritygroups": "security group",
    "disks": "disk",
    "snapshots": "snapshot",
}


NETWORK = "Microsoft.Network"


@dataclass(frozen=True, slots=True)
class TemporaryNames:
    """The ids of the temporary resources of an image.

    Parameters
    ----------
    azure, pool, image
        The connection, the name of the pool, and the hash of the image.
    vm_id
        The VM that is copied; None: there is no copy.
    """

    azure: Azure
    pool: str
    image: str
    vm_id: ResourceId | None = None

    @property
    def home(self) -> ResourceId:
        """A resource in their resource group."""
        return home_of(self.azure.scope, self.vm_id)

    @property
    def vm(self) -> ResourceId:
        """The id of the temporary VM."""
        return self._id("virtualMachines", "")

    @property
    def fence(self) -> ResourceId:
        """The id of its network security group."""
        return self._id("networkSecurityGroups", "fence", NETWORK)

    def snapshot(self, disk: SourceDisk) -> ResourceId:
        """Return the id of the temporary snapshot of a disk of the source."""
        return self._id("snapshots", disk.label)

    def disk(self, disk: SourceDisk) -> ResourceId:
        """Return the id of the copy of a disk of the source."""
        return self._id("disks", disk.label)

    def _id(self, kind: str, what: str, provider: str = COMPUTE) -> ResourceId:
        name = tags.temporary_name(self.pool, self.image, what)
        return ResourceId(self.home.subscription, self.home.resource_group, provider, ((kind, name),))


def home_of(scope: Scope, vm: ResourceId | None) -> ResourceId:
    """Return a resource in the group of a copy: the Batch account, or a VM that is in another subscription."""
    return scope.account_id if vm is None or vm.subscription.lower() == scope.subscription.lower() else vm


def temporary_tags(source_tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags of an image's temporary resources."""
    return {**source_tags, tags.TEMPORARY: "yes"}


# -- the VM ------------------------------------------------------------------------------------------------------


def vm_body(
    vm: Json, source: Source, names: TemporaryNames, *, size: str, subnet: str, resource_tags: dict[str, str]
) -> Json:
    """Return the body of a VM like the user's, on copies of its disks, fenced off and without a public IP address."""

    def attached(disk: SourceDisk) -> Json:
        lun = {} if disk.lun is None else {"lun": disk.lun}
        system = {"osType": source.os_type} if disk.lun is None else {}
        managed = {"managedDisk": {"id": str(names.disk(disk))}}
        return {**lun, **system, "createOption": "Attach", "caching": disk.caching, "deleteOption": "Detach", **managed}

    network = interface_body(names, subnet, resource_tags)
    os_disk, *data = source.disks
    storage: Json = {"osDisk": attached(os_disk), "dataDisks": [attached(disk) for disk in data]}
    if controller := dig(vm, "properties", "storageProfile", "diskControllerType"):
        storage["diskControllerType"] = controller
    props: Json = {
        "hardwareProfile": {"vmSize": size},
        "storageProfile": storage,
        "networkProfile": {
            "networkApiVersion": api_versions.INLINE_NETWORK,
            "networkInterfaceConfigurations": [network],
        },
    }
    if security := dig(vm, "properties", "securityProfile"):
        props["securityProfile"] = security
    plan = {"plan": source.plan} if source.plan else {}
    return {"location": source.region, "tags": resource_tags, **plan, "properties": props}


def interface_body(names: TemporaryNames, subnet: str, resource_tags: dict[str, str]) -> Json:
    """Return the network interface in the body of a temporary VM: fenced off, and without a public IP address."""
    return {
        "name": f"{names.vm.name}-nic",
        "tags": resource_tags,
        "properties": {
            "primary": True,
            # Azure deletes it with the VM.
            "deleteOption": "Delete",
            "networkSecurityGroup": {"id": str(names.fence)},
            "ipConfigurations": [{"name": "ipconfig1", "properties": {"subnet": {"id": subnet}}}],
        },
    }


# -- deletion ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FailedDeletion:
    """A resource that could not be deleted.

    Parameters
    ----------
    resource
        Its id.
    reason
        The message of the error.
    """

    resource: ResourceId
    reason: str


async def list_temporary(azure: Azure, pool: str, home: ResourceId | None = None) -> list[ResourceId]:
    """Return the ids of the temporary resources of a pool's images, VMs first.

    Parameters
    ----------
    azure, pool
        The connection, and the name of the pool.
    home
        The VM that is copied: if it is in another subscription, they are in its resource group.
    """
    listed = await _list_group(azure, azure.scope.account_id)
    if home is not None and home.subscription.lower() != azure.scope.subscription.lower():
        listed += await _list_group(azure, home)
    account = azure.scope.account
    owned = (found for found in listed if tags.is_tagged_for(found, pool, account))
    ids = [ResourceId.parse(found["id"]) for found in owned if dig(found, "tags", tags.TEMPORARY) is not None]
    order = list(_WORDS)
    return sorted(ids, key=lambda one: order.index(temporary_kind(one)))


async def has_temporary(azure: Azure, pool: str, home: ResourceId) -> bool:
    """Tell whether an earlier run left temporary resources; `home` as in `list_temporary`.

    Disks and snapshots tell, whose lists are read in any case: a VM cannot exist without its disks.
    """
    if home.subscription.lower() != azure.scope.subscription.lower():
        return bool(await list_temporary(azure, pool, home))
    listed = await concurrency.gather(disks.list_disks(azure), snapshots.list_snapshots(azure))
    return any(
        tags.is_tagged_for(found, pool, azure.scope.account) and dig(found, "tags", tags.TEMPORARY) is not None
        for documents in listed
        for found in documents
    )


async def _list_group(azure: Azure, home: ResourceId) -> list[Json]:
    """Return the resources of a resource group that have a type of temporary resources."""
    compute = f"{home.group}/providers/{COMPUTE}"
    if azure.scope.contains(home):
        disks_of, snapshots_of = disks.list_disks(azure), snapshots.list_snapshots(azure)
    else:
        disks_of = resources.read_list(azure, f"{compute}/disks")
        snapshots_of = resources.read_list(azure, f"{compute}/snapshots")
    listed = await concurrency.gather(
        resources.read_list(azure, f"{compute}/virtualMachines"),
        list_interfaces(azure, home.group),
        security_groups.list_security_groups(azure, home.group),
        disks_of,
        snapshots_of,
    )
    return [found for documents in listed for found in documents]


async def delete_temporary(
    azure: Azure, pool: str, home: ResourceId | None = None
) -> tuple[list[ResourceId], list[FailedDeletion]]:
    """Delete the temporary resources of a pool's images. VMs are deallocated first: a lock then costs no money.

    Returns
    -------
    tuple
        The deleted ones, and those that could not be deleted.
    """
    found = await list_temporary(azure, pool, home)
    deleted: list[ResourceId] = []
    failed: list[FailedDeletion] = []
    for kinds in DELETION_ORDER:
        batch = [one for one in found if temporary_kind(one) in kinds]
        for one, why in zip(batch, await concurrency.gather(*(_try_delete(azure, one) for one in batch)), strict=True):
            if why is None:
                deleted.append(one)
            else:
                failed.append(FailedDeletion(one, why))
    return deleted, failed


async def _try_delete(azure: Azure, resource: ResourceId) -> str | None:
    """Delete a resource; return the reason where that failed, else None."""
    try:
        await delete_one(azure, resource)
    except BatchImgError as error:
        return error.message
    return None


async def delete_vm(azure: Azure, vm: ResourceId) -> None:
    """Deallocate a temporary VM, delete it, and wait until it is deleted: if a lock prevents it, it costs nothing."""
    try:
        await virtual_machines.deallocate(azure, vm)
    except NotFoundError:
        return
    except BatchImgError as error:
        state = f"it may be running, since it could not be deallocated: {error.message}"
    else:
        state = "it is deallocated"
    try:
        await virtual_machines.delete(azure, vm)
    except BatchImgError as error:
        error.message = f"{error.message} ({state})"
        error.args = (error.message,)
        raise


async def delete_one(azure: Azure, resource: ResourceId) -> None:
    """Delete a temporary resource and wait until it is deleted."""
    await _DELETIONS[temporary_kind(resource)](azure, resource)


_DELETIONS: dict[str, Callable[[Azure, ResourceId], Awaitable[None]]] = {
    "virtualmachines": delete_vm,
    "networkinterfaces": delete_interface,
    "networksecuritygroups": security_groups.delete_security_group,
    "disks": disks.delete_disk,
    "snapshots": snapshots.delete_snapshot,
}


def temporary_kind(resource: ResourceId) -> str:
    """Return the last word of a resource's type in lower case, e.g. ``disks``."""
    return resource.path[-1][0].lower()


def resources_text(resources: Sequence[ResourceId]) -> str:
    """Return the numbers of resources by type as text."""
    counts = {word: sum(temporary_kind(one) == kind for one in resources) for kind, word in _WORDS.items()}
    return ", ".join(count_text(count, word) for word, count in counts.items() if count)
