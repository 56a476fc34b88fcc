"""What to do about a rule that is not kept, as lines to paste: of Azure's command line, and of this tool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.resource_ids import ResourceId, is_same_resource

if TYPE_CHECKING:
    from batchimg_magics.core.checks.facts import Facts


def az_location_options(resource: str) -> str:
    """Return the options of `az` that say where a resource is."""
    where = ResourceId.parse(resource)
    return f"--resource-group {where.resource_group} --subscription {where.subscription}"


def create_command(facts: Facts, **more: object) -> str:
    """Return the line that makes the pool as it was asked for, with something more."""
    if facts.vm is not None and is_same_resource(ResourceId.parse(facts.vm["id"]).group, facts.scope.account_id.group):
        more = {"from_vm": facts.vm["name"], **more}  # as one would type it
    return facts.spec.create_line(**more)


def rebuild_command(facts: Facts) -> str:
    """Return the line that makes an image and a pool of a VM, as far as anybody knows how."""
    size = facts.spec.vm_size if facts.size_named_by_user else "SIZE"
    return f"`%batchimg create NEW_POOL --from-vm VM --vm-size {size}`"
