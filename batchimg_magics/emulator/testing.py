"""A plugin for pytest: tests of programs that use Azure Batch get an emulator of their own.

A project turns it on in its ``conftest.py``::

    pytest_plugins = ["batchimg_magics.emulator.testing"]

It is not an entry point of pytest: who has this package installed for notebooks pays nothing for it, and has no fixture
that nobody asked for. The emulator is imported by the first test that uses the fixture.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from batchimg_magics.emulator.app import App
    from batchimg_magics.emulator.credentials import BlockingCredential, EmulatorCredential
    from batchimg_magics.emulator.transport import BlockingTransport, EmulatorTransport
    from batchimg_magics.emulator.world.store import Store

__all__ = ["BatchEmulator", "ServedEmulator", "batch_emulator", "open_batch_emulator"]


@dataclass(frozen=True, slots=True)
class ServedEmulator:
    """The emulator for other programs.

    Parameters
    ----------
    url
        Of the server, for programs that can use another URL than Azure's.
    environment
        A whole environment for other programs: they use Azure's own host names, through a proxy.
    """

    url: str
    environment: dict[str, str] = field(repr=False)  # it has all variables of this process, which may be secrets


class BatchEmulator:
    """An emulator in memory, with the default resources, for one test.

    Time stands still, except that it advances by `advance`, while an SDK client waits (for an operation, before a
    retry), and once the emulator is served. Everything else is as with Azure; requests are throttled, too.

    Attributes
    ----------
    subscription_id, resource_group, region, account
        Names of the default Batch account.
    resource_manager, batch_endpoint
        URLs of Azure Resource Manager and of the Batch account.
    credential, transport
        For SDK clients: ``ComputeManagementClient(credential, subscription_id, transport=transport)``.
    async_credential, async_transport
        For the SDKs' async clients.
    """

    resource_manager = "https://management.azure.com"

    def __init__(self) -> None:
        from batchimg_magics.emulator import furnish
        from batchimg_magics.emulator.app import DEFAULT_START, App
        from batchimg_magics.emulator.batch.model import shared_key
        from batchimg_magics.emulator.credentials import BlockingCredential, EmulatorCredential
        from batchimg_magics.emulator.http.throttling import Throttle
        from batchimg_magics.emulator.http.tokens import TokenIssuer
        from batchimg_magics.emulator.transport import BlockingTransport, EmulatorTransport
        from batchimg_magics.emulator.world.store import Store

        self.subscription_id, self.resource_group = furnish.SUBSCRIPTION, furnish.GROUP
        self.region, self.account = furnish.REGION, furnish.ACCOUNT
        self.batch_endpoint = f"https://{self.account}.{self.region}.batch.azure.com"
        start = DEFAULT_START.timestamp()
        self._store: Store = Store(start=start)
        with self._store.transaction(write=True):
            furnish.furnish(self._store)
        self._clock = _TestClock(start)
        tokens = TokenIssuer(self._store)
        self._app: App = App(
            self._store,
            self._clock,
            check_token=tokens.check,
            check_key=shared_key.signature_problem,
            control=True,
            throttle=Throttle(),
        )
        self.credential: BlockingCredential = BlockingCredential(tokens)
        self.transport: BlockingTransport = BlockingTransport(self._app, self._clock.advance)
        self.async_credential: EmulatorCredential = EmulatorCredential(tokens)
        self.async_transport: EmulatorTransport = EmulatorTransport(self._app, self._clock)
        self._stack = contextlib.ExitStack()
        self._served: ServedEmulator | None = None

    @property
    def now(self) -> datetime:
        """The simulated time."""
        return datetime.fromtimestamp(self._clock.now(), UTC)

    def run_tasks(self) -> None:
        """Run the command lines of tasks from now on, as processes of this machine, until the end of the test."""
        from batchimg_magics.emulator.batch.execution.executor import TaskExecutor

        executor = TaskExecutor(self._store, self._clock)
        self._app.on_write = executor.notice
        self._stack.callback(executor.close)

    def advance(self, seconds: float) -> None:
        """Advance the simulated time."""
        self._control("POST", "advance", {"seconds": seconds})

    def faults(
        self, *faults: dict[str, Any], scenario: str | None = None, allocation: dict[str, Any] | None = None
    ) -> None:
        """Let requests or allocations fail; what was set before is replaced.

        Parameters
        ----------
        *faults
            As in the control API: for example ``{"method": "PUT", "path": "/pools/", "status": 503}``. None of them:
            earlier ones end.
        scenario
            Name of a scenario; None: the current one stays.
        allocation
            Parameters of the allocation of nodes; None: they end.
        """
        chosen = {} if scenario is None else {"scenario": scenario}
        self._control("POST", "faults", {"faults": list(faults), "allocation": allocation, **chosen})

    def import_documents(self, documents: Sequence[dict[str, Any]]) -> None:
        """Import resources as the Azure CLI prints them."""
        self._control("POST", "import", {"resources": list(documents)})

    def reset(self, *, empty: bool = False) -> None:
        """Return to a new state.

        Parameters
        ----------
        empty
            Leave out the default resources; only the subscription exists.
        """
        self._control("POST", "reset", {"empty": empty})

    def dump(self) -> dict[str, Any]:
        """Return the whole state as one JSON document."""
        found: dict[str, Any] = self._control("GET", "dump")
        return found

    def load(self, document: dict[str, Any]) -> None:
        """Put a state of `dump` back."""
        self._control("POST", "load", document)

    def serve(self, *, speed: float = 60.0) -> ServedEmulator:
        """Serve the emulator to other programs until the test ends, and return how they reach it.

        Requires the extra ``server``.

        Parameters
        ----------
        speed
            Simulated seconds in a real second, from now on. 0: time advances by `advance` only.
        """
        if self._served is None:
            self._served = self._serve(speed)
        return self._served

    def _serve(self, speed: float) -> ServedEmulator:
        from batchimg_magics.emulator.serving import certificates, environment, hosts, program, running

        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        made = certificates.make_certificates(folder, folder, hosts.certificate_names())
        started = self._stack.enter_context(running.run_server(self._app, speed or 1.0, made))
        self._clock.run(speed)
        variables = environment.proxied_environment(
            started.proxy,
            subscription=self.subscription_id,
            account=self.account,
            region=self.region,
            trusted=made,
            existing=os.environ,
        )
        return ServedEmulator(started.url, variables | program.azure_cli_folders(folder, os.environ))

    def close(self) -> None:
        """End the server, and forget the state."""
        self._stack.close()
        self._store.close()

    def _control(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - any JSON
        """Send a request to the control API.

        Raises
        ------
        ValueError
            The emulator refuses it.
        """
        content = b"" if body is None else msgspec.json.encode(body)
        answer = self._app.answer(method, f"https://localhost/_sim/{path}", {}, content)
        found = msgspec.json.decode(answer.body)
        if answer.status >= 400:
            raise ValueError(found["error"]["message"])
        return found


class _TestClock:
    """Time that advances on request, and by itself once it runs."""

    def __init__(self, now: float) -> None:
        self._now = now
        self._speed = 0.0
        self._since = 0.0

    def run(self, speed: float) -> None:
        """Let the time run from now on, at so many simulated seconds in a real second."""
        self._now, self._since, self._speed = self.now(), time.monotonic(), speed

    def now(self) -> float:
        """Return the simulated time."""
        return self._now + (time.monotonic() - self._since) * self._speed if self._speed else self._now

    def advance(self, seconds: float) -> None:
        """Advance the time by so many seconds."""
        self._now += max(0.0, seconds)

    def note(self, answered: float) -> None:
        """Do nothing: the time is in this process only."""

    def move_to(self, now: float) -> None:
        """Set the time, also back."""
        self._now, self._since = now, time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Advance the time: an async client waits."""
        self.advance(seconds)
        await asyncio.sleep(0)


@contextlib.contextmanager
def open_batch_emulator() -> Iterator[BatchEmulator]:
    """Open an emulator while the block runs: for fixtures with a larger scope."""
    opened = BatchEmulator()
    try:
        yield opened
    finally:
        opened.close()


@pytest.fixture
def batch_emulator() -> Iterator[BatchEmulator]:
    """Return an emulator of Azure Batch, Compute and sign-in, for one test."""
    with open_batch_emulator() as opened:
        yield opened
