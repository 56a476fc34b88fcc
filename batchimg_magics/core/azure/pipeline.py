"""Pipelines for raw requests: signed in, with retries, and without the SDKs' models.

The SDK clients' own `send_request` would do, but for one of their policies, which decodes the JSON of every answer
before it is handed out: five times the work of reading a page of nodes.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from azure.core import AsyncPipelineClient
from azure.core.pipeline.policies import (
    AsyncBearerTokenCredentialPolicy,
    AsyncRetryPolicy,
    HttpLoggingPolicy,
    RequestIdPolicy,
    SansIOHTTPPolicy,
    UserAgentPolicy,
)

from batchimg_magics.core.azure import read_cache

if TYPE_CHECKING:
    from collections.abc import Callable

    from azure.core.credentials_async import AsyncTokenCredential
    from azure.core.pipeline import PipelineRequest, PipelineResponse
    from azure.core.rest import AsyncHttpResponse, HttpRequest

#: Who asks. By default the SDK tells of the machine too, and starts a process to find out about it.
USER_AGENT = "batchimg_magics"
_READS = frozenset({"GET", "HEAD"})


class RequestObserver(SansIOHTTPPolicy[Any, Any]):
    """Reads the service's clock off every answer, and lets nobody go on with what was read before it was written.

    Parameters
    ----------
    saw
        Told the seconds since 1970.
    """

    def __init__(self, saw: Callable[[float], None]) -> None:
        self._set_time = saw

    def on_request(self, request: PipelineRequest[Any]) -> None:
        """Note what is about to be written."""
        if request.http_request.method not in _READS:
            read_cache.invalidate(request.http_request.url)

    def on_response(self, request: PipelineRequest[Any], response: PipelineResponse[Any, Any]) -> None:
        """Read an answer's Date; what was read while something was being written may be of before."""
        self.on_request(request)
        if date := response.http_response.headers.get("Date"):
            self._set_time(parsedate_to_datetime(date).timestamp())


def create_pipeline(
    endpoint: str, credential: AsyncTokenCredential, audience: str, options: dict[str, Any]
) -> AsyncPipelineClient[HttpRequest, AsyncHttpResponse]:
    """Return a pipeline to one host.

    Parameters
    ----------
    endpoint
        Where addresses without a host begin.
    credential
        Who signs in.
    audience
        The scope of its tokens.
    options
        As the SDK clients take them: ``transport``, and ``per_retry_policies``, which see every try.
    """
    return AsyncPipelineClient(
        endpoint,
        transport=options["transport"],
        policies=[
            RequestIdPolicy(),
            UserAgentPolicy(USER_AGENT),
            AsyncRetryPolicy(),
            AsyncBearerTokenCredentialPolicy(credential, audience),
            *options["per_retry_policies"],
            HttpLoggingPolicy(),
        ],
    )
