"""Pools on the two planes: names and values of the data plane, and those of ARM.

Pools are stored in the format of the data plane. Two tables have the names and values that differ on ARM; all other
properties have the same name and value on both planes.

Source: recorded pools on both planes, and the enumerations of the 2025-06-01 SDKs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.batch.rest.errors import bad_property, missing_property

if TYPE_CHECKING:
    from collections.abc import Callable

#: Name on ARM -> name on the data plane.
_NAMES = {
    "nodeAgentSkuId": "nodeAgentSKUId",
    "inboundNatPools": "inboundNATPools",
    "applicationPackages": "applicationPackageReferences",
    "certificates": "certificateReferences",
    "dynamicVnetAssignmentScope": "dynamicVNetAssignmentScope",
    "userName": "username",
}
#: Objects with the same names on both planes.
_SAME = frozenset({"containerRegistries", "registry"})
#: Objects with arbitrary members: their names and values are not translated.
OPAQUE_OBJECTS = frozenset(
    {"authenticationTokenSettings", "protectedSettings", "resourceTags", "settings", "tags", "userAssignedIdentities"}
)
#: Property -> its values as (data plane, ARM). The data plane writes most in lower case; other values are not
#: translated.
_WORDS: dict[str, tuple[tuple[str, str], ...]] = {
    "scope": (("pool", "Pool"), ("task", "Task")),
    "elevationLevel": (("nonadmin", "NonAdmin"), ("admin", "Admin")),
    "loginMode": (("batch", "Batch"), ("interactive", "Interactive")),
    "nodeFillType": (("Spread", "Spread"), ("Pack", "Pack")),
    "jobDefaultOrder": (("none", "None"), ("creationtime", "CreationTime")),
    "policy": (("Regional", "Regional"), ("Zonal", "Zonal")),
    "caching": (("None", "None"), ("ReadOnly", "ReadOnly"), ("ReadWrite", "ReadWrite")),
    "storageAccountType": (
        ("standard_lrs", "Standard_LRS"),
        ("premium_lrs", "Premium_LRS"),
        ("standardssd_lrs", "StandardSSD_LRS"),
    ),
    "placement": (("CacheDisk", "CacheDisk"),),
    "securityEncryptionType": (
        ("NonPersistedTPM", "NonPersistedTPM"),
        ("VMGuestStateOnly", "VMGuestStateOnly"),
        ("DiskWithVMGuestState", "DiskWithVMGuestState"),
    ),
    "ipFamilies": (("IPv4", "IPv4"), ("IPv6", "IPv6")),
    "securityType": (("trustedlaunch", "TrustedLaunch"), ("confidentialvm", "ConfidentialVM")),
    "dynamicVNetAssignmentScope": (("none", "None"), ("job", "Job")),
    "protocol": (("tcp", "TCP"), ("udp", "UDP")),
    "access": (("allow", "Allow"), ("deny", "Deny")),
    "provision": (
        ("batchmanaged", "BatchManaged"),
        ("usermanaged", "UserManaged"),
        ("nopublicipaddresses", "NoPublicIPAddresses"),
    ),
    "targetNodeCommunicationMode": (("default", "Default"), ("classic", "Classic"), ("simplified", "Simplified")),
    "targets": (("osdisk", "OsDisk"), ("temporarydisk", "TemporaryDisk")),
    "storeLocation": (("currentuser", "CurrentUser"), ("localmachine", "LocalMachine")),
    "workingDirectory": (
        ("taskWorkingDirectory", "TaskWorkingDirectory"),
        ("containerImageDefault", "ContainerImageDefault"),
    ),
    # Jobs and tasks are on the data plane alone.
    "onAllTasksComplete": (("noaction", "NoAction"), ("terminatejob", "TerminateJob")),
    "onTaskFailure": (("noaction", "NoAction"), ("performexitoptionsjobaction", "PerformExitOptionsJobAction")),
    "poolLifetimeOption": (("jobschedule", "JobSchedule"), ("job", "Job")),
    "visibility": (("starttask", "StartTask"), ("task", "Task"), ("remoteuser", "RemoteUser")),
}
_TO_BATCH = {name: {arm.lower(): batch for batch, arm in pairs} for name, pairs in _WORDS.items()}
_TO_ARM = {name: {batch.lower(): arm for batch, arm in pairs} for name, pairs in _WORDS.items()}
_ARM_NAMES = {batch: arm for arm, batch in _NAMES.items()}
#: Members of `deploymentConfiguration` on ARM, and of the pool itself on the data plane.
_DEPLOYMENT = ("virtualMachineConfiguration", "cloudServiceConfiguration")
#: Properties that only ARM shows, and that a request may not set.
_READ_ONLY = frozenset(
    {
        "lastModified", "creationTime", "provisioningState", "provisioningStateTransitionTime", "allocationState",
        "allocationStateTransitionTime", "currentDedicatedNodes", "currentLowPriorityNodes", "autoScaleRun",
        "resizeOperationStatus", "currentNodeCommunicationMode",
    }
)  # fmt: skip


def _walk(value: Any, names: dict[str, str], words: dict[str, dict[str, str]], under: str = "") -> Any:  # noqa: ANN401 - any JSON
    """Translate names and values; `under` is the data plane's name of the property of the value."""
    if isinstance(value, dict) and under not in OPAQUE_OBJECTS:
        spelt: dict[str, str] = {} if under in _SAME else names
        inside = {name: _walk(inner, names, words, _NAMES.get(name, str(name))) for name, inner in value.items()}
        return {spelt.get(name, name): inner for name, inner in inside.items()}
    if isinstance(value, list):
        return [_walk(inner, names, words, under) for inner in value]
    if isinstance(value, str) and under in words:
        return words[under].get(value.lower(), value)
    return value


def to_batch(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a body of either plane in the format of the data plane."""
    return _walk(value, _NAMES, _TO_BATCH)


def to_arm(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a body of the data plane in the format of ARM."""
    return _walk(value, _ARM_NAMES, _TO_ARM)


def check_words(value: Any, under: str = "") -> None:  # noqa: ANN401 - any JSON
    """Refuse a value that its property does not have."""
    if isinstance(value, dict):
        for name, inner in value.items() if under not in OPAQUE_OBJECTS else ():
            check_words(inner, name)
    elif isinstance(value, list):
        for inner in value:
            check_words(inner, under)
    elif isinstance(value, str) and under in _TO_BATCH and value.lower() not in _TO_BATCH[under]:
        raise bad_property(under, value)


def pool_from_arm(properties: dict[str, Any]) -> dict[str, Any]:
    """Return the properties of an ARM pool in the format of the data plane, without those that a request cannot set.

    Parameters
    ----------
    properties
        The ``properties`` of an ARM pool.
    """
    pool = {
        name: value
        for name, value in properties.items()
        if name not in _READ_ONLY | {"deploymentConfiguration", "scaleSettings", "interNodeCommunication"}
    }
    deployment = properties.get("deploymentConfiguration") or {}
    pool |= {name: deployment[name] for name in _DEPLOYMENT if name in deployment}
    if "interNodeCommunication" in properties:
        pool["enableInterNodeCommunication"] = _is_enabled(properties["interNodeCommunication"])
    pool = dict(to_batch(pool))
    for package in pool.get("applicationPackageReferences", []):
        if isinstance(package, dict) and "id" in package:
            package["applicationId"] = package.pop("id")
    machine = pool.get("virtualMachineConfiguration") or {}
    reference = machine.get("imageReference") or {}
    if "id" in reference:
        reference["virtualMachineImageId"] = reference.pop("id")
    _spell_container_type(machine, str.lower)
    pool |= _scale_from_arm(properties.get("scaleSettings") or {})
    return pool


def _is_enabled(word: object) -> bool:
    if str(word).lower() not in ("enabled", "disabled"):
        raise bad_property("interNodeCommunication", word)
    return str(word).lower() == "enabled"


def _spell_container_type(machine: dict[str, Any], first: Callable[[str], str]) -> None:
    """Write the type of containers as a plane does: dockerCompatible on the data plane, DockerCompatible on ARM."""
    containers = machine.get("containerConfiguration")
    if isinstance(containers, dict) and isinstance(kind := containers.get("type"), str):
        machine["containerConfiguration"] = containers | {"type": first(kind[:1]) + kind[1:]}


def _scale_from_arm(settings: dict[str, Any]) -> dict[str, Any]:
    if "autoScale" in settings and "fixedScale" in settings:
        raise bad_property("scaleSettings", None, "autoScale and fixedScale are mutually exclusive")
    if (auto := settings.get("autoScale")) is not None:
        if auto.get("formula") is None:
            raise missing_property("formula")
        pool: dict[str, Any] = {"enableAutoScale": True, "autoScaleFormula": auto.get("formula")}
        if "evaluationInterval" in auto:
            pool["autoScaleEvaluationInterval"] = auto["evaluationInterval"]
        return pool
    if (fixed := settings.get("fixedScale")) is None:
        return {}
    pool = {
        "enableAutoScale": False,
        "targetDedicatedNodes": fixed.get("targetDedicatedNodes", 0),
        "targetLowPriorityNodes": fixed.get("targetLowPriorityNodes", 0),
    }
    same = {name: fixed[name] for name in ("resizeTimeout", "nodeDeallocationOption") if name in fixed}
    return pool | same


def pool_to_arm(pool: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration of a pool in the format of ARM."""
    moved = {*_DEPLOYMENT, "enableInterNodeCommunication", "vmSize", "id"}
    plain = {name: value for name, value in pool.items() if name not in moved}
    deployment = {name: pool[name] for name in _DEPLOYMENT if name in pool}
    properties: dict[str, Any] = to_arm(plain) | {"deploymentConfiguration": to_arm(deployment)}
    machine = properties["deploymentConfiguration"].get("virtualMachineConfiguration", {})
    _spell_container_type(machine, str.upper)
    reference = machine.get("imageReference", {})
    if "virtualMachineImageId" in reference:
        reference["id"] = reference.pop("virtualMachineImageId")
    for package in properties.get("applicationPackages", []):
        package["id"] = package.pop("applicationId")
    size = pool["vmSize"]
    properties["vmSize"] = size.upper() if "_" in size else size.capitalize()
    enabled = pool.get("enableInterNodeCommunication", False)
    properties["interNodeCommunication"] = "Enabled" if enabled else "Disabled"
    return properties
