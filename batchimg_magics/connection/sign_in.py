"""Signing in to Microsoft Entra ID: nothing is imported for it before a token is asked for, and no more than it takes.

azure-identity costs as much time to import as a whole listing of nodes takes. The first thing that its
`DefaultAzureCredential` looks for, a service principal with a secret in the environment, is one request of a documented
protocol, and is made here. Every other way to sign in, and every question beyond a plain token, is left to it.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlencode

from azure.core import AsyncPipelineClient
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from azure.core.pipeline.policies import AsyncRetryPolicy, UserAgentPolicy
from azure.core.rest import HttpRequest

from batchimg_magics.core.azure.pipeline import USER_AGENT

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.core.pipeline.transport import AsyncHttpTransport

__all__ = ["SignInCredential"]

_AUTHORITY = "https://login.microsoftonline.com"
_FORM = "application/x-www-form-urlencoded"
#: What makes azure-identity pass a secret in the environment by, or ask elsewhere. Source: its README.
_DELEGATING_VARIABLES = ("AZURE_TOKEN_CREDENTIALS", "AZURE_REGIONAL_AUTHORITY_NAME")
#: Seconds before its end at which a token is asked for anew. Source: azure-core's policies.
_REFRESH_MARGIN_S = 300


@dataclass(frozen=True, slots=True)
class _ServicePrincipal:
    """A service principal with a secret.

    Parameters
    ----------
    authority, tenant
        Who is asked for its tokens.
    client, secret
        Which, and what proves it.
    """

    authority: str
    tenant: str
    client: str
    secret: str

    def __repr__(self) -> str:
        return f"_Principal({self.client!r})"  # the secret is nobody's business

    @classmethod
    def from_environment(cls) -> Self | None:
        """Return the one that the environment names as azure-identity reads it; None where it is not that simple."""
        names = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")
        parts = [os.environ[name] for name in names if os.environ.get(name)]
        authority = os.environ.get("AZURE_AUTHORITY_HOST", _AUTHORITY).rstrip(" /")
        if (
            len(parts) < len(names)
            or any(map(os.environ.get, _DELEGATING_VARIABLES))
            or not authority.startswith("https://")
        ):
            return None
        return cls(authority, *parts)

    def token_request(self, scope: str) -> HttpRequest:
        """Return the request for a token.

        Source: Microsoft identity platform, OAuth 2.0 client credentials flow, "First case: Access token request with
        a shared secret".
        """
        form = {
            "grant_type": "client_credentials",
            "client_id": self.client,
            "client_secret": self.secret,
            "scope": scope,
        }
        url = f"{self.authority}/{quote(self.tenant, safe='')}/oauth2/v2.0/token"
        return HttpRequest("POST", url, content=urlencode(form), headers={"Content-Type": _FORM})


class SignInCredential:
    """An async credential of azure-identity's kind, for the SDKs' clients.

    Parameters
    ----------
    transport
        How a token is asked for.
    """

    def __init__(self, transport: AsyncHttpTransport[Any, Any]) -> None:
        self._transport = transport
        self._principal = _ServicePrincipal.from_environment()
        self._tokens: dict[str, AccessToken] = {}
        self._default_credential: AsyncTokenCredential | None = None

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """Return a token for a scope.

        Parameters
        ----------
        *scopes
            What it is for: one, as Entra ID's tokens are.
        **options
            As azure-identity has them: ``claims``, ``tenant_id``, ``enable_cae``.

        Raises
        ------
        ClientAuthenticationError
            Nobody is signed in, or Entra ID refused.
        """
        if self._principal is None or len(scopes) != 1 or any(options.values()):
            return await self._open_default_credential().get_token(*scopes, **options)
        (scope,) = scopes
        token = self._tokens.get(scope)
        if token is None or token.expires_on - time.time() < _REFRESH_MARGIN_S:
            token = self._tokens[scope] = await self._request_token(self._principal.token_request(scope))
        return token

    async def _request_token(self, request: HttpRequest) -> AccessToken:
        policies: list[Any] = [UserAgentPolicy(USER_AGENT), AsyncRetryPolicy()]
        client: AsyncPipelineClient[Any, Any] = AsyncPipelineClient("", transport=self._transport, policies=policies)
        began = int(time.time())
        response = await client.send_request(request)
        try:
            found = dict(response.json())
        except ValueError:
            found = {}
        if response.status_code >= 400 or "access_token" not in found:
            reason = found.get("error_description") or f"{response.status_code} {response.reason}"
            raise ClientAuthenticationError(f"the service principal in the environment was refused: {reason}")
        return AccessToken(found["access_token"], began + int(found["expires_in"]))

    def _open_default_credential(self) -> AsyncTokenCredential:
        if self._default_credential is None:
            from azure.identity.aio import DefaultAzureCredential

            self._default_credential = DefaultAzureCredential()
        return self._default_credential

    async def close(self) -> None:
        """Let connections go; the transport is its owner's."""
        if self._default_credential is not None:
            await self._default_credential.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
