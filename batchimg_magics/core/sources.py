"""What an image is made from, whatever it is: a VM, a VHD, snapshots, a managed image, a gallery version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchimg_magics.core.azure import Json

STANDARD = "Standard"


@dataclass(frozen=True, slots=True)
class Disk:
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
    def words(self) -> str:
        """What it is called in tables."""
        return "OS disk" if self.lun is None else f"data disk, LUN {self.lun}"


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
    disks: tuple[Disk, ...]
    unmanaged: tuple[str, ...]

    @property
    def name(self) -> str:
        """Its name."""
        return self.id.rpartition("/")[2]

    @property
    def what(self) -> str:
        """What it is, in words."""
        kinds = {
            "virtualmachines": "VM",
            "snapshots": "snapshot",
            "images": "managed image",
            "versions": "image version",
        }
        kind = kinds.get(self.id.lower().split("/")[-2]) or "VHD"
        return f"{kind} {self.name!r}"
