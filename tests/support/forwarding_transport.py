"""A transport that forwards every request; subclasses in tests override `send`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from azure.core.pipeline.transport import AsyncHttpTransport


@dataclass
class ForwardingTransport(AsyncHttpTransport[Any, Any]):
    """Forwards every call to another transport."""

    inner: AsyncHttpTransport[Any, Any]

    async def send(self, request: Any, **kwargs: Any) -> Any:
        return await self.inner.send(request, **kwargs)

    async def sleep(self, duration: float) -> None:
        await self.inner.sleep(duration)

    async def open(self) -> None:
        await self.inner.open()

    async def close(self) -> None:
        await self.inner.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
