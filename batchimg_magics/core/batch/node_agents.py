"""The node agent SKU that an image needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.batch import distributions
from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.values import suggest_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.batch.distributions import Distribution
    from batchimg_magics.core.compute.image_source import Source


async def read_supported_images(azure: Azure) -> list[Json]:
    """Return the Marketplace images that Batch supports, each with its node agent SKU, from Azure."""
    client = await azure.batch()
    return await azure.list_documents(client.list_supported_images())


def choose_node_agent(
    images: Sequence[Json],
    source: Source,
    asked: str | None,
    system: Distribution | None = None,
    retired: Iterable[str] = (),
) -> str:
    """Return the node agent SKU for the operating system of an image source.

    Parameters
    ----------
    images, source
        The images that Batch supports, and the image source.
    asked
        The node agent SKU that the user gave; None: choose one by the Marketplace image.
    system
        The distribution that the agent in the VM reports; None: not known.
    retired
        Node agent SKUs that the hint must not propose.

    Raises
    ------
    SpecError
        No node agent fits, or Batch does not have the given one; the hint names those for the same system.
    """
    of_system = sorted({one["nodeAgentSKUId"] for one in images if one["osType"] == source.os_type.lower()})
    if asked is not None:
        known = {sku.lower(): sku for sku in of_system}
        if asked.lower() not in known:
            raise SpecError(
                f"{asked!r} is not a node agent SKU of Batch for {source.os_type}", hint=suggest_name(asked, of_system)
            )
        return str(known[asked.lower()])
    fitting = [] if source.marketplace is None else entries_of(images, source.marketplace)
    if fitting:
        return str(min(fitting, key=lambda one: one.get("verificationType") != "verified")["nodeAgentSKUId"])
    mend = hint(images, source, system, retired)
    if source.marketplace is None:
        raise SpecError(
            f"the Marketplace image of {source.description} is not known, and so its node agent SKU is not known",
            hint=mend,
        )
    raise SpecError(
        f"Batch does not support the Marketplace image of {source.description}: {':'.join(source.marketplace)}",
        hint=mend,
    )


def system_of(source: Source) -> Distribution | None:
    """Return the distribution that the Marketplace image of a source has; None where it is not known."""
    if source.os_type.lower() == "windows":
        return distributions.WINDOWS
    return None if source.marketplace is None else distributions.of_image(*source.marketplace)


def nearest_node_agents(
    images: Iterable[Json], source: Source, system: Distribution | None, retired: Iterable[str] = ()
) -> list[str]:
    """Return the node agent SKUs for the same distribution, version and architecture; none where none is near.

    Where only the version is not known, those of all versions are returned, the newest first.

    Parameters
    ----------
    images, source
        The images that Batch supports, and the image source.
    system
        The distribution of the source; None: not known.
    retired
        Node agent SKUs to leave out.
    """
    arm, gone = source.architecture.lower() == "arm64", {sku.lower() for sku in retired}
    names = {str(one["nodeAgentSKUId"]) for one in images if one["osType"] == source.os_type.lower()}
    if system is None:
        return []
    found = [
        (agent, sku)
        for sku in names
        if (agent := distributions.of_agent(sku)) is not None
        and sku.lower() not in gone
        and sku.lower().endswith("arm64") == arm
        and agent.runs(system)
    ]
    return [sku for _, sku in sorted(found, key=lambda one: (one[0].order, one[1]), reverse=True)]


def lasting_images(images: Iterable[Json], source: Source, system: Distribution | None) -> list[str]:
    """Return Marketplace images of the same distribution whose Batch support has no end, the newest first.

    Parameters
    ----------
    images, source, system
        As in `nearest_node_agents`.
    """
    found = []
    arm = source.architecture.lower() == "arm64"
    for one in images:
        agent = distributions.of_agent(str(one["nodeAgentSKUId"]))
        if agent is None or system is None or agent.family != system.family or one.get("batchSupportEndOfLife"):
            continue
        if str(one["nodeAgentSKUId"]).lower().endswith("arm64") != arm or one["verificationType"] != "verified":
            continue
        if ("Generation2VMImage" in one.get("capabilities", ())) == (source.generation == "V2"):
            found.append((agent.order, ":".join(str(dig(one, "imageReference", key)) for key in _IMAGE_KEYS)))
    return [name for _, name in sorted(found, reverse=True)]


def hint(images: Sequence[Json], source: Source, system: Distribution | None, retired: Iterable[str] = ()) -> str:
    """Return what to do about an image source for which Batch lists no node agent.

    Parameters
    ----------
    images, source
        The images that Batch supports, and the image source.
    system
        The distribution that the agent in the VM reports; None: the one of the Marketplace image.
    retired
        Node agent SKUs that must not be proposed.
    """
    system = system or system_of(source)
    listed = "prepare a VM from an image that `az batch pool supported-images list` returns"
    if nearest := nearest_node_agents(images, source, system, retired):
        others = f"; or, for another version: {', '.join(nearest[1:])}" if nearest[1:] else ""
        return f"specify --node-agent-sku {nearest[0]!r}, the node agent for the same system{others}"
    if system is None:
        return f"{listed}; if you know which node agent fits the system: --node-agent-sku"
    newer = lasting_images(images, source, system)[:2]
    return f"Batch has no node agent for {system}: {listed}{f', for example {newer[0]}' if newer else ''}"


_IMAGE_KEYS = ("publisher", "offer", "sku")


def entries_of(images: Sequence[Json], marketplace: tuple[str, str, str]) -> list[Json]:
    """Return the entries of a Marketplace image in Batch's list of supported images."""
    wanted = tuple(part.lower() for part in marketplace)
    return [one for one in images if _marketplace_key(one) == wanted]


def _marketplace_key(supported: Json) -> tuple[str, ...]:
    return tuple(str(dig(supported, "imageReference", key)).lower() for key in _IMAGE_KEYS)
