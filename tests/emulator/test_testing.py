"""The plugin for pytest: SDK clients of both kinds in the process, and other programs over a server."""

from __future__ import annotations

import asyncio
import re
import ssl
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.batch import BatchManagementClient
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.compute.aio import ComputeManagementClient as AsyncComputeManagementClient

from batchimg_magics.emulator.testing import BatchEmulator, open_batch_emulator
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DISK: Any = {
    "location": "eastus",
    "sku": {"name": "Premium_LRS"},
    "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 8},
}
#: Whoever imports another part of the package fails.
BARRED = """
import sys
pytest_plugins = ["batchimg_magics.emulator.testing"]
class Barred:
    def find_spec(self, name, path=None, target=None):
        assert not name.startswith("batchimg_magics.") or name.startswith("batchimg_magics.emulator"), name
sys.meta_path.insert(0, Barred())
"""


@pytest.fixture
def emulator() -> Iterator[BatchEmulator]:
    with open_batch_emulator() as opened:
        yield opened


@pytest.fixture
def compute(emulator: BatchEmulator) -> Iterator[ComputeManagementClient]:
    with ComputeManagementClient(emulator.credential, emulator.subscription_id, transport=emulator.transport) as client:
        yield client


def test_documented_example_runs_and_needs_nothing_else_of_the_package(tmp_path: Path) -> None:
    page = (ROOT / "docs/testing.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    (tmp_path / "test_example.py").write_text(example)
    (tmp_path / "conftest.py").write_text(BARRED)
    words = ["-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)]
    done = subprocess.run([sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "1 passed" in done.stdout, done.stdout
    assert done.returncode == 0


def test_waiting_for_an_operation_advances_the_time(emulator: BatchEmulator, compute: ComputeManagementClient) -> None:
    before = emulator.now
    assert compute.disks.begin_create_or_update("research", "d", DISK).result().disk_size_gb == 8
    assert emulator.now > before
    with BatchManagementClient(emulator.credential, emulator.subscription_id, transport=emulator.transport) as batch:
        assert [account.name for account in batch.batch_account.list()] == [emulator.account]


def test_lost_answers_and_failures_reach_the_client_as_from_azure(
    emulator: BatchEmulator, compute: ComputeManagementClient
) -> None:
    emulator.faults({"path": "/disks/", "lost": "answer"}, {"path": "/disks/", "lost": "request"})
    assert compute.disks.begin_create_or_update("research", "d", DISK).result().name == "d"
    emulator.faults({"status": 503, "times": None})
    with pytest.raises(HttpResponseError) as failed:
        compute.disks.get("research", "d")
    assert failed.value.status_code == 503
    emulator.faults(scenario="delete-lock")
    with pytest.raises(HttpResponseError, match="ScopeLocked"):
        compute.disks.begin_delete("research", "d")
    with pytest.raises(ValueError, match="no-such"):
        emulator.faults(scenario="no-such")


def test_async_clients_work_too(emulator: BatchEmulator) -> None:
    async def create() -> Any:
        async with AsyncComputeManagementClient(
            emulator.async_credential, emulator.subscription_id, transport=emulator.async_transport
        ) as client:
            return await (await client.disks.begin_create_or_update("research", "d", DISK)).result()

    before = emulator.now
    assert asyncio.run(create()).name == "d"
    assert emulator.now > before


def test_state_is_reset_and_put_back(emulator: BatchEmulator, compute: ComputeManagementClient) -> None:
    start = emulator.now
    compute.disks.begin_create_or_update("research", "d", DISK).result()
    kept = emulator.dump()
    emulator.reset()
    assert emulator.now == start
    assert "d" not in [disk.name for disk in compute.disks.list()]
    emulator.load(kept)
    assert "d" in [disk.name for disk in compute.disks.list()]
    emulator.reset(empty=True)
    assert list(compute.disks.list()) == []
    with pytest.raises(ValueError, match="layout"):
        emulator.load({"layout": 0})


def test_other_programs_reach_the_same_state(emulator: BatchEmulator) -> None:
    served = emulator.serve(speed=0)
    assert emulator.serve() is served
    trust = ssl.create_default_context(cafile=served.environment["SSL_CERT_FILE"])
    with httpx.Client(proxy=served.environment["HTTPS_PROXY"], verify=trust, trust_env=False) as client:
        token = emulator.credential.get_token(f"{emulator.resource_manager}/.default").token
        bearer = {"Authorization": f"Bearer {token}"}
        groups = f"/subscriptions/{emulator.subscription_id}/resourcegroups?api-version=2021-04-01"
        url = f"{emulator.resource_manager}{groups}"
        answer = client.get(url, headers=bearer)
        assert [group["name"] for group in answer.json()["value"]] == ["research"]
        emulator.advance(3600)
        later = client.get(url, headers=bearer)
    assert [answer.headers["date"][17:25], later.headers["date"][17:25]] == ["09:00:00", "10:00:00"]
