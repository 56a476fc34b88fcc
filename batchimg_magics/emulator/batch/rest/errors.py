"""The errors of Microsoft.Batch: one table of codes, for both planes.

Source: "Batch Status and Error Codes" of the Batch REST reference, and the recorded bodies where they differ from it.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from batchimg_magics.emulator.http.dates import batch_timestamp
from batchimg_magics.emulator.http.messages import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.emulator.http.messages import Call, Reply

#: The target of ARM's error, which identifies an error of the Batch service itself.
_TARGET = "BatchAccount"

#: Recorded: errors of 2014 and 2015 are not wrapped, errors of 2017 are wrapped like ARM's own.
_WRAPPED_SINCE = "2016"

#: code -> (status, message).
_ERRORS = {
    "ActiveJobAndScheduleQuotaReached": (409, "Active job and schedule quota for the account has been reached."),
    "RequestBodyTooLarge": (413, "The size of the request body exceeds the maximum size permitted."),
    "AutoScalingFormulaTooLong": (400, "The specified auto-scaling formula exceeds lengths limit."),
    "AutoScalingFormulaSyntaxError": (400, "The specified auto-scaling formula has a syntax error."),
    "CloudServiceConfigurationRetired": (
        400,
        "CloudServiceConfiguration pools are retired as of 2/29/2024, and new pools of this type cannot be added",
    ),
    "ApplicationNotFound": (404, "The specified application does not exist."),
    "ConditionNotMet": (412, "The condition specified using HTTP conditional header(s) is not met."),
    "EmptyMetadataKey": (400, "The key for one of the metadata key-value pairs is empty."),
    "FileNotFound": (404, "The specified file does not exist."),
    "InvalidApplicationPackageReferences": (
        409,
        "One or more of the specified application package references are invalid.",
    ),
    "InvalidAutoScalingSettings": (400, "The specified auto-scaling settings are not valid."),
    "InvalidCertificateReferences": (409, "One or more of the specified certificate references are invalid."),
    "InvalidHeaderValue": (400, "The value provided for one of the HTTP headers was not in the correct format."),
    "InvalidPropertyValue": (
        400,
        "The value provided for one of the properties in the request body is invalid.",
    ),
    "InvalidQueryParameterValue": (
        400,
        "Value for one of the query parameters specified in the request URI is invalid.",
    ),
    "InvalidRange": (416, "The range specified is invalid for the current size of the resource."),
    "InvalidRequestBody": (400, "The specified Request Body is not syntactically valid."),
    "IOError": (403, "An I/O error occurred when accessing the specified resource."),
    "JobBeingDeleted": (409, "The specified job has been marked for deletion and is being garbage collected."),
    "JobBeingTerminated": (409, "The specified job is being terminated."),
    "JobCompleted": (409, "The specified job is already in a completed state."),
    "JobExists": (409, "The specified job already exists."),
    "JobPreparationTaskNotSpecified": (409, "The specified job does not have job preparation task."),
    "JobScheduleBeingDeleted": (
        409,
        "The specified job schedule has been marked for deletion and is being reclaimed.",
    ),
    "JobScheduleBeingTerminated": (409, "The specified job schedule is being terminated."),
    "JobScheduleCompleted": (409, "The specified job schedule is already in completed state."),
    "JobScheduleExists": (409, "The specified job schedule already exists."),
    "JobScheduleNotFound": (404, "The specified job schedule does not exist."),
    "JobScheduleWithSameIdExists": (
        409,
        "A job schedule with the specified job id exists. Job and job schedule cannot have the same id.",
    ),
    "JobWithSameIdExists": (
        409,
        "A job with the specified job schedule id exists. Job and job schedule cannot have the same id.",
    ),
    "JobNotActive": (409, "The specified job is not in active state."),
    "JobNotFound": (404, "The specified job does not exist."),
    "MetadataTooLarge": (400, "The size of the metadata exceeds the maximum permitted."),
    "MissingRequiredProperty": (400, "A required property was not specified in the request body."),
    "MultipleConditionHeadersNotSupported": (400, "Multiple condition headers are not supported."),
    "NodeAlreadyInTargetSchedulingState": (409, "The specified node is already in the target scheduling state."),
    "NodeBeingCreated": (409, "The specified node is being created."),
    "NodeBeingRebooted": (409, "The specified node is being rebooted."),
    "NodeBeingReimaged": (409, "The specified node is being reimaged."),
    "NodeBeingStarted": (409, "The specified node is being started."),
    "NodeNotFound": (404, "The specified node does not exist."),
    "NodeNotReady": (409, "Node is not able to perform the requested operations in its current state"),
    "NodeStateUnusable": (409, "The state of the specified node is unusable."),
    "NodeUserExists": (409, "The specified node user already exists."),
    "NodeUserNotFound": (404, "The specified node user does not exist."),
    "OperationInvalidForCurrentState": (
        409,
        "The specified operation is not valid for the current state of the resource.",
    ),
    "OperationNotValidOnNode": (409, "The specified operation is not valid on the node."),
    "OutOfRangeInput": (400, "One of the request inputs is out of range."),
    "PoolBeingDeleted": (409, "The specified pool has been marked for deletion and is being reclaimed."),
    "PoolBeingResized": (409, "The specified pool is being resized."),
    "PoolExists": (409, "The specified pool already exists."),
    "PoolNotEligibleForOSVersionUpgrade": (400, "The specified pool is not eligible for OS Version upgrade."),
    "PoolNotFound": (404, "The specified pool does not exist."),
    "PoolQuotaReached": (409, "Pool quota for the account has been reached."),
    "PoolVersionEqualsUpgradeVersion": (400, "The pool is already with the given version."),
    "ResourceNotFound": (404, "The specified resource does not exist."),
    "TaskCompleted": (409, "The specified task is already in a completed state."),
    "TaskExists": (409, "The specified task already exists."),
    "TaskDependencyListTooLong": (400, "The list of the ids of the tasks that a task depends on is too long."),
    "TaskIdSameAsJobPreparationTask": (
        409,
        "The specified task id is the same as the id of the job preparation task of the job.",
    ),
    "TaskIdSameAsJobReleaseTask": (
        409,
        "The specified task id is the same as the id of the job release task of the job.",
    ),
    "TaskNotFound": (404, "The specified task does not exist."),
    "TooManyEnableAutoScaleRequests": (
        503,
        "Too many Enable Pool AutoScale requests are issued on the pool.",
    ),
    "UnsupportedProperty": (400, "One of the properties specified in the request body is not supported."),
    "AccountNotFound": (404, "The specified account does not exist."),
    "AuthorizationFailure": (403, "This request is not authorized to perform this operation."),
    "AuthenticationFailed": (
        403,
        (
            "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly"
            " including the signature."
        ),
    ),
}


def refusal(code: str, *values: tuple[str, str]) -> Refusal:
    """Return the refusal with a code and its (key, value) pairs."""
    status, message = _ERRORS[code]
    return Refusal(status, code, message, details=list(values), target=_TARGET)


def bad_property(name: str, value: object, reason: str = "") -> Refusal:
    """Return the refusal of the value of a property; a value of None is left out, as by the service."""
    values = [("PropertyName", name)]
    if value is not None:
        values.append(("PropertyValue", str(value)))
    values.append(("Reason", reason or _ERRORS["InvalidPropertyValue"][1]))
    return refusal("InvalidPropertyValue", *values)


def missing_property(name: str) -> Refusal:
    """Return the refusal of a body without a required property."""
    return refusal("MissingRequiredProperty", ("PropertyName", name))


def bad_query(name: str, value: object, reason: str) -> Refusal:
    """Return the refusal of the value of a query parameter."""
    values = (("QueryParameterName", name), ("QueryParameterValue", str(value)), ("Reason", reason))
    return refusal("InvalidQueryParameterValue", *values)


def with_request_info(handler: Callable[[Call], Reply]) -> Callable[[Call], Reply]:
    """Add the request id and time to the refusals of a route on ARM, as the Batch service does."""

    @functools.wraps(handler)
    def answer(call: Call) -> Reply:
        try:
            return handler(call)
        except Refusal as refused:
            if refused.target == _TARGET:
                refused.unwrapped = call.api_version < _WRAPPED_SINCE
                refused.message += f"\nRequestId:{call.request_id}\nTime:{batch_timestamp(call.now)}"
            raise

    return answer
