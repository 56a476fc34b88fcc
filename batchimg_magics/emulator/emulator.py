"""The emulator as the rest of the package uses it: open the emulator state, get a transport and a credential."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator import furnish
from batchimg_magics.emulator.app import DEFAULT_START, App
from batchimg_magics.emulator.arm.import_shapes import show_command
from batchimg_magics.emulator.arm.imports import import_documents
from batchimg_magics.emulator.arm.resources import NOT_IMPORTED
from batchimg_magics.emulator.batch.model import scenarios as pool_scenarios
from batchimg_magics.emulator.batch.model import shared_key
from batchimg_magics.emulator.credentials import EmulatorCredential
from batchimg_magics.emulator.http import scenarios
from batchimg_magics.emulator.http.throttling import Throttle
from batchimg_magics.emulator.http.tokens import TokenIssuer
from batchimg_magics.emulator.transport import EmulatorTransport
from batchimg_magics.emulator.world.clock import AcceleratedClock, InstantClock, InstantLoop, stored_speed
from batchimg_magics.emulator.world.database import StateError
from batchimg_magics.emulator.world.private_files import make_private_folder
from batchimg_magics.emulator.world.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from datetime import datetime

    from batchimg_magics.emulator.batch.execution.executor import TaskExecutor
    from batchimg_magics.emulator.world.clock import Clock

#: The environment variable with the emulator state file.
STATE_VARIABLE = "BATCHIMG_STATE"


class Emulator:
    """The open emulator, with what clients need to use it.

    Parameters
    ----------
    store
        The emulator state.
    speed
        Simulated seconds in a real second; None for instant time.
    control
        Whether the control API is enabled.
    throttled
        Whether requests to ARM are throttled.
    wall
        The real clock; tests replace it.

    Attributes
    ----------
    store
        The open emulator state.
    transport, credential
        For the clients of the SDKs, on the loop of `new_event_loop`.
    clock
        The simulated time.
    subscription_id, resource_group, account
        Of the default Batch account.
    state_path
        The file, or ``:memory:``.
    speed
        As given.
    """

    subscription_id = furnish.SUBSCRIPTION
    resource_group = furnish.GROUP
    account = furnish.ACCOUNT

    def __init__(
        self,
        store: Store,
        speed: float | None,
        *,
        control: bool = False,
        throttled: bool = True,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.state_path = store.path
        self.speed = speed
        self.store = store
        # Before the loop, which has to be closed: a damaged state can be noticed here.
        tokens, latest = TokenIssuer(store), store.latest_time()
        self._loop = InstantLoop() if speed is None else None
        self._loop_taken = False
        self.clock: Clock
        if self._loop is not None:
            self.clock = InstantClock(self._loop, latest)
        else:
            self.clock = AcceleratedClock(store, speed or 1.0, wall)
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
        self.executor: TaskExecutor | None = None
        self.credential = EmulatorCredential(tokens)

    def run_tasks(self, most: int | None = None) -> None:
        """Run the command lines of tasks as processes of this machine from now on, without isolation.

        Parameters
        ----------
        most
            Processes at the same time; None: as many as this machine has cores.

        Raises
        ------
        ExecutorTakenError
            Another process runs the tasks of this state.
        """
        from batchimg_magics.emulator.batch.execution.executor import TaskExecutor

        self.executor = executor = TaskExecutor(self.store, self.clock, most)
        self.app.on_write = executor.notice
        if self._loop is not None:
            self._loop.runs_really = lambda: executor.is_busy

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """Return the event loop on which everything has to run; with instant time it is the one of the clock."""
        if self._loop is None:
            return asyncio.new_event_loop()
        self._loop_taken = True
        return self._loop

    def advancing_time(self) -> AbstractContextManager[None]:
        """Return a context in which a foreground call waits, so that instant time may advance."""
        return contextlib.nullcontext() if self._loop is None else self._loop.advancing_time()

    def import_documents(self, documents: list[Any], *, deprovisioned: bool | None = None) -> list[str]:
        """Import resource documents.

        Parameters
        ----------
        documents
            As ARM returns them or as the Azure CLI prints them; lists are flattened.
        deprovisioned
            Whether the operating systems on the OS disks among them are generalized, which no document shows.

        Returns
        -------
        list of str
            The ids of the imported resources.

        Raises
        ------
        ImportRefusedError
            A document is not a resource, or its type is not supported. Nothing was imported.
        """
        return import_documents(self.store, self.clock.now(), documents, deprovisioned=deprovisioned)

    def not_imported(self) -> dict[str, str]:
        """Return the ids of the resources that imported documents refer to, and that were not imported.

        Each has the command of the Azure CLI that prints the missing document.
        """
        missing = [one for one in self.store.meta(NOT_IMPORTED) or [] if self.store.get(one) is None]
        return {one: show_command(one) for one in missing}

    @property
    def current_speed(self) -> float | None:
        """Simulated seconds in a real second now: another process with the same state may change it; None: instant."""
        return None if self.speed is None else stored_speed(self.store)

    @property
    def seed(self) -> int:
        """The random seed of the state, which it has had from the beginning."""
        return int(self.store.meta("seed") or 0)

    @property
    def scenario(self) -> str:
        """The name of the current scenario; another process with the same state may set it. ``calm``: no failures."""
        return scenarios.current_name(self.store)

    def accounts(self) -> list[str]:
        """Return the ids of the Batch accounts."""
        return [item.doc["id"] for item in self.store.items("microsoft.batch/batchaccounts", "/subscriptions")]

    def close(self) -> None:
        """Close the emulator state, and the event loop if it was never requested.

        The elapsed time is stored, so that the next process continues after it.
        """
        if self.executor is not None:
            self.app.on_write = None
            self.executor.close()
        # Where the file cannot be written, the time since the last write is lost, and nothing else.
        with contextlib.suppress(StateError), self.store.transaction(write=True):
            self.store.record_time(self.clock.now())
        if self._loop is not None and not self._loop_taken:
            self._loop.close()
        self.store.close()


def default_state_path() -> str:
    """Return the emulator state file that every process uses unless it names another one, or ``:memory:``.

    `BATCHIMG_STATE` names it; else it is in the user data folder.
    """
    from platformdirs import user_data_path

    path = os.environ.get(STATE_VARIABLE) or str(user_data_path("batchimg") / "world.db")
    return path if path == ":memory:" else str(Path(path).expanduser())


def open_emulator(
    state: str | Path = ":memory:",
    *,
    speed: float | None = None,
    scenario: str | None = None,
    start: datetime | None = None,
    seed: int = 0,
    control: bool = False,
    throttled: bool = True,
    wall: Callable[[], float] = time.time,
) -> Emulator:
    """Open the emulator state, and create the default resources if it is new.

    Parameters
    ----------
    state
        A file, created if it does not exist, or ``:memory:``.
    speed
        Simulated seconds in a real second, above 0. None: instant time; the file is then locked by this process.
    scenario
        Name of the failure scenario (see `http.scenarios.SCENARIOS`). None: keep the current one, initially ``calm``.
    start
        Start of the simulated time of a new state: by default 2026-07-01T09:00:00Z with instant time, else now.
    seed
        Seed of the ids and random choices of a new state.
    control
        Whether the control API under ``/_sim/`` is enabled.
    throttled
        Whether requests to ARM are throttled (429), as on Azure.
    wall
        The real clock; tests replace it.

    Raises
    ------
    StateBusyError
        Another process has locked the file.
    StateError
        The file cannot be used: it is not an emulator state file, it has another layout, it is damaged, ...
    ValueError
        The speed is not above 0, or the scenario is unknown.
    """
    if speed is not None and not 0 < speed < math.inf:
        raise ValueError(f"the speed has to be a number above 0, not {speed:g}")
    if scenario is not None:
        scenarios.check_name(scenario)
    if str(state) != ":memory:":
        make_private_folder(Path(state).parent)
    default = DEFAULT_START.timestamp() if speed is None else time.time()
    begin = default if start is None else start.timestamp()
    store = Store(state, start=begin, seed=seed, exclusive=speed is None)
    try:
        with store.transaction(write=True):
            furnish.furnish(store)
        emulator = Emulator(store, speed, control=control, throttled=throttled, wall=wall)
    except BaseException:
        store.close()
        raise
    try:
        if scenario is not None:
            with store.transaction(write=True):
                pool_scenarios.set_scenario(store, emulator.clock.now(), scenario)
    except BaseException:
        emulator.close()
        raise
    return emulator
