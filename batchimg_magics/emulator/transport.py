"""Transports of azure-core that send the requests of SDK clients in this process to `App.answer`.

`EmulatorTransport` is for the SDKs' async clients, `BlockingTransport` for the others.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec
from azure.core.exceptions import HttpResponseError, ServiceRequestError, ServiceResponseError
from azure.core.pipeline.transport import AsyncHttpResponse as LegacyResponse
from azure.core.pipeline.transport import AsyncHttpTransport, HttpTransport
from azure.core.pipeline.transport import HttpResponse as LegacyBlockingResponse
from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.core.rest import HttpResponse as BaseResponse
from azure.core.utils import CaseInsensitiveDict

from batchimg_magics.emulator.http.messages import ConnectionDroppedError
from batchimg_magics.emulator.world.database import StateError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping
    from types import TracebackType
    from typing import Self

    from batchimg_magics.emulator.app import App, HttpResponse
    from batchimg_magics.emulator.world.clock import Clock


class EmulatorTransport(AsyncHttpTransport[Any, Any]):
    """Sends the requests of an SDK pipeline to the emulator in this process; its sleep is in simulated time.

    Parameters
    ----------
    app
        Handles the requests.
    clock
        The simulated time.

    Attributes
    ----------
    state_error
        Makes the exception that a request raises if the state file cannot be used.
    """

    def __init__(self, app: App, clock: Clock) -> None:
        self._app = app
        self._clock = clock
        self.state_error: Callable[[StateError], Exception] = lambda error: error

    async def send(self, request: Any, **_kwargs: Any) -> Any:  # noqa: ANN401 - azure-core has two kinds of both
        """Answer a request of either of azure-core's two kinds, with a response of the same kind.

        Raises
        ------
        ServiceRequestError, ServiceResponseError
            A simulated fault drops the connection before the request is handled, or after it.
        """
        await asyncio.sleep(0)  # a response takes no time, but other tasks on the loop can run
        try:
            answer = _answer(self._app, request)
        except StateError as error:
            raise self.state_error(error) from error
        modern = isinstance(request, HttpRequest)
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


class BlockingTransport(HttpTransport[Any, Any]):
    """Sends the requests of an SDK pipeline that is not async to the emulator in this process.

    Parameters
    ----------
    app
        Handles the requests.
    sleep
        Waits for so many simulated seconds: between two polls of an operation, and before a retry.
    """

    def __init__(self, app: App, sleep: Callable[[float], None]) -> None:
        self._app = app
        self._sleep = sleep

    def send(self, request: Any, **_kwargs: Any) -> Any:  # noqa: ANN401 - azure-core has two kinds of both
        """Answer a request of either of azure-core's two kinds, with a response of the same kind.

        Raises
        ------
        ServiceRequestError, ServiceResponseError
            A simulated fault drops the connection before the request is handled, or after it.
        """
        answer = _answer(self._app, request)
        modern = isinstance(request, HttpRequest)
        return BlockingResponse(request, answer) if modern else BlockingLegacyResponse(request, answer)

    def sleep(self, duration: float) -> None:
        """Wait for so many simulated seconds."""
        self._sleep(duration)

    def open(self) -> None:
        """Do nothing: the emulator is open."""

    def close(self) -> None:
        """Do nothing: whoever opened the emulator closes it."""

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self.close()


def _answer(app: App, request: Any) -> HttpResponse:  # noqa: ANN401 - azure-core has two kinds
    content = (request.content if isinstance(request, HttpRequest) else request.body) or b""
    if isinstance(content, dict):  # a form, which transports encode
        content = urlencode(content)
    body = content.encode() if isinstance(content, str) else bytes(content)
    try:
        return app.answer(request.method, request.url, request.headers, body)
    except ConnectionDroppedError as error:
        raise (ServiceResponseError if error.handled else ServiceRequestError)(str(error), error=error) from error


class _Content:
    """What both kinds of responses have in common. All of it is available from the start."""

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


class EmulatorResponse(_Content, AsyncHttpResponse):
    """A response as the async clients of current SDKs expect it."""

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


class BlockingResponse(_Content, BaseResponse):
    """A response as the other clients of current SDKs expect it."""

    def read(self) -> bytes:
        """Return the body."""
        return self._answer.body

    def iter_bytes(self, **_kwargs: Any) -> Iterator[bytes]:
        """Yield the body."""
        yield self._answer.body

    def iter_raw(self, **_kwargs: Any) -> Iterator[bytes]:
        """Yield the body."""
        yield self._answer.body

    def close(self) -> None:
        """Mark the response as closed."""
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<BlockingResponse: {self.status_code} {self.reason}>"


def _fill(response: Any, answer: HttpResponse) -> None:  # noqa: ANN401 - either of the classes below
    """Set what azure-core's older kind of responses has as attributes."""
    response.status_code = answer.status
    response.headers = CaseInsensitiveDict(answer.headers)
    response.reason = HTTPStatus(answer.status).phrase
    response.content_type = response.headers.get("Content-Type")


class EmulatorLegacyResponse(LegacyResponse):
    """A response for async pipelines with azure-core's older kind of requests."""

    def __init__(self, request: Any, answer: HttpResponse) -> None:  # noqa: ANN401 - azure-core's older kind has no public type
        super().__init__(request, answer)
        self._content = answer.body
        _fill(self, answer)

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


class BlockingLegacyResponse(LegacyBlockingResponse):
    """A response for other pipelines with azure-core's older kind of requests."""

    def __init__(self, request: Any, answer: HttpResponse) -> None:  # noqa: ANN401 - azure-core's older kind has no public type
        super().__init__(request, answer)
        self._content = answer.body
        _fill(self, answer)

    def body(self) -> bytes:
        """Return the body."""
        return self._content

    def stream_download(self, pipeline: Any, **_kwargs: Any) -> Iterator[bytes]:  # noqa: ANN401 - as azure-core declares it
        """Yield the body."""
        del pipeline
        yield self._content
