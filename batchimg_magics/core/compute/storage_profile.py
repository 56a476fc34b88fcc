"""The disks of an image, and the storage profile in the body of an image version or a managed image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchimg_magics.core.azure.documents import Json

__all__ = ["ImageDisk", "StorageProfile"]


@dataclass(frozen=True, slots=True)
class ImageDisk:
    """One disk of an image.

    Parameters
    ----------
    lun, caching
        Logical unit number (None for the OS disk) and host caching of the disk.
    id
        Resource id of a disk or snapshot; empty for a blob.
    blob, account
        URL of a VHD, and the resource id of its storage account; else empty.
    """

    lun: int | None
    caching: str
    id: str = ""
    blob: str = ""
    account: str = ""

    def version_body(self) -> Json:
        """Return the disk in the body of a gallery image version."""
        source = {"storageAccountId": self.account, "uri": self.blob} if self.blob else {"id": self.id}
        return {**self._lun(), "hostCaching": self.caching, "source": source}

    def managed_image_body(self) -> Json:
        """Return the disk in the body of a managed image."""
        if self.blob:
            return {**self._lun(), "caching": self.caching, "blobUri": self.blob}
        kind = "snapshot" if "/snapshots/" in self.id.lower() else "managedDisk"
        return {**self._lun(), "caching": self.caching, kind: {"id": self.id}}

    def _lun(self) -> Json:
        return {} if self.lun is None else {"lun": self.lun}


@dataclass(frozen=True, slots=True)
class StorageProfile:
    """All disks of an image, or one managed image as the whole.

    Parameters
    ----------
    disks
        The OS disk first, then data disks.
    image_id
        Resource id of a managed image; empty where there are disks.
    """

    disks: tuple[ImageDisk, ...] = ()
    image_id: str = ""

    def version_body(self) -> Json:
        """Return the storage profile of a gallery image version."""
        if self.image_id:
            return {"source": {"id": self.image_id}}
        os_disk, *data = (disk.version_body() for disk in self.disks)
        return {"osDiskImage": os_disk, **({"dataDiskImages": data} if data else {})}

    def managed_image_body(self, os_type: str) -> Json:
        """Return the storage profile of a managed image."""
        os_disk, *data = (disk.managed_image_body() for disk in self.disks)
        system = {"osType": os_type, "osState": "Generalized"}
        return {"osDisk": system | os_disk, "dataDisks": data}
