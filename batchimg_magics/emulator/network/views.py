"""What network resources show of others that refer to them: computed at each read.

Source: Microsoft's OpenAPI of Microsoft.Network: read-only properties.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm import resources
from batchimg_magics.emulator.network.references import ADDRESSES, GATEWAYS, GROUPS, NETWORKS, NICS, TABLES

if TYPE_CHECKING:
    from batchimg_magics.emulator.http.messages import Call

SUBNETS = f"{NETWORKS}/subnets"
#: The types with such properties.
VIEWED = frozenset({ADDRESSES, GATEWAYS, GROUPS, NETWORKS, NICS, SUBNETS, TABLES})
_SUBNET_PROPERTIES = {GROUPS: "networkSecurityGroup", GATEWAYS: "natGateway", TABLES: "routeTable"}


class Users:
    """Which resources refer to which, in the subscription of a request."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._found: dict[tuple[str, str], list[dict[str, str]]] = {}
        under = f"/subscriptions/{call.params['subscription']}"
        for nic in call.store.items(NICS, under):
            if resources.document_at(nic, call.now) is not None:
                self._note_interface(nic.doc)
        for network in call.store.items(NETWORKS, under):
            if resources.document_at(network, call.now) is not None:
                self._note_network(network.doc)
        for gateway in call.store.items(GATEWAYS, under):
            if resources.document_at(gateway, call.now) is not None:
                for one in gateway.doc["properties"].get("publicIpAddresses") or []:
                    self._note("gateway", one, str(gateway.doc["id"]))

    def _note(self, word: str, reference: object, by: str) -> None:
        if isinstance(reference, dict) and reference.get("id"):
            self._found.setdefault((word, str(reference["id"]).lower()), []).append({"id": by})

    def _note_interface(self, nic: dict[str, Any]) -> None:
        self._note("interface", nic["properties"].get("networkSecurityGroup"), str(nic["id"]))
        for one in nic["properties"].get("ipConfigurations") or []:
            inside = one.get("properties") or {}
            self._note("subnet", inside.get("subnet"), str(one.get("id")))
            self._note("address", inside.get("publicIPAddress"), str(one.get("id")))

    def _note_network(self, network: dict[str, Any]) -> None:
        for one in network["properties"].get("subnets") or []:
            for word in _SUBNET_PROPERTIES.values():
                self._note(word, (one.get("properties") or {}).get(word), str(one.get("id")))

    def of(self, word: str, key: object) -> list[dict[str, str]]:
        """Return references to what refers to a resource."""
        return self._found.get((word, str(key).lower()), [])

    # -- documents ---------------------------------------------------------------------------------------------------

    def shown(self, kind: str, document: dict[str, Any]) -> dict[str, Any]:
        """Return the document of a resource with what refers to it."""
        properties, key = dict(document.get("properties") or {}), document.get("id")
        if kind == NETWORKS:
            properties["subnets"] = [self.shown(SUBNETS, one) for one in properties.get("subnets") or []]
        elif kind == NICS:
            self._show_machine(document, properties)
        elif kind == ADDRESSES:
            if found := self.of("address", key):
                properties["ipConfiguration"] = found[0]
            if found := self.of("gateway", key):
                properties["natGateway"] = found[0]
        else:
            names = {"ipConfigurations": "subnet"} if kind == SUBNETS else {"subnets": _SUBNET_PROPERTIES[kind]}
            names |= {"networkInterfaces": "interface"} if kind == GROUPS else {}
            properties |= {name: found for name, word in names.items() if (found := self.of(word, key))}
        return document | {"properties": properties}

    def _show_machine(self, document: dict[str, Any], properties: dict[str, Any]) -> None:
        """Show the VM of an interface, unless it is deleted."""
        owner = str((properties.get("virtualMachine") or {}).get("id") or "")
        machine = self._call.store.get(owner) if owner else None
        if machine is not None and resources.document_at(machine, self._call.now) is None:
            del properties["virtualMachine"]
        elif owner:
            digits = hashlib.sha256(str(document.get("id")).lower().encode()).hexdigest().upper()
            properties.setdefault("macAddress", f"00-22-48-{digits[:2]}-{digits[2:4]}-{digits[4:6]}")
            properties.setdefault("primary", True)


def shown(call: Call, kind: str, documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return documents of a type as responses show them."""
    if kind not in VIEWED or not documents:
        return documents
    users = Users(call)
    return [users.shown(kind, one) for one in documents]
