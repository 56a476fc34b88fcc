"""Whether Batch takes the Marketplace image and the node agent SKU of a pool."""

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
    "From its end of life on an image makes no pools.",
    "documented; but pools of Ubuntu 18.04 were recorded in January 2025, 20 months after it",
)


def check_image(store: Store, now: float, reference: dict[str, Any], agent: str) -> SupportedImage:
    """Return the Marketplace image of a pool, or refuse it.

    Past its end of life an image is refused, as documented. The switch is `open_world.OLD_IMAGES`.

    Parameters
    ----------
    world, now
        The world and its time.
    reference
        The pool's imageReference.
    agent
        The pool's node agent SKU.
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
