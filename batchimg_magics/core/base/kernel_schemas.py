"""The columns of tables about connections, about what runs in a process, and about one pool or node in full."""

from __future__ import annotations

from batchimg_magics.core.base.columns import Column
from batchimg_magics.core.base.records import RECORD_OUTCOMES
from batchimg_magics.pool_spec.words import NODE_STATES

__all__ = ["KERNEL_SCHEMAS", "SHOW_SECTIONS"]

#: The groups of the properties of a pool.
SHOW_SECTIONS = (
    "pool", "nodes", "cost", "errors", "machine", "image", "network", "start task", "access", "quota", "jobs", "tags",
    "not read", "next",
)  # fmt: skip

KERNEL_SCHEMAS: dict[str, tuple[Column, ...]] = {
    "connect": (
        Column("connection", "word", "what is connected: the emulator (local) or Azure", ("local", "azure")),
        Column("account", "text", "name of the Batch account"),
        Column("region", "text", "region of the account"),
        Column("resource_group", "text", "resource group of images, galleries and snapshots"),
        Column("subscription", "text", "subscription ID", form="id"),
        Column("pools", "int", "number of pools in the account"),
        Column("pool_quota", "int", "pool quota of the account"),
        Column("dedicated_core_quota", "int", "dedicated core quota; missing if Azure does not report it"),
        Column("spot_core_quota", "int", "Spot core quota of the account"),
        Column(
            "max_usd_per_hour",
            "float",
            "cost limit of all pools of the account, in USD per hour; missing if there is none",
        ),
        Column("cloud", "text", "name of the Azure cloud; missing for the emulator in this process"),
        Column("tenant", "text", "ID of the tenant that signed in; missing if it is not known", form="id"),
        Column("signed_in_as", "text", "user, service principal or managed identity; missing if it is not known"),
        Column("tags", "text", "tags of every resource that is created on the connection; missing if there are none"),
        Column("state", "text", "emulator state file, or :memory:; missing for Azure"),
        Column("scenario", "text", "failure scenario of the emulator; calm: no failures"),
        Column("speed", "text", "time acceleration of the emulator; max: time advances only while a verb waits"),
        Column("time", "time", "current time of the service"),
    ),
    "profiles": (
        Column("profile", "text", "name of the saved connection"),
        Column("connection", "word", "what it connects to: the emulator (local) or Azure", ("local", "azure")),
        Column("account", "text", "name of the Batch account; missing: the default of the emulator"),
        Column("resource_group", "text", "resource group of images, galleries and snapshots"),
        Column("subscription", "text", "subscription ID", form="id"),
        Column("cloud", "text", "name or metadata URL of the Azure cloud; missing: the public one"),
        Column("tenant", "text", "tenant to sign in to; missing: the one of the credential", form="id"),
        Column("sign_in", "text", "way to sign in; missing: the ways of DefaultAzureCredential"),
        Column("max_usd_per_hour", "float", "cost limit of all pools in USD per hour; missing if there is none"),
        Column("tags", "text", "tags of every resource that is created on the connection"),
        Column("state", "text", "emulator state file, or :memory:; missing: the default"),
        Column("speed", "text", "time acceleration of the emulator; missing: the default"),
        Column("scenario", "text", "failure scenario of the emulator; missing: that of the state"),
        Column("command", "text", "command that connects", form="code"),
    ),
    "status": (
        Column("verb", "text", "the verb"),
        Column("resource", "text", "what it works on"),
        Column("state", "word", "whether it runs, and how it ended", ("running", "done", "failed", "interrupted")),
        Column("step", "text", "present step"),
        Column("steps_done", "int", "number of steps that have ended"),
        Column("steps_total", "int", "number of planned steps; missing if there is no plan"),
        Column("parts_done", "int", "progress of the present step, for example ready nodes"),
        Column("parts_total", "int", "all parts of the present step"),
        Column("elapsed_seconds", "float", "time since it was started in seconds of service time"),
        Column("expected_seconds", "float", "usual duration of all of it in seconds; missing if not known"),
        Column("started", "time", "when its first step began"),
        Column("outcome", "text", "what came of it", form="problem"),
        Column("command", "text", "command that waits for it, or runs it again", form="code"),
        Column("stop", "text", "command that stops the resize of its pool", form="code"),
    ),
    "record": (
        Column("cell", "int", "number of the cell in the notebook, from 1; text cells count"),
        Column("execution", "int", "execution count of the cell, as Jupyter shows it"),
        Column("verb", "text", "the verb"),
        Column(
            "line", "text", "command that does it again, without the body of a cell and without secrets", form="code"
        ),
        Column("connection", "word", "where it ran: the emulator (local) or Azure", ("local", "azure")),
        Column("account", "text", "name of the Batch account"),
        Column("outcome", "word", "how it ended", RECORD_OUTCOMES),
        Column("error", "text", "code or class of the error, and its message", form="problem"),
        Column("started", "time", "when it began, in service time"),
        Column("seconds", "float", "duration in seconds of service time"),
        Column("rows", "int", "number of rows of its table"),
        Column("resources", "text", "resource IDs by role: role=ID", form="id"),
        Column("caption", "text", "caption of its table"),
        Column("version", "text", "version of this package that ran it"),
    ),
    "show": (
        Column("section", "word", "group of the property", SHOW_SECTIONS),
        Column("property", "text", "name of the property, the same for every pool"),
        Column("value", "text", "its value"),
    ),
    "logs": (
        Column("node_id", "text", "ID of the node", form="id"),
        Column("state", "word", "node state", NODE_STATES),
        Column("exit_code", "int", "exit code of its start task"),
        Column("file", "text", "name of the file; missing if none can be read"),
        Column("text", "text", "its text, or the end of it; control characters as \\x1b", form="code"),
        Column("shown", "text", "how much of the file the text is: all, or for example: last 64 KiB of 3 MiB"),
        Column("size_bytes", "int", "size of the file in bytes"),
        Column("modified", "time", "when the file was last written"),
        Column("error", "text", "why the files of the node, or this file, cannot be read", form="problem"),
    ),
    "node login": (
        Column("node_id", "text", "ID of the node", form="id"),
        Column("pool", "text", "name of its pool"),
        Column("os", "word", "operating system", ("Linux", "Windows")),
        Column("state", "word", "node state", NODE_STATES),
        Column("protocol", "word", "login protocol", ("SSH", "RDP")),
        Column("address", "text", "public IP address; missing if the pool has no endpoint for it"),
        Column("port", "int", "port to connect to"),
        Column("user", "text", "user that was created"),
        Column("expires", "time", "when Batch deletes the user"),
        Column("command", "text", "command to run in a terminal", form="code"),
        Column("next", "text", "next step", form="advice"),
    ),
}
