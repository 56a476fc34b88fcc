"""Managed images: of a generalized VM, or of disks, snapshots and blobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.arm import bodies, resource_types
from batchimg_magics.emulator.arm.permissions import require_linked
from batchimg_magics.emulator.arm.resource_types import BuildResult, ResourceType
from batchimg_magics.emulator.catalog import regions
from batchimg_magics.emulator.catalog.disk_skus import ADJUSTABLE_SPEEDS, DEFAULT_DISK_GIB
from batchimg_magics.emulator.compute.model import body_rules, lineage, references, vm_view
from batchimg_magics.emulator.compute.model.changes import refuse_changes
from batchimg_magics.emulator.http.messages import Call, Refusal, Routes

if TYPE_CHECKING:
    from batchimg_magics.emulator.world.store import Item

IMAGES = "Microsoft.Compute/images"
#: From this api-version on an image needs its generation unless the source has one. Source: recorded errors.
_GENERATION_REQUIRED_SINCE = "2019-03-01"

routes = Routes("arm")


class _StorageProfile(msgspec.Struct):
    """The storage profile of an image.

    Parameters
    ----------
    initial
        As Azure shows it before it has read the sources: only with the sizes in the body or the VM.
    sizes
        Of the sources in GiB, the OS disk first.
    """

    initial: dict[str, Any]
    sizes: list[int]

    def final(self) -> dict[str, Any]:
        """Return the profile with every size."""
        disks = [self.initial["osDisk"], *self.initial["dataDisks"]]
        sized = [{"diskSizeGB": gib} | disk for gib, disk in zip(self.sizes, disks, strict=True)]
        return self.initial | {"osDisk": sized[0], "dataDisks": sized[1:]}


def _build(call: Call, old: Item | None) -> BuildResult:
    asked = call.body["properties"]
    if old is not None:
        return _changed(old, asked)
    _refuse_both(asked)
    if vm := bodies.part(asked.get("sourceVirtualMachine"), "sourceVirtualMachine").get("id"):
        storage, roots = _of_vm(call, resource_types.need_source(call, vm, "sourceVirtualMachine"))
    else:
        storage, roots = _of_disks(call, bodies.part(asked.get("storageProfile"), "storageProfile"))
    _refuse_trusted_launch(roots)
    found = next((one for root in roots if (one := root.doc["properties"].get("hyperVGeneration"))), None)
    generation = asked.get("hyperVGeneration") or found
    if found and generation != found and roots and roots[0].doc["properties"].get("osType"):
        message = f"The hyperVGeneration '{generation}' of the image is not that of its source, '{found}'."
        raise bodies.invalid("hyperVGeneration", message)
    if generation is None and call.api_version >= _GENERATION_REQUIRED_SINCE:
        raise bodies.missing("hyperVGeneration")
    settled = asked | {"hyperVGeneration": bodies.one_of(generation or "V1", "hyperVGeneration", ("V1", "V2"))}
    # The contents of a blob are not known: its owner's statement decides.
    facts = {"deprovisioned": True} | (lineage.system_facts(call.store, call.now, roots[0]) if roots else {})
    # The VM may be deleted; the disks and snapshots of the image may not.
    under = [root.key for root in roots if root.kind != lineage.VIRTUAL_MACHINES]
    return BuildResult(
        settled | {"storageProfile": storage.final()},
        facts | {"roots": under},
        initial_properties=settled | {"storageProfile": storage.initial},
    )


def _changed(old: Item, asked: dict[str, Any]) -> BuildResult:
    """Check a change: only the tags of an image can change."""
    refuse_changes(asked, old.doc["properties"], ("sourceVirtualMachine", "storageProfile", "hyperVGeneration"))
    kept = {name: one for name, one in old.doc["properties"].items() if name != "provisioningState"}
    return BuildResult(kept, {name: fact for name, fact in old.hidden.items() if name != "work"})


def _refuse_both(asked: dict[str, Any]) -> None:
    """Refuse an image of a VM with disks of its own."""
    if (asked.get("sourceVirtualMachine") or {}).get("id") and (asked.get("storageProfile") or {}).get("osDisk"):
        message = "An image has either a sourceVirtualMachine, or the disks of its storageProfile."
        raise bodies.invalid("sourceVirtualMachine", message)


def _of_vm(call: Call, vm: Item) -> tuple[_StorageProfile, list[Item]]:
    """Return the storage profile of an image of a VM, and the sources of the image."""
    _refuse_other_region(call, vm)
    if not vm.hidden.get("generalized"):
        message = f"The operation 'Create Image' requires the Virtual Machine '{vm.doc['name']}' to be Generalized."
        raise Refusal(409, "OperationNotAllowed", message)
    lineage.refuse_encrypted(call.store, vm)
    profile = vm_view.vm_document(vm, call.now)["properties"]["storageProfile"]
    os_disk, data = profile["osDisk"], profile.get("dataDisks") or []
    sources = [call.store.get(vm_view.disk_key(disk)) for disk in (os_disk, *data)]
    shown = [_of_attached(disk, source) for disk, source in zip((os_disk, *data), sources, strict=True)]
    system = {"osType": os_disk.get("osType", "Linux"), "osState": "Generalized"}
    luns = [{"lun": disk["lun"], **one} for disk, one in zip(data, shown[1:], strict=True)]
    first = {"osDisk": system | shown[0], "dataDisks": luns}
    return _StorageProfile(first, [_size(source) for source in sources]), [
        vm,
        *(one for one in sources if one is not None),
    ]


def _of_attached(disk: dict[str, Any], source: Item | None) -> dict[str, Any]:
    """Return how an image shows a disk of a VM."""
    known = {name: disk[name] for name in ("diskSizeGB",) if name in disk} | {"caching": disk.get("caching", "None")}
    if "vhd" in disk:
        return known | {"blobUri": disk["vhd"]["uri"], "storageAccountType": "Standard_LRS"}
    managed = disk.get("managedDisk") or {}
    account = managed.get("storageAccountType") or (source.doc.get("sku", {}).get("name") if source else None)
    return known | {"managedDisk": {"id": managed.get("id", "")}, "storageAccountType": account or "Premium_LRS"}


def _of_disks(call: Call, storage: dict[str, Any]) -> tuple[_StorageProfile, list[Item]]:
    """Return the storage profile of an image of single disks, and the sources of the image."""
    os_disk = bodies.part(storage.get("osDisk"), "storageProfile.osDisk")
    if not os_disk:
        raise bodies.missing("image.storageProfile.osDisk")
    bodies.one_of(os_disk.get("osType"), "osDisk.osType", ("Linux", "Windows"))
    bodies.one_of(os_disk.get("osState"), "osDisk.osState", ("Generalized", "Specialized"))
    data = bodies.parts(storage.get("dataDisks"), "storageProfile.dataDisks")
    luns = [bodies.whole(disk.get("lun"), "dataDisk.lun") for disk in data]
    if len(set(luns)) < len(luns):
        raise bodies.invalid("dataDisks.lun", "Every data disk of an image has to have its own LUN.")
    sources = [_source(call, disk) for disk in (os_disk, *data)]
    settled = [{"caching": "None", "storageAccountType": "Standard_LRS"} | disk for disk in (os_disk, *data)]
    first = {**storage, "osDisk": settled[0], "dataDisks": settled[1:]}
    return _StorageProfile(first, [_size(one) for one in sources]), [one for one in sources if one is not None]


def _source(call: Call, disk: dict[str, Any]) -> Item | None:
    """Return the disk or snapshot that is the source of a disk of an image, None for a blob."""
    given = [name for name in ("snapshot", "managedDisk", "blobUri") if disk.get(name)]
    if len(given) > 1:
        raise bodies.invalid("storageProfile", f"A disk of an image has one source, and not {' and '.join(given)}.")
    if str(disk.get("storageAccountType")) in ADJUSTABLE_SPEEDS:
        message = f"The storage account type '{disk['storageAccountType']}' is not supported for disks of images."
        raise bodies.invalid("storageAccountType", message)
    reference = bodies.part(disk.get("snapshot") or disk.get("managedDisk"), "storageProfile")
    if not reference.get("id"):
        if not disk.get("blobUri"):
            raise bodies.invalid("osDisk", "A disk of an image needs a snapshot, a managed disk or a blob.")
        return None
    references.need_linked_subscription(call, reference["id"])
    source = resource_types.need_source(call, reference["id"], "storageProfile")
    kind = f"Microsoft.Compute/{'snapshots' if disk.get('snapshot') else 'disks'}"
    if source.kind != kind.lower():
        raise bodies.invalid("storageProfile", f"The source '{reference['id']}' of the image is not one of {kind}.")
    require_linked(call, (source.doc["id"], f"{source.doc['type']}/beginGetAccess/action"))
    resource_types.refuse_during_operation(call, source)
    _refuse_other_region(call, source)
    return source


def _refuse_other_region(call: Call, source: Item) -> None:
    if regions.region_name(source.doc["location"]) != regions.region_name(call.body["location"]):
        message = f"The source '{source.doc['name']}' of the image has to be in the image's region."
        raise bodies.invalid("location", message)


def _size(source: Item | None) -> int:
    known = source.doc["properties"].get("diskSizeGB") if source is not None else None
    return int(known or DEFAULT_DISK_GIB)


def _refuse_trusted_launch(roots: list[Item]) -> None:
    """Refuse sources of a TrustedLaunch VM: only a gallery accepts them."""
    security = next((one for root in roots if (one := lineage.required_security_type(root))), "")
    if security:
        message = f"Creation of managed images are not supported for virtual machine with {security} security type."
        raise Refusal(409, "OperationNotAllowed", message)


resource_types.register(
    routes, ResourceType(IMAGES, _build, "image", "image deletion", check_body=body_rules.check_of(IMAGES))
)
