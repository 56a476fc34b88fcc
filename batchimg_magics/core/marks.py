"""Our marks: how a resource says whose it is, and the names that make running the same line twice find the first one.

Azure is the source of truth, so everything that this tool makes bears tags (a pool: metadata too, which both planes
show). Nothing without our marks for a pool is ever changed or deleted.
"""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import dig

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchimg_magics.core.vms import Source

POOL = "batchimg-pool"
IMAGE = "batchimg-image"
SPEC = "batchimg-spec"
MADE_BY = "batchimg-made-by"
#: The gallery that an account's images go into is shared by its pools: it bears the account's name, not a pool's.
ACCOUNT = "batchimg-account"


def made_by() -> dict[str, str]:
    """Return the mark of this tool and its version."""
    return {MADE_BY: f"batchimg_magics {version('batchimg_magics')}"}


def of_image(pool: str, image: str) -> dict[str, str]:
    """Return the marks of what belongs to the image of a pool."""
    return {POOL: pool, IMAGE: image, **made_by()}


def owner(found: Mapping[str, Any] | None) -> str | None:
    """Return the pool that a document's tags name, or None."""
    name: str | None = dig(found, "tags", POOL)
    return name


def is_for(found: Mapping[str, Any] | None, pool: str) -> bool:
    """Tell whether a document bears our marks for this pool."""
    return (owner(found) or "").lower() == pool.lower()


def digest(facts: object) -> str:
    """Return 16 hexadecimal digits that stand for facts."""
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def image_hash(source: Source) -> str:
    """Return what stands for an image: which VM and disks, by which route, of which kind."""
    return digest(
        {
            "vm": [source.id.lower(), source.unique_id],
            "disks": [[disk.lun, disk.id.lower()] for disk in source.disks],
            "route": "snapshots",
            "kind": [source.os_type, source.generation, source.architecture, source.security_type],
        }
    )


def gallery_name(account: str) -> str:
    """Return the name of the gallery for an account's images.

    Galleries are unique in a subscription, as Batch accounts' names are in a region. A gallery's name knows letters,
    digits, ``_`` and ``.``; an account's is letters and digits.
    """
    return f"batchimg_{account}"


def snapshot_name(pool: str, image: str, lun: int | None) -> str:
    """Return the name of a disk's snapshot: at most 80 letters, digits, ``_``, ``-``, as Azure wants it."""
    return f"{pool}-{image[:8]}-{'os' if lun is None else f'lun{lun}'}"
