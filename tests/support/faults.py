"""Faults and scenarios in the emulator that a session is connected to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.http import faults, scenarios
from tests.support.connections import emulator_of

if TYPE_CHECKING:
    from batchimg_magics.emulator.world.store import Store
    from batchimg_magics.session.session import Session


def emulator_state(session: Session) -> Store:
    return emulator_of(session).store


def set_faults(session: Session, **fault: Any) -> None:
    """Let responses fail; without arguments, none fails."""
    store = emulator_state(session)
    with store.transaction(write=True):
        faults.set_pending_faults(store, [scenarios.Fault(**fault)] if fault else [])


def set_scenario(session: Session, name: str) -> None:
    """Set the scenario of the session's emulator."""
    store = emulator_state(session)
    with store.transaction(write=True):
        scenarios.set_scenario(store, name)
