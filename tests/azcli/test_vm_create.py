"""VMs that the Azure CLI makes: of images and disks, with networks, extensions and sizes; and templates."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.furnish import SUBSCRIPTION

if TYPE_CHECKING:
    from pathlib import Path

    from tests.azcli.cloud import AzureCli

G = ("-g", "research")
IN_GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/research"
KEYS = ("--admin-username", "me", "--generate-ssh-keys")
PASSWORD = ("--admin-username", "me", "--admin-password", "Not-a-secret-1")


def test_a_vm_of_a_marketplace_image_is_made_shown_resized_and_deleted(instant_emulator: AzureCli) -> None:
    cloud = instant_emulator
    options = ("--image", "Ubuntu2204", "--data-disk-sizes-gb", "16", "--tags", "who=me")
    delete = [one for word in ("os-disk", "data-disk", "nic") for one in (f"--{word}-delete-option", "Delete")]
    made = cloud.az("vm", "create", *G, "-n", "one", *options, *delete, *KEYS)
    assert (made["powerState"], made["location"]) == ("VM running", "eastus")
    assert made["publicIpAddress"].startswith("203.0.113.")
    shown = cloud.az("vm", "show", *G, "-n", "one", "-d")
    assert (shown["privateIps"], shown["tags"]) == (made["privateIpAddress"], {"who": "me"})
    assert shown["storageProfile"]["imageReference"]["exactVersion"] == "22.04.202506060"
    listed = cloud.az("vm", "list-ip-addresses", *G, "-n", "one")
    assert listed[0]["virtualMachine"]["network"]["privateIpAddresses"] == [made["privateIpAddress"]]
    sizes = cloud.az("vm", "list-vm-resize-options", *G, "-n", "one", "--query", "[].name")
    assert "Standard_D8s_v5" in sizes
    cloud.az("vm", "resize", *G, "-n", "one", "--size", "Standard_D8s_v5")
    script = ("--publisher", "Microsoft.Azure.Extensions", "-n", "customScript")
    cloud.az("vm", "extension", "set", *G, "--vm-name", "one", *script, "--settings", '{"commandToExecute": "true"}')
    assert cloud.az("vm", "extension", "list", *G, "--vm-name", "one", "--query", "[].name") == ["customScript"]
    cloud.az("vm", "extension", "delete", *G, "--vm-name", "one", "-n", "customScript")
    cloud.az("vm", "update", *G, "-n", "one", "--set", "tags.more=yes")
    cloud.az("vm", "delete", *G, "-n", "one", "--yes")
    left = cloud.az("resource", "list", *G, "--query", "[?starts_with(name, 'one')].name")
    assert sorted(left) == ["oneNSG", "onePublicIP"]
    assert cloud.az("deployment", "group", "list", *G, "--query", "[].properties.provisioningState") == ["Succeeded"]


def test_vms_of_a_disk_an_image_and_a_version_are_made(instant_emulator: AzureCli) -> None:
    cloud = instant_emulator
    cloud.az("snapshot", "create", *G, "-n", "gen1", "--source", "gen1-vm_OsDisk_1")
    cloud.az("disk", "create", *G, "-n", "copy", "--source", "gen1")
    plain = ("--nsg", "", "--public-ip-address", "")
    of_disk = ("--attach-os-disk", "copy", "--os-type", "linux", "--size", "Standard_D2s_v3", *plain)
    assert cloud.az("vm", "create", *G, "-n", "of-disk", *of_disk)["publicIpAddress"] == ""
    cloud.az("image", "create", *G, "-n", "of-vm", "--source", "gen1-vm")
    image = ("--image", "of-vm", "--size", "Standard_D2s_v3", *plain, *KEYS)
    cloud.az("vm", "create", *G, "-n", "of-image", *image)
    cloud.az("sig", "create", *G, "-r", "makers")
    kind = ("--publisher", "p", "--offer", "o", "--sku", "s", "--os-type", "Linux", "--os-state", "Generalized")
    v1 = ("--hyper-v-generation", "V1", "--features", "SecurityType=Standard")
    cloud.az("sig", "image-definition", "create", *G, "-r", "makers", "-i", "kind", *kind, *v1)
    version = ("-r", "makers", "-i", "kind", "-e", "1.0.0", "--managed-image", "of-vm")
    key = cloud.az("sig", "image-version", "create", *G, *version)["id"]
    of_version = ("--image", key, "--size", "Standard_D2s_v3", *plain, *KEYS)
    cloud.az("vm", "create", *G, "-n", "of-version", *of_version)
    shown = cloud.az("vm", "show", *G, "-n", "of-version", "--query", "storageProfile.imageReference")
    assert (shown["id"], shown["exactVersion"]) == (key, "1.0.0")
    for name in ("of-disk", "of-image", "of-version"):
        cloud.az("vm", "delete", *G, "-n", name, "--yes")


def test_networks_are_made_and_stay_while_they_are_used(instant_emulator: AzureCli) -> None:
    cloud = instant_emulator
    cloud.az("network", "vnet", "create", *G, "-n", "net", "--address-prefix", "10.9.0.0/16")
    at = (*G, "--vnet-name", "net")
    cloud.az("network", "vnet", "subnet", "create", *at, "-n", "a", "--address-prefixes", "10.9.1.0/24")
    cloud.az("network", "nsg", "create", *G, "-n", "sg")
    rule = ("--nsg-name", "sg", "-n", "ssh", "--priority", "300", "--destination-port-ranges", "22")
    cloud.az("network", "nsg", "rule", "create", *G, *rule)
    cloud.az("network", "public-ip", "create", *G, "-n", "ip")
    ends = ("--vnet-name", "net", "--subnet", "a", "--network-security-group", "sg", "--public-ip-address", "ip")
    cloud.az("network", "nic", "create", *G, "-n", "nic", *ends)
    windows = ("--image", "Win2022Datacenter", "--size", "Standard_D4s_v5", *PASSWORD)
    made = cloud.az("vm", "create", *G, "-n", "win", "--nics", "nic", *windows)
    assert made["privateIpAddress"] == "10.9.1.4"
    for words, code in (
        (("network", "vnet", "subnet", "delete", *at, "-n", "a"), "InUseSubnetCannotBeDeleted"),
        (("network", "nsg", "delete", *G, "-n", "sg"), "InUseNetworkSecurityGroupCannotBeDeleted"),
        (("network", "public-ip", "delete", *G, "-n", "ip"), "PublicIPAddressCannotBeDeleted"),
        (("network", "nic", "delete", *G, "-n", "nic"), "NicInUse"),
    ):
        assert code in cloud.refused(*words).stderr
    cloud.az("vm", "delete", *G, "-n", "win", "--yes")
    cloud.az("network", "nic", "delete", *G, "-n", "nic")
    for words in (("public-ip", "ip"), ("nsg", "sg"), ("vnet", "net")):
        cloud.az("network", words[0], "delete", *G, "-n", words[1])


def test_marketplace_terms_are_accepted_before_a_vm_is_made(instant_emulator: AzureCli) -> None:
    cloud = instant_emulator
    urn = "resf:rockylinux-x86_64:9-base:latest"
    plan = ("--plan-name", "9-base", "--plan-publisher", "resf", "--plan-product", "rockylinux-x86_64")
    options = ("--image", urn, *plan, "--nsg", "", "--public-ip-address", "", *KEYS)
    assert cloud.az("vm", "image", "terms", "show", "--urn", urn)["accepted"] is False
    assert cloud.az("vm", "image", "terms", "accept", "--urn", urn)["accepted"] is True
    cloud.az("vm", "create", *G, "-n", "rocky", *options)
    skus = cloud.az("vm", "image", "list-skus", "-l", "eastus", "-p", "Canonical", "-f", "ubuntu-24_04-lts")
    assert "server" in [one["name"] for one in skus]
    cloud.az("vm", "delete", *G, "-n", "rocky", "--yes")


def _template(*resources: dict[str, Any], **sections: Any) -> str:
    schema = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
    return json.dumps({"$schema": schema, "contentVersion": "1.0.0.0", "resources": list(resources), **sections})


def test_templates_are_deployed_validated_and_listed(instant_emulator: AzureCli, tmp_path: Path) -> None:
    cloud = instant_emulator
    disk = {
        "type": "Microsoft.Compute/disks",
        "apiVersion": "2024-03-02",
        "name": "[concat(parameters('prefix'), copyIndex())]",
        "location": "[resourceGroup().location]",
        "copy": {"name": "disks", "count": 2},
        "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 8},
    }
    outputs = {"size": {"type": "int", "value": "[reference(concat(parameters('prefix'), 1)).diskSizeGB]"}}
    file = tmp_path / "main.json"
    file.write_text(_template(disk, parameters={"prefix": {"type": "string"}}, outputs=outputs))
    words = ("--template-file", str(file), "--parameters", "prefix=d")
    assert cloud.az("deployment", "group", "validate", *G, *words)["properties"]["provisioningState"] == "Succeeded"
    made = cloud.az("deployment", "group", "create", *G, "-n", "first", *words)
    assert made["properties"]["outputs"] == {"size": {"type": "Int", "value": 8}}
    names = cloud.az("deployment", "operation", "group", "list", *G, "-n", "first")
    assert len(names) == 3
    assert cloud.az("deployment", "group", "show", *G, "-n", "first")["name"] == "first"
    file.write_text(_template(disk | {"name": "[none()]"}, parameters={"prefix": {"type": "string"}}))
    assert "InvalidTemplate" in cloud.refused("deployment", "group", "create", *G, "-n", "second", *words).stderr
    cloud.az("deployment", "group", "delete", *G, "-n", "first")
