"""What an image is made from, whatever it is: a VM, a VHD, snapshots, a managed image, a gallery version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchimg_magics.core.azure.documents import dig

if TYPE_CHECKING:
    from batchimg_magics.core.azure.documents import Json

STANDARD = "Standard"


@dataclass(frozen=True, slots=True)
class SourceDisk:
    """A managed disk of a VM.

    Parameters
    ----------
    id
        Resource id.
    lun
        Logical unit number; None for the OS disk.
    caching
        Host caching: None, ReadOnly or ReadWrite.
    """

    id: str
    lun: int | None
    caching: str

    @property
    def label(self) -> str:
        """What it is called in names: ``os``, ``lun0``."""
        return "os" if self.lun is None else f"lun{self.lun}"

    @property
    def description(self) -> str:
        """What it is called in tables."""
        return "OS disk" if self.lun is None else f"data disk, LUN {self.lun}"


def plan_of(found: Json, os_disk: Json) -> Json | None:
    """Return the purchase plan that a VM's or its OS disk's document names; a disk calls its parts as a VM does."""
    said = dig(found, "plan") or dig(os_disk, "properties", "purchasePlan")
    return {part: str(said.get(part) or "") for part in ("name", "publisher", "product")} if said else None


def controllers_of(os_disk: Json) -> str:
    """Return the disk controllers that an OS disk says its system boots from, empty where it does not say."""
    return str(dig(os_disk, "properties", "supportedCapabilities", "diskControllerTypes") or "")


@dataclass(frozen=True, slots=True)
class Source:
    """What an image is made from, as far as the image goes.

    Parameters
    ----------
    id, unique_id
        Resource id (of a VHD: its address), and what tells it from another one of its name, where there is such.
    region
        Programmatic name.
    os_type
        Linux or Windows.
    generation, architecture, security_type
        V1 or V2; x64 or Arm64; Standard, TrustedLaunch or ConfidentialVM.
    uefi
        A VM's ``uefiSettings``, where it has any.
    marketplace
        (publisher, offer, sku) of the Marketplace image that it goes back to; None where none is known.
    generalized
        Whether Azure marks it generalized, or calls it so.
    disks
        OS disk first, then data disks by LUN; none where they are not looked at one by one.
    unmanaged
        Disks that are blobs and no resources.
    plan
        ``name``, ``publisher`` and ``product`` of the purchase plan of the Marketplace image that it goes back to.
    controllers
        Disk controllers that the OS disk says its system boots from, as Azure writes them: ``SCSI, NVMe``.
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

    @property
    def name(self) -> str:
        """Its name."""
        return self.id.rpartition("/")[2]

    @property
    def description(self) -> str:
        """What it is, in words."""
        kinds = {
            "virtualmachines": "VM",
            "snapshots": "snapshot",
            "images": "managed image",
            "versions": "image version",
        }
        kind = kinds.get(self.id.lower().split("/")[-2]) or "VHD"
        return f"{kind} {self.name!r}"
