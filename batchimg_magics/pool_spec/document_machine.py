"""From the virtual machine configuration of a REST document to the fields of a spec."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, get_args

from pydantic import TypeAdapter, ValidationError

from batchimg_magics.pool_spec.disks import Caching, DiskType
from batchimg_magics.pool_spec.document_part import NOT_SHOWN, integer, without_empty

if TYPE_CHECKING:
    from batchimg_magics.pool_spec.document_part import DocumentPart

__all__ = ["read_machine", "read_upgrade_policy", "seconds_of"]

_DURATION = TypeAdapter(dt.timedelta)
_CACHINGS: tuple[str, ...] = get_args(Caching)
_DISK_TYPES: tuple[str, ...] = get_args(DiskType)


def seconds_of(text: object) -> float | None:
    """Return a duration of a document in seconds: ISO 8601, or as the Azure CLI prints it; None if it is neither."""
    try:
        value: dt.timedelta = _DURATION.validate_python(text)
    except ValidationError:
        return None
    return value.total_seconds()


def read_machine(machine: DocumentPart, *, image: bool) -> dict[str, Any]:
    """Return the fields of a spec that a virtual machine configuration sets.

    Parameters
    ----------
    machine
        The configuration.
    image
        Whether the image of the document is used; otherwise an option names another source.
    """
    windows = machine.part("windowsConfiguration")
    values = {
        "node_agent_sku": machine.take("nodeAgentSKUId"),
        "automatic_updates": windows.take("enableAutomaticUpdates"),
        "license_type": machine.take("licenseType"),
        "node_placement": machine.part("nodePlacementConfiguration").take_word(("regional", "zonal"), "policy"),
        "data_disks": [_data_disk(disk) for disk in machine.rows("dataDisks")],
        "extensions": [_extension(one) for one in machine.rows("extensions")],
        **_image(machine.part("imageReference"), wanted=image),
        **_os_disk(machine.part("osDisk")),
        **_security(machine.part("securityProfile")),
        **_containers(machine.part("containerConfiguration")),
        **_encryption(machine.part("diskEncryptionConfiguration")),
    }
    return without_empty(values)


def _image(reference: DocumentPart, *, wanted: bool) -> dict[str, Any]:
    image_id = reference.take("virtualMachineImageId", "id")
    if not wanted:
        reference.discard()  # an option names the source of the image
        return {}
    reference.take("exactVersion")
    if image_id is None:
        return {}
    lower = str(image_id).lower()
    if "/versions/" in lower and not lower.endswith("/versions/latest"):
        return {"from_version": image_id}
    if "/providers/microsoft.compute/images/" in lower:
        return {"from_image": image_id}
    reference.omit(f"id {image_id} (it names no version)")
    return {}


def _os_disk(disk: DocumentPart) -> dict[str, Any]:
    settings, managed = disk.part("ephemeralOSDiskSettings"), disk.part("managedDisk")
    ephemeral = settings.take_word(("CacheDisk",), "placement") is not None
    caching, kind = disk.take_word(_CACHINGS, "caching"), managed.take_word(_DISK_TYPES, "storageAccountType")
    if ephemeral:
        # An ephemeral OS disk is local: it has no type, and its caching is ReadOnly.
        if caching not in (None, "ReadOnly"):
            disk.omit(f"caching {caching}")
        if kind:
            managed.omit(f"storageAccountType {kind}")
        caching = kind = None
    security = managed.part("securityProfile")
    key = managed.part("diskEncryptionSet").take("id") or security.part("diskEncryptionSet").take("id")
    return {
        "os_disk_gib": integer(disk.take("diskSizeGB")),
        "os_disk_caching": caching if caching != "None" else None,  # what the service shows by default
        "os_disk_type": kind,
        "ephemeral_os_disk": ephemeral,
        "disk_encryption_set": key,
        "security_encryption": security.take("securityEncryptionType"),
    }


def _data_disk(disk: DocumentPart) -> dict[str, Any]:
    managed = disk.part("managedDisk")
    kind = managed.take_word(_DISK_TYPES, "storageAccountType") or disk.take_word(_DISK_TYPES, "storageAccountType")
    return without_empty(
        {
            "lun": integer(disk.take("lun")),
            "size_gib": integer(disk.take("diskSizeGB")),
            "caching": disk.take_word(_CACHINGS, "caching"),
            "type": kind,
        }
    )


def _security(profile: DocumentPart) -> dict[str, Any]:
    # The security type is that of the image.
    profile.take("securityType")
    uefi = profile.part("uefiSettings")
    for name in ("secureBootEnabled", "vTpmEnabled"):
        if (value := uefi.take(name)) is False:
            uefi.omit(f"{name} {value}")
    return {"encryption_at_host": profile.take("encryptionAtHost")}


def _containers(containers: DocumentPart) -> dict[str, Any]:
    if not containers:
        return {}
    kind = containers.take_word(("DockerCompatible", "CriCompatible"), "type")
    registries = [row for one in containers.rows("containerRegistries") if (row := _registry(one))]
    return {
        "containers": True,
        "container_type": kind,
        "container_images": containers.take("containerImageNames"),
        "container_registries": registries,
    }


def _registry(registry: DocumentPart) -> dict[str, Any]:
    server, user = registry.take("registryServer"), registry.take("username", "userName")
    password, identity = registry.take_secret("password"), registry.part("identityReference").take("resourceId")
    if password is None and identity is None:
        registry.omit(f"password ({NOT_SHOWN}): the registry {server}")
        return {}
    return without_empty({"server": server, "user": user, "password": password, "identity": identity})


def _encryption(configuration: DocumentPart) -> dict[str, Any]:
    targets = configuration.take("targets") or []
    words = {"osdisk": "OsDisk", "temporarydisk": "TemporaryDisk"}
    return {"disk_encryption": [words.get(str(one).lower(), one) for one in targets]}


def _extension(extension: DocumentPart) -> dict[str, Any]:
    protected = extension.part("protectedSettings")
    return without_empty(
        {
            "name": extension.take("name"),
            "publisher": extension.take("publisher"),
            "type": extension.take("type"),
            "version": extension.take("typeHandlerVersion"),
            "settings": extension.take("settings"),
            "protected_settings": {name: protected.take_secret(name) for name in protected.names()},
            "auto_upgrade_minor_version": extension.take("autoUpgradeMinorVersion"),
            "automatic_upgrade": extension.take("enableAutomaticUpgrade"),
            "after": extension.take("provisionAfterExtensions"),
        }
    )


def read_upgrade_policy(policy: DocumentPart) -> dict[str, Any] | None:
    """Return the upgrade policy of a document; None for none."""
    if not policy:
        return None
    automatic, rolling = policy.part("automaticOSUpgradePolicy"), policy.part("rollingUpgradePolicy")
    limits = without_empty(
        {
            "batch_percent": integer(rolling.take("maxBatchInstancePercent")),
            "unhealthy_percent": integer(rolling.take("maxUnhealthyInstancePercent")),
            "unhealthy_upgraded_percent": integer(rolling.take("maxUnhealthyUpgradedInstancePercent")),
            "pause": seconds_of(rolling.take("pauseTimeBetweenBatches")),
            "unhealthy_first": rolling.take("prioritizeUnhealthyInstances"),
            "rollback": rolling.take("rollbackFailedInstancesOnPolicyBreach"),
            "across_zones": rolling.take("enableCrossZoneUpgrade"),
        }
    )
    return without_empty(
        {
            "mode": str(policy.take("mode") or "").lower(),
            "automatic_os_upgrade": automatic.take("enableAutomaticOSUpgrade"),
            "defer_while_running": automatic.take("osRollingUpgradeDeferral"),
            "use_rolling": automatic.take("useRollingUpgradePolicy"),
            "disable_rollback": automatic.take("disableAutomaticRollback"),
            "rolling": limits,
        }
    )
