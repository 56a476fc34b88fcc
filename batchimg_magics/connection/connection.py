"""Open a connection to the emulator or to Azure: both are the same `Azure` client, with different transports."""

from __future__ import annotations

import contextlib
import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from batchimg_magics.connection import clouds, profiles
from batchimg_magics.connection.scenarios import CALM, check_scenario, scenario_descriptions
from batchimg_magics.core.azure.client import Azure, Scope, SpendingLimit
from batchimg_magics.core.azure.cloud import AZURE_PUBLIC
from batchimg_magics.core.azure.service_clock import ServiceClock
from batchimg_magics.core.azure.tags import combined as combine_tags
from batchimg_magics.core.base.consent import Consent
from batchimg_magics.core.base.table import Table
from batchimg_magics.errors import BatchImgError, NotConnectedError, SpecError
from batchimg_magics.pool_spec.tags import check_resource_tags

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from azure.core.pipeline.transport import AsyncHttpTransport

    from batchimg_magics.connection.options import ConnectionOptions
    from batchimg_magics.connection.sign_in import SignIn, SignInCredential, SignInPrompt
    from batchimg_magics.core.azure.cloud import Cloud
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.emulator.emulator import Emulator

    Transport: TypeAlias = AsyncHttpTransport[Any, Any]


@dataclass(slots=True)
class Connection:
    """An open connection.

    Parameters
    ----------
    azure
        The client of the Azure services.
    loop
        The event loop that the client runs on.
    advancing_time
        Returns a context manager: inside it, the time of the loop advances. Needed by the emulator's instant time.
    emulator
        The emulator; None: the connection is to Azure.
    credential
        What signed in to Azure; None for the emulator in this process.
    failed
        Whether the account could not be read when the connection was opened.
    served_scenario
        Returns the scenario that an emulator in another process told with its last answer; empty: none.
    served_speed
        Returns how many seconds of the service's time pass in a second, as told by an emulator in another process.
    """

    azure: Azure
    loop: asyncio.AbstractEventLoop
    advancing_time: Callable[[], AbstractContextManager[None]]
    emulator: Emulator | None = None
    credential: SignInCredential | None = None
    failed: bool = False
    served_scenario: Callable[[], str] = str
    served_speed: Callable[[], float] = lambda: 1.0

    @property
    def is_billed(self) -> bool:
        """Whether nodes cost money: not in the emulator, in this process or served by another one."""
        return self.emulator is None and not clouds.is_emulator(self.azure.cloud)

    @property
    def label(self) -> str:
        """The label of captions: plain for the emulator, loud for Azure.

        ``LOCAL``: the emulator, its time acceleration, the scenario that it simulates, and whether tasks really run.
        ``AZURE · labbatch · $41.20/h``: Azure, the account, and the cost of its pools where it was read.
        """
        if self.is_billed:
            usd = self.azure.account_cost.usd_per_hour
            return f"AZURE · {self.azure.scope.account}{'' if usd is None else f' · ${usd:,.2f}/h'}"
        speed = self.speed
        factor = f" \N{MULTIPLICATION SIGN}{speed:g}" if speed and speed != 1 else ""
        really = ["tasks run on this machine"] if self.emulator is not None and self.emulator.executor else []
        notes = [f"scenario {self.scenario}"] * self.simulates_failures + really
        return f"LOCAL{factor} ({', '.join(notes)})" if notes else f"LOCAL{factor}"

    @property
    def scenario(self) -> str:
        """The failure scenario of the emulator, ``calm`` if there is none; empty for Azure."""
        if self.is_billed:
            return ""
        return self.served_scenario() or CALM if self.emulator is None else self.emulator.scenario

    @property
    def speed(self) -> float | None:
        """How many seconds of the service's time pass in a real second: 1 on Azure; None: no real time passes."""
        return self.served_speed() if self.emulator is None else self.emulator.current_speed

    @property
    def time_note(self) -> str:
        """What progress tells about the time of the service; empty on Azure, and where waiting takes no time."""
        speed = self.speed
        if self.is_billed or speed in (None, 1.0):
            return ""
        return f"emulated time, {speed:g} times as fast"

    @property
    def simulates_failures(self) -> bool:
        """Whether the emulator has a failure scenario."""
        return self.scenario not in ("", CALM)

    def close(self) -> None:
        """Close the event loop, which no longer runs, and the emulator of this process."""
        self.loop.close()
        if self.emulator is not None:
            self.emulator.close()

    def consent(self, *, yes: bool, dry_run: bool = False, always: bool = False) -> Consent:
        """Return what the user confirmed: Azure requires ``--yes``, the emulator does only where `always` is true."""
        required = always or self.is_billed
        return Consent(yes=yes, withheld=required and not (yes or dry_run), dry_run=dry_run)


def open_connection(
    options: ConnectionOptions,
    wrap_transport: Callable[[Transport], Transport] | None = None,
    *,
    credential: object | None = None,
    show_sign_in: Callable[[SignInPrompt], None] | None = None,
) -> Connection:
    """Open a connection; no request is sent yet, except to the metadata URL of a cloud.

    Parameters
    ----------
    options
        The options of `connect`.
    wrap_transport
        Wraps the transport of requests.
    credential
        Azure: a credential of the caller.
    show_sign_in
        Azure: called with the device code that a person must enter.

    Raises
    ------
    SpecError
        The options are invalid or incomplete.
    NotConnectedError
        The emulator state cannot be opened, the profile does not exist, or the cloud does not respond.
    """
    wrap = wrap_transport or (lambda transport: transport)
    if options.is_emulator:
        options = options.with_emulator_profile()
        opened = _open_emulator(options, wrap)
        try:
            if options.save_as:
                profiles.save_profile(options.save_as, options.as_emulator_profile())
        except NotConnectedError:
            opened.close()
            raise
        return opened
    from batchimg_magics.connection.sign_in import SignIn

    profile = _requested_profile(options)
    how = SignIn(profile.sign_in, profile.tenant, credential, show_sign_in)
    how.check()
    return _open_azure(options, profile, how, wrap)


def check_options(options: ConnectionOptions) -> None:
    """Check the options of a connection that do not need the connection itself.

    Raises
    ------
    SpecError
        The scenario does not exist, or a file cannot be imported.
    NotConnectedError
        The saved connections cannot be read.
    """
    if options.save_as:
        profiles.read_profiles()
    if not options.is_emulator:
        return
    check_scenario(options.scenario)
    if options.import_files:
        from batchimg_magics.connection.local_emulator import check_imports

        check_imports(options)


# -- the emulator ------------------------------------------------------------------------------------------------


def _open_emulator(options: ConnectionOptions, wrap_transport: Callable[[Transport], Transport]) -> Connection:
    from batchimg_magics.connection.local_emulator import open_local_emulator

    budget, resource_tags = SpendingLimit(_check_cost_limit(options.max_cost_per_hour)), options.resource_tags
    emulator, scope, ledger = open_local_emulator(options)
    loop = emulator.new_event_loop()
    # No price cache: the emulator has its own prices.
    azure = Azure(
        scope,
        emulator.credential,
        wrap_transport(emulator.transport),
        ledger=ledger,
        spending_limit=budget,
        resource_tags=resource_tags,
    )
    # Where no real time passes, that of the loop is the emulator's.
    azure.clock = ServiceClock(loop.time, lambda: emulator.current_speed or 1.0)
    return Connection(azure, loop, emulator.advancing_time, emulator)


def _check_cost_limit(requested: float | None) -> float | None:
    if requested is not None and not 0 < requested < float("inf"):
        raise SpecError(f"--max-cost-per-hour is {requested}", hint="expected USD per hour, above 0")
    return requested


# -- Azure -------------------------------------------------------------------------------------------------------


def _open_azure(
    options: ConnectionOptions, profile: profiles.Profile, how: SignIn, wrap_transport: Callable[[Transport], Transport]
) -> Connection:
    import asyncio

    from platformdirs import user_cache_path, user_data_path

    from batchimg_magics.connection.sign_in import SignInCredential
    from batchimg_magics.connection.trust import EnvironmentTransport

    if options.state or options.import_files or options.scenario or options.run_tasks:
        raise SpecError(
            "--state, --scenario, --import and --run-tasks are options of the emulator",
            hint="remove them, or remove the options of the connection to Azure",
        )
    environment = EnvironmentTransport()
    transport = wrap_transport(environment)
    loop = asyncio.new_event_loop()
    try:
        cloud = _find_cloud(profile, transport, loop)
    except BaseException:
        loop.close()
        raise
    if options.save_as:
        profiles.save_profile(options.save_as, profile)
    # Without a requested cloud, azure-identity may take its authority from the environment (AZURE_AUTHORITY_HOST).
    credential = SignInCredential(how, None if profile.cloud is None else cloud, transport)
    azure = Azure(
        Scope(profile.subscription, profile.resource_group, profile.account),
        credential,
        transport,
        cache=user_cache_path("batchimg"),
        ledger=user_data_path("batchimg") / "ledger.db",
        cloud=cloud,
        spending_limit=SpendingLimit(profile.max_cost_per_hour),
        resource_tags=profile.tags,
    )
    azure.clock = ServiceClock(loop.time, environment.told_speed)
    return Connection(
        azure,
        loop,
        contextlib.nullcontext,
        credential=credential,
        served_scenario=environment.told_scenario,
        served_speed=environment.told_speed,
    )


def _find_cloud(profile: profiles.Profile, transport: Transport, loop: asyncio.AbstractEventLoop) -> Cloud:
    """Return the cloud of a connection; that of a URL is read, on the loop that the connection will use."""
    import concurrent.futures

    name = profile.cloud or AZURE_PUBLIC.name
    if (known := clouds.known_cloud(name)) is not None:
        _check_prices_known(known, profile.max_cost_per_hour)
        return known
    # On a thread: the caller may have a running event loop of its own, as a notebook has.
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        reading = _read_cloud(name, transport, profile.max_cost_per_hour)
        return executor.submit(loop.run_until_complete, reading).result()


async def _read_cloud(url: str, transport: Transport, limit: float | None) -> Cloud:
    try:
        cloud = await clouds.read_cloud(url, transport)
        _check_prices_known(cloud, limit)
    except BaseException:
        await transport.close()
        raise
    return cloud


def _check_prices_known(cloud: Cloud, limit: float | None) -> None:
    if limit is not None and cloud.price_list is None:
        raise SpecError(
            f"--max-cost-per-hour is given, and no prices are known: {cloud.name} has no public price list",
            hint="connect without --max-cost-per-hour, and limit the pools with the quotas of the account",
        )


def _requested_profile(options: ConnectionOptions) -> profiles.Profile:
    """Return the saved profile that the options name, or a new one of subscription, resource group and account."""
    if options.profile:
        profile = profiles.read_profile(options.profile)
        if profile.is_emulator:
            raise SpecError(
                f"profile {options.profile!r} is a connection to the emulator", hint="remove the options of Azure"
            )
    else:
        required = {
            "--subscription": options.subscription,
            "--resource-group": options.resource_group,
            "--account": options.account,
        }
        if missing := [option for option, value in required.items() if not value]:
            raise SpecError(f"{', '.join(missing)} missing", hint=f"a connection to Azure needs {', '.join(required)}")
        profile = profiles.Profile(str(options.subscription), str(options.resource_group), str(options.account))
    given: dict[str, Any] = {
        "cloud": clouds.requested_cloud(options.cloud or profile.cloud),
        "tenant": options.tenant,
        "sign_in": options.sign_in,
        "max_cost_per_hour": _check_cost_limit(options.max_cost_per_hour),
        "tags": dict(check_resource_tags(combine_tags(profile.tags, options.resource_tags))),
    }
    return replace(profile, **{name: value for name, value in given.items() if value is not None})


# -- the result of connect ---------------------------------------------------------------------------------------


async def connection_table(connection: Connection, board: Board) -> Table:
    """Return the account of a connection, its quotas and its limits, in one row."""
    from batchimg_magics.core.batch import pools

    azure, emulator = connection.azure, connection.emulator
    try:
        account = await azure.account()
    except BatchImgError:
        # The session refuses further verbs, so that none runs on another connection than the intended one.
        connection.failed = True
        raise
    board.start()
    identity = connection.credential and connection.credential.identity
    props = account["properties"]
    existing = await pools.read_all(azure)
    row = {
        "connection": "azure" if connection.is_billed else "local",
        "account": azure.scope.account,
        "region": account["location"],
        "resource_group": azure.scope.resource_group,
        "subscription": azure.scope.subscription,
        "pools": len(existing),
        "pool_quota": props.get("poolQuota"),
        "dedicated_core_quota": props.get("dedicatedCoreQuota"),
        "spot_core_quota": props.get("lowPriorityCoreQuota"),
        "max_usd_per_hour": azure.spending_limit.usd_per_hour,
        "cloud": None if emulator is not None else azure.cloud.name,
        "signed_in_as": None if identity is None else str(identity),
        "tenant": identity.tenant or None if identity else None,
        "tags": ", ".join(f"{name}={value}" for name, value in azure.resource_tags.items()) or None,
        "state": None if emulator is None else emulator.state_path,
        "scenario": connection.scenario or None,
        "speed": None if emulator is None else f"{emulator.speed:g}" if emulator.speed else "max",
        "time": dt.datetime.fromtimestamp(azure.now(), dt.UTC).replace(microsecond=0),
    }
    missing = {} if emulator is None else emulator.not_imported()
    warnings = [
        {
            "rule": "import",
            "found": f"an imported document refers to {one}",
            "fix": f"import that document too: `{command} > FILE`",
        }
        for one, command in missing.items()
    ]
    more = {"warnings": warnings} if warnings else {}
    return Table.from_rows("connect", [row], f"account {azure.scope.account} on {_service(connection)}", **more)


def _service(connection: Connection) -> str:
    """Return what a connection leads to, for a caption: whether it is billed, and who is signed in."""
    cloud = connection.azure.cloud
    name, described = connection.scenario, scenario_descriptions() if connection.simulates_failures else {}
    failures = f"; scenario {name}: {described.get(name, 'not known')}" if described else ""
    if connection.emulator is not None:
        return f"the emulator: nothing is billed{failures}"
    if not connection.is_billed:
        text = f"the emulator at {cloud.resource_manager}: nothing is billed"
    else:
        text = f"{'Azure' if cloud == AZURE_PUBLIC else cloud.name}: nodes are billed"
    text += failures
    if cloud.price_list is None:
        text += f"; prices are not known, because {cloud.name} has no public price list"
    identity = connection.credential and connection.credential.identity
    return f"{text}; signed in as {identity}" if identity else text
