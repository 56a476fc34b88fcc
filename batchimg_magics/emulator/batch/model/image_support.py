"""Checks that Batch supports the Marketplace image and the node agent SKU of a pool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm.open_world import OLD_IMAGES, has_retired
from batchimg_magics.emulator.batch.rest.errors import bad_property
from batchimg_magics.emulator.catalog.marketplace import SupportedImage, find
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.world.store import Store

evidence = Evidence("Marketplace images")
evidence.rule(
    "Pools with an image past its end of life are refused.",
    "documented; but pools of Ubuntu 18.04 were recorded in January 2025, 20 months after it",
)


def check_image(store: Store, now: float, reference: dict[str, Any], agent: str) -> SupportedImage:
    """Return the Marketplace image of a pool, or refuse it.

    An image past its end of life is refused, as documented. The setting is `open_world.OLD_IMAGES`.

    Parameters
    ----------
    store, now
        The emulator state, and the simulated time.
    reference
        The imageReference of the pool.
    agent
        The node agent SKU of the pool.
    """
    image = find(reference)
    if image is None or (image.end_of_life is not None and has_retired(store, OLD_IMAGES, now, image.end_of_life)):
        publisher, offer, sku = (reference.get(part, "") for part in ("publisher", "offer", "sku"))
        reason = f"The specified imageReference with publisher {publisher} offer {offer} sku {sku} is not supported."
        raise bad_property("imageReference", None, reason)
    if agent.lower() != image.agent.lower():
        reason = f"The specified imageReference needs the node agent SKU {image.agent}"
        raise bad_property("nodeAgentSKUId", agent, reason)
    return image
