"""Values of a pool's document about its virtual machines and network, in a form that can be compared.

Each function takes a document of Azure Resource Manager, and adds the defaults that the service sets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure.documents import dig, seconds_of

if TYPE_CHECKING:
    from batchimg_magics.core.azure.documents import Json

_MACHINE = ("properties", "deploymentConfiguration", "virtualMachineConfiguration")
#: Source: read-back of pools at 2025-06-01: what a disk has where it was not asked for.
_DISK_CACHING, _DISK_TYPE = "None", "Standard_LRS"


def data_disks(document: Json) -> tuple[str, ...]:
    """Return the data disks by LUN."""
    found = sorted(dig(document, *_MACHINE, "dataDisks") or [], key=lambda one: int(one["lun"]))
    return tuple(
        f"{one['lun']}: {one['diskSizeGB']} GiB {dig(one, 'managedDisk', 'storageAccountType') or _DISK_TYPE} "
        f"{one.get('caching') or _DISK_CACHING}"
        for one in found
    )


def disk_encryption(document: Json) -> tuple[str, ...]:
    """Return the disks that Batch encrypts."""
    return tuple(sorted(dig(document, *_MACHINE, "diskEncryptionConfiguration", "targets") or ()))


def encryption_set(document: Json) -> str | None:
    """Return the disk encryption set of the OS disk."""
    managed = dig(document, *_MACHINE, "osDisk", "managedDisk")
    found = dig(managed, "diskEncryptionSet", "id") or dig(managed, "securityProfile", "diskEncryptionSet", "id")
    return None if found is None else str(found)


def placement_of_os_disk(document: Json) -> str | None:
    """Return where an ephemeral OS disk is; None for a managed disk."""
    found: str | None = dig(document, *_MACHINE, "osDisk", "ephemeralOSDiskSettings", "placement")
    return found


def os_disk_type(document: Json) -> str | None:
    """Return the type of the OS disk; None for the default, which the service shows beside other settings."""
    managed = dig(document, *_MACHINE, "osDisk", "managedDisk") or {}
    kind = managed.get("storageAccountType")
    is_default = str(kind).lower() == _DISK_TYPE.lower() and len(managed) > 1
    return None if kind is None or is_default else str(kind)


def os_disk_caching(document: Json) -> str | None:
    """Return the host caching of the OS disk; None for an ephemeral one, whose caching is always the same."""
    if placement_of_os_disk(document) is not None:
        return None
    return str(dig(document, *_MACHINE, "osDisk", "caching") or _DISK_CACHING)


def container_type(document: Json) -> str | None:
    """Return the type of the containers that the nodes can run; None for no containers."""
    found = dig(document, *_MACHINE, "containerConfiguration")
    return None if found is None else str(found.get("type") or "DockerCompatible")


def public_addresses(document: Json) -> tuple[str, ...]:
    """Return the ids of the pool's own public addresses."""
    found = _addresses(document).get("ipAddressIds") or ()
    return tuple(sorted(str(one).rpartition("/")[2].lower() + f" ({one})".lower() for one in found))


def ip_families(document: Json) -> tuple[str, ...]:
    """Return the IP families of the public addresses."""
    return tuple(sorted(_addresses(document).get("ipFamilies") or ("IPv4",)))


def ip_tags(document: Json) -> tuple[str, ...]:
    """Return the tags of the public addresses."""
    return tuple(sorted(f"{one.get('ipTagType')}={one.get('tag')}" for one in _addresses(document).get("ipTags") or ()))


def _addresses(document: Json) -> Json:
    return dig(document, "properties", "networkConfiguration", "publicIPAddressConfiguration") or {}


def upgrade_policy(document: Json) -> tuple[str, ...]:
    """Return the upgrade policy: its mode, and all settings that are not off."""
    policy = dig(document, "properties", "upgradePolicy")
    if policy is None:
        return ()
    parts = {**(policy.get("automaticOSUpgradePolicy") or {}), **(policy.get("rollingUpgradePolicy") or {})}
    if pause := parts.get("pauseTimeBetweenBatches"):
        parts["pauseTimeBetweenBatches"] = f"{seconds_of(str(pause)):.0f}s"
    settings = (f"{name}={value}" for name, value in parts.items() if value not in (None, False))
    return (str(policy.get("mode")), *sorted(settings))


def extensions(document: Json) -> tuple[tuple[str, ...], ...]:
    """Return the extensions; protected settings are not compared, since the service never shows them."""
    keys = ("publisher", "type", "typeHandlerVersion", "settings", "provisionAfterExtensions")
    flags = ("autoUpgradeMinorVersion", "enableAutomaticUpgrade")
    found = dig(document, *_MACHINE, "extensions") or []
    return tuple(
        sorted(
            (
                str(one["name"]),
                *(str(one.get(key) or "") for key in keys),
                *(str(bool(one.get(key))) for key in flags),
            )
            for one in found
        )
    )


def formula(document: Json) -> str | None:
    """Return the autoscale formula, without space around it."""
    found = dig(document, "properties", "scaleSettings", "autoScale", "formula")
    return None if found is None else str(found).strip()


def formula_interval(document: Json) -> float | None:
    """Return how often the formula is evaluated, in seconds."""
    found: Any = dig(document, "properties", "scaleSettings", "autoScale", "evaluationInterval")
    return None if found is None else seconds_of(str(found))
