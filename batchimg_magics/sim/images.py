"""Managed images: of a generalized VM, or of disks, snapshots and blobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.sim import compute
from batchimg_magics.sim.compute import Kind, Pace
from batchimg_magics.sim.wire import Call, Refusal, Routes

if TYPE_CHECKING:
    from batchimg_magics.sim.world import Item

IMAGES = "Microsoft.Compute/images"

routes = Routes("arm")


def _build(call: Call, old: Item | None) -> tuple[dict[str, Any], dict[str, Any]]:
    asked = compute.body_of(call)["properties"]
    if old is not None:
        return old.doc["properties"] | asked, dict(old.hidden)
    if vm := (asked.get("sourceVirtualMachine") or {}).get("id"):
        return _of_vm(call, asked, compute.source(call, vm, "sourceVirtualMachine"))
    os_disk = (asked.get("storageProfile") or {}).get("osDisk")
    if not os_disk:
        raise compute.invalid("storageProfile", "Required parameter 'image.storageProfile.osDisk' is missing (null).")
    disks = [os_disk, *(asked["storageProfile"].get("dataDisks") or [])]
    filled = [_filled(call, disk) for disk in disks]
    roots = [origin for _, origin in filled if origin is not None]
    deprovisioned = roots[0].hidden.get("deprovisioned") if roots else True
    _refuse_trusted(roots)
    storage = asked["storageProfile"] | {"osDisk": filled[0][0], "dataDisks": [disk for disk, _ in filled[1:]]}
    generation = asked.get("hyperVGeneration") or (
        roots[0].doc["properties"].get("hyperVGeneration") if roots else None
    )
    properties = asked | {"storageProfile": storage, "hyperVGeneration": generation or "V1"}
    return properties, {"deprovisioned": deprovisioned, "roots": [root.key for root in roots]}


def _of_vm(call: Call, asked: dict[str, Any], vm: Item) -> tuple[dict[str, Any], dict[str, Any]]:
    if not vm.hidden.get("generalized"):
        message = (
            f"The operation requires the VM '{vm.doc['name']}' to be Generalized: an image can be captured only then."
        )
        raise Refusal(409, "OperationNotAllowed", message)
    _refuse_trusted([vm])
    storage = vm.doc["properties"]["storageProfile"]
    os_disk = {"osType": storage["osDisk"]["osType"], "osState": "Generalized", **_of_attached(call, storage["osDisk"])}
    data = [{"lun": disk["lun"], **_of_attached(call, disk)} for disk in storage.get("dataDisks") or []]
    root = call.world.get(str((storage["osDisk"].get("managedDisk") or {}).get("id", "")))
    properties = asked | {
        "storageProfile": {"osDisk": os_disk, "dataDisks": data},
        "hyperVGeneration": asked.get("hyperVGeneration") or "V1",
    }
    hidden = {"deprovisioned": True if root is None else root.hidden.get("deprovisioned"), "roots": [vm.key]}
    return properties, hidden


def _of_attached(call: Call, disk: dict[str, Any]) -> dict[str, Any]:
    """Return what an image says of a VM's disk."""
    kept: dict[str, Any] = {"caching": disk.get("caching", "None")}
    if "vhd" in disk:
        return kept | {
            "diskSizeGB": disk.get("diskSizeGB", 30),
            "blobUri": disk["vhd"]["uri"],
            "storageAccountType": "Standard_LRS",
        }
    resource = call.world.get(disk["managedDisk"]["id"])
    if resource is not None:
        kept |= {"diskSizeGB": resource.doc["properties"]["diskSizeGB"]}
    kind = disk["managedDisk"].get("storageAccountType") or "Premium_LRS"
    return kept | {
        "diskSizeGB": disk.get("diskSizeGB") or kept.get("diskSizeGB", 30),
        "managedDisk": {"id": disk["managedDisk"]["id"]},
        "storageAccountType": kind,
    }


def _filled(call: Call, disk: dict[str, Any]) -> tuple[dict[str, Any], Item | None]:
    """Return a disk of the body with what its source adds, and the source."""
    key = (disk.get("snapshot") or disk.get("managedDisk") or {}).get("id")
    filled = {"caching": "None", "storageAccountType": "Standard_LRS", **disk}
    if key is None:
        return filled | {"diskSizeGB": disk.get("diskSizeGB", 30)}, None
    origin = compute.source(call, key, "storageProfile")
    return filled | {"diskSizeGB": disk.get("diskSizeGB") or origin.doc["properties"].get("diskSizeGB", 30)}, origin


def _refuse_trusted(roots: list[Item]) -> None:
    """Refuse what is of a TrustedLaunch VM: only a gallery takes that (FACTS 2)."""
    for root in roots:
        security = str((root.doc["properties"].get("securityProfile") or {}).get("securityType", ""))
        if security.lower() in ("trustedlaunch", "confidentialvm"):
            message = f"Creating a managed image from a resource with security type '{security}' is not supported."
            raise Refusal(400, "BadRequest", message)


#: Median of recorded images; no Retry-After was seen. Source: FACTS 6.
KIND = Kind(
    IMAGES,
    _build,
    Pace(13.0),
    Pace(5.0),
    interim=frozenset({"sourceVirtualMachine", "storageProfile", "hyperVGeneration"}),
)
compute.register(routes, KIND)
