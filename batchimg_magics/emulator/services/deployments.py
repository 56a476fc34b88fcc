"""Template deployments to a resource group or a subscription: validate, create, read, list, cancel, delete.

Source: Microsoft's OpenAPI of Microsoft.Resources/deployments; the errors as "Troubleshoot common Azure deployment
errors" has them.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.arm import bodies, resources
from batchimg_magics.emulator.http import odata_filter
from batchimg_magics.emulator.http.messages import Call, Refusal, Reply, Routes
from batchimg_magics.emulator.services import deployment_documents, deployment_runs
from batchimg_magics.emulator.services.deployment_documents import DEPLOYMENTS, document_of, id_of, operations_of
from batchimg_magics.emulator.services.templates import template
from batchimg_magics.emulator.services.templates.azure_functions import Place
from batchimg_magics.emulator.services.templates.expressions import TemplateError, UnsupportedTemplateError
from batchimg_magics.emulator.world.store import Item

if TYPE_CHECKING:
    from batchimg_magics.emulator.services.deployment_runs import Run
    from batchimg_magics.emulator.services.templates.template import LoadedTemplate

_NAME = re.compile(r"[-\w.()]{1,64}", re.ASCII)
_SCOPES = (
    "/subscriptions/{subscription}/resourcegroups/{group}/providers/Microsoft.Resources/deployments",
    "/subscriptions/{subscription}/providers/Microsoft.Resources/deployments",
)
_DELETE_S = 2.0
_POLL_S = "5"

routes = Routes("arm")


# -- the request -------------------------------------------------------------------------------------------------


def _load(call: Call) -> LoadedTemplate:
    """Return the template of a request, or refuse it."""
    if "group" in call.params:
        resources.need_group(call)
    else:
        resources.need_subscription(call)
    name = call.params["deployment"]
    if not _NAME.fullmatch(name):
        message = (
            f"The deployment name '{name}' is not valid: it has to have up to 64 characters of letters, digits, '-', "
            "'_', '.', '(' and ')'."
        )
        raise Refusal(400, "InvalidDeploymentName", message)
    call.body = bodies.body_of(call)
    _check_location(call, name)
    asked = call.body["properties"]
    mode = asked.get("mode")
    if str(mode).lower() not in ("incremental", "complete"):
        message = f"The request content was invalid and could not be deserialized: 'mode' is '{mode}'."
        raise Refusal(400, "InvalidRequestContent", message)
    for word in ("templateLink", "parametersLink"):
        if asked.get(word) is not None:
            raise _unsupported(f"{word}: it downloads nothing")
    if str(mode).lower() == "complete":
        raise _unsupported("the mode Complete, which deletes what the template does not have")
    parameters = asked.get("parameters") or {}
    shown = {name: one for name, one in asked.items() if name in ("template", "mode")}
    deployment = {"name": name, "properties": shown | {"parameters": parameters, "provisioningState": "Accepted"}}
    deployment |= {"location": call.body["location"]} if "group" not in call.params else {}
    place = Place(call, call.params["subscription"], call.params.get("group", ""), deployment, call.now)
    try:
        return template.load(asked.get("template"), parameters, place)
    except TemplateError as error:
        message = f"Deployment template validation failed: '{error}'."
        raise Refusal(400, "InvalidTemplate", message) from error
    except UnsupportedTemplateError as error:
        raise _unsupported(str(error)) from error


def _check_location(call: Call, name: str) -> None:
    """Check the region of the deployment's own data, which only deployments to a subscription have."""
    given = call.body.get("location")
    if "group" not in call.params and not given:
        message = (
            f"The 'location' property must be specified for '{name}'. Please see https://aka.ms/deploy-to-subscription "
            "for usage details."
        )
        raise Refusal(400, "InvalidDeployment", message)
    if "group" in call.params and given:
        message = (
            f"The 'location' property is not allowed for '{name}' at resource group scope. Please see "
            "https://aka.ms/deploy-to-subscription for usage details."
        )
        raise Refusal(400, "InvalidDeployment", message)


def _unsupported(what: str) -> Refusal:
    return Refusal(501, "NotImplemented", f"The emulator deploys no template with {what}.")


def _run(call: Call, loaded: LoadedTemplate) -> Run:
    """Deploy a template, or refuse it as Azure does before it begins."""
    try:
        found = deployment_runs.run(call, loaded)
    except UnsupportedTemplateError as error:
        raise _unsupported(str(error)) from error
    if not found.refusals:
        return found
    planned, first = found.refusals[0]
    if first.status == 501:
        raise first
    details = [(one.code, one.message) for _, one in found.refusals]
    if first.code == "RequestDisallowedByPolicy":
        message = "The template deployment failed because of policy violation. Please see details for more information."
        raise Refusal(400, "InvalidTemplateDeployment", message, details=details, additional_info=first.additional_info)
    if first.code in ("AuthorizationFailed", "LinkedAuthorizationFailed"):
        message = (
            f"Authorization failed for template resource '{planned.id.rpartition('/')[2]}' of type '{planned.type}'. "
            f"{first.message}"
        )
        raise Refusal(403, "InvalidTemplateDeployment", f"The template deployment failed with error: '{message}'.")
    message = (
        f"The template deployment '{call.params['deployment']}' is not valid according to the validation procedure. "
        f"The tracking id is '{call.request_id}'. See inner errors for details."
    )
    raise Refusal(400, "InvalidTemplateDeployment", message, details=details)


# -- create and validate -----------------------------------------------------------------------------------------


def put_deployment(call: Call) -> Reply:
    """Begin a deployment."""
    loaded = _load(call)
    key = id_of(call)
    old = resources.find(call.store, call.now, key)
    if old is not None and call.now < old.hidden["end"]:
        message = (
            f"Unable to edit or replace deployment '{call.params['deployment']}': previous deployment from "
            f"'{old.doc['properties']['timestamp']}' is still active. Please see https://aka.ms/arm-deploy for usage "
            "details."
        )
        raise Refusal(409, "DeploymentActive", message)
    found = _run(call, loaded)
    document = deployment_documents.final_document(call, loaded, found)
    status = f"{key}/operationStatuses/{int(hashlib.sha256(call.request_id.encode()).hexdigest()[:16], 16):020d}"
    error = document["properties"].get("error")
    hidden = {
        "begin": call.now,
        "end": found.end,
        "operations": [msgspec.to_builtins(one) for one in found.operations],
        "template": loaded.document,
        "status": status,
        "error": [error["code"], error["message"]] if error else None,
    }
    item = Item(key.lower(), DEPLOYMENTS.lower(), document, hidden)
    call.store.put(item)
    polled = {"begin": call.now, "end": found.end, "deployment": key, "error": hidden["error"]}
    call.store.put(
        Item(status.lower(), f"{DEPLOYMENTS}/operationStatuses".lower(), {"id": status, "properties": {}}, polled)
    )
    headers = {"Azure-AsyncOperation": f"{call.base}{status}?api-version={call.api_version}", "Retry-After": "0"}
    return Reply(201 if old is None else 200, document_of(item, call.now, "Accepted"), headers)


def validate(call: Call) -> Reply:
    """Check a template and its resources without deploying them."""
    loaded = _load(call)
    with call.store.savepoint(keep=False):
        found = _run(call, loaded)
        document = deployment_documents.final_document(call, loaded, found)
    properties = {
        name: one for name, one in document["properties"].items() if name not in ("outputs", "outputResources", "error")
    }
    properties |= {"provisioningState": "Succeeded", "duration": "PT0S"}
    validated = [{"id": planned.id} for planned in loaded.resources if planned.deployed]
    return Reply(200, document | {"properties": properties | {"validatedResources": validated}})


def what_if(call: Call) -> Reply:
    """Refuse to predict the changes of a deployment."""
    raise _unsupported(f"what-if ({call.path}): it does not compare resources with their states")


def calculate_hash(call: Call) -> Reply:
    """Answer with the hash of a template."""
    if not isinstance(call.body, dict):
        raise Refusal(400, "InvalidRequestContent", "The request content was invalid and could not be deserialized.")
    minified = msgspec.json.encode(call.body).decode()
    return Reply(200, {"minifiedTemplate": minified, "templateHash": deployment_documents.template_hash(call.body)})


# -- read and delete ---------------------------------------------------------------------------------------------


def _need(call: Call) -> Item:
    if "group" in call.params:
        resources.need_group(call)
    item = resources.find(call.store, call.now, id_of(call))
    if item is None:
        message = f"Deployment '{call.params['deployment']}' could not be found."
        raise Refusal(404, "DeploymentNotFound", message, headers={"x-ms-failure-cause": "gateway"})
    return item


def get_deployment(call: Call) -> Reply:
    """Answer with one deployment, 204 to a HEAD."""
    item = _need(call)
    return Reply(204) if call.method == "HEAD" else Reply(200, document_of(item, call.now))


def list_deployments(call: Call) -> Reply:
    """Answer with the deployments of the scope, the newest first."""
    if "group" in call.params:
        resources.need_group(call)
        under = f"/subscriptions/{call.params['subscription']}/resourcegroups/{call.params['group']}/providers"
    else:
        resources.need_subscription(call)
        under = f"/subscriptions/{call.params['subscription']}/providers"
    items = [one for one in call.store.items(DEPLOYMENTS, under) if resources.document_at(one, call.now) is not None]
    items.sort(key=lambda one: -float(one.hidden["begin"]))
    rows = [document_of(one, call.now) for one in items]
    if text := call.query.get("$filter", "").strip():
        try:
            test = odata_filter.parse(text)
        except ValueError as error:
            message = f"Invalid $filter '{text}' specified in the query string: {error}."
            raise Refusal(400, "InvalidFilterInQueryString", message) from error
        rows = [one for one in rows if test({"provisioningState": one["properties"]["provisioningState"]})]
    if "$top" in call.query:
        rows = rows[: bodies.whole(call.query["$top"], "$top")]
    return Reply(200, {"value": rows})


def list_operations(call: Call) -> Reply:
    """Answer with the operations of a deployment that have begun."""
    return Reply(200, {"value": operations_of(_need(call), call.now)})


def get_operation(call: Call) -> Reply:
    """Answer with one operation of a deployment."""
    for one in operations_of(_need(call), call.now):
        if one["operationId"] == call.params["operation"]:
            return Reply(200, one)
    message = f"Deployment operation '{call.params['operation']}' could not be found."
    raise Refusal(404, "DeploymentOperationNotFound", message)


def poll(call: Call) -> Reply:
    """Answer with the status of a deployment."""
    item = call.store.get(call.path.rstrip("/"))
    deployment = call.store.get(item.hidden["deployment"]) if item is not None else None
    if item is None or deployment is None:
        raise Refusal(404, "NotFound", "The deployment was not found.")
    shown = document_of(deployment, call.now)["properties"]
    state = shown["provisioningState"]
    body: dict[str, Any] = {"status": "Running" if state == "Accepted" else state}
    waiting = {"Retry-After": _POLL_S} if body["status"] == "Running" else {}
    return Reply(200, body | ({"error": shown["error"]} if "error" in shown else {}), waiting)


def delete_deployment(call: Call) -> Reply:
    """Delete a deployment from the history; its resources stay."""
    item = resources.find(call.store, call.now, id_of(call))
    if item is None:
        return Reply(204)
    if call.now < item.hidden["end"]:
        message = f"Unable to delete deployment '{item.doc['name']}': it is still active. Cancel it first."
        raise Refusal(409, "DeploymentActive", message)
    resources.delete_until(call.store, item, call.now, call.now + _DELETE_S)
    path = f"{id_of(call)}/operationStatuses/deletion"
    call.store.put(
        Item(
            path.lower(),
            f"{DEPLOYMENTS}/deletions".lower(),
            {"id": path, "properties": {}},
            {"end": call.now + _DELETE_S},
        )
    )
    where = f"{call.base}{path}?api-version={call.api_version}"
    return Reply(202, None, {"Location": where, "Retry-After": "5"})


def poll_deletion(call: Call) -> Reply:
    """Answer whether the deletion of a deployment is done."""
    item = call.store.get(call.path.rstrip("/"))
    if item is None or call.now >= item.hidden["end"]:
        return Reply(204)
    return Reply(202, None, {"Location": f"{call.base}{call.path}?api-version={call.api_version}", "Retry-After": "5"})


def cancel(call: Call) -> Reply:
    """Cancel a deployment that is running: what has begun is completed, the rest is not deployed."""
    item = _need(call)
    if call.now >= item.hidden["end"]:
        message = (
            f"The deployment '{item.doc['name']}' cannot be canceled because it is not running: its state is "
            f"'{document_of(item, call.now)['properties']['provisioningState']}'."
        )
        raise Refusal(409, "DeploymentCannotBeCancelled", message)
    deployment_runs.undo_later(call, item.hidden["operations"])
    item.hidden |= {
        "end": call.now,
        "operations": [one for one in item.hidden["operations"] if one["begin"] <= call.now],
    }
    properties = item.doc["properties"]
    properties.pop("outputs", None)
    properties |= {"provisioningState": "Canceled", "error": {"code": "DeploymentCanceled", "message": "Canceled."}}
    properties["outputResources"] = deployment_runs.output_resources(item.hidden["operations"])
    call.store.put(item)
    return Reply(204)


def export(call: Call) -> Reply:
    """Answer with the template of a deployment."""
    return Reply(200, {"template": _need(call).hidden["template"]})


for _scope in _SCOPES:
    _one = f"{_scope}/{{deployment}}"
    routes.on("GET", _scope)(list_deployments)
    routes.on("GET", _one)(get_deployment)
    routes.on("PUT", _one)(put_deployment)
    routes.on("DELETE", _one)(delete_deployment)
    routes.on("POST", f"{_one}/validate")(validate)
    routes.on("POST", f"{_one}/whatIf")(what_if)
    routes.on("POST", f"{_one}/cancel")(cancel)
    routes.on("POST", f"{_one}/exportTemplate")(export)
    routes.on("GET", f"{_one}/operations")(list_operations)
    routes.on("GET", f"{_one}/operations/{{operation}}")(get_operation)
    routes.on("GET", f"{_one}/operationStatuses/{{status}}")(poll)
    routes.on("GET", f"{_one}/operationStatuses/deletion")(poll_deletion)
# The older path, which the Azure CLI uses.
_OLDER = "/subscriptions/{subscription}/resourcegroups/{group}/deployments/{deployment}/operations"
routes.on("GET", _OLDER)(list_operations)
routes.on("GET", f"{_OLDER}/{{operation}}")(get_operation)
routes.on("POST", "/providers/Microsoft.Resources/calculateTemplateHash")(calculate_hash)
