"""Managed images: of a generalized VM, or of disks, snapshots and blobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.sim import arm, compute
from batchimg_magics.sim.compute import Built, Kind
from batchimg_magics.sim.wire import Call, Refusal, Routes

if TYPE_CHECKING:
    from batchimg_magics.sim.world import Item

IMAGES = "Microsoft.Compute/images"
#: Since this api-version an image has to say its generation where no source tells it. Source: errors recorded.
_MUST_SAY_GENERATION = "2019-03-01"
#: Of a disk whose size nothing tells.
_SIZE_GIB = 30

routes = Routes("arm")


def _build(call: Call, old: Item | None) -> Built:
    asked = call.body["properties"]
    if old is not None:
        return _changed(old, asked)
    if vm := compute.part(asked.get("sourceVirtualMachine"), "sourceVirtualMachine").get("id"):
        storage, roots = _of_vm(call, compute.source(call, vm, "sourceVirtualMachine"))
    else:
        storage, roots = _of_disks(call, compute.part(asked.get("storageProfile"), "storageProfile"))
    _refuse_trusted(roots)
    told = next((one for root in roots if (one := root.doc["properties"].get("hyperVGeneration"))), None)
    generation = asked.get("hyperVGeneration") or told
    if generation is None and call.api_version >= _MUST_SAY_GENERATION:
        raise compute.missing("hyperVGeneration")
    final = asked | {"storageProfile": storage, "hyperVGeneration": generation or "V1"}
    system = next((root for root in roots if "deprovisioned" in root.hidden), None)
    # Nobody knows what is in a blob, or on a disk from elsewhere: their owner's word is taken.
    deprovisioned = True if system is None else bool(system.hidden["deprovisioned"])
    # The VM may go; the disks and snapshots under the image may not. Source: FACTS 1.4.
    under = [root.key for root in roots if root.kind != "microsoft.compute/virtualmachines"]
    return Built(final, {"deprovisioned": deprovisioned, "roots": under})


def _changed(old: Item, asked: dict[str, Any]) -> Built:
    """Judge a change: what an image is made of stays."""
    source = compute.part(asked.get("sourceVirtualMachine"), "sourceVirtualMachine").get("id")
    was = (old.doc["properties"].get("sourceVirtualMachine") or {}).get("id")
    if source is not None and str(source).lower() != str(was).lower():
        message = "Changing property 'sourceVirtualMachine' is not allowed."
        raise Refusal(409, "PropertyChangeNotAllowed", message, target="sourceVirtualMachine")
    kept = {name: one for name, one in old.doc["properties"].items() if name != "provisioningState"}
    return Built(kept, {name: fact for name, fact in old.hidden.items() if name != "work"})


def _of_vm(call: Call, vm: Item) -> tuple[dict[str, Any], list[Item]]:
    """Return the storage profile of an image of a VM, and what lies under it."""
    if not vm.hidden.get("generalized"):
        message = (
            f"The operation requires VM '{vm.doc['name']}' to be Generalized. "
            "Please use the generalize operation on the VM before an image is made of it."
        )
        raise Refusal(409, "OperationNotAllowed", message)
    profile = vm.doc["properties"]["storageProfile"]
    disks = [profile["osDisk"], *(profile.get("dataDisks") or [])]
    sources = [call.world.get((disk.get("managedDisk") or {}).get("id", "")) for disk in disks]
    shown = [_of_attached(disk, source) for disk, source in zip(disks, sources, strict=True)]
    system = {"osType": profile["osDisk"].get("osType", "Linux"), "osState": "Generalized"}
    data = [{"lun": disk["lun"], **one} for disk, one in zip(disks[1:], shown[1:], strict=True)]
    return {"osDisk": system | shown[0], "dataDisks": data}, [vm, *(one for one in sources if one is not None)]


def _of_attached(disk: dict[str, Any], source: Item | None) -> dict[str, Any]:
    """Return what an image says of a VM's disk."""
    caching = disk.get("caching", "None")
    if "vhd" in disk:
        size = disk.get("diskSizeGB", _SIZE_GIB)
        blob = {"blobUri": disk["vhd"]["uri"], "storageAccountType": "Standard_LRS"}
        return {"diskSizeGB": size, **blob, "caching": caching}
    managed = disk.get("managedDisk") or {}
    known = {} if source is None else source.doc["properties"]
    account = managed.get("storageAccountType") or (source.doc.get("sku", {}).get("name") if source else None)
    return {
        "diskSizeGB": disk.get("diskSizeGB") or known.get("diskSizeGB", _SIZE_GIB),
        "managedDisk": {"id": managed.get("id", "")},
        "caching": caching,
        "storageAccountType": account or "Premium_LRS",
    }


def _of_disks(call: Call, storage: dict[str, Any]) -> tuple[dict[str, Any], list[Item]]:
    """Return the storage profile of an image of single disks, and what lies under it."""
    os_disk = compute.part(storage.get("osDisk"), "storageProfile.osDisk")
    if not os_disk:
        raise compute.missing("image.storageProfile.osDisk")
    for name in ("osType", "osState"):
        compute.text(os_disk.get(name), f"osDisk.{name}")
    data = compute.parts(storage.get("dataDisks"), "storageProfile.dataDisks")
    luns = [compute.whole(disk.get("lun"), "dataDisk.lun") for disk in data]
    if len(set(luns)) < len(luns):
        raise compute.invalid("dataDisks.lun", "Every data disk of an image has a LUN of its own.")
    filled = [_filled(call, disk) for disk in (os_disk, *data)]
    shown = [disk for disk, _ in filled]
    roots = [root for _, root in filled if root is not None]
    return {**storage, "osDisk": shown[0], "dataDisks": shown[1:]}, roots


def _filled(call: Call, disk: dict[str, Any]) -> tuple[dict[str, Any], Item | None]:
    """Return a disk of the body with what its source adds, and the source."""
    reference = compute.part(disk.get("snapshot") or disk.get("managedDisk"), "storageProfile")
    filled = {"caching": "None", "storageAccountType": "Standard_LRS", **disk}
    if not reference.get("id"):
        if not disk.get("blobUri"):
            raise compute.invalid("osDisk", "A disk of an image needs a snapshot, a managed disk or a blob.")
        return filled | {"diskSizeGB": disk.get("diskSizeGB", _SIZE_GIB)}, None
    source = compute.source(call, reference["id"], "storageProfile")
    if arm.region(source.doc["location"]) != arm.region(call.body["location"]):
        message = f"The source '{source.doc['name']}' of the image has to be in the image's region."
        raise compute.invalid("location", message)
    size = disk.get("diskSizeGB") or source.doc["properties"].get("diskSizeGB", _SIZE_GIB)
    return filled | {"diskSizeGB": size}, source


def _refuse_trusted(roots: list[Item]) -> None:
    """Refuse what is of a TrustedLaunch VM: only a gallery takes that. Source: FACTS 2."""
    for root in roots:
        security = str((root.doc["properties"].get("securityProfile") or {}).get("securityType", ""))
        if security.lower() not in ("", "standard"):
            message = f"Creating a managed image from a resource with security type '{security}' is not supported."
            raise Refusal(400, "BadRequest", message)


compute.register(routes, Kind(IMAGES, _build, "image", "image deletion"))
