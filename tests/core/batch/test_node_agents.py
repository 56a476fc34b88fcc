"""The node agent that is proposed for a VM whose Marketplace image Batch does not list."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics import Session, SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator

GROUP = "/subscriptions/4f1c9a52-7d3e-4b8a-9c60-2e5d81f7a034/resourceGroups/research/providers"
LIST = "az batch pool supported-images list"
#: Name, Marketplace image, OS type, architecture, what the agent in the VM reports, and the proposed node agent.
VMS: tuple[tuple[str, str, str, str, tuple[str, str], str], ...] = (
    ("dsvm", "microsoft-dsvm:ubuntu-2204:2204-gen2", "Linux", "x64", ("", ""), "batch.node.ubuntu 22.04"),
    ("rhel9", "RedHat:RHEL:9-lvm-gen2", "Linux", "x64", ("Red Hat Enterprise Linux", "9.4"), "batch.node.el 9"),
    ("rhel810", "RedHat:RHEL:810-gen2", "Linux", "x64", ("", ""), "batch.node.el 8"),
    ("sap", "RedHat:rhel-sap-ha:94sapha-gen2", "Linux", "x64", ("redhat", "9.4"), "batch.node.el 9"),
    ("rhel10", "RedHat:RHEL:10-lvm-gen2", "Linux", "x64", ("", ""), ""),
    ("rocky", "resf:rockylinux-x86_64:9-base", "Linux", "x64", ("", ""), "batch.node.el 9"),
    ("ciq", "ciq:rocky-8:rocky-8-gen2", "Linux", "x64", ("", ""), "batch.node.el 8"),
    ("alma-arm", "almalinux:almalinux-arm:9-arm", "Linux", "Arm64", ("", ""), "batch.node.el 9-arm64"),
    ("oracle", "Oracle:Oracle-Linux:ol92-lvm-gen2", "Linux", "x64", ("", ""), "batch.node.el 9"),
    ("pro", "Canonical:0001-com-ubuntu-pro-jammy:pro-22_04-lts", "Linux", "x64", ("", ""), "batch.node.ubuntu 22.04"),
    ("pro-24", "canonical:ubuntu-24_04-lts:ubuntu-pro", "Linux", "x64", ("", ""), "batch.node.ubuntu 24.04"),
    ("hpc", "microsoft-dsvm:ubuntu-hpc:2204-preview-ndv5", "Linux", "x64", ("", ""), "batch.node.ubuntu 22.04"),
    ("deb", "Debian:debian-12:12-backports-gen2", "Linux", "x64", ("debian", "12"), "batch.node.debian 12"),
    ("deb-arm", "Debian:debian-12:12-arm64", "Linux", "Arm64", ("", ""), ""),
    ("deb-13", "Debian:debian-13:13-gen2", "Linux", "x64", ("", ""), ""),
    ("sles", "SUSE:sles-15-sp5:gen2", "Linux", "x64", ("sles", "15.5"), ""),
    ("flatcar", "kinvolk:flatcar-container-linux-free:stable-gen2", "Linux", "x64", ("", ""), ""),
    ("azl", "MicrosoftCBLMariner:azure-linux-3:azure-linux-3", "Linux", "x64", ("", ""), "batch.node.azurelinux 3.0"),
    ("vendor", "acme:solver:1-0", "Linux", "x64", ("ubuntu", "24.04"), "batch.node.ubuntu 24.04"),
    ("unknown", "acme:solver:1-0", "Linux", "x64", ("", ""), ""),
    ("win", "MicrosoftWindowsServer:WindowsServer:2022-datacenter-hotpatch", "Windows", "x64", ("", ""),
     "batch.node.windows amd64"),
    ("sql", "MicrosoftSQLServer:sql2022-ws2022:web-gen2", "Windows", "x64", ("", ""), "batch.node.windows amd64"),
)  # fmt: skip


def documents(name: str, image: str, os_type: str, architecture: str, inside: tuple[str, str]) -> list[dict[str, Any]]:
    """Return a VM and its OS disk, as Azure Resource Manager has them."""
    publisher, offer, sku = image.split(":")
    vm_id, disk_id = (f"{GROUP}/Microsoft.Compute/{kind}" for kind in (f"virtualMachines/{name}", f"disks/{name}-os"))
    disk = {"name": f"{name}-os", "osType": os_type, "createOption": "FromImage", "managedDisk": {"id": disk_id}}
    statuses = [{"code": "OSState/generalized"}, {"code": "PowerState/deallocated"}]
    return [
        {
            "id": vm_id,
            "name": name,
            "type": "Microsoft.Compute/virtualMachines",
            "location": "eastus",
            "properties": {
                "hardwareProfile": {"vmSize": "Standard_D4s_v5"},
                "storageProfile": {
                    "imageReference": {"publisher": publisher, "offer": offer, "sku": sku, "version": "latest"},
                    "osDisk": disk,
                },
                "networkProfile": {"networkInterfaces": []},
                "instanceView": {"osName": inside[0], "osVersion": inside[1], "statuses": statuses},
                "provisioningState": "Succeeded",
            },
        },
        {
            "id": disk_id,
            "name": f"{name}-os",
            "type": "Microsoft.Compute/disks",
            "location": "eastus",
            "managedBy": vm_id,
            "sku": {"name": "Premium_LRS"},
            "properties": {
                "osType": os_type,
                "hyperVGeneration": "V2",
                "diskSizeGB": 64,
                "supportedCapabilities": {"architecture": architecture},
                "creationData": {"createOption": "FromImage"},
                "provisioningState": "Succeeded",
            },
        },
    ]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """Open a session on an emulator with all these VMs, imported from one file."""
    file = tmp_path_factory.mktemp("vms") / "vms.json"
    file.write_text(json.dumps([one for vm in VMS for one in documents(*vm[:5])]))
    with Session() as found:
        found.connect(state=":memory:", speed="max", import_files=[str(file)])
        yield found


@pytest.mark.parametrize("vm", VMS, ids=lambda vm: vm[0])
def test_only_a_node_agent_for_the_same_system_is_proposed(
    opened: Session, vm: tuple[str, str, str, str, tuple[str, str], str]
) -> None:
    name, *_, agent = vm
    table = opened.check(name).set_index("rule")
    fixes = {str(table.loc[rule, "fix"]) for rule in ("base-image", "node-agent")}
    assert len(fixes) == 1, "two rules, and two ways out"
    (fix,) = fixes
    assert ("node_agent_sku=" in fix and "batch.node." in fix) == bool(agent), fix
    assert f'node_agent_sku="{agent}"' in fix if agent else LIST in fix


def test_where_no_agent_is_near_an_image_of_the_same_distribution_is_named(opened: Session) -> None:
    fixes = {name: opened.check(name).set_index("rule").loc["node-agent", "fix"] for name in ("rhel10", "deb-13")}
    assert "Batch has no node agent for Enterprise Linux 10" in fixes["rhel10"]
    assert fixes["rhel10"].endswith("for example almalinux:almalinux-x86_64:9-gen2")
    assert fixes["deb-13"].endswith("for example debian:debian-12:12-gen2")


def test_create_names_the_agent_once_and_works_with_it(opened: Session) -> None:
    line: dict[str, Any] = {"from_vm": "rhel9", "vm_size": "Standard_D4s_v5", "nodes": 1}
    with pytest.raises(SpecError) as caught:
        opened.create("el", **line)
    assert str(caught.value.hint).count("batch.node.el 9") == 1
    assert "azurelinux" not in str(caught.value.hint)
    opened.create("el", node_agent_sku="batch.node.el 9", **line)
    assert opened.nodes("el").state.tolist() == ["idle"]
