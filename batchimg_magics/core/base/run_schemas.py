"""The columns of tables about runs: a command over the rows of a table."""

from __future__ import annotations

from batchimg_magics.core.base.columns import Column

__all__ = ["RUN_SCHEMAS", "RUN_STATES"]

#: The states of jobs. Source: Batch service, JobState.
RUN_STATES = ("active", "disabled", "completed", "disabling", "enabling", "terminating", "deleting")

_ROWS = (
    Column("state", "word", "state of its task", ("active", "preparing", "running", "completed")),
    Column("exit_code", "int", "exit code of the command; missing if it did not end by itself"),
    Column("failure", "text", "why it failed, code: message; missing after success", form="problem"),
    Column("attempts", "int", "how often it was started"),
    Column("node_id", "text", "ID of the node that ran it", form="id"),
    Column("started", "time", "start of the last attempt"),
    Column("ended", "time", "end of the last attempt"),
    Column("seconds", "float", "duration of the last attempt in seconds"),
    Column("usd", "float", "cost of its task slots for these seconds in USD; missing if the price is not known"),
    Column("stdout_tail", "text", "end of its standard output, if it failed; of the first rows that failed only"),
    Column("stderr_tail", "text", "end of its standard error, if it failed; of the first rows that failed only"),
)
_RUN = (
    Column("run", "text", "name of the run: the ID of its job", form="id"),
    Column("pool", "text", "name of the pool"),
    Column("state", "word", "state of its job; disabled: stopped", RUN_STATES),
    Column("rows", "int", "number of rows of its table"),
    Column("waiting", "int", "number of rows whose task waits"),
    Column("running", "int", "number of rows that run"),
    Column("succeeded", "int", "number of rows that succeeded"),
    Column("failed", "int", "number of rows that failed"),
    Column("missing", "int", "number of rows that have no task yet, for example after --limit"),
)
RUN_SCHEMAS: dict[str, tuple[Column, ...]] = {
    "run": _ROWS,
    "results": _ROWS,
    "run preview": (
        Column("row", "int", "number of the row, from 0"),
        Column("task", "text", "ID of the task", form="id"),
        Column("command_line", "text", "command line, as the node runs it", form="code"),
        Column("environment", "text", "environment variables of the row, one a line", form="code"),
    ),
    "run logs": (
        Column("row", "int", "number of the row, from 0"),
        Column("state", "word", "state of its task", ("active", "preparing", "running", "completed")),
        Column("exit_code", "int", "exit code of the command"),
        Column("failure", "text", "why it failed, code: message", form="problem"),
        Column("node_id", "text", "ID of the node that ran it", form="id"),
        Column("file", "text", "name of the file; missing if none can be read"),
        Column("text", "text", "its text, or the end of it; control characters as \\x1b", form="code"),
        Column("shown", "text", "how much of the file the text is"),
        Column("size_bytes", "int", "size of the file in bytes"),
        Column("modified", "time", "when the file was last written"),
        Column("error", "text", "why its files cannot be read", form="problem"),
    ),
    "runs": (
        *_RUN,
        Column("usd", "float", "cost of the task slots of rows that have ended, in USD; missing if not known"),
        Column("created", "time", "when the run was started first"),
        Column("ended", "time", "when its job was completed"),
        Column("command", "text", "the command", form="code"),
    ),
    "stop-run": _RUN,
}
