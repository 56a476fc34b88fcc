"""Refresh the inputs of a forecast: quotas, their use by other pools, prices, replicas and the expiry."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from batchimg_magics.core.scaling import context
from batchimg_magics.core.scaling.watch import sleep_or_wake
from batchimg_magics.errors import BatchImgError

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.estimates.forecast import ForecastInputs
    from batchimg_magics.core.scaling.context import ImageSummary
    from batchimg_magics.session.session import Session

    OnRead = Callable[[ForecastInputs, ImageSummary, float], None]

__all__ = ["MAX_AGE_S", "ContextRefresh"]

#: Seconds of the service's time after which the inputs are read again.
MAX_AGE_S = 600.0


class ContextRefresh:
    """Reads the forecast inputs of a pool on request, and when they are older than `MAX_AGE_S`.

    Parameters
    ----------
    session, name
        The session, and the name of the pool.
    on_read, on_error
        Called on the session's thread: with the inputs, the image and the time of reading; with an error message.

    Attributes
    ----------
    read_at
        When the inputs were last read, in seconds of the service's time.
    """

    def __init__(self, session: Session, name: str, on_read: OnRead, on_error: Callable[[str], None]) -> None:
        self.read_at = 0.0
        self._session, self._name = session, name
        self._on_read, self._on_error = on_read, on_error
        self._wake = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._future: Future[None] | None = None

    def start(self) -> None:
        """Start reading; does nothing if it has been started."""
        if self._future is None:
            self._future = self._session.submit(self._run)

    def stop(self) -> None:
        """Stop reading until `start` is called again."""
        if self._future is not None:
            self._future.cancel()
            self._future = None

    def read_now(self) -> None:
        """Read again now."""
        if self._loop is None:
            self._wake.set()  # it has not started yet, and reads as soon as it does
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake.set)

    async def _run(self, azure: Azure) -> None:
        self._loop = asyncio.get_running_loop()
        while True:
            await sleep_or_wake(azure, max(0.0, self.read_at + MAX_AGE_S - azure.now()), self._wake)
            try:
                inputs, image = await context.read_forecast_inputs(azure, self._name)
            except BatchImgError as error:
                self._on_error(error.message)
            else:
                self._on_read(inputs, image, azure.now())
            # Also after an error, so that a failing read is not repeated without a pause.
            self.read_at = azure.now()
