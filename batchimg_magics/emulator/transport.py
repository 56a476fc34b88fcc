"""The way in for the Azure SDKs of the same process: an azure-core transport that ends in `App.answer`."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec
from azure.core.credentials import AccessToken, AccessTokenInfo
from azure.core.exceptions import HttpResponseError, ServiceRequestError, ServiceResponseError
from azure.core.pipeline.transport import AsyncHttpResponse as LegacyResponse
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.core.utils import CaseInsensitiveDict

from batchimg_magics.emulator.http.messages import ConnectionDroppedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, MutableMapping
    from types import TracebackType
    from typing import Self

    from azure.core.credentials import TokenRequestOptions

    from batchimg_magics.emulator.app import App, HttpResponse
    from batchimg_magics.emulator.http.tokens import TokenIssuer
    from batchimg_magics.emulator.world.clock import Clock


class EmulatorTransport(AsyncHttpTransport[Any, Any]):
    """Sends what an SDK's pipeline sends to the local Azure in this process; its sleep is the world's.

    Parameters
    ----------
    app
        Who answers.
    clock
        The world's time.
    """

    def __init__(self, app: App, clock: Clock) -> None:
        self._app = app
        self._clock = clock

    async def send(self, request: Any, **_kwargs: Any) -> Any:  # noqa: ANN401 - azure-core has two kinds of both
        """Answer a request of either kind that azure-core has, with a response of that kind.

        Raises
        ------
        ServiceRequestError, ServiceResponseError
            A fault that was asked for drops the connection before the work, or after it.
        """
        await asyncio.sleep(0)  # an answer takes no time, but others on the loop get their turn
        modern = isinstance(request, HttpRequest)
        content = (request.content if modern else request.body) or b""
        body = content.encode() if isinstance(content, str) else bytes(content)
        try:
            answer = self._app.answer(request.method, request.url, request.headers, body)
        except ConnectionDroppedError as error:
            raise (ServiceResponseError if error.handled else ServiceRequestError)(str(error), error=error) from error
        return EmulatorResponse(request, answer) if modern else EmulatorLegacyResponse(request, answer)

    async def sleep(self, duration: float) -> None:
        """Return when that many simulated seconds have passed."""
        await self._clock.sleep(duration)

    async def open(self) -> None:
        """Do nothing: the world is open."""

    async def close(self) -> None:
        """Do nothing: the world is closed by whoever opened it."""

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.close()


class EmulatorResponse(AsyncHttpResponse):
    """An answer as the SDKs of today want it. All of it is there from the start."""

    def __init__(self, request: HttpRequest, answer: HttpResponse) -> None:
        self._request = request
        self._answer = answer
        self._headers: MutableMapping[str, str] = CaseInsensitiveDict(answer.headers)
        self._closed = False
        self._encoding: str | None = None

    @property
    def request(self) -> HttpRequest:
        """The request that this answers."""
        return self._request

    @property
    def status_code(self) -> int:
        """HTTP status."""
        return self._answer.status

    @property
    def headers(self) -> MutableMapping[str, str]:
        """Header names in any case, to values."""
        return self._headers

    @property
    def reason(self) -> str:
        """The status in words."""
        return HTTPStatus(self._answer.status).phrase

    @property
    def content_type(self) -> str | None:
        """What the body is."""
        return self._headers.get("Content-Type")

    @property
    def is_closed(self) -> bool:
        """Whether somebody closed it."""
        return self._closed

    @property
    def is_stream_consumed(self) -> bool:
        """Whether all has been read: it has, from the start."""
        return True

    @property
    def encoding(self) -> str | None:
        """How the text is written."""
        return self._encoding or "utf-8"

    @encoding.setter
    def encoding(self, value: str | None) -> None:
        self._encoding = value

    @property
    def url(self) -> str:
        """Where it came from."""
        return self._request.url

    @property
    def content(self) -> bytes:
        """The body."""
        return self._answer.body

    def body(self) -> bytes:
        """Return the body, as azure-core's pollers ask for it."""
        return self._answer.body

    def text(self, encoding: str | None = None) -> str:
        """Return the body as text."""
        return self._answer.body.decode(encoding or self.encoding or "utf-8-sig")

    def json(self) -> Any:  # noqa: ANN401 - any JSON
        """Return the decoded body."""
        return msgspec.json.decode(self._answer.body)

    def raise_for_status(self) -> None:
        """Raise azure-core's error for 400 and above."""
        if self._answer.status >= HTTPStatus.BAD_REQUEST:
            raise HttpResponseError(response=self)

    async def read(self) -> bytes:
        """Return the body."""
        return self._answer.body

    async def iter_bytes(self, **_kwargs: Any) -> AsyncIterator[bytes]:
        """Yield the body."""
        yield self._answer.body

    async def iter_raw(self, **_kwargs: Any) -> AsyncIterator[bytes]:
        """Yield the body."""
        yield self._answer.body

    async def close(self) -> None:
        """Note that nobody needs it any more."""
        self._closed = True

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<EmulatorResponse: {self.status_code} {self.reason}>"


class EmulatorLegacyResponse(LegacyResponse):
    """An answer as pipelines with azure-core's older kind of requests want it."""

    def __init__(self, request: Any, answer: HttpResponse) -> None:  # noqa: ANN401 - azure-core's older kind has no public type
        super().__init__(request, answer)
        self.status_code = answer.status
        self.headers = CaseInsensitiveDict(answer.headers)
        self.reason = HTTPStatus(answer.status).phrase
        self.content_type = self.headers.get("Content-Type")
        self._content = answer.body

    def body(self) -> bytes:
        """Return the body."""
        return self._content

    async def load_body(self) -> None:
        """Do nothing: the body is there."""

    async def _stream(self) -> AsyncIterator[bytes]:
        yield self._content

    def stream_download(self, pipeline: Any, **_kwargs: Any) -> Any:  # noqa: ANN401 - as azure-core declares it
        """Yield the body."""
        del pipeline
        return self._stream()


class EmulatorCredential:
    """Signs in to the local Azure: an async credential as the SDKs take them.

    Parameters
    ----------
    tokens
        The world's.
    """

    def __init__(self, tokens: TokenIssuer) -> None:
        self._tokens = tokens

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
    """Return the audience of the first scope: the Batch SDK's ends in ``//.default``."""
    return scopes[0].removesuffix("/.default")
