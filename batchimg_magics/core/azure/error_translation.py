"""Translate azure-core's errors to this package's errors, each with a hint."""

from __future__ import annotations

import json
from typing import Any

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

from batchimg_magics.errors import (
    AuthenticationError,
    BatchImgError,
    ConflictError,
    NotFoundError,
    ServiceError,
    ThrottledError,
)

SIGN_IN_HINT = (
    "sign in with one of: `az login` in a terminal; AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET in the "
    "environment; a managed identity on an Azure machine"
)


_KINDS: dict[int, type[ServiceError]] = {
    401: AuthenticationError,
    403: AuthenticationError,
    404: NotFoundError,
    409: ConflictError,
    412: ConflictError,
    429: ThrottledError,
}


_HINTS: dict[int, str] = {
    401: SIGN_IN_HINT,
    403: "request a role that allows this operation; `az role assignment list --assignee YOU` lists your roles",
    429: "wait a few minutes, then run the same command again: it resumes",
}


def translate(error: AzureError) -> BatchImgError:
    """Return the error of this package for an error of azure-core, by status and code."""
    response = getattr(error, "response", None)
    if isinstance(error, ClientAuthenticationError) and response is None:
        return AuthenticationError(f"not signed in to Azure: {_line(str(error))}", hint=SIGN_IN_HINT)
    if not isinstance(error, HttpResponseError) or response is None:
        return ServiceError(
            f"no response from Azure: {_line(str(error))}", hint="run the same command again: it resumes"
        )
    code, message, reasons = _body(response)
    status = response.status_code
    text = _line(message or str(error.message))
    if reasons:
        text += f" ({'; '.join(reasons)})"
    return _KINDS.get(status, ServiceError)(
        f"{code or status}: {text}",
        hint=_HINTS.get(status, ""),
        status_code=status,
        code=code,
        request_id=response.headers.get("x-ms-request-id") or response.headers.get("request-id") or "",
    )


def _line(text: str) -> str:
    """Return the first line of a message: Azure appends the request id and the time in further lines."""
    return text.strip().partition("\n")[0]


def _body(response: Any) -> tuple[str, str, list[str]]:  # noqa: ANN401 - two generations of azure-core responses
    """Return code, message and details of an error body of either plane."""
    try:
        body = json.loads(response.text())
    except ValueError:
        return "", "", []
    if not isinstance(body, dict):
        return "", "", []
    error = body.get("error", body)
    message = error.get("message", "")
    if isinstance(message, dict):
        pairs = [(value.get("key"), value.get("value")) for value in error.get("values") or []]
        message = message.get("value", "")
    else:
        pairs = [(detail.get("code"), detail.get("message")) for detail in error.get("details") or []]
    return str(error.get("code", "")), str(message), [f"{key}: {_line(str(value))}" for key, value in pairs if value]
