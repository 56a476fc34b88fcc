"""Open a connection to the emulator or to Azure: both are the same `Azure` client, with different transports."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from batchimg_magics.connection import profiles
from batchimg_magics.core.azure.client import ARM_ENDPOINT, Azure, Scope, SpendingLimit
from batchimg_magics.core.base.consent import Consent
from batchimg_magics.core.base.table import Table
from batchimg_magics.errors import BatchImgError, NotConnectedError, SpecError
from batchimg_magics.pool_spec.values import suggest_name
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from azure.core.pipeline.transport import AsyncHttpTransport

    from batchimg_magics.emulator.emulator import Emulator

    Transport: TypeAlias = AsyncHttpTransport[Any, Any]

#: Default speed, in simulated seconds per second: a pool gets its nodes within seconds, slowly enough to watch.
DEFAULT_SPEED = 60.0
MEMORY = ":memory:"


@dataclass(frozen=True, slots=True)
class ConnectionOptions:
    """The options of `connect`; None: not set.

    Parameters
    ----------
    state
        Emulator: state file, or ``:memory:``.
    speed
        Emulator: simulated seconds per second, or ``max``.
    scenario
        Emulator: name of a failure scenario.
    seed
        Emulator: random seed of a new state.
    date
        Emulator: start date of a new state.
    import_files
        Emulator: files with resource documents to import.
    deprovisioned
        Emulator: whether imported OS disks are generalized; None: if their VM is marked so.
    subscription, resource_group, account
        The Batch account in Azure; an account alone selects one of the emulator's.
    profile
        Name of a saved connection to Azure.
    save_as
        Name to save this connection to Azure as.
    max_cost_per_hour
        Limit of the cost of all pools of the account, in USD per hour.
    """

    state: str | None = None
    speed: str | float | None = None
    scenario: str | None = None
    seed: int | None = None
    date: str | dt.datetime | None = None
    import_files: Sequence[str] = ()
    deprovisioned: bool | None = None
    subscription: str | None = None
    resource_group: str | None = None
    account: str | None = None
    profile: str | None = None
    save_as: str | None = None
    max_cost_per_hour: float | None = None

    @property
    def is_emulator(self) -> bool:
        """Whether the options connect to the emulator."""
        return not (self.subscription or self.profile)


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
    failed
        Whether the account could not be read when the connection was opened.
    """

    azure: Azure
    loop: asyncio.AbstractEventLoop
    advancing_time: Callable[[], AbstractContextManager[None]]
    emulator: Emulator | None = None
    failed: bool = False

    @property
    def label(self) -> str:
        """``LOCAL`` for the emulator, ``azure`` for Azure."""
        return "azure" if self.emulator is None else "LOCAL"

    def consent(self, *, yes: bool, dry_run: bool = False, always: bool = False) -> Consent:
        """Return what the user confirmed: Azure requires ``--yes``, the emulator does only where `always` is true."""
        required = always or self.emulator is None
        return Consent(yes=yes, withheld=required and not (yes or dry_run), dry_run=dry_run)


def open_connection(
    options: ConnectionOptions, wrap_transport: Callable[[Transport], Transport] | None = None
) -> Connection:
    """Open a connection; no request is sent yet.

    Parameters
    ----------
    options
        The options of `connect`.
    wrap_transport
        Wraps the transport of requests.

    Raises
    ------
    SpecError
        The options are invalid or incomplete.
    NotConnectedError
        The emulator state cannot be opened, or the profile does not exist.
    """
    wrap = wrap_transport or (lambda transport: transport)
    return _open_emulator(options, wrap) if options.is_emulator else _open_azure(options, wrap)


# -- the emulator ------------------------------------------------------------------------------------------------


def _open_emulator(options: ConnectionOptions, wrap_transport: Callable[[Transport], Transport]) -> Connection:
    from batchimg_magics.emulator.emulator import open_emulator
    from batchimg_magics.emulator.world.store import StateBusyError, StateLayoutError

    if options.resource_group or options.save_as:
        raise SpecError(
            "a connection to Azure needs a subscription",
            hint="specify --subscription, --resource-group and --account, or none of them to use the emulator",
        )
    state_path, speed, start = _state_path(options.state), _parse_speed(options.speed), _parse_date(options.date)
    budget = SpendingLimit(_check_cost_limit(options.max_cost_per_hour))
    documents = [document for file in options.import_files for document in _read_documents(file)]
    try:
        emulator = open_emulator(
            state_path, speed=speed, scenario=options.scenario, start=start, seed=options.seed or 0
        )
    except StateBusyError as error:
        raise NotConnectedError(
            f"another process uses the emulator state {state_path}",
            hint="close it there, or use another --state FILE; except at --speed max, several processes can share one",
        ) from error
    except StateLayoutError as error:
        raise NotConnectedError(str(error), hint="use another --state FILE") from error
    except ValueError as error:
        raise SpecError(str(error)) from error
    try:
        _import_documents(emulator, documents, deprovisioned=options.deprovisioned)
        scope = _emulator_scope(emulator, options.account)
    except BaseException:
        emulator.close()
        raise
    # No price cache: the emulator has its own prices. The local history file is next to the state file.
    ledger = None if state_path == MEMORY else Path(state_path).with_suffix(".ledger.db")
    azure = Azure(scope, emulator.credential, wrap_transport(emulator.transport), ledger=ledger, spending_limit=budget)
    return Connection(azure, emulator.new_event_loop(), emulator.advancing_time, emulator)


def _state_path(requested: str | None) -> str:
    from platformdirs import user_data_path

    if not requested and "BATCHIMG_WORLD" in os.environ and "BATCHIMG_STATE" not in os.environ:
        raise SpecError("BATCHIMG_WORLD was renamed to BATCHIMG_STATE")
    path = requested or os.environ.get("BATCHIMG_STATE") or str(user_data_path("batchimg") / "world.db")
    return path if path == MEMORY else str(Path(path).expanduser())


def _parse_speed(requested: str | float | None) -> float | None:
    """Return simulated seconds per second; None for ``max``."""
    value = requested if requested is not None else os.environ.get("BATCHIMG_SPEED") or DEFAULT_SPEED
    text = str(value).strip().lower()
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise SpecError(f"--speed is {text!r}", hint="expected simulated seconds per second, for example 60, or max")
    return speed


def _check_cost_limit(requested: float | None) -> float | None:
    if requested is not None and not 0 < requested < float("inf"):
        raise SpecError(f"--max-cost-per-hour is {requested}", hint="expected USD per hour, above 0")
    return requested


def _parse_date(date: str | dt.datetime | None) -> dt.datetime | None:
    if not isinstance(date, str):
        return date
    try:
        parsed = dt.datetime.fromisoformat(date)
    except ValueError as error:
        raise SpecError(
            f"{date!r} is not a date", hint="expected a date such as 2026-07-01 or 2026-07-01T09:00:00Z"
        ) from error
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=dt.UTC)


def _read_documents(file: str) -> list[dict[str, Any]]:
    """Read resource documents as the Azure CLI prints them: one or a list, as JSON or YAML."""
    import yaml

    try:
        text = Path(file).expanduser().read_text("utf-8")
        content = json.loads(text) if text.lstrip()[:1] in ("{", "[") else yaml.safe_load(text)
    except OSError as error:
        raise SpecError(
            f"{file} cannot be read: {error.strerror}", hint="specify a file with the output of `az ... show`"
        ) from error
    except (ValueError, yaml.YAMLError) as error:
        raise SpecError(f"{file} is neither JSON nor YAML", hint="save the unchanged output of `az vm show`") from error
    documents = content if isinstance(content, list) else [content]
    if not documents or not all(isinstance(one, dict) for one in documents):
        raise SpecError(f"{file} has no resource documents", hint="save the unchanged output of `az vm show`")
    return documents


def _import_documents(emulator: Emulator, documents: list[dict[str, Any]], *, deprovisioned: bool | None) -> None:
    from batchimg_magics.emulator.arm.imports import ImportRefusedError

    if documents:
        try:
            emulator.import_documents(documents, deprovisioned=deprovisioned)
        except ImportRefusedError as error:
            raise SpecError(
                str(error), hint="VMs, disks, snapshots, images and Batch accounts can be imported"
            ) from error


def _emulator_scope(emulator: Emulator, account: str | None) -> Scope:
    ids = {(account_id := ResourceId.parse(one)).name: account_id for one in emulator.accounts()}
    name = account or emulator.account
    if name not in ids:
        raise NotConnectedError(f"the emulator has no Batch account {name!r}", hint=suggest_name(name, ids))
    return Scope(ids[name].subscription, ids[name].resource_group, name)


# -- Azure -------------------------------------------------------------------------------------------------------


def _open_azure(options: ConnectionOptions, wrap_transport: Callable[[Transport], Transport]) -> Connection:
    import asyncio

    from azure.core.pipeline.transport import AioHttpTransport
    from platformdirs import user_cache_path, user_data_path

    from batchimg_magics.connection.sign_in import SignInCredential

    profile = _requested_profile(options)
    if options.state or options.import_files or options.scenario:
        raise SpecError(
            "--state, --scenario and --import are options of the emulator",
            hint="remove them, or remove the options of the connection to Azure",
        )
    if options.save_as:
        profiles.save_profile(options.save_as, profile)
    scope = Scope(profile.subscription, profile.resource_group, profile.account)
    # AZURE_RESOURCE_MANAGER, which `batchimg emulator` prints, selects a served emulator instead of Azure.
    transport = AioHttpTransport()
    azure = Azure(
        scope,
        SignInCredential(transport),
        wrap_transport(transport),
        cache=user_cache_path("batchimg"),
        ledger=user_data_path("batchimg") / "ledger.db",
        endpoint=os.environ.get("AZURE_RESOURCE_MANAGER", ARM_ENDPOINT),
        spending_limit=SpendingLimit(profile.max_cost_per_hour),
    )
    return Connection(azure, asyncio.new_event_loop(), contextlib.nullcontext)


def _requested_profile(options: ConnectionOptions) -> profiles.Profile:
    """Return the saved profile that the options name, or a new one of subscription, resource group and account."""
    if options.profile:
        profile = profiles.read_profile(options.profile)
    else:
        required = {
            "--subscription": options.subscription,
            "--resource-group": options.resource_group,
            "--account": options.account,
        }
        if missing := [option for option, value in required.items() if not value]:
            raise SpecError(f"{', '.join(missing)} missing", hint=f"a connection to Azure needs {', '.join(required)}")
        profile = profiles.Profile(str(options.subscription), str(options.resource_group), str(options.account))
    limit = _check_cost_limit(options.max_cost_per_hour)
    return profile if limit is None else replace(profile, max_cost_per_hour=limit)


# -- the result of connect ---------------------------------------------------------------------------------------


async def connection_table(connection: Connection) -> Table:
    """Return the account of a connection, its quotas and its limits, in one row."""
    from batchimg_magics.core.batch import pools

    azure, emulator = connection.azure, connection.emulator
    try:
        account = await azure.account()
    except BatchImgError:
        # The session refuses further verbs, so that none runs on another connection than the intended one.
        connection.failed = True
        raise
    props = account["properties"]
    existing = await pools.read_all(azure)
    row = {
        "connection": "azure" if emulator is None else "local",
        "account": azure.scope.account,
        "region": account["location"],
        "resource_group": azure.scope.resource_group,
        "subscription": azure.scope.subscription,
        "pools": len(existing),
        "pool_quota": props.get("poolQuota"),
        "dedicated_core_quota": props.get("dedicatedCoreQuota"),
        "spot_core_quota": props.get("lowPriorityCoreQuota"),
        "max_usd_per_hour": azure.spending_limit.usd_per_hour,
        "state": None if emulator is None else emulator.state_path,
        "speed": None if emulator is None else f"{emulator.speed:g}" if emulator.speed else "max",
        "time": dt.datetime.fromtimestamp(azure.now(), dt.UTC).replace(microsecond=0),
    }
    service = "Azure: nodes are billed" if emulator is None else "the emulator: nothing is billed"
    return Table.from_rows("connect", [row], f"account {azure.scope.account} on {service}")
