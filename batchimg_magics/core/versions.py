"""Image versions as pools name them: whether one is still there, and what disks its nodes get.

They are read by their id, since a pool's image may be in another subscription, which the SDK's client cannot reach.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchimg_magics.core.azure import read_cache
from batchimg_magics.core.azure.documents import dig
from batchimg_magics.errors import AuthenticationError, NotFoundError

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json

_API_VERSION = "2024-03-03"


@dataclass(frozen=True, slots=True)
class Version:
    """What could be found out about the image that a pool's nodes are made from.

    Parameters
    ----------
    id
        The version's id; None for an image that is no gallery version.
    document
        None where it could not be read.
    gone
        Whether Azure says that it is not there.
    """

    id: str | None = None
    document: Json | None = None
    gone: bool = False

    @property
    def key(self) -> str | None:
        """What tells this very version from one that was made later under its id."""
        if self.document is None:
            return None
        return f"{self.id} {dig(self.document, 'properties', 'publishingProfile', 'publishedDate')}".lower()


async def read(azure: Azure, image_id: str | None) -> Version:
    """Read an image version."""
    if not image_id or "/versions/" not in image_id.lower():
        return Version()
    try:
        found = await read_cache.once(azure, image_id, lambda: _document(azure, image_id))
    except NotFoundError:
        return Version(image_id, gone=True)
    except AuthenticationError:
        return Version(image_id)  # Batch may have the permission that we lack
    azure.kept[_sizes_key(image_id)] = _sizes(found)
    return Version(image_id, found)


async def _document(azure: Azure, image_id: str) -> Json:
    return dict((await azure.get(f"{image_id}?api-version={_API_VERSION}")).json())


async def disk_sizes(azure: Azure, image_id: str | None) -> list[int | None]:
    """Return the sizes of an image version's disks in GiB, the OS disk first; nothing where they cannot be read.

    The data disks of an image are attached to every node. A version's disks do not change: they are read once.
    """
    if not image_id:
        return []
    if _sizes_key(image_id) not in azure.kept:
        await read(azure, image_id)
    found: list[int | None] = azure.kept.get(_sizes_key(image_id), [])
    return found


def _sizes_key(image_id: str) -> str:
    return f"disk sizes of {image_id.lower()}"


def _sizes(found: Json) -> list[int | None]:
    storage = dig(found, "properties", "storageProfile")
    data = dig(storage, "dataDiskImages") or []
    return [dig(storage, "osDiskImage", "sizeInGB"), *(one.get("sizeInGB") for one in data)]
