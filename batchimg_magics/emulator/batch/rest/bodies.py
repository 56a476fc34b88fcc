"""Bodies of requests to Microsoft.Batch: check their types, names, values and numbers.

Properties are first checked by name, because a name means the same everywhere in these bodies, then by the type of the
body (`body_types`), if it is in the table.

Source: Microsoft's OpenAPI (2024-02-01.19.0 and 2024-02-01) for names, types and minimum values; recorded refusals for
their texts; recorded requests for numbers that are sent as strings.
"""

from __future__ import annotations

import re
from typing import Any

from batchimg_magics.emulator.batch.rest.body_checks import check_body, unknown_name
from batchimg_magics.emulator.batch.rest.dialects import OPAQUE_OBJECTS, check_words, to_batch
from batchimg_magics.emulator.batch.rest.errors import bad_property, refusal


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_OBJECTS = _names("""
    affinityInfo authenticationTokenSettings autoPoolSpecification autoScale autoStorage autoUser
    automaticOSUpgradePolicy azureBlobFileSystemConfiguration azureFileShareConfiguration cifsMountConfiguration
    cloudServiceConfiguration constraints containerConfiguration containerSettings customerManagedKey dependsOn
    deploymentConfiguration diskEncryptionConfiguration diskEncryptionSet encryption endpointConfiguration
    ephemeralOSDiskSettings exitConditions fixedScale identity identityReference imageReference imds jobManagerTask
    jobPreparationTask jobReleaseTask keyVaultReference linuxUserConfiguration managedDisk multiInstanceSettings
    networkConfiguration networkProfile nfsMountConfiguration nodePlacementConfiguration osDisk pool poolInfo
    properties protectedSettings proxyAgentSettings publicIPAddressConfiguration registry resourceTags
    rollingUpgradePolicy scaleSettings securityProfile serviceArtifactReference settings startTask tags
    taskSchedulingPolicy uefiSettings upgradePolicy userIdentity virtualMachineConfiguration windowsConfiguration
    windowsUserConfiguration wireServer
    """)
#: Lists of objects, and lists of plain values.
_ROWS = _names("""
    applicationPackageReferences applicationPackages certificateReferences certificates commonEnvironmentSettings
    commonResourceFiles containerRegistries dataDisks environmentSettings extensions inboundNATPools inboundNatPools
    ipTags metadata mountConfiguration networkSecurityGroupRules outputFiles resourceFiles userAccounts
    """)
_LISTS = _names("""
    allowedAuthenticationModes applicationLicenses containerImageNames ipAddressIds ipFamilies nodeList
    provisionAfterExtensions sourcePortRanges targets visibility
    """)
_FLAGS = _names("""
    allowLowPriorityNode allowTaskPreemption autoUpgradeMinorVersion disableAutomaticRollback
    enableAcceleratedNetworking enableAutoScale enableAutomaticOSUpgrade enableAutomaticUpdates enableAutomaticUpgrade
    enableCrossZoneUpgrade enableInterNodeCommunication encryptionAtHost keepAlive killJobOnCompletion
    osRollingUpgradeDeferral prioritizeUnhealthyInstances rollbackFailedInstancesOnPolicyBreach
    rotationToLatestKeyVersionEnabled runExclusive secureBootEnabled useRollingUpgradePolicy usesTaskDependencies
    vTpmEnabled waitForSuccess writeAcceleratorEnabled
    """)
_TEXTS = _names("""
    autoPoolIdPrefix autoScaleEvaluationInterval autoScaleFormula caching commandLine disableTasks displayName
    elevationLevel evaluationInterval formula id interNodeCommunication jobDefaultOrder keyName keySource keyUrl
    licenseType location maxWallClockTime mode nodeAgentSKUId nodeAgentSkuId nodeDeallocateOption
    nodeDeallocationOption nodeDisableSchedulingOption nodeFillType nodeRebootOption nodeReimageOption offer
    onAllTasksComplete onTaskFailure pauseTimeBetweenBatches placement policy poolAllocationMode poolId provision
    publisher publicNetworkAccess resizeTimeout retentionTime scope securityEncryptionType securityType sku
    storageAccountType subnetId targetNodeCommunicationMode terminateReason userName username version
    virtualMachineImageId vmSize
    """)
#: Integers and their minimum values; strings of digits are accepted as well.
NUMBERS = {
    "backendPort": 1,
    "diskSizeGB": 1,
    "frontendPortRangeEnd": 1,
    "frontendPortRangeStart": 1,
    "gid": 0,
    "lun": 0,
    "maxBatchInstancePercent": 0,
    "maxParallelTasks": -1,
    "maxTaskRetryCount": -1,
    "maxUnhealthyInstancePercent": 0,
    "maxUnhealthyUpgradedInstancePercent": 0,
    "priority": -1000,
    "requiredSlots": 1,
    "targetDedicatedNodes": 0,
    "targetLowPriorityNodes": 0,
    "taskSlotsPerNode": 1,
    "uid": 0,
}


def clean(body: Any, allowed: frozenset[str], kind: str, version: str = "") -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """Return the body of a request in the format of the data plane, with numbers and without nulls, or refuse it.

    Parameters
    ----------
    body
        As sent, in the format of the data plane.
    allowed
        The names that it may have.
    kind
        The type of the body in the service.
    version
        The api-version of the request; empty for one that has all members of the type.
    """
    # A client that sends back what it has read sends annotations of OData, which mean nothing in requests.
    body = {name: value for name, value in checked_body(body).items() if not name.startswith("odata.")}
    for name in body:
        if name not in allowed:
            raise unknown_name(name, kind)
    body = to_batch(body)
    check_words(body)
    cleaned: dict[str, Any] = _numbers(body)
    check_body(cleaned, kind, version)
    return cleaned


def checked_body(body: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """Return a body of either plane without nulls, or refuse one whose parts are not of the right JSON type."""
    if not isinstance(body, dict):
        raise refusal("InvalidRequestBody", ("Reason", "The request body must be a JSON object"))
    whole: dict[str, Any] = _shape(body, "")
    return whole


def _shape(value: Any, name: str) -> Any:  # noqa: ANN401 - any JSON
    wrong = (
        (name in _OBJECTS and not isinstance(value, dict))
        or (name in _ROWS and not (isinstance(value, list) and all(isinstance(row, dict) for row in value)))
        or (name in _LISTS and not isinstance(value, list))
        or (name in _FLAGS and not isinstance(value, bool))
        or (name in _TEXTS and not isinstance(value, str))
        or (name in NUMBERS and not isinstance(value, int | str))
    )
    if wrong:
        reason = f"The value of property '{name}' is not of the type that is expected"
        raise refusal("InvalidRequestBody", ("Reason", reason))
    if isinstance(value, dict) and name not in OPAQUE_OBJECTS:
        return {inner: _shape(part, inner) for inner, part in value.items() if part is not None}
    return [_shape(row, "") for row in value] if isinstance(value, list) else value


def _numbers(value: Any, under: str = "") -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        return value if under in OPAQUE_OBJECTS else {name: _numbers(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [_numbers(inner, under) for inner in value]
    if under not in NUMBERS:
        return value
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,10}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not NUMBERS[under] <= value < 2**31:
        raise bad_property(under, value)
    return value
