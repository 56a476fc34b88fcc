"""Replication of a gallery image version: the replicas in each region, and since when.

A version stores a plan for each region, in ``hidden["regions"]``; the replicas at a time are computed from it. The
version's own region is completed first, then all others at the same time. Each is usable as soon as it is done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm.operations import OPERATION, OPERATION_TIMINGS, SPREAD
from batchimg_magics.emulator.catalog import regions
from batchimg_magics.emulator.compute.model.galleries import VERSIONS
from batchimg_magics.emulator.http import scenarios
from batchimg_magics.emulator.world.chance import NEVER, seeded_fraction
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.http.messages import Call
    from batchimg_magics.emulator.world.store import Item, Store

ACCOUNTS = "microsoft.batch/batchaccounts"
evidence = Evidence("Replication of gallery image versions")
SHALLOW_S = evidence.assumed(
    30.0, "s", "for each region of a shallow version, which copies nothing", "no recording shows one"
)
evidence.rule(
    "The version's own region is completed first, then all others at the same time, each in the time of a recorded "
    "version, regardless of distance, disk sizes and the number of replicas.",
    "recorded versions have small disks and one or two regions; a change of the number of replicas is not recorded",
)


def plan_replication(
    call: Call, old: Item | None, targets: list[dict[str, Any]], *, shallow: bool
) -> dict[str, dict[str, Any]]:
    """Return the plan of the replication, by region.

    Parameters
    ----------
    call, old
        The request, and the existing version, if any.
    targets
        The target regions, each with its ``regionalReplicaCount``.
    shallow
        Whether the version only refers to its source.
    """
    before: dict[str, dict[str, Any]] = {} if old is None else old.hidden.get("regions", {})
    home = regions.region_name(call.body["location"])
    names = [regions.region_name(one["name"]) for one in targets]
    counts = dict(zip(names, (int(one["regionalReplicaCount"]) for one in targets), strict=True))
    planned: dict[str, dict[str, Any]] = {}
    for name in sorted(counts, key=lambda one: one != home):
        known = before.get(name)
        if known is not None and known["count"] == counts[name]:
            planned[name] = known
            continue
        source_done = planned[home]["until"] if home in planned else call.now
        since = max(call.now, source_done) if known is None else call.now
        planned[name] = {
            "since": since,
            "until": min(NEVER, since + _seconds(call, name, shallow=shallow)),
            "count": counts[name],
            "before": copies_at(known, call.now)[0] if known else 0,
            "fails": False,
        }
    _apply_scenario(call, planned, names)
    return planned


def _seconds(call: Call, name: str, *, shallow: bool) -> float:
    if shallow:
        return SHALLOW_S
    spread = 2 * seeded_fraction(call.store, f"{call.path}/{name}") - 1
    return OPERATION_TIMINGS["version"].seconds * (1 + SPREAD * spread)


def _apply_scenario(call: Call, planned: dict[str, dict[str, Any]], names: list[str]) -> None:
    """Let the replication fail as the current scenario has it."""
    fresh = [name for name in names if planned[name]["until"] > call.now]
    failure = scenarios.current(call.store).replication
    if failure == "last-region-never-ends" and fresh:
        planned[fresh[-1]]["until"] = NEVER
    if failure == "fails-in-account-regions":
        accounts = {regions.region_name(one.doc["location"]) for one in call.store.items(ACCOUNTS, "/subscriptions")}
        for name in accounts.intersection(fresh):
            planned[name]["fails"] = True


def end_stuck_replications(store: Store, now: float) -> None:
    """Let replications that would not end complete in the usual time from now on, as after their cause was mended."""
    done = now + OPERATION_TIMINGS["version"].seconds
    ended: set[str] = set()
    for version in store.items(VERSIONS):
        stuck = [entry for entry in version.hidden.get("regions", {}).values() if entry["until"] >= NEVER]
        if not stuck:
            continue
        for entry in stuck:
            entry |= {"since": min(now, entry["since"]), "until": done}
        _end_at(version.hidden.get("work") or {}, done)
        store.put(version)
        ended.add(version.key)
    for operation in store.items(OPERATION) if ended else ():
        if str(operation.hidden.get("resource")).lower() in ended:
            _end_at(operation.hidden, done)
            store.put(operation)


def _end_at(facts: dict[str, Any], done: float) -> None:
    if facts.get("end", 0.0) >= NEVER - 1:
        facts["end"] = done


def copies_at(entry: dict[str, Any], now: float) -> tuple[int, str]:
    """Return the number of replicas in a region at a time, and the state of the replication there."""
    if now < entry["until"]:
        return int(entry["before"]), "Replicating"
    return (0, "Failed") if entry["fails"] else (int(entry["count"]), "Completed")


def end_time(planned: dict[str, dict[str, Any]], now: float) -> float:
    """Return when the last region is done."""
    return max([now, *(float(entry["until"]) for entry in planned.values())])


def failed_regions(planned: dict[str, dict[str, Any]]) -> list[str]:
    """Return the regions where the replication fails."""
    return [name for name, entry in planned.items() if entry["fails"]]


def usable_replicas(version: Item, region: str, now: float) -> int:
    """Return how many replicas of a version are usable in a region at a time.

    An imported version has the replicas of its document.
    """
    entry = version.hidden.get("regions", {}).get(regions.region_name(region))
    if entry is not None:
        return copies_at(entry, now)[0]
    if "regions" in version.hidden:
        return 0
    targets = version.doc["properties"].get("publishingProfile", {}).get("targetRegions") or []
    in_region = (one for one in targets if regions.region_name(one["name"]) == regions.region_name(region))
    return next((int(one.get("regionalReplicaCount") or 1) for one in in_region), 0)


def status(version: Item, targets: list[dict[str, Any]], now: float) -> dict[str, Any]:
    """Return the replication status of a version as ``$expand=ReplicationStatus`` shows it."""
    rows = [_row(version, one["name"], now) for one in targets]
    states = {row["state"] for row in rows}
    going_on = "InProgress" if "Replicating" in states else "Completed"
    aggregated = "Failed" if "Failed" in states and going_on == "Completed" else going_on
    return {"aggregatedState": aggregated, "summary": rows}


def _row(version: Item, name: str, now: float) -> dict[str, Any]:
    entry = version.hidden.get("regions", {}).get(regions.region_name(name))
    if entry is None:
        return {"region": name, "state": "Completed", "details": "", "progress": 100}
    _, state = copies_at(entry, now)
    part = (now - entry["since"]) / max(1e-9, entry["until"] - entry["since"])
    progress = max(0, min(99, int(100 * part))) if state == "Replicating" else 100 * (state == "Completed")
    return {"region": name, "state": state, "details": _DETAILS.get(state, ""), "progress": progress}


_DETAILS = {"Failed": "Replication job has failed. Please delete this region from the image version and add it again."}
