"""`RunRequest`: what a user asks for; `RunPlan`: the job and its tasks, for the system of a pool."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import tags
from batchimg_magics.core.runs import bash_commands, cmd_commands
from batchimg_magics.core.runs.template import Command, Reference, command_text
from batchimg_magics.core.runs.variables import MISSING, OWN_PREFIX, ROW, variable_names
from batchimg_magics.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.runs.input_table import InputTable
    from batchimg_magics.core.runs.pool_facts import RunPool

__all__ = ["ID_PREFIX", "RunPlan", "RunRequest", "row_of"]

#: The id of a job of a run begins with it; a part of the hash follows.
ID_PREFIX = "run-"
_ID_DIGITS = 10
#: Digits of the id of a task at least: ids sort as rows do.
_ROW_DIGITS = 6
#: Metadata of the job: the whole hash, the command, the number of rows of the table, what a task costs per hour.
HASH, COMMAND, ROWS, RATES = "batchimg-run", "batchimg-command", "batchimg-rows", "batchimg-rates"
#: A variable of the job, since metadata is short: the columns, each with its variable, kind and dtype, as JSON.
COLUMNS = f"{OWN_PREFIX}COLUMNS"
#: The words of `--user` for accounts that Batch makes. Source: Batch service, AutoUserSpecification.
USERS: dict[str, Json] = {
    "task": {"autoUser": {"scope": "task", "elevationLevel": "nonadmin"}},
    "pool": {"autoUser": {"scope": "pool", "elevationLevel": "nonadmin"}},
    "admin": {"autoUser": {"scope": "pool", "elevationLevel": "admin"}},
}
#: A value that Windows keeps in an environment variable is shorter. Source: Microsoft, "Environment Variables".
MAX_WINDOWS_VALUE = 32_767


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A command over a table.

    Parameters
    ----------
    pool
        The name of the pool.
    table
        The table.
    command
        A script, or the words of one program.
    limit
        The number of rows to run, the first ones; None: all.
    max_minutes, retries, slots
        The limit of a task's duration, how often it is started again after a failure, and its task slots. They are in
        no hash: tasks that exist keep theirs.
    environment
        Further environment variables.
    user
        ``task``, ``pool``, ``admin``, or the name of an account of the pool; empty: the default of Batch.
    container
        The image of a container; empty: none.
    outputs, destination
        Patterns of files to keep, and where: the URL of a container, or the folder of a mount of the pool.
    retry_failed
        Whether rows that failed run again.
    dry_run
        Whether nothing is to be changed.
    """

    pool: str
    table: InputTable
    command: Command
    limit: int | None = None
    max_minutes: float | None = None
    retries: int = 0
    slots: int = 1
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    container: str = ""
    outputs: tuple[str, ...] = ()
    destination: str = ""
    retry_failed: bool = False
    dry_run: bool = False

    @property
    def wanted(self) -> int:
        """The number of rows to run."""
        return len(self.table) if self.limit is None else min(self.limit, len(self.table))

    def digest(self) -> str:
        """Return a hash of what a task does: pool, command, rows, environment, user, container and outputs."""
        script = self.command if isinstance(self.command, tuple) else self.command.strip()
        facts = [
            self.pool.lower(), script, self.table.digest(), sorted(self.environment.items()), self.user, self.container,
            self.outputs, self.destination,
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def row_of(task_id: str) -> int | None:
    """Return the row of a task; None: it is not of a run."""
    return int(task_id) if task_id.isdecimal() and task_id.isascii() else None


class RunPlan:
    """The job and the tasks of a request.

    Parameters
    ----------
    request, pool
        The request, and the pool that runs it.

    Raises
    ------
    SpecError
        The command is not valid for the system of the pool.
    """

    def __init__(self, request: RunRequest, pool: RunPool) -> None:
        self.request = request
        self.pool = pool
        self.hash = request.digest()
        self.job_id = f"{ID_PREFIX}{self.hash[:_ID_DIGITS]}"
        self._variables = variable_names(request.table.names, windows=pool.is_windows)
        self._windows: cmd_commands.WindowsCommand | None = None
        self._parts: list[bash_commands.ScriptPart] = []
        names = request.table.names
        if pool.is_windows:
            split = cmd_commands.split_words if isinstance(request.command, tuple) else cmd_commands.split_script
            self._windows = split(request.command, names)  # type: ignore[arg-type] # the type was just asked for
        elif isinstance(request.command, tuple):
            self._parts = bash_commands.split_words(request.command, names)
        else:
            self._parts = bash_commands.split_script(request.command.strip(), names)
        self._check_environment()
        self._mount = self._find_mount()
        self._outputs = self._output_files()

    def _find_mount(self) -> str:
        """Return the folder of the mount that the outputs are copied to; empty: there is none."""
        folder = self.request.destination
        if not folder or "://" in folder:
            return ""
        if self.pool.is_windows:
            raise SpecError(
                "--to: on Windows, outputs are not copied to a mount",
                hint="give the URL of a container, or copy them in the command to %AZ_BATCH_NODE_MOUNTS_DIR%",
            )
        if folder.partition("/")[0] not in {one.partition("/")[0] for one in self.pool.mounts}:
            known = ", ".join(self.pool.mounts)
            raise SpecError(
                f"--to: pool {self.request.pool} has no mount {folder!r}",
                hint=f"its mounts are: {known}" if known else "create the pool with --mount, or give a container's URL",
            )
        return folder

    def _check_environment(self) -> None:
        taken = {name.lower() for name in self._variables.values()}
        for name in self.request.environment:
            if name.lower() in taken:
                raise SpecError(f"--environment {name}: a column has this name", hint="rename the column")

    # -- the job -------------------------------------------------------------------------------------------------

    def job_body(self, rates: str) -> Json:
        """Return the body of the job; `rates` is what its pool costs, as `RunPool.rates_text` has it."""
        table = self.request.table
        columns = [[one.name, self._variables[one.name], one.kind, one.dtype] for one in table.columns]
        kept = {
            tags.POOL: self.request.pool,
            **tags.tool_tags(),
            HASH: self.hash,
            ROWS: str(len(table)),
            COMMAND: command_text(self.request.command)[:2_000],
            RATES: rates,
        }
        return {
            "id": self.job_id,
            "poolInfo": {"poolId": self.request.pool},
            "metadata": [{"name": name, "value": value} for name, value in kept.items()],
            "commonEnvironmentSettings": _settings({COLUMNS: json.dumps(columns), **self.request.environment}),
        }

    # -- the tasks -----------------------------------------------------------------------------------------------

    def task_id(self, row: int) -> str:
        """Return the id of the task of a row."""
        digits = max(_ROW_DIGITS, len(str(len(self.request.table) - 1)))
        return f"{row:0{digits}d}"

    def command_line(self, row: int) -> str:
        """Return the command line of the task of a row."""
        if self._windows is not None:
            return self._windows.line()
        values = self.request.table.row(row)
        script = bash_commands.render(self._parts, lambda one: _text(one, row, values))
        if self._mount:
            script = bash_commands.copying(script, self.request.outputs, self._mount)
        return bash_commands.command_line(script)

    def variables(self, row: int) -> dict[str, str]:
        """Return the environment variables of the task of a row."""
        values = self.request.table.row(row)
        found = {self._variables[name]: text or "" for name, text in values.items()}
        found[ROW] = str(row)
        missing = [str(number) for number, text in enumerate(values.values()) if text is None]
        if missing:
            found[MISSING] = ",".join(missing)
        if self._windows is not None:
            found |= self._windows.variables(lambda one: _text(one, row, values))
        return found

    def task_body(self, row: int) -> Json:
        """Return the body of the task of a row."""
        request = self.request
        constraints: Json = {"maxTaskRetryCount": request.retries}
        if request.max_minutes is not None:
            constraints["maxWallClockTime"] = f"PT{round(request.max_minutes * 60)}S"
        body: Json = {
            "id": self.task_id(row),
            "commandLine": self.command_line(row),
            "environmentSettings": _settings(self.variables(row)),
            "constraints": constraints,
        }
        if request.slots != 1:
            body["requiredSlots"] = request.slots
        if request.user:
            body["userIdentity"] = USERS.get(request.user, {"username": request.user})
        if request.container:
            body["containerSettings"] = {"imageName": request.container}
        if self._outputs:
            body["outputFiles"] = [_below(one, f"{self.job_id}/{self.task_id(row)}") for one in self._outputs]
        return body

    def check(self) -> None:
        """Check the command lines of all rows that are to run.

        Raises
        ------
        SpecError
            One is too long for its system.
        """
        for row in range(self.request.wanted):
            if self._windows is not None:
                self._check_windows(self._windows, row)
            elif (size := len(self.command_line(row).encode())) > bash_commands.MAX_BYTES:
                raise _too_long(row, f"{size:,} bytes, more than {bash_commands.MAX_BYTES:,}")

    def _check_windows(self, command: cmd_commands.WindowsCommand, row: int) -> None:
        values = self.request.table.row(row)
        arguments = command.variables(lambda one: _text(one, row, values))
        size = len(command.line()) + sum(map(len, arguments.values()))
        if size > cmd_commands.MAX_LENGTH:
            raise _too_long(row, f"{size:,} characters, more than the {cmd_commands.MAX_LENGTH:,} of cmd")
        for name, text in values.items():
            if text is not None and len(text) >= MAX_WINDOWS_VALUE:
                raise _too_long(row, f"{len(text):,} characters in column {name!r}")

    def _output_files(self) -> list[Json]:
        if not self.request.outputs or self._mount:
            return []
        container = {"containerUrl": self.request.destination, "identityReference": {"resourceId": self._identity()}}
        options = {"uploadCondition": "taskcompletion"}
        return [
            {"filePattern": pattern, "destination": {"container": container}, "uploadOptions": options}
            for pattern in self.request.outputs
        ]

    def _identity(self) -> str:
        found = self.pool.identities
        if len(found) != 1:
            many = "no user-assigned managed identity" if not found else f"{len(found)} managed identities"
            raise SpecError(
                f"--to: pool {self.request.pool} has {many}, and one is needed to upload the outputs",
                hint="create the pool with one --identity that may write to the container",
            )
        return found[0]


def _below(file: Json, path: str) -> Json:
    return {**file, "destination": {"container": {**file["destination"]["container"], "path": path}}}


def _text(reference: Reference, row: int, values: Mapping[str, str | None]) -> str:
    return str(row) if reference.is_row else values[reference.name] or ""


def _settings(variables: Mapping[str, str]) -> list[Any]:
    return [{"name": name, "value": value} for name, value in variables.items()]


def _too_long(row: int, what: str) -> SpecError:
    return SpecError(
        f"the command of row {row} is too long: {what}",
        hint="put long values into files, and let the table have their paths",
    )
