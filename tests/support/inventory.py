"""The resources in an emulator state, read by plain GET requests, without what differs between runs."""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.app import App
from batchimg_magics.emulator.furnish import SUBSCRIPTION
from batchimg_magics.emulator.world.clock import ManualClock
from batchimg_magics.emulator.world.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LISTS = (
    ("/providers/Microsoft.Compute/virtualMachines?$expand=instanceView", "2024-07-01"),
    ("/providers/Microsoft.Compute/disks", "2023-10-02"),
    ("/providers/Microsoft.Compute/snapshots", "2023-10-02"),
    ("/providers/Microsoft.Compute/images", "2024-07-01"),
    ("/providers/Microsoft.Compute/galleries", "2023-07-03"),
    ("/providers/Microsoft.Network/networkInterfaces", "2024-05-01"),
    ("/providers/Microsoft.Network/networkSecurityGroups", "2024-05-01"),
    ("/providers/Microsoft.Batch/batchAccounts", "2025-06-01"),
)
_CHILDREN = (
    (r".*/galleries/[^/]+", "/images", "2023-07-03"),
    (r".*/galleries/[^/]+/images/[^/]+", "/versions", "2023-07-03"),
    (r".*/batchaccounts/[^/]+", "/pools", "2025-06-01"),
)
#: Moments, and what the service makes up anew each time.
_VARYING = re.compile(
    r"(time|timeCreated|date|etag|lastModified|uniqueId|uniqueName|sourceUniqueId|url|startTime|endTime|"
    r"provisioningState|allocationState|diskState|resizeOperationStatus)$",
    re.IGNORECASE,
)
#: A time in a text, e.g. in a formula or a tag.
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")


def read_inventory(path: Path) -> dict[str, Any]:
    """Return id -> document of all resources of Compute and Batch; VMs with their instance view."""
    with _open(path) as app:
        found = {}
        for below, version in _LISTS:
            for item in _ask(app, "GET", f"/subscriptions/{SUBSCRIPTION}{below}", version)["value"]:
                found[item["id"].lower()] = item
        for parent, child, version in _CHILDREN:
            for key in [key for key in found if re.fullmatch(parent, key)]:
                for item in _ask(app, "GET", key + child, version)["value"]:
                    found[item["id"].lower()] = item
    return {key: _without_varying(item) for key, item in found.items()}


def read_node_counts(path: Path, *, after_s: float = 0.0) -> dict[str, int]:
    """Return id -> number of nodes of all pools, after some seconds without a client."""
    with _open(path, after_s) as app:
        accounts = _ask(app, "GET", f"/subscriptions/{SUBSCRIPTION}{_LISTS[-1][0]}", _LISTS[-1][1])["value"]
        pools = [pool for one in accounts for pool in _ask(app, "GET", f"{one['id']}/pools", "2025-06-01")["value"]]
    counts = ((pool["id"].lower(), pool["properties"]) for pool in pools)
    return {key: props["currentDedicatedNodes"] + props["currentLowPriorityNodes"] for key, props in counts}


def put_resource(path: Path, key: str, version: str, body: dict[str, Any]) -> None:
    """Create a resource as another client would, with a plain PUT."""
    with _open(path) as app:
        _ask(app, "PUT", key, version, body)


@contextlib.contextmanager
def _open(path: Path, after_s: float = 0.0) -> Iterator[App]:
    store = Store(path, start=0)
    try:
        yield App(store, ManualClock(store.latest_time() + after_s))
    finally:
        store.close()


def _ask(app: App, method: str, path: str, version: str, body: dict[str, Any] | None = None) -> Any:
    url = f"https://management.azure.com{path}{'&' if '?' in path else '?'}api-version={version}"
    content = b"" if body is None else json.dumps(body).encode()
    answer = app.answer(method, url, {"host": "management.azure.com", "authorization": "Bearer any"}, content)
    assert answer.status < 300, (url, answer.status, answer.body)
    return json.loads(answer.body)


def _without_varying(found: Any) -> Any:
    if isinstance(found, dict):
        return {key: _without_varying(value) for key, value in found.items() if not _VARYING.search(key)}
    if isinstance(found, list):
        return [_without_varying(one) for one in found]
    return _MOMENT.sub("TIME", found) if isinstance(found, str) else found
