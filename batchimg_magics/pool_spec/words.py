"""Words that options, specs and tables share. Without pydantic, so that a command starts fast."""

from __future__ import annotations

__all__ = [
    "ACCEPTABLE_RULES",
    "AUTOSCALE_PRESETS",
    "CHECK_KINDS",
    "DRAIN_CHOICES",
    "NODE_ACTIONS",
    "NODE_KINDS",
    "NODE_STATES",
    "OWN_VM_SIZE",
    "SIGN_IN_WAYS",
    "UNTIL_STATES",
    "count_text",
    "decode_text",
    "read_share",
]

# Source: the vocabulary of the Batch data plane, 2025-06-01.
NODE_STATES = (
    "creating", "starting", "waitingforstarttask", "starttaskfailed", "idle", "running", "rebooting", "reimaging",
    "upgradingos", "offline", "preempted", "unusable", "unknown", "leavingpool", "deallocating", "deallocated",
)  # fmt: skip
NODE_KINDS = ("dedicated", "spot")
#: In place of a VM size: that of the existing pool, else that of the VM that the image is built from.
OWN_VM_SIZE = "as the VM"
#: What happens to tasks on nodes that are removed. Source: Batch service, nodeDeallocationOption.
DRAIN_CHOICES = ("requeue", "terminate", "taskcompletion", "retaineddata")
#: What can be done with single nodes.
NODE_ACTIONS = ("reboot", "reimage", "remove", "disable-scheduling", "enable-scheduling")
#: How long a verb waits: until the nodes are idle or running, or until the pool's allocation state is steady.
UNTIL_STATES = ("ready", "steady")
AUTOSCALE_PRESETS = ("pending-tasks", "working-hours", "expiry")
#: The values of ``--sign-in``. Without it, `DefaultAzureCredential` tries several ways.
SIGN_IN_WAYS = ("device-code", "browser", "cli", "managed-identity", "environment")
#: What `check` can check.
CHECK_KINDS = ("vm", "image", "pool")

#: The rules of preflight checks whose errors a user can accept: Azure may still do what was requested, so that only
#: time or money is at risk. A test compares them with the rules themselves.
ACCEPTABLE_RULES = (
    "direct-retired",
    "extensions",
    "managed-image-limit",
    "permissions",
    "policies",
    "replication-mode",
    "retiring",
    "subnet-outbound",
    "vm-size-restrictions",
)


def decode_text(content: bytes) -> str:
    """Return the text in a file: UTF-8, or UTF-16 with a byte order mark, as PowerShell's ``>`` writes it."""
    return content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")


def count_text(count: int, noun: str, plural: str = "") -> str:
    """Return a count with its noun: ``1 node``, ``2,000 nodes``.

    Parameters
    ----------
    count, noun
        The count, and the noun in the singular.
    plural
        The noun in the plural, where it is not the singular with an s.
    """
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def read_share(text: str | float) -> float:
    """Return the number in a share such as ``5%`` or ``0.05``.

    Raises
    ------
    ValueError
        It is not a number.
    """
    word = str(text).strip()
    return float(word.removesuffix("%")) / (100 if word.endswith("%") else 1)
