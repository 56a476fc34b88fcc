"""Azure Compute Gallery: the resource types, and the security type of an image definition."""

from __future__ import annotations

from typing import Any

GALLERIES = "Microsoft.Compute/galleries"
DEFINITIONS = f"{GALLERIES}/images"
VERSIONS = f"{DEFINITIONS}/versions"


def security_type(definition: dict[str, Any]) -> str:
    """Return the security type in the properties of a definition, ``Standard`` without one."""
    features = definition.get("features") or []
    return next((str(one.get("value")) for one in features if one.get("name") == "SecurityType"), "Standard")
