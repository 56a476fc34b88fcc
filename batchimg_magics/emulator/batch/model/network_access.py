"""Batch accounts that cannot be reached from every network.

Source: "Configure public network access with Azure Batch accounts" and "Use private endpoints with Azure Batch
accounts". Azure Resource Manager answers as before: only the data plane is restricted.
"""

from __future__ import annotations

import contextlib
import ipaddress
from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.batch.model import accounts
from batchimg_magics.emulator.batch.rest.errors import refusal
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.http.messages import Call

evidence = Evidence("Private Batch accounts")
_CLIENT = evidence.assumed(
    "203.0.113.10",
    "",
    "the public address of every client",
    "an address for documentation, which no rule has by chance",
)
_INSIDE = "emulator-client"
evidence.rule(
    f"A client is inside the network of an account that has an approved private endpoint named `{_INSIDE}`.",
    "the network of the client is not part of the emulator",
)
evidence.rule(
    "The data plane answers 403 AuthorizationFailure to clients in other networks.",
    "no recording or document shows the response",
)


def check(call: Call) -> None:
    """Refuse a request to the data plane of an account from a network that may not reach it."""
    found = accounts.find_by_name(call)
    props = found.doc["properties"] if found is not None else {}
    if not (_has_private_endpoint(props) or _is_public(props)):
        raise refusal("AuthorizationFailure")


def _has_private_endpoint(props: dict[str, Any]) -> bool:
    for connection in props.get("privateEndpointConnections") or []:
        inner = connection.get("properties") or {}
        status = (inner.get("privateLinkServiceConnectionState") or {}).get("status")
        endpoint = str((inner.get("privateEndpoint") or {}).get("id", ""))
        if status == "Approved" and endpoint.rpartition("/")[2].lower() == _INSIDE:
            return True
    return False


def _is_public(props: dict[str, Any]) -> bool:
    if str(props.get("publicNetworkAccess") or "Enabled").lower() != "enabled":
        return False
    access = (props.get("networkProfile") or {}).get("accountAccess") or {}
    if str(access.get("defaultAction") or "Allow").lower() == "allow":
        return True
    client = ipaddress.ip_address(_CLIENT)
    for rule in access.get("ipRules") or []:
        with contextlib.suppress(ValueError):
            if client in ipaddress.ip_network(str(rule.get("value")), strict=False):
                return True
    return False
