"""What the publishing profile of a gallery image version may be, and how a version may change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm import bodies
from batchimg_magics.emulator.arm.open_world import is_open
from batchimg_magics.emulator.catalog import regions
from batchimg_magics.emulator.compute.model import references
from batchimg_magics.emulator.compute.model.changes import first_difference, not_allowed
from batchimg_magics.emulator.compute.model.galleries import security_type

if TYPE_CHECKING:
    from batchimg_magics.emulator.http.messages import Call
    from batchimg_magics.emulator.world.store import Item

_PATH = "galleryImageVersion.properties.publishingProfile"
_DISK_SETS = "Microsoft.Compute/diskEncryptionSets"


def check_profile(call: Call, profile: dict[str, Any], before: dict[str, Any], definition: Item) -> None:
    """Refuse target regions that do not exist, and encryption that does not fit.

    Parameters
    ----------
    call, definition
        The request, and the definition of the version.
    profile, before
        The publishing profile in the body, and that of the version; what is the same is not checked again.
    """
    known = {regions.region_name(one["name"]): one for one in before.get("targetRegions") or []}
    confidential = "Confidential" in security_type(definition.doc["properties"])
    for target in bodies.parts(profile.get("targetRegions"), f"{_PATH}.targetRegions"):
        name = str(target.get("name") or "")
        if regions.region_name(name) not in regions.DISPLAY_NAMES and not is_open(call.store):
            message = f"The region '{name}' of the target regions does not exist."
            raise bodies.invalid(f"{_PATH}.targetRegions", message)
        encryption = target.get("encryption") or {}
        same = known.get(regions.region_name(name), {}).get("encryption")
        if first_difference(encryption, same) is None:
            continue
        for disk in (encryption.get("osDiskImage") or {}, *(encryption.get("dataDiskImages") or [])):
            _check_encryption(call, disk, confidential=confidential)


def _check_encryption(call: Call, disk: dict[str, Any], *, confidential: bool) -> None:
    security = disk.get("securityProfile") or {}
    kind = str(security.get("confidentialVMEncryptionType") or "")
    own = security.get("secureVMDiskEncryptionSetId")
    if kind and not confidential:
        message = f"The encryption type '{kind}' needs a definition whose SecurityType is that of confidential VMs."
        raise bodies.invalid("confidentialVMEncryptionType", message)
    if kind.endswith("Cmk") and not own:
        raise bodies.missing("secureVMDiskEncryptionSetId")
    for key, name in ((disk.get("diskEncryptionSetId"), "diskEncryptionSetId"), (own, "secureVMDiskEncryptionSetId")):
        if key:
            references.need(call, key, name, _DISK_SETS)


def check_mode(asked: dict[str, Any], before: dict[str, Any]) -> None:
    """Refuse to change the replication mode of a version."""
    wanted, known = asked.get("replicationMode"), before.get("replicationMode")
    if wanted and before and str(wanted).lower() != str(known or "Full").lower():
        raise not_allowed(f"{_PATH}.replicationMode")
