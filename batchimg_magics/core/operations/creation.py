"""What `create` reads before it changes anything: the image, the pool, and what is decided about them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchimg_magics.core.base.node_counts import Counts, current_counts
from batchimg_magics.core.batch import pool_request
from batchimg_magics.core.batch.pool_diff import SCALE
from batchimg_magics.pool_spec.words import count_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.batch.pool_update import PoolDecision
    from batchimg_magics.core.batch.pools import PoolImage
    from batchimg_magics.core.checks.facts import Facts
    from batchimg_magics.core.checks.rules.rule import Finding
    from batchimg_magics.core.compute.image_source import Source
    from batchimg_magics.core.images.build import ImageBuild
    from batchimg_magics.core.operations.copies import CopyCost
    from batchimg_magics.pool_spec.pool import PoolSpec
    from batchimg_magics.resource_ids import ResourceId

__all__ = ["Creation"]


@dataclass(frozen=True, slots=True)
class Creation:
    """What `create` read before it changes anything.

    Parameters
    ----------
    spec
        The requested pool.
    build
        The image, and what exists of it.
    agent, size
        Node agent SKU, and the VM size as Azure spells it.
    account, in_subscription
        The Batch account's id, and whether its nodes are VMs in the user's subscription.
    facts, pool
        What the preflight checks read; the existing pool, if any.
    findings
        The findings of the rules, without errors.
    pool_decision
        What `create` does with the existing pool.
    copy_cost
        What the temporary copy of the VM costs; None: there is none.
    counts
        The requested nodes; with `take_what_fits`, those that the quotas allow now.
    first_node
        Whether one node is started first, to test the image and the start task.
    """

    spec: PoolSpec
    build: ImageBuild
    agent: str
    size: str
    account: ResourceId
    in_subscription: bool
    facts: Facts
    pool: Json | None
    findings: Sequence[Finding]
    pool_decision: PoolDecision | None = None
    copy_cost: CopyCost | None = None
    counts: Counts = dataclasses.field(default_factory=Counts)
    first_node: bool = False

    @property
    def source(self) -> Source:
        """What the image is made from."""
        return self.build.origin.source

    def body(self, image: PoolImage) -> Json:
        """Return the ARM document of the pool."""
        return pool_request.pool_body(
            self.spec,
            self.source,
            image,
            self.agent,
            self.size,
            self.account,
            connection_tags=self.build.azure.resource_tags,
            in_subscription=self.in_subscription,
        )

    @property
    def decision(self) -> str:
        """What `create` does with the existing pool: ``exists``, ``changed``, ``replaced``; empty if there is none."""
        return self.pool_decision.action if self.pool_decision else ""

    @property
    def kept_pool(self) -> Json | None:
        """The existing pool that is kept; None if a pool is to be created."""
        return None if self.decision == "replaced" else self.pool

    @property
    def may_remove_nodes(self) -> bool:
        """Whether the existing pool gets another formula, which may remove nodes of it."""
        if self.pool is None or self.pool_decision is None or self.decision != "changed":
            return False
        scales = any(one.group == SCALE for one in self.pool_decision.differences)
        return scales and bool(self.spec.formula) and current_counts(self.pool).total > 0

    @property
    def replacement_reason(self) -> str:
        """What is deleted for the new pool and why, as text."""
        if self.pool is None or self.pool_decision is None:
            return ""
        return f"{count_text(current_counts(self.pool).total, 'node')}; {self.pool_decision.why}"
