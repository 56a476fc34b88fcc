"""The verbs that make pools, look at them and take them away."""

from __future__ import annotations

from batchimg_magics.core.base.schemas import NODE_STATES
from batchimg_magics.ui.verbs.limits import CANARY, LIMIT_OPTIONS, REPAIR, TAKE_WHAT_FITS, TTL
from batchimg_magics.ui.verbs.options import (
    NAME,
    NAMES,
    NO_WAIT,
    NODES,
    RESIZE_TIMEOUT,
    SPOT,
    UNTIL,
    Option,
    Verb,
    read_text_file,
)
from batchimg_magics.ui.verbs.origins import FROM_VM, ORIGIN_OPTIONS
from batchimg_magics.ui.verbs.shape import NODE_OPTIONS

__all__ = ["CREATE", "PLAN", "VERBS"]

CREATE = Verb(
    "create",
    "make an image, of a VM or of what else there is, and a pool from it; the same line again goes on where it was",
    (
        NAME,
        FROM_VM,
        Option("--vm-size", "the nodes' size, e.g. Standard_D4s_v5", metavar="SIZE", completion="vm_size"),
        NODES,
        SPOT,
        *ORIGIN_OPTIONS,
        *NODE_OPTIONS,
        Option(
            "--spec",
            "read the pool from a YAML file; options win over it. A cell's body does the same",
            metavar="FILE",
            parse=read_text_file,
            completion="file",
        ),
        Option("--replace", "a pool that is there and differs is deleted and made anew; it says first what that does"),
        RESIZE_TIMEOUT,
        UNTIL,
        *LIMIT_OPTIONS,
        REPAIR,
        *CANARY,
        TAKE_WHAT_FITS,
        TTL,
        Option("--yes", "agree to what cannot be undone: --capture in-place; --replace on a real connection"),
        NO_WAIT,
    ),
    (
        "create genomics --from-vm prep-vm --vm-size Standard_D4s_v5 --nodes 20 --spot 5",
        "create genomics --from-vm desk-vm --stop --vm-size Standard_D4s_v5 --nodes 20",
        "create genomics --from-version $version --vm-size Standard_D4s_v5 --nodes 20",
        "create genomics --spec genomics.yaml --nodes 50",
    ),
    takes_body=True,
)

#: What only doing has a use for.
_EXECUTION_OPTIONS = frozenset({"wait", "yes"})

PLAN = Verb(
    "plan",
    "say what create would do, step by step; nothing is changed",
    tuple(option for option in CREATE.options if option.keyword not in _EXECUTION_OPTIONS),
    (
        "plan genomics --from-vm prep-vm --vm-size Standard_D4s_v5 --nodes 20 --spot 5",
        "plan genomics --spec genomics.yaml",
    ),
    takes_body=True,
)

VERBS: tuple[Verb, ...] = (
    Verb("pools", "list the pools", (), ("pools",)),
    CREATE,
    PLAN,
    Verb(
        "nodes",
        "show every node of a pool, or of several, and its state now",
        (
            NAMES,
            Option("--counts", "one row a state instead of one a node"),
            Option(
                "--state",
                "only nodes in this state; may be given several times",
                metavar="STATE",
                choices=NODE_STATES,
                combine=tuple,
            ),
            Option(
                "--where",
                "only nodes that fit a condition on the columns: == != < <= > >=, in [...], and, or, not",
                metavar="CONDITION",
            ),
            Option("--no-prices", "do not ask what idle nodes cost", dest="prices", const=False),
        ),
        (
            "nodes genomics",
            "nodes genomics --counts",
            "nodes genomics --state unusable --state starttaskfailed",
            "nodes genomics --where \"state == 'idle' and running_tasks == 0\"",
            "nodes 'sim-*' --counts",
        ),
    ),
    Verb(
        "delete",
        "delete a pool, and with --image what was made for it; or one image, version, snapshot or disk by its id",
        (
            Option(
                "name",
                "the pool's name, or the resource id of an image, version, snapshot or disk",
                metavar="NAME",
                completion="pool",
            ),
            Option("--image", "its image versions and snapshots too"),
            Option("--dry-run", "only show what would be deleted"),
            Option("--yes", "really do it, on a real connection"),
            NO_WAIT,
        ),
        ("delete genomics --dry-run --image", "delete genomics --image", "delete $snapshot_id"),
    ),
)
