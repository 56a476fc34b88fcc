"""What is on an OS disk: its packages and the files that scripts wrote, and how both are stored.

The text of a file is stored once, by its SHA-256: disks, snapshots, images and versions have its digest only.
"""

from __future__ import annotations

import hashlib
import itertools
from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.catalog.package_lists import list_of_image
from batchimg_magics.emulator.compute.guest.files import is_kept
from batchimg_magics.emulator.compute.guest.packages import PackageSet
from batchimg_magics.emulator.http import scenarios
from batchimg_magics.emulator.world.store import Item

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batchimg_magics.emulator.compute.guest.system import GuestChange
    from batchimg_magics.emulator.world.store import Store

FILES = "guestfiles"


def list_of_disk(properties: dict[str, Any]) -> str:
    """Return the name of the list of packages of a disk that does not store one, by the image it was made from."""
    reference = (properties.get("creationData") or {}).get("imageReference") or {}
    parts = str(reference.get("id") or "").strip("/").split("/")
    named = {word.lower(): name for word, name in itertools.pairwise(parts)}
    return list_of_image(named.get("offers", ""), named.get("skus", ""), str(properties.get("osType") or "Linux"))


def packages_of(store: Store, guest: dict[str, Any], default: str) -> PackageSet:
    """Return the packages of hidden facts; the scenario may break a manager."""
    found = PackageSet.of_facts(guest.get("packages") or {}, default)
    found.failing = found.broken | frozenset(scenarios.current(store).broken_managers)
    return found


def files_of(store: Store, guest: dict[str, Any]) -> dict[str, str]:
    """Return the files of hidden facts: path -> text."""
    found = {}
    for path, digest in (guest.get("files") or {}).items():
        item = store.get(f"/{FILES}/{digest}") if digest else None
        found[path] = str(item.doc["text"]) if item is not None else ""
    return found


def stored(store: Store, changes: Iterable[GuestChange]) -> list[GuestChange]:
    """Store the texts that scripts wrote, and return their changes with digests; what does not last is left out."""
    found = []
    for one in changes:
        facts = dict(one.facts)
        if "files" in facts:
            kept = {path: text for path, text in facts["files"].items() if is_kept(path)}
            facts["files"] = {path: None if text is None else _digest(store, text) for path, text in kept.items()}
            if not facts["files"]:
                facts.pop("files")
        if facts or one.stops:
            found.append(msgspec.structs.replace(one, facts=facts))
    return found


def _digest(store: Store, text: str) -> str:
    """Store a text, and return its digest; empty for an empty text, e.g. of a folder."""
    if not text:
        return ""
    digest = hashlib.sha256(text.encode()).hexdigest()
    key = f"/{FILES}/{digest}"
    if store.get(key) is None:
        store.put(Item(key, FILES, {"text": text}))
    return digest
