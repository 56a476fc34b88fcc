"""The resources in an emulator state, read by plain GET requests, without what differs between runs."""

from __future__ import annotations

import contextlib
import json
import re
from collections import Counter
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.app import App
from batchimg_magics.emulator.furnish import SUBSCRIPTION
from batchimg_magics.emulator.world.clock import ManualClock
from batchimg_magics.emulator.world.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batchimg_magics.emulator.http.messages import HttpResponse
    from batchimg_magics.emulator.world.store import Item

_ARM_HOST = "management.azure.com"
_ACCOUNTS = ("/providers/Microsoft.Batch/batchAccounts", "2025-06-01")
_LISTS = (
    ("/providers/Microsoft.Compute/virtualMachines?$expand=instanceView", "2024-07-01"),
    ("/providers/Microsoft.Compute/disks", "2023-10-02"),
    ("/providers/Microsoft.Compute/snapshots", "2023-10-02"),
    ("/providers/Microsoft.Compute/images", "2024-07-01"),
    ("/providers/Microsoft.Compute/galleries", "2023-07-03"),
    ("/providers/Microsoft.Network/networkInterfaces", "2024-05-01"),
    ("/providers/Microsoft.Network/networkSecurityGroups", "2024-05-01"),
    ("/providers/Microsoft.Network/publicIPAddresses", "2024-05-01"),
    ("/providers/Microsoft.Network/virtualNetworks", "2024-05-01"),
    ("/providers/Microsoft.Authorization/locks", "2016-09-01"),
    ("/providers/Microsoft.Authorization/roleAssignments", "2022-04-01"),
    ("/providers/Microsoft.Authorization/policyAssignments", "2023-04-01"),
    ("/resourcegroups", "2021-04-01"),
    _ACCOUNTS,
)
_CHILDREN = (
    (r".*/virtualmachines/[^/]+", "/runCommands", "2024-07-01"),
    (r".*/virtualmachines/[^/]+", "/extensions", "2024-07-01"),
    (r".*/galleries/[^/]+", "/images", "2023-07-03"),
    (r".*/galleries/[^/]+/images/[^/]+", "/versions", "2023-07-03"),
    (r".*/batchaccounts/[^/]+", "/pools", "2025-06-01"),
)
#: What is in a state and is no resource, or is read with another one; Azure has no list of the users of nodes.
_NOT_LISTED = frozenset(
    {
        "microsoft.compute/operations",
        "microsoft.resources/subscriptions",
        "microsoft.batch/batchaccounts/pools/users",
        "guestfiles",
    }
)
#: States of nodes that pass by themselves, and the one that they come to.
_WORKING = frozenset({"creating", "starting", "waitingforstarttask", "idle", "running", "rebooting", "reimaging"})
_BATCH_VERSION = "2024-07-01.20.0"
#: Moments, and what the service makes up anew each time.
_VARYING = re.compile(
    r"(time|timeCreated|date|etag|lastModified|uniqueId|uniqueName|sourceUniqueId|url|startTime|endTime|"
    r"provisioningState|allocationState|diskState|resizeOperationStatus)$",
    re.IGNORECASE,
)
#: A time in a text, e.g. in a formula or a tag.
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")


def read_inventory(path: Path) -> dict[str, Any]:
    """Return id -> document of all resources; VMs with their instance view, pools with their jobs and nodes.

    A resource of the state that no list has is an error.
    """
    with _open(path) as app:
        found = {}
        for below, version in _LISTS:
            for item in _ask(app, "GET", f"/subscriptions/{SUBSCRIPTION}{below}", version)["value"]:
                found[item["id"].lower()] = item
        for parent, child, version in _CHILDREN:
            for key in [key for key in found if re.fullmatch(parent, key)]:
                for item in _ask(app, "GET", key + child, version)["value"]:
                    found[item["id"].lower()] = item
        for account in [item for key, item in found.items() if re.fullmatch(r".*/batchaccounts/[^/]+", key)]:
            found |= _read_data_plane(app, account)
        others = [item for item in app.store.all_items() if item.kind not in _NOT_LISTED and item.key not in found]
        missing = [item.key for item in others if not _is_gone(app, item)]
        assert not missing, f"not in the inventory: {missing}"
    return {key: _without_varying(item) for key, item in found.items()}


def _is_gone(app: App, item: Item) -> bool:
    """Tell whether a resource of the state was deleted."""
    # Managed images and the definitions of a gallery have the same name, and other versions.
    if item.kind.count("/") == 1:
        versions = {path.partition("?")[0].rpartition("/")[2].lower(): version for path, version in _LISTS}
    else:
        versions = {child.strip("/").lower(): version for _, child, version in _CHILDREN}
    version = versions.get(item.kind.rpartition("/")[2], "")
    return bool(version) and _send(app, "GET", item.key, version).status == HTTPStatus.NOT_FOUND


def _read_data_plane(app: App, account: dict[str, Any]) -> dict[str, Any]:
    """Return the jobs and tasks of an account, and the numbers of nodes of its pools by what becomes of them."""
    host = account["properties"]["accountEndpoint"]
    found: dict[str, Any] = {}
    for job in _ask(app, "GET", "/jobs", _BATCH_VERSION, host=host)["value"]:
        key = f"{account['id']}/jobs/{job['id']}".lower()
        found[key] = job
        tasks = _ask(app, "GET", f"/jobs/{job['id']}/tasks?maxresults=1000", _BATCH_VERSION, host=host)
        assert "odata.nextLink" not in tasks, "the inventory reads one page of tasks"
        found |= {f"{key}/tasks/{task['id']}".lower(): _without_node(task) for task in tasks["value"]}
    for pool in _ask(app, "GET", "/pools", _BATCH_VERSION, host=host)["value"]:
        # Not from the counts of the account: they are late.
        for node in _ask(app, "GET", f"/pools/{pool['id']}/nodes", _BATCH_VERSION, host=host)["value"]:
            kind = "dedicated" if node["isDedicated"] else "spot"
            counts = found.setdefault(f"nodes of {pool['id']}, {kind}".lower(), Counter())
            counts["working" if node["state"] in _WORKING else node["state"]] += 1
    return found


def _without_node(task: dict[str, Any]) -> dict[str, Any]:
    """Return a task without the node that it happened to run on."""
    return {key: value for key, value in task.items() if key not in ("nodeInfo", "stats", "stateTransitionTime")}


def read_node_counts(path: Path, *, after_s: float = 0.0) -> dict[str, int]:
    """Return id -> number of nodes of all pools, after some seconds without a client."""
    with _open(path, after_s) as app:
        accounts = _ask(app, "GET", f"/subscriptions/{SUBSCRIPTION}{_ACCOUNTS[0]}", _ACCOUNTS[1])["value"]
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


def _ask(
    app: App, method: str, path: str, version: str, body: dict[str, Any] | None = None, host: str = _ARM_HOST
) -> Any:
    answer = _send(app, method, path, version, body, host)
    assert answer.status < HTTPStatus.MULTIPLE_CHOICES, (path, answer.status, answer.body)
    return json.loads(answer.body)


def _send(
    app: App, method: str, path: str, version: str, body: dict[str, Any] | None = None, host: str = _ARM_HOST
) -> HttpResponse:
    url = f"https://{host}{path}{'&' if '?' in path else '?'}api-version={version}"
    content = b"" if body is None else json.dumps(body).encode()
    return app.answer(method, url, {"host": host, "authorization": "Bearer any"}, content)


def _without_varying(found: Any) -> Any:
    if isinstance(found, dict):
        return {key: _without_varying(value) for key, value in found.items() if not _VARYING.search(key)}
    if isinstance(found, list):
        return [_without_varying(one) for one in found]
    return mask_moments(found) if isinstance(found, str) else found


def mask_moments(text: str) -> str:
    """Return a text without the times in it."""
    return _MOMENT.sub("TIME", text)
