"""A transport that answers from memory: the earlier responses of the emulator, byte by byte, at once.

So that what is timed is the client, and not the making of pages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azure.core.pipeline.transport import AsyncHttpTransport

from batchimg_magics.emulator.transport import EmulatorResponse

if TYPE_CHECKING:
    from types import TracebackType


class Replay(AsyncHttpTransport[Any, Any]):
    """Asks another transport the first time, and its own memory from then on.

    Parameters
    ----------
    inner
        Who is asked the first time.

    Attributes
    ----------
    at_work
        Whether it remembers; before, everything goes through.
    """

    def __init__(self, inner: AsyncHttpTransport[Any, Any]) -> None:
        self._inner = inner
        self.is_replaying = False
        self._known: dict[Any, tuple[type, Any]] = {}

    async def send(self, request: Any, **options: Any) -> Any:
        """Answer a GET as it was answered before; anything else goes through."""
        if not self.is_replaying or request.method != "GET":
            return await self._inner.send(request, **options)
        key = (type(request), request.url)
        if (known := self._known.get(key)) is not None:
            kind, answer = known
            return kind(request, answer)
        response = await self._inner.send(request, **options)
        answer = response.answer if isinstance(response, EmulatorResponse) else response.internal_response
        self._known[key] = (type(response), answer)
        return response

    async def sleep(self, duration: float) -> None:
        """Sleep as the other does."""
        await self._inner.sleep(duration)

    async def open(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.close()
