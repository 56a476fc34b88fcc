"""The part of a pool's document about the virtual machines of its nodes: ``virtualMachineConfiguration``.

Source: the models of azure-mgmt-batch 19 (api-version 2025-06-01).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.azure.documents import format_iso_duration, without_empty

if TYPE_CHECKING:
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.compute.image_source import Source
    from batchimg_magics.pool_spec.access import ContainerRegistry
    from batchimg_magics.pool_spec.disks import DataDisk
    from batchimg_magics.pool_spec.extensions import NodeExtension
    from batchimg_magics.pool_spec.pool import PoolSpec
    from batchimg_magics.pool_spec.upgrades import RollingUpgrade, UpgradePolicy

__all__ = ["identity_reference", "machine_body", "upgrade_body"]

#: Security types of VMs and image definitions to those of pools in Azure Resource Manager.
_SECURITY = {"TrustedLaunch": "trustedLaunch", "ConfidentialVM": "confidentialVM"}
#: For an image whose source is not known. The other types encrypt more, and need a key or a size that supports them.
DEFAULT_ENCRYPTION = "VMGuestStateOnly"


def identity_reference(identity: str | None) -> Json | None:
    """Return a reference to a managed identity of the pool."""
    return {"resourceId": identity} if identity else None


def machine_body(spec: PoolSpec, source: Source, image_id: str, agent: str) -> Json:
    """Return the configuration of a pool's virtual machines.

    Parameters
    ----------
    spec, source
        The spec of the pool, and the source of its image.
    image_id, agent
        The id of the image, and the node agent SKU.
    """
    updates = spec.automatic_updates
    return without_empty(
        {
            "imageReference": {"id": image_id},
            "nodeAgentSkuId": agent,
            "securityProfile": _security(spec, source),
            "osDisk": _os_disk(spec, source),
            "dataDisks": [_data_disk(disk) for disk in spec.data_disks],
            "licenseType": spec.license_type,
            "windowsConfiguration": None if updates is None else {"enableAutomaticUpdates": updates},
            "diskEncryptionConfiguration": {"targets": list(spec.disk_encryption)} if spec.disk_encryption else None,
            "nodePlacementConfiguration": {"policy": spec.node_placement.capitalize()} if spec.node_placement else None,
            "containerConfiguration": _containers(spec),
            "extensions": [_extension(one) for one in spec.extensions],
        }
    )


def disks_of(spec: PoolSpec) -> Json:
    """Return the parts of a pool's ``virtualMachineConfiguration`` that its disks cost: size, type and placement."""
    system = {
        "diskSizeGB": spec.os_disk_gib,
        "ephemeralOSDiskSettings": {"placement": "CacheDisk"} if spec.ephemeral_os_disk else None,
        "managedDisk": {"storageAccountType": spec.os_disk_type} if spec.os_disk_type else None,
    }
    return {"osDisk": without_empty(system), "dataDisks": [_data_disk(disk) for disk in spec.data_disks]}


def _security(spec: PoolSpec, source: Source) -> Json:
    profile: Json = {"encryptionAtHost": True} if spec.encryption_at_host else {}
    if source.security_type in _SECURITY:
        # An image of a TrustedLaunch VM needs TrustedLaunch nodes, and the pool must declare it.
        profile["securityType"] = _SECURITY[source.security_type]
        profile["uefiSettings"] = source.uefi or {"secureBootEnabled": True, "vTpmEnabled": True}
    return profile


def _os_disk(spec: PoolSpec, source: Source) -> Json:
    managed: Json = {"storageAccountType": spec.os_disk_type}
    encryption_set = {"id": spec.disk_encryption_set} if spec.disk_encryption_set else None
    if source.security_type == "ConfidentialVM":
        # Source: azure-mgmt-batch, VMDiskSecurityProfile: "required when using Confidential VMs".
        kind = spec.security_encryption or source.encryption or DEFAULT_ENCRYPTION
        managed["securityProfile"] = without_empty(
            {"securityEncryptionType": kind, "diskEncryptionSet": encryption_set}
        )
    else:
        managed["diskEncryptionSet"] = encryption_set
    ephemeral = spec.ephemeral_os_disk
    return without_empty(
        {
            "diskSizeGB": spec.os_disk_gib,
            # Source: Compute, ephemeral OS disks: their caching is ReadOnly.
            "caching": "ReadOnly" if ephemeral else spec.os_disk_caching,
            "ephemeralOSDiskSettings": {"placement": "CacheDisk"} if ephemeral else None,
            "managedDisk": without_empty(managed),
        }
    )


def _data_disk(disk: DataDisk) -> Json:
    return without_empty(
        {
            "lun": disk.lun,
            "diskSizeGB": disk.size_gib,
            "caching": disk.caching,
            "managedDisk": {"storageAccountType": disk.type} if disk.type else None,
        }
    )


def _containers(spec: PoolSpec) -> Json | None:
    if not spec.runs_containers:
        return None
    return without_empty(
        {
            "type": spec.container_type,
            "containerImageNames": list(spec.container_images),
            "containerRegistries": [_registry(one) for one in spec.container_registries],
        }
    )


def _registry(registry: ContainerRegistry) -> Json:
    return without_empty(
        {
            "registryServer": registry.server,
            "username": registry.user,
            "password": registry.password,
            "identityReference": identity_reference(registry.identity),
        }
    )


def _extension(extension: NodeExtension) -> Json:
    return without_empty(
        {
            "name": extension.name,
            "publisher": extension.publisher,
            "type": extension.type,
            "typeHandlerVersion": extension.version,
            "settings": extension.settings,
            "protectedSettings": dict(extension.protected_settings),
            "autoUpgradeMinorVersion": extension.auto_upgrade_minor_version,
            "enableAutomaticUpgrade": extension.automatic_upgrade,
            "provisionAfterExtensions": list(extension.after),
        }
    )


def upgrade_body(policy: UpgradePolicy | None) -> Json | None:
    """Return the upgrade policy of a pool; None for none."""
    if policy is None:
        return None
    automatic = without_empty(
        {
            "enableAutomaticOSUpgrade": policy.automatic_os_upgrade,
            "osRollingUpgradeDeferral": policy.defer_while_running,
            "useRollingUpgradePolicy": policy.use_rolling,
            "disableAutomaticRollback": policy.disable_rollback,
        }
    )
    rolling = _rolling(policy.rolling) if policy.rolling else None
    return without_empty({"mode": policy.mode, "automaticOSUpgradePolicy": automatic, "rollingUpgradePolicy": rolling})


def _rolling(rolling: RollingUpgrade) -> Json:
    pause = rolling.pause
    return without_empty(
        {
            "maxBatchInstancePercent": rolling.batch_percent,
            "maxUnhealthyInstancePercent": rolling.unhealthy_percent,
            "maxUnhealthyUpgradedInstancePercent": rolling.unhealthy_upgraded_percent,
            "pauseTimeBetweenBatches": None if pause is None else format_iso_duration(pause),
            "prioritizeUnhealthyInstances": rolling.unhealthy_first,
            "rollbackFailedInstancesOnPolicyBreach": rolling.rollback,
            "enableCrossZoneUpgrade": rolling.across_zones,
        }
    )
