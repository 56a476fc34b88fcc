"""Ansible's collection for Azure: playbooks make an image version, a pool and a VM, and delete them again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.strangers.cloud import Cloud, environment_folder

PLAYBOOKS = Path(__file__).parent / "playbooks"


def play(cloud: Cloud, playbook: str, home: Path) -> dict[str, Any]:
    """Run a playbook, and return the result of each task by its name."""
    programs = environment_folder("ansible") / "bin"
    printed = cloud.output(
        *(programs / "ansible-playbook", "--inventory", "localhost,", PLAYBOOKS / playbook),
        ANSIBLE_HOME=str(home),
        ANSIBLE_LOCALHOST_WARNING="false",
        ANSIBLE_PYTHON_INTERPRETER=str(programs / "python"),
        ANSIBLE_STDOUT_CALLBACK="ansible.posix.json",
    )
    tasks = json.loads(printed[printed.index("{") :])["plays"][0]["tasks"]
    return {task["task"]["name"]: task["hosts"]["localhost"] for task in tasks}


def changed(results: dict[str, Any]) -> dict[str, bool]:
    return {name: result["changed"] for name, result in results.items()}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ansible")


def test_image_version_is_made_once(cloud: Cloud, home: Path) -> None:
    first = play(cloud, "image.yml", home)
    assert set(changed(first).values()) == {True}, changed(first)
    again = play(cloud, "image.yml", home)
    assert set(changed(again).values()) == {False}, changed(again)


def test_pool_of_the_version_has_its_nodes(cloud: Cloud, home: Path) -> None:
    group = cloud.group.replace("/research", "/ansible")
    cloud.import_resource(f"{group}/providers/Microsoft.Storage/storageAccounts/labstorage", "eastus")
    results = play(cloud, "pool.yml", home)
    (version,) = [results["image version"]["versions"]]
    assert version["provisioning_state"] == "Succeeded"
    pool = results["pool as it is"]["batch_account_pool"][0]
    assert (pool["allocation_state"], pool["current_dedicated_nodes"]) == ("Steady", 2)
    machine = pool["deployment_configuration"]["virtual_machine_configuration"]
    assert machine["image_reference"]["id"] == version["id"]


def test_all_is_deleted(cloud: Cloud, home: Path) -> None:
    results = play(cloud, "delete.yml", home)
    assert set(changed(results).values()) == {True}, changed(results)
    groups = cloud.request("GET", f"/subscriptions/{cloud.subscription}/resourcegroups", version="2021-04-01")
    assert "ansible" not in [group["name"] for group in groups["value"]]


def test_vm_is_made_with_its_network_and_deleted_with_it(cloud: Cloud, home: Path) -> None:
    results = play(cloud, "vm.yml", home)
    assert results["VM as it is"]["vms"][0]["power_state"] == "deallocated"
    left = f"/subscriptions/{cloud.subscription}/resourceGroups/ansible-vm/resources"
    kinds = [row["type"] for row in cloud.request("GET", left, version="2021-04-01")["value"]]
    assert kinds == ["Microsoft.Network/virtualNetworks"]
