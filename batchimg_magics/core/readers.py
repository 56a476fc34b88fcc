"""Pipelines for raw GETs: signed in, with retries, and without the SDKs' models.

The SDK clients' own `send_request` would do, but for one of their policies, which decodes the JSON of every answer
before it is handed out: five times the work of reading a page of nodes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azure.core import AsyncPipelineClient
from azure.core.pipeline.policies import (
    AsyncBearerTokenCredentialPolicy,
    AsyncRetryPolicy,
    HttpLoggingPolicy,
    RequestIdPolicy,
    UserAgentPolicy,
)

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.core.rest import AsyncHttpResponse, HttpRequest


def reader(
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
            UserAgentPolicy(),
            AsyncRetryPolicy(),
            AsyncBearerTokenCredentialPolicy(credential, audience),
            *options["per_retry_policies"],
            HttpLoggingPolicy(),
        ],
    )
