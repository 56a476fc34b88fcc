"""The local Azure as other rooms of the package use it: open a world, get a transport and a credential."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator import furnish
from batchimg_magics.emulator.app import DEFAULT_START, App
from batchimg_magics.emulator.arm.imports import import_documents
from batchimg_magics.emulator.batch.model import shared_key
from batchimg_magics.emulator.http import scenarios
from batchimg_magics.emulator.http.throttling import Throttle
from batchimg_magics.emulator.http.tokens import TokenIssuer
from batchimg_magics.emulator.transport import EmulatorCredential, EmulatorTransport
from batchimg_magics.emulator.world.clock import AcceleratedClock, InstantClock, InstantLoop
from batchimg_magics.emulator.world.store import Store

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from datetime import datetime

    from batchimg_magics.emulator.world.clock import Clock


class Emulator:
    """One open world with the way into it.

    Parameters
    ----------
    world
        What there is.
    speed
        Simulated seconds a real second; None for stepped.
    control
        Whether the app has the simulator's own routes.
    throttled
        Whether who asks too much is told to wait.

    Attributes
    ----------
    transport, credential
        What the SDK's clients take, on the loop of `new_event_loop`.
    clock
        The world's time.
    subscription_id, resource_group, account
        Of the furnished Batch account.
    world_path
        The file, or ``:memory:``.
    speed
        As given.
    """

    subscription_id = furnish.SUBSCRIPTION
    resource_group = furnish.GROUP
    account = furnish.ACCOUNT

    def __init__(self, store: Store, speed: float | None, *, control: bool = False, throttled: bool = True) -> None:
        self.state_path = store.path
        self.speed = speed
        self._store = store
        self._loop = InstantLoop() if speed is None else None
        self._loop_taken = False
        self.clock: Clock
        if self._loop is not None:
            self.clock = InstantClock(self._loop, store.latest_time())
        else:
            self.clock = AcceleratedClock(store, speed or 1.0)
        tokens = TokenIssuer(store)
        throttle = Throttle() if throttled else None
        self.app = App(
            store,
            self.clock,
            check_token=tokens.check,
            check_key=shared_key.signature_problem,
            control=control,
            throttle=throttle,
        )
        self.transport = EmulatorTransport(self.app, self.clock)
        self.credential = EmulatorCredential(tokens)

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop that everything has to run on; in stepped mode there is one, whose time is the world's."""
        if self._loop is None:
            return asyncio.new_event_loop()
        self._loop_taken = True
        return self._loop

    def advancing_time(self) -> AbstractContextManager[None]:
        """Return a block in which a foreground call waits, so that stepped time may move on."""
        return contextlib.nullcontext() if self._loop is None else self._loop.advancing_time()

    def import_documents(self, documents: list[dict[str, Any]], *, deprovisioned: bool | None = None) -> list[str]:
        """Put resource documents into the world.

        Parameters
        ----------
        documents
            As ARM answers them or as Azure's command line prints them; lists among them are taken apart.
        deprovisioned
            Whether the systems on the OS disks among them were deprovisioned, which no document says.

        Returns
        -------
        list of str
            The ids that were taken.

        Raises
        ------
        ImportRefusedError
            A document is none of a resource, or of a type that the simulator does not know. Nothing was taken.
        """
        return import_documents(self._store, self.clock.now(), documents, deprovisioned=deprovisioned)

    def accounts(self) -> list[str]:
        """Return the ids of the Batch accounts in the world."""
        return [item.doc["id"] for item in self._store.items("microsoft.batch/batchaccounts", "/subscriptions")]

    def close(self) -> None:
        """Let the world go. The loop is closed by whoever ran it; one that was never handed out is closed here.

        The time that has passed is kept: whoever opens the world next does not live it again.
        """
        with self._store.transaction(write=True):
            self._store.record_time(self.clock.now())
        if self._loop is not None and not self._loop_taken:
            self._loop.close()
        self._store.close()


def open_emulator(
    state: str | Path = ":memory:",
    *,
    speed: float | None = None,
    scenario: str | None = None,
    start: datetime | None = None,
    seed: int = 0,
    control: bool = False,
    throttled: bool = True,
) -> Emulator:
    """Open a world and furnish it when it is new.

    Parameters
    ----------
    world
        A file, made when it is not there, or ``:memory:``.
    speed
        Simulated seconds a real second, above 0. None: stepped; the file is then held by this process alone.
    scenario
        What goes wrong in this world, by name (see `http.scenarios.SCENARIOS`); None leaves it as it is, calm at first.
    start
        Where a new world's time begins: by default 2026-07-01T09:00:00Z stepped, and now otherwise.
    seed
        What a new world's ids and random choices grow from.
    control
        Whether its app has the simulator's own routes, under ``/_sim/``.
    throttled
        Whether who asks ARM too much is answered 429, as on Azure.

    Raises
    ------
    WorldBusyError
        Another process holds the file.
    WorldLayoutError
        The file is not a world of this layout.
    ValueError
        The speed is not above 0, or the scenario is unknown.
    """
    if speed is not None and speed <= 0:
        raise ValueError(f"a speed is above 0, not {speed}")
    if str(state) != ":memory:":
        Path(state).parent.mkdir(parents=True, exist_ok=True)
    default = DEFAULT_START.timestamp() if speed is None else time.time()
    begin = default if start is None else start.timestamp()
    store = Store(state, start=begin, seed=seed, exclusive=speed is None)
    try:
        with store.transaction(write=True):
            furnish.furnish(store)
            if scenario is not None:
                scenarios.set_scenario(store, scenario)
        return Emulator(store, speed, control=control, throttled=throttled)
    except BaseException:
        store.close()
        raise
