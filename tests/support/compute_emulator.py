"""An emulator with short methods for requests to Microsoft.Compute, for the tests of its resource types."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from azure.mgmt.compute.aio import ComputeManagementClient

from batchimg_magics.emulator import open_emulator
from batchimg_magics.emulator.app import App
from batchimg_magics.emulator.furnish import GROUP, SUBSCRIPTION, furnish
from batchimg_magics.emulator.world.clock import ManualClock
from batchimg_magics.emulator.world.store import Store
from tests.support.api_versions import version_for

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

START = 1_782_896_400.0  # 2026-07-01T09:00:00Z
PROVIDER = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Compute"
NETWORK = PROVIDER.replace("Microsoft.Compute", "Microsoft.Network")
SUBNET = f"{NETWORK}/virtualNetworks/research-vnet/subnets/default"
VERSION = "2024-03-03"
#: Longer than any work of this provider that comes to an end.
LONG_S = 7200.0


def resource(path: str) -> str:
    return f"{PROVIDER}/{path}"


@dataclass(slots=True)
class EmulatorResponse:
    """A response with a decoded body."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def code(self) -> str:
        return str(self.body["error"]["code"])

    @property
    def message(self) -> str:
        return str(self.body["error"]["message"])

    @property
    def properties(self) -> dict[str, Any]:
        found: dict[str, Any] = self.body["properties"]
        return found


class ComputeEmulator:
    """An emulator in memory with the default resources; the test advances its time."""

    def __init__(self, seed: int = 0) -> None:
        self.store = Store(start=START, seed=seed)
        furnish(self.store)
        self.clock = ManualClock(START)
        self.app = App(self.store, self.clock, control=True)

    def ask(self, method: str, path: str, body: Any = None, version: str = "") -> EmulatorResponse:
        """Send a request for a path below the provider, or for an absolute URL; by default with a version that fits."""
        url = path if "://" in path else f"https://management.azure.com{path if path[0] == '/' else resource(path)}"
        if "api-version" not in url:
            url += f"{'&' if '?' in url else '?'}api-version={version or version_for(url)}"
        content = b"" if body is None else msgspec.json.encode(body)
        answer = self.app.answer(method, url, {"authorization": "Bearer any"}, content)
        return EmulatorResponse(
            answer.status, answer.headers, msgspec.json.decode(answer.body) if answer.body else None
        )

    def make(self, path: str, properties: dict[str, Any], *, version: str = "", **beside: Any) -> EmulatorResponse:
        """Create a resource, check that the request was accepted, and wait until it is created."""
        response = self.ask("PUT", path, {"location": "eastus", **beside, "properties": properties}, version)
        assert response.status in (200, 201, 202), response.body
        self.clock.advance(LONG_S)
        return self.ask("GET", path, version=version)

    def refused(self, path: str, properties: dict[str, Any], **beside: Any) -> tuple[int, str, str]:
        """Send a request that is refused; return the status, the code and the message."""
        response = self.ask("PUT", path, {"location": "eastus", **beside, "properties": properties})
        assert response.status >= 400, response.body
        return response.status, response.code, response.message

    # -- what many tests begin with ------------------------------------------------------------------------------

    def snapshot(self, name: str, disk: str, **properties: Any) -> EmulatorResponse:
        return self.make(f"snapshots/{name}", {"creationData": copy_of(f"disks/{disk}"), **properties})

    def nic(self, name: str = "spare-nic", **properties: Any) -> str:
        """Create a network interface in the default subnet, and return its id."""
        configuration = {"name": "ipconfig1", "properties": {"subnet": {"id": SUBNET}}}
        self.make(f"{NETWORK}/networkInterfaces/{name}", {"ipConfigurations": [configuration], **properties})
        return f"{NETWORK}/networkInterfaces/{name}"

    def definition(
        self, name: str = "tools", *, generation: str = "V2", security: str | None = None
    ) -> EmulatorResponse:
        self.make("galleries/lab", {})
        return self.make(f"galleries/lab/images/{name}", definition(name, generation=generation, security=security))

    def version(self, name: str = "1.0.0", *, of: str = "tools", **body: Any) -> EmulatorResponse:
        return self.make(f"galleries/lab/images/{of}/versions/{name}", version(**body))


def body(properties: dict[str, Any] | None = None) -> Any:
    """Return a body; the SDK takes documents, and its annotations want models."""
    return {"location": "eastus", **({"properties": properties} if properties is not None else {})}


def copy_of(path: str) -> dict[str, Any]:
    return {"createOption": "Copy", "sourceResourceId": resource(path)}


def definition(name: str = "tools", *, generation: str = "V2", security: str | None = None) -> dict[str, Any]:
    return {
        "osType": "Linux",
        "osState": "Generalized",
        "hyperVGeneration": generation,
        "architecture": "x64",
        "identifier": {"publisher": "lab", "offer": "genomics", "sku": name},
        **({"features": [{"name": "SecurityType", "value": security}]} if security else {}),
    }


def version(
    source: str = "snapshots/os", data: dict[int, str] | None = None, regions: Any = ("eastus",), **profile: Any
) -> dict[str, Any]:
    """Return the body of a version: made from disks and snapshots, or from one image or VM."""
    targets = [one if isinstance(one, dict) else {"name": one} for one in regions]
    storage: dict[str, Any] = {"osDiskImage": {"source": {"id": resource(source)}}}
    if data:
        storage["dataDiskImages"] = [{"lun": lun, "source": {"id": resource(path)}} for lun, path in data.items()]
    if source.split("/", maxsplit=1)[0] in ("images", "virtualMachines", "galleries"):
        storage = {"source": {"id": resource(source)}}
    return {"publishingProfile": {"targetRegions": targets, **profile}, "storageProfile": storage}


def through_sdk(work: Callable[[ComputeManagementClient], Awaitable[Any]]) -> Any:
    """Run a function with the SDK client of a new emulator in instant time, and return its result."""
    local = open_emulator()
    loop = local.new_event_loop()

    async def run() -> Any:
        client = ComputeManagementClient(local.credential, local.subscription_id, transport=local.transport)
        with local.advancing_time():
            try:
                return await asyncio.wait_for(work(client), 86_400)
            finally:
                await client.close()

    try:
        return loop.run_until_complete(run())
    finally:
        local.close()
        loop.close()
