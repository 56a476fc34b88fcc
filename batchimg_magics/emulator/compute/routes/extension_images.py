"""Types of VM extensions that publishers offer, and their versions.

Source: Microsoft's OpenAPI of virtual machine extension images.
"""

from __future__ import annotations

from typing import Any

from batchimg_magics.emulator.arm import resources
from batchimg_magics.emulator.catalog.extension_types import ExtensionType, find_type, publishers, types_of
from batchimg_magics.emulator.catalog.platform_images import platform_images, publisher_id
from batchimg_magics.emulator.compute.model.core_quotas import known_region
from batchimg_magics.emulator.compute.routes.platform_images import requested_names
from batchimg_magics.emulator.http.messages import Call, Refusal, Reply, Routes

_TYPES = (
    "/subscriptions/{subscription}/providers/Microsoft.Compute/locations/{location}/publishers/{publisher}"
    "/artifacttypes/vmextension/types"
)
_VERSIONS = f"{_TYPES}/{{type}}/versions"
_NOT_FOUND = "Artifact: VMExtension was not found."
routes = Routes("arm")


def _row(call: Call, kind: ExtensionType, version: str = "") -> dict[str, Any]:
    region = call.params["location"]
    top = publisher_id(call.params["subscription"], region, kind.publisher)
    key = f"{top}/ArtifactTypes/VMExtension/Types/{kind.name}" + (f"/Versions/{version}" if version else "")
    return {"location": region, "name": version or kind.name, "id": key}


def _requested(call: Call) -> ExtensionType:
    resources.need_subscription(call)
    call.params["location"] = known_region(call.params["location"])
    kind = find_type(call.params["publisher"], call.params["type"])
    if kind is None:
        raise Refusal(404, "NotFound", _NOT_FOUND)
    return kind


@routes.on("GET", _TYPES)
def list_types(call: Call) -> Reply:
    """Answer with the types of extensions of a publisher."""
    resources.need_subscription(call)
    call.params["location"] = known_region(call.params["location"])
    name = call.params["publisher"].lower()
    if name not in publishers() and not any(one.publisher.lower() == name for one in platform_images().values()):
        raise Refusal(404, "NotFound", _NOT_FOUND)
    return Reply(200, [_row(call, one) for one in types_of(name)])


@routes.on("GET", _VERSIONS)
def list_versions(call: Call) -> Reply:
    """Answer with the versions of a type, in the order and number of ``$orderby`` and ``$top``."""
    kind = _requested(call)
    return Reply(200, [_row(call, kind, name) for name in requested_names(call, kind.versions)])


@routes.on("GET", f"{_VERSIONS}/{{version}}")
def get_version(call: Call) -> Reply:
    """Answer with one version of a type."""
    kind = _requested(call)
    if call.params["version"] not in kind.versions:
        raise Refusal(404, "NotFound", _NOT_FOUND)
    properties = {
        "operatingSystem": kind.os,
        "computeRole": "IaaS",
        "vmScaleSetEnabled": True,
        "supportsMultipleExtensions": False,
    }
    return Reply(200, {**_row(call, kind, call.params["version"]), "properties": properties})
