"""Templates, and requests that deploy them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.furnish import GROUP, SUBSCRIPTION

if TYPE_CHECKING:
    from tests.support.compute_emulator import ComputeEmulator, EmulatorResponse

VERSION = "2024-11-01"
SCOPE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}"
DEPLOYMENTS = f"{SCOPE}/providers/Microsoft.Resources/deployments"
ONE = f"{DEPLOYMENTS}/one"
SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"


def template(*resources: dict[str, Any], **sections: Any) -> dict[str, Any]:
    return {"$schema": SCHEMA, "contentVersion": "1.0.0.0", "resources": list(resources), **sections}


def deploy(azure: ComputeEmulator, document: Any, path: str = ONE, **parameters: Any) -> EmulatorResponse:
    given = {name: {"value": value} for name, value in parameters.items()}
    body = {"properties": {"mode": "Incremental", "template": document, "parameters": given}}
    return azure.ask("POST" if path.endswith("/validate") else "PUT", path, body, VERSION)
