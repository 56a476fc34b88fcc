"""Pipelines for raw requests, with authentication and retries and without the SDKs' models.

The SDK clients' own `send_request` is not used: one of their policies decodes the JSON of every response before it is
returned, which takes five times as long as reading a page of nodes.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from azure.core import AsyncPipelineClient
from azure.core.pipeline.policies import (
    AsyncBearerTokenCredentialPolicy,
    HttpLoggingPolicy,
    RequestIdPolicy,
    SansIOHTTPPolicy,
    UserAgentPolicy,
)

from batchimg_magics.core.azure import read_cache
from batchimg_magics.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from azure.core.credentials_async import AsyncTokenCredential
    from azure.core.pipeline import PipelineRequest, PipelineResponse
    from azure.core.rest import AsyncHttpResponse, HttpRequest

#: By default the SDK adds facts of the machine to it, and starts a process to read them.
USER_AGENT = "batchimg_magics"
_READS = frozenset({"GET", "HEAD"})


class RequestObserver(SansIOHTTPPolicy[Any, Any]):
    """Sets the service's clock by every response, and invalidates cached reads of what a request writes.

    Parameters
    ----------
    saw
        Called with the Date of each response in seconds since 1970.
    """

    def __init__(self, saw: Callable[[float], None]) -> None:
        self._set_time = saw

    def on_request(self, request: PipelineRequest[Any]) -> None:
        """Invalidate cached reads of what the request writes."""
        if request.http_request.method not in _READS:
            read_cache.invalidate(request.http_request.url)

    def on_response(self, request: PipelineRequest[Any], response: PipelineResponse[Any, Any]) -> None:
        """Read the Date header. What was read while the request ran may be older than the write."""
        self.on_request(request)
        if date := response.http_response.headers.get("Date"):
            self._set_time(parsedate_to_datetime(date).timestamp())


class TokenHosts(SansIOHTTPPolicy[Any, Any]):
    """Refuses requests to other hosts than those of the service, before a token is added.

    The SDKs' clients follow links in responses (``nextLink``, ``Location``, ``Azure-AsyncOperation``, redirects), and
    send their token along.

    Parameters
    ----------
    endpoints
        Returns the URLs of the service.
    """

    def __init__(self, endpoints: Callable[[], Iterable[str]]) -> None:
        self._endpoints = endpoints

    def on_request(self, request: PipelineRequest[Any]) -> None:
        """Check the host.

        Raises
        ------
        ServiceError
            It is another one, or the URL has a user name.
        """
        scheme, host, port = _origin(request.http_request.url)
        for own_scheme, own_host, own_port in map(_origin, self._endpoints()):
            # Resource Manager has regional hosts below its own.
            if own_host and (scheme, port) == (own_scheme, own_port) and f".{host}".endswith(f".{own_host}"):
                return
        raise ServiceError(
            f"a link leads to another host, {scheme}://{host}:{port}, and was not followed",
            hint="no token is sent there; check what answers in place of Azure, such as a proxy",
        )


def _origin(url: str) -> tuple[str, str, int]:
    """Return the scheme, the host and the port of a URL; the host is what stands there if it is not only a host.

    Programs disagree on where the host begins in a URL with a user name or a backslash: such a host is nobody's.
    """
    parts = urlsplit(url)
    try:
        port = parts.port or (80 if parts.scheme == "http" else 443)
    except ValueError:
        port = 0
    plain = not set("@\\") & set(parts.netloc)
    return parts.scheme, (parts.hostname or "") if plain else f"{parts.netloc}/", port


def create_pipeline(
    endpoint: str, credential: AsyncTokenCredential, audience: str, options: dict[str, Any]
) -> AsyncPipelineClient[HttpRequest, AsyncHttpResponse]:
    """Return a pipeline to one host.

    Parameters
    ----------
    endpoint
        The base of URLs without a host.
    credential
        The credential for tokens.
    audience
        The scope of the tokens.
    options
        As for the SDK clients: ``transport``, ``retry_policy``, and ``per_retry_policies``, which run for every try.
    """
    return AsyncPipelineClient(
        endpoint,
        transport=options["transport"],
        policies=[
            RequestIdPolicy(),
            UserAgentPolicy(USER_AGENT),
            options["retry_policy"],
            AsyncBearerTokenCredentialPolicy(credential, audience),
            *options["per_retry_policies"],
            HttpLoggingPolicy(),
        ],
    )
