"""Snakemake and its executor for Azure Batch: a workflow makes a pool, a job and tasks, waits for them, and cleans up.

The emulator's tasks have states, but no programs. So the test is the node: it runs the command lines of the tasks,
which are Snakemake's own, and the files go through Azurite. The executor asks for classic node communication, which has
retired: at Azure it ends there today, and here, too. The workflow therefore runs in a world in which it has not.
"""

from __future__ import annotations

import contextlib
import shlex
import shutil
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest

from batchimg_magics.emulator.emulator import open_emulator
from tests.strangers import azurite
from tests.strangers.cloud import ACCOUNT, GROUP, INSTANT_SPEED, Cloud, RefusedError, environment_folder, serve_cloud

if TYPE_CHECKING:
    from collections.abc import Iterator

SNAKEFILE = Path(__file__).parent / "workflow" / "Snakefile"
#: An image that runs containers; the executor's own default is no longer among Batch's images.
IMAGE = {"publisher": "microsoft-dsvm", "offer": "ubuntu-hpc", "sku": "2204"}
AGENT = "batch.node.ubuntu 22.04"
#: The real seconds in which a file appears after its task has ended.
LATENCY_S = 300


@pytest.fixture(scope="module")
def blobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[azurite.BlobService]:
    with azurite.serve_blobs(tmp_path_factory.mktemp("azurite")) as service:
        make_container(service, "lab")
        yield service


def make_container(service: azurite.BlobService, name: str) -> None:
    python = environment_folder("snakemake") / "bin" / "python"
    code = (
        "import sys; from azure.storage.blob import BlobServiceClient as Client; "
        "Client.from_connection_string(sys.argv[1]).create_container(sys.argv[2])"
    )
    subprocess.run([python, "-c", code, service.connection_string, name], check=True)


def command(folder: Path, prefix: str) -> list[str | Path]:
    """Return the command line of a workflow whose files are below a prefix."""
    shutil.copy(SNAKEFILE, folder)
    image = [part for name, value in IMAGE.items() for part in (f"--azure-batch-pool-image-{name}", value)]
    return [
        environment_folder("snakemake") / "bin" / "snakemake",
        *("--executor", "azure-batch", "--jobs", "2", "--seconds-between-status-checks", "1"),
        *("--default-storage-provider", "azure", "--default-storage-prefix", f"az://{azurite.ACCOUNT}/lab/{prefix}"),
        *("--storage-azure-account-name", azurite.ACCOUNT, "--latency-wait", str(LATENCY_S)),
        *("--azure-batch-pool-vm-size", "Standard_D2s_v3", "--azure-batch-pool-vm-node-agent-sku-id", AGENT),
        *image,
    ]


def settings(cloud: Cloud, service: azurite.BlobService) -> dict[str, str]:
    """Return the settings that Snakemake reads from the environment."""
    identity = f"{cloud.group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/nodes"
    wheels = environment_folder("snakemake") / "wheels"
    return {
        "AZURITE_CONNECTION_STRING": service.connection_string,
        # The executor's token of an environment's sign-in has a scope that Entra ID refuses: it has to be a machine's.
        "AZURE_POD_IDENTITY_AUTHORITY_HOST": cloud.environment["AZURE_RESOURCE_MANAGER"],
        "SNAKEMAKE_AZURE_BATCH_ACCOUNT_URL": cloud.environment["AZURE_BATCH_ENDPOINT"],
        "SNAKEMAKE_AZURE_BATCH_RESOURCE_GROUP_NAME": GROUP,
        "SNAKEMAKE_AZURE_BATCH_SUBSCRIPTION_ID": cloud.subscription,
        "SNAKEMAKE_AZURE_BATCH_MANAGED_IDENTITY_RESOURCE_ID": identity,
        "SNAKEMAKE_AZURE_BATCH_MANAGED_IDENTITY_CLIENT_ID": cloud.environment["AZURE_CLIENT_ID"],
        "PATH": f"{environment_folder('snakemake') / 'bin'}:/usr/bin:/bin",
        "PIP_NO_INDEX": "1",  # tasks install the storage plugin: from the folder, as they must reach nothing else
        "PIP_FIND_LINKS": str(wheels),
    }


class Node:
    """A node that runs the command lines of a pool's tasks, one after another, each in a folder of its own."""

    def __init__(self, cloud: Cloud, variables: dict[str, str], folder: Path) -> None:
        self.cloud = cloud
        self.variables = variables
        self.folder = folder
        self.done: dict[str, subprocess.CompletedProcess[str]] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stopped.wait(0.5):
            with contextlib.suppress(RefusedError):  # the job has been deleted since it was listed
                for job in self.cloud.batch("GET", "/jobs")["value"]:
                    for task in self.cloud.batch("GET", f"/jobs/{job['id']}/tasks")["value"]:
                        if task["id"] not in self.done:
                            self._run(task["id"], task["commandLine"])

    def _run(self, task: str, line: str) -> None:
        folder = self.folder / task
        folder.mkdir()
        self.done[task] = self.cloud.run(*shlex.split(line), cwd=folder, **self.variables)


def test_it_ends_where_the_executor_asks_for_what_has_retired(
    cloud: Cloud, blobs: azurite.BlobService, tmp_path: Path
) -> None:
    done = cloud.run(*command(tmp_path, "retired"), cwd=tmp_path, **settings(cloud, blobs))
    assert done.returncode == 1
    assert "Error: Failed to create pool: The value provided for one of the properties" in done.stderr
    assert cloud.names(f"Microsoft.Batch/batchAccounts/{ACCOUNT}/pools") == []


@pytest.fixture
def older_cloud(tmp_path: Path) -> Iterator[Cloud]:
    """Return a world in which Azure still has classic node communication."""
    state = tmp_path / "older.sqlite"
    with contextlib.closing(open_emulator(state, speed=INSTANT_SPEED)) as emulator:
        emulator.store.set_meta("classic_node_communication", "offered")
    with serve_cloud(tmp_path, state=state) as served:
        yield served


def test_a_workflow_runs_to_its_end_and_cleans_up(
    older_cloud: Cloud, blobs: azurite.BlobService, tmp_path: Path
) -> None:
    variables = settings(older_cloud, blobs)
    here = tmp_path / "here"
    here.mkdir()
    with Node(older_cloud, variables, tmp_path) as node:
        done = older_cloud.run(*command(here, "offered"), "--verbose", cwd=here, **variables)
    said = {task.rpartition("-")[0]: one.stderr for task, one in node.done.items()}
    assert done.returncode == 0, f"{done.stderr[-3000:]}\n{said}"
    assert sorted(task.partition("-")[0] for task in node.done) == ["numbers", "report"]
    assert "3 of 3 steps (100%) done" in done.stderr
    assert older_cloud.batch("GET", "/jobs")["value"] == []
    assert older_cloud.batch("GET", "/pools")["value"] == []
