"""What a run has just read: whoever needs the same a moment later takes it from here, unless it was written since.

A run reads much before it changes anything: the rules look at it, then the plan, then the steps. Only what is asked
for through `once` and `among` is kept, for a moment, and for the run that read it. Polls never are.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import unquote, urlsplit

from batchimg_magics.errors import AuthenticationError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from batchimg_magics.resource_ids import ResourceId

T = TypeVar("T")

#: How long what was read holds, in seconds of the service's time: as long as a run takes from its plan to its steps.
MAX_AGE_S = 20.0


class Clock(Protocol):
    """Who knows the service's time: `Azure` does, and stands above this."""

    def now(self) -> float:
        """Return the service's time in seconds since 1970."""


@dataclass(slots=True)
class _ReadCache:
    """What one run read, and wrote: a path to when, and to the answer."""

    answers: dict[str, tuple[float, int, Any]] = field(default_factory=dict)
    written: dict[str, int] = field(default_factory=dict)
    writes: int = 0
    locks: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    def is_unwritten(self, path: str, since: int) -> bool:
        """Tell whether nothing at a path, above it or below it was written since so many writes."""
        return not any(
            number > since and (path.startswith(one) or one.startswith(path)) for one, number in self.written.items()
        )


_current_cache: ContextVar[_ReadCache | None] = ContextVar("what a run has just read", default=None)


@contextmanager
def share_reads() -> Iterator[None]:
    """Let all that is read within share what it reads; tasks that begin within belong to it."""
    token = _current_cache.set(_ReadCache())
    try:
        yield
    finally:
        _current_cache.reset(token)


def invalidate(url: str) -> None:
    """Note that something is being written: what was read of it, above it or below it holds no longer."""
    if (memory := _current_cache.get()) is not None:
        memory.writes += 1
        memory.written[_key(urlsplit(url).path)] = memory.writes


async def get_or_read(azure: Clock, path: str, read: Callable[[], Awaitable[T]]) -> T:
    """Return what lies at a path: as it was read a moment ago, else as `read` reads it now.

    Parameters
    ----------
    azure
        Whose time passes.
    path
        Of a resource or of a list of them, on Azure Resource Manager's host.
    read
        Reads it.
    """
    return await _read_through(azure, _key(path), _key(path), read)


def store(azure: Clock, path: str, value: object) -> None:
    """Keep what a poll saw at a path, for whoever needs it at once."""
    if (memory := _current_cache.get()) is not None:
        memory.answers[_key(path)] = (azure.now(), memory.writes, value)


async def get_from_list(
    azure: Clock,
    resource: ResourceId,
    listed: Callable[[], Awaitable[list[dict[str, Any]]]],
    read: Callable[[], Awaitable[dict[str, Any] | None]],
    *,
    holds_s: float = MAX_AGE_S,
) -> dict[str, Any] | None:
    """Return a resource's document, None where it is not there: off a list of its kind that was read a moment ago.

    Parameters
    ----------
    azure, resource
        Whose time passes; which resource.
    listed
        Reads all of its kind in its place, where nobody has yet.
    read
        Reads it alone: where nothing is shared, or the list is barred.
    holds_s
        How old the list may be.
    """
    if _current_cache.get() is None:
        return await read()
    path = _key(str(resource))
    try:
        found = await _read_through(azure, path.rstrip("/").rpartition("/")[0] + "/", path, listed, holds_s)
    except AuthenticationError:
        return await read()  # who may see one may not see all
    return next((one for one in found if _key(one["id"]) == path), None)


async def _read_through(
    azure: Clock, key: str, matters: str, read: Callable[[], Awaitable[T]], holds_s: float = MAX_AGE_S
) -> T:
    """Return what is kept under a key, as far as what matters of it was not written since; else read it."""
    if (memory := _current_cache.get()) is None:
        return await read()
    async with memory.locks[key]:
        if (kept := memory.answers.get(key)) is not None:
            at, since, value = kept
            if azure.now() - at < holds_s and memory.is_unwritten(matters, since):
                found: T = value
                return found
        at, since = azure.now(), memory.writes
        found = await read()
        memory.answers[key] = (at, since, found)
        return found


def _key(path: str) -> str:
    # SDKs quote what a name may have, as a group's parentheses. A path's end is marked, so that /disks/a is not taken
    # for the beginning of /disks/ab.
    return f"{unquote(path).lower().rstrip('/')}/"
