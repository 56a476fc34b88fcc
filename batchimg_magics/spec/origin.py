"""Where the image that a pool's nodes are made from comes from."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

__all__ = ["Origin"]

#: Source: Azure Compute Gallery limits, replicas a version.
MAX_REPLICAS = 100


def _known_region(name: str) -> str:
    return name.replace(" ", "").lower()


class Origin(BaseModel):
    """What an image is made from, and how.

    Parameters
    ----------
    from_vm
        The prepared VM: its name in the connection's resource group, or its resource id.
    generalized
        The researcher's word that the VM's system was deprovisioned, for a VM that Azure does not mark generalized.
    node_agent_sku
        The Batch node agent that fits the system; needed only when the VM's Marketplace image is not known.
    replicas
        Region to number of replicas of the image version, beside what the pool's own region needs.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    from_vm: Annotated[str, Field(min_length=1)]
    generalized: bool = False
    node_agent_sku: str | None = None
    replicas: dict[
        Annotated[str, AfterValidator(_known_region)], Annotated[int, Field(ge=1, le=MAX_REPLICAS, strict=True)]
    ] = {}
