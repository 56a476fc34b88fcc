"""The source of an image: a VM, a VHD, snapshots, a managed image or a gallery image version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchimg_magics.core.azure.documents import dig

if TYPE_CHECKING:
    from batchimg_magics.core.azure.documents import Json

STANDARD = "Standard"


@dataclass(frozen=True, slots=True)
class SourceDisk:
    """A disk of an image source.

    Parameters
    ----------
    id
        Resource id.
    lun
        Logical unit number; None for the OS disk.
    caching
        Host caching: ``None``, ``ReadOnly`` or ``ReadWrite``.
    """

    id: str
    lun: int | None
    caching: str

    @property
    def label(self) -> str:
        """A label for resource names: ``os``, ``lun0``."""
        return "os" if self.lun is None else f"lun{self.lun}"

    @property
    def description(self) -> str:
        """A text for tables."""
        return "OS disk" if self.lun is None else f"data disk, LUN {self.lun}"


def plan_of(found: Json, os_disk: Json) -> Json | None:
    """Return the purchase plan in a VM's or its OS disk's document; both have the same fields."""
    plan = dig(found, "plan") or dig(os_disk, "properties", "purchasePlan")
    return {part: str(plan.get(part) or "") for part in ("name", "publisher", "product")} if plan else None


def controllers_of(os_disk: Json) -> str:
    """Return the disk controllers that an OS disk supports for booting; empty where its document has none."""
    return str(dig(os_disk, "properties", "supportedCapabilities", "diskControllerTypes") or "")


#: Security types of the OS disks of confidential VMs to the encryption types of VMs and pools.
#: Source: azure-mgmt-compute, DiskSecurityTypes and SecurityEncryptionTypes.
_ENCRYPTIONS = {
    "confidentialvm_vmgueststateonlyencryptedwithplatformkey": "VMGuestStateOnly",
    "confidentialvm_diskencryptedwithplatformkey": "DiskWithVMGuestState",
    "confidentialvm_diskencryptedwithcustomerkey": "DiskWithVMGuestState",
    "confidentialvm_nonpersistedtpm": "NonPersistedTPM",
}


def encryption_of(vm: Json, os_disk: Json) -> str:
    """Return how the OS disk of a confidential VM is encrypted, from its document or its OS disk's; empty if unknown.

    Parameters
    ----------
    vm, os_disk
        The documents of the VM and its OS disk, or of a snapshot of it; empty if there is none.
    """
    path = ("properties", "storageProfile", "osDisk", "managedDisk", "securityProfile", "securityEncryptionType")
    security = str(dig(os_disk, "properties", "securityProfile", "securityType") or "")
    return str(dig(vm, *path) or _ENCRYPTIONS.get(security.lower(), ""))


@dataclass(frozen=True, slots=True)
class Source:
    """The properties of an image source that an image depends on.

    Parameters
    ----------
    id, unique_id
        Resource id (of a VHD: its URL), and a value that differs for another resource of the same name, where Azure has
        one.
    region
        The programmatic name of the region.
    os_type
        Linux or Windows.
    generation, architecture, security_type
        V1 or V2; x64 or Arm64; Standard, TrustedLaunch or ConfidentialVM.
    uefi
        A VM's ``uefiSettings``, where it has any.
    marketplace
        (publisher, offer, sku) of the Marketplace image that it is based on; None where it is not known.
    generalized
        Whether Azure marks it generalized.
    disks
        The OS disk first, then data disks by LUN; empty where single disks do not matter.
    unmanaged
        Names of unmanaged disks (page blobs).
    plan
        ``name``, ``publisher`` and ``product`` of the purchase plan of the Marketplace image.
    controllers
        Disk controllers that the OS disk supports for booting, as Azure writes them: ``SCSI, NVMe``.
    encryption
        How the OS disk of a confidential VM is encrypted, for example ``VMGuestStateOnly``; empty if it is not known.
    """

    id: str
    unique_id: str
    region: str
    os_type: str
    generation: str
    architecture: str
    security_type: str
    uefi: Json | None
    marketplace: tuple[str, str, str] | None
    generalized: bool
    disks: tuple[SourceDisk, ...]
    unmanaged: tuple[str, ...]
    plan: Json | None = None
    controllers: str = ""
    encryption: str = ""

    @property
    def name(self) -> str:
        """The last part of its id."""
        return self.id.rpartition("/")[2]

    @property
    def description(self) -> str:
        """A text for messages, e.g. ``VM 'prep-vm'``."""
        kinds = {
            "virtualmachines": "VM",
            "snapshots": "snapshot",
            "images": "managed image",
            "versions": "image version",
        }
        kind = kinds.get(self.id.lower().split("/")[-2]) or "VHD"
        return f"{kind} {self.name!r}"
