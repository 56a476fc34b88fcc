"""Ownership tags, and the names of resources: running the same command again finds what the first run created.

Every resource that this tool creates has tags (a pool also has metadata, which both planes show). A resource without
the ownership tags of a pool is never changed or deleted for it.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure.documents import dig
from batchimg_magics.pool_spec.tags import EXPIRES_TAG, POOL_TAG

if TYPE_CHECKING:
    from collections.abc import Mapping


POOL = POOL_TAG
IMAGE = "batchimg-image"
SPEC = "batchimg-spec"
MADE_BY = "batchimg-made-by"
#: When a pool expires, in UTC. No hash includes it.
EXPIRES = EXPIRES_TAG
#: The Batch account that an image or a gallery is for; a gallery has no tag of a pool.
ACCOUNT = "batchimg-account"
#: How often an image was created again with the same facts in its hash; missing: 0.
REVISION = "batchimg-revision"
#: The Marketplace image that an image is based on, publisher:offer:sku: the resources between may be deleted.
BASE_IMAGE = "batchimg-base"
#: The number of packages of an image and the SHA-256 of their list: ``COUNT:SHA256``.
PACKAGES = "batchimg-packages"
#: The resource id of the VM that an image was built from; it may be deleted meanwhile.
SOURCE_VM = "batchimg-source-vm"
#: On temporary resources of a capture, which are deleted after it. The value is older than the word.
TEMPORARY = "batchimg-throwaway"
#: On a running VM to which a command is sent that generalizes it and then powers it off, for the image of that hash.
DEPROVISIONING = "batchimg-deprovisioning"
#: On a VM whose system was generalized by a command in the VM, for the image of that hash.
DEPROVISIONED = "batchimg-deprovisioned"
#: On an image version that `update` made: a hash of the commands, and the id of the version that they ran on.
UPDATE, UPDATED_FROM = "batchimg-update", "batchimg-updated-from"
#: On an image version that `update` made: the hash of the image that the first of the updated versions was built as.
ROOT_IMAGE = "batchimg-root-image"
#: On a temporary VM: whether the commands of an update have begun, or are done, for the image of that hash.
COMMANDS = "batchimg-commands"
#: On a pool whose nodes were removed to change its image: how many there were, dedicated and Spot.
NODES_BEFORE = "batchimg-nodes-before"
#: On a pool: the hash of the image of which a test node was ready, before the pool is moved to it.
TESTED = "batchimg-tested"
#: On a VM that was stopped for the copy for a pool and must be started again.
STOPPED = "batchimg-stopped"


def tool_tags() -> dict[str, str]:
    """Return the tag with the name and version of this tool."""
    from importlib.metadata import version  # only needed where something is created

    return {MADE_BY: f"batchimg_magics {version('batchimg_magics')}"}


def image_tags(account: str, pool: str, image: str, revision: int = 0) -> dict[str, str]:
    """Return the ownership tags of resources of a pool's image."""
    again = {REVISION: str(revision)} if revision else {}
    return {ACCOUNT: account, POOL: pool, IMAGE: image, **again, **tool_tags()}


def combined(*sources: Mapping[str, str]) -> dict[str, str]:
    """Return tags of several sources in one; a later source replaces a tag, and Azure ignores the case of names."""
    found: dict[str, tuple[str, str]] = {}
    for source in sources:
        found |= {name.lower(): (name, value) for name, value in source.items()}
    return dict(found.values())


def owner_pool(found: Mapping[str, Any] | None) -> str | None:
    """Return the pool that a document's tags name, or None."""
    name: str | None = dig(found, "tags", POOL)
    return name


def is_tagged_for(found: Mapping[str, Any] | None, pool: str, account: str = "") -> bool:
    """Tell whether a document has the ownership tags of a pool, and of no other account than the given one."""
    of_account = str(dig(found, "tags", ACCOUNT) or account).lower() == account.lower() or not account
    return (owner_pool(found) or "").lower() == pool.lower() and of_account


def digest(facts: object) -> str:
    """Return a hash of facts as 16 hexadecimal digits; a secret is hashed by its reference."""
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def revision_of(found: Mapping[str, Any]) -> int:
    """Return the revision in a document's tags; 0 where there is none."""
    text = str(dig(found, "tags", REVISION) or 0)
    return int(text) if text.isdigit() else 0


def gallery_name(account: str) -> str:
    """Return the name of the gallery for an account's images.

    A gallery's name is unique in a subscription and has letters, digits, ``_`` and ``.``. A Batch account's name is
    unique in a region and has letters and digits.
    """
    return f"batchimg_{account}"


def legal_name(pool: str) -> str:
    """Return the name of a pool as Compute allows it for a resource: almost always the same.

    Names of pools may begin and end with hyphens and underscores. Names of image definitions, snapshots and images have
    them only in the middle. A name that changes gets a hash, so that the names of two pools stay different.
    """
    kept = pool.strip("-_")
    return pool if kept == pool else f"{kept or 'pool'}-{digest(pool.lower())[:6]}"


def snapshot_name(pool: str, image: str, lun: int | None) -> str:
    """Return the name of a disk's snapshot: at most 80 letters, digits, ``_``, ``-``."""
    return f"{legal_name(pool)}-{image[:8]}-{'os' if lun is None else f'lun{lun}'}"


def managed_image_name(pool: str, image: str) -> str:
    """Return the name of the managed image for a pool's image: at most 80 letters, digits, ``_``, ``-``."""
    return f"{legal_name(pool)}-{image[:8]}"


def temporary_name(pool: str, image: str, what: str = "") -> str:
    """Return the name of a temporary resource of a capture; it is always the same for a pool's image.

    It is also valid for a VM: at most 64 letters, digits and hyphens.
    """
    return "-".join(["batchimg", digest([pool.lower(), image]), *([what] if what else [])])
