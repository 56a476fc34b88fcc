"""From the REST document of a pool to the fields of a spec.

Such a document is the body of a request to either plane, a response of Azure or its command line, or a resource in an
ARM template. Names and words are read in every spelling. What a spec cannot express is named, never dropped silently.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.document_machine import read_machine, read_upgrade_policy, seconds_of
from batchimg_magics.pool_spec.document_network import read_network
from batchimg_magics.pool_spec.document_part import DocumentPart, integer, without_empty
from batchimg_magics.pool_spec.document_tasks import read_mounts, read_start_task, read_users
from batchimg_magics.pool_spec.document_template import find_pool
from batchimg_magics.pool_spec.image_origin import ORIGIN_FIELDS
from batchimg_magics.pool_spec.tags import EXPIRES_TAG, POOL_TAG, RESERVED_PREFIX

if TYPE_CHECKING:
    from collections.abc import Container

__all__ = ["read_pool_document"]

#: What a document tells about the state of a pool; none of it is a setting.
_STATE = (
    "url", "eTag", "etag", "lastModified", "creationTime", "state", "stateTransitionTime", "allocationState",
    "allocationStateTransitionTime", "currentDedicatedNodes", "currentLowPriorityNodes", "resizeErrors",
    "autoScaleRun", "stats", "poolStatistics", "provisioningState", "provisioningStateTransitionTime",
    "resizeOperationStatus", "currentNodeCommunicationMode", "odata.metadata", "resourceGroup", "type", "apiVersion",
    "dependsOn", "location", "systemData", "comments", "kind",
)  # fmt: skip


def read_pool_document(
    body: object, name: str, options: Container[str] = ()
) -> tuple[dict[str, Any], list[str]] | None:
    """Return the fields of a spec that a REST document sets, and what cannot be kept of it.

    Parameters
    ----------
    body
        The document of a pool, a list of such documents, or a template with one. None is returned for anything else.
    name
        The name of the pool that is to be created.
    options
        The fields that options set; they take precedence.

    Raises
    ------
    SpecError
        The document contains a secret in clear text, several pools, or an expression of a template; or its nodes are
        cloud services.
    """
    found = find_pool(body, name)
    if found is None:
        return None
    omitted: list[str] = []
    whole = DocumentPart(found, "", omitted)
    inner = whole.part("properties")
    inner.path = ""
    pool = inner or whole
    _check_name(whole, pool, name)
    values = {
        **_read_settings(pool, options),
        "identities": _identities(whole.part("identity")),
        "tags": _own(whole.take("tags")),
    }
    for part in (whole, pool):
        for state in _STATE:
            part.take(state)
    whole.close()
    return without_empty(values), omitted


def _check_name(whole: DocumentPart, pool: DocumentPart, name: str) -> None:
    found = [str(part.take(key) or "").rpartition("/")[2] for part in (whole, pool) for key in ("name", "id")]
    other = next((one for one in found if one), "")
    if other and other.lower() != name.lower() and not other.endswith("]"):
        whole.omit(f"the name {other} (this pool is named {name})")


def _read_settings(pool: DocumentPart, options: Container[str]) -> dict[str, Any]:
    deployment = pool.part("deploymentConfiguration")
    deployment.path = ""
    owner = deployment or pool
    if owner.has("cloudServiceConfiguration"):
        raise SpecError(
            "the document describes a pool of cloud services, which Azure has retired", hint="use --from-vm"
        )
    given = any(field in options for field in ORIGIN_FIELDS)
    machine = owner.part("virtualMachineConfiguration")
    users = read_users(pool.rows("userAccounts"))
    policy = pool.part("taskSchedulingPolicy")
    linked = pool.take("enableInterNodeCommunication", "interNodeCommunication")
    metadata = {str(row.take("name")): row.take("value") or "" for row in pool.rows("metadata")}
    task, lists_packages = read_start_task(pool.part("startTask"), {user["name"] for user in users})
    values = {
        "vm_size": pool.take("vmSize"),
        "display_name": pool.take("displayName"),
        "task_slots": integer(pool.take("taskSlotsPerNode", "maxTasksPerNode")),
        "inter_node": linked is True or str(linked).lower() in ("enabled", "true"),
        "node_fill": policy.take_word(("spread", "pack"), "nodeFillType"),
        "job_order": policy.take_word(("none", "creationtime"), "jobDefaultOrder"),
        "user_accounts": users,
        "mounts": read_mounts(pool.rows("mountConfiguration")),
        "start_task": task,
        "packages": None if lists_packages or POOL_TAG not in metadata else False,
        "application_packages": _packages(pool),
        "upgrade_policy": read_upgrade_policy(pool.part("upgradePolicy")),
        **read_machine(machine, image=not given),
        **read_network(pool.part("networkConfiguration")),
        **_scale(pool, expires=EXPIRES_TAG in metadata),
        "metadata": _own(metadata),
    }
    if str(pool.take("targetNodeCommunicationMode") or "default").lower() != "default":
        pool.omit("targetNodeCommunicationMode")
    return values


def _own(pairs: object) -> dict[str, str]:
    """Return pairs without the ownership tags of this tool: the new pool gets its own."""
    known = pairs if isinstance(pairs, dict) else {}
    return {str(key): str(value) for key, value in known.items() if not str(key).lower().startswith(RESERVED_PREFIX)}


def _identities(identity: DocumentPart) -> list[str]:
    identity.take("type", "principalId", "tenantId")
    users = identity.take("userAssignedIdentities")
    if isinstance(users, list):  # on the data plane, with client ids
        return [str(one.get("resourceId")) for one in users if isinstance(one, dict)]
    return list(users) if isinstance(users, dict) else []


def _packages(pool: DocumentPart) -> dict[str, Any]:
    rows = pool.rows("applicationPackageReferences", "applicationPackages")
    return {str(row.take("applicationId", "id")).rpartition("/")[2]: row.take("version") for row in rows}


# -- number of nodes ----------------------------------------------------------------------------------------------


def _scale(pool: DocumentPart, *, expires: bool) -> dict[str, Any]:
    settings = pool.part("scaleSettings")
    settings.path = ""
    fixed, auto = settings.part("fixedScale"), settings.part("autoScale")
    counts = fixed or pool
    enabled = bool(auto) or pool.take("enableAutoScale") is True
    formula = auto.take("formula") or pool.take("autoScaleFormula")
    interval = auto.take("evaluationInterval") or pool.take("autoScaleEvaluationInterval")
    nodes, spot = (_count(counts.take(name)) for name in ("targetDedicatedNodes", "targetLowPriorityNodes"))
    timeout = counts.take("resizeTimeout")
    if option := counts.take("nodeDeallocationOption"):
        counts.omit(f"nodeDeallocationOption {option}")
    if enabled and expires:
        pool.omit("the expiry of the pool (add --ttl)")
        nodes, spot = (
            nodes or _count(pool.take("currentDedicatedNodes")),
            spot or _count(pool.take("currentLowPriorityNodes")),
        )
    if not enabled or expires:
        return {"nodes": nodes, "spot": spot, "timeout": _timeout(timeout)}
    return {"formula": formula, "formula_interval": seconds_of(interval) if interval else None}


def _count(value: object) -> int:
    return int(value) if isinstance(value, (int, str)) and str(value).isdigit() else 0


def _timeout(value: object) -> float | None:
    """Return a resize timeout; the service's default of 15 minutes is left to this tool, which depends on the size."""
    seconds = seconds_of(value) if value else None
    return None if seconds == DEFAULT_TIMEOUT_S else seconds


#: Source: Batch OpenAPI, resizeTimeout.
DEFAULT_TIMEOUT_S = 900.0
