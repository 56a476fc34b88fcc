"""What a disk or a snapshot may be: its size, speed, sharing, encryption and security, by its SKU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm import bodies
from batchimg_magics.emulator.catalog.disk_skus import ADJUSTABLE_SPEEDS, MAX_DISK_GIB, disk_properties, premium_tier
from batchimg_magics.emulator.compute.model import references
from batchimg_magics.emulator.http.messages import Refusal
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.arm.resource_types import BuildResult
    from batchimg_magics.emulator.http.messages import Call

evidence = Evidence("Limits of disks")
_MAX_GIB = evidence.documented(
    32_767, "GiB", "of a disk that is neither an Ultra disk nor a Premium SSD v2", "the types of managed disks"
)
_SPEED_LIMITS = evidence.documented(
    {"UltraSSD_LRS": (1000, 400_000, 10_000), "PremiumV2_LRS": (500, 80_000, 2_000)},
    "",
    "IOPS for each GiB, IOPS and MB/s of a disk with adjustable speeds, at most",
    "the types of managed disks",
)
_BURST_FROM_GIB = evidence.documented(
    512, "GiB", "that a disk with on-demand bursting has to be larger than", "the page on disk bursting"
)
_SHARES = evidence.documented(
    {"up to 512 GiB": 3, "up to 4,096 GiB": 5, "larger": 10, "adjustable": 15},
    "VMs",
    "that share a disk, at most; a Standard HDD cannot be shared",
    "the page on shared disks",
)
evidence.rule(
    "The limits of disks are refused with 400 InvalidParameter, in the emulator's own words.",
    "Microsoft's pages state the limits; no recording shows a refusal",
)
_DISK_SETS = "Microsoft.Compute/diskEncryptionSets"


def check_references(call: Call, properties: dict[str, Any]) -> None:
    """Refuse an encryption set or a disk access that does not exist."""
    encryption = properties.get("encryption") or {}
    key = encryption.get("diskEncryptionSetId")
    if key:
        references.need(call, key, "encryption.diskEncryptionSetId", _DISK_SETS)
    elif "Customer" in str(encryption.get("type", "")):
        raise bodies.missing("encryption.diskEncryptionSetId")
    security = properties.get("securityProfile") or {}
    if own := security.get("secureVMDiskEncryptionSetId"):
        references.need(call, own, "securityProfile.secureVMDiskEncryptionSetId", _DISK_SETS)
    elif str(security.get("securityType", "")).endswith("WithCustomerKey"):
        raise bodies.missing("securityProfile.secureVMDiskEncryptionSetId")
    if access := properties.get("diskAccessId"):
        references.need(call, access, "diskAccessId", "Microsoft.Compute/diskAccesses")


def check_security(asked: dict[str, Any], origin: dict[str, Any], option: str) -> None:
    """Refuse a security type that a new disk cannot have. Source: azure-powershell #24253, and the SDK's text.

    Parameters
    ----------
    asked
        The properties in the body.
    origin
        The properties that follow from the source.
    option
        The create option.
    """
    wanted = (asked.get("securityProfile") or {}).get("securityType")
    if not wanted:
        return
    has = (origin.get("securityProfile") or {}).get("securityType")
    if option in ("Copy", "CopyStart", "Restore") and wanted != has:
        message = f"Security Type '{wanted}' is not supported for CreateOption '{option}'."
        raise Refusal(400, "BadRequest", message)
    generation = asked.get("hyperVGeneration") or origin.get("hyperVGeneration")
    system = asked.get("osType") or origin.get("osType")
    if generation != "V2" or not system:
        message = f"Security type '{wanted}' is supported only for OS disks of hyperVGeneration 'V2'."
        raise bodies.invalid("securityProfile.securityType", message)


def check_disk(built: BuildResult, asked: dict[str, Any], sku: str, *, new: bool) -> None:
    """Refuse properties that a disk of its SKU and size cannot have.

    Parameters
    ----------
    built
        The disk as it would be.
    asked
        The properties in the body.
    sku
        Its name.
    new
        Whether the disk is created. A change may have the speeds and the tier that the disk had before.
    """
    properties = built.properties
    gib = int(properties["diskSizeGB"])
    adjustable = sku in ADJUSTABLE_SPEEDS
    if gib > (MAX_DISK_GIB if adjustable else _MAX_GIB):
        raise _above("diskSizeGB", gib, MAX_DISK_GIB if adjustable else _MAX_GIB)
    if adjustable and properties.get("osType"):
        raise bodies.invalid("sku.name", f"Disks of the SKU '{sku}' can be used as data disks only.")
    creation = asked.get("creationData") or {}
    if "logicalSectorSize" in creation and not adjustable:
        raise bodies.invalid("creationData.logicalSectorSize", f"A disk of the SKU '{sku}' has no logicalSectorSize.")
    _check_shares(properties, sku, gib)
    if new:
        _check_tier(asked, sku, gib)
    if properties.get("burstingEnabled") and (not sku.startswith("Premium_") or gib <= _BURST_FROM_GIB):
        message = f"On-demand bursting needs a Premium SSD of more than {_BURST_FROM_GIB} GiB."
        raise bodies.invalid("burstingEnabled", message)
    _check_speeds(asked, sku, gib, new=new)


def _check_shares(properties: dict[str, Any], sku: str, gib: int) -> None:
    shares = int(properties.get("maxShares") or 1)
    if sku in ADJUSTABLE_SPEEDS:
        most = _SHARES["adjustable"]
    elif sku.startswith("Standard_"):
        most = 1
    else:
        most = _SHARES["up to 512 GiB" if gib <= 512 else "up to 4,096 GiB" if gib <= 4096 else "larger"]
    if shares > most:
        raise _above("maxShares", shares, most)


def _check_tier(asked: dict[str, Any], sku: str, gib: int) -> None:
    tier = asked.get("tier")
    if tier is None:
        return
    if not sku.startswith("Premium_"):
        raise bodies.invalid("tier", f"A disk of the SKU '{sku}' has no performance tier.")
    own = premium_tier(gib)
    if int(tier[1:]) < int(own[1:]):
        message = f"The performance tier '{tier}' is lower than '{own}', that of a disk of {gib} GiB."
        raise bodies.invalid("tier", message)


def _check_speeds(asked: dict[str, Any], sku: str, gib: int, *, new: bool) -> None:
    names = ("diskIOPSReadWrite", "diskMBpsReadWrite")
    if sku not in ADJUSTABLE_SPEEDS:
        usual = disk_properties(sku, gib, str(asked.get("tier") or ""))
        named = next((name for name in names if name in asked and asked[name] != usual[name]), "")
        if named and new:
            raise bodies.invalid(named, f"The parameter '{named}' cannot be set for a disk of the SKU '{sku}'.")
        return
    per_gib, most, most_mbps = _SPEED_LIMITS[sku]
    limit = max(ADJUSTABLE_SPEEDS[sku][0], min(most, per_gib * gib))
    if int(asked.get(names[0]) or 0) > limit:
        raise _above(names[0], asked[names[0]], limit)
    if int(asked.get(names[1]) or 0) > most_mbps:
        raise _above(names[1], asked[names[1]], most_mbps)


def _above(name: str, value: int, most: int) -> Refusal:
    message = f"The value '{value}' of parameter '{name}' is out of range. It has to be at most {most}."
    return bodies.invalid(name, message)
