"""References in bodies of Microsoft.Compute: to resources of which type, in which subscription, that exist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.emulator.arm import bodies, open_world, resources
from batchimg_magics.emulator.catalog import regions
from batchimg_magics.emulator.http.messages import Refusal
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.http.messages import Call

evidence = Evidence("References to other resources")
evidence.rule(
    "A reference into a subscription that does not exist is refused with 403 LinkedAuthorizationFailed.",
    "Azure's text for it is known from issue threads; it does not tell a missing subscription from a closed one",
)


def need(call: Call, key: object, parameter: str, kind: str) -> None:
    """Refuse a reference to anything but an existing resource of a type.

    Parameters
    ----------
    call
        The request; in open mode the resource exists.
    key, parameter
        The id in the body, and the name of its member.
    kind
        The type, e.g. ``Microsoft.Compute/diskEncryptionSets``.
    """
    need_linked_subscription(call, key)
    try:
        found = resources.type_of(str(key))
    except ValueError:
        found = ""
    if found.lower() != kind.lower():
        raise bodies.invalid(parameter, f"The value '{key}' of parameter '{parameter}' is not the id of a {kind}.")
    if resources.find(call.store, call.now, str(key)) is None and not open_world.is_open(call.store):
        raise Refusal(404, "NotFound", f"Resource {str(key).rpartition('/')[2]} is not found.")


def need_linked_subscription(call: Call, key: object) -> None:
    """Refuse a reference into a subscription that does not exist."""
    words = str(key).strip("/").split("/")
    if len(words) < 2 or words[0].lower() != "subscriptions" or open_world.has_subscription(call.store, words[1]):
        return
    message = (
        f"The client has permission to perform action '{call.method}' on scope '{call.path}', however the current "
        f"tenant is not authorized to access linked subscription '{words[1]}'."
    )
    raise Refusal(403, "LinkedAuthorizationFailed", message)


# -- zones -------------------------------------------------------------------------------------------------------

_ZONES = ("1", "2", "3")


def check_zones(kind: str, zones: object, location: str, *, zonal: bool) -> None:
    """Refuse availability zones that a type or a region does not have. Source: Azure's codes in issue threads.

    Parameters
    ----------
    kind
        The last segment of the type, e.g. ``disks``.
    zones, location
        In the body.
    zonal
        Whether the type has a zone.
    """
    if not zones:
        return
    asked = [str(one) for one in zones] if isinstance(zones, list) else [str(zones)]
    if not zonal:
        message = f"The resource type '{kind}' does not support availability zones at location '{location}'."
        raise Refusal(400, "ResourceTypeNotSupportAvailabilityZones", message)
    if len(asked) > 1:
        message = (
            f"The resource type '{kind}' does not support multiple availability zones. The provided zones are "
            f"'{','.join(asked)}'. Please provide a single availability zone."
        )
        raise Refusal(400, "ResourceTypeNotSupportMultiZones", message)
    if regions.region_name(location) not in regions.REGIONS_WITH_ZONES:
        message = f"The location '{location}' does not support availability zones."
        raise Refusal(400, "LocationNotSupportAvailabilityZones", message)
    if asked[0] not in _ZONES:
        message = (
            f"The zone(s) '{asked[0]}' for resource type '{kind}' is not supported. The supported zones for location "
            f"'{location}' are '{','.join(_ZONES)}'."
        )
        raise Refusal(400, "InvalidAvailabilityZone", message)
