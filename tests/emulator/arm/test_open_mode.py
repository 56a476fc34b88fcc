"""Open mode, which one module reads and sets; and the closed world, in which nothing is there that was not made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from batchimg_magics import emulator
from batchimg_magics.emulator.arm import open_world
from tests.support.api_versions import version_for


def test_one_module_has_the_setting() -> None:
    modules = Path(emulator.__path__[0]).rglob("*.py")
    assert [path.stem for path in modules if "open_groups" in path.read_text(encoding="utf-8")] == ["open_world"]


SUB = "/subscriptions/11111111-2222-4333-8444-555555555555"
GROUP = f"{SUB}/resourceGroups/g"
NETWORK = f"{GROUP}/providers/Microsoft.Network"
COMPUTE = f"{GROUP}/providers/Microsoft.Compute"
BATCH = f"{GROUP}/providers/Microsoft.Batch/batchAccounts"
SUBNET = f"{NETWORK}/virtualNetworks/n/subnets/default"
IN_EASTUS = {"location": "eastus"}
FURNISHED = COMPUTE.replace(SUB, f"/subscriptions/{emulator.Emulator.subscription_id}").replace("/g/", "/research/")


class World:
    def __init__(self) -> None:
        self.app = emulator.create_app(open=False)

    def ask(self, method: str, path: str, body: Any = None, version: str = "") -> tuple[int, Any]:
        host = "https://management.azure.com" if path[0] == "/" else ""
        content = b"" if body is None else msgspec.json.encode(body)
        url = f"{host}{path}?api-version={version or version_for(path)}"
        answer = self.app.answer(method, url, {"Authorization": "Bearer any"}, content)
        return answer.status, msgspec.json.decode(answer.body) if answer.body else None

    def code(self, method: str, path: str, body: Any = None, version: str = "") -> str:
        _, found = self.ask(method, path, body, version)
        return str(found.get("error", found).get("code"))

    def group(self) -> None:
        assert self.ask("PUT", GROUP, IN_EASTUS, "2021-04-01")[0] == 201


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture(scope="module")
def with_group() -> World:
    world = World()
    world.group()
    return world


def test_without_open_mode_only_the_subscriptions_exist() -> None:
    for opened in (True, False):
        store = emulator.create_app(open=opened).store
        assert open_world.is_open(store) is opened
        assert open_world.has_subscription(store, "any")
        assert open_world.has_group(store, "/subscriptions/any/resourcegroups/g", named=True) is opened


def test_every_subscription_exists_and_is_empty(world: World) -> None:
    assert world.ask("GET", SUB, version="2022-12-01")[1]["state"] == "Enabled"
    for path in ("resourceGroups", "resources"):
        assert world.ask("GET", f"{SUB}/{path}", version="2021-04-01") == (200, {"value": []})
    for kind in ("Compute/virtualMachines", "Compute/disks", "Network/virtualNetworks"):
        assert world.ask("GET", f"{SUB}/providers/Microsoft.{kind}") == (200, {"value": []})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", GROUP),
        ("PUT", f"{COMPUTE}/disks/d"),
        ("PUT", f"{COMPUTE}/galleries/lab"),
        ("PUT", f"{BATCH}/a"),
        ("DELETE", f"{COMPUTE}/snapshots/s"),
        ("GET", f"{FURNISHED}/virtualMachines/prep-vm"),
        ("GET", f"{FURNISHED}/disks"),
    ],
)
def test_no_group_exists(world: World, method: str, path: str) -> None:
    assert world.code(method, path, IN_EASTUS if method == "PUT" else None) == "ResourceGroupNotFound"


def _vm(**os_disk: Any) -> dict[str, Any]:
    nic = {"id": f"{NETWORK}/networkInterfaces/nic"}
    disk = {"osType": "Linux", "createOption": "Attach", "managedDisk": {"id": f"{COMPUTE}/disks/none"}}
    storage = {"osDisk": disk | os_disk}
    size = {"vmSize": "Standard_D2s_v3"}
    properties = {"hardwareProfile": size, "storageProfile": storage, "networkProfile": {"networkInterfaces": [nic]}}
    return IN_EASTUS | {"properties": properties}


def _copy(kind: str) -> dict[str, Any]:
    source = f"{COMPUTE}/{kind}/none"
    return IN_EASTUS | {"properties": {"creationData": {"createOption": "Copy", "sourceResourceId": source}}}


_IMAGE = IN_EASTUS | {"properties": {"sourceVirtualMachine": {"id": f"{COMPUTE}/virtualMachines/none"}}}
_NIC = IN_EASTUS | {
    "properties": {"ipConfigurations": [{"name": "one", "properties": {"subnet": {"id": SUBNET}}}]},
}


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("PUT", f"{COMPUTE}/snapshots/s", _copy("disks"), "NotFound"),
        ("PUT", f"{COMPUTE}/disks/d", _copy("snapshots"), "NotFound"),
        ("PUT", f"{COMPUTE}/images/i", _IMAGE, "NotFound"),
        ("PUT", f"{COMPUTE}/virtualMachines/v", _vm(), "NotFound"),
        ("POST", f"{COMPUTE}/virtualMachines/v/generalize", None, "ResourceNotFound"),
        ("PATCH", f"{COMPUTE}/disks/d", {"tags": {}}, "ResourceNotFound"),
        ("PUT", f"{COMPUTE}/galleries/lab/images/i", IN_EASTUS, "ParentResourceNotFound"),
        ("GET", f"{COMPUTE}/galleries/lab/images", None, "ParentResourceNotFound"),
        ("PUT", f"{NETWORK}/networkInterfaces/nic", _NIC, "InvalidResourceReference"),
        ("GET", SUBNET, None, "ResourceNotFound"),
        ("GET", f"{SUB}/providers/Microsoft.Compute/locations/eastus/operations/none", None, "NotFound"),
    ],
)
def test_no_source_or_parent_exists(with_group: World, method: str, path: str, body: Any, code: str) -> None:
    assert with_group.code(method, path, body) == code


def test_no_account_exists_until_it_is_made() -> None:
    world = World()
    world.group()
    pool = "https://lab.eastus.batch.azure.com/pools"
    assert world.code("GET", pool, version="2024-07-01.20.0") == "AccountNotFound"
    assert world.code("PUT", f"{BATCH}/lab/pools/p", {"properties": {}}, "2024-07-01") == "ResourceNotFound"
    assert world.ask("PUT", f"{BATCH}/lab", IN_EASTUS, "2024-07-01")[0] in (200, 202)
    assert world.ask("GET", pool, version="2024-07-01.20.0")[1]["value"] == []
