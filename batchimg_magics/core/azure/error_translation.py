"""Translate azure-core's errors to this package's errors, each with a hint.

Azure's code decides what an error is; the status only where no code does: a 403 may come from a policy, a lock or a
missing right, and a 409 from a lock, a quota, a missing registration or another change.
"""

from __future__ import annotations

import json
from typing import Any

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

from batchimg_magics.core.azure.sign_in_errors import SIGN_IN_HINT, connection_hint, sign_in_error, tenant_hint
from batchimg_magics.core.base import denials
from batchimg_magics.core.base.diagnosis import diagnose
from batchimg_magics.core.base.provider_errors import without_json
from batchimg_magics.errors import (
    AuthenticationError,
    BatchImgError,
    ConflictError,
    LockError,
    NotFoundError,
    PolicyError,
    ServiceError,
    ThrottledError,
)

_ROLE_HINT = "request a role that allows this operation; `az role assignment list --assignee YOU` lists your roles"
_KINDS: dict[int, type[ServiceError]] = {
    401: AuthenticationError,
    403: AuthenticationError,
    404: NotFoundError,
    409: ConflictError,
    412: ConflictError,
    429: ThrottledError,
}
#: Statuses that have one meaning, whatever the code.
_TOLD_BY_STATUS = frozenset({401, 404, 412, 429})
_WAIT_HINT = "wait a few minutes, then run the same command again: it resumes"
_CHANGED_HINT = "another change may be in progress: wait until it ends, then run the same command again: it resumes"
_HINTS: dict[int, str] = {
    401: SIGN_IN_HINT,
    403: _ROLE_HINT,
    404: "check the name, and whether somebody has deleted it; then run the same command again",
    408: _WAIT_HINT,
    409: _CHANGED_HINT,
    412: _CHANGED_HINT,
    429: _WAIT_HINT,
}
_OUTAGE_HINT = f"Azure has a temporary fault; {_WAIT_HINT}; https://azure.status.microsoft shows known outages"
_REFUSED_HINT = "Azure refuses the request as it is: change what the message names, then run the command again"
_SERVER_ERROR = 500


def translate(error: AzureError) -> BatchImgError:
    """Return the error of this package for an error of azure-core, by code and status."""
    response = getattr(error, "response", None)
    if isinstance(error, ClientAuthenticationError) and (failed := sign_in_error(error)) is not None:
        return failed
    if not isinstance(error, HttpResponseError) or response is None:
        return ServiceError(f"no response from Azure: {_line(str(error))}", hint=connection_hint(str(error)))
    text = _text_of(response)
    code, message, reasons = _read_body(text)
    words = _line(without_json(message)) if message else f"Azure gives no reason ({response.reason or 'no text'})"
    if reasons:
        words += f" ({'; '.join(reasons)})"
    return _by_cause(
        text,
        message=f"{code or response.status_code}: {words}",
        status_code=response.status_code,
        code=code,
        request_id=response.headers.get("x-ms-request-id") or response.headers.get("request-id") or "",
    )


def _by_cause(text: str, *, message: str, **facts: Any) -> ServiceError:
    """Return the error for what denies a request, and else the one for its status."""
    status = facts["status_code"]
    kind = _KINDS.get(status, ServiceError)
    hint = _HINTS.get(status, _OUTAGE_HINT if status >= _SERVER_ERROR else _REFUSED_HINT)
    if facts["code"] == "InvalidAuthenticationTokenTenant":
        hint = tenant_hint(message)
    found = diagnose(text) if facts["code"] and status not in _TOLD_BY_STATUS else None
    if found is None or (cause := found.cause) is None:
        return kind(message, hint=hint, **facts)
    if cause.details == "policy":
        policies = denials.read_policies(text)
        names = f"{message} [{'; '.join(map(str, policies))}]" if policies else message
        first = policies[0] if policies else denials.PolicyDenial("", "")
        return PolicyError(names, hint=found.fix, policy=first.policy, assignment=first.assignment, **facts)
    if cause.details == "lock":
        return LockError(message, hint=found.fix, scopes=denials.read_locked_scopes(found.error.message), **facts)
    if cause.details == "right":
        right = denials.right_fix(found.error.message)
        return kind(message, hint=right or hint or found.fix, **facts)
    if status == 403 and cause.in_requests:
        return ServiceError(message, hint=found.fix, **facts)
    return kind(message, hint=found.fix if cause.in_requests else hint, **facts)


def _line(text: str) -> str:
    """Return the first line of a message: Azure appends the request id and the time in further lines."""
    return text.strip().partition("\n")[0]


def _text_of(response: Any) -> str:  # noqa: ANN401 - two generations of azure-core responses
    try:
        return str(response.text())
    except ValueError:
        return ""


def _read_body(text: str) -> tuple[str, str, list[str]]:
    """Return code, message and details of an error body of either plane."""
    try:
        body = json.loads(text)
    except ValueError:
        return "", "", []
    if not isinstance(body, dict):
        return "", "", []
    error = body.get("error", body)
    if not isinstance(error, dict):
        return "", str(error), []
    message = error.get("message", "")
    if isinstance(message, dict):
        pairs = [(value.get("key"), value.get("value")) for value in error.get("values") or []]
        message = message.get("value", "")
    else:
        pairs = [(detail.get("code"), detail.get("message")) for detail in error.get("details") or []]
    reasons = [f"{key}: {_line(without_json(str(value)))}" for key, value in pairs if value and value != message]
    return str(error.get("code", "")), str(message), reasons
