"""Sessions after a fork: the event loop, its thread and the clients of a connection stay with the parent process.

A child process that waited for that thread would wait for ever. Its sessions therefore have no connection, and say so.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol

from batchimg_magics.errors import NotConnectedError

__all__ = ["check_process", "register"]

_HINT = "connect again in this process, or use a session of its own; processes can share a --state FILE"


class _Forkable(Protocol):
    def leave_to_parent(self) -> object:
        """Give the connection up without a request, and return what must not be closed here."""


_sessions: weakref.WeakSet[_Forkable] = weakref.WeakSet()
#: What belongs to the parent. It is kept, since SQLite and event loops must not be closed by a child.
_left: list[object] = []


def register(session: _Forkable) -> int:
    """Let a session give its connection up in child processes; return the id of this process, for `check_process`."""
    _sessions.add(session)
    return os.getpid()


def check_process(process_id: int) -> None:
    """Check that work which was started in a process is waited for there.

    Raises
    ------
    NotConnectedError
        This is another process, made by a fork.
    """
    if os.getpid() != process_id:
        raise NotConnectedError("the connection belongs to the process that was forked", hint=_HINT)


def _leave_all_to_parent() -> None:
    _left.extend(session.leave_to_parent() for session in list(_sessions))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_all_to_parent)
