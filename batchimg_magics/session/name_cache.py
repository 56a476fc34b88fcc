"""Names of existing resources for completion, read in the background: whoever completes a word waits a moment only."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING

from batchimg_magics.errors import BatchImgError

if TYPE_CHECKING:
    from batchimg_magics.connection.connection import Connection

__all__ = ["NameCache"]

#: Maximum real seconds that one completion waits for the service; an editor waits little longer.
WAIT_S = 0.4
#: Maximum real seconds of one reading, whose names the next completion has.
READ_TIMEOUT_S = 30.0


class NameCache:
    """The names of one connection, by their kind.

    Parameters
    ----------
    connection
        The connection.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[tuple[str, str], list[str]] = {}
        self._reading: dict[tuple[str, str], threading.Event] = {}
        self._is_closed = False
        self._lock = threading.Lock()

    def names(self, kind: str, of: str) -> list[str]:
        """Return the current names, or the last known ones if the service is slow."""
        self._start(kind, of).wait(WAIT_S)
        return self._known.get((kind, of), [])

    def prefetch(self, kind: str) -> None:
        """Begin to read names that may be needed soon; do nothing if they are known."""
        if (kind, "") not in self._known:
            self._start(kind, "")

    def close(self) -> None:
        """Begin no more readings."""
        with self._lock:
            self._is_closed = True

    def _start(self, kind: str, of: str) -> threading.Event:
        with self._lock:
            if (running := self._reading.get((kind, of))) is not None:
                return running
            ended = self._reading[kind, of] = threading.Event()
        # On a thread of its own: the first reading imports what it needs, which takes longer than a completion may.
        threading.Thread(target=self._read, args=(kind, of, ended), name="batchimg-names", daemon=True).start()
        return ended

    def _read(self, kind: str, of: str, ended: threading.Event) -> None:
        from batchimg_magics.session.names import read_names

        try:
            with self._lock:
                if self._is_closed:
                    return
                reading = read_names(self._connection.azure, kind, of)
                future = asyncio.run_coroutine_threadsafe(reading, self._connection.loop)
            self._known[kind, of] = sorted(future.result(READ_TIMEOUT_S))
        except (TimeoutError, CancelledError, BatchImgError):
            pass  # the next completion tries again
        finally:
            with self._lock:
                del self._reading[kind, of]
            ended.set()
