"""An emulator with a Batch account, and short methods for its requests, for the tests of Microsoft.Batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from batchimg_magics.emulator.app import App
from batchimg_magics.emulator.furnish import ACCOUNT, GROUP, REGION, SUBSCRIPTION, furnish
from batchimg_magics.emulator.world.clock import ManualClock
from batchimg_magics.emulator.world.store import Item, Store

START = 1_782_896_400.0  # 2026-07-01T09:00:00Z
ACCOUNT_ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Batch/batchAccounts/{ACCOUNT}"
IMAGES = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Compute"
JAMMY = {"publisher": "canonical", "offer": "0001-com-ubuntu-server-jammy", "sku": "22_04-lts"}
MACHINE = {"imageReference": JAMMY, "nodeAgentSKUId": "batch.node.ubuntu 22.04"}
NOW, ARM_NOW = "2025-06-01", "2025-06-01"


def lift_quotas(store: Store) -> None:
    """Set the quotas of every Batch account high enough for 100,000 nodes."""
    for account in list(store.items("microsoft.batch/batchaccounts", "/subscriptions")):
        account.doc["properties"] |= {
            "dedicatedCoreQuota": 1_000_000,
            "lowPriorityCoreQuota": 1_000_000,
            "dedicatedCoreQuotaPerVMFamilyEnforced": False,
        }
        for family in account.doc["properties"].get("dedicatedCoreQuotaPerVMFamily") or []:
            family["coreQuota"] = 1_000_000
        store.put(account)


@dataclass(slots=True)
class EmulatorResponse:
    """A response with a decoded body."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def code(self) -> str:
        return str(self.body.get("error", self.body)["code"])

    def why(self) -> dict[str, str]:
        return {pair["key"]: pair.get("value", "") for pair in self.body.get("values", [])}


class BatchEmulator:
    """An emulator in memory with the default resources; the test advances its time."""

    def __init__(self, seed: int = 0, start: float = START) -> None:
        self.store = Store(start=start, seed=seed)
        furnish(self.store)
        self.clock = ManualClock(start)
        self.app = App(self.store, self.clock)

    def send(self, method: str, url: str, body: Any = None, **headers: str) -> EmulatorResponse:
        content = b"" if body is None else msgspec.json.encode(body)
        sent = {"authorization": "Bearer t"} | {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.app.answer(method, url, sent, content)
        return EmulatorResponse(
            answer.status, answer.headers, msgspec.json.decode(answer.body) if answer.body else None
        )

    def batch(
        self, method: str, path: str, body: Any = None, *, version: str = NOW, **headers: str
    ) -> EmulatorResponse:
        """Send a request to the data plane of the default account."""
        joint = "&" if "?" in path else "?"
        url = f"https://{ACCOUNT}.{REGION}.batch.azure.com{path}{joint}api-version={version}"
        return self.send(method, url, body, **headers)

    def arm(
        self, method: str, path: str, body: Any = None, *, version: str = ARM_NOW, **headers: str
    ) -> EmulatorResponse:
        """Send a request to ARM; a path that does not begin at the root is below the default account."""
        path = path if path.startswith("/subscriptions") else ACCOUNT_ID + path
        joint = "&" if "?" in path else "?"
        return self.send(method, f"https://management.azure.com{path}{joint}api-version={version}", body, **headers)

    def put_resource(self, key: str) -> None:
        """Put a resource of a type that the emulator does not create into its state."""
        kind = "/".join(key.split("/")[6:8])
        self.store.put(Item(key.lower(), kind.lower(), {"id": key, "name": key.rpartition("/")[2], "type": kind}))

    def create_pool(self, name: str = "p", dedicated: int = 0, spot: int = 0, **more: Any) -> EmulatorResponse:
        """Add a pool of Ubuntu nodes on the data plane."""
        body = {"id": name, "vmSize": "Standard_D2s_v3", "virtualMachineConfiguration": MACHINE}
        body |= {"targetDedicatedNodes": dedicated, "targetLowPriorityNodes": spot} | more
        return self.batch("POST", "/pools", {key: value for key, value in body.items() if value is not None})

    def pool(self, name: str = "p") -> dict[str, Any]:
        found: dict[str, Any] = self.batch("GET", f"/pools/{name}").body
        return found

    def nodes(self, name: str = "p", query: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.batch("GET", f"/pools/{name}/nodes{query}").body["value"]
        return found

    def states(self, name: str = "p") -> dict[str, int]:
        found: dict[str, int] = {}
        for node in self.nodes(name):
            found[node["state"]] = found.get(node["state"], 0) + 1
        return found

    def wait_until_steady(self, name: str = "p", limit: float = 86_400.0) -> dict[str, Any]:
        """Advance the time until the pool is steady, and return it."""
        until = self.clock.now() + limit
        while (pool := self.pool(name))["allocationState"] != "steady":
            assert self.clock.now() < until
            self.clock.advance(5)
        return pool


ARM_MACHINE = {"imageReference": JAMMY | {"version": "latest"}, "nodeAgentSkuId": "batch.node.ubuntu 22.04"}


def arm_pool_body(dedicated: int = 0, spot: int = 0, **more: Any) -> dict[str, Any]:
    """Return the body of a pool as ARM takes it."""
    fixed = {"targetDedicatedNodes": dedicated, "targetLowPriorityNodes": spot}
    return {
        "properties": {
            "vmSize": "Standard_D2s_v3",
            "deploymentConfiguration": {"virtualMachineConfiguration": ARM_MACHINE},
            "scaleSettings": {"fixedScale": fixed},
            **more,
        }
    }
