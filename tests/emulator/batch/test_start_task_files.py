"""Start tasks in the shell of nodes: their output, their exit codes, and the files that they write."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from azure.batch import models
from azure.core.exceptions import ResourceNotFoundError

from batchimg_magics.emulator.arm.imports import import_documents
from batchimg_magics.emulator.world.store import Item
from tests.support.batch_clients import POOL, BatchClients, run_with_clients
from tests.support.batch_emulator import ACCOUNT, IMAGES, NOW, REGION, BatchEmulator

GALLERY = f"{IMAGES}/galleries/lab"
VERSION = f"{GALLERY}/images/tools/versions/1.0.0"
LIST = "dpkg\ta\t1\t\n"
COPY = "/bin/sh -c 'cp /var/lib/lab/list $AZ_BATCH_TASK_WORKING_DIR/copy && sha256sum copy'"


@pytest.fixture
def azure() -> BatchEmulator:
    """Return an emulator with an image on whose disk a file was written."""
    azure = BatchEmulator()
    region = {"name": "eastus", "regionalReplicaCount": 1}
    properties: dict[str, dict[str, Any]] = {
        GALLERY: {},
        f"{GALLERY}/images/tools": {"osType": "Linux", "osState": "Generalized", "hyperVGeneration": "V1"},
        VERSION: {"publishingProfile": {"targetRegions": [region]}, "storageProfile": {}},
    }
    documents = [{"id": key, "location": "eastus", "properties": value} for key, value in properties.items()]
    import_documents(azure.store, azure.clock.now(), documents)
    version = azure.store.get(VERSION)
    assert version is not None
    digest = hashlib.sha256(LIST.encode()).hexdigest()
    azure.store.put(Item(f"/guestfiles/{digest}", "guestfiles", {"text": LIST}))
    content = {"packages": {"base": "ubuntu-24.04"}, "files": {"/var/lib/lab/list": digest}}
    version.hidden |= {"deprovisioned": True, "guest": content}
    azure.store.put(version)
    return azure


def started(azure: BatchEmulator, command: str, pool: str = "p", **image: Any) -> dict[str, Any]:
    """Create a pool with a node that runs a start task, and return the node."""
    reference = image or {"virtualMachineImageId": VERSION}
    machine = {"imageReference": reference, "nodeAgentSKUId": "batch.node.ubuntu 22.04"}
    azure.create_pool(pool, 1, virtualMachineConfiguration=machine, startTask={"commandLine": command})
    azure.wait_until_steady(pool)
    azure.clock.advance(900)
    node: dict[str, Any] = azure.nodes(pool)[0]
    return node


def text_of(azure: BatchEmulator, node: dict[str, Any], path: str, pool: str = "p") -> str | None:
    """Return the text of a file of a node, None if it does not exist."""
    url = f"https://{ACCOUNT}.{REGION}.batch.azure.com/pools/{pool}/nodes/{node['id']}/files/{path.replace('/', '%2F')}"
    answer = azure.app.answer("GET", f"{url}?api-version={NOW}", {"authorization": "Bearer t"})
    return answer.body.decode() if answer.status == 200 else None


def test_a_start_task_copies_a_file_of_the_image_to_where_node_files_show_it(azure: BatchEmulator) -> None:
    node = started(azure, COPY)
    assert (node["state"], node["startTaskInfo"]["exitCode"]) == ("idle", 0)
    assert text_of(azure, node, "startup/wd/copy") == LIST
    digest = hashlib.sha256(LIST.encode()).hexdigest()
    assert text_of(azure, node, "startup/stdout.txt") == f"{digest}  copy\n"
    assert text_of(azure, node, "startup/stderr.txt") == ""
    listed = azure.batch("GET", f"/pools/p/nodes/{node['id']}/files?recursive=true").body["value"]
    assert {one["name"] for one in listed} >= {"startup/wd", "startup/wd/copy", "startup/stdout.txt"}
    (size,) = [one["properties"]["contentLength"] for one in listed if one["name"] == "startup/wd/copy"]
    assert size == str(len(LIST))


def test_a_file_that_the_image_does_not_have_fails_the_start_task(azure: BatchEmulator) -> None:
    jammy = {"publisher": "canonical", "offer": "0001-com-ubuntu-server-jammy", "sku": "22_04-lts"}
    node = started(azure, COPY, **jammy)
    assert (node["state"], node["startTaskInfo"]["exitCode"]) == ("starttaskfailed", 1)
    text = text_of(azure, node, "startup/stderr.txt")
    assert text == "cp: cannot stat '/var/lib/lab/list': No such file or directory\n"
    assert text_of(azure, node, "startup/wd/copy") is None


@pytest.mark.parametrize(
    ("command", "code", "out"),
    [
        ("/bin/bash -c 'echo $AZ_BATCH_POOL_ID; pwd; dpkg-query -W -f \"\\${Version}\" bash; exit 3'", 3,
         "p\n/mnt/batch/tasks/startup/wd\n5.2.21-2ubuntu4"),
        ("/bin/sh -c 'test -f /var/lib/lab/list && echo there || echo none'", 0, "there\n"),
        ("/bin/sh -c 'cp /nowhere . 2>/dev/null || true; cat /etc/os-release | grep ^ID='", 0, "ID=ubuntu\n"),
        ("echo $HOME", 0, None),
        ("/bin/sh -c 'nosuchprogram && echo a'", 0, None),  # a program of the image may exist
    ],
)  # fmt: skip
def test_a_start_task_prints_what_its_shell_does(
    azure: BatchEmulator, command: str, code: int, out: str | None
) -> None:
    node = started(azure, command)
    assert node["startTaskInfo"]["exitCode"] == code
    text = text_of(azure, node, "startup/stdout.txt")
    assert text == out if out is not None else (text or "").startswith("The emulator executes no commands.")


def test_data_disks_have_their_names(azure: BatchEmulator) -> None:
    version = azure.store.get(VERSION)
    assert version is not None
    version.doc["properties"]["storageProfile"]["dataDiskImages"] = [{"lun": 3, "sizeInGB": 8}]
    azure.store.put(version)
    node = started(azure, "/bin/sh -c 'for one in /dev/disk/azure/scsi1/lun*; do [ -e $one ] && echo $one; done'")
    assert text_of(azure, node, "startup/stdout.txt") == "/dev/disk/azure/scsi1/lun3\n"


def test_each_node_has_its_own_name_and_all_have_the_same_rest(azure: BatchEmulator) -> None:
    shared = "$AZ_BATCH_NODE_SHARED_DIR/a"
    node = started(azure, f"/bin/sh -c 'echo $AZ_BATCH_NODE_ID > name; mkdir -p {shared}; echo b > {shared}/b'")
    assert text_of(azure, node, "startup/wd/name") == f"{node['id']}\n"
    assert text_of(azure, node, "shared/a/b") == "b\n"


@pytest.mark.parametrize("encoded", [False, True])
def test_a_start_task_on_windows_copies_a_file_of_the_image(azure: BatchEmulator, *, encoded: bool) -> None:
    version, kind = azure.store.get(VERSION), azure.store.get(f"{GALLERY}/images/tools")
    assert version is not None
    assert kind is not None
    kind.doc["properties"]["osType"] = "Windows"
    digest = version.hidden["guest"]["files"]["/var/lib/lab/list"]
    version.hidden["guest"] = {"files": {"C:\\ProgramData\\lab\\list": digest}}
    azure.store.put(version)
    azure.store.put(kind)
    script = "Copy-Item C:\\ProgramData\\lab\\list $env:AZ_BATCH_TASK_WORKING_DIR\\copy; Write-Output done"
    coded = base64.b64encode(script.encode("utf-16-le")).decode()
    command = f"powershell -NoProfile -EncodedCommand {coded}" if encoded else f'powershell -Command "{script}"'
    node = started(azure, command)
    assert (text_of(azure, node, "startup/wd/copy"), text_of(azure, node, "startup/stdout.txt")) == (LIST, "done")
    assert started(azure, command.replace("-Enc", "-enc"), "q")["startTaskInfo"]["exitCode"] == 0
    missing = started(azure, 'powershell -Command "Copy-Item C:\\none $env:AZ_BATCH_TASK_WORKING_DIR"', "r")
    assert missing["startTaskInfo"]["exitCode"] == 1


def test_the_sdk_reads_the_files_of_a_start_task() -> None:
    async def work(both: BatchClients) -> tuple[bytes, int, set[str]]:
        task = {"commandLine": "/bin/sh -c 'printf hello > greeting'", "waitForSuccess": True}
        pool = {"properties": POOL["properties"] | {"startTask": task}}
        await both.arm.pool.create(*both.where, "p", pool)
        await both.until_steady("p")
        nodes = [one async for one in both.batch.list_nodes("p")]
        if not nodes:
            targets = models.BatchPoolResizeOptions(target_dedicated_nodes=1)
            await (await both.batch.begin_resize_pool("p", targets)).result()
            await both.until_steady("p")
            nodes = [one async for one in both.batch.list_nodes("p")]
        await both.azure.clock.sleep(900)
        names = {one.name async for one in both.batch.list_node_files("p", nodes[0].id, recursive=True)}
        body = b"".join(
            [part async for part in await both.batch.download_node_file("p", nodes[0].id, "startup/wd/greeting")]
        )
        found = await both.batch.get_node_file_properties("p", nodes[0].id, "startup/wd/greeting")
        with pytest.raises(ResourceNotFoundError):
            await both.batch.get_node_file_properties("p", nodes[0].id, "startup/wd/none")
        return body, int(found.content_length), names

    body, size, names = run_with_clients(work)
    assert (body, size) == (b"hello", 5)
    assert "startup/wd/greeting" in names
