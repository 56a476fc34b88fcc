"""The sources of a gallery image version: disks and snapshots, or one image, VM or version; and their checks.

Source: the gallery documents; refusals in Azure's words where issue threads quote them (azure-cli #24972,
packer-plugin-azure #304).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm import bodies, resource_types, resources
from batchimg_magics.emulator.arm.permissions import require_linked
from batchimg_magics.emulator.catalog import regions
from batchimg_magics.emulator.catalog.disk_skus import DEFAULT_DISK_GIB
from batchimg_magics.emulator.compute.model import disk_sources, lineage, references
from batchimg_magics.emulator.compute.model.changes import first_difference, not_allowed
from batchimg_magics.emulator.compute.model.galleries import VERSIONS, security_type
from batchimg_magics.emulator.http.messages import Call, Refusal
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.world.store import Item

IMAGES = "microsoft.compute/images"
#: The types of a single source of a version.
_WHOLE = frozenset({IMAGES, lineage.VIRTUAL_MACHINES, VERSIONS.lower()})
#: The types of a source for each disk; a storage account is that of a blob.
_SINGLE = frozenset({"microsoft.compute/disks", "microsoft.compute/snapshots"})
_ACCOUNTS = "/providers/microsoft.storage/storageaccounts/"
evidence = Evidence("Sources of gallery image versions")
evidence.rule(
    "A specialized definition whose security type ends with Supported takes disks and snapshots; others take none.",
    "a recording of 2023 has a specialized one; for the others Azure's refusal is quoted (packer-plugin-azure #304)",
)
_STORAGE = "galleryImageVersion.properties.storageProfile"


def check_new_sources(
    call: Call, asked: dict[str, Any], definition: Item
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Check the sources of a new version.

    Parameters
    ----------
    call, asked, definition
        The request, its storage profile, and the image definition of the version.

    Returns
    -------
    tuple
        The facts about the sources, and the storage profile at first and in the end.
    """
    origin = _whole_id(asked)
    if origin and (asked.get("osDiskImage") or asked.get("dataDiskImages")):
        raise bodies.invalid(f"{_STORAGE}.source", "A version has either one source, or one for each of its disks.")
    if origin:
        return _from_whole(call, asked, origin, definition)
    disks = _disks(asked)
    if not disks or not asked.get("osDiskImage"):
        raise bodies.missing(f"{_STORAGE}.osDiskImage")
    _check_luns(disks[1:])
    origins = [_single(call, disk) for disk in disks]
    first = _with_disks(asked, [_cached(disk) for disk in disks])
    sizes = [
        int(one.doc["properties"].get("diskSizeGB") or DEFAULT_DISK_GIB) if one else DEFAULT_DISK_GIB for one in origins
    ]
    final = _with_disks(first, [{"sizeInGB": gib} | disk for gib, disk in zip(sizes, _disks(first), strict=True)])
    system = origins[0]
    if system is not None:
        _refuse_incompatible(call, system, definition)
    # The contents of a blob are not known, so its owner's statement decides.
    known = {"deprovisioned": True} if system is None else lineage.system_facts(call.store, call.now, system)
    return known | {"roots": [one.key for one in origins if one is not None]}, first, final


def check_same_sources(old: Item, asked: dict[str, Any]) -> dict[str, Any]:
    """Refuse to change the sources of a version; return its storage profile."""
    kept: dict[str, Any] = old.doc["properties"]["storageProfile"]
    wanted = _ids(asked)
    if wanted and wanted != _ids(kept):
        raise not_allowed(f"{_STORAGE}.source")
    if (path := first_difference(asked, kept)) is not None:
        raise not_allowed(f"{_STORAGE}.{path}".rstrip("."))
    return kept


# -- the body ---------------------------------------------------------------------------------------------------


def _whole_id(storage: dict[str, Any]) -> str:
    source = bodies.part(storage.get("source"), f"{_STORAGE}.source")
    return str(source.get("id") or source.get("virtualMachineId") or "")


def _disks(storage: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the disks of a storage profile, the OS disk first."""
    os_disk = [bodies.part(storage["osDiskImage"], f"{_STORAGE}.osDiskImage")] if storage.get("osDiskImage") else []
    return os_disk + bodies.parts(storage.get("dataDiskImages"), f"{_STORAGE}.dataDiskImages")


def _ids(storage: dict[str, Any]) -> list[str]:
    if origin := _whole_id(storage):
        return [origin.lower()]
    named = [bodies.part(disk.get("source"), f"{_STORAGE}.source").get("id") for disk in _disks(storage)]
    return [str(key).lower() for key in named if key]


def _with_disks(storage: dict[str, Any], disks: list[dict[str, Any]]) -> dict[str, Any]:
    return storage | {"osDiskImage": disks[0]} | ({"dataDiskImages": disks[1:]} if disks[1:] else {})


def _cached(disk: dict[str, Any]) -> dict[str, Any]:
    """Return a disk with the caching that Azure sets (recorded); data disks have a LUN."""
    return {"hostCaching": "ReadOnly" if "lun" in disk else "ReadWrite"} | disk


def _check_luns(data: list[dict[str, Any]]) -> None:
    luns = [bodies.whole(disk.get("lun"), "dataDiskImages.lun") for disk in data]
    if len(set(luns)) < len(luns):
        raise bodies.invalid("dataDiskImages.lun", "Every data disk of a version has to have its own LUN.")


# -- sources -----------------------------------------------------------------------------------------------------


def _single(call: Call, disk: dict[str, Any]) -> Item | None:
    """Return the disk or snapshot that is the source of a disk, None for a blob."""
    source = bodies.part(disk.get("source"), f"{_STORAGE}.source")
    key = str(source.get("id") or "")
    if source.get("uri") and not key and not source.get("storageAccountId"):
        raise bodies.missing(f"{_STORAGE}.source.storageAccountId")
    if source.get("uri") or source.get("storageAccountId") or _ACCOUNTS in key.lower():
        account = str(source.get("storageAccountId") or "") or key
        if account:
            require_linked(call, (account, "Microsoft.Storage/storageAccounts/listKeys/action"))
        return None
    if not key:
        raise bodies.missing(f"{_STORAGE}.source.id")
    references.need_linked_subscription(call, key)
    origin = resource_types.need_source(call, key, f"{_STORAGE}.source.id")
    if origin.kind not in _SINGLE:
        raise bodies.invalid(f"{_STORAGE}.source.id", f"The source '{key}' is neither a disk nor a snapshot.")
    require_linked(call, (key, f"{origin.doc['type']}/write"))
    _refuse_unready(call, origin)
    return origin


def _from_whole(
    call: Call, asked: dict[str, Any], key: str, definition: Item
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    references.need_linked_subscription(call, key)
    origin = resource_types.need_source(call, key, f"{_STORAGE}.source.id")
    if origin.kind not in _WHOLE:
        raise bodies.invalid(
            f"{_STORAGE}.source.id", f"The source '{key}' is neither an image, nor a VM, nor an image version."
        )
    _refuse_unready(call, origin)
    _refuse_incompatible(call, origin, definition)
    known = lineage.system_facts(call.store, call.now, origin)
    return known | {"roots": [origin.key]}, asked, asked | _disks_of(call, origin)


def _disks_of(call: Call, origin: Item) -> dict[str, Any]:
    """Return the disks that a version shows if its source is an image, a VM or another version."""
    profile = origin.doc["properties"].get("storageProfile") or {}
    if origin.kind == VERSIONS.lower():
        return {name: profile[name] for name in ("osDiskImage", "dataDiskImages") if name in profile}
    os_disk = profile.get("osDisk") or {}
    shown: dict[str, Any] = {"osDiskImage": _disk_of(call, os_disk) | {"source": {}}}
    if data := [{"lun": one["lun"]} | _disk_of(call, one) for one in profile.get("dataDisks") or []]:
        shown["dataDiskImages"] = data
    return shown


def _disk_of(call: Call, disk: dict[str, Any]) -> dict[str, Any]:
    managed = call.store.get(str((disk.get("managedDisk") or {}).get("id", "")))
    known = managed.doc["properties"].get("diskSizeGB") if managed is not None else None
    return {"sizeInGB": disk.get("diskSizeGB") or known or DEFAULT_DISK_GIB, "hostCaching": disk.get("caching", "None")}


# -- refusals ----------------------------------------------------------------------------------------------------


def _refuse_unready(call: Call, origin: Item) -> None:
    name = origin.doc["name"]
    if (state := resources.current_operation(origin, call.now)) and origin.kind != lineage.VIRTUAL_MACHINES:
        message = f"The source '{name}' of the gallery image version is not ready: its state is '{state}'."
        raise Refusal(409, "OperationNotAllowed", message)
    if disk_sources.copy_percent(origin, call.now) < 100:
        message = f"The source '{name}' of the gallery image version has not been copied completely yet."
        raise Refusal(409, "OperationNotAllowed", message)
    if regions.region_name(origin.doc["location"]) != regions.region_name(call.body["location"]):
        message = (
            f"The source '{name}' of the gallery image version is in {origin.doc['location']}, and has to be in the "
            f"version's region, {call.body['location']}."
        )
        raise bodies.invalid("location", message)


def _refuse_incompatible(call: Call, origin: Item, definition: Item) -> None:
    """Refuse a source that does not match the image definition."""
    wanted = definition.doc["properties"]
    if origin.kind == lineage.VIRTUAL_MACHINES and wanted["osState"] == "Generalized":
        lineage.refuse_encrypted(call.store, origin)
    machine = origin.kind == lineage.VIRTUAL_MACHINES
    if machine and bool(origin.hidden.get("generalized")) != (wanted["osState"] == "Generalized"):
        state = "Generalized" if origin.hidden.get("generalized") else "Specialized"
        raise _mismatch(origin, "OS state", state, wanted["osState"])
    takes = security_type(wanted)
    if takes.endswith("Supported") and (machine or (origin.kind in _SINGLE and wanted["osState"] == "Generalized")):
        message = (
            f"The security type '{takes}' is not supported for the source id '{origin.doc['id']}'. Currently only Vhd "
            f"Blob, User Image and Gallery Image Version sources are supported for '{takes}' images."
        )
        raise bodies.invalid(f"{_STORAGE}.source.id", message)
    security = lineage.required_security_type(origin) or "Standard"
    disk = origin.kind in _SINGLE and origin.doc["properties"].get("osType")
    if security != takes and (security != "Standard" or disk):
        raise _mismatch(origin, "security type", security, takes)
    for what, found, asked in _compared_facts(call, origin, wanted):
        if found and str(found).lower() != str(asked).lower():
            raise _mismatch(origin, what, found, asked)


def _compared_facts(call: Call, origin: Item, wanted: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """Return (property, value, expected value) of the operating system of a source; a disk without one has none."""
    facts = origin.doc["properties"]
    os_disk = (facts.get("storageProfile") or {}).get("osDisk") or {}
    disk = call.store.get(str((os_disk.get("managedDisk") or {}).get("id", "")))
    beneath = disk.doc["properties"] if disk is not None and origin.kind == lineage.VIRTUAL_MACHINES else {}
    system = facts.get("osType") or os_disk.get("osType")
    if not system:
        return []
    known = beneath | facts
    return [
        ("OS type", system, wanted["osType"]),
        ("Hypervisor generation", known.get("hyperVGeneration"), wanted["hyperVGeneration"]),
        (
            "architecture",
            (known.get("supportedCapabilities") or {}).get("architecture"),
            wanted.get("architecture", "x64"),
        ),
    ]


def _mismatch(origin: Item, what: str, found: object, wanted: object) -> Refusal:
    message = (
        f"The resource with id '{origin.doc['id']}' has a different {what} ['{found}'] than the parent gallery image "
        f"{what} ['{wanted}']."
    )
    return Refusal(400, "BadRequest", message)
