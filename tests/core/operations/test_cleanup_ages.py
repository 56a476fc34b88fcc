"""`cleanup --delete` leaves what is young: an image build of a colleague may be running in the same account."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from batchimg_magics import Session
from batchimg_magics.emulator.http.planes import timestamp
from batchimg_magics.emulator.world.store import Item
from tests.support.connections import emulator_of
from tests.support.faults import set_faults

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

POOL = {"from_vm": "prep-vm", "vm_size": "Standard_D4s_v5"}
HOUR = 3600.0


@pytest.fixture
def session() -> Iterator[Session]:
    with Session() as opened:
        opened.connect(state=":memory:", speed="max")
        opened.create("genomics", **POOL)
        opened.delete("genomics")
        yield opened


def wait(session: Session, seconds: float) -> None:
    """Let the service's time pass."""
    session.call(lambda azure: azure.sleep(seconds))


def add_snapshot(session: Session, pool: str) -> None:
    """Let a build for a pool have made another snapshot just now."""
    store, now = emulator_of(session).store, session.call(lambda azure: asyncio.sleep(0, azure.now()))
    with store.transaction(write=True):
        one = store.items("microsoft.compute/snapshots")[0]
        document = {**one.doc, "id": f"{one.doc['id']}-new", "name": f"{one.doc['name']}-new"}
        document["tags"] = {**one.doc["tags"], "batchimg-pool": pool}
        document["properties"] = {**one.doc["properties"], "timeCreated": timestamp(now)}
        store.put(Item(document["id"].lower(), one.kind, document))


def actions(frame: pd.DataFrame) -> set[str]:
    return set(frame.action)


def test_what_is_younger_than_two_hours_is_left_and_told(session: Session) -> None:
    wait(session, 1.5 * HOUR)
    left = session.cleanup(delete=True)
    assert len(left) == 5
    assert actions(left) == {"kept"}
    assert left.detail.str.contains("younger than 2 h").all()
    assert 'kept, since younger than 2 h: 5 (older_than="0s" deletes them)' in left.attrs["caption"]
    assert len(session.cleanup()) == 5
    wait(session, 1 * HOUR)
    assert actions(session.cleanup(delete=True)) == {"deleted"}
    assert len(session.cleanup()) == 0


def test_one_young_part_keeps_the_whole_image_of_its_pool_and_no_other(session: Session) -> None:
    session.create("other", **POOL)
    session.delete("other")
    wait(session, 3 * HOUR)
    add_snapshot(session, "genomics")
    found = session.cleanup(delete=True).set_index("resource")
    assert set(found[found.pool == "other"].action) == {"deleted"}
    assert set(found[found.pool == "genomics"].action) == {"kept"}
    assert found[found.type == "gallery"].action.tolist() == ["kept"]
    assert set(session.cleanup().pool.dropna()) == {"genomics"}


def test_older_than_says_otherwise(session: Session) -> None:
    wait(session, 1.5 * HOUR)
    assert len(session.cleanup(older_than="100m")) == 0
    assert actions(session.cleanup(delete=True, older_than="1h")) == {"deleted"}
    assert len(session.cleanup()) == 0


def test_an_age_that_cannot_be_read_counts_as_young(session: Session) -> None:
    wait(session, 5 * HOUR)
    set_faults(session, method="GET", path="/resources$", status=403, code="AuthorizationFailed", times=None)
    found = session.cleanup(delete=True).set_index("type")
    # Definitions and galleries do not have the time in their documents.
    assert {"image definition", "gallery"} <= set(found[found.action == "kept"].index)


def test_a_network_interface_has_its_age_from_the_list_of_resources(session: Session) -> None:
    store = emulator_of(session).store
    with store.transaction(write=True):
        (nic, *_) = store.items("microsoft.network/networkinterfaces")
        nic.doc["tags"] = {"batchimg-pool": "genomics", "batchimg-account": "genomicsbatch", "batchimg-throwaway": "1"}
        nic.doc["properties"].pop("virtualMachine", None)
        store.put(nic)
    wait(session, 3 * HOUR)
    found = session.cleanup(delete=True)
    assert actions(found[found.type == "network interface"]) == {"deleted"}
