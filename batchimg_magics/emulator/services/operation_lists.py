"""The operations of resource providers: what a role can allow.

Source: the form is that of the lists ``/providers/NAMESPACE/operations`` and of ``providerOperations`` in the REST
references; the operations follow from the resource types and the actions on them.
"""

from __future__ import annotations

import functools
from typing import Any

from batchimg_magics.emulator.arm.scopes import PROVIDER
from batchimg_magics.emulator.catalog.api_versions import all_namespaces, has_types, types_of
from batchimg_magics.emulator.http.messages import Call, Refusal, Reply, Routes
from batchimg_magics.emulator.http.planes import unknown_route
from batchimg_magics.emulator.world.evidence import Evidence

evidence = Evidence("Lists of operations")
evidence.rule(
    "A provider has the operations read, write and delete on each of its types, and the actions that the emulator "
    "checks; their descriptions are the emulator's.",
    "no recording shows a list of operations",
)
routes = Routes("arm")
_ACTIONS = {
    "Microsoft.Batch/batchAccounts": ("listKeys", "regenerateKeys", "syncAutoStorageKeys"),
    "Microsoft.Batch/batchAccounts/pools": ("disableAutoscale", "stopResize"),
    "Microsoft.Compute/disks": ("beginGetAccess", "endGetAccess"),
    "Microsoft.Compute/galleries": ("share",),
    "Microsoft.Compute/snapshots": ("beginGetAccess", "endGetAccess"),
    "Microsoft.Compute/virtualMachines": (
        "capture",
        "convertToManagedDisks",
        "deallocate",
        "generalize",
        "powerOff",
        "reapply",
        "redeploy",
        "restart",
        "runCommand",
        "start",
    ),
    "Microsoft.Network/networkInterfaces": ("join",),
    "Microsoft.Network/networkSecurityGroups": ("join",),
    "Microsoft.Network/publicIPAddresses": ("join",),
    "Microsoft.Network/virtualNetworks/subnets": ("join",),
    "Microsoft.Resources/deployments": ("cancel", "exportTemplate", "validate", "whatIf"),
    "Microsoft.Storage/storageAccounts": ("listKeys", "regenerateKey"),
}
_DATA_TYPES = {"Microsoft.Batch": ("batchAccounts/jobs", "batchAccounts/jobSchedules")}
#: Operations of other services on a provider's types, which come first. Source: the tests of azure-mgmt-batch.
_SYSTEM = {"Microsoft.Batch": "batchAccounts/providers/Microsoft.Insights/diagnosticSettings"}
_READ_ONLY = frozenset({"operations", "skus", "usages"})


def _operation(namespace: str, kind: str, verb: str, *, on_data: bool = False) -> dict[str, Any]:
    name = f"{namespace}/{kind}/{verb}"
    shown = {
        "provider": namespace.replace(".", " "),
        "resource": kind,
        "operation": verb,
        "description": f"{verb} on {kind}",
    }
    return {"name": name, "isDataAction": on_data, "display": shown, "origin": "user,system"}


def _diagnostics(namespace: str, kind: str, verb: str) -> dict[str, Any]:
    one = _operation(namespace, kind, verb)
    words = {"operation": f"{verb.capitalize()} diagnostic setting"}
    return one | {"display": one["display"] | words, "origin": "system"}


@functools.cache
def _operations(namespace: str) -> dict[str, list[dict[str, Any]]]:
    """Return the operations of a provider by resource type."""
    found: dict[str, list[dict[str, Any]]] = {}
    if (system := _SYSTEM.get(namespace)) is not None:
        found[system] = [_diagnostics(namespace, system, verb) for verb in ("read", "write")]
    for kind in types_of(namespace):
        is_view = kind.split("/", maxsplit=1)[0] == "locations" or kind.rpartition("/")[2] in _READ_ONLY
        verbs = ("read",) if is_view else ("read", "write", "delete")
        acts = [f"{one}/action" for one in _ACTIONS.get(f"{namespace}/{kind}", ())]
        found[kind] = [_operation(namespace, kind, verb) for verb in (*verbs, *acts)]
    for kind in _DATA_TYPES.get(namespace, ()):
        found[kind] = [_operation(namespace, kind, verb, on_data=True) for verb in ("read", "write", "delete")]
    return found


def _namespace(call: Call) -> str:
    asked = call.params["provider"]
    name = all_namespaces().get(asked.lower())
    if name is None:
        raise Refusal(404, "InvalidResourceNamespace", f"The resource namespace '{asked}' is invalid.")
    if not has_types(name):
        raise unknown_route(call.method, call.path, call.api_version, what=f"the operations of {name}")
    return name


@routes.on("GET", "/providers/{provider}/operations")
def list_operations(call: Call) -> Reply:
    """Answer with the operations of a provider."""
    name = _namespace(call)
    rows = [one for found in _operations(name).values() for one in found]
    if name == "Microsoft.Compute":  # its OpenAPI document has no such member
        rows = [{key: value for key, value in one.items() if key != "isDataAction"} for one in rows]
    return Reply(200, {"value": rows})


def _provider_operations(namespace: str) -> dict[str, Any]:
    def described(one: dict[str, Any]) -> dict[str, Any]:
        return {
            "name": one["name"],
            "displayName": one["display"]["operation"],
            "description": one["display"]["description"],
            "isDataAction": one["isDataAction"],
        }

    return {
        "id": f"{PROVIDER}/providerOperations/{namespace}",
        "type": "Microsoft.Authorization/providerOperations",
        "name": namespace,
        "displayName": namespace,
        "operations": [],
        "resourceTypes": [
            {"name": kind, "displayName": kind, "operations": [described(one) for one in rows]}
            for kind, rows in _operations(namespace).items()
        ],
    }


@routes.on("GET", f"{PROVIDER}/providerOperations")
def list_provider_operations(_: Call) -> Reply:
    """Answer with the operations of all providers of the emulator, for roles."""
    return Reply(200, {"value": [_provider_operations(one) for one in all_namespaces().values() if has_types(one)]})


@routes.on("GET", f"{PROVIDER}/providerOperations/{{provider}}")
def get_provider_operations(call: Call) -> Reply:
    """Answer with the operations of a provider, for roles."""
    return Reply(200, _provider_operations(_namespace(call)))
