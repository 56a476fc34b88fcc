"""How each table is read: which columns matter and come first, which come last, and what to do if there are no rows.

A DataFrame has the columns of `schemas` in their order; a view is for displays only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from batchimg_magics.core.base.schemas import SCHEMAS

__all__ = ["VIEWS", "View", "column_order"]


@dataclass(frozen=True, slots=True)
class View:
    """How a table is displayed.

    Parameters
    ----------
    first
        The columns that matter, in order: a narrow terminal shows at least these. The first one names the row. The
        columns that are in neither tuple follow, in the order of the schema.
    last
        The columns that come last, in order: IDs and what seldom matters.
    empty
        What to do if the table has no rows.
    """

    first: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    empty: str = ""


_NO_NODES = "add nodes with `%batchimg resize POOL --nodes N`"
_NODES_FIRST = ("node_id", "state", "errors", "exit_code", "start_task", "state_since")
_NODES_LAST = ("scheduling", "vm_size", "image_version", "agent_version")
_STEPS = View(("step", "action", "resource", "state", "seconds", "detail"), ("id",), "nothing was to do")
_ATTEMPTS = View(
    ("pool", "round", "class", "seconds", "usd", "dedicated_after", "dedicated_target", "message", "hint"),
    ("timeout_minutes",),
    "change the size of a pool with `%batchimg resize POOL --nodes N`",
)  # fmt: skip
_WAITS = View(("pool", "ready", "bad", "dedicated", "dedicated_target", "spot", "spot_target", "allocation", "seconds"))

VIEWS: dict[str, View] = {
    "connect": View(
        ("connection", "account", "region", "scenario", "speed", "time", "max_usd_per_hour", "pools", "state"),
        ("cloud", "signed_in_as", "tenant", "subscription"),
    ),
    "profiles": View(
        ("profile", "connection", "account", "command"),
        (),
        "save the present connection with `%batchimg connect ... --save-as NAME`",
    ),
    "status": View(("verb", "resource", "state", "step", "outcome", "elapsed_seconds", "command", "stop")),
    "record": View(
        ("cell", "verb", "outcome", "line", "seconds", "error", "started"),
        ("connection", "account", "version", "execution", "resources"),
    ),
    "vms": View(
        ("vm", "power", "generalized", "vm_size", "os", "data_disks"),
        ("image", "resource_group", "region", "id"),
        "create a VM, and install the software and the data on it: "
        "`az vm create --resource-group GROUP --name NAME --image Ubuntu2404`",
    ),
    "vm login": View(("vm", "command", "power", "address", "port", "user", "next", "unread")),
    "images": View(
        ("image", "version", "kind", "state", "used_by", "usd_per_month", "size_gib", "published"),
        ("made_from", "security", "generation", "os", "end_of_life", "id"),
        "create an image and a pool with `%batchimg create NAME --from-vm VM --vm-size SIZE --nodes N`",
    ),
    "image packages": View(("name", "version", "manager", "source"), (), "the list of the image is empty"),
    "image nodes": View(("node_id", "result", "state", "packages", "sha256", "detail"), ("pool",), _NO_NODES),
    "diff": View(("name", "change", "old", "new", "manager"), (), "both have the same packages"),
    "pools": View(
        ("pool", "errors", "dedicated", "spot", "usd_per_hour", "usd_so_far"),
        ("image", "created", "managed"),
        "create one with `%batchimg create NAME --from-vm VM --vm-size SIZE --nodes N`; "
        "`%batchimg vms` lists the VMs",
    ),
    "check": View(("severity", "rule", "found", "fix")),
    "create": _STEPS,
    "plan": View(
        ("step", "action", "resource", "minutes", "usd_per_hour", "usd_per_month", "why"), ("id",), "nothing is to do"
    ),
    "plan differences": View(("fact", "planned", "now")),
    "nodes": View(_NODES_FIRST, _NODES_LAST, _NO_NODES),
    "node login": View(("node_id", "command", "state", "next", "user", "expires", "address", "port")),
    "node actions": View(("node_id", "outcome", "action", "state", "exit_code"), ("pool",), "no node was named"),
    "logs": View(
        ("node_id", "state", "exit_code", "file", "text", "error", "shown"), ("size_bytes", "modified"), _NO_NODES
    ),
    "show": View(("section", "property", "value")),
    "node counts": View(("state", "dedicated", "spot"), (), _NO_NODES),
    "nodes of pools": View(("pool", *_NODES_FIRST), _NODES_LAST, _NO_NODES),
    "node counts of pools": View(("pool", "state", "dedicated", "spot"), (), _NO_NODES),
    "resize": _ATTEMPTS,
    "autoscale": View(
        ("pool", "autoscale", "error", "dedicated_target", "spot_target", "evaluated", "formula", "interval_minutes",
         "expires"),
    ),
    "autoscale variables": View(("variable", "value", "number"), (), "the formula sets no variable"),
    "wait": _WAITS,
    "packer": View(("file", "next", "lines", "base", "ends_in", "allocation_mode")),
    "estimate": View(
        ("vm_size", "kind", "fits", "nodes", "makespan_minutes", "usd", "command", "limit"),
        (),
        "include more VM sizes: omit --vm-size and --kind",
    ),
    "delete": View(("resource", "action", "type", "seconds", "detail"), ("id",), "nothing was to delete"),
    "cleanup": View(
        ("resource", "action", "kind", "type", "why", "usd_per_hour", "size_gib", "nodes", "seconds", "detail"),
        ("region", "created", "expired", "id"),
        "there are no leftover resources and no expired pools",
    ),
    "rebuild": View(("source", "command", "missing", "differs"), ("possible",)),
    "lock": View(("field", "value", "unknown"), ("about",)),
    "verify": View(("field", "status", "found", "locked", "meaning", "next"), ("days",), "the lock has no facts"),
    "run logs": View(("row", "state", "exit_code", "file", "shown", "text", "error"), ("failure", "node_id")),
    "run preview": View(("row", "command_line", "environment", "task")),
    "runs": View(
        ("run", "pool", "state", "rows", "succeeded", "failed", "running", "waiting", "usd", "command"),
        ("missing", "ended"),
        "start one with `%batchimg run POOL --over FILE -- COMMAND`",
    ),
    "stop-run": View(("run", "pool", "state", "rows", "succeeded", "failed", "running", "waiting")),
    "help": View(("command", "does"), ("verb",)),
}  # fmt: skip
VIEWS["stop-resize"] = _WAITS
VIEWS["repair"] = _ATTEMPTS
# What to do was said when it happened.
VIEWS["history"] = replace(_ATTEMPTS, first=_ATTEMPTS.first[:-1], last=("hint", *_ATTEMPTS.last))
VIEWS["migrate"] = VIEWS["update"] = _STEPS
VIEWS["panel"] = View()
VIEWS["run"] = VIEWS["results"] = View(("state", "failure", "seconds", "usd", "exit_code"), (), "no row has a task yet")


def column_order(verb: str) -> list[str]:
    """Return the names of a table's columns in the order in which they are displayed."""
    view = VIEWS.get(verb, View())
    names = [column.name for column in SCHEMAS.get(verb, ())]
    middle = [name for name in names if name not in view.first and name not in view.last]
    return [*view.first, *middle, *view.last]
