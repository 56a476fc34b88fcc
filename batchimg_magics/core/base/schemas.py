"""What columns the tables have: one schema a verb, kept here and nowhere else.

DataFrames, text tables and the reference page are made by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: What a column holds. In pandas: ``string``, ``Int64``, ``Float64``, ``boolean``, ``datetime64[us, UTC]`` and
#: ``category``. A missing value is None here and ``<NA>`` there.
Kind = Literal["text", "int", "float", "bool", "time", "word"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Parameters
    ----------
    name
        With its unit where it has one (``seconds``, ``size_gib``).
    kind
        What it holds.
    doc
        What it says, in one line.
    words
        For ``word``: the service's words. One that is not among them is appended.
    """

    name: str
    kind: Kind
    doc: str
    allowed_values: tuple[str, ...] = ()


# FACTS: the vocabulary of the Batch data plane, 2025-06-01.
NODE_STATES = (
    "creating", "starting", "waitingforstarttask", "starttaskfailed", "idle", "running", "rebooting", "reimaging",
    "upgradingos", "offline", "preempted", "unusable", "unknown", "leavingpool", "deallocating", "deallocated",
)  # fmt: skip
ALLOCATION_STATES = ("steady", "resizing", "stopping")
NODE_KINDS = ("dedicated", "spot")
POOL_STATES = ("active", "deleting")
#: What became of one resource in a verb's work.
ACTIONS = ("made", "found", "changed", "deleted", "kept", "would delete", "would make", "would change")
#: How grave it is when a rule is not kept: an error stops `create`.
SEVERITIES = ("error", "warning", "info")
#: How a round of a resize ended.
OUTCOMES = ("done", "short", "passing", "quota", "fatal", "stopped", "foreign", "repair", "changed", "planned")

SCHEMAS: dict[str, tuple[Column, ...]] = {
    "connect": (
        Column("connection", "word", "where the work goes: the local Azure or the real one", ("local", "azure")),
        Column("account", "text", "the Batch account"),
        Column("region", "text", "the account's region"),
        Column("resource_group", "text", "where images, galleries and snapshots are made"),
        Column("subscription", "text", "the subscription's id"),
        Column("pools", "int", "pools in the account now"),
        Column("pool_quota", "int", "pools the account may have"),
        Column("dedicated_core_quota", "int", "dedicated cores the account may use; missing where Azure tells none"),
        Column("spot_core_quota", "int", "spot cores the account may use"),
        Column("max_usd_per_hour", "float", "what all pools of the account may cost an hour; missing: no limit"),
        Column("state", "text", "the local Azure's file, or :memory:"),
        Column("speed", "text", "simulated seconds a second; max: time moves only while a verb waits"),
        Column("time", "time", "the service's time"),
    ),
    "vms": (
        Column("vm", "text", "the VM's name"),
        Column("resource_group", "text", "its resource group"),
        Column("region", "text", "its region"),
        Column("vm_size", "text", "its size"),
        Column("os", "word", "operating system", ("Linux", "Windows")),
        Column("image", "text", "the Marketplace image it was made from: publisher:offer:sku"),
        Column("power", "word", "power state", ("running", "stopped", "deallocated", "deallocating", "starting")),
        Column("generalized", "bool", "whether Azure marks it generalized"),
        Column("generation", "word", "Hyper-V generation", ("V1", "V2")),
        Column("security", "word", "security type", ("Standard", "TrustedLaunch", "ConfidentialVM")),
        Column("data_disks", "int", "attached data disks"),
        Column("disks_gib", "int", "the size of all its disks in GiB"),
        Column("id", "text", "resource id"),
    ),
    "vm login": (
        Column("vm", "text", "the VM's name"),
        Column("os", "word", "operating system", ("Linux", "Windows")),
        Column("power", "word", "power state", ("running", "stopped", "deallocated", "deallocating", "starting")),
        Column("protocol", "word", "how one logs in", ("SSH", "RDP")),
        Column("address", "text", "its public address, else one of a load balancer, else its private one"),
        Column("public", "bool", "whether that address is public; missing where that could not be read"),
        Column("port", "int", "the port to go to"),
        Column("user", "text", "its administrator's name"),
        Column("line", "text", "what to type in a terminal"),
        Column("unread", "text", "what could not be read, and why; missing where all could"),
        Column("next", "text", "what to do now"),
    ),
    "images": (
        Column("image", "text", "the image definition's name; of others, their own"),
        Column("kind", "word", "what it is", ("version", "definition", "managed image", "snapshot", "disk")),
        Column("version", "text", "the image version"),
        Column("gallery", "text", "the gallery"),
        Column("pool", "text", "the pool it was made for; missing where this tool did not make it"),
        Column("used_by", "text", "pools, scale sets and VMs that use it, or what was made from it"),
        Column("state", "text", "provisioning state"),
        Column("os", "word", "operating system", ("Linux", "Windows")),
        Column("generation", "word", "Hyper-V generation", ("V1", "V2")),
        Column("security", "text", "the image's security type"),
        Column("regions", "text", "where it is; of a version, with how many replicas: region=n"),
        Column("made_from", "text", "what it was made from; of a version, its snapshots by LUN"),
        Column("published", "time", "when it was published, or made"),
        Column("id", "text", "resource id"),
    ),
    "pools": (
        Column("pool", "text", "the pool's name"),
        Column("vm_size", "text", "its nodes' size"),
        Column("state", "word", "pool state", POOL_STATES),
        Column("allocation", "word", "allocation state", ALLOCATION_STATES),
        Column("dedicated", "int", "dedicated nodes that there are"),
        Column("dedicated_target", "int", "dedicated nodes wanted"),
        Column("spot", "int", "spot nodes that there are; Azure counts preempted ones too"),
        Column("spot_target", "int", "spot nodes wanted"),
        Column("image", "text", "the image its nodes are made from"),
        Column(
            "image_state",
            "word",
            "whether its image is there to make nodes from; missing for a Marketplace image",
            ("available", "missing", "source missing", "not in region", "unreadable"),
        ),
        Column("autoscale", "bool", "whether a formula sets the targets"),
        Column("errors", "text", "codes of the last resize's errors"),
        Column("usd_per_hour", "float", "what its nodes cost an hour, with disks; missing where a price is not known"),
        Column("expires", "time", "when all its nodes leave"),
        Column("expiry_enforced", "bool", "whether Azure itself sees to that; missing where it does not expire"),
        Column("created", "time", "when it was made"),
        Column("ours", "bool", "whether this tool made it"),
    ),
    "check": (
        Column("rule", "text", "the rule's id; docs/rules.md has them all"),
        Column("ok", "bool", "whether it is kept; missing where it could not be checked"),
        Column("severity", "word", "how grave it is where it is not kept", SEVERITIES),
        Column("found", "text", "what there is"),
        Column("fix", "text", "what to do about it: a line to paste where there is one"),
    ),
    "create": (
        Column("step", "text", "what was done"),
        Column("resource", "text", "its name"),
        Column("action", "word", "what became of it", ACTIONS),
        Column("state", "text", "the state it ended in"),
        Column("seconds", "float", "how long it took, in the service's time"),
        Column("detail", "text", "what else there is to say"),
        Column("id", "text", "resource id"),
    ),
    "plan": (
        Column("step", "text", "what is to be done"),
        Column("resource", "text", "its name"),
        Column("action", "word", "what would become of it", ACTIONS),
        Column("why", "text", "what it is for"),
        Column("minutes", "float", "how long it usually takes; missing where nobody knows"),
        Column("usd_per_hour", "float", "what it costs an hour, US dollars; missing where it is not known"),
        Column("id", "text", "resource id"),
    ),
    "nodes": (
        Column("node_id", "text", "the node's id"),
        Column("state", "word", "node state", NODE_STATES),
        Column("scheduling", "word", "whether it takes tasks", ("enabled", "disabled")),
        Column("since", "time", "in this state since"),
        Column("allocated", "time", "when the VM was allocated"),
        Column("booted", "time", "when it last started"),
        Column("dedicated", "bool", "dedicated or spot"),
        Column("vm_size", "text", "its size"),
        Column("ip", "text", "private address"),
        Column("running_tasks", "int", "tasks that run on it now"),
        Column("start_task", "word", "state of its start task", ("running", "completed")),
        Column("exit_code", "int", "exit code of its start task"),
        Column("errors", "text", "what the node agent reports, code: message"),
        Column("image_version", "text", "the image version it runs"),
        Column("agent_version", "text", "the node agent's version"),
    ),
    "node counts": (
        Column("state", "word", "node state", NODE_STATES),
        Column("dedicated", "int", "dedicated nodes in it"),
        Column("spot", "int", "spot nodes in it"),
    ),
    "resize": (
        Column("pool", "text", "the pool"),
        Column("round", "int", "which round of this work"),
        Column("class", "word", "what kind of outcome it is", OUTCOMES),
        Column("action", "text", "what was done, or done about it"),
        Column("code", "text", "this resize's error code"),
        Column("message", "text", "what Azure says of it, in a sentence; of a repair, what the node said last"),
        Column("dedicated_to", "int", "live dedicated nodes after"),
        Column("dedicated_target", "int", "dedicated nodes wanted"),
        Column("spot_to", "int", "live spot nodes after"),
        Column("spot_target", "int", "spot nodes wanted"),
        Column("dedicated_from", "int", "live dedicated nodes before"),
        Column("spot_from", "int", "live spot nodes before"),
        Column("seconds", "float", "how long that took, in the service's time"),
        Column("usd", "float", "what the pool's nodes cost meanwhile at most; missing where a price is not known"),
        Column("timeout_minutes", "float", "the resize timeout that Azure was given"),
        Column("started", "time", "when it was asked for"),
        Column("ended", "time", "when it was over"),
    ),
    "autoscale": (
        Column("pool", "text", "the pool"),
        Column("autoscale", "bool", "whether a formula sets its size"),
        Column("formula", "text", "the formula"),
        Column("interval_minutes", "float", "how often Azure evaluates it"),
        Column("dedicated_target", "int", "dedicated nodes wanted"),
        Column("spot_target", "int", "spot nodes wanted"),
        Column("evaluated", "time", "when Azure evaluated it last"),
        Column("error", "text", "why it could not"),
        Column("expires", "time", "when all its nodes leave"),
    ),
    "autoscale variables": (
        Column("variable", "text", "the variable; $Target... set the pool's size"),
        Column("value", "text", "its value, as Azure writes it"),
        Column("number", "float", "its value, where it is a number"),
    ),
    "reap": (
        Column("pool", "text", "the pool"),
        Column("action", "word", "what became of it", ACTIONS),
        Column("expired", "time", "when it expired"),
        Column("nodes", "int", "nodes that it had"),
        Column("usd_per_hour", "float", "what they cost an hour, with disks; missing where a price is not known"),
        Column("seconds", "float", "how long it took, in the service's time"),
        Column("id", "text", "resource id"),
    ),
    "wait": (
        Column("pool", "text", "the pool"),
        Column("allocation", "word", "allocation state", ALLOCATION_STATES),
        Column("dedicated", "int", "live dedicated nodes"),
        Column("dedicated_target", "int", "dedicated nodes wanted"),
        Column("spot", "int", "live spot nodes"),
        Column("spot_target", "int", "spot nodes wanted"),
        Column("ready", "int", "nodes that are idle or running"),
        Column("bad", "int", "nodes that are unusable or whose start task failed"),
        Column("seconds", "float", "how long this wait took, in the service's time"),
    ),
    "packer": (
        Column("file", "text", "what the template's file is called"),
        Column("lines", "int", "how long it is"),
        Column("allocation_mode", "word", "where the account allocates", ("BatchService", "UserSubscription")),
        Column("ends_in", "word", "what it ends in", ("gallery", "vhd", "managed-image")),
        Column("base", "text", "the Marketplace image it begins with: publisher:offer:sku"),
        Column("generation", "word", "that image's generation", ("V1", "V2")),
        Column("next", "text", "the line that makes a pool of it"),
    ),
    "size": (
        Column("vm_size", "text", "the nodes' size"),
        Column("kind", "word", "kind of node", NODE_KINDS),
        Column("nodes", "int", "how many; missing where no number of them does it"),
        Column("start_minutes", "float", "until they are ready"),
        Column("makespan_minutes", "float", "from the request until the last task's end"),
        Column("usd", "float", "what that costs in US dollars; missing where no price is known"),
        Column("usd_per_node_hour", "float", "what a node costs an hour, with the disks that are known"),
        Column("fits", "bool", "whether the quotas leave room for it"),
        Column("limit", "text", "what does not, and what would"),
        Column("line", "text", "the line that does it"),
        Column("cores", "int", "cores that the nodes have"),
        Column("cores_free", "int", "cores that the tightest quota leaves; missing where the account tells none"),
        Column("vcpus", "int", "vCPUs of a node"),
        Column("memory_gib", "float", "memory of a node in GiB"),
        Column("slots", "int", "tasks that run on a node at once"),
    ),
    "delete": (
        Column("resource", "text", "its name"),
        Column("type", "text", "resource type"),
        Column("action", "word", "what became of it", ACTIONS),
        Column("seconds", "float", "how long it took, in the service's time"),
        Column("detail", "text", "what else there is to say"),
        Column("id", "text", "resource id"),
    ),
    "orphans": (
        Column("resource", "text", "its name"),
        Column(
            "kind",
            "word",
            "what it is",
            (
                "image version",
                "image definition",
                "gallery",
                "managed image",
                "VM",
                "network interface",
                "disk",
                "snapshot",
            ),
        ),
        Column("pool", "text", "the pool it was made for"),
        Column("why", "text", "why no pool needs it"),
        Column("size_gib", "int", "what is stored of it in GiB, all replicas together"),
        Column("region", "text", "its region"),
        Column("created", "time", "when it was made"),
        Column("id", "text", "resource id"),
    ),
    "help": (
        Column("verb", "text", "the verb"),
        Column("does", "text", "what it does"),
        Column("line", "text", "how it is used"),
    ),
}
SCHEMAS["stop"] = SCHEMAS["wait"]
SCHEMAS["repair"] = SCHEMAS["history"] = SCHEMAS["resize"]
SCHEMAS["migrate"] = SCHEMAS["create"]
#: The panel answers with a widget.
SCHEMAS["panel"] = ()
_OF_POOL = Column("pool", "text", "the pool")
SCHEMAS["nodes of pools"] = (_OF_POOL, *SCHEMAS["nodes"])
SCHEMAS["node counts of pools"] = (_OF_POOL, *SCHEMAS["node counts"])
