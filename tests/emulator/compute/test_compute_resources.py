"""Microsoft.Compute of the emulator: its protocol, its rules, its durations."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.compute.aio import ComputeManagementClient

from batchimg_magics.emulator import create_app, open_emulator
from batchimg_magics.emulator.arm import open_world
from tests.support.compute_emulator import ComputeEmulator

if TYPE_CHECKING:
    from batchimg_magics.emulator.app import App

GROUP = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/g/providers/Microsoft.Compute"
VERSIONS = {"disks": "2023-10-02", "snapshots": "2023-10-02", "galleries": "2023-07-03"}
DISK = {"location": "eastus", "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 10}}
DEFINITION = {
    "location": "eastus",
    "properties": {
        "osType": "Linux",
        "osState": "Generalized",
        "hyperVGeneration": "V1",
        "identifier": {"publisher": "p", "offer": "o", "sku": "s"},
    },
}


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: Any


@dataclass
class Arm:
    """An emulator, with a client that sends plain requests."""

    app: App = field(default_factory=create_app)

    def ask(self, method: str, path: str, body: Any = None, version: str = "") -> Answer:
        url = path if "://" in path else f"https://management.azure.com{GROUP}/{path}"
        if "api-version" not in url:
            url += f"?api-version={version or VERSIONS.get(path.split('/', maxsplit=1)[0], '2024-07-01')}"
        content = b"" if body is None else json.dumps(body).encode()
        answer = self.app.answer(method, url, {"authorization": "Bearer any"}, content)
        return Answer(answer.status, answer.headers, json.loads(answer.body) if answer.body else None)

    def made(self, path: str, body: Any, version: str = "") -> Answer:
        answer = self.ask("PUT", path, body, version)
        assert answer.status < 300, answer.body
        self.advance(1000)
        return answer

    def advance(self, seconds: float) -> None:
        self.app.clock.advance(seconds)  # type: ignore[attr-defined] # the manual clock of create_app

    def gallery(self) -> None:
        self.made("galleries/gal", {"location": "eastus"})
        self.made("galleries/gal/images/img", DEFINITION, "2023-07-03")
        self.made("disks/d", DISK)
        copy = {"creationData": {"createOption": "Copy", "sourceResourceId": f"{GROUP}/disks/d"}}
        self.made("snapshots/s", {"location": "eastus", "properties": copy})


def version_body(*regions: str, source: str = "snapshots/s") -> dict[str, Any]:
    targets = [{"name": region} for region in regions or ("eastus",)]
    disk = {"source": {"id": f"{GROUP}/{source}"}}
    return {
        "location": "eastus",
        "properties": {"publishingProfile": {"targetRegions": targets}, "storageProfile": {"osDiskImage": disk}},
    }


@pytest.fixture
def arm() -> Arm:
    """Return a client of an emulator without open mode."""
    strict = Arm()
    group = "https://management.azure.com/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups/g"
    assert strict.ask("PUT", group, {"location": "eastus"}, "2024-03-01").status == 201
    open_world.set_open(strict.app.store, value=False)
    return strict


def test_a_snapshot_is_made_over_time(arm: Arm) -> None:
    arm.made("disks/d", DISK)
    copy = {"creationData": {"createOption": "Copy", "sourceResourceId": f"{GROUP}/disks/d"}}
    begun = arm.ask("PUT", "snapshots/s", {"location": "eastus", "properties": copy})
    assert (begun.status, begun.headers["Retry-After"]) == (202, "2")
    assert begun.body["properties"] == {**copy, "provisioningState": "Updating"}
    operation = begun.headers["Azure-AsyncOperation"]
    busy = arm.ask("GET", operation)
    assert (busy.body["status"], busy.headers["Retry-After"]) == ("InProgress", "10")
    assert arm.ask("GET", begun.headers["Location"]).status == 202
    arm.advance(2)
    done = arm.ask("GET", operation).body
    assert done["status"] == "Succeeded"
    assert done["properties"]["output"]["properties"]["diskSizeBytes"] == 10 * 1024**3
    assert arm.ask("GET", "snapshots/s").body == done["properties"]["output"]


def test_a_version_takes_minutes_and_shows_its_replication(arm: Arm) -> None:
    arm.gallery()
    path = "galleries/gal/images/img/versions/1.0.0"
    begun = arm.ask("PUT", path, version_body())
    assert (begun.status, begun.headers["Retry-After"]) == (201, "60")
    arm.advance(200)
    expanded = f"https://management.azure.com{GROUP}/{path}?api-version=2023-07-03&$expand=ReplicationStatus"
    status = arm.ask("GET", expanded).body["properties"]["replicationStatus"]
    assert status["summary"][0]["state"] == "Replicating"
    assert 0 < status["summary"][0]["progress"] < 100
    arm.advance(400)
    assert arm.ask("GET", path).body["properties"]["provisioningState"] == "Succeeded"
    assert arm.ask("GET", expanded).body["properties"]["replicationStatus"]["aggregatedState"] == "Completed"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "snapshots/none", None, 404, "ResourceNotFound"),
        ("PUT", "galleries/no-hyphen", {"location": "eastus"}, 400, "InvalidParameter"),
        ("PUT", "galleries/GAL2/images/i", DEFINITION, 404, "ParentResourceNotFound"),
        ("PUT", "galleries/gal/images/other", DEFINITION, 409, "Conflict"),
        ("DELETE", "galleries/gal", None, 409, "CannotDeleteResource"),
        ("PUT", "galleries/gal/images/img/versions/one", version_body(), 400, "InvalidParameter"),
        ("PUT", "galleries/gal/images/img/versions/1.0.0", version_body("westus"), 400, "InvalidParameter"),
        ("PUT", "galleries/gal/images/img/versions/1.0.0", version_body(source="snapshots/x"), 404, "NotFound"),
        ("PUT", "disks/e", {"location": "eastus", "properties": {}}, 400, "InvalidParameter"),
        ("PUT", "disks/e", {"properties": {}}, 400, "LocationRequired"),
    ],
)
def test_refusals(arm: Arm, method: str, path: str, body: Any, status: int, code: str) -> None:
    arm.gallery()
    answer = arm.ask(method, path, body, "2023-07-03" if "galleries" in path else "")
    assert (answer.status, answer.body["error"]["code"]) == (status, code)


@pytest.mark.parametrize("verb", ["performMaintenance", "convertToManagedDisks", "reimage"])
def test_what_a_vm_never_may_is_refused_as_recorded(verb: str) -> None:
    emulator = ComputeEmulator()
    response = emulator.ask("POST", f"virtualMachines/desk-vm/{verb}")
    assert (response.status, response.code) == (409, "OperationNotAllowed")
    assert emulator.ask("POST", f"virtualMachines/none/{verb}").code == "ResourceNotFound"


def test_what_a_version_is_made_from_stays(arm: Arm) -> None:
    arm.gallery()
    path = "galleries/gal/images/img/versions/1.0.0"
    arm.made(path, version_body(), "2023-07-03")
    changed = arm.ask("PUT", path, version_body(source="disks/d"))
    assert (changed.status, changed.body["error"]["code"]) == (409, "PropertyChangeNotAllowed")
    more = arm.ask("PUT", path, version_body("eastus", "westus2"))
    assert (more.status, more.body["properties"]["provisioningState"]) == (200, "Updating")
    busy = arm.ask("PUT", path, version_body())
    assert busy.status == 409


def test_a_definition_without_a_security_type_depends_on_the_api_version(arm: Arm) -> None:
    arm.made("galleries/gal", {"location": "eastus"})
    plain = {**DEFINITION["properties"]}
    del plain["hyperVGeneration"]
    body = {"location": "eastus", "properties": plain}
    new = arm.ask("PUT", "galleries/gal/images/new", body, "2025-03-03").body["properties"]
    assert (new["hyperVGeneration"], new["features"][0]["value"]) == ("V2", "TrustedLaunchSupported")
    plain["identifier"] = {"publisher": "p", "offer": "o", "sku": "old"}
    old = arm.ask("PUT", "galleries/gal/images/old", body, "2023-07-03").body["properties"]
    assert old["hyperVGeneration"] == "V1"
    assert "features" not in old


def test_a_vm_is_stopped_marked_and_deleted_through_the_sdk() -> None:
    local = open_emulator()
    loop = local.new_event_loop()

    async def run() -> list[str]:
        with local.advancing_time():
            client = ComputeManagementClient(local.credential, local.subscription_id, transport=local.transport)
            vms = client.virtual_machines
            with pytest.raises(HttpResponseError, match="stopped or deallocated"):
                await vms.generalize("research", "desk-vm")
            await (await vms.begin_restart("research", "desk-vm")).result()
            await (await vms.begin_deallocate("research", "desk-vm")).result()
            with pytest.raises(HttpResponseError, match="to be running"):
                await vms.begin_restart("research", "desk-vm")
            await vms.generalize("research", "desk-vm")
            view = await vms.instance_view("research", "desk-vm")
            with pytest.raises(HttpResponseError, match="generalized"):
                await vms.begin_start("research", "desk-vm")
            await (await vms.begin_delete("research", "desk-vm")).result()
            left = [vm.name async for vm in vms.list_all()]
            assert "desk-vm" not in left
            await client.close()
            return [str(status.code) for status in view.statuses or []]

    try:
        codes = loop.run_until_complete(asyncio.wait_for(run(), 3600))
    finally:
        local.close()
        loop.close()
    assert codes == ["ProvisioningState/succeeded", "OSState/generalized", "PowerState/deallocated"]
