"""Durations of nodes: allocation, boot, removal, reboot. Every number has its source.

Recorded pools have at most five nodes: the scaling of allocation beyond is an assumed model.
"""

from __future__ import annotations

import math

import msgspec

from batchimg_magics.emulator.world.evidence import Evidence

evidence = Evidence("Allocation of nodes")


class AllocationTimes(msgspec.Struct, frozen=True):
    """The numbers of allocation; `ALLOCATION_TIMES` describes each."""

    first_s: tuple[float, float]
    wave_nodes: int
    wave_s: dict[str, float]
    nodes_per_replica: int
    settled_s: float
    empty_s: float
    failed_s: float
    stop_s: float
    leave_s: float
    leave_alone_s: dict[str, float]
    leave_per_node_s: float
    empty_delete_s: float
    delete_s: float
    unusable_after_s: float
    recovery_s: float
    start_task_s: float


ALLOCATION_TIMES = AllocationTimes(
    first_s=evidence.recorded(
        (30.0, 60.0),
        "s",
        "from a resize to its first nodes, minimum and maximum",
        "36 and 31 s at 2025-06-01 and 2024-02-01; older traffic: 41 to 96 s",
    ),
    wave_nodes=evidence.assumed(
        100,
        "nodes",
        "that are allocated at once; further nodes are allocated in waves of this size",
        "recorded pools have at most five nodes, allocated within 30 us; a pool consists of scale sets",
    ),
    wave_s=evidence.assumed(
        {"marketplace": 45.0, "gallery": 45.0, "managed": 200.0},
        "s",
        "from one wave to the next, by source of the image",
        "with 45 s, 1,000 nodes take 8 minutes, within the 15 that the gallery documents recommend; with 200 s, a "
        "managed image misses a target above 300 nodes in the default 15 minutes, as Microsoft warns",
    ),
    nodes_per_replica=evidence.documented(
        300, "nodes", "for which one replica of a gallery image in their region is enough", "the gallery documents"
    ),
    settled_s=evidence.recorded(0.55, "s", "from the last node of a resize to steady", "recorded resizes"),
    empty_s=evidence.recorded(
        1.4, "s", "to steady for a resize without changes, or with an exhausted quota", "recorded pools"
    ),
    failed_s=evidence.assumed(
        60.0, "s", "until an allocation that fails because of its image ends", "no recording shows one"
    ),
    stop_s=evidence.recorded(5.0, "s", "that stop-resize takes", "recorded stops"),
    leave_s=evidence.recorded(90.0, "s", "from leavingpool to gone", "91 and 95 s for 2 nodes"),
    leave_alone_s=evidence.recorded(
        {"idle": 50.0, "starting": 40.0}, "s", "that removenodes takes for one node, by its state", "50 and 40 s"
    ),
    leave_per_node_s=evidence.assumed(
        0.02, "s", "for each further node of a removal, in addition", "recorded removals are of 2 nodes at most"
    ),
    empty_delete_s=evidence.recorded(
        3.0, "s", "from the DELETE of a pool without nodes to the end of its deletion", "recorded pools"
    ),
    delete_s=evidence.recorded(
        14.0,
        "s",
        "from the removal of the last node of a deleted pool to the end of the pool",
        "a pool of one node is gone 101 to 107 s after its DELETE",
    ),
    unusable_after_s=evidence.assumed(
        600.0,
        "s",
        "until a node whose node agent does not start becomes unusable",
        "no recording shows an unusable node",
    ),
    recovery_s=evidence.assumed(
        900.0, "s", "until an unusable node recovers, if it does", "Microsoft says that some recover, but not when"
    ),
    start_task_s=evidence.assumed(
        10.0,
        "s",
        "for each program in the command line of a start task",
        "no command is executed; `sleep` and `timeout` take the time of their argument",
    ),
)
#: Quantiles (0, 1/4, 1/2, 3/4, 1) of seconds from the allocation of a node to the end of its boot, by OS and image
#: source.
BOOT_S: dict[str, tuple[float, ...]] = {
    **evidence.recorded(
        {
            "linux/marketplace": (46.0, 50.0, 58.0, 66.0, 90.0),
            "windows/marketplace": (77.0, 136.0, 200.0, 366.0, 456.0),
        },
        "s",
        "from the allocation of a node to the end of its boot, Marketplace images: minimum, quartiles, maximum",
        "newer traffic: Ubuntu 49 to 66 s, Windows 77 to 456 s; minimum and maximum are slightly outside",
    ),
    **evidence.assumed(
        {
            "linux/gallery": (70.0, 131.0, 168.0, 240.0, 319.0),
            "windows/gallery": (130.0, 168.0, 240.0, 319.0, 456.0),
        },
        "s",
        "from the allocation of a node to the end of its boot, gallery images: minimum, quartiles, maximum",
        "older traffic's median of 240 s (quartiles 187 and 456), less Microsoft's claim of up to 30 %",
    ),
    **evidence.assumed(
        {
            "linux/managed": (100.0, 187.0, 240.0, 320.0, 456.0),
            "windows/managed": (150.0, 187.0, 300.0, 400.0, 520.0),
        },
        "s",
        "from the allocation of a node to the end of its boot, managed images: minimum, quartiles, maximum",
        "near older traffic's median of 240 s (quartiles 187 and 456), which is of all kinds of images",
    ),
}
CREATING_S = evidence.recorded(
    {"dedicated": (0.7, 0.9, 1.0, 1.2, 10.8), "spot": (10.5, 10.8, 11.0, 11.1, 11.2)},
    "s",
    "that a node is in the state creating before starting, by kind: minimum, quartiles, maximum",
    "dedicated 0.7 and 1 s, older traffic up to 10.8 s; spot 11 s",
)
OUTAGE_S = evidence.assumed(
    (120.0, 300.0, 600.0, 1200.0, 3600.0),
    "s",
    "until Batch restores a preempted node: minimum, quartiles, maximum",
    "it depends on Azure's spare capacity; no durations are published",
)
#: Action -> the states of the node afterwards, as (state, seconds); the last state stays.
ACTION_STATES: dict[str, tuple[tuple[str, float], ...]] = {
    **evidence.recorded(
        {
            "reboot": (("rebooting", 65.0), ("starting", 1.2), ("idle", math.inf)),
            "reboot of a starting node": (("rebooting", 125.0), ("starting", 1.2), ("idle", math.inf)),
            "reimage": (("reimaging", 185.0), ("starting", 13.4), ("idle", math.inf)),
        },
        "s",
        "that a node is in each state after reboot or reimage",
        "recorded Linux nodes; another reimage took 276 s",
    ),
    **evidence.assumed(
        {
            "deallocate": (("idle", 2.0), ("deallocating", 45.0), ("deallocated", math.inf)),
            "start": (("starting", 50.0), ("idle", math.inf)),
        },
        "s",
        "that a node is in each state after deallocate or start",
        "the states and their order are recorded; the durations are those of a VM",
    ),
}
evidence.rule(
    "With too few replicas of a gallery image, the interval between waves is longer in proportion.",
    "the gallery documents recommend numbers of replicas, but do not describe the effect of fewer",
)
evidence.rule(
    "If a pool has more nodes than its target, the newest nodes are removed.",
    "no document says which ones are removed, and recordings show no order",
)
evidence.rule(
    "A preempted node is restored with the same id and boots again; each node has its own interval of preemption.",
    "the documents say that Batch tries to replace it, but not how",
)
