"""The differences between the planes of Azure: hosts, response headers, and the format of errors.

Source: the headers and error bodies in recorded traffic; the texts of ARM's own 400 and 401 responses are from
Microsoft's troubleshooting pages.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from datetime import UTC, date, datetime
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.http.messages import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from batchimg_magics.emulator.http.messages import Plane

ARM_HOST = "management.azure.com"
BATCH_SUFFIX = ".batch.azure.com"
PRICES_HOST = "prices.azure.com"
LOGIN_HOST = "login.microsoftonline.com"
#: The sign-in service, with its older names, which programs still have built in.
LOGIN_HOSTS = (LOGIN_HOST, "login.microsoft.com", "login.windows.net", "sts.windows.net")
#: The host in the audience of Azure Batch. Requests for it are refused with the usual error.
BATCH_AUDIENCE_HOST = "batch.core.windows.net"
#: The instance metadata service, which gives a machine's managed identity its tokens.
IDENTITY_HOST = "169.254.169.254"
#: Names of this machine.
_LOCAL_NAMES = frozenset({"localhost", "testserver"})
#: The audiences of valid tokens, by plane.
AUDIENCES: dict[str, frozenset[str]] = {
    "arm": frozenset({"https://management.azure.com", "https://management.core.windows.net"}),
    "batch": frozenset({"https://batch.core.windows.net"}),
}
#: The api-versions of the data plane of Batch accounts. Source: the SDKs' change logs and "Batch service REST API
#: versioning"; the refusal of others: azure-sdk-for-python #19224.
BATCH_VERSIONS = frozenset(
    {
        *("2014-01-01.1.0", "2014-10-01.1.0", "2015-03-01.1.1", "2015-06-01.2.0", "2015-11-01.2.1", "2015-12-01.2.2"),
        *("2016-02-01.3.0", "2016-07-01.3.1", "2017-01-01.4.0", "2017-05-01.5.0", "2017-06-01.5.1", "2017-09-01.6.0"),
        *("2018-02-01.6.1", "2018-03-01.6.1", "2018-08-01.7.0", "2018-12-01.8.0", "2019-06-01.9.0", "2019-08-01.10.0"),
        *("2020-03-01.11.0", "2020-09-01.12.0", "2021-06-01.14.0", "2022-01-01.15.0", "2022-10-01.16.0"),
        *("2023-05-01.17.0", "2023-11-01.18.0", "2024-02-01.19.0", "2024-07-01.20.0", "2025-06-01"),
    }
)
#: Statuses of responses without a body.
STATUSES_WITHOUT_BODY = frozenset({204, 304})
_HOSTS: dict[str, Plane] = {
    ARM_HOST: "arm",
    PRICES_HOST: "prices",
    IDENTITY_HOST: "login",
    **dict.fromkeys(LOGIN_HOSTS, "login"),
}
_ARM_ROOTS = frozenset({"subscriptions", "providers", "tenants", "metadata"})
#: The first path segments of the data plane of Batch accounts. Source: Microsoft's OpenAPI of Azure Batch.
_BATCH_ROOTS = frozenset(
    {
        "applications", "certificates", "jobs", "jobschedules", "nodecounts", "pools", "poolusagemetrics",
        "supportedimages",
    }
)  # fmt: skip
_LOGIN = re.compile(r"^/[^/]+/(oauth2|v2\.0|discovery|\.well-known)(/|$)|^/common/|^/metadata/identity/", re.IGNORECASE)
#: Paths of Microsoft Graph, on hosts of this machine.
_GRAPH_PATH = re.compile(r"/(v1\.0|beta)/", re.IGNORECASE)
#: A path with an empty parent resource, as SDKs send it; Resource Manager reads it without.
_EMPTY_PARENT = re.compile(r"(/providers/[^/]+)//+", re.IGNORECASE)
_ARM_VERSION = re.compile(r"\d{4}-\d\d-\d\d(-[a-z]+)?", re.IGNORECASE)


class Destination(msgspec.Struct, frozen=True):
    """The destination of a request.

    Parameters
    ----------
    plane
        The plane, None if no service has that host.
    path
        The path on that plane.
    prefix
        The beginning of the path that was removed: on hosts of this machine, the Batch account.
    account
        Batch: the name of the account. Empty on a host of this machine if the path has none: the default account is
        meant. npm's ``@azure/batch`` sends such paths: it drops the path of its endpoint.
    """

    plane: Plane | None
    path: str
    prefix: str = ""
    account: str = ""


@functools.lru_cache(maxsize=1024)
def is_local(host: str) -> bool:
    """Tell whether a host is this machine. Its names name no service, so the path decides which plane is meant."""
    if host in _LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@functools.lru_cache(maxsize=4096)
def find_destination(host: str, path: str) -> Destination:
    """Find the plane by the host, and on hosts of this machine by the path."""
    host = host.lower()
    path = _EMPTY_PARENT.sub(r"\1/", path)
    first, _, rest = path.lstrip("/").partition("/")
    if first == "_sim":
        return Destination("sim", path)
    if is_local(host):
        if _GRAPH_PATH.match(path):
            return Destination(None, path)
        plane = _plane_by_path(path, first.lower())
        return (
            Destination(plane, path)
            if plane
            else Destination("batch", "/" + rest, prefix="/" + first, account=first.lower())
        )
    if host.endswith(BATCH_SUFFIX):
        return Destination("batch", path, account=host.split(".", 1)[0])
    # Regional endpoints of ARM, and the fictitious hosts that recorders put in its place.
    if host.endswith(".azure.com") and host not in _HOSTS and first.lower() in _ARM_ROOTS:
        return Destination("arm", path)
    return Destination(_HOSTS.get(host), path)


def _plane_by_path(path: str, first: str) -> Plane | None:
    if _LOGIN.match(path):
        return "login"
    if first == "api":
        return "prices"
    if first in _BATCH_ROOTS:
        return "batch"
    return "arm" if first in _ARM_ROOTS else None


@functools.lru_cache(maxsize=64)
def http_date(second: int) -> str:
    """Write a time in the format of headers, in whole seconds."""
    return formatdate(second, usegmt=True)


def timestamp(moment: float, digits: int = 7, zone: str = "Z") -> str:
    """Write a time in the format of bodies: with digits of fraction, and ``+00:00`` (Compute) or ``Z`` (Batch)."""
    whole, micros = divmod(round(moment * 1_000_000), 1_000_000)
    fraction = f".{micros * 10:07d}"[: digits + 1] if digits else ""
    return f"{whole_second(whole)}{fraction}{zone}"


@functools.lru_cache(maxsize=4096)
def whole_second(second: int) -> str:
    """Write a time in whole seconds; the nodes of a pool share most of theirs, so they are cached."""
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}"


def check_version(plane: Plane, version: str) -> None:
    """Refuse a request without an api-version, or with an invalid one."""
    if plane == "batch":
        valid = version in BATCH_VERSIONS
    else:
        valid = plane != "arm" or bool(_ARM_VERSION.fullmatch(version) and _is_date(version[:10]))
    if valid:
        return
    details = [("QueryParameterName", "api-version"), ("QueryParameterValue", version)]
    if plane == "batch" and version:
        message = "Value for one of the query parameters specified in the request URI is invalid."
        raise Refusal(400, "InvalidQueryParameterValue", message, details=details)
    if plane == "batch":
        message = "A required query parameter was not specified for this request."
        raise Refusal(400, "MissingRequiredQueryParameter", message, details=details[:1])
    if version:
        raise Refusal(400, "InvalidApiVersionParameter", f"The api-version '{version}' is invalid.")
    message = "The api-version query parameter (?api-version=) is required for all requests."
    raise Refusal(400, "MissingApiVersionParameter", message)


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def check_timeout(plane: Plane, query: Mapping[str, str]) -> None:
    """Refuse a ``timeout`` of the data plane that is not a number of seconds; values above 30 mean 30."""
    text = query.get("timeout", "0")
    if plane == "batch" and not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        message = "Value for one of the query parameters specified in the request URI is invalid."
        details = [("QueryParameterName", "timeout"), ("QueryParameterValue", text)]
        raise Refusal(400, "InvalidQueryParameterValue", message, details=details)


def check_names(plane: Plane, names: Iterable[str]) -> None:
    """Refuse names in a path of ARM that no resource can have: with a slash (``%2F``), or empty."""
    wrong = [name for name in names if "/" in name or not name.strip()] if plane == "arm" else []
    if wrong:
        raise Refusal(400, "InvalidResourceName", f"The resource name '{wrong[0]}' in the request's path is invalid.")


def bad_json(plane: Plane, reason: str) -> Refusal:
    """Return the refusal of a body that is not JSON."""
    if plane == "batch":
        message = "The specified Request Body is not syntactically valid."
        return Refusal(400, "InvalidRequestBody", message, details=[("Reason", reason)])
    message = f"The request content was invalid and could not be deserialized: '{reason}'."
    return Refusal(400, "InvalidRequestContent", message)


def unauthenticated(plane: Plane, problem: str, code: str = "", status: int = 401) -> Refusal:
    """Return the refusal of a request without a valid token or signature."""
    if plane == "batch":
        message = (
            "Server failed to authenticate the request. "
            "Make sure the value of Authorization header is formed correctly including the signature."
        )
        asks = f'Bearer authorization_uri="https://{LOGIN_HOST}/common", resource_id="https://batch.core.windows.net/"'
        details = [("AuthenticationErrorDetail", problem)]
        return Refusal(
            status, "AuthenticationFailed", message, details=details, headers={"WWW-Authenticate": asks + ", SharedKey"}
        )
    asks = (
        f'Bearer authorization_uri="https://{LOGIN_HOST}/common", error="invalid_token", error_description="{problem}"'
    )
    return Refusal(401, code or "AuthenticationFailed", problem, headers={"WWW-Authenticate": asks})


def unknown_route(method: str, path: str, version: str, *, what: str = "") -> Refusal:
    """Return the refusal of a request that the emulator does not implement.

    Parameters
    ----------
    method, path, version
        Of the request.
    what
        What is missing, e.g. ``virtualMachineScaleSets of Microsoft.Compute``.
    """
    asked = f"{method} {path}" + (f" (api-version {version})" if version else "")
    missing = f"{what}: {asked}" if what else asked
    message = f"The emulator does not implement {missing}. The page docs/coverage.md lists what it implements."
    return Refusal(501, "NotImplemented", message)


def unknown_host(method: str, host: str, path: str) -> Refusal:
    """Return the refusal of a request to a service that is no part of the emulator."""
    is_graph = host.startswith("graph.") or (is_local(host) and _GRAPH_PATH.match(path))
    what = "Microsoft Graph (users, groups and service principals)" if is_graph else "this service"
    return unknown_route(method, f"{host}{path}", "", what=what)


def error_body(plane: Plane | None, refusal: Refusal, *, base: str, request_id: str, now: float) -> dict[str, Any]:
    """Write a refusal in the format of the plane."""
    if plane == "batch":
        return _batch_error(refusal, base, request_id, now)
    if plane == "login":
        return _login_error(refusal, request_id, now)
    error: dict[str, Any] = {"code": refusal.code, "message": refusal.message}
    if refusal.target is not None:
        error["target"] = refusal.target
    if refusal.details:
        error["details"] = [{"code": code, "message": message} for code, message in refusal.details]
    if refusal.additional_info:
        error["additionalInfo"] = refusal.additional_info
    return error if refusal.unwrapped else {"error": error}


def _batch_error(refusal: Refusal, base: str, request_id: str, now: float) -> dict[str, Any]:
    text = f"{refusal.message}\nRequestId:{request_id}\nTime:{timestamp(now)}"
    body: dict[str, Any] = {
        "odata.metadata": f"{base}/$metadata#Microsoft.Azure.Batch.Protocol.Entities.Container.errors/@Element",
        "code": refusal.code,
        "message": {"lang": "en-US", "value": text},
    }
    if refusal.details:
        body["values"] = [{"key": key, "value": value} for key, value in refusal.details]
    return body


def _login_error(refusal: Refusal, request_id: str, now: float) -> dict[str, Any]:
    """Write it in the format of OAuth. Source: "Authentication and authorization error codes" of Microsoft Entra ID."""
    number = re.match(r"AADSTS(\d+)", refusal.message)
    return {
        "error": refusal.code,
        "error_description": refusal.message,
        "error_codes": [int(number[1])] if number else [],
        "timestamp": timestamp(now, 0),
        "trace_id": request_id,
        "correlation_id": request_id,
    }


def headers(plane: Plane | None, *, now: float, request_id: str) -> dict[str, str]:
    """Return the headers of every response of a plane."""
    common = {"Date": http_date(int(now)), "Cache-Control": "no-cache"}
    if plane == "batch":
        return common | {
            "Server": "Microsoft-HTTPAPI/2.0",
            "request-id": request_id,
            "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
            "X-Content-Type-Options": "nosniff",
            "DataServiceVersion": "3.0",
        }
    return common | {
        "Pragma": "no-cache",
        "Expires": "-1",
        "x-ms-request-id": request_id,
        "x-ms-correlation-request-id": request_id,
        "x-ms-routing-request-id": f"LOCAL:{timestamp(now, 0)}:{request_id}",
        "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
        "X-Content-Type-Options": "nosniff",
    }


def content_type(plane: Plane | None) -> str:
    """Return the content type of JSON on a plane."""
    return "application/json;odata=minimalmetadata" if plane == "batch" else "application/json; charset=utf-8"
