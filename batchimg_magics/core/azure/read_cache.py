"""A cache of what one verb has just read: the same read a moment later is answered from it, unless it was written.

A verb reads the same resources for its rules, its plan and its steps. Only reads through `get_or_read` and
`get_from_list` are cached, for a few seconds, and for the verb that made them. Polls are never cached.
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

#: How long a read is valid, in seconds of the service's time: as long as a verb takes from its plan to its steps.
MAX_AGE_S = 20.0


class Clock(Protocol):
    """An object that has the service's time, as `Azure` does."""

    def now(self) -> float:
        """Return the service's time in seconds since 1970."""


@dataclass(slots=True)
class _ReadCache:
    """What one verb read and wrote: path to time and result."""

    answers: dict[str, tuple[float, int, Any]] = field(default_factory=dict)
    written: dict[str, int] = field(default_factory=dict)
    writes: int = 0
    locks: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    def is_unwritten(self, path: str, since: int) -> bool:
        """Tell whether no write to a path, a parent or a child of it came after the given number of writes."""
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
    """Invalidate what was read of a resource that is being written, of its parents and of its children."""
    if (memory := _current_cache.get()) is not None:
        memory.writes += 1
        memory.written[_key(urlsplit(url).path)] = memory.writes


async def get_or_read(azure: Clock, path: str, read: Callable[[], Awaitable[T]]) -> T:
    """Return the result for a path from the cache, or read it now.

    Parameters
    ----------
    azure
        The connection, for its time.
    path
        The path of a resource or a list of resources in Azure Resource Manager.
    read
        Reads it from Azure.
    """
    return await _read_through(azure, _key(path), _key(path), read)


def store(azure: Clock, path: str, value: object) -> None:
    """Put the result of a poll into the cache."""
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
    """Return a resource's document from a cached list of its type; None where it does not exist.

    Parameters
    ----------
    azure, resource
        The connection, and the id of the resource.
    listed
        Reads all resources of its type in its resource group.
    read
        Reads the resource alone: used without a cache, or where the caller may not read the list.
    holds_s
        The greatest age of the list in seconds.
    """
    if _current_cache.get() is None:
        return await read()
    path = _key(str(resource))
    try:
        found = await _read_through(azure, path.rstrip("/").rpartition("/")[0] + "/", path, listed, holds_s)
    except AuthenticationError:
        return await read()  # the permission may be for this resource alone
    return next((one for one in found if _key(one["id"]) == path), None)


async def _read_through(
    azure: Clock, key: str, matters: str, read: Callable[[], Awaitable[T]], holds_s: float = MAX_AGE_S
) -> T:
    """Return the cached result of a key, unless the path was written since; else read it."""
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
    # SDKs quote characters such as parentheses in names. The slash at the end keeps /disks/a from being a prefix of
    # /disks/ab.
    return f"{unquote(path).lower().rstrip('/')}/"
