"""Opening a connection: the local Azure, or the real one. Both are the same `Azure` over another transport."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from batchimg_magics import profiles
from batchimg_magics.core.azure.client import ARM_ENDPOINT, Azure, Scope
from batchimg_magics.core.azure.spending_limit import Budget
from batchimg_magics.core.base.table import Table
from batchimg_magics.errors import BatchImgError, NotConnectedError, SpecError
from batchimg_magics.resource_ids import ResourceId
from batchimg_magics.spec import closest

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
class Target:
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

    world: str | None = None
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
    def is_local(self) -> bool:
        """Whether it leads to the local Azure."""
        return not (self.subscription or self.profile)


@dataclass(slots=True)
class Link:
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
    moving: Callable[[], AbstractContextManager[None]]
    local: Emulator | None = None
    failed: bool = False

    @property
    def label(self) -> str:
        """``LOCAL``, or ``azure``."""
        return "azure" if self.local is None else "LOCAL"


def open_link(target: Target, through: Callable[[Transport], Transport] | None = None) -> Link:
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
    return (_open_local if target.is_local else _open_real)(target, through or (lambda transport: transport))


# -- the local Azure ---------------------------------------------------------------------------------------------


def _open_local(target: Target, through: Callable[[Transport], Transport]) -> Link:
    from batchimg_magics.emulator.emulator import open_emulator
    from batchimg_magics.emulator.world.store import StateBusyError, StateLayoutError

    if target.resource_group or target.save_as:
        raise SpecError(
            "a connection to Azure needs a subscription, and none was given",
            hint="give --subscription, --resource-group and --account; without any of them the local Azure is used",
        )
    world, speed, start = _world(target.world), _speed(target.speed), _moment(target.date)
    budget = Budget(_limit(target.max_cost_per_hour))
    documents = [document for file in target.import_files for document in _documents(file)]
    try:
        local = open_emulator(world, speed=speed, scenario=target.scenario, start=start, seed=target.seed or 0)
    except StateBusyError as error:
        raise NotConnectedError(
            f"another process holds the world {world}",
            hint="close it there, or choose another with --world FILE; at a finite --speed several may share one",
        ) from error
    except StateLayoutError as error:
        raise NotConnectedError(str(error), hint="choose another with --world FILE") from error
    except ValueError as error:
        raise SpecError(str(error)) from error
    try:
        _import(local, documents, deprovisioned=target.deprovisioned)
        scope = _local_scope(local, target.account)
    except BaseException:
        local.close()
        raise
    # Its prices are its own and are kept nowhere; its ledger lies beside it.
    ledger = None if world == MEMORY else Path(world).with_suffix(".ledger.db")
    azure = Azure(scope, local.credential, through(local.transport), ledger=ledger, budget=budget)
    return Link(azure, local.new_event_loop(), local.advancing_time, local)


def _world(asked: str | None) -> str:
    from platformdirs import user_data_path

    world = asked or os.environ.get("BATCHIMG_WORLD") or str(user_data_path("batchimg") / "world.db")
    return world if world == MEMORY else str(Path(world).expanduser())


def _speed(asked: str | float | None) -> float | None:
    """Return simulated seconds a second; None for ``max``."""
    text = str(asked if asked is not None else os.environ.get("BATCHIMG_SPEED") or DEFAULT_SPEED).strip().lower()
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise SpecError(f"a speed of {text!r}", hint="give simulated seconds a second, e.g. 60, or max")
    return speed


def _limit(asked: float | None) -> float | None:
    if asked is not None and not 0 < asked < float("inf"):
        raise SpecError(f"--max-cost-per-hour is {asked}", hint="give US dollars, above 0")
    return asked


def _moment(date: str | dt.datetime | None) -> dt.datetime | None:
    if not isinstance(date, str):
        return date
    try:
        found = dt.datetime.fromisoformat(date)
    except ValueError as error:
        raise SpecError(f"{date!r} is no date", hint="write it as 2026-07-01 or 2026-07-01T09:00:00Z") from error
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


def _documents(file: str) -> list[dict[str, Any]]:
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


def _import(local: Emulator, documents: list[dict[str, Any]], *, deprovisioned: bool | None) -> None:
    from batchimg_magics.emulator.arm.imports import ImportRefusedError

    if documents:
        try:
            local.import_documents(documents, deprovisioned=deprovisioned)
        except ImportRefusedError as error:
            raise SpecError(str(error), hint="VMs, disks, snapshots, images and Batch accounts are taken") from error


def _local_scope(local: Emulator, account: str | None) -> Scope:
    known = {(found := ResourceId.parse(one)).name: found for one in local.accounts()}
    name = account or local.account
    if name not in known:
        raise NotConnectedError(f"the local Azure has no Batch account {name!r}", hint=closest(name, known))
    return Scope(known[name].subscription, known[name].resource_group, name)


# -- the real one ------------------------------------------------------------------------------------------------


def _open_real(target: Target, through: Callable[[Transport], Transport]) -> Link:
    import asyncio

    from azure.core.pipeline.transport import AioHttpTransport
    from platformdirs import user_cache_path, user_data_path

    from batchimg_magics.signing_in import SignIn

    if target.profile:
        profile = profiles.recall(target.profile)
    else:
        parts = {
            "--subscription": target.subscription,
            "--resource-group": target.resource_group,
            "--account": target.account,
        }
        if missing := [option for option, value in parts.items() if not value]:
            raise SpecError(f"{', '.join(missing)} missing", hint=f"a connection to Azure needs {', '.join(parts)}")
        profile = profiles.Profile(str(target.subscription), str(target.resource_group), str(target.account))
    if _limit(target.max_cost_per_hour) is not None:
        profile = replace(profile, max_cost_per_hour=target.max_cost_per_hour)
    if target.world or target.import_files or target.scenario:
        raise SpecError(
            "--world, --scenario and --import are of the local Azure", hint="leave them out, or --subscription"
        )
    if target.save_as:
        profiles.save(target.save_as, profile)
    scope = Scope(profile.subscription, profile.resource_group, profile.account)
    # The variable that `batchimg sim` prints: what is served on this machine can be worked on as the real one is.
    transport = AioHttpTransport()
    azure = Azure(
        scope,
        SignIn(transport),
        through(transport),
        cache=user_cache_path("batchimg"),
        ledger=user_data_path("batchimg") / "ledger.db",
        endpoint=os.environ.get("AZURE_RESOURCE_MANAGER", ARM_ENDPOINT),
        budget=Budget(profile.max_cost_per_hour),
    )
    return Link(azure, asyncio.new_event_loop(), contextlib.nullcontext)


# -- what a connection is ----------------------------------------------------------------------------------------


async def table(link: Link) -> Table:
    """Return what a connection leads to, in one row."""
    from batchimg_magics.core.batch import pools

    azure, local = link.azure, link.local
    try:
        account = await azure.account()
    except BatchImgError:
        # Nothing may go elsewhere than where the researcher meant it to go.
        link.failed = True
        raise
    props = account["properties"]
    there = await pools.listed(azure)
    row = {
        "connection": "azure" if local is None else "local",
        "account": azure.scope.account,
        "region": account["location"],
        "resource_group": azure.scope.resource_group,
        "subscription": azure.scope.subscription,
        "pools": len(there),
        "pool_quota": props.get("poolQuota"),
        "dedicated_core_quota": props.get("dedicatedCoreQuota"),
        "spot_core_quota": props.get("lowPriorityCoreQuota"),
        "max_usd_per_hour": azure.budget.usd_per_hour,
        "world": None if local is None else local.state_path,
        "speed": None if local is None else f"{local.speed:g}" if local.speed else "max",
        "time": dt.datetime.fromtimestamp(azure.now(), dt.UTC).replace(microsecond=0),
    }
    where = "the real Azure: nodes cost money" if local is None else "the local Azure: nothing is real, nothing costs"
    return Table.of("connect", [row], f"account {azure.scope.account} on {where}")
