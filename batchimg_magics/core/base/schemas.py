"""The columns of the tables: one schema per verb, from which DataFrames, text tables and the reference are built."""

from __future__ import annotations

from batchimg_magics.core.base.columns import Column
from batchimg_magics.core.base.kernel_schemas import KERNEL_SCHEMAS
from batchimg_magics.core.base.lock_schemas import LOCK_SCHEMAS
from batchimg_magics.core.base.outcomes import OutcomeClass
from batchimg_magics.core.base.run_schemas import RUN_SCHEMAS
from batchimg_magics.pool_spec.words import NODE_ACTIONS, NODE_KINDS, NODE_STATES

# Source: the vocabulary of the Batch data plane, 2025-06-01.
ALLOCATION_STATES = ("steady", "resizing", "stopping")
POOL_STATES = ("active", "deleting")
#: What a verb did, or would do, with a resource.
ACTIONS = ("created", "exists", "changed", "deleted", "kept", "would delete", "would create", "would change")
#: The severity of a failed check: an error stops `create`.
SEVERITIES = ("error", "warning", "info")
#: The package managers in lists of packages, and what else has lines there.
MANAGERS = ("dpkg", "rpm", "pip", "conda", "r", "windows", "os", "unreadable")
#: Whether the list of a node is that of its image.
PACKAGE_RESULTS = ("ok", "differs", "not readable")
#: How a resize attempt ended.
OUTCOMES = tuple(one.value for one in OutcomeClass)

SCHEMAS: dict[str, tuple[Column, ...]] = {
    **KERNEL_SCHEMAS,
    **LOCK_SCHEMAS,
    **RUN_SCHEMAS,
    "vms": (
        Column("vm", "text", "name of the VM"),
        Column("resource_group", "text", "its resource group"),
        Column("region", "text", "its region"),
        Column("vm_size", "text", "its VM size"),
        Column("os", "word", "operating system", ("Linux", "Windows")),
        Column("image", "text", "Marketplace image that it was created from: publisher:offer:sku"),
        Column("power", "word", "power state", ("running", "stopped", "deallocated", "deallocating", "starting")),
        Column("generalized", "bool", "whether Azure marks it as generalized"),
        Column("generation", "word", "Hyper-V generation", ("V1", "V2")),
        Column("security", "word", "security type", ("Standard", "TrustedLaunch", "ConfidentialVM")),
        Column("data_disks", "int", "number of data disks"),
        Column("disks_gib", "int", "total size of its disks in GiB"),
        Column("id", "text", "resource ID", form="id"),
    ),
    "vm login": (
        Column("vm", "text", "name of the VM"),
        Column("os", "word", "operating system", ("Linux", "Windows")),
        Column("power", "word", "power state", ("running", "stopped", "deallocated", "deallocating", "starting")),
        Column("protocol", "word", "login protocol", ("SSH", "RDP")),
        Column("address", "text", "public IP address, otherwise that of a load balancer, otherwise the private one"),
        Column("public", "bool", "whether the address is public; missing if it could not be read"),
        Column("port", "int", "port to connect to"),
        Column("user", "text", "name of the administrator account"),
        Column("command", "text", "command to run in a terminal", form="code"),
        Column(
            "unread", "text", "what could not be read, and the reason; missing if everything was read", form="problem"
        ),
        Column("next", "text", "next step", form="advice"),
    ),
    "images": (
        Column("image", "text", "name of the image definition, or of the resource"),
        Column("kind", "word", "kind of resource", ("version", "definition", "managed image", "snapshot", "disk")),
        Column("version", "text", "image version"),
        Column("gallery", "text", "name of the gallery"),
        Column("pool", "text", "pool that it was created for; missing if this tool did not create it"),
        Column("used_by", "text", "pools, scale sets and VMs that use it, or resources created from it"),
        Column("state", "text", "provisioning state"),
        Column("os", "word", "operating system", ("Linux", "Windows")),
        Column("generation", "word", "Hyper-V generation", ("V1", "V2")),
        Column("security", "text", "security type"),
        Column("regions", "text", "regions; of a version, with the number of replicas: region=n"),
        Column("size_gib", "int", "size of its disks in GiB, of one replica"),
        Column("usd_per_month", "float", "cost of storing it in USD per month, at most; missing if not known"),
        Column("made_from", "text", "source; of a version, its snapshots by LUN"),
        Column("published", "time", "when it was published or created"),
        Column("end_of_life", "time", "end-of-life date of the version; Azure deletes nothing by itself"),
        Column("id", "text", "resource ID", form="id"),
    ),
    "image packages": (
        Column(
            "manager", "word", "package manager; os: the operating system; unreadable: what could not be read", MANAGERS
        ),
        Column("name", "text", "name of the package"),
        Column("version", "text", "its version, as the package manager writes it"),
        Column("source", "text", "repository, channel or folder; missing if the package manager does not tell it"),
    ),
    "image nodes": (
        Column("node_id", "text", "node ID", form="id"),
        Column("pool", "text", "name of the pool"),
        Column("state", "word", "node state", NODE_STATES),
        Column("result", "word", "whether its list of packages is that of the image", PACKAGE_RESULTS),
        Column("packages", "int", "number of packages in its list"),
        Column("sha256", "text", "SHA-256 of its list", form="id"),
        Column("detail", "text", "why its list could not be read", form="problem"),
    ),
    "diff": (
        Column("manager", "word", "package manager", MANAGERS),
        Column("name", "text", "name of the package"),
        Column("change", "word", "what changed", ("added", "removed", "changed")),
        Column("old", "text", "version in the first image; missing if it does not have the package"),
        Column("new", "text", "version in the second image; missing if it does not have the package"),
    ),
    "pools": (
        Column("pool", "text", "name of the pool"),
        Column("vm_size", "text", "VM size of its nodes"),
        Column("state", "word", "pool state", POOL_STATES),
        Column("allocation", "word", "allocation state", ALLOCATION_STATES),
        Column("dedicated", "int", "current number of dedicated nodes"),
        Column("dedicated_target", "int", "target number of dedicated nodes"),
        Column("spot", "int", "current number of Spot nodes; Azure includes preempted ones"),
        Column("spot_target", "int", "target number of Spot nodes"),
        Column("image", "text", "image of its nodes"),
        Column(
            "image_state",
            "word",
            "whether nodes can be created from the image; missing for a Marketplace image",
            ("available", "missing", "source missing", "not in region", "unreadable"),
        ),
        Column("autoscale", "bool", "whether an autoscale formula sets the targets"),
        Column(
            "errors",
            "text",
            "error codes of the last resize, and of the last evaluation of the formula",
            form="problem",
        ),
        Column(
            "usd_per_hour",
            "float",
            "cost in USD per hour: nodes, disks, load balancers and addresses; missing if not known",
        ),
        Column(
            "usd_so_far",
            "float",
            "cost since it was created in USD, as seen from this computer; missing if it was not seen since then",
        ),
        Column("expires", "time", "when all nodes are removed"),
        Column("expiry_enforced", "bool", "whether Azure enforces the expiry; missing if the pool does not expire"),
        Column("evaluated", "time", "time of the last evaluation of the autoscale formula"),
        Column("evaluation_overdue", "bool", "whether Azure has stopped to evaluate the formula; missing without one"),
        Column("created", "time", "when it was created"),
        Column("managed", "bool", "whether this tool created it"),
    ),
    "check": (
        Column("rule", "text", "ID of the rule; docs/rules.md lists all"),
        Column("ok", "bool", "whether the check passed; missing if it could not be checked"),
        Column("severity", "word", "severity if the check failed", SEVERITIES, form="severity"),
        Column("found", "text", "what was found"),
        Column("fix", "text", "how to fix it, with a command if there is one", form="advice"),
    ),
    "create": (
        Column("step", "text", "name of the step"),
        Column("resource", "text", "name of the resource"),
        Column("action", "word", "what was done", ACTIONS),
        Column("state", "text", "resulting state"),
        Column("seconds", "float", "duration in seconds of service time"),
        Column("detail", "text", "details"),
        Column("id", "text", "resource ID", form="id"),
    ),
    "plan": (
        Column("step", "text", "name of the step"),
        Column("resource", "text", "name of the resource"),
        Column("action", "word", "what would be done", ACTIONS),
        Column("why", "text", "purpose of the step"),
        Column("minutes", "float", "usual duration in minutes; missing if it is not known"),
        Column("usd_per_hour", "float", "cost in USD per hour: nodes, disks, load balancers and addresses"),
        Column("usd_per_month", "float", "cost of the stored snapshots or replicas in USD per month, at most"),
        Column("id", "text", "resource ID", form="id"),
    ),
    "plan differences": (
        Column("fact", "text", "what the plan depends on"),
        Column("planned", "text", "what was so when the plan was made"),
        Column("now", "text", "what is so now"),
    ),
    "nodes": (
        Column("node_id", "text", "ID of the node", form="id"),
        Column("state", "word", "node state", NODE_STATES),
        Column("scheduling", "word", "whether it accepts tasks", ("enabled", "disabled")),
        Column("state_since", "time", "when it entered this state"),
        Column("allocated", "time", "when its VM was allocated"),
        Column("booted", "time", "when it was last started"),
        Column("dedicated", "bool", "True: dedicated; False: Spot"),
        Column("vm_size", "text", "VM size"),
        Column("ip", "text", "private IP address"),
        Column("running_tasks", "int", "number of running tasks"),
        Column("start_task", "word", "state of its start task", ("running", "completed")),
        Column("exit_code", "int", "exit code of its start task"),
        Column("errors", "text", "errors of the node, code: message", form="problem"),
        Column("image_version", "text", "image version that it runs"),
        Column("agent_version", "text", "version of the node agent"),
    ),
    "node counts": (
        Column("state", "word", "node state", NODE_STATES),
        Column("dedicated", "int", "number of dedicated nodes in this state"),
        Column("spot", "int", "number of Spot nodes in this state"),
    ),
    "resize": (
        Column("pool", "text", "name of the pool"),
        Column("round", "int", "number of the resize attempt"),
        Column("class", "word", "class of the outcome", OUTCOMES),
        Column("action", "text", "what was done"),
        Column("code", "text", "error code of the resize", form="problem"),
        Column(
            "message",
            "text",
            "cause and error message of Azure; for a repair, the last error of the node",
            form="problem",
        ),
        Column("hint", "text", "what to do about the cause", form="advice"),
        Column("dedicated_after", "int", "live dedicated nodes after the attempt"),
        Column("dedicated_target", "int", "target number of dedicated nodes"),
        Column("spot_after", "int", "live Spot nodes after the attempt"),
        Column("spot_target", "int", "target number of Spot nodes"),
        Column("dedicated_before", "int", "live dedicated nodes before the attempt"),
        Column("spot_before", "int", "live Spot nodes before the attempt"),
        Column("seconds", "float", "duration in seconds of service time"),
        Column(
            "usd",
            "float",
            "maximum cost of the nodes during the attempt in USD; missing if a price is not known",
        ),
        Column("pool_created", "time", "when the pool was created: it tells pools of the same name apart"),
        Column("timeout_minutes", "float", "resize timeout in minutes"),
        Column("started", "time", "start of the attempt"),
        Column("ended", "time", "end of the attempt"),
    ),
    "node actions": (
        Column("pool", "text", "name of the pool"),
        Column("node_id", "text", "ID of the node"),
        Column("action", "word", "what was requested", NODE_ACTIONS),
        Column(
            "outcome",
            "word",
            "what came of it; requested: it is done when the tasks of the node have ended",
            ("done", "requested", "unchanged", "refused", "planned"),
        ),
        Column("state", "word", "node state afterwards; missing if the node left the pool", NODE_STATES),
        Column("exit_code", "int", "exit code of its start task"),
        Column("running_tasks", "int", "number of tasks that ran on it before"),
        Column("message", "text", "reason of Azure, or the errors of the node, code: message"),
        Column("fix", "text", "what to do about it"),
        Column("dedicated", "bool", "True: dedicated; False: Spot"),
        Column("seconds", "float", "duration in seconds of service time"),
    ),
    "autoscale": (
        Column("pool", "text", "name of the pool"),
        Column("autoscale", "bool", "whether an autoscale formula is enabled"),
        Column("formula", "text", "the formula", form="code"),
        Column("interval_minutes", "float", "evaluation interval in minutes"),
        Column("dedicated_target", "int", "target number of dedicated nodes"),
        Column("spot_target", "int", "target number of Spot nodes"),
        Column("evaluated", "time", "when Azure last evaluated the formula"),
        Column("error", "text", "error of the last evaluation", form="problem"),
        Column("expires", "time", "when all nodes are removed"),
    ),
    "autoscale variables": (
        Column("variable", "text", "name of the variable; $Target... set the size of the pool"),
        Column("value", "text", "its value, as Azure writes it"),
        Column("number", "float", "its value, if it is a number"),
    ),
    "wait": (
        Column("pool", "text", "name of the pool"),
        Column("allocation", "word", "allocation state", ALLOCATION_STATES),
        Column("dedicated", "int", "live dedicated nodes"),
        Column("dedicated_target", "int", "target number of dedicated nodes"),
        Column("spot", "int", "live Spot nodes"),
        Column("spot_target", "int", "target number of Spot nodes"),
        Column("ready", "int", "number of idle or running nodes"),
        Column("bad", "int", "number of unusable nodes and nodes with a failed start task"),
        Column("seconds", "float", "duration of the wait in seconds of service time"),
    ),
    "packer": (
        Column("file", "text", "file name of the template"),
        Column("lines", "int", "number of lines"),
        Column("allocation_mode", "word", "pool allocation mode of the account", ("BatchService", "UserSubscription")),
        Column("ends_in", "word", "what the template creates", ("gallery", "vhd", "managed-image")),
        Column("base", "text", "Marketplace base image: publisher:offer:sku"),
        Column("generation", "word", "Hyper-V generation of the base image", ("V1", "V2")),
        Column("next", "text", "command that creates a pool from the image", form="code"),
    ),
    "estimate": (
        Column("vm_size", "text", "VM size of the nodes"),
        Column("kind", "word", "kind of the nodes", NODE_KINDS),
        Column("nodes", "int", "number of nodes; missing if no number is sufficient"),
        Column("start_minutes", "float", "minutes until the nodes are ready"),
        Column("makespan_minutes", "float", "minutes from the request until the last task ends"),
        Column("usd", "float", "total cost in USD: nodes, disks, load balancers, addresses; missing if not known"),
        Column(
            "usd_per_node_hour",
            "float",
            "cost of a node in USD per hour, including the known disks, but no network",
        ),
        Column("fits", "bool", "whether the quotas allow it"),
        Column("limit", "text", "which limit does not allow it, and what fits"),
        Column("command", "text", "command that applies it", form="code"),
        Column("cores", "int", "number of cores of the nodes"),
        Column("cores_free", "int", "cores available in the tightest quota; missing if the account reports none"),
        Column("vcpus", "int", "vCPUs of a node"),
        Column("memory_gib", "float", "memory of a node in GiB"),
        Column("slots", "int", "number of tasks that run on a node at the same time"),
    ),
    "delete": (
        Column("resource", "text", "name of the resource"),
        Column("type", "text", "what it is, for example image version"),
        Column("action", "word", "what was done", ACTIONS),
        Column("seconds", "float", "duration in seconds of service time"),
        Column("detail", "text", "details"),
        Column("id", "text", "resource ID", form="id"),
    ),
    "cleanup": (
        Column("resource", "text", "name of the resource"),
        Column("kind", "word", "why it is listed", ("leftover", "expired pool", "stopped VM")),
        Column(
            "type",
            "word",
            "type of the resource",
            (
                "image version",
                "image definition",
                "gallery",
                "managed image",
                "VM",
                "network interface",
                "disk",
                "snapshot",
                "pool",
            ),
        ),
        Column("pool", "text", "pool that it was created for"),
        Column("action", "word", "what was done; missing if it is only listed", ACTIONS),
        Column("why", "text", "why it is not needed"),
        Column("size_gib", "int", "stored size in GiB, of all replicas together"),
        Column("nodes", "int", "number of nodes of the pool"),
        Column(
            "usd_per_hour",
            "float",
            "cost in USD per hour: nodes, disks, load balancers and addresses; missing if not known",
        ),
        Column("region", "text", "region"),
        Column("created", "time", "when it was created"),
        Column("expired", "time", "when the pool expired"),
        Column("seconds", "float", "duration of the deletion in seconds of service time"),
        Column("detail", "text", "details"),
        Column("id", "text", "resource ID", form="id"),
    ),
    "help": (
        Column("verb", "text", "name of the verb"),
        Column("does", "text", "what it does"),
        Column("command", "text", "usage", form="code"),
        Column("group", "text", "group of the option"),
    ),
}
SCHEMAS["stop-resize"] = SCHEMAS["wait"]
SCHEMAS["repair"] = SCHEMAS["history"] = SCHEMAS["resize"]
SCHEMAS["migrate"] = SCHEMAS["update"] = SCHEMAS["create"]
#: The panel is a widget.
SCHEMAS["panel"] = ()
_OF_POOL = Column("pool", "text", "name of the pool")
SCHEMAS["nodes of pools"] = (_OF_POOL, *SCHEMAS["nodes"])
SCHEMAS["node counts of pools"] = (_OF_POOL, *SCHEMAS["node counts"])
