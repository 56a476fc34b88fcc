"""The node agent SKU that an image needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.azure.documents import dig
from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.values import suggest_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.compute.image_source import Source


async def read_supported_images(azure: Azure) -> list[Json]:
    """Return the Marketplace images that Batch supports, each with its node agent SKU, from Azure."""
    client = await azure.batch()
    return await azure.list_documents(client.list_supported_images())


def choose_node_agent(images: Sequence[Json], source: Source, asked: str | None) -> str:
    """Return the node agent SKU for the operating system of an image source.

    Parameters
    ----------
    images, source
        The images that Batch supports, and the image source.
    asked
        The node agent SKU that the user gave; None: choose one by the Marketplace image.

    Raises
    ------
    SpecError
        No node agent fits, or Batch does not have the given one; the hint lists the possible ones.
    """
    of_system = sorted({one["nodeAgentSKUId"] for one in images if one["osType"] == source.os_type.lower()})
    if asked is not None:
        known = {sku.lower(): sku for sku in of_system}
        if asked.lower() not in known:
            raise SpecError(
                f"{asked!r} is not a node agent SKU of Batch for {source.os_type}", hint=suggest_name(asked, of_system)
            )
        return str(known[asked.lower()])
    if source.marketplace is None:
        raise SpecError(
            f"the Marketplace image of {source.description} is not known, and so its node agent SKU is not known",
            hint=f"give --node-agent-sku, one of: {', '.join(of_system)}",
        )
    fitting = entries_of(images, source.marketplace)
    if not fitting:
        raise SpecError(
            f"Batch does not support the Marketplace image of {source.description}: {':'.join(source.marketplace)}",
            hint=f"give a node agent that fits its operating system with --node-agent-sku: {', '.join(of_system)}",
        )
    return str(min(fitting, key=lambda one: one.get("verificationType") != "verified")["nodeAgentSKUId"])


def entries_of(images: Sequence[Json], marketplace: tuple[str, str, str]) -> list[Json]:
    """Return the entries of a Marketplace image in Batch's list of supported images."""
    wanted = tuple(part.lower() for part in marketplace)
    return [one for one in images if _marketplace_key(one) == wanted]


def _marketplace_key(supported: Json) -> tuple[str, ...]:
    return tuple(str(dig(supported, "imageReference", key)).lower() for key in ("publisher", "offer", "sku"))
