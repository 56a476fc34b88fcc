"""The local Azure as other rooms of the package use it: open a world, get a transport and a credential."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchimg_magics.sim import faults, furnish, shared_key
from batchimg_magics.sim.app import START, App
from batchimg_magics.sim.auth import Tokens
from batchimg_magics.sim.clock import RunningClock, SteppedClock, SteppedLoop
from batchimg_magics.sim.imports import import_documents
from batchimg_magics.sim.throttling import Throttle
from batchimg_magics.sim.transport import LocalCredential, LocalTransport
from batchimg_magics.sim.world import World

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from datetime import datetime

    from batchimg_magics.sim.clock import Clock


class LocalAzure:
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

    def __init__(self, world: World, speed: float | None, *, control: bool = False, throttled: bool = True) -> None:
        self.world_path = world.path
        self.speed = speed
        self._world = world
        self._loop = SteppedLoop() if speed is None else None
        self._handed_out = False
        self.clock: Clock
        if self._loop is not None:
            self.clock = SteppedClock(self._loop, world.latest())
        else:
            self.clock = RunningClock(world, speed or 1.0)
        tokens = Tokens(world)
        throttle = Throttle() if throttled else None
        self.app = App(
            world,
            self.clock,
            check_token=tokens.check,
            check_key=shared_key.problem,
            control=control,
            throttle=throttle,
        )
        self.transport = LocalTransport(self.app, self.clock)
        self.credential = LocalCredential(tokens)

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop that everything has to run on; in stepped mode there is one, whose time is the world's."""
        if self._loop is None:
            return asyncio.new_event_loop()
        self._handed_out = True
        return self._loop

    def moving(self) -> AbstractContextManager[None]:
        """Return a block in which a foreground call waits, so that stepped time may move on."""
        return contextlib.nullcontext() if self._loop is None else self._loop.moving()

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
        return import_documents(self._world, self.clock.now(), documents, deprovisioned=deprovisioned)

    def accounts(self) -> list[str]:
        """Return the ids of the Batch accounts in the world."""
        return [item.doc["id"] for item in self._world.items("microsoft.batch/batchaccounts", "/subscriptions")]

    def close(self) -> None:
        """Let the world go. The loop is closed by whoever ran it; one that was never handed out is closed here.

        The time that has passed is kept: whoever opens the world next does not live it again.
        """
        with self._world.transaction(write=True):
            self._world.touch(self.clock.now())
        if self._loop is not None and not self._handed_out:
            self._loop.close()
        self._world.close()


def open_local(
    world: str | Path = ":memory:",
    *,
    speed: float | None = None,
    scenario: str | None = None,
    start: datetime | None = None,
    seed: int = 0,
    control: bool = False,
    throttled: bool = True,
) -> LocalAzure:
    """Open a world and furnish it when it is new.

    Parameters
    ----------
    world
        A file, made when it is not there, or ``:memory:``.
    speed
        Simulated seconds a real second, above 0. None: stepped; the file is then held by this process alone.
    scenario
        What goes wrong in this world, by name (see `faults.SCENARIOS`); None leaves it as it is, calm at first.
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
    if str(world) != ":memory:":
        Path(world).parent.mkdir(parents=True, exist_ok=True)
    default = START.timestamp() if speed is None else time.time()
    begin = default if start is None else start.timestamp()
    opened = World(world, start=begin, seed=seed, alone=speed is None)
    try:
        with opened.transaction(write=True):
            furnish.furnish(opened)
            if scenario is not None:
                faults.set_scenario(opened, scenario)
        return LocalAzure(opened, speed, control=control, throttled=throttled)
    except BaseException:
        opened.close()
        raise
