"""How to build a locked image again where it is gone: from the snapshots, the VM, its disks, or the Marketplace image.

The ways are in the order of how near they come to the locked image. Each is a few lines to copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.lock.lock_file import packages_file_name
from batchimg_magics.core.lock.subjects import OS_DISK, locked_subjects
from batchimg_magics.pool_spec.line import magic_word, shell_word
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.lock.resources_read import ResourceReader

__all__ = ["Way", "find_ways", "way_rows"]

#: Package manager to the fields of its packages as its installer takes them, and the installer.
_INSTALLERS = {
    "dpkg": ('$2"="$3', "sudo apt-get install --yes --allow-downgrades"),
    "rpm": ('$2"-"$3', "sudo dnf install --assumeyes"),
    "pip": ('$2"=="$3', "python3 -m pip install"),
    "conda": ('$2"="$3', "conda install --yes"),
}


@dataclass(frozen=True, slots=True)
class Way:
    """A way to build an image like the locked one.

    Parameters
    ----------
    source
        What it is built from.
    commands
        Lines to copy, in order.
    missing
        What is missing for it; empty: it is possible.
    differs
        How its result may differ from the locked image.
    """

    source: str
    commands: tuple[str, ...]
    missing: str
    differs: str


def way_rows(ways: Iterable[Way]) -> list[dict[str, Any]]:
    """Return one row per line of the ways, and one per way that is not possible."""
    return [
        {
            "source": way.source,
            "possible": not way.missing,
            "missing": way.missing or None,
            "command": command,
            "differs": way.differs,
        }
        for way in ways
        for command in (way.commands if not way.missing else (None,))
    ]


async def find_ways(reader: ResourceReader, lock: Json, name: str, file: str) -> list[Way]:
    """Return the ways to build the image of a lock again, the nearest first.

    Parameters
    ----------
    reader
        Reads each resource once.
    lock, file
        The lock, and its file for commands.
    name
        The name of the pool that is created.
    """
    create = f"%batchimg create {magic_word(name)} --locked {magic_word(file)}"
    snapshots = await _missing_of(reader, lock, "snapshots")
    disks = await _missing_of(reader, lock, "disks")
    subjects = locked_subjects(lock)
    ways = [_from_snapshots(lock, create, snapshots), await _from_vm(reader, lock, create)]
    if subjects.disks and not disks:
        ways.append(_from_disks(lock, name, create))
    ways.append(_from_base(lock, name, create))
    possible = [way for way in ways if not way.missing]
    return [*possible, *(way for way in ways if way.missing)]


async def _missing_of(reader: ResourceReader, lock: Json, table: str) -> str:
    """Return which snapshots or disks of a lock are not there, or are others, as text."""
    parts = []
    for role, one in (lock.get(table) or {}).items():
        found = await reader.read(str(one["id"]))
        name = str(one["id"]).rpartition("/")[2]
        if found.reason:
            parts.append(f"{name} cannot be read ({found.reason})")
        elif found.value is None:
            parts.append(f"{name} ({role}) is gone")
        elif dig(found.value, "properties", "uniqueId") != one.get("unique_id"):
            parts.append(f"{name} ({role}) is another one of the same name")
    return ", ".join(parts)


def _from_snapshots(lock: Json, create: str, missing: str) -> Way:
    sources = dig(lock, "image", "sources") or {}
    found = {role: str(one["id"]) for role, one in (lock.get("snapshots") or {}).items()}
    if OS_DISK not in found or found.keys() != sources.keys():
        missing = missing or "the snapshots that the image was made from were deleted before the lock was made"
    return Way("snapshots", (_snapshot_line(create, found),), missing, "the disks are the same, block by block")


def _snapshot_line(create: str, ids: dict[str, str]) -> str:
    pairs = [f"{role.removeprefix('lun')}={one}" for role, one in ids.items() if role != OS_DISK]
    data = "".join(f" --data-snapshot {magic_word(pair)}" for pair in pairs)
    return f"{create} --from-snapshot {magic_word(ids.get(OS_DISK, ''))}{data} --generalized"


async def _from_vm(reader: ResourceReader, lock: Json, create: str) -> Way:
    vm = lock.get("vm") or {}
    differs = "what was installed or changed on the VM since then is in the new image"
    if not vm.get("id"):
        return Way("VM", (), "the lock does not know the VM", differs)
    found, name = await reader.read(str(vm["id"])), str(vm["id"]).rpartition("/")[2]
    missing = ""
    if found.reason:
        missing = f"VM {name} cannot be read ({found.reason})"
    elif found.value is None:
        missing = f"VM {name} is gone"
    elif dig(found.value, "properties", "vmId") != vm.get("vm_id"):
        missing = f"VM {name} is another one of the same name"
    return Way("VM", (f"{create} --from-vm {magic_word(vm['id'])}",), missing, differs)


def _from_disks(lock: Json, name: str, create: str) -> Way:
    """Return the way from the disks that are left of a VM: the OS is generalized if the image was made of them."""
    disks = {role: str(one["id"]) for role, one in lock["disks"].items()}
    group = ResourceId.parse(disks[OS_DISK]).resource_group if OS_DISK in disks else ""
    differs = "what was changed on the disks since then is in the new image"
    of_disks = {str(one.get("disk")).lower() for one in (lock.get("snapshots") or {}).values()}
    if disks.get(OS_DISK, "").lower() in of_disks:
        names = {role: f"{name}-{role}" for role in disks}
        lines = [
            f"az snapshot create --resource-group {shell_word(group)} --name {shell_word(names[role])} "
            f"--source {shell_word(one)}"
            for role, one in disks.items()
        ]
        ids = {
            role: f"{ResourceId.parse(one).group}/providers/Microsoft.Compute/snapshots/{names[role]}"
            for role, one in disks.items()
        }
        return Way("disks of the VM", (*lines, _snapshot_line(create, ids)), "", differs)
    system = "windows" if "windows" in str(dig(lock, "definition", "properties", "osType")).lower() else "linux"
    data = [one for role, one in disks.items() if role != OS_DISK]
    attached = f" --attach-data-disks {' '.join(map(shell_word, data))}" if data else ""
    line = (
        f"az vm create --resource-group {shell_word(group)} --name {shell_word(f'{name}-vm')} "
        f"--attach-os-disk {shell_word(disks.get(OS_DISK))} "
        f"--os-type {system}{attached}"
    )
    missing = "" if OS_DISK in disks else "the lock does not know the OS disk"
    return Way("disks of the VM", (line, f"{create} --from-vm {magic_word(f'{name}-vm')}"), missing, differs)


def _from_base(lock: Json, name: str, create: str) -> Way:
    base = lock.get("base_image") or {}
    differs = "only the packages of the list are the same: configuration and data are not in it"
    if not base.get("publisher"):
        return Way("Marketplace image", (), "the lock does not know the Marketplace image", differs)
    urn = ":".join(str(base.get(key) or "latest") for key in ("publisher", "offer", "sku", "version"))
    group = ResourceId.parse(lock["pool"]["id"]).resource_group
    packages = lock.get("packages") or {}
    file = str(packages.get("file") or packages_file_name(str(lock["pool"]["name"])))
    install = [
        f"awk -F'\\t' '$1==\"{manager}\" {{print {fields}}}' {shell_word(file)} | xargs {installer}"
        for manager, (fields, installer) in _INSTALLERS.items()
        if manager in (packages.get("managers") or ())
    ]
    vm = f"{name}-vm"
    made = f"az vm create --resource-group {shell_word(group)} --name {shell_word(vm)} --image {shell_word(urn)}"
    return Way("Marketplace image", (made, *install, f"{create} --from-vm {magic_word(vm)}"), "", differs)
