"""Credentials for the emulator in this process, as SDK clients take them: async, and not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azure.core.credentials import AccessToken, AccessTokenInfo

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from azure.core.credentials import TokenRequestOptions

    from batchimg_magics.emulator.http.tokens import TokenIssuer


class EmulatorCredential:
    """An async credential for the emulator, as the SDKs take it.

    Parameters
    ----------
    tokens
        Issues the tokens.
    """

    def __init__(self, tokens: TokenIssuer) -> None:
        self._tokens = tokens

    def issue(self, audience: str) -> str:
        """Return a bearer token for an audience, e.g. ``https://management.azure.com``."""
        return self._tokens.issue(audience)[0]

    async def get_token(self, *scopes: str, **_kwargs: Any) -> AccessToken:
        """Return a token for the audience of a scope."""
        return AccessToken(*self._tokens.issue(_audience(scopes)))

    async def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        """Return a token for the audience of a scope."""
        del options
        return AccessTokenInfo(*self._tokens.issue(_audience(scopes)))

    async def close(self) -> None:
        """Do nothing."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.close()


def _audience(scopes: tuple[str, ...]) -> str:
    """Return the audience of the first scope: that of the Batch SDK ends in ``//.default``."""
    return scopes[0].removesuffix("/.default")


class BlockingCredential:
    """A credential for the emulator, as SDK clients take it that are not async.

    Parameters
    ----------
    tokens
        Issues the tokens.
    """

    def __init__(self, tokens: TokenIssuer) -> None:
        self._tokens = tokens

    def get_token(self, *scopes: str, **_kwargs: Any) -> AccessToken:
        """Return a token for the audience of a scope."""
        return AccessToken(*self._tokens.issue(_audience(scopes)))

    def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        """Return a token for the audience of a scope."""
        del options
        return AccessTokenInfo(*self._tokens.issue(_audience(scopes)))

    def close(self) -> None:
        """Do nothing."""
