"""The virtual machines of a pool's nodes: disks, encryption, licence, placement, containers, upgrades.

Source of the rules: Batch OpenAPI, VirtualMachineConfiguration, and the texts of azure-mgmt-batch 19.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, Field, model_validator

from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.access import ContainerRegistry
from batchimg_magics.pool_spec.base import MODEL_CONFIG, DiskEncryptionSetId, Text, choice, first_duplicate
from batchimg_magics.pool_spec.disks import Caching, DataDisks, DiskType
from batchimg_magics.pool_spec.extensions import NodeExtension
from batchimg_magics.pool_spec.upgrades import UpgradePolicyField

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

__all__ = ["ENCRYPTION_TYPES", "LICENSE_TYPES", "MachineSpec"]

#: Source: Compute, OS disks.
MAX_OS_DISK_GIB = 4_095
#: Source: Batch OpenAPI, licenseType: the same values as Compute's for Windows.
LICENSE_TYPES = ("Windows_Server", "Windows_Client")
#: How the OS disk of a confidential VM is encrypted. Source: azure-mgmt-batch, SecurityEncryptionTypes.
ENCRYPTION_TYPES = ("VMGuestStateOnly", "DiskWithVMGuestState", "NonPersistedTPM")


class MachineSpec(BaseModel):
    """The virtual machines of a pool's nodes.

    Parameters
    ----------
    vm_size
        VM size, for example ``Standard_D4s_v5``.
    os_disk_gib, os_disk_type, os_disk_caching
        Size of the OS disk in GiB, at least that of the image; type: ``Standard_LRS``, ``StandardSSD_LRS`` or
        ``Premium_LRS``; host caching: ``None``, ``ReadOnly`` or ``ReadWrite``.
    ephemeral_os_disk
        Whether the OS disk is on the cache disk of the node, without a managed disk: it costs nothing.
    data_disks
        Empty data disks, as sizes in GiB or complete `DataDisk`s.
    license_type
        ``Windows_Server`` or ``Windows_Client``: use licences that you own (Azure Hybrid Benefit).
    automatic_updates
        Whether Windows installs updates by itself; None: Azure's default, yes.
    encryption_at_host
        Whether all disks of a node are encrypted at its host.
    disk_encryption
        Disks that Batch encrypts on Windows nodes: ``OsDisk`` and ``TemporaryDisk``.
    disk_encryption_set
        Resource id of the disk encryption set of the OS disk; only in accounts of user subscription mode.
    security_encryption
        Encryption of the OS disk of confidential VMs: ``VMGuestStateOnly``, ``DiskWithVMGuestState`` or
        ``NonPersistedTPM``. Default: that of the VM that the image is made from.
    node_placement
        ``regional``: all nodes in one zone or none; ``zonal``: nodes across the zones of the region.
    containers, container_type
        Whether nodes can run containers, which `container_images` and `container_registries` imply; the type:
        ``DockerCompatible`` or ``CriCompatible``.
    container_images, container_registries
        Container images that each node pulls at its start, and their registries.
    upgrade_policy
        How the operating system is upgraded: ``automatic``, ``manual``, ``rolling``, or a complete `UpgradePolicy`.
    extensions
        VM extensions that each node installs.
    """

    model_config = MODEL_CONFIG

    vm_size: Text
    os_disk_gib: Annotated[int, Field(ge=1, le=MAX_OS_DISK_GIB, strict=True)] | None = None
    os_disk_type: DiskType | None = None
    os_disk_caching: Annotated[Caching, choice("None", "ReadOnly", "ReadWrite")] | None = None
    ephemeral_os_disk: bool = False
    data_disks: DataDisks = ()
    license_type: Annotated[Literal["Windows_Server", "Windows_Client"], choice(*LICENSE_TYPES)] | None = None
    automatic_updates: bool | None = None
    encryption_at_host: bool = False
    disk_encryption: tuple[Annotated[Literal["OsDisk", "TemporaryDisk"], choice("OsDisk", "TemporaryDisk")], ...] = ()
    disk_encryption_set: DiskEncryptionSetId | None = None
    security_encryption: (
        Annotated[Literal["VMGuestStateOnly", "DiskWithVMGuestState", "NonPersistedTPM"], choice(*ENCRYPTION_TYPES)]
        | None
    ) = None
    node_placement: Annotated[Literal["regional", "zonal"], choice("regional", "zonal")] | None = None
    containers: bool = False
    container_type: Annotated[
        Literal["DockerCompatible", "CriCompatible"], choice("DockerCompatible", "CriCompatible")
    ] = "DockerCompatible"
    container_images: tuple[Text, ...] = ()
    container_registries: tuple[ContainerRegistry, ...] = ()
    upgrade_policy: UpgradePolicyField | None = None
    extensions: tuple[NodeExtension, ...] = ()

    @property
    def runs_containers(self) -> bool:
        """Whether nodes can run containers."""
        return self.containers or bool(self.container_images or self.container_registries)

    @model_validator(mode="after")
    def _check_machine(self) -> Self:
        for problem, hint in (*_disk_problems(self), *_upgrade_problems(self), *_extension_problems(self)):
            raise SpecError(problem, hint=hint)
        return self


def _disk_problems(machine: MachineSpec) -> Iterator[tuple[str, str]]:
    if machine.ephemeral_os_disk:
        # Source: Compute, ephemeral OS disks: the disk is local, and its caching is ReadOnly.
        if machine.os_disk_type is not None:
            yield "an ephemeral OS disk has no disk type", "remove os_disk_type or ephemeral_os_disk"
        if machine.os_disk_caching not in (None, "ReadOnly"):
            yield f"an ephemeral OS disk cannot have {machine.os_disk_caching} caching", "remove os_disk_caching"
        if machine.disk_encryption_set or machine.security_encryption:
            yield "an ephemeral OS disk cannot be encrypted with a key of its own", "remove one of the two options"
    if set(machine.disk_encryption) not in (set(), {"OsDisk", "TemporaryDisk"}):
        # Source: Batch OpenAPI, DiskEncryptionConfiguration.targets, for Windows; Linux images of one's own have none.
        yield "disk_encryption has only one of OsDisk and TemporaryDisk", "specify both; Windows nodes need both"
    if machine.disk_encryption and machine.encryption_at_host:
        # Source: Compute, encryption at host: not on VMs whose disks Azure Disk Encryption encrypts.
        yield "disk_encryption and encryption_at_host exclude each other", "remove one of them"


def _upgrade_problems(machine: MachineSpec) -> Iterator[tuple[str, str]]:
    policy = machine.upgrade_policy
    if policy is None:
        return
    if policy.automatic_os_upgrade and machine.automatic_updates:
        yield "automatic_os_upgrade and automatic_updates exclude each other", "remove one of them"
    if policy.rolling and policy.rolling.across_zones is not None and machine.node_placement != "zonal":
        yield "across_zones needs zonal placement", "add node_placement: zonal, or remove across_zones"


def _extension_problems(machine: MachineSpec) -> Iterator[tuple[str, str]]:
    names = [one.name for one in machine.extensions]
    if duplicate := first_duplicate(names):
        yield f"two extensions have the name {duplicate}", "use a different name for each"
    for one in machine.extensions:
        if unknown := next((name for name in one.after if name not in names), None):
            yield f"extension {one.name} comes after {unknown}, which the pool does not have", "correct `after`"
