"""Use libcloud's driver of Azure as its documentation does, and print what it sees, a JSON document for each step."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from libcloud.compute.base import NodeAuthSSHKey
from libcloud.compute.providers import get_driver
from libcloud.compute.types import Provider

GROUP = "research"
KEY = os.environ["PUBLIC_KEY"]


def show(step: str, seen: object) -> None:
    """Print what a step sees."""
    sys.stdout.write(json.dumps({"step": step, "seen": seen}) + "\n")


def connect() -> Any:
    """Return the driver, signed in with the variables of the environment."""
    tenant, subscription = os.environ["AZURE_TENANT_ID"], os.environ["AZURE_SUBSCRIPTION_ID"]
    client, secret = os.environ["AZURE_CLIENT_ID"], os.environ["AZURE_CLIENT_SECRET"]
    return get_driver(Provider.AZURE_ARM)(tenant, subscription, client, secret)


def read(driver: Any) -> Any:
    """Read locations, sizes, nodes, volumes, groups and networks, and return the location of the group."""
    locations = {one.id: one for one in driver.list_locations()}
    location = locations["eastus"]
    show("location", location.name)
    sizes = {one.id: one for one in driver.list_sizes(location)}
    show("size", sizes["Standard_D4s_v5"].ram)
    nodes = driver.list_nodes()
    show("nodes", {one.name: [one.state, one.private_ips, one.public_ips] for one in nodes})
    show("volumes", sorted(one.name for one in driver.list_volumes()))
    show("groups", [one.name for one in driver.ex_list_resource_groups()])
    show(
        "networks", [[one.name, [sub.name for sub in driver.ex_list_subnets(one)]] for one in driver.ex_list_networks()]
    )
    show("publishers", "Canonical" in [name for _, name in driver.ex_list_publishers(location)])
    return location


def keep_disks(driver: Any, location: Any) -> None:
    """Make a disk, resize it, take a snapshot of it, make a disk of the snapshot, and delete them."""
    volume = driver.create_volume(32, "lab-data", location, ex_resource_group=GROUP, ex_sku_name="Premium_LRS")
    show("volume", [volume.size, driver.ex_get_volume(volume.id).extra["properties"]["diskState"]])
    driver.ex_resize_volume(volume, 64, GROUP)
    show("resized", driver.ex_get_volume(volume.id).size)
    snapshot = driver.create_volume_snapshot(volume, "lab-copy", location, ex_resource_group=GROUP)
    copy = driver.create_volume(64, "lab-again", location, snapshot=snapshot, ex_resource_group=GROUP)
    show("copy", driver.ex_get_volume(copy.id).size)
    driver.destroy_volume_snapshot(snapshot)
    driver.destroy_volume(copy)
    driver.destroy_volume(volume)
    show("left", sorted(one.name for one in driver.list_volumes() if one.name.startswith("lab-")))


def run_node(driver: Any, location: Any) -> None:
    """Make a node without a public address (those that the driver makes have retired), change and delete it."""
    subnet = driver.ex_list_subnets(driver.ex_list_networks()[0])[0]
    interface = driver.ex_create_network_interface("lab-interface", subnet, GROUP, location)
    size = next(one for one in driver.list_sizes(location) if one.id == "Standard_D2s_v3")
    image = driver.list_images(location, "Canonical", "0001-com-ubuntu-server-jammy", "22_04-lts")[-1]
    node = driver.create_node(
        "lab-node",
        size,
        image,
        NodeAuthSSHKey(KEY),
        GROUP,
        None,
        ex_user_name="me",
        location=location,
        ex_nic=interface,
        ex_use_managed_disks=True,
    )
    show("node", [node.name, len(node.private_ips), len(node.public_ips)])
    driver.ex_create_tags(node, {"owner": "lab"})
    driver.stop_node(node)
    show("stopped", driver.ex_get_node(node.id).state)
    driver.start_node(node)
    driver.reboot_node(node)
    node = driver.ex_get_node(node.id)
    show("started", [node.state, node.extra["tags"]])
    driver.destroy_node(node)
    show("destroyed", sorted(one.name for one in driver.list_nodes() if one.name.startswith("lab-")))


if __name__ == "__main__":
    azure = connect()
    here = read(azure)
    keep_disks(azure, here)
    run_node(azure, here)
