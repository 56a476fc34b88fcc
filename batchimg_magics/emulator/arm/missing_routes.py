"""Requests to Resource Manager that the emulator does not implement, and those for what Azure does not have either."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.emulator.arm import api_versions
from batchimg_magics.emulator.catalog.api_versions import OWN_NAMESPACE, all_namespaces, find_type, has_types
from batchimg_magics.emulator.http import planes
from batchimg_magics.emulator.http.messages import Refusal

if TYPE_CHECKING:
    from batchimg_magics.emulator.http.messages import Call


def refusal(call: Call) -> Refusal:
    """Return the refusal of a request without a route.

    Azure's own refusal if Azure has no such provider, resource type or api-version; else 501 with the name of what is
    missing.
    """
    namespace, words = api_versions.type_segments(call.path)
    spelled = all_namespaces().get(namespace.lower())
    if spelled is None:
        return Refusal(404, "InvalidResourceNamespace", f"The resource namespace '{namespace}' is invalid.")
    kind, versions = find_type(spelled, words)
    if not kind and has_types(spelled) and words:
        message = (
            f"The resource type '{'/'.join(words)}' could not be found in the namespace '{spelled}' for api version "
            f"'{call.api_version}'."
        )
        return Refusal(404, "InvalidResourceType", message)
    if kind and call.api_version.lower() not in versions:
        return api_versions.unknown_version(call, spelled, kind, versions)
    shown = "/".join(words) or "this path"
    what = "" if spelled == OWN_NAMESPACE and shown in ("subscriptions", "resourceGroups") else f"{shown} of {spelled}"
    return planes.unknown_route(call.method, call.path, call.api_version, what=what)
