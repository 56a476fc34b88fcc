"""Bodies of network interfaces, of security rules, and of VMs with network interfaces."""

from __future__ import annotations

from typing import Any

from tests.support.compute_emulator import SUBNET

IMAGE = {"publisher": "canonical", "offer": "0001-com-ubuntu-server-jammy", "sku": "22_04-lts"}


def rule(name: str = "azure", priority: int = 100, **beside: Any) -> dict[str, Any]:
    properties = {
        "priority": priority,
        "direction": "Outbound",
        "access": "Allow",
        "protocol": "Tcp",
        "sourceAddressPrefix": "*",
        "sourcePortRange": "*",
        "destinationAddressPrefix": "AzureCloud",
        "destinationPortRange": "443",
    }
    return {"name": name, "properties": properties | beside}


def interface(subnet: str = SUBNET, **properties: Any) -> dict[str, Any]:
    return {"ipConfigurations": [{"name": "ip", "properties": {"subnet": {"id": subnet}}}], **properties}


def machine(**network: Any) -> dict[str, Any]:
    return {
        "hardwareProfile": {"vmSize": "Standard_D2s_v5"},
        "storageProfile": {"imageReference": IMAGE, "osDisk": {"createOption": "FromImage"}},
        "osProfile": {"adminUsername": "me", "adminPassword": "not-a-secret-1"},
        "networkProfile": network,
    }
