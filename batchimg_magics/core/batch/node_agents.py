"""Which node agent SKU an image needs."""

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
    """Return the Marketplace images that Batch supports, each with its node agent SKU."""
    client = await azure.batch()
    return await azure.list_documents(client.list_supported_images())


def choose_node_agent(images: Sequence[Json], source: Source, asked: str | None) -> str:
    """Return the node agent SKU for a VM's system.

    Parameters
    ----------
    images, source
        What Batch supports, and which VM.
    asked
        What the researcher wants, which Azure has to know.

    Raises
    ------
    SpecError
        None fits, or the one asked for is not known; the hint says what to give.
    """
    of_system = sorted({one["nodeAgentSKUId"] for one in images if one["osType"] == source.os_type.lower()})
    if asked is not None:
        known = {sku.lower(): sku for sku in of_system}
        if asked.lower() not in known:
            raise SpecError(
                f"{asked!r} is no node agent that Batch has for {source.os_type}", hint=suggest_name(asked, of_system)
            )
        return str(known[asked.lower()])
    if source.marketplace is None:
        raise SpecError(
            f"{source.description} was not made from a Marketplace image that is known, and neither is its node agent",
            hint=f"give --node-agent-sku, one of: {', '.join(of_system)}",
        )
    fitting = entries_of(images, source.marketplace)
    if not fitting:
        raise SpecError(
            f"Batch does not support the image that {source.description} was made from: {':'.join(source.marketplace)}",
            hint=f"give --node-agent-sku if you know one that fits its system: {', '.join(of_system)}",
        )
    return str(min(fitting, key=lambda one: one.get("verificationType") != "verified")["nodeAgentSKUId"])


def entries_of(images: Sequence[Json], marketplace: tuple[str, str, str]) -> list[Json]:
    """Return what Batch's list has of a Marketplace image."""
    wanted = tuple(part.lower() for part in marketplace)
    return [one for one in images if _marketplace_key(one) == wanted]


def _marketplace_key(supported: Json) -> tuple[str, ...]:
    return tuple(str(dig(supported, "imageReference", key)).lower() for key in ("publisher", "offer", "sku"))
