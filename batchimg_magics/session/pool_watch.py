"""A pool that is read at intervals, as `Session.watch` returns it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Future

    from batchimg_magics.core.scaling.watch import PoolWatcher


class PoolWatch:
    """A pool that is being polled.

    Parameters
    ----------
    watch, future, loop
        The poller, its future, and the event loop that runs it.
    """

    def __init__(self, watch: PoolWatcher, future: Future[None], loop: asyncio.AbstractEventLoop) -> None:
        self._watcher = watch
        self._future = future
        self._loop = loop

    @property
    def pool(self) -> str:
        """The name of the pool."""
        return self._watcher.pool

    def poll_now(self) -> None:
        """Poll immediately; after the connection was closed, do nothing."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._watcher.poll_now)

    def set_hidden(self, hidden: bool) -> None:  # noqa: FBT001 - one word says it
        """Poll less often while no view is visible, and immediately when one becomes visible again."""
        before, self._watcher.hidden = self._watcher.hidden, hidden
        if before and not hidden:
            self.poll_now()

    def set_expecting(self, expecting: bool) -> None:  # noqa: FBT001 - one word says it
        """Poll as often as for a pool that is changing, before Azure reports the change; or stop doing so."""
        self._watcher.expects_change = expecting

    def stop(self) -> None:
        """Stop polling; nothing else is stopped."""
        self._future.cancel()
