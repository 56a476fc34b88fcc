"""The subjects of a lock: a pool, its image and what the image was made from, by their ids.

`lock` finds them from the pool; `verify` takes them from the lock, so that it works where the pool is gone.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchimg_magics.core.azure import tags
from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.batch import pools
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.lock.resources_read import ResourceReader

__all__ = ["BaseImage", "Subjects", "find_subjects", "image_sources", "locked_subjects", "type_of", "vm_disks"]

_MACHINE = ("properties", "deploymentConfiguration", "virtualMachineConfiguration")
#: The role of an OS disk; a data disk is ``lun0``.
OS_DISK = "os"


@dataclass(frozen=True, slots=True)
class BaseImage:
    """A Marketplace image.

    Parameters
    ----------
    publisher, offer, sku
        Its names.
    version
        The exact version; empty: not known.
    """

    publisher: str
    offer: str
    sku: str
    version: str = ""

    @property
    def names(self) -> tuple[str, str, str]:
        """Publisher, offer, SKU."""
        return self.publisher, self.offer, self.sku

    def __str__(self) -> str:
        return ":".join([*self.names, *([self.version] if self.version else [])])


@dataclass(slots=True)
class Subjects:
    """The ids of what a lock is about.

    Parameters
    ----------
    pool, image
        The pool, and its gallery image version or managed image (None: a Marketplace image).
    snapshots, disks
        By role: ``os``, ``lun0``, ...
    vm, base
        The VM, and the Marketplace image that it was created from.
    """

    pool: str
    image: str | None = None
    snapshots: dict[str, str] = field(default_factory=dict)
    disks: dict[str, str] = field(default_factory=dict)
    vm: str | None = None
    base: BaseImage | None = None

    @property
    def definition(self) -> str | None:
        """The id of the image definition."""
        return None if self.image is None or "/versions/" not in self.image.lower() else _parent(self.image)

    @property
    def gallery(self) -> str | None:
        """The id of the gallery."""
        return None if self.definition is None else _parent(self.definition)


def _parent(resource: str) -> str:
    return resource.rsplit("/", 2)[0]


def type_of(resource: str) -> str:
    """Return the last part of a resource's type in lower case: ``snapshots``, ``disks``, ``virtualmachines``."""
    return ResourceId.parse(resource).type.rpartition("/")[2].lower()


def locked_subjects(lock: Json) -> Subjects:
    """Return the subjects of a lock."""
    base = lock.get("base_image") or {}
    return Subjects(
        pool=str(lock["pool"]["id"]),
        image=dig(lock, "image", "id"),
        snapshots={role: str(one["id"]) for role, one in _rows(lock, "snapshots")},
        disks={role: str(one["id"]) for role, one in _rows(lock, "disks")},
        vm=dig(lock, "vm", "id"),
        base=_base_of(base, str(base.get("version") or "")) if base else None,
    )


def _base_of(reference: Json, version: str) -> BaseImage:
    publisher, offer, sku = (str(reference.get(key) or "") for key in ("publisher", "offer", "sku"))
    return BaseImage(publisher, offer, sku, version)


def _rows(lock: Json, table: str) -> Iterator[tuple[str, Json]]:
    for role, one in (lock.get(table) or {}).items():
        if isinstance(one, dict) and one.get("id"):
            yield str(role), one


# -- from a pool ---------------------------------------------------------------------------------------------------


async def find_subjects(reader: ResourceReader, pool: Json) -> Subjects:
    """Return the subjects of a pool, as far as they can be found."""
    found = Subjects(str(pool["id"]), pools.image_of(pool))
    image = await reader.document(found.image)
    for role, source in image_sources(image).items():
        if type_of(source) == "snapshots":
            found.snapshots[role] = source
        elif type_of(source) == "disks":
            found.disks[role] = source
    for role, snapshot in found.snapshots.items():
        disk = dig(await reader.document(snapshot), "properties", "creationData", "sourceResourceId")
        if disk and type_of(str(disk)) == "disks":
            found.disks[role] = str(disk)
    found.vm = await _find_vm(reader, found, image)
    if (vm := await reader.document(found.vm)) is not None:
        # A temporary copy's disks and snapshots are deleted after the build; those of the VM are its origin.
        found.disks = {**found.disks, **vm_disks(vm)}
    found.base = await _find_base(reader, found, pool, image)
    return found


async def _find_vm(reader: ResourceReader, found: Subjects, image: Json | None) -> str | None:
    """Return the VM of an image: by its tag, as its source, or as the VM that the OS disk is attached to."""
    sources = image_sources(image).values()
    named = next((one for one in sources if type_of(one) == "virtualmachines"), None)
    if vm := dig(image, "tags", tags.SOURCE_VM) or named:
        return str(vm)
    owner = (await reader.document(found.disks.get(OS_DISK)) or {}).get("managedBy")
    return str(owner) if owner and type_of(str(owner)) == "virtualmachines" else None


async def _find_base(reader: ResourceReader, found: Subjects, pool: Json, image: Json | None) -> BaseImage | None:
    """Return the Marketplace image: of the pool itself, of the VM, of the OS disk, or as a tag names it."""
    for document, path in (
        (pool, (*_MACHINE, "imageReference")),
        (await reader.document(found.vm), ("properties", "storageProfile", "imageReference")),
    ):
        reference = dig(document, *path) or {}
        if reference.get("publisher"):
            version = str(reference.get("exactVersion") or reference.get("version") or "")
            known = "" if version.lower() == "latest" else version
            return _base_of(reference, known)
    disk = await reader.document(found.disks.get(OS_DISK))
    if disk is not None and (base := _base_of_disk(disk)) is not None:
        return base
    tag = str(dig(image, "tags", tags.BASE_IMAGE) or "")
    publisher, *rest = tag.split(":")
    return BaseImage(publisher, rest[0], rest[1]) if tag.count(":") == 2 else None


def _base_of_disk(disk: Json) -> BaseImage | None:
    words = str(dig(disk, "properties", "creationData", "imageReference", "id") or "").split("/")
    named = {word.lower(): name for word, name in itertools.pairwise(words)}
    parts = [named.get(word, "") for word in ("publishers", "offers", "skus", "versions")]
    return BaseImage(*parts) if all(parts) else None


def image_sources(image: Json | None) -> dict[str, str]:
    """Return the ids of an image's sources by role, of a gallery image version or a managed image.

    Roles are ``os``, ``lun0`` and so on, and ``image`` for an image or a VM as a whole.
    """
    storage = dig(image, "properties", "storageProfile") or {}
    whole = dig(storage, "source", "id") or dig(storage, "source", "virtualMachineId")
    whole = whole or dig(image, "properties", "sourceVirtualMachine", "id")
    found = {"image": str(whole)} if whole else {}
    first = storage.get("osDiskImage") or storage.get("osDisk")
    for disk in (first, *(storage.get("dataDiskImages") or storage.get("dataDisks") or [])):
        source = dig(disk, "source", "id") or dig(disk, "snapshot", "id") or dig(disk, "managedDisk", "id")
        if source:
            found[role_of(disk)] = str(source)
    return found


def role_of(disk: Json | None) -> str:
    """Return the role of a disk in an image or a VM."""
    lun = dig(disk, "lun")
    return OS_DISK if lun is None else f"lun{lun}"


def vm_disks(vm: Json) -> dict[str, str]:
    """Return the ids of a VM's managed disks by role."""
    storage = dig(vm, "properties", "storageProfile") or {}
    disks = [storage.get("osDisk"), *(storage.get("dataDisks") or [])]
    return {role_of(one): str(key) for one in disks if (key := dig(one, "managedDisk", "id"))}
