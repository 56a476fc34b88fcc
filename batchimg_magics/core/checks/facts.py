"""The facts that the rules check: documents as Azure returned them, and what could not be read and why.

`reader` reads them. A rule uses only these facts: it sends no request and changes nothing.
"""

from __future__ import annotations

import datetime as dt
import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from batchimg_magics.core.azure.documents import dig, parse_time, region_key
from batchimg_magics.core.base.node_counts import Counts, current_or_target
from batchimg_magics.core.batch import quotas, vm_sizes
from batchimg_magics.core.batch.vm_sizes import ImageNeeds, end_of_size
from batchimg_magics.core.compute import galleries, virtual_machines
from batchimg_magics.core.compute.image_source import STANDARD
from batchimg_magics.pool_spec.line import shell_word
from batchimg_magics.resource_ids import ResourceId, is_same_resource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from batchimg_magics.core.azure.client import Scope
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.batch.pool_update import PoolDecision
    from batchimg_magics.core.batch.quotas import QuotaHeadroom
    from batchimg_magics.core.checks.policy_conditions import Policy
    from batchimg_magics.core.compute.image_source import Source
    from batchimg_magics.core.estimates.prices import Rates
    from batchimg_magics.core.images.copy_size import CopySizes
    from batchimg_magics.errors import BatchImgError
    from batchimg_magics.pool_spec.pool import PoolSpec

Kind: TypeAlias = Literal["vm", "disks", "image", "pool"]


@dataclass(frozen=True, slots=True)
class System:
    """The properties of an image that must match a VM size.

    Parameters
    ----------
    os_type, generation, architecture, security_type
        As in Azure's documents.
    os_disk_gib
        None if unknown.
    data_disks
        LUN and size in GiB of each data disk.
    """

    os_type: str
    generation: str
    architecture: str
    security_type: str
    os_disk_gib: int | None
    data_disks: tuple[tuple[int, int | None], ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that the rules check.

    Parameters
    ----------
    kind
        What is checked: a VM, disks (snapshots or a VHD), an image or a pool.
    makes_image
        Whether a gallery image is to be created from the source.
    now
        The service's time, in seconds since 1970.
    scope
        The connection's scope.
    spec
        The requested pool. Its name may be a placeholder.
    pool_named, size_named_by_user
        Whether a pool was named, and whether a VM size was.
    account
        The Batch account.
    source, problem, warning
        The image source; why no image can be made from it; what may fail on the way.
    subnet, copy_subnet
        The subnet of the temporary copy of the VM: its id, and its document.
    copy_sizes
        The VM sizes for the copy; None: there is no copy.
    vm, disks
        The VM with its instance view, and its existing managed disks (or the snapshots), the OS disk first.
    snapshots
        The snapshots of these disks that this tool took.
    managed_image, sibling_images
        The managed image, and all managed images of its subscription.
    other_account_pools, unreadable_accounts
        The pools of other Batch accounts, which may use the managed image too; the accounts that could not be read.
    gallery, definition, version
        The gallery named for the image; the image definition, and the image version with its replication status.
    missing_ids
        Ids of resources that should exist and do not: an image, or the sources of a managed image.
    pool, pools
        The pool, and all pools of the account, as Azure Resource Manager returns them.
    pool_decision, conflict
        What `create` does with an existing pool; why it cannot do it.
    supported_images, sizes
        The images and VM sizes that Batch supports.
    skus, usages
        The VM sizes that Compute offers in the account's region, and the quota usage there.
    network, security_group
        The subnet's virtual network, and the subnet's network security group.
    public_addresses
        The public IP addresses that the pool is to use, by id in lower case.
    limit_usd, rates, others_usd
        The connection's spending limit per hour; the price of a requested node; the cost of all other pools per hour.
        None if unknown.
    permissions
        Maps the id of a resource group, in lower case, to the caller's permissions there.
    locks, policies, registered
        The locks and the policies in effect in the resource groups that are used; the registration state of
        Microsoft.Batch in other subscriptions that images are in.
    resource_tags
        The tags of the connection, which everything that is created gets.
    unread
        Maps what could not be read to the reason.
    """

    kind: Kind
    now: float
    scope: Scope
    spec: PoolSpec
    account: Json
    makes_image: bool = False
    pool_named: bool = True
    size_named_by_user: bool = True
    source: Source | None = None
    problem: BatchImgError | None = None
    warning: str = ""
    subnet: str = ""
    copy_subnet: Json | None = None
    copy_sizes: CopySizes | None = None
    vm: Json | None = None
    disks: Sequence[Json] = ()
    snapshots: Sequence[Json] = ()
    managed_image: Json | None = None
    sibling_images: Sequence[Json] = ()
    other_account_pools: Sequence[Json] = ()
    unreadable_accounts: Sequence[str] = ()
    gallery: Json | None = None
    definition: Json | None = None
    version: Json | None = None
    missing_ids: Sequence[str] = ()
    pool: Json | None = None
    pools: Sequence[Json] = ()
    pool_decision: PoolDecision | None = None
    conflict: BatchImgError | None = None
    supported_images: Sequence[Json] = ()
    sizes: Sequence[Json] = ()
    skus: Sequence[Json] = ()
    usages: Sequence[Json] = ()
    network: Json | None = None
    security_group: Json | None = None
    public_addresses: Mapping[str, Json] = field(default_factory=dict)
    limit_usd: float | None = None
    rates: Rates | None = None
    others_usd: float | None = None
    permissions: Mapping[str, Sequence[Json]] = field(default_factory=dict)
    locks: Sequence[Json] = ()
    policies: Sequence[Policy] = ()
    registered: Mapping[str, str] = field(default_factory=dict)
    resource_tags: Mapping[str, str] = field(default_factory=dict)
    unread: Mapping[str, str] = field(default_factory=dict)

    # -- the account -------------------------------------------------------------------------------------------------

    @property
    def region(self) -> str:
        """The account's region."""
        return region_key(str(self.account["location"]))

    @property
    def user_subscription(self) -> bool:
        """Whether nodes are VMs in the account's own subscription and count against its Compute quotas."""
        return quotas.is_user_subscription(self.account)

    @property
    def today(self) -> dt.date:
        """The service's date, in UTC."""
        return dt.datetime.fromtimestamp(self.now, dt.UTC).date()

    def days_until(self, time: str) -> int:
        """Return the number of days until a time; negative if it has passed."""
        return round((parse_time(time).timestamp() - self.now) / 86_400)

    # -- the VM and its image --------------------------------------------------------------------------------------

    @property
    def os_disk(self) -> Json | None:
        """The OS disk that an image is made from, if it is an existing resource."""
        wanted = self.source.disks[0].id if self.source and self.source.disks else ""
        return next((disk for disk in self.disks if is_same_resource(disk["id"], wanted)), None)

    @property
    def power(self) -> str:
        """The VM's power state; empty if unknown."""
        return virtual_machines.power(self.vm or {})

    @property
    def is_generalized(self) -> bool:
        """Whether the source is generalized, by Azure's mark or the user's word."""
        return self.spec.generalized or (self.source is not None and self.source.generalized)

    @property
    def captures_copy(self) -> bool:
        """Whether a temporary copy of the VM is generalized and captured, not the VM's own disks."""
        return self.vm is not None and self.spec.capture == "copy" and not self.is_generalized

    @property
    def system(self) -> System | None:
        """The properties of the image: from the VM or the disks, the managed image, or the definition and version."""
        if (source := self.source) is not None and self.kind in ("vm", "disks"):
            gib = {disk["id"].lower(): dig(disk, "properties", "diskSizeGB") for disk in self.disks}
            os_disk, *data = [(disk.lun, gib.get(disk.id.lower())) for disk in source.disks] or [(None, None)]
            luns = tuple((int(lun or 0), size) for lun, size in data)
            kind = (source.os_type, source.generation, source.architecture, source.security_type)
            return System(*kind, os_disk[1], luns)
        if self.managed_image is not None:
            return _of_managed(self.managed_image)
        return None if self.definition is None else _of_gallery(self.definition, self.version)

    @property
    def image_id(self) -> str:
        """The id of the existing managed image, image version or definition; empty if there is none."""
        return str((self.managed_image or self.version or self.definition or {}).get("id", ""))

    # -- the size --------------------------------------------------------------------------------------------------

    @property
    def size(self) -> Json | None:
        """The requested VM size as Batch lists it."""
        return self.offered_size(self.spec.vm_size) if self.size_named_by_user else None

    def offered_size(self, name: str) -> Json | None:
        """Return a VM size as Batch lists it."""
        return next((one for one in self.sizes if one["name"].lower() == name.lower()), None)

    @property
    def sku(self) -> Json | None:
        """The requested VM size as Compute lists it."""
        wanted = self.spec.vm_size.lower()
        return next(
            (one for one in self.skus if self.size_named_by_user and str(one.get("name")).lower() == wanted), None
        )

    @property
    def capabilities(self) -> dict[str, str]:
        """The capabilities of the requested VM size, as Batch and Compute report them."""
        return vm_sizes.capabilities(self.size or {}) | vm_sizes.capabilities(self.sku or {})

    def similar_sizes(self, fits: Callable[[dict[str, str]], bool]) -> str:
        """Return, as text, VM sizes with the same vCPUs that boot the image and fit, the most similar name first.

        A size that Azure retires is not proposed.
        """
        cores, asked, needs = self.capabilities.get("vCPUs"), self.spec.vm_size.lower(), self.needs
        names = []
        for size in self.sizes:
            can = {"DiskControllerTypes": "SCSI", **vm_sizes.capabilities(size)}
            if not needs.misfit(can) and can.get("vCPUs") == cores and fits(can) and not end_of_size(size):
                names.append(str(size["name"]))
        near = sorted(names, key=lambda one: -difflib.SequenceMatcher(None, asked, one.lower()).ratio())
        return ", ".join(near[:3]) or f"see `az batch location list-skus --location {shell_word(self.region)}`"

    @property
    def needs(self) -> ImageNeeds:
        """What a VM size must have to boot the image."""
        system, features = self.system, dig(self.definition, "properties", "features") or []
        if system is None:
            return ImageNeeds()
        text = ", ".join(str(one.get("value")) for one in features if one.get("name") == "DiskControllerTypes")
        # A definition cannot be changed, so an existing one decides; otherwise the disk does.
        controllers = text if self.definition is not None or self.source is None else self.source.controllers
        kind = (system.generation, system.architecture, system.security_type)
        disks = (len(system.data_disks), self.spec.os_disk_gib or system.os_disk_gib)
        return ImageNeeds(*kind, controllers, *disks, system.os_type)

    # -- counts ----------------------------------------------------------------------------------------------------

    @property
    def requested(self) -> Counts:
        """The number of nodes that the pool would have if every quota were large enough."""
        return Counts(self.spec.nodes, self.spec.spot).maximum(self._current)

    @property
    def target(self) -> Counts:
        """The number of nodes that the pool will have: `create` never shrinks an existing pool."""
        if not self.spec.take_what_fits or self.size is None or not self.headroom.cores:
            return self.requested
        return self.headroom.fitting(self.requested).maximum(self._current)

    @property
    def _current(self) -> Counts:
        return current_or_target(self.pool) if self.pool else Counts()

    @property
    def headroom(self) -> QuotaHeadroom:
        """The quota that is left for nodes of the requested size."""
        own = self.spec.name if self.pool_named else None
        return quotas.usage_of(self.account, self.pools, self.sizes, self.usages, but_for=own).headroom(self.size or {})

    @property
    def other_pools(self) -> list[Json]:
        """The account's other pools."""
        own = self.spec.name.lower() if self.pool_named else None
        return [one for one in self.pools if one["name"].lower() != own]


def permissions_in(group: str) -> str:
    """Return the name of a resource group's permissions in `Facts.unread`."""
    return f"permissions in {group.lower()}"


def is_managed(image_id: str | None) -> bool:
    """Return whether an id is of a managed image, not of a gallery image."""
    return bool(image_id) and ResourceId.parse(str(image_id)).type.lower() == "microsoft.compute/images"


def source_ids_of(image: Json) -> list[str]:
    """Return the ids of the snapshots and disks that a managed image was made from."""
    storage = image["properties"].get("storageProfile") or {}
    disks = [storage.get("osDisk"), *(storage.get("dataDisks") or [])]
    found = [dig(disk, kind, "id") for disk in disks for kind in ("snapshot", "managedDisk")]
    return [str(one) for one in found if one]


def _of_managed(image: Json) -> System:
    storage = image["properties"].get("storageProfile") or {}
    disks = tuple((int(one["lun"]), one.get("diskSizeGB")) for one in storage.get("dataDisks") or [])
    generation = str(image["properties"].get("hyperVGeneration") or "V1")
    os_disk = storage.get("osDisk") or {}
    # A managed image cannot be made from a Trusted Launch VM, and its architecture is always x64.
    return System(str(os_disk.get("osType")), generation, "x64", STANDARD, os_disk.get("diskSizeGB"), disks)


def _of_gallery(definition: Json, version: Json | None) -> System:
    kind, storage = definition["properties"], dig(version, "properties", "storageProfile") or {}
    return System(
        str(kind.get("osType")),
        str(kind.get("hyperVGeneration") or "V1"),
        str(kind.get("architecture") or "x64"),
        galleries.security_of(definition),
        dig(storage, "osDiskImage", "sizeInGB"),
        tuple((int(one["lun"]), one.get("sizeInGB")) for one in storage.get("dataDiskImages") or []),
    )
