"""How long nodes take: to come, to boot, to leave, to be rebooted. Every number says how it is known.

Recorded pools have at most five nodes: how allocation scales beyond is a model's assumption.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from batchimg_magics.emulator.world.evidence import Evidence

evidence = Evidence("Allocation of nodes")


@dataclass(frozen=True, slots=True)
class AllocationTimes:
    """The numbers of allocation; what each stands for is said where `ALLOCATION_TIMES` is made of them."""

    first_s: tuple[float, float]
    wave_nodes: int
    wave_s: dict[str, float]
    nodes_per_replica: int
    settled_s: float
    empty_s: float
    failed_s: float
    stop_s: float
    leave_s: float
    leave_per_node_s: float
    empty_delete_s: float
    unusable_after_s: float
    recovery_s: float
    start_task_s: float


ALLOCATION_TIMES = AllocationTimes(
    first_s=evidence.recorded(
        (30.0, 60.0),
        "s",
        "from a resize to its first nodes, least and most",
        "36 and 31 s at 2025-06-01 and 2024-02-01; older traffic: 41 to 96 s",
    ),
    wave_nodes=evidence.assumed(
        100,
        "nodes",
        "that come at once; what is above comes in waves of as many",
        "recorded pools have at most five nodes, which come within 30 us of each other; a pool is made of scale sets",
    ),
    wave_s=evidence.assumed(
        {"marketplace": 45.0, "gallery": 45.0, "managed": 200.0},
        "s",
        "from one wave to the next, by source of the image",
        "45 s take 1,000 nodes in 8 minutes, inside the 15 that the gallery documents tell to allow; 200 s make a "
        "managed image miss its target somewhat above 300 nodes in the default 15 minutes, as Microsoft warns",
    ),
    nodes_per_replica=evidence.documented(
        300, "nodes", "for which one copy of a gallery image in their region is enough", "the gallery documents"
    ),
    settled_s=evidence.recorded(0.55, "s", "from a resize's last node to steady", "recorded resizes"),
    empty_s=evidence.recorded(
        1.4, "s", "until a resize is steady that has nothing to do, or whose quota is used up", "recorded pools"
    ),
    failed_s=evidence.assumed(
        60.0, "s", "until an allocation is given up that fails for its image's sake", "no recording has one"
    ),
    stop_s=evidence.recorded(5.0, "s", "that stopping a resize takes", "recorded stops"),
    leave_s=evidence.recorded(90.0, "s", "from leavingpool to gone", "91 and 95 s for 2 nodes"),
    leave_per_node_s=evidence.assumed(
        0.02, "s", "that each further node of a removal adds to that", "recorded removals are of 2 nodes at most"
    ),
    empty_delete_s=evidence.recorded(3.0, "s", "from the DELETE of a pool without nodes to its end", "recorded pools"),
    unusable_after_s=evidence.assumed(
        600.0, "s", "until a node whose system never reports reads unusable", "no recording has an unusable node"
    ),
    recovery_s=evidence.assumed(
        900.0, "s", "until an unusable node that recovers does so", "Microsoft says that some do, and not when"
    ),
    start_task_s=evidence.assumed(
        10.0,
        "s",
        "that each program of a start task's command takes which names no time",
        "nothing is run here; `sleep` and `timeout` take the time that they name",
    ),
)
#: Quantiles (0, 1/4, 1/2, 3/4, 1) of seconds from a node's arrival to the end of its boot, by OS and source of the
#: image.
BOOT_S: dict[str, tuple[float, ...]] = {
    **evidence.recorded(
        {
            "linux/marketplace": (46.0, 50.0, 58.0, 66.0, 90.0),
            "windows/marketplace": (120.0, 136.0, 200.0, 300.0, 456.0),
        },
        "s",
        "from a node's arrival to the end of its boot, Marketplace images: least, quartiles, most",
        "newer traffic: Ubuntu 49 to 66 s, Windows 136 to 456 s; least and most lie somewhat outside",
    ),
    **evidence.assumed(
        {
            "linux/gallery": (70.0, 131.0, 168.0, 240.0, 319.0),
            "windows/gallery": (130.0, 168.0, 240.0, 319.0, 456.0),
        },
        "s",
        "from a node's arrival to the end of its boot, gallery images: least, quartiles, most",
        "older traffic's median of 240 s (quartiles 187 and 456), less Microsoft's claim of up to 30 %",
    ),
    **evidence.assumed(
        {
            "linux/managed": (100.0, 187.0, 240.0, 320.0, 456.0),
            "windows/managed": (150.0, 187.0, 300.0, 400.0, 520.0),
        },
        "s",
        "from a node's arrival to the end of its boot, managed images: least, quartiles, most",
        "around older traffic's median of 240 s (quartiles 187 and 456), which does not tell images apart",
    ),
}
CREATING_S = evidence.recorded(
    (0.7, 6.0, 10.5, 10.7, 11.0),
    "s",
    "that a node reads creating before starting: least, quartiles, most",
    "0.7, 10.5, 10.7 and 10.8 s",
)
OUTAGE_S = evidence.assumed(
    (120.0, 300.0, 600.0, 1200.0, 3600.0),
    "s",
    "until Batch gets a preempted node back: least, quartiles, most",
    "it depends on what Azure has to spare, and nobody says how long",
)
#: verb -> what a node then goes through, as (state, seconds); the last state stays.
ACTION_STATES: dict[str, tuple[tuple[str, float], ...]] = {
    **evidence.recorded(
        {
            "reboot": (("rebooting", 65.0), ("starting", 1.2), ("idle", math.inf)),
            "reimage": (("reimaging", 276.0), ("starting", 13.4), ("idle", math.inf)),
        },
        "s",
        "that a node is in each state after it was told to reboot or to reimage",
        "recorded Linux nodes",
    ),
    **evidence.assumed(
        {
            "deallocate": (("idle", 2.0), ("deallocating", 45.0), ("deallocated", math.inf)),
            "start": (("starting", 50.0), ("idle", math.inf)),
        },
        "s",
        "that a node is in each state after it was told to deallocate or to start",
        "the states and their order are recorded, the times are those of a VM",
    ),
}
evidence.rule(
    "Waves of a gallery image with too few copies for its nodes come later in proportion.",
    "the gallery documents tell how many copies there should be, and not what happens with fewer",
)
evidence.rule(
    "Where too many nodes are there, the newest leave.",
    "no document says which, and recordings show no order",
)
evidence.rule(
    "A preempted node comes back under its own name and boots anew; how long it lasts is drawn once for each node.",
    "the documents say that Batch tries to replace it, and not how",
)
