"""Emulators for measurements: high quotas, and pools of idle nodes that are created without a client."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.furnish import ACCOUNT, REGION
from batchimg_magics.session.session import Session
from tests.support.batch_emulator import MACHINE, lift_quotas
from tests.support.connections import connection_of, emulator_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from batchimg_magics.connection.connection import Connection
    from batchimg_magics.emulator.emulator import Emulator

ENDPOINT = f"https://{ACCOUNT}.{REGION}.batch.azure.com"


@contextmanager
def open_session(wrap_transport: Callable[[Any], Any], **target: Any) -> Iterator[tuple[Session, Connection, Emulator]]:
    """Open a session on an emulator in memory with instant time, over a wrapped transport."""
    with Session(wrap_transport=wrap_transport) as session:
        session.open(state=":memory:", speed="max", **target)
        emulator = emulator_of(session)
        lift_quotas(emulator.store)
        yield session, connection_of(session), emulator


def issue_token(local: Emulator) -> str:
    """Return a token for the data plane of Batch."""
    return local.credential.issue("https://batch.core.windows.net/")


def create_idle_pools(local: Emulator, pools: Mapping[str, int]) -> None:
    """Create pools with this number of Marketplace nodes each, and advance the time by a day."""
    headers = {"authorization": f"Bearer {issue_token(local)}"}
    shape = {"vmSize": "Standard_D2s_v5", "virtualMachineConfiguration": MACHINE, "resizeTimeout": "PT12H"}
    for name, count in pools.items():
        body = json.dumps({"id": name, "targetDedicatedNodes": count, **shape}).encode()
        answer = local.app.answer("POST", f"{ENDPOINT}/pools?api-version=2025-06-01", headers, body)
        assert answer.status == 201, answer.body
    local.clock.advance(86_400)
