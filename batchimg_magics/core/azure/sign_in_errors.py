"""Errors of signing in, in one line each, with what to do about them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from batchimg_magics.errors import AuthenticationError

if TYPE_CHECKING:
    from azure.core.exceptions import ClientAuthenticationError

__all__ = ["SIGN_IN_HINT", "connection_hint", "sign_in_error", "tenant_hint"]

SIGN_IN_HINT = (
    "sign in with one of: `az login` in a terminal; `%batchimg connect ... --sign-in device-code` without a browser on "
    "this machine; AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET in the environment; a managed identity on "
    "an Azure machine"
)
#: Source: the tenant of a subscription in the 401 of Azure Resource Manager.
_WANTED_TENANT = re.compile(r"match (?:the|one of the) tenants? '[^']*?/([0-9A-Za-z.-]+)/?'")
#: Number of an error of Microsoft Entra ID, to what to do. Source: "Microsoft Entra authentication and authorization
#: error codes".
_ENTRA_HINTS = {
    "50020": "the account is not in this tenant: `--tenant ID` selects another one, or ask to be invited as a guest",
    "50034": "the account does not exist in this tenant: `--tenant ID` selects another tenant",
    "50058": "nobody is signed in on this machine: add `--sign-in device-code`",
    "50059": "add `--tenant ID` with the id or the domain name of your tenant",
    "50076": "sign in again with a second factor: `--sign-in device-code`, or `az login --tenant ID`",
    "50079": "sign in again with a second factor: `--sign-in device-code`, or `az login --tenant ID`",
    "53000": "the tenant allows managed devices only: sign in on such a device, with `az login`",
    "53003": "conditional access of the tenant refuses it: try `--sign-in browser`, or `az login`",
    "70008": "the code or the sign-in has expired: run the same command again",
    "700016": "the application does not exist in this tenant: check AZURE_CLIENT_ID and --tenant",
    "7000215": "the client secret is wrong: AZURE_CLIENT_SECRET is the value of the secret, not its id",
    "7000222": "the client secret has expired: create a new one for the application",
    "90002": "there is no such tenant in this cloud: check --tenant and --cloud",
}
_UNTRUSTED = re.compile(r"[^\n:]*(?:CERTIFICATE_VERIFY_FAILED|certificate of \S+ is not trusted)[^\n]*")
_FIRST_LINE = re.compile(r"\S[^\n]*")
_ENTRA_ERROR = re.compile(r"AADSTS(\d+)[^\n\r]*")


def sign_in_error(error: ClientAuthenticationError) -> AuthenticationError | None:
    """Return the error for a sign-in that failed; None if the error is a response of another service.

    Parameters
    ----------
    error
        An error of azure-identity, or of an SDK client whose token was refused.
    """
    response: Any = error.response
    if response is not None and not _is_of_sign_in(response):
        return None
    text = str(error.message or error)
    found = _ENTRA_ERROR.search(text)
    untrusted = _UNTRUSTED.search(text)
    reason = (found or untrusted or _FIRST_LINE.search(text) or [text])[0]
    hint = _ENTRA_HINTS.get(found[1], SIGN_IN_HINT) if found else connection_hint(text) if untrusted else SIGN_IN_HINT
    status = response.status_code if response is not None else 0
    return AuthenticationError(f"not signed in to Azure: {reason.strip()}", hint=hint, status_code=status)


def _is_of_sign_in(response: Any) -> bool:  # noqa: ANN401 - two generations of azure-core responses
    """Tell whether a response is an error of OAuth, whose ``error`` is a word."""
    try:
        body = json.loads(response.text())
    except ValueError:
        return False
    return isinstance(body, dict) and isinstance(body.get("error"), str)


def tenant_hint(message: str) -> str:
    """Return what to do where a token is of another tenant than the subscription."""
    found = _WANTED_TENANT.search(message)
    tenant = found[1] if found else "ID"
    return (
        f"the subscription is in another tenant: add `--tenant {tenant}` to connect; with the Azure CLI, first "
        f"`az login --tenant {tenant}`"
    )


def connection_hint(message: str) -> str:
    """Return what to do where a service does not respond."""
    if "CERTIFICATE_VERIFY_FAILED" in message.upper() or "is not trusted" in message:
        return (
            "the certificate is of an authority that is not trusted here: REQUESTS_CA_BUNDLE names the file with the "
            "authorities of your network"
        )
    return "run the same command again: it resumes; behind a proxy, set HTTPS_PROXY and NO_PROXY"
