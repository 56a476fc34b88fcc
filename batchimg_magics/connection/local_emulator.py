"""Open the emulator in this process: its state file, imported documents, and the account that a connection works on."""

from __future__ import annotations

import datetime as dt
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchimg_magics.connection.scenarios import check_scenario
from batchimg_magics.core.azure.client import Scope
from batchimg_magics.errors import NotConnectedError, SpecError
from batchimg_magics.pool_spec.values import suggest_name
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from batchimg_magics.connection.options import ConnectionOptions
    from batchimg_magics.emulator.emulator import Emulator

__all__ = ["DEFAULT_SPEED", "MEMORY", "check_imports", "open_local_emulator"]

#: Default speed, in simulated seconds per second: a pool gets its nodes within seconds, slowly enough to watch.
DEFAULT_SPEED = 60.0
MEMORY = ":memory:"


def open_local_emulator(options: ConnectionOptions) -> tuple[Emulator, Scope, Path | None]:
    """Open the emulator in this process.

    Parameters
    ----------
    options
        The options of `connect`.

    Returns
    -------
    tuple
        The emulator, the account to work on, and the local history file; None: history is kept in memory.

    Raises
    ------
    SpecError, NotConnectedError
        As `open_connection`.
    """
    from batchimg_magics.emulator.emulator import open_emulator
    from batchimg_magics.emulator.world.database import StateError

    if options.resource_group:
        raise SpecError(
            "a connection to Azure needs a subscription",
            hint="specify --subscription, --resource-group and --account, or none of them to use the emulator",
        )
    check_scenario(options.scenario)
    state_path, speed, start = _state_path(options.state), _parse_speed(options.speed), _parse_date(options.date)
    documents = check_imports(options) if options.import_files else []
    try:
        emulator = open_emulator(
            state_path, speed=speed, scenario=options.scenario, start=start, seed=options.seed or 0
        )
    except (StateError, OSError) as error:
        raise _unusable_state(state_path, error) from error
    except ValueError as error:
        raise SpecError(str(error)) from error
    try:
        _import_documents(emulator, documents, deprovisioned=options.generalized)
        scope = _emulator_scope(emulator, options.account)
        if options.run_tasks:
            _run_tasks(emulator)
    except BaseException as error:
        emulator.close()
        if isinstance(error, StateError):
            raise _unusable_state(state_path, error) from error
        raise
    emulator.transport.state_error = partial(_unusable_state, state_path)
    # The local history file is next to the state file.
    return emulator, scope, None if state_path == MEMORY else Path(state_path).with_suffix(".ledger.db")


def _run_tasks(emulator: Emulator) -> None:
    from batchimg_magics.emulator.batch.execution.executor import ExecutorTakenError

    if os.name != "posix":
        raise SpecError("--run-tasks needs Linux or macOS", hint="without it, tasks end by what their command says")
    try:
        emulator.run_tasks()
    except ExecutorTakenError:
        raise NotConnectedError(
            f"another process runs the tasks of the emulator state {emulator.state_path}",
            hint="close it there, or connect without --run-tasks",
        ) from None


def _unusable_state(path: str, error: Exception) -> NotConnectedError:
    """Return the error of a state file that cannot be used, when it is opened or later."""
    from batchimg_magics.emulator.world.database import StateBusyError

    if isinstance(error, StateBusyError):
        return NotConnectedError(
            f"another process uses the emulator state {path}",
            hint="close it there, or use another --state FILE; except at --speed max, several processes can share one",
        )
    reason = getattr(error, "strerror", None)
    return NotConnectedError(f"{path}: {reason}" if reason else str(error), hint="use another --state FILE")


def _state_path(requested: str | None) -> str:
    from batchimg_magics.emulator.emulator import default_state_path

    if not requested and "BATCHIMG_WORLD" in os.environ and "BATCHIMG_STATE" not in os.environ:
        raise SpecError("BATCHIMG_WORLD was renamed to BATCHIMG_STATE")
    if not requested:
        return default_state_path()
    return requested if requested == MEMORY else str(Path(requested).expanduser())


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


def check_imports(options: ConnectionOptions) -> list[Any]:
    """Read the files to import, and check their documents as far as that needs no emulator.

    Raises
    ------
    SpecError
        A file is not the output of a tool of Azure, or a document is not of a resource that can be imported.
    """
    from batchimg_magics.emulator.arm.import_files import ImportRefusedError, read_files
    from batchimg_magics.emulator.arm.imports import read_resources

    try:
        found = read_files(options.import_files)
        read_resources(found)
    except ImportRefusedError as error:
        raise SpecError(str(error), hint=error.hint) from error
    return list(found)


def _import_documents(emulator: Emulator, documents: list[Any], *, deprovisioned: bool | None) -> None:
    from batchimg_magics.emulator.arm.import_files import ImportRefusedError

    if documents:
        try:
            emulator.import_documents(documents, deprovisioned=deprovisioned)
        except ImportRefusedError as error:
            raise SpecError(str(error), hint=error.hint) from error


def _emulator_scope(emulator: Emulator, account: str | None) -> Scope:
    ids = {(account_id := ResourceId.parse(one)).name: account_id for one in emulator.accounts()}
    name = account or emulator.account
    if name not in ids:
        raise NotConnectedError(f"the emulator has no Batch account {name!r}", hint=suggest_name(name, ids))
    return Scope(ids[name].subscription, ids[name].resource_group, name)
