"""An azure-core transport that sends the requests of SDK clients in this process to `App.answer`."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

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
    """Sends the requests of an SDK pipeline to the emulator in this process; its sleep is in simulated time.

    Parameters
    ----------
    app
        Handles the requests.
    clock
        The simulated time.
    """

    def __init__(self, app: App, clock: Clock) -> None:
        self._app = app
        self._clock = clock

    async def send(self, request: Any, **_kwargs: Any) -> Any:  # noqa: ANN401 - azure-core has two kinds of both
        """Answer a request of either of azure-core's two kinds, with a response of the same kind.

        Raises
        ------
        ServiceRequestError, ServiceResponseError
            A simulated fault drops the connection before the request is handled, or after it.
        """
        await asyncio.sleep(0)  # a response takes no time, but other tasks on the loop can run
        modern = isinstance(request, HttpRequest)
        content = (request.content if modern else request.body) or b""
        if isinstance(content, dict):  # a form, which transports encode
            content = urlencode(content)
        body = content.encode() if isinstance(content, str) else bytes(content)
        try:
            answer = self._app.answer(request.method, request.url, request.headers, body)
        except ConnectionDroppedError as error:
            raise (ServiceResponseError if error.handled else ServiceRequestError)(str(error), error=error) from error
        return EmulatorResponse(request, answer) if modern else EmulatorLegacyResponse(request, answer)

    async def sleep(self, duration: float) -> None:
        """Wait for so many simulated seconds."""
        await self._clock.sleep(duration)

    async def open(self) -> None:
        """Do nothing: the emulator is open."""

    async def close(self) -> None:
        """Do nothing: whoever opened the emulator closes it."""

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.close()


class EmulatorResponse(AsyncHttpResponse):
    """A response as current SDKs expect it. All of it is available from the start."""

    def __init__(self, request: HttpRequest, answer: HttpResponse) -> None:
        self._request = request
        self._answer = answer
        self._headers: MutableMapping[str, str] = CaseInsensitiveDict(answer.headers)
        self._closed = False
        self._encoding: str | None = None

    @property
    def request(self) -> HttpRequest:
        """The request of this response."""
        return self._request

    @property
    def answer(self) -> HttpResponse:
        """The emulator's answer that this response carries."""
        return self._answer

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
        """The reason phrase of the status."""
        return HTTPStatus(self._answer.status).phrase

    @property
    def content_type(self) -> str | None:
        """The content type of the body."""
        return self._headers.get("Content-Type")

    @property
    def is_closed(self) -> bool:
        """Whether the response was closed."""
        return self._closed

    @property
    def is_stream_consumed(self) -> bool:
        """Whether the body was read: always, from the start."""
        return True

    @property
    def encoding(self) -> str | None:
        """The encoding of the text."""
        return self._encoding or "utf-8"

    @encoding.setter
    def encoding(self, value: str | None) -> None:
        self._encoding = value

    @property
    def url(self) -> str:
        """The URL of the request."""
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
        """Mark the response as closed."""
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
    """A response for pipelines with azure-core's older kind of requests."""

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
        """Do nothing: the body is available."""

    async def _stream(self) -> AsyncIterator[bytes]:
        yield self._content

    def stream_download(self, pipeline: Any, **_kwargs: Any) -> Any:  # noqa: ANN401 - as azure-core declares it
        """Yield the body."""
        del pipeline
        return self._stream()


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
