"""What Azure has stopped taking by the world's date, and the switches that say otherwise.

An *open* world (``create_app``) plays recordings of any year: in it nothing has retired, groups and accounts that
nobody made are there. In a furnished world the date decides; a setting of the world decides before either.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchimg_magics.emulator.world.store import Store

#: The settings of the world, each ``taken`` or ``retired``.
MANAGED_IMAGE_POOLS = "managed_image_pools"
OLD_IMAGES = "images_past_end_of_life"
#: Source: Microsoft's retirement notice for pools of custom images without the gallery.
MANAGED_IMAGES_END = datetime(2026, 3, 31, tzinfo=UTC).timestamp()


def is_open(store: Store) -> bool:
    """Tell whether a world plays recordings, which begin in the middle and on days long past."""
    return bool(store.meta("open_groups"))


def has_retired(store: Store, what: str, now: float, end: float) -> bool:
    """Tell whether Azure takes something no more.

    Parameters
    ----------
    world
        Its setting decides before its date.
    what
        Name of the setting.
    now, end
        The world's time, and when Azure said it would stop.
    """
    setting = store.meta(what)
    if setting is not None:
        return bool(setting == "retired")
    return now >= end and not is_open(store)
