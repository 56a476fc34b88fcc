"""The constraints of the bodies of Microsoft.Compute: members, words, ranges, lengths, patterns.

Source: Microsoft's OpenAPI documents of Microsoft.Compute (2023-10-02 disks, 2023-07-03 galleries, 2024-03-01 VMs and
images), and the models and texts of azure-mgmt-compute, which has later api-versions. The table has the members of all
of them, so that none is refused that one api-version has.
"""

from __future__ import annotations

import functools
from importlib import resources
from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.arm.body_shapes import Shapes, Voice
from batchimg_magics.emulator.compute.model import references

if TYPE_CHECKING:
    from batchimg_magics.emulator.arm.resource_types import CheckBody

_VM = Voice(converts=True)
#: Resource type -> the object type of its bodies, that of a PATCH, and how to refuse.
_BODIES = {
    "microsoft.compute/disks": ("Disk", "DiskUpdate", Voice("disk")),
    "microsoft.compute/snapshots": ("Snapshot", "SnapshotUpdate", Voice("snapshot")),
    "microsoft.compute/images": ("Image", "ImageUpdate", Voice("image")),
    "microsoft.compute/galleries": ("Gallery", "GalleryUpdate", Voice("gallery", skips_properties=False)),
    "microsoft.compute/galleries/images": (
        "GalleryImage",
        "GalleryImageUpdate",
        Voice("galleryImage", skips_properties=False),
    ),
    "microsoft.compute/galleries/images/versions": (
        "GalleryImageVersion",
        "GalleryImageVersionUpdate",
        Voice("galleryImageVersion", skips_properties=False),
    ),
    "microsoft.compute/virtualmachines": ("VirtualMachine", "VirtualMachineUpdate", _VM),
    "microsoft.compute/virtualmachines/runcommands": (
        "VirtualMachineRunCommand",
        "VirtualMachineRunCommandUpdate",
        _VM,
    ),
}
_ZONAL = frozenset({"microsoft.compute/disks", "microsoft.compute/virtualmachines"})


@functools.cache
def shapes() -> Shapes:
    """Return the shapes of all bodies."""
    text = resources.files("batchimg_magics.emulator.catalog").joinpath("data/compute_bodies.json").read_bytes()
    return Shapes(msgspec.json.decode(text, type=dict[str, dict[str, str]]))


def check_of(kind: str) -> CheckBody:
    """Return the check of the bodies of a resource type."""
    whole, part, voice = _BODIES[kind.lower()]

    def check(body: dict[str, Any], *, patched: bool) -> dict[str, Any]:
        if not patched:
            word = kind.rpartition("/")[2]
            references.check_zones(word, body.get("zones"), str(body.get("location")), zonal=kind.lower() in _ZONAL)
        return shapes().settle(body, part if patched else whole, voice, partial=patched)

    return check


def check_action(body: object, kind: str, root: str = "") -> dict[str, Any]:
    """Return the body of an action in Azure's spelling, or refuse it."""
    return shapes().settle(body if isinstance(body, dict) else {}, kind, Voice(root))
