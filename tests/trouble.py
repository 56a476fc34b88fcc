"""Trouble on purpose in the world that a session is connected to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.http import faults, scenarios

if TYPE_CHECKING:
    from batchimg_magics.emulator.world.store import Store
    from batchimg_magics.session import Session


def world_of(session: Session) -> Store:
    local = session._linked().local
    assert local is not None
    return local._store


def fail(session: Session, **fault: Any) -> None:
    """Let answers fail; without any words, none fails any more."""
    world = world_of(session)
    with world.transaction(write=True):
        faults.set_pending_faults(world, [scenarios.Fault(**fault)] if fault else [])


def scenario(session: Session, name: str) -> None:
    """Put the session's world into a scenario."""
    world = world_of(session)
    with world.transaction(write=True):
        scenarios.set_scenario(world, name)
