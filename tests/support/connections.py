"""The connection of a session, its emulator and its transport, for tests that change or read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from batchimg_magics.connection.connection import Connection
    from batchimg_magics.emulator.emulator import Emulator
    from batchimg_magics.session.session import Session


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
