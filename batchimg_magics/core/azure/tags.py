"""Our marks: how a resource says whose it is, and the names that make running the same line twice find the first one.

Azure is the source of truth, so everything that this tool makes bears tags (a pool: metadata too, which both planes
show). Nothing without our marks for a pool is ever changed or deleted.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure.documents import dig

if TYPE_CHECKING:
    from collections.abc import Mapping


POOL = "batchimg-pool"
IMAGE = "batchimg-image"
SPEC = "batchimg-spec"
MADE_BY = "batchimg-made-by"
#: When a pool's nodes go, in UTC. It is in no hash: a pool that lives longer is no other pool.
EXPIRES = "batchimg-expires"
#: Whose pools an image is for; the gallery that an account's images go into bears no pool's name.
ACCOUNT = "batchimg-account"
#: How often an image was made anew though nothing of what its hash covers had changed; missing: 0.
REVISION = "batchimg-revision"
#: The Marketplace image that an image goes back to, publisher:offer:sku: what it was made from may be gone.
BASE_IMAGE = "batchimg-base"
#: On what only a capture needs, and what goes when it is done.
TEMPORARY = "batchimg-throwaway"
#: On a VM whose system was deprovisioned for the image of that hash.
DEPROVISIONED = "batchimg-deprovisioned"
#: On a VM that was stopped for the image of that hash, and is to be started again.
STOPPED = "batchimg-stopped"


def tool_tags() -> dict[str, str]:
    """Return the mark of this tool and its version."""
    from importlib.metadata import version  # only what makes something bears the mark

    return {MADE_BY: f"batchimg_magics {version('batchimg_magics')}"}


def image_tags(account: str, pool: str, image: str, revision: int = 0) -> dict[str, str]:
    """Return the marks of what belongs to the image of a pool of an account."""
    again = {REVISION: str(revision)} if revision else {}
    return {ACCOUNT: account, POOL: pool, IMAGE: image, **again, **tool_tags()}


def owner_pool(found: Mapping[str, Any] | None) -> str | None:
    """Return the pool that a document's tags name, or None."""
    name: str | None = dig(found, "tags", POOL)
    return name


def is_tagged_for(found: Mapping[str, Any] | None, pool: str, account: str = "") -> bool:
    """Tell whether a document bears our marks for this pool, and, where an account is named, for no other one's."""
    of_account = str(dig(found, "tags", ACCOUNT) or account).lower() == account.lower() or not account
    return (owner_pool(found) or "").lower() == pool.lower() and of_account


def digest(facts: object) -> str:
    """Return 16 hexadecimal digits that stand for facts; a secret among them counts by its reference."""
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def revision_of(found: Mapping[str, Any]) -> int:
    """Return the revision that a document's tags name; 0 where they name none."""
    text = str(dig(found, "tags", REVISION) or 0)
    return int(text) if text.isdigit() else 0


def gallery_name(account: str) -> str:
    """Return the name of the gallery for an account's images.

    Galleries are unique in a subscription, as Batch accounts' names are in a region. A gallery's name knows letters,
    digits, ``_`` and ``.``; an account's is letters and digits.
    """
    return f"batchimg_{account}"


def snapshot_name(pool: str, image: str, lun: int | None) -> str:
    """Return the name of a disk's snapshot: at most 80 letters, digits, ``_``, ``-``, as Azure wants it."""
    return f"{pool}-{image[:8]}-{'os' if lun is None else f'lun{lun}'}"


def managed_image_name(pool: str, image: str) -> str:
    """Return the name of the managed image for a pool's image: at most 80 letters, digits, ``_``, ``-``."""
    return f"{pool}-{image[:8]}"


def temporary_name(pool: str, image: str, what: str = "") -> str:
    """Return the name of something that goes when an image of a pool is captured, the same each time.

    It fits a VM's name too: at most 64 letters, digits and hyphens.
    """
    return "-".join(["batchimg", digest([pool.lower(), image]), *([what] if what else [])])
