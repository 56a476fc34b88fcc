"""Differences of older api-versions: properties that pools did not have, and names that have changed.

Source: the models of azure-batch 8.0.0 (2019-08-01.10.0) and azure-mgmt-batch 8.0.0 (2020-03-01).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.batch.rest.body_checks import unknown_name
from batchimg_magics.emulator.batch.rest.dialects import OPAQUE_OBJECTS
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.http.messages import Call

evidence = Evidence("Old api-versions of pools")
evidence.rule(
    "Pool properties that are newer than 2019-08-01.10.0 (Resource Manager: 2020-03-01) are refused up to it.",
    "the SDKs' models of these two versions were compared with today's, and none between them",
)
#: The api-versions of these models, by plane.
_LAST_OLD_VERSION = {"batch": "2019-08-01.10.0", "arm": "2020-03-01"}
#: Newer properties on both planes, and on the data plane alone; a name means the same everywhere.
_LATER = frozenset(
    {
        "automaticOSUpgradePolicy", "enableAcceleratedNetworking", "extensions", "identityReference",
        "nodePlacementConfiguration", "osDisk", "resourceTags", "securityProfile", "serviceArtifactReference",
        "targetNodeCommunicationMode", "taskSlotsPerNode", "upgradePolicy",
    }
)  # fmt: skip
_LATER_BY_PLANE = {"batch": _LATER | {"diskEncryptionConfiguration", "publicIPAddressConfiguration"}, "arm": _LATER}


def check_pool_names(call: Call, pool: Any, plane: str) -> None:  # noqa: ANN401 - any JSON
    """Refuse a pool with a property that its api-version does not have.

    Parameters
    ----------
    call
        The request.
    pool
        The pool in the body, in the format of either plane.
    plane
        ``batch`` or ``arm``.
    """
    if call.api_version <= _LAST_OLD_VERSION[plane]:
        _walk(pool, _LATER_BY_PLANE[plane], "PoolAddParameter" if plane == "batch" else "Pool")


def _walk(value: Any, later: frozenset[str], kind: str) -> None:  # noqa: ANN401 - any JSON
    if isinstance(value, list):
        for one in value:
            _walk(one, later, kind)
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name in later:
                raise unknown_name(name, kind)
            if name not in OPAQUE_OBJECTS:
                _walk(inner, later, name[:1].upper() + name[1:])


#: The first api-versions with task slots instead of tasks per node, and with one OS version of a cloud service, by
#: plane. Source: the change logs of azure-batch (10.0.0, 5.0.0) and azure-mgmt-batch (14.0.0, 6.0.0).
_SLOTS_SINCE = {"batch": "2020-09-01", "arm": "2021-01-01"}
_OS_VERSION_SINCE = {"batch": "2018-08-01", "arm": "2018-12-01"}


def from_older(pool: Any, version: str, plane: str) -> Any:  # noqa: ANN401 - any JSON
    """Return a pool of a request with an older api-version with today's names, in the format of the data plane."""
    if not isinstance(pool, dict):
        return pool
    if version < _SLOTS_SINCE[plane] and "maxTasksPerNode" in pool:
        pool = dict(pool)
        pool["taskSlotsPerNode"] = pool.pop("maxTasksPerNode")
    service = pool.get("cloudServiceConfiguration")
    if version < _OS_VERSION_SINCE[plane] and isinstance(service, dict) and "targetOSVersion" in service:
        kept = {name: value for name, value in service.items() if not name.endswith("OSVersion")}
        pool = pool | {"cloudServiceConfiguration": kept | {"osVersion": service["targetOSVersion"]}}
    return pool


def to_older(pool: dict[str, Any], version: str, plane: str) -> dict[str, Any]:
    """Return the configuration of a pool with the names of an older api-version."""
    pool = dict(pool)
    if version < _SLOTS_SINCE[plane]:
        pool["maxTasksPerNode"] = pool.pop("taskSlotsPerNode")
    if version < _OS_VERSION_SINCE[plane] and (service := pool.get("cloudServiceConfiguration")):
        kept = {name: value for name, value in service.items() if name != "osVersion"}
        both = dict.fromkeys(("targetOSVersion", "currentOSVersion"), service["osVersion"])
        pool["cloudServiceConfiguration"] = kept | both
    return pool
