"""The connection of a session, its emulator, its transport and its pools, for tests that change or read them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from batchimg_magics.core.batch import pools
from batchimg_magics.session.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from azure.core.pipeline.transport import AsyncHttpTransport

    from batchimg_magics.connection.connection import Connection
    from batchimg_magics.emulator.emulator import Emulator

W = TypeVar("W", bound="AsyncHttpTransport[Any, Any]")


@contextmanager
def wrapped_session(wrap: Callable[[Any], W], **target: Any) -> Iterator[tuple[Session, W]]:
    """Open and connect a session; return it and its transport, which wraps the one of the emulator.

    Parameters
    ----------
    wrap
        Wraps the transport.
    **target
        Options of `connect`.
    """
    wrapped: list[W] = []

    def wrap_transport(inner: AsyncHttpTransport[Any, Any]) -> W:
        wrapped.append(wrap(inner))
        return wrapped[-1]

    with Session(wrap_transport=wrap_transport) as session:
        session.connect(**target)
        yield session, wrapped[-1]


def connection_of(session: Session) -> Connection:
    """Return the connection of a session; open the default one if there is none."""
    if session.connection is None:
        session.open()
    assert session.connection is not None
    return session.connection


def emulator_of(session: Session) -> Emulator:
    """Return the emulator that a session is connected to."""
    emulator = connection_of(session).emulator
    assert emulator is not None
    return emulator


def transport_of(connection: Connection) -> Any:
    """Return the transport of a connection: the one that the test gave as a wrapper."""
    return connection.azure.transport


def read_pool(session: Session, name: str = "genomics") -> dict[str, Any]:
    """Return a pool's document, as ARM shows it."""
    found = session.submit(lambda azure: pools.read(azure, name)).result()
    assert found is not None
    return found
