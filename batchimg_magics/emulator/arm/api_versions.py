"""The api-versions and regions of requests to Resource Manager: those that do not exist for a type are refused.

Source: the refusals that issue threads quote: azure-cli #28496 and #28038, cb-spider #527, azure-rest-api-specs #8577.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from batchimg_magics.emulator.arm import resources
from batchimg_magics.emulator.catalog import regions
from batchimg_magics.emulator.catalog.api_versions import OWN_NAMESPACE, find_type
from batchimg_magics.emulator.http.messages import Refusal
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.http.messages import Call

evidence = Evidence("Api-versions and regions")
evidence.rule(
    "An api-version that a type does not have is refused with NoRegisteredProviderFound if the region is known (of the "
    "body, the resource, or its group), else with InvalidResourceType.",
    "the refusals in issue threads show both; no document tells when which one comes",
)
evidence.rule(
    "Actions and views of a resource have the api-versions of its type.", "their OpenAPI documents are the same"
)
#: Paths with this many segments after ``providers`` are those of the provider itself, not of its types.
_OF_PROVIDER = 1
_ACTIONS_OF_PROVIDER = frozenset({"register", "unregister"})


def check(call: Call, pattern: str) -> None:
    """Refuse a request with an api-version or a region that its type does not have.

    Parameters
    ----------
    call
        The request; its body is decoded.
    pattern
        The path of its route.
    """
    namespace, words = _cached_segments(pattern) if "{namespace}" not in pattern else type_segments(call.path)
    kind, versions = find_type(namespace, words)
    if versions and call.api_version.lower() not in versions:
        raise unknown_version(call, namespace, kind, versions)
    place = call.params.get("location")
    if place is not None and regions.region_name(place) not in regions.DISPLAY_NAMES:
        raise _not_registered(call, str(place), kind, versions)
    if (
        call.method == "PUT"
        and isinstance(call.body, dict)
        and isinstance(wanted := call.body.get("location"), str)
        and wanted.strip()
    ):
        _check_region(namespace, kind, wanted)


def type_segments(path: str) -> tuple[str, tuple[str, ...]]:
    """Return the namespace in a path and its type segments; Resource Manager's own without a provider."""
    parts = path.strip("/").split("/")
    places = [at for at, part in enumerate(parts) if part.lower() == "providers"]
    rest = parts[places[-1] + 1 :] if places else []
    of_provider = len(rest) == _OF_PROVIDER or (len(rest) == _OF_PROVIDER + 1 and rest[1] in _ACTIONS_OF_PROVIDER)
    if rest and not of_provider:
        return rest[0], tuple(rest[1::2])
    in_group = not places and len(parts) > 2 and parts[2].lower() == "resourcegroups"
    return OWN_NAMESPACE, ("resourceGroups" if in_group else "subscriptions",)


_cached_segments = functools.cache(type_segments)


def unknown_version(call: Call, namespace: str, kind: str, versions: tuple[str, ...]) -> Refusal:
    """Return the refusal of an api-version that a type does not have."""
    version = call.api_version
    if namespace == OWN_NAMESPACE and kind in ("subscriptions", "resourceGroups"):
        message = f"The api-version '{version}' is invalid. The supported versions are '{','.join(versions)}'."
        return Refusal(400, "InvalidApiVersionParameter", message)
    if place := _region_of(call):
        return _not_registered(call, place, kind, versions)
    message = (
        f"The resource type '{kind}' could not be found in the namespace '{namespace}' for api version '{version}'. "
        f"The supported api-versions are '{','.join(reversed(versions))}'."
    )
    return Refusal(400, "InvalidResourceType", message)


def _not_registered(call: Call, place: str, kind: str, versions: tuple[str, ...]) -> Refusal:
    message = (
        f"No registered resource provider found for location '{place}' and API version '{call.api_version}' for type "
        f"'{kind}'. The supported api-versions are '{', '.join(reversed(versions))}'. The supported locations are "
        f"'{', '.join(regions.DISPLAY_NAMES)}'."
    )
    return Refusal(400, "NoRegisteredProviderFound", message)


def _region_of(call: Call) -> str:
    """Return the region of a request: in its path or body, of the resource, or of its group; empty if unknown."""
    if "location" in call.params:
        return call.params["location"]
    if isinstance(call.body, dict) and isinstance(call.body.get("location"), str):
        return regions.region_name(call.body["location"])
    group = "/".join(call.path.split("/")[:5]) if "group" in call.params else ""
    for key in (call.path.rstrip("/"), group):
        item = resources.find(call.store, call.now, key) if key else None
        if item is not None and (place := item.doc.get("location")):
            return regions.region_name(place)
    return ""


def _check_region(namespace: str, kind: str, wanted: str) -> None:
    region = regions.region_name(wanted)
    if namespace == OWN_NAMESPACE and kind == "resourceGroups":
        if region not in regions.DISPLAY_NAMES:
            listed = ",".join(regions.DISPLAY_NAMES)
            message = (
                f"The provided location '{wanted}' is not available for resource group. List of available regions is "
                f"'{listed}'."
            )
            raise Refusal(400, "LocationNotAvailableForResourceGroup", message)
        return
    offered = regions.offered_regions(namespace)
    if region not in offered:
        message = (
            f"The provided location '{wanted}' is not available for resource type '{namespace}/{kind}'. List of "
            f"available regions for the resource type is '{','.join(offered)}'."
        )
        raise Refusal(400, "LocationNotAvailableForResourceType", message)
