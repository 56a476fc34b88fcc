"""A transport that records the requests and their times."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """A request and its response.

    Parameters
    ----------
    at
        Loop time, which is the service's on a stepped loop.
    method, url
        Of the request.
    headers
        Of the answer.
    """

    at: float
    method: str
    url: str
    headers: Any

    @property
    def path(self) -> str:
        """The path of the URL."""
        return self.url.partition("://")[2].partition("?")[0].partition("/")[2]

    @property
    def operation(self) -> str:
        """The path of the operation that the response links to; empty if there is none."""
        url = self.headers.get("Azure-AsyncOperation") or ""
        return "/" + url.partition("://")[2].partition("?")[0].partition("/")[2] if url else ""

    @property
    def retry_after_s(self) -> float | None:
        """The seconds after which the service asks for the next request."""
        text = self.headers.get("Retry-After")
        return float(text) if text else None


class RequestLog:
    """Forwards everything to another transport, and records it.

    Parameters
    ----------
    inner
        Who answers.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.requests: list[LoggedRequest] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def send(self, request: Any, **options: Any) -> Any:
        """Send and record a request."""
        at = asyncio.get_running_loop().time()
        response = await self._inner.send(request, **options)
        self.requests.append(LoggedRequest(at, request.method, request.url, response.headers))
        return response

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Do nothing."""
