"""Apache Libcloud's driver of Azure: old api-versions, requests that it writes by hand, and answers that it reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.strangers.cloud import GROUP, Cloud, environment_folder

SCRIPT = Path(__file__).parent / "programs" / "use_libcloud.py"
VARIABLES = Path(__file__).parent / "playbooks" / "vars.yml"


def public_key() -> str:
    """Return the public key of the playbooks."""
    return str(yaml.safe_load(VARIABLES.read_text("utf-8"))["key"])


@pytest.fixture(scope="module")
def seen(cloud: Cloud) -> dict[str, Any]:
    """Return what each step of the script sees."""
    python = environment_folder("libcloud") / "bin" / "python"
    steps = [json.loads(line) for line in cloud.output(python, SCRIPT, PUBLIC_KEY=public_key()).splitlines()]
    return {step["step"]: step["seen"] for step in steps}


def test_it_reads_locations_sizes_nodes_and_networks(seen: dict[str, Any]) -> None:
    assert seen["location"] == "East US"
    assert seen["size"] == 16 * 1024
    assert seen["nodes"]["desk-vm"] == ["running", ["10.0.0.5"], ["203.0.113.5"]]
    assert seen["nodes"]["gen1-vm"][0] == "stopped"
    assert seen["groups"] == [GROUP]
    assert seen["networks"] == [["research-vnet", ["default"]]]
    assert seen["publishers"]


def test_it_makes_resizes_copies_and_deletes_disks(seen: dict[str, Any]) -> None:
    assert seen["volume"] == [32, "Unattached"]
    assert seen["resized"] == 64
    assert seen["copy"] == 64
    assert seen["left"] == []


def test_it_makes_a_node_and_deletes_it(seen: dict[str, Any]) -> None:
    assert seen["node"] == ["lab-node", 1, 0]
    assert seen["stopped"] == "stopped"
    assert seen["started"] == ["running", {"owner": "lab"}]
    assert seen["destroyed"] == []
