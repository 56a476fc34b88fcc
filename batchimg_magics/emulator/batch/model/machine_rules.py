"""The rules for the virtual machines of a pool: disks, encryption, licence, placement and upgrades.

Source: Microsoft's OpenAPI (2024-02-01.19.0), and the texts of azure-batch 15.1 and azure-mgmt-batch 19.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.batch.model import task_rules
from batchimg_magics.emulator.batch.rest.errors import bad_property, missing_property
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.catalog.vm_sizes import VmSize
    from batchimg_magics.emulator.world.store import Item

_MAX_LUN, _MAX_DISK_GIB = 63, 32_767
_LICENSE_TYPES = frozenset({"windows_server", "windows_client"})
#: Members of a reference to a Marketplace image, which an image id excludes.
_MARKETPLACE = ("publisher", "offer", "sku", "version")
evidence = Evidence("Virtual machines of pools")
evidence.rule(
    "Extensions with the same name, UEFI settings without a security type, and a container registry with neither a "
    "user nor an identity are refused.",
    "the same is invalid for virtual machines; no document says when Batch refuses it",
)
evidence.rule(
    "The license type must be Windows_Server or Windows_Client, and the nodes must run Windows.",
    "the OpenAPI says that it applies only to Windows; it does not say what happens on Linux",
)


def check_machine(account: Item, pool: dict[str, Any], size: VmSize) -> None:
    """Refuse a configuration of virtual machines that the service would not create.

    Parameters
    ----------
    account, pool
        The account and the checked configuration of the pool.
    size
        Its VM size.
    """
    machine, windows = pool["virtualMachineConfiguration"], runs_windows(pool)
    _check_data_disks(machine.get("dataDisks", []))
    _check_license(machine, windows=windows)
    _check_extensions(machine.get("extensions", []))
    _check_security(machine.get("securityProfile", {}))
    for registry in machine.get("containerConfiguration", {}).get("containerRegistries", []):
        task_rules.check_registry(registry)
    _check_confidential(machine)
    _check_encryption(account, machine, windows=windows)
    zonal = machine.get("nodePlacementConfiguration", {}).get("policy") == "Zonal"
    if zonal and pool.get("enableInterNodeCommunication") and size.rdma:
        reason = "InfiniBand does not support communication between zones"
        raise bad_property("nodePlacementConfiguration", None, reason)
    if (policy := pool.get("upgradePolicy")) is not None:
        _check_upgrades(policy, machine.get("windowsConfiguration", {}), zonal=zonal)


def runs_windows(pool: dict[str, Any]) -> bool:
    """Tell whether the node agent of a pool is one for Windows."""
    return "windows" in str(pool["virtualMachineConfiguration"].get("nodeAgentSKUId", "")).lower()


def check_reference(reference: dict[str, Any]) -> None:
    """Refuse an image reference that names a custom image and a Marketplace image."""
    both = [name for name in _MARKETPLACE if reference.get(name)]
    if reference.get("virtualMachineImageId") is not None and both:
        reason = f"The property virtualMachineImageId is mutually exclusive with {both[0]}"
        raise bad_property("imageReference", None, reason)


def _check_data_disks(disks: list[dict[str, Any]]) -> None:
    luns = [disk["lun"] for disk in disks]
    for disk in disks:
        if disk["lun"] > _MAX_LUN:
            raise bad_property("lun", disk["lun"], "The value must be between 0 and 63, inclusive")
        if luns.count(disk["lun"]) > 1:
            raise bad_property("lun", disk["lun"], "Each data disk must have a distinct lun")
        if disk["diskSizeGB"] > _MAX_DISK_GIB:
            raise bad_property("diskSizeGB", disk["diskSizeGB"], f"The value must be between 1 and {_MAX_DISK_GIB}")


def _check_extensions(rows: list[dict[str, Any]]) -> None:
    names = [row["name"].lower() for row in rows]
    for row in rows:
        if names.count(row["name"].lower()) > 1:
            raise bad_property("extensions", row["name"], "The names of extensions must be unique")
        for name in row.get("provisionAfterExtensions", []):
            if str(name).lower() not in names:
                raise bad_property("provisionAfterExtensions", name, "The pool has no extension of this name")


def _check_security(profile: dict[str, Any]) -> None:
    if "uefiSettings" in profile and "securityType" not in profile:
        raise bad_property("uefiSettings", None, "It can be specified only with a securityType")


def _check_license(machine: dict[str, Any], *, windows: bool) -> None:
    if (license_type := machine.get("licenseType")) is not None:
        if license_type.lower() not in _LICENSE_TYPES:
            raise bad_property("licenseType", license_type, "The value must be Windows_Server or Windows_Client")
        if not windows:
            raise bad_property("licenseType", license_type, "The license type applies only to Windows images")
    if "windowsConfiguration" in machine and not windows:
        reason = "This property must not be specified if the imageReference references a Linux OS image"
        raise bad_property("windowsConfiguration", None, reason)


def _check_confidential(machine: dict[str, Any]) -> None:
    """Require the encryption of the OS disk of a confidential VM. Source: azure-mgmt-batch, VMDiskSecurityProfile."""
    security = str(machine.get("securityProfile", {}).get("securityType", "")).lower()
    profile = machine.get("osDisk", {}).get("managedDisk", {}).get("securityProfile", {})
    encryption = profile.get("securityEncryptionType")
    if security != "confidentialvm":
        if encryption is not None:
            reason = "It can be set only for Confidential VMs"
            raise bad_property("securityEncryptionType", encryption, reason)
        return
    if encryption is None:
        raise missing_property("securityEncryptionType")


def _check_encryption(account: Item, machine: dict[str, Any], *, windows: bool) -> None:
    configuration = machine.get("diskEncryptionConfiguration", {})
    targets = {str(one).lower() for one in configuration.get("targets", [])}
    custom = "virtualMachineImageId" in machine["imageReference"]
    if targets and custom and not windows:
        reason = (
            "Disk encryption configuration is not supported on Linux pools created with a Virtual Machine Image or"
            " Azure Compute Gallery Image"
        )
        raise bad_property("diskEncryptionConfiguration", None, reason)
    if targets:
        wanted = {"osdisk", "temporarydisk"} if windows else {"temporarydisk"}
        if targets != wanted:
            raise bad_property("targets", None, f"The disks {', '.join(sorted(wanted))} must be specified")
    if account.doc["properties"].get("poolAllocationMode") != "UserSubscription":
        for owner in _encryption_sets(machine):
            raise bad_property(
                "diskEncryptionSet", owner, "The disk encryption set can be set only in UserSubscription mode"
            )


def _encryption_sets(machine: dict[str, Any]) -> list[str]:
    """Return the ids of the disk encryption sets of all disks."""
    managed = [disk.get("managedDisk", {}) for disk in (machine.get("osDisk", {}), *machine.get("dataDisks", []))]
    owners = [*managed, *(one.get("securityProfile", {}) for one in managed)]
    return [str(owner["diskEncryptionSet"].get("id", "")) for owner in owners if "diskEncryptionSet" in owner]


def _check_upgrades(policy: dict[str, Any], windows: dict[str, Any], *, zonal: bool) -> None:
    automatic, rolling = policy.get("automaticOSUpgradePolicy", {}), policy.get("rollingUpgradePolicy", {})
    if automatic.get("enableAutomaticOSUpgrade") and windows.get("enableAutomaticUpdates"):
        reason = "It cannot be true if enableAutomaticUpdates of windowsConfiguration is true"
        raise bad_property("enableAutomaticOSUpgrade", None, reason)
    if "enableCrossZoneUpgrade" in rolling and not zonal:
        raise bad_property("enableCrossZoneUpgrade", None, "It can be set only with the zonal placement policy")
    batch, unhealthy = (rolling.get(name) for name in ("maxBatchInstancePercent", "maxUnhealthyInstancePercent"))
    if batch is not None and unhealthy is not None and batch > unhealthy:
        raise bad_property("maxBatchInstancePercent", batch, "It must not be above maxUnhealthyInstancePercent")
