"""What a world holds, read by a stranger: plain GETs to the local Azure, without what differs from run to run."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from batchimg_magics.sim.app import App
from batchimg_magics.sim.clock import ManualClock
from batchimg_magics.sim.furnish import SUBSCRIPTION
from batchimg_magics.sim.world import World

if TYPE_CHECKING:
    from pathlib import Path

_LISTS = (
    ("/providers/Microsoft.Compute/virtualMachines", "2024-07-01"),
    ("/providers/Microsoft.Compute/disks", "2023-10-02"),
    ("/providers/Microsoft.Compute/snapshots", "2023-10-02"),
    ("/providers/Microsoft.Compute/galleries", "2023-07-03"),
    ("/providers/Microsoft.Batch/batchAccounts", "2025-06-01"),
)
_CHILDREN = (
    (r".*/galleries/[^/]+", "/images", "2023-07-03"),
    (r".*/galleries/[^/]+/images/[^/]+", "/versions", "2023-07-03"),
    (r".*/batchaccounts/[^/]+", "/pools", "2025-06-01"),
)
#: Moments, and what the service makes up anew each time.
_FLEETING = re.compile(
    r"(time|date|etag|lastModified|uniqueId|uniqueName|sourceUniqueId|url|startTime|endTime|"
    r"provisioningState|allocationState|diskState|resizeOperationStatus)$",
    re.IGNORECASE,
)


def inventory(path: Path) -> dict[str, Any]:
    """Return id to document of all that is in a world's Compute and Batch providers."""
    world = World(path, start=0)
    try:
        return _read(App(world, ManualClock(world.latest())))
    finally:
        world.close()


def _read(app: App) -> dict[str, Any]:
    def listed(path: str, version: str) -> Any:
        url = f"https://management.azure.com{path}?api-version={version}"
        answer = app.answer("GET", url, {"host": "management.azure.com", "authorization": "Bearer any"}, b"")
        assert answer.status == 200, (url, answer.status, answer.body)
        return json.loads(answer.body)["value"]

    found = {}
    for path, version in _LISTS:
        for item in listed(f"/subscriptions/{SUBSCRIPTION}{path}", version):
            found[item["id"].lower()] = item
    for parent, child, version in _CHILDREN:
        for key in [key for key in found if re.fullmatch(parent, key)]:
            for item in listed(key + child, version):
                found[item["id"].lower()] = item
    return {key: _steady(item) for key, item in found.items()}


def _steady(found: Any) -> Any:
    if isinstance(found, dict):
        return {key: _steady(value) for key, value in found.items() if not _FLEETING.search(key)}
    if isinstance(found, list):
        return [_steady(one) for one in found]
    return found
