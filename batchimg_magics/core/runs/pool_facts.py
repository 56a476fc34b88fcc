"""What a run needs to know of its pool: the system, the task slots, the nodes, the identities, the price of a node."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.batch import expiry, node_agents, pools
from batchimg_magics.core.estimates import prices
from batchimg_magics.errors import SpecError

if TYPE_CHECKING:
    import datetime as dt

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json

__all__ = ["NodePrices", "RunPool", "read_prices"]


@dataclass(frozen=True, slots=True)
class NodePrices:
    """What a task slot of a pool costs in US dollars per hour. None: not known.

    Parameters
    ----------
    dedicated, spot
        By the kind of the node.
    """

    dedicated: float | None = None
    spot: float | None = None

    def text(self) -> str:
        """Return them for the metadata of a job."""
        return json.dumps([self.dedicated, self.spot])

    @classmethod
    def parse(cls, text: str) -> NodePrices:
        """Return the prices of the metadata of a job; anybody can change it."""
        try:
            found = json.loads(text)
            dedicated, spot = (None if one is None else float(one) for one in found)
        except (ValueError, TypeError):
            return cls()
        return cls(dedicated, spot)

    def of_node(self, node_id: str) -> float | None:
        """Return the price of a slot of a node. The id of a Spot node ends with ``_p``. Source: recordings."""
        return self.spot if node_id.endswith("_p") else self.dedicated


@dataclass(frozen=True, slots=True)
class RunPool:
    """A pool.

    Parameters
    ----------
    name
        Its name, as Azure spells it.
    is_windows
        Whether its nodes run Windows.
    slots
        Task slots of a node.
    dedicated, spot
        The nodes that it has.
    has_nodes
        Whether it has nodes, is to have some, or has a formula that may ask for some.
    identities
        Resource ids of its user-assigned managed identities.
    expires
        When all its nodes are removed; None: never.
    has_containers
        Whether its tasks must run in containers.
    mounts
        The folders of its mounts, below the one of `AZ_BATCH_NODE_MOUNTS_DIR`.
    """

    name: str
    is_windows: bool
    slots: int
    dedicated: int
    spot: int
    has_nodes: bool
    identities: tuple[str, ...]
    expires: dt.datetime | None
    has_containers: bool
    mounts: tuple[str, ...] = ()

    @classmethod
    def of(cls, found: Json) -> RunPool:
        """Return the facts of a pool's document in Azure Resource Manager."""
        properties = found["properties"]
        fixed = dig(properties, "scaleSettings", "fixedScale") or {}
        dedicated = int(properties.get("currentDedicatedNodes") or 0)
        spot = int(properties.get("currentLowPriorityNodes") or 0)
        targets = (fixed.get("targetDedicatedNodes"), fixed.get("targetLowPriorityNodes"))
        machine = dig(properties, "deploymentConfiguration", "virtualMachineConfiguration") or {}
        return cls(
            str(found["name"]),
            node_agents.os_type_of(pools.agent_of(found)) == "Windows",
            int(properties.get("taskSlotsPerNode") or 1),
            dedicated,
            spot,
            bool(dedicated or spot or any(targets) or dig(properties, "scaleSettings", "autoScale")),
            tuple(dig(found, "identity", "userAssignedIdentities") or ()),
            expiry.expires_of(found),
            bool(machine.get("containerConfiguration")),
            tuple(
                str(mount["relativeMountPath"]).strip("/")
                for one in properties.get("mountConfiguration") or ()
                for mount in one.values()
                if mount
            ),
        )

    def check(self, slots: int, container: str) -> None:
        """Check that the tasks of a run can ever run on it.

        Raises
        ------
        SpecError
            They cannot.
        """
        if not self.has_nodes:
            raise SpecError(
                f"pool {self.name} has no nodes, and the tasks would wait for ever",
                hint=f"`%batchimg resize {self.name} --nodes N --no-wait` first; it need not be ready",
            )
        if slots > self.slots:
            raise SpecError(
                f"--slots is {slots}, and a node of pool {self.name} has {self.slots}", hint="the task would never run"
            )
        if self.has_containers != bool(container):
            raise SpecError(
                f"pool {self.name} runs tasks in containers"
                if self.has_containers
                else f"pool {self.name} has no containers",
                hint="add --container IMAGE"
                if self.has_containers
                else "remove --container, or create the pool with it",
            )


async def read_prices(azure: Azure, pool: Json, slots: int) -> NodePrices:
    """Return what the slots of one task cost, given a pool's document and the slots that the task takes."""
    rates = await prices.read_pool_rates(azure, pool)
    share = slots / int(pool["properties"].get("taskSlotsPerNode") or 1)
    kinds = (rates.node_usd_per_hour(dedicated=one) for one in (True, False))
    return NodePrices(*(None if one is None else one * share for one in kinds))
