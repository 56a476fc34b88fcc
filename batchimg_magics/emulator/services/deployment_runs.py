"""Runs of template deployments: each resource in its order, at its time, by the same request as a client's.

Everything is done when the deployment begins, with the times at which it happens: a resource whose turn comes later
does not exist before, and a deployment shows its state at the time of a request.

Source: "Define the order for deploying resources", "Troubleshoot common Azure deployment errors".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from batchimg_magics.emulator.http.messages import Refusal
from batchimg_magics.emulator.services.templates.azure_functions import send
from batchimg_magics.emulator.services.templates.expressions import TemplateError
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.http.messages import Call, Reply
    from batchimg_magics.emulator.services.templates.planning import PlannedResource
    from batchimg_magics.emulator.services.templates.template import LoadedTemplate

evidence = Evidence("Template deployments")
_STEP_S = evidence.assumed(
    1.0, "s", "between the end of a resource in a deployment and the start of those that depend on it", "not recorded"
)
evidence.rule(
    "Policies, missing rights, locks, quotas and sizes that are not available refuse a deployment before it begins; "
    "everything else fails the operation of its resource.",
    "the documents name policies and quotas; which checks the providers do before is not documented",
)
evidence.rule(
    "If the resource of one operation fails, those that do not depend on it are deployed all the same.",
    "the documents say so; in Azure the others may be stopped",
)
#: The codes of refusals that are found before a deployment begins.
PREFLIGHT_CODES = frozenset(
    {"RequestDisallowedByPolicy", "AuthorizationFailed", "LinkedAuthorizationFailed", "ScopeLocked", "SkuNotAvailable"}
    | {"NoRegisteredProviderFound", "MissingSubscriptionRegistration", "LocationNotAvailableForResourceType"}
    | {"InvalidResourceLocation", "InvalidResourceNamespace", "InvalidResourceType", "InvalidApiVersionParameter"}
    | {"NotImplemented", "InvalidTemplate", "InvalidTemplateDeployment", "MarketplacePurchaseEligibilityFailed"}
)
_STATUS_WORDS = {200: "OK", 201: "Created", 202: "Accepted"}
_ERROR_WORDS = {400: "BadRequest", 403: "Forbidden", 404: "NotFound", 409: "Conflict", 429: "TooManyRequests"}


class Operation(msgspec.Struct):
    """What a deployment does with one resource, or with its outputs.

    Parameters
    ----------
    id, type, name
        Of the resource; empty for the outputs.
    begin, end
        In seconds since 1970.
    status
        HTTP status in Azure's words.
    error
        The error in Azure's form; None if it succeeds.
    created
        Whether it makes the resource.
    """

    id: str
    type: str
    name: str
    begin: float
    end: float
    status: str = "OK"
    error: dict[str, Any] | None = None
    created: bool = False


class Run(msgspec.Struct):
    """The course of a deployment.

    Parameters
    ----------
    operations
        In the order of their begins.
    end
        When the last one is over.
    outputs
        Of the template; empty if it fails.
    refusals
        Of resources, that Azure finds before the deployment begins.
    """

    operations: list[Operation] = msgspec.field(default_factory=list)
    end: float = 0.0
    outputs: dict[str, Any] = msgspec.field(default_factory=dict)
    refusals: list[tuple[PlannedResource, Refusal]] = msgspec.field(default_factory=list)

    @property
    def errors(self) -> list[dict[str, Any]]:
        """The errors of the operations."""
        return [one.error for one in self.operations if one.error is not None]


def run(call: Call, template: LoadedTemplate) -> Run:
    """Deploy the resources of a template from now on."""
    found = Run(end=call.now + _STEP_S)
    done: dict[str, float] = {}
    for planned in template.resources:
        if any(key not in done for key in planned.depends):
            continue  # what it depends on failed
        begin = max((done[key] for key in planned.depends), default=call.now) + _STEP_S
        if not planned.deployed:
            done[planned.key] = begin - _STEP_S
            continue
        operation = _deploy(call, template, planned, begin, found)
        found.operations.append(operation)
        found.end = max(found.end, operation.end)
        if operation.error is None:
            done[planned.key] = operation.end
    if not found.errors:
        _evaluate_outputs(template, found)
    found.operations.sort(key=lambda one: one.begin)
    return found


def _deploy(call: Call, template: LoadedTemplate, planned: PlannedResource, begin: float, found: Run) -> Operation:
    template.place.now = begin
    names = planned.id.partition("/providers/")[2].split("/")[2::2] or [planned.id.rpartition("/")[2]]
    operation = Operation(planned.id, planned.type, "/".join(names), begin, begin)
    before = call.store.get(planned.key)
    try:
        with call.store.savepoint():
            reply: Reply = send(call, "PUT", planned.id, planned.version, planned.body(), begin)
    except Refusal as refusal:
        if is_preflight(refusal):
            found.refusals.append((planned, refusal))
        operation.error = error_of(refusal)
        operation.status = _ERROR_WORDS.get(refusal.status, "InternalServerError")
        return operation
    except TemplateError as error:
        operation.error = {"code": "InvalidTemplate", "message": _in_resource(planned, error)}
        operation.status = "BadRequest"
        return operation
    operation.end, failure = _end_of(call, reply, planned, begin)
    operation.status = _STATUS_WORDS.get(reply.status, "OK")
    operation.created = before is None
    if failure is not None:
        message = (
            "The resource write operation failed to complete successfully, because it reached terminal provisioning "
            "state 'Failed'."
        )
        inner = {"code": failure[0], "message": failure[1]}
        operation.error = {
            "code": "ResourceDeploymentFailure",
            "target": planned.id,
            "message": message,
            "details": [inner],
        }
        operation.status = "Conflict"
    return operation


def _in_resource(planned: PlannedResource, error: TemplateError) -> str:
    return (
        f"Unable to process template language expressions for resource '{planned.id}' at line '1' and column '1'. "
        f"'{error}'"
    )


def is_preflight(refusal: Refusal) -> bool:
    """Tell whether Azure finds a refusal before a deployment begins."""
    return refusal.code in PREFLIGHT_CODES or "quota" in refusal.message.lower()


def error_of(refusal: Refusal) -> dict[str, Any]:
    """Return a refusal in the form of an error."""
    error: dict[str, Any] = {"code": refusal.code, "message": refusal.message}
    if refusal.target is not None:
        error["target"] = refusal.target
    if refusal.details:
        error["details"] = [{"code": code, "message": message} for code, message in refusal.details]
    if refusal.additional_info:
        error["additionalInfo"] = refusal.additional_info
    return error


def _end_of(call: Call, reply: Reply, planned: PlannedResource, begin: float) -> tuple[float, tuple[str, str] | None]:
    """Return when the operation of a request ends, and its error: those of a poll."""
    for header in ("Azure-AsyncOperation", "Location"):
        item = call.store.get(urlsplit(reply.headers.get(header, "")).path)
        if item is not None and "end" in item.hidden:
            error = item.hidden.get("error")
            return float(item.hidden["end"]), (str(error[0]), str(error[1])) if error else None
    item = call.store.get(planned.key)
    work = (item.hidden.get("work") or {}) if item is not None else {}
    return float(work.get("end", begin)), None


def _evaluate_outputs(template: LoadedTemplate, found: Run) -> None:
    template.place.now = found.end
    if not template.document.get("outputs"):
        return
    operation = Operation("", "", "", found.end, found.end)
    try:
        found.outputs = template.outputs()
    except TemplateError as error:
        message = (
            f"The template output is not valid: {error} Please see https://aka.ms/arm-syntax-outputs for usage details."
        )
        operation.error = {"code": "DeploymentOutputEvaluationFailed", "message": message}
        operation.status = "BadRequest"
    except Refusal as refusal:
        inner = error_of(refusal)
        message = "Unable to evaluate template outputs. Please see error details and deployment operations."
        operation.error = {"code": "DeploymentOutputEvaluationFailed", "message": message, "details": [inner]}
        operation.status = "BadRequest"
    found.operations.append(operation)


def undo_later(call: Call, operations: list[dict[str, Any]]) -> None:
    """Remove the resources of a canceled deployment whose turn has not come."""
    for one in operations:
        if one["begin"] > call.now and one["created"]:
            for item in call.store.items_below(one["id"]):
                call.store.delete(item.key)
            call.store.delete(one["id"])


def output_resources(operations: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Return the ids of the deployed resources."""
    return [{"id": one["id"]} for one in operations if one["id"] and one["error"] is None]
