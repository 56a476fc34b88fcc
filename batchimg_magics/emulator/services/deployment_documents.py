"""The documents of template deployments and of their operations at a time.

Source: Microsoft's OpenAPI of Microsoft.Resources/deployments.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.http.planes import timestamp
from batchimg_magics.emulator.services.deployment_runs import output_resources
from batchimg_magics.emulator.services.templates.expressions import TemplateError
from batchimg_magics.emulator.world.chance import NEVER

if TYPE_CHECKING:
    from batchimg_magics.emulator.http.messages import Call
    from batchimg_magics.emulator.services.deployment_runs import Run
    from batchimg_magics.emulator.services.templates.planning import PlannedResource
    from batchimg_magics.emulator.services.templates.template import LoadedTemplate
    from batchimg_magics.emulator.world.store import Item

DEPLOYMENTS = "Microsoft.Resources/deployments"
#: What a deployment shows only when it is over.
_AT_THE_END = ("outputs", "outputResources", "error")


def id_of(call: Call) -> str:
    """Return the id of the deployment in the path of a request."""
    top = f"/subscriptions/{call.params['subscription']}"
    if "group" in call.params:
        top += f"/resourceGroups/{call.params['group']}"
    return f"{top}/providers/{DEPLOYMENTS}/{call.params['deployment']}"


def template_hash(template: dict[str, Any]) -> str:
    """Return the hash of a template: digits, as Azure's."""
    return str(int(hashlib.sha256(msgspec.json.encode(template)).hexdigest()[:16], 16))


def final_document(call: Call, loaded: LoadedTemplate, found: Run) -> dict[str, Any]:
    """Return the document of a deployment when it is over."""
    asked = call.body["properties"]
    errors = found.errors
    properties: dict[str, Any] = {
        "templateHash": template_hash(loaded.document),
        "parameters": loaded.shown_parameters(),
        "mode": "Incremental",
        "provisioningState": "Failed" if errors else "Succeeded",
        "timestamp": timestamp(found.end if found.end < NEVER else call.now),
        "duration": _duration(found.end - call.now),
        "correlationId": call.headers.get("x-ms-correlation-request-id") or call.request_id,
        "providers": _providers(loaded),
        "dependencies": _dependencies(loaded),
    }
    if debug := asked.get("debugSetting"):
        properties["debugSetting"] = debug
    operations = [msgspec.to_builtins(one) for one in found.operations]
    properties["outputResources"] = output_resources(operations)
    if errors:
        properties["error"] = {
            "code": "DeploymentFailed",
            "target": id_of(call),
            "message": (
                "At least one resource deployment operation failed. Please list deployment operations for details. "
                "Please see https://aka.ms/arm-deployment-operations for usage details."
            ),
            "details": errors,
        }
    elif loaded.document.get("outputs"):
        properties["outputs"] = found.outputs
    top: dict[str, Any] = {"id": id_of(call), "name": call.params["deployment"], "type": DEPLOYMENTS}
    top |= {name: call.body[name] for name in ("location", "tags") if call.body.get(name) is not None}
    return {**top, "properties": properties}


def _duration(seconds: float) -> str:
    return f"PT{seconds:.7f}".rstrip("0").rstrip(".") + "S"


def _providers(loaded: LoadedTemplate) -> list[dict[str, Any]]:
    found: dict[str, dict[str, list[str | None]]] = {}
    for planned in loaded.resources:
        namespace, _, kind = planned.type.partition("/")
        shown = _region(planned)
        listed = found.setdefault(namespace, {}).setdefault(kind, [])
        listed += [shown] if shown not in listed else []
    return [
        {
            "namespace": namespace,
            "resourceTypes": [{"resourceType": kind, "locations": regions} for kind, regions in kinds.items()],
        }
        for namespace, kinds in found.items()
    ]


def _region(planned: PlannedResource) -> str | None:
    """Return the region of a resource, None without one or if it is known only when the template runs."""
    region = planned.source.get("location")
    try:
        found = msgspec.structs.replace(planned.scope, runtime=None).value(region) if isinstance(region, str) else None
    except TemplateError:
        return None
    return found if isinstance(found, str) else None


def _dependencies(loaded: LoadedTemplate) -> list[dict[str, Any]]:
    by_key = {one.key: one for one in loaded.resources}

    def row(key: str) -> dict[str, str]:
        one = by_key[key]
        return {"id": one.id, "resourceType": one.type, "resourceName": one.id.rpartition("/")[2]}

    return [{"dependsOn": [row(key) for key in one.depends], **row(one.key)} for one in loaded.resources if one.depends]


def document_of(item: Item, now: float, state: str = "Running") -> dict[str, Any]:
    """Return the document of a deployment at a time.

    Parameters
    ----------
    item, now
        The deployment, and the time.
    state
        Its provisioning state until it is over.
    """
    if now >= item.hidden["end"]:
        return item.doc
    properties = {name: one for name, one in item.doc["properties"].items() if name not in _AT_THE_END}
    begin = float(item.hidden["begin"])
    properties |= {
        "provisioningState": state,
        "timestamp": timestamp(begin),
        "duration": _duration(max(0.0, now - begin)),
    }
    return item.doc | {"properties": properties}


def operations_of(item: Item, now: float) -> list[dict[str, Any]]:
    """Return the operations of a deployment that have begun at a time."""
    rows = []
    for one in item.hidden["operations"]:
        if one["begin"] > now:
            continue
        over = now >= one["end"]
        state = ("Failed" if one["error"] else "Succeeded") if over else "Running"
        number = hashlib.sha256(f"{item.key}/{one['id']}".encode()).hexdigest()[:16].upper()
        properties: dict[str, Any] = {
            "provisioningOperation": "Create" if one["id"] else "EvaluateDeploymentOutput",
            "provisioningState": state,
            "timestamp": timestamp(min(now, one["end"])),
            "duration": _duration(min(now, one["end"]) - one["begin"]),
            "trackingId": item.doc["properties"]["correlationId"],
            "statusCode": one["status"] if over else "Accepted",
        }
        if over and one["error"]:
            properties["statusMessage"] = {"status": "Failed", "error": one["error"]}
        if one["id"]:
            properties["targetResource"] = {
                "id": one["id"],
                "resourceType": one["type"],
                "resourceName": one["name"],
            }
        rows.append({"id": f"{item.doc['id']}/operations/{number}", "operationId": number, "properties": properties})
    return rows
