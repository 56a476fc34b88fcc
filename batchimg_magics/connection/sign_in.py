"""Sign in to Microsoft Entra ID, and import no more than that needs.

Importing azure-identity takes as long as a complete list of nodes. The first credential that its
`DefaultAzureCredential` tries is a service principal with a secret in the environment. That takes one request of a
documented protocol, which is sent here. All other ways to sign in, and tokens with options, are left to azure-identity.
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
#: Variables that make azure-identity ignore a secret in the environment, or use another authority. Source: its README.
_DELEGATING_VARIABLES = ("AZURE_TOKEN_CREDENTIALS", "AZURE_REGIONAL_AUTHORITY_NAME")
#: Seconds before its expiry at which a token is renewed. Source: azure-core's policies.
_REFRESH_MARGIN_S = 300


@dataclass(frozen=True, slots=True)
class _ServicePrincipal:
    """A service principal with a secret.

    Parameters
    ----------
    authority, tenant
        Host of Entra ID, and tenant id.
    client, secret
        Client id, and client secret.
    """

    authority: str
    tenant: str
    client: str
    secret: str

    def __repr__(self) -> str:
        return f"_ServicePrincipal({self.client!r})"  # without the secret

    @classmethod
    def from_environment(cls) -> Self | None:
        """Return the service principal in the environment; None if azure-identity would not use one."""
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
        """Return the request of a token.

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
    """An async credential for the clients of the SDKs, like those of azure-identity.

    Parameters
    ----------
    transport
        The transport of token requests.
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
            The scope of the token: exactly one, as Entra ID requires.
        **options
            Options of azure-identity: ``claims``, ``tenant_id``, ``enable_cae``.

        Raises
        ------
        ClientAuthenticationError
            You are not signed in, or Entra ID rejected the request.
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
            content = dict(response.json())
        except ValueError:
            content = {}
        if response.status_code >= 400 or "access_token" not in content:
            reason = content.get("error_description") or f"{response.status_code} {response.reason}"
            raise ClientAuthenticationError(f"the service principal in the environment was refused: {reason}")
        return AccessToken(content["access_token"], began + int(content["expires_in"]))

    def _open_default_credential(self) -> AsyncTokenCredential:
        if self._default_credential is None:
            from azure.identity.aio import DefaultAzureCredential

            self._default_credential = DefaultAzureCredential()
        return self._default_credential

    async def close(self) -> None:
        """Close connections, but not the transport, which belongs to the caller."""
        if self._default_credential is not None:
            await self._default_credential.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
