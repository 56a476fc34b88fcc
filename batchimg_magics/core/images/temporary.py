"""What a capture by copy needs for a while: work snapshots, copies of the disks, a VM, its network interface.

They bear our marks and one more, and names that are the same each time: the same line finds them and goes on, and
whatever is left of a run that died is found and goes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchimg_magics.core.azure import api_versions, tags
from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.base import concurrency
from batchimg_magics.core.compute import disks, snapshots, virtual_machines
from batchimg_magics.core.compute.network_interfaces import delete_interface, list_interfaces
from batchimg_magics.errors import BatchImgError
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.compute.image_source import Source, SourceDisk

#: In which order they can go: network interfaces go with their VMs, disks only after them.
DELETION_ORDER = (frozenset({"virtualmachines"}), frozenset({"networkinterfaces", "disks", "snapshots"}))
_WORDS = {"virtualmachines": "VM", "networkinterfaces": "interface", "disks": "disk", "snapshots": "snapshot"}


@dataclass(frozen=True, slots=True)
class TemporaryNames:
    """The ids of an image's throwaways.

    Parameters
    ----------
    azure, pool, image
        Where; whose image, and its hash.
    """

    azure: Azure
    pool: str
    image: str

    @property
    def vm(self) -> ResourceId:
        """The throwaway VM."""
        return self._id("virtualMachines", "")

    def snapshot(self, disk: SourceDisk) -> ResourceId:
        """Return the work snapshot of a disk of the source."""
        return self._id("snapshots", disk.label)

    def disk(self, disk: SourceDisk) -> ResourceId:
        """Return the copy of a disk of the source."""
        return self._id("disks", disk.label)

    def _id(self, kind: str, what: str) -> ResourceId:
        return self.azure.scope.compute_id((kind, tags.temporary_name(self.pool, self.image, what)))


def temporary_tags(source_tags: Mapping[str, str]) -> dict[str, str]:
    """Return the marks of an image's throwaways."""
    return {**source_tags, tags.TEMPORARY: "yes"}


# -- the VM ------------------------------------------------------------------------------------------------------


def vm_body(
    vm: Json, source: Source, names: TemporaryNames, *, size: str, subnet: str, resource_tags: dict[str, str]
) -> Json:
    """Return a VM like the researcher's, on copies of its disks, that nobody can reach from outside."""

    def attached(disk: SourceDisk) -> Json:
        lun = {} if disk.lun is None else {"lun": disk.lun}
        system = {"osType": source.os_type} if disk.lun is None else {}
        managed = {"managedDisk": {"id": str(names.disk(disk))}}
        return {**lun, **system, "createOption": "Attach", "caching": disk.caching, "deleteOption": "Detach", **managed}

    network = {
        "name": f"{names.vm.name}-nic",
        "tags": resource_tags,
        "properties": {
            "primary": True,
            # It goes with the VM.
            "deleteOption": "Delete",
            "ipConfigurations": [{"name": "ipconfig1", "properties": {"subnet": {"id": subnet}}}],
        },
    }
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


# -- their end ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FailedDeletion:
    """Something that should have gone, and did not.

    Parameters
    ----------
    resource
        Its id.
    why
        What stood in the way.
    """

    resource: ResourceId
    reason: str


async def list_temporary(azure: Azure, pool: str) -> list[ResourceId]:
    """Return the ids of the throwaways of a pool's images, in the order in which they can go: VMs first."""
    listed = await concurrency.gather(
        azure.list_documents(azure.compute.virtual_machines.list(azure.scope.resource_group)),
        list_interfaces(azure),
        disks.list_disks(azure),
        snapshots.list_snapshots(azure),
    )
    account = azure.scope.account
    ours = (found for documents in listed for found in documents if tags.is_tagged_for(found, pool, account))
    return [ResourceId.parse(found["id"]) for found in ours if dig(found, "tags", tags.TEMPORARY) is not None]


async def delete_temporary(azure: Azure, pool: str) -> tuple[list[ResourceId], list[FailedDeletion]]:
    """Delete the throwaways of a pool's images.

    Returns
    -------
    tuple
        What went, and what did not go.
    """
    found = await list_temporary(azure, pool)
    gone: list[ResourceId] = []
    left: list[FailedDeletion] = []
    for kinds in DELETION_ORDER:
        batch = [one for one in found if temporary_kind(one) in kinds]
        for one, why in zip(batch, await concurrency.gather(*(_try_delete(azure, one) for one in batch)), strict=True):
            if why is None:
                gone.append(one)
            else:
                left.append(FailedDeletion(one, why))
    return gone, left


async def _try_delete(azure: Azure, resource: ResourceId) -> str | None:
    """Delete one; return why that was not to be done, None where it is gone."""
    try:
        await delete_one(azure, resource)
    except BatchImgError as error:
        return error.message
    return None


async def delete_one(azure: Azure, resource: ResourceId) -> None:
    """Delete one and wait until it is gone."""
    await _DELETIONS[temporary_kind(resource)](azure, resource)


_DELETIONS: dict[str, Callable[[Azure, ResourceId], Awaitable[None]]] = {
    "virtualmachines": virtual_machines.delete,
    "networkinterfaces": delete_interface,
    "disks": disks.delete_disk,
    "snapshots": snapshots.delete_snapshot,
}


def temporary_kind(resource: ResourceId) -> str:
    """Return which kind of throwaway it is: the last word of its type, in lower case."""
    return resource.path[-1][0].lower()


def count_text(gone: Sequence[ResourceId]) -> str:
    """Return how many of which kind, in words."""
    counts = {word: sum(temporary_kind(one) == kind for one in gone) for kind, word in _WORDS.items()}
    return ", ".join(f"{count} {word}{'s' if count > 1 else ''}" for word, count in counts.items() if count)
