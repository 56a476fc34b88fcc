"""Open mode: which resources exist although no request created them, and what Azure has retired.

Recordings begin in the middle and are of any year. In open mode (`create_app`), subscriptions, resource groups and
Batch accounts exist as soon as a request names them, and nothing is retired. Otherwise only what was created exists,
and the emulator's date decides what is retired. A setting in the emulator state takes precedence over both. In the
closed world of ``create_app(open=False)`` every subscription exists, but is empty: no request creates a subscription.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.world.store import Store

#: The setting of the emulator state that turns open mode on.
_OPEN = "open_groups"
#: The setting with which every subscription exists.
_EVERY_SUBSCRIPTION = "every_subscription"
evidence = Evidence("Open and closed world of create_app")
evidence.rule(
    "Open mode requires no passwords of users, no keys of mounts, no known VM size or extension, no core "
    "quotas, and no pause between two changes of autoscale; everything else it refuses as the closed world does.",
    "recordings have no secrets, are of any year and of subscriptions with other quotas, and time stands still in them",
)
evidence.rule(
    "Every subscription exists, is empty, and may create a Batch account without a registration of Microsoft.Batch.",
    "no request to Resource Manager creates a subscription",
)
#: The settings of the emulator state for what may be retired, each ``taken`` or ``retired``.
MANAGED_IMAGE_POOLS = "managed_image_pools"
OLD_IMAGES = "images_past_end_of_life"
CLASSIC_COMMUNICATION = "classic_node_communication"
#: Source: Microsoft's retirement notice for pools of custom images without the gallery.
MANAGED_IMAGES_END = datetime(2026, 3, 31, tzinfo=UTC).timestamp()
#: Source: Batch, "Use simplified compute node communication".
CLASSIC_COMMUNICATION_END = datetime(2026, 3, 31, tzinfo=UTC).timestamp()


def set_open(store: Store, *, value: bool) -> None:
    """Turn open mode on or off."""
    store.set_meta(_OPEN, value=value)


def is_open(store: Store) -> bool:
    """Tell whether open mode is on."""
    return bool(store.meta(_OPEN))


def add_every_subscription(store: Store) -> None:
    """Let every subscription exist, with nothing in it."""
    store.set_meta(_EVERY_SUBSCRIPTION, value=True)


def has_every_subscription(store: Store) -> bool:
    """Tell whether every subscription exists."""
    return bool(store.meta(_EVERY_SUBSCRIPTION))


def has_subscription(store: Store, name: str) -> bool:
    """Tell whether a subscription exists: by itself, because it contains something, or because every one does."""
    key = f"/subscriptions/{name}"
    return store.has_below(key) or store.get(key) is not None or has_every_subscription(store)


def has_group(store: Store, key: str, *, named: bool) -> bool:
    """Tell whether a resource group that was never created exists: only in open mode.

    Parameters
    ----------
    store
        The emulator state.
    key
        Id of the resource group in lower case.
    named
        Whether the request names a resource in the group. If it only lists the group's resources, the group exists if
        it contains something.
    """
    return is_open(store) and (named or store.has_below(key))


def has_retired(store: Store, what: str, now: float, end: float) -> bool:
    """Tell whether Azure has retired something.

    Parameters
    ----------
    store
        The emulator state; a setting in it takes precedence over the date.
    what
        Name of the setting.
    now, end
        The emulator's time, and the announced end, in seconds since 1970.
    """
    setting = store.meta(what)
    if setting is not None:
        return bool(setting == "retired")
    return now >= end and not is_open(store)
