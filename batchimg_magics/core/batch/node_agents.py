"""The node agent SKU that an image needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.batch import distributions, retirements
from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.values import suggest_name

if TYPE_CHECKING:
    import datetime as dt
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
    today: dt.date | None = None,
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
    today
        The service's date: the hint proposes nothing that has ended.

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
    fix = hint(images, source, system, today)
    if source.marketplace is None:
        raise SpecError(
            f"the Marketplace image of {source.description} is not known, and so its node agent SKU is not known",
            hint=fix,
        )
    raise SpecError(
        f"Batch does not support the Marketplace image of {source.description}: {':'.join(source.marketplace)}",
        hint=fix,
    )


def os_type_of(sku: str) -> str:
    """Return the operating system of a node agent SKU: ``Windows`` or ``Linux``."""
    return "Windows" if sku.lower().startswith("batch.node.windows") else "Linux"


def architecture_of(sku: str) -> str:
    """Return the processor architecture of a node agent SKU: ``Arm64`` or ``x64``. Source: recordings."""
    return "Arm64" if sku.lower().endswith("arm64") else "x64"


def _is_for_architecture(sku: str, source: Source) -> bool:
    return (architecture_of(sku) == "Arm64") == (source.architecture.lower() == "arm64")


def system_of(source: Source) -> Distribution | None:
    """Return the distribution that the Marketplace image of a source has; None where it is not known."""
    if source.os_type.lower() == "windows":
        return distributions.WINDOWS
    return None if source.marketplace is None else distributions.of_image(*source.marketplace)


def nearest_node_agents(
    images: Sequence[Json], source: Source, system: Distribution | None, today: dt.date | None = None
) -> list[str]:
    """Return the node agent SKUs for the same distribution, version and architecture; none where none is near.

    Where only the version is not known, those of all versions are returned, the newest first. One that Batch does not
    support any more is not near.

    Parameters
    ----------
    images, source
        The images that Batch supports, and the image source.
    system
        The distribution of the source; None: not known.
    today
        The service's date: node agents that have ended are left out; None: not known.
    """
    if system is None:
        return []
    found = [
        (agent, sku)
        for sku in {str(one["nodeAgentSKUId"]) for one in images if one["osType"] == source.os_type.lower()}
        if (agent := distributions.of_agent(sku)) is not None
        and _is_for_architecture(sku, source)
        and agent.runs(system)
        and (today is None or (end_of_agent(images, sku) or today) >= today)
    ]
    return [sku for _, sku in sorted(found, key=lambda one: (one[0].order, one[1]), reverse=True)]


def end_of_agent(images: Iterable[Json], sku: str) -> dt.date | None:
    """Return the last day on which Batch supports a node agent SKU; None where no end is announced.

    A node agent runs on several Marketplace images. In Batch's list it ends with the last of them.
    """
    ends = [str(one.get("batchSupportEndOfLife") or "") for one in images if is_of_agent(one, sku)]
    return retirements.end_of("node-agent", sku, max(ends) if ends and all(ends) else None)


def end_of_image(images: Sequence[Json], marketplace: tuple[str, str, str]) -> dt.date | None:
    """Return the last day on which Batch supports a Marketplace image; None where no end is announced."""
    ends = [str(one.get("batchSupportEndOfLife") or "") for one in entries_of(images, marketplace)]
    return retirements.end_of("image", ":".join(marketplace), max(ends) if ends and all(ends) else None)


def is_of_agent(supported: Json, sku: str) -> bool:
    """Return whether a supported image has a node agent SKU."""
    return bool(str(supported["nodeAgentSKUId"]).lower() == sku.lower())


def lasting_images(images: Sequence[Json], source: Source, system: Distribution | None) -> list[str]:
    """Return Marketplace images of the same distribution for which no end is announced, the newest first.

    Parameters
    ----------
    images, source, system
        As in `nearest_node_agents`.
    """
    if system is None:
        return []
    found = []
    for one in images:
        sku, names = str(one["nodeAgentSKUId"]), _names(one)
        agent = distributions.of_agent(sku)
        if (
            agent is not None
            and agent.family == system.family
            and one.get("verificationType") == "verified"
            and _is_for_architecture(sku, source)
            and ("Generation2VMImage" in one.get("capabilities", ())) == (source.generation == "V2")
            and not end_of_image(images, names)
            and not end_of_agent(images, sku)
        ):
            # Images for containers or HPC have more capabilities than the system alone.
            same = source.marketplace is not None and names[0] == source.marketplace[0].lower()
            found.append((agent.order, same, -len(one.get("capabilities", ())), ":".join(names)))
    return [name for *_, name in sorted(found, reverse=True)]


def hint(images: Sequence[Json], source: Source, system: Distribution | None, today: dt.date | None) -> str:
    """Return what to do about an image source for which Batch lists no node agent.

    Parameters
    ----------
    images, source
        The images that Batch supports, and the image source.
    system
        The distribution that the agent in the VM reports; None: the one of the Marketplace image.
    today
        The service's date: nothing that has ended is proposed.
    """
    system = system or system_of(source)
    listed = "prepare a VM from an image that `az batch pool supported-images list` returns"
    if nearest := nearest_node_agents(images, source, system, today):
        others = f"; or, for another version: {', '.join(nearest[1:])}" if nearest[1:] else ""
        ends = end_of_agent(images, nearest[0])
        until = f", which ends on {ends}" if ends else ""
        return f"specify --node-agent-sku {nearest[0]!r}, the node agent for the same system{until}{others}"
    if system is None:
        return f"{listed}; if you know which node agent fits the system: --node-agent-sku"
    newer = lasting_images(images, source, system)[:2]
    return f"Batch has no node agent for {system}: {listed}{f', for example {newer[0]}' if newer else ''}"


_IMAGE_KEYS = ("publisher", "offer", "sku")


def entries_of(images: Sequence[Json], marketplace: tuple[str, str, str]) -> list[Json]:
    """Return the entries of a Marketplace image in Batch's list of supported images."""
    wanted = tuple(part.lower() for part in marketplace)
    return [one for one in images if _names(one) == wanted]


def _names(supported: Json) -> tuple[str, str, str]:
    publisher, offer, sku = (str(dig(supported, "imageReference", key)).lower() for key in _IMAGE_KEYS)
    return publisher, offer, sku
