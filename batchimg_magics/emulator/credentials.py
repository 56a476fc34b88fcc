"""Credentials for the emulator in this process, as SDK clients take them: async, and not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azure.core.credentials import AccessToken, AccessTokenInfo

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from azure.core.credentials import TokenRequestOptions

    from batchimg_magics.emulator.http.tokens import TokenIssuer


class _Credential:
    """What both kinds have in common.

    Parameters
    ----------
    tokens
        Issues the tokens.
    """

    def __init__(self, tokens: TokenIssuer) -> None:
        self._tokens = tokens

    def _issue(self, scopes: tuple[str, ...]) -> tuple[str, int]:
        """Return a token for the audience of the first scope, and its end; the Batch SDK's ends in ``//.default``."""
        return self._tokens.issue(scopes[0].removesuffix("/.default"))


class EmulatorCredential(_Credential):
    """An async credential for the emulator, as the SDKs take it."""

    def issue(self, audience: str) -> str:
        """Return a bearer token for an audience, e.g. ``https://management.azure.com``."""
        return self._tokens.issue(audience)[0]

    async def get_token(self, *scopes: str, **_kwargs: Any) -> AccessToken:
        """Return a token for the audience of a scope."""
        return AccessToken(*self._issue(scopes))

    async def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        """Return a token for the audience of a scope."""
        del options
        return AccessTokenInfo(*self._issue(scopes))

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


class BlockingCredential(_Credential):
    """A credential for the emulator, as SDK clients take it that are not async."""

    def get_token(self, *scopes: str, **_kwargs: Any) -> AccessToken:
        """Return a token for the audience of a scope."""
        return AccessToken(*self._issue(scopes))

    def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        """Return a token for the audience of a scope."""
        del options
        return AccessTokenInfo(*self._issue(scopes))

    def close(self) -> None:
        """Do nothing."""
