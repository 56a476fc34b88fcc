"""The one list of what a lock has: where each fact is, how it is compared, what a difference means, what to do."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from batchimg_magics.core.lock import comparisons
from batchimg_magics.core.lock.comparisons import Comparison, Verdict
from batchimg_magics.core.lock.lock_file import expand

if TYPE_CHECKING:
    from batchimg_magics.core.azure.documents import Json

__all__ = ["FIELDS", "Field", "field_values", "find_field"]

#: Compares the locked value with the one that was found.
Compare: TypeAlias = Callable[[Comparison], Verdict]


@dataclass(frozen=True, slots=True)
class Field:
    """One fact of a lock, or a group of facts with names of their own.

    Parameters
    ----------
    path
        Where it is: names of tables and keys with dots between them. ``*``: any name.
    about
        What it is, in a few words.
    compare
        Compares it.
    meaning, advice
        What a difference means, and what to do about it. ``{name}``, ``{pool}`` and ``{file}`` are replaced.
    keys
        The keys of a table that are compared as one fact; empty: the whole value.
    of
        The path of the subject that it is a fact of: where that is gone or not readable, it is not compared.
    """

    path: str
    about: str
    compare: Compare
    meaning: str = ""
    advice: str = ""
    keys: tuple[str, ...] = ()
    of: str = ""

    @property
    def is_subject(self) -> bool:
        """Whether it is what others are facts of: its row tells that it is gone."""
        return bool(self.keys)


_REBUILD = "`%batchimg create --locked {file}` says how to build it again"
_LOCK_AGAIN = "if it is wanted: `%batchimg lock {pool}` writes a new lock"
_SAME_IMAGE = "the pool's image is a full copy and stays as it is; to build it again would give another image"
_PRICE = Field(
    "prices.*", "list price in USD an hour", comparisons.price, "the pool costs another sum now",
    "`%batchimg estimate {pool}` calculates with present prices",
)  # fmt: skip


def _end(path: str, about: str, meaning: str, advice: str) -> Field:
    return Field(f"ends.{path}", about, comparisons.end, meaning, advice)


#: In the order of the rows.
FIELDS: tuple[Field, ...] = (
    Field("tool.version", "version of batchimg_magics", comparisons.version, "another version wrote the lock"),
    Field("sdk.*", "version of an Azure SDK", comparisons.version, "another version wrote the lock"),
    Field(
        "api_versions.*", "api-version that requests have", comparisons.version,
        "requests have another api-version now; the documents of Azure may look different",
    ),
    Field(
        "pool", "the pool", comparisons.identity, "it was deleted, or deleted and created again",
        "`%batchimg create --locked {file}` creates it", keys=("id", "created"),
    ),
    Field(
        "pool.tags", "ownership tags of the pool", comparisons.ownership,
        "without them, this tool does not change or delete the pool; another hash: it was created from another spec",
        "set them again, or " + _LOCK_AGAIN, of="pool",
    ),
    Field(
        "pool.spec_hash", "sha256 of [spec]", comparisons.spec_hash, "[spec] of the lock file was edited",
        "take the file from version control, or " + _LOCK_AGAIN,
    ),
    Field(
        "node.vm_size", "VM size of the nodes", comparisons.offered, "Batch does not offer it in the account's region",
        "use another one: `%batchimg create NAME --from-version {image} --vm-size SIZE`",
    ),
    Field(
        "node.account", "Batch account", comparisons.same, "this connection is to another account",
        "connect to the locked account; `create --locked` would create the pool in this one",
    ),
    Field(
        "node.region", "region of the Batch account", comparisons.same,
        "the account of this connection is in another region, where the image needs a replica",
        "connect to an account in the locked region, or add a replica of the image there",
    ),
    Field(
        "node.pool_allocation_mode", "who owns the VMs of the nodes", comparisons.same,
        "other quotas count, and nodes are billed elsewhere", "connect to an account with the locked mode",
    ),
    Field(
        "node.node_agent_sku", "node agent SKU", comparisons.offered, "Batch does not list it any more",
        "prepare a VM with a newer operating system, and create a pool from it",
    ),
    Field(
        "node.node_agent_version", "version of the node agent, as nodes report it", comparisons.version,
        "Azure updates the agent of new nodes; the image does not have it", of="pool",
    ),
    Field(
        "quota", "core quotas of the account for the locked nodes", comparisons.quota,
        "not all of the locked nodes can be allocated beside those of other pools",
        "request a higher quota of the Batch account in the portal, or free cores: `%batchimg pools` has the others",
    ),
    Field("spec.nodes", "number of dedicated nodes", comparisons.count, of="pool"),
    Field("spec.spot", "number of Spot nodes", comparisons.count, of="pool"),
    Field(
        "spec.from_version", "image of the nodes", comparisons.same_id, "the pool has another image now",
        _LOCK_AGAIN, of="pool",
    ),
    Field(
        "spec.*", "setting of the pool", comparisons.same, "the pool was changed outside of this lock",
        "`%batchimg create --locked {file}` names what differs; " + _LOCK_AGAIN, of="pool",
    ),
    Field(
        "image", "the image", comparisons.identity, "it was deleted, or deleted and created again",
        _REBUILD, keys=("id", "published"),
    ),
    Field(
        "image.state", "provisioning state of the image", comparisons.same, "new nodes may not be possible",
        "`%batchimg images` has its state", of="image",
    ),
    Field("image.region", "region of the image", comparisons.same, "it is another image", _REBUILD, of="image"),
    Field(
        "image.exclude_from_latest", "whether `latest` leaves it out", comparisons.same,
        "pools that ask for the latest version get another one; this pool pins its version", of="image",
    ),
    Field("image.generation", "generation of the image", comparisons.same, "it is another image", _REBUILD, of="image"),
    Field(
        "image.replicas.*", "number of replicas in a region", comparisons.replicas,
        "new nodes need a replica in the region of the account, one for about 300 nodes",
        "add it again, for example with `%batchimg create {pool} ... --replicas {name}=N`", of="image",
    ),
    Field(
        "image.sources", "what the image was made from", comparisons.entries, "it is another image", _REBUILD,
        of="image",
    ),
    Field(
        "image.tags", "ownership tags of the image", comparisons.entries,
        "without them, `create` does not find the image again, and this tool does not delete it",
        "set them again", of="image",
    ),
    Field(
        "definition", "the image definition", comparisons.identity, "the image is gone with it", _REBUILD, keys=("id",)
    ),
    Field(
        "definition.properties", "properties of the image definition", comparisons.entries,
        "somebody changed the definition; versions that exist stay as they are", of="definition",
    ),
    Field("gallery", "the gallery", comparisons.identity, "all its images are gone with it", _REBUILD, keys=("id",)),
    Field(
        "packages", "the packages in the image", comparisons.packages,
        "another list of packages is in the image that has this number", "`%batchimg diff` of the two shows them all",
        keys=("sha256", "count"),
    ),
    Field(
        "packages.file", "file with the list of packages, beside the lock file", comparisons.packages_file,
        "the list of the locked packages is lost, or is another one", "take the file from version control",
    ),
    Field(
        "snapshots.*", "snapshot that the image was made from", comparisons.identity, _SAME_IMAGE,
        keys=("id", "unique_id", "created"),
    ),
    Field(
        "disks.*", "disk of the VM", comparisons.identity, _SAME_IMAGE, keys=("id", "unique_id", "created"),
    ),
    Field("vm", "the VM", comparisons.identity, _SAME_IMAGE, keys=("id", "vm_id")),
    Field(
        "vm.disks", "disks of the VM", comparisons.entries, "another disk is attached; " + _SAME_IMAGE, of="vm"
    ),
    Field(
        "base_image", "Marketplace image of the VM", comparisons.base_image,
        "a VM that is created now gets another version", "", keys=("publisher", "offer", "sku", "version"),
    ),
    Field("prices.as_of", "date of the prices", comparisons.untold),
    _PRICE,
    _end("image", "end of life of the image version", "a date that its owner set; Azure deletes nothing by itself",
         "build a new image before, for example from the VM"),
    _end("image_definition", "end of life of the image definition", "a date that its owner set",
         "build a new image before, in another gallery"),
    _end("node_agent", "end of Batch's support of the node agent SKU", "after it, no new pools and no fixes",
         "prepare a VM with a newer operating system before"),
    _end("vm_size", "retirement of the VM size", "after it, Azure deallocates such VMs and makes no new ones",
         "try another size before: `%batchimg create NAME --from-version {image} --vm-size SIZE`"),
    _end("api_version", "retirement of the Batch api-version", "after it, requests of this version are refused",
         "update batchimg_magics before"),
    _end("base_image", "when the publisher takes the Marketplace version away",
         "after it, no VM can be created from this version; the pool's image stays",
         "keep the snapshots, or prepare a VM from a newer version"),
    _end("base_image_in_batch", "end of Batch's support of the Marketplace image", "after it, Batch does not test it",
         "prepare a VM with a newer operating system before"),
)  # fmt: skip


@functools.lru_cache(maxsize=2048)
def find_field(path: str) -> Field | None:
    """Return the field of a path; None: it is compared with another one, or not at all."""
    return next((one for one in FIELDS if _matches(one, path)), None)


def _matches(field: Field, path: str) -> bool:
    wanted, words = field.path.split("."), path.split(".", field.path.count("."))
    return len(wanted) == len(words) and all(one in ("*", word) for one, word in zip(wanted, words, strict=True))


def field_values(document: Json) -> dict[str, Any]:
    """Return the facts of a lock by path, in the order of the list."""
    found: dict[str, Any] = {}
    for field in FIELDS:
        for path, value in expand(document, field.path.split(".")):
            if path not in found and find_field(path) is field:
                found[path] = {key: value.get(key) for key in field.keys} if field.keys else value
    return found
