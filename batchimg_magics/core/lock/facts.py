"""The facts of a lock, from the documents of its subjects: each function returns one table of the lock."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import api_versions
from batchimg_magics.core.azure.documents import dig, parse_time, region_key, without_empty
from batchimg_magics.core.lock.subjects import image_sources, vm_disks
from batchimg_magics.pool_spec.tags import EXPIRES_TAG, RESERVED_PREFIX

if TYPE_CHECKING:
    from batchimg_magics.core.azure.documents import Json

__all__ = [
    "NO_END",
    "definition_facts",
    "disk_facts",
    "end_text",
    "gallery_facts",
    "image_facts",
    "own_tags",
    "pool_facts",
    "snapshot_facts",
    "time_text",
    "tool_facts",
    "version_key",
    "vm_facts",
]

#: The value of an end where none is announced.
NO_END = "none announced"
#: The packages whose versions decide what is sent.
_SDKS = ("azure-batch", "azure-mgmt-batch", "azure-mgmt-compute")
#: Properties of a definition that are no settings, or are another fact of the lock.
_OF_DEFINITION = ("provisioningState", "endOfLifeDate")


def tool_facts() -> Json:
    """Return the tables of the tool, the SDKs and the api-versions."""
    from importlib.metadata import version  # only a lock needs it

    kinds = {
        "virtual_machines": "virtualMachines",
        "disks": "disks",
        "snapshots": "snapshots",
        "galleries": "galleries",
    }
    of_compute = {
        name: api_versions.api_version(f"/providers/Microsoft.Compute/{kind}") for name, kind in kinds.items()
    }
    return {
        "tool": {"name": "batchimg_magics", "version": version("batchimg_magics")},
        "sdk": {name: version(name) for name in _SDKS},
        "api_versions": {"batch": api_versions.BATCH, **of_compute},
    }


def time_text(value: object) -> str | None:
    """Return a time of Azure in UTC, with its fraction of a second where it has one; None for none."""
    if not value:
        return None
    moment = parse_time(str(value)).astimezone(dt.UTC)
    return moment.isoformat().replace("+00:00", "Z")


def end_text(value: object) -> str:
    """Return the day on which something ends."""
    return (time_text(value) or NO_END)[:10] if value else NO_END


def own_tags(document: Json) -> dict[str, str]:
    """Return the ownership tags of a resource, or of a pool in its metadata, without the time of its expiry."""
    pairs = {str(one.get("name")): one.get("value") for one in dig(document, "properties", "metadata") or []}
    found = {**(document.get("tags") or {}), **pairs}
    kept = {str(name): str(value) for name, value in found.items() if str(name).lower().startswith(RESERVED_PREFIX)}
    return {name: value for name, value in sorted(kept.items()) if name != EXPIRES_TAG}


def pool_facts(pool: Json) -> Json:
    """Return the table of a pool, without its settings."""
    return without_empty(
        {
            "name": str(pool["name"]),
            "id": str(pool["id"]),
            "created": time_text(dig(pool, "properties", "creationTime")),
            "tags": own_tags(pool),
        }
    )


def image_facts(image: Json) -> Json:
    """Return the table of a gallery image version or a managed image."""
    props, is_version = image["properties"], "/versions/" in image["id"].lower()
    profile = props.get("publishingProfile") or {}
    replicas = {
        region_key(one["name"]): one.get("regionalReplicaCount", 1) for one in profile.get("targetRegions") or []
    }
    found = {
        "id": str(image["id"]),
        "kind": "gallery image version" if is_version else "managed image",
        "region": region_key(str(image["location"])),
        "published": time_text(profile.get("publishedDate")),
        "state": props.get("provisioningState"),
        "exclude_from_latest": bool(profile.get("excludeFromLatest")) if is_version else None,
        "end_of_life": end_text(profile.get("endOfLifeDate")) if is_version else None,
        "generation": None if is_version else props.get("hyperVGeneration"),
        "replicas": dict(sorted(replicas.items())),
        "sources": image_sources(image),
        "tags": own_tags(image),
    }
    return without_empty(found)


def definition_facts(definition: Json) -> Json:
    """Return the table of an image definition, with its properties as Azure names them."""
    props = {key: value for key, value in definition["properties"].items() if key not in _OF_DEFINITION}
    if features := props.get("features"):
        props["features"] = sorted(features, key=lambda one: str(one.get("name")))
    return {"id": str(definition["id"]), "properties": _plain(dict(sorted(props.items())))}


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return JSON without missing values, which TOML does not have."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items() if one is not None}
    return [_plain(one) for one in value if one is not None] if isinstance(value, list) else value


def gallery_facts(gallery: Json) -> Json:
    """Return the table of a gallery."""
    name = dig(gallery, "properties", "identifier", "uniqueName")
    return without_empty({"id": str(gallery["id"]), "unique_name": name})


def disk_facts(disk: Json) -> Json:
    """Return the table of a disk."""
    props = disk["properties"]
    return without_empty(
        {
            "id": str(disk["id"]),
            "unique_id": props.get("uniqueId"),
            "created": time_text(props.get("timeCreated")),
            "size_gib": props.get("diskSizeGB"),
        }
    )


def snapshot_facts(snapshot: Json) -> Json:
    """Return the table of a snapshot, with the disk that it was taken of."""
    source = dig(snapshot, "properties", "creationData") or {}
    of_disk = {"disk": source.get("sourceResourceId"), "disk_unique_id": source.get("sourceUniqueId")}
    return {**disk_facts(snapshot), **without_empty(of_disk)}


def vm_facts(vm: Json) -> Json:
    """Return the table of a VM: which one it is, and its disks."""
    props = vm["properties"]
    return without_empty(
        {
            "id": str(vm["id"]),
            "vm_id": props.get("vmId"),
            "created": time_text(props.get("timeCreated")),
            "disks": vm_disks(vm),
        }
    )


def version_key(text: str) -> tuple[int, ...]:
    """Return a key that orders the numbers of versions."""
    return tuple(int(part) if part.isdigit() else 0 for part in text.split("."))
