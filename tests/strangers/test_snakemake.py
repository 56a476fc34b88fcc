"""Snakemake and its executor for Azure Batch: a workflow makes a pool, a job and tasks, waits for them, and cleans up.

The emulator runs the command lines of the tasks, which are Snakemake's own, and the files go through Azurite. The
executor asks for classic node communication, which has retired: at Azure it ends there today, and here, too. The
workflow therefore runs in a world in which it has not.
"""

from __future__ import annotations

import contextlib
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from batchimg_magics.emulator.emulator import open_emulator
from tests.strangers import azurite
from tests.strangers.cloud import ACCOUNT, GROUP, INSTANT_SPEED, Cloud, environment_folder, serve_cloud

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


def make_image(folder: Path, variables: dict[str, str]) -> str:
    """Write the programs of the image of the nodes, and return their path: Snakemake, with its settings.

    Tasks of the emulator have the variables of Batch and a path. What the programs of an image find beside them, for
    example in a file of its own, they get from small scripts.
    """
    folder.mkdir()
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items() if name != "PATH"]
    for name in ("python", "pip", "snakemake"):
        program = folder / name
        program.write_text(
            "\n".join(["#!/bin/sh", *lines, f'exec {environment_folder("snakemake")}/bin/{name} "$@"', ""])
        )
        program.chmod(0o755)
    return f"{folder}:/usr/bin:/bin"


def test_it_ends_where_the_executor_asks_for_what_has_retired(
    cloud: Cloud, blobs: azurite.BlobService, tmp_path: Path
) -> None:
    done = cloud.run(*command(tmp_path, "retired"), cwd=tmp_path, **settings(cloud, blobs))
    assert done.returncode == 1
    assert "Error: Failed to create pool: The value provided for one of the properties" in done.stderr
    assert cloud.names(f"Microsoft.Batch/batchAccounts/{ACCOUNT}/pools") == []


@pytest.fixture
def older_cloud(blobs: azurite.BlobService, tmp_path: Path) -> Iterator[Cloud]:
    """Return a world in which Azure still has classic node communication, and whose tasks really run."""
    state = tmp_path / "older.sqlite"
    with contextlib.closing(open_emulator(state, speed=INSTANT_SPEED)) as emulator:
        emulator.store.set_meta("classic_node_communication", "offered")
    found = {
        "AZURITE_CONNECTION_STRING": blobs.connection_string,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(environment_folder("snakemake") / "wheels"),
    }
    with serve_cloud(tmp_path, state=state, nodes_path=make_image(tmp_path / "image", found)) as served:
        yield served


def read_report(service: azurite.BlobService) -> str:
    """Return the text of the report of the workflow; the storage plugin takes the account for its container."""
    code = (
        "import sys; from azure.storage.blob import BlobClient; "
        "client = BlobClient.from_connection_string(*sys.argv[1:]); "
        "sys.stdout.write(client.download_blob().readall().decode())"
    )
    python = environment_folder("snakemake") / "bin" / "python"
    words = [python, "-c", code, service.connection_string, azurite.ACCOUNT, "lab/offered/report.txt"]
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout


def test_a_workflow_runs_to_its_end_with_real_results_and_cleans_up(
    older_cloud: Cloud, blobs: azurite.BlobService, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    done = older_cloud.run(*command(here, "offered"), "--verbose", cwd=here, **settings(older_cloud, blobs))
    assert done.returncode == 0, done.stderr[-6000:]
    assert "3 of 3 steps (100%) done" in done.stderr
    assert read_report(blobs).strip() == "10"
    assert older_cloud.batch("GET", "/jobs")["value"] == []
    assert older_cloud.batch("GET", "/pools")["value"] == []
