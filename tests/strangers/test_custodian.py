"""Cloud Custodian: policies read VMs, disks, images, networks and Batch accounts, and change some of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.strangers.cloud import ACCOUNT, GROUP, Cloud, environment_folder

POLICIES = Path(__file__).parent / "policies"
COMPUTE = "Microsoft.Compute"


def apply(cloud: Cloud, policies: str, output: Path) -> dict[str, list[dict[str, Any]]]:
    """Run a file of policies, and return the resources that each of them has found."""
    program = environment_folder("custodian") / "bin" / "custodian"
    cloud.output(program, "run", "--output-dir", output, POLICIES / policies)
    found = {path.parent.name: json.loads(path.read_text("utf-8")) for path in output.glob("*/resources.json")}
    assert found
    return found


def names(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(row["name"] for row in rows)


@pytest.fixture(scope="module")
def found(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    return apply(cloud, "find.yml", tmp_path_factory.mktemp("found"))


def test_it_reads_what_a_lab_has(found: dict[str, list[dict[str, Any]]]) -> None:
    assert names(found["vms"]) == ["desk-vm", "gen1-vm", "prep-vm", "win-vm"]
    assert names(found["batch-accounts"]) == [ACCOUNT]
    assert names(found["groups"]) == [GROUP]
    assert names(found["networks"]) == ["research-vnet"]
    assert names(found["interfaces"]) == [f"{name}-nic" for name in names(found["vms"])]
    assert (found["snapshots"], found["images"]) == ([], [])


def test_its_filters_read_instance_views_and_interfaces(found: dict[str, list[dict[str, Any]]]) -> None:
    assert names(found["deallocated-vms"]) == ["gen1-vm", "prep-vm", "win-vm"]
    assert names(found["vms-with-public-address"]) == names(found["vms"])
    assert found["unattached-disks"] == []


def test_the_list_of_all_resources_has_what_the_other_lists_have(found: dict[str, list[dict[str, Any]]]) -> None:
    everything = {row["id"].lower() for row in found["everything"]}
    listed = ("vms", "batch-accounts", "networks", "interfaces")
    assert {row["id"].lower() for kind in listed for row in found[kind]} <= everything


def test_it_tags_stops_and_deletes(cloud: Cloud, tmp_path: Path) -> None:
    disk = f"{cloud.group}/providers/{COMPUTE}/disks/desk-vm_OsDisk_1"
    old = {"location": "eastus", "properties": {"creationData": {"createOption": "Copy", "sourceResourceId": disk}}}
    cloud.request("PUT", f"{cloud.group}/providers/{COMPUTE}/snapshots/old", old, version="2023-10-02")
    apply(cloud, "change.yml", tmp_path)
    at = f"{cloud.group}/providers/{COMPUTE}/virtualMachines/desk-vm"
    assert cloud.request("GET", at)["tags"]["owner"] == "lab"
    statuses = cloud.request("GET", f"{at}/instanceView")["statuses"]
    assert statuses[-1]["code"] in ("PowerState/deallocated", "PowerState/deallocating")
    assert cloud.names(f"{COMPUTE}/snapshots", version="2023-10-02") == []
