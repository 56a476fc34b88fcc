"""Opening a connection: the local Azure, or the real one. Both are the same `Azure` over another transport."""

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

#: Simulated seconds a real second, where nobody says: a pool of nodes is there in seconds, and can be watched coming.
DEFAULT_SPEED = 60.0
MEMORY = ":memory:"


@dataclass(frozen=True, slots=True)
class ConnectionOptions:
    """What a connection is asked to lead to; None: not said.

    Parameters
    ----------
    world
        The local Azure's file, or ``:memory:``.
    speed
        Simulated seconds a second, or ``max``.
    scenario
        What goes wrong there, by name.
    seed
        What its choices grow from.
    date
        When its time begins.
    import_files
        Files of resource documents to put into it.
    deprovisioned
        Whether the systems in them were deprovisioned.
    subscription, resource_group, account
        The real account; an account alone chooses one of the local Azure's.
    profile
        A saved connection.
    save_as
        The name to save this one under.
    max_cost_per_hour
        US dollars that all pools of the account may cost an hour.
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
        """Whether it leads to the local Azure."""
        return not (self.subscription or self.profile)


@dataclass(slots=True)
class Connection:
    """An open connection.

    Parameters
    ----------
    azure
        The clients.
    loop
        Where they run.
    moving
        A block inside which the loop's time moves on.
    local
        The local Azure, where it is one.
    failed
        Whether it turned out to lead nowhere.
    """

    azure: Azure
    loop: asyncio.AbstractEventLoop
    advancing_time: Callable[[], AbstractContextManager[None]]
    emulator: Emulator | None = None
    failed: bool = False

    @property
    def label(self) -> str:
        """``LOCAL``, or ``azure``."""
        return "azure" if self.emulator is None else "LOCAL"

    def consent(self, *, yes: bool, dry_run: bool = False, always: bool = False) -> Consent:
        """Return what the user confirmed: Azure requires ``--yes``, the emulator does only where `always` is true."""
        required = always or self.emulator is None
        return Consent(yes=yes, withheld=required and not (yes or dry_run), dry_run=dry_run)


def open_connection(
    target: ConnectionOptions, wrap_transport: Callable[[Transport], Transport] | None = None
) -> Connection:
    """Open a connection; no request is sent yet.

    Parameters
    ----------
    target
        Where to.
    through
        Wraps the transport.

    Raises
    ------
    SpecError
        The options do not make a connection.
    NotConnectedError
        The world cannot be opened, or no such connection was saved.
    """
    return (_open_emulator if target.is_emulator else _open_azure)(
        target, wrap_transport or (lambda transport: transport)
    )


# -- the local Azure ---------------------------------------------------------------------------------------------


def _open_emulator(target: ConnectionOptions, wrap_transport: Callable[[Transport], Transport]) -> Connection:
    from batchimg_magics.emulator.emulator import open_emulator
    from batchimg_magics.emulator.world.store import StateBusyError, StateLayoutError

    if target.resource_group or target.save_as:
        raise SpecError(
            "a connection to Azure needs a subscription, and none was given",
            hint="give --subscription, --resource-group and --account; without any of them the local Azure is used",
        )
    state_path, speed, start = _state_path(target.state), _parse_speed(target.speed), _parse_date(target.date)
    budget = SpendingLimit(_check_cost_limit(target.max_cost_per_hour))
    documents = [document for file in target.import_files for document in _read_documents(file)]
    try:
        emulator = open_emulator(state_path, speed=speed, scenario=target.scenario, start=start, seed=target.seed or 0)
    except StateBusyError as error:
        raise NotConnectedError(
            f"another process holds the world {state_path}",
            hint="close it there, or choose another with --state FILE; at a finite --speed several may share one",
        ) from error
    except StateLayoutError as error:
        raise NotConnectedError(str(error), hint="choose another with --state FILE") from error
    except ValueError as error:
        raise SpecError(str(error)) from error
    try:
        _import_documents(emulator, documents, deprovisioned=target.deprovisioned)
        scope = _emulator_scope(emulator, target.account)
    except BaseException:
        emulator.close()
        raise
    # Its prices are its own and are kept nowhere; its ledger lies beside it.
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
    """Return simulated seconds a second; None for ``max``."""
    text = (
        str(requested if requested is not None else os.environ.get("BATCHIMG_SPEED") or DEFAULT_SPEED).strip().lower()
    )
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise SpecError(f"a speed of {text!r}", hint="give simulated seconds a second, e.g. 60, or max")
    return speed


def _check_cost_limit(requested: float | None) -> float | None:
    if requested is not None and not 0 < requested < float("inf"):
        raise SpecError(f"--max-cost-per-hour is {requested}", hint="give US dollars, above 0")
    return requested


def _parse_date(date: str | dt.datetime | None) -> dt.datetime | None:
    if not isinstance(date, str):
        return date
    try:
        found = dt.datetime.fromisoformat(date)
    except ValueError as error:
        raise SpecError(f"{date!r} is no date", hint="write it as 2026-07-01 or 2026-07-01T09:00:00Z") from error
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


def _read_documents(file: str) -> list[dict[str, Any]]:
    """Read resource documents, as Azure's command line prints them: JSON, or YAML, one or a list."""
    import yaml

    try:
        text = Path(file).expanduser().read_text("utf-8")
        found = json.loads(text) if text.lstrip()[:1] in ("{", "[") else yaml.safe_load(text)
    except OSError as error:
        raise SpecError(
            f"{file} cannot be read: {error.strerror}", hint="give a file of `az ... show` output"
        ) from error
    except (ValueError, yaml.YAMLError) as error:
        raise SpecError(f"{file} is neither JSON nor YAML", hint="save the output of `az vm show` as it is") from error
    listed = found if isinstance(found, list) else [found]
    if not listed or not all(isinstance(one, dict) for one in listed):
        raise SpecError(f"{file} has no resource documents", hint="save the output of `az vm show` as it is")
    return listed


def _import_documents(emulator: Emulator, documents: list[dict[str, Any]], *, deprovisioned: bool | None) -> None:
    from batchimg_magics.emulator.arm.imports import ImportRefusedError

    if documents:
        try:
            emulator.import_documents(documents, deprovisioned=deprovisioned)
        except ImportRefusedError as error:
            raise SpecError(str(error), hint="VMs, disks, snapshots, images and Batch accounts are taken") from error


def _emulator_scope(emulator: Emulator, account: str | None) -> Scope:
    known = {(found := ResourceId.parse(one)).name: found for one in emulator.accounts()}
    name = account or emulator.account
    if name not in known:
        raise NotConnectedError(f"the local Azure has no Batch account {name!r}", hint=suggest_name(name, known))
    return Scope(known[name].subscription, known[name].resource_group, name)


# -- the real one ------------------------------------------------------------------------------------------------


def _open_azure(target: ConnectionOptions, wrap_transport: Callable[[Transport], Transport]) -> Connection:
    import asyncio

    from azure.core.pipeline.transport import AioHttpTransport
    from platformdirs import user_cache_path, user_data_path

    from batchimg_magics.connection.sign_in import SignInCredential

    if target.profile:
        profile = profiles.read_profile(target.profile)
    else:
        parts = {
            "--subscription": target.subscription,
            "--resource-group": target.resource_group,
            "--account": target.account,
        }
        if missing := [option for option, value in parts.items() if not value]:
            raise SpecError(f"{', '.join(missing)} missing", hint=f"a connection to Azure needs {', '.join(parts)}")
        profile = profiles.Profile(str(target.subscription), str(target.resource_group), str(target.account))
    if _check_cost_limit(target.max_cost_per_hour) is not None:
        profile = replace(profile, max_cost_per_hour=target.max_cost_per_hour)
    if target.state or target.import_files or target.scenario:
        raise SpecError(
            "--state, --scenario and --import are of the local Azure", hint="leave them out, or --subscription"
        )
    if target.save_as:
        profiles.save_profile(target.save_as, profile)
    scope = Scope(profile.subscription, profile.resource_group, profile.account)
    # The variable that `batchimg emulator` prints: what is served on this machine can be worked on as the real one is.
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


# -- what a connection is ----------------------------------------------------------------------------------------


async def connection_table(connection: Connection) -> Table:
    """Return what a connection leads to, in one row."""
    from batchimg_magics.core.batch import pools

    azure, emulator = connection.azure, connection.emulator
    try:
        account = await azure.account()
    except BatchImgError:
        # Nothing may go elsewhere than where the researcher meant it to go.
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
    where = (
        "the real Azure: nodes cost money" if emulator is None else "the local Azure: nothing is real, nothing costs"
    )
    return Table.from_rows("connect", [row], f"account {azure.scope.account} on {where}")
