"""Commands to copy that fix a failed check: of the Azure CLI and of this tool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.pool_spec.line import magic_word, shell_word
from batchimg_magics.resource_ids import ResourceId, is_same_resource

if TYPE_CHECKING:
    from batchimg_magics.core.checks.facts import Facts

#: Where Azure does not report whether something works.
TEST_FIRST = "test with one node first"


def az_location_options(resource: str) -> str:
    """Return the options of `az` for the resource group and subscription of a resource."""
    where = ResourceId.parse(resource)
    return f"--resource-group {shell_word(where.resource_group)} --subscription {shell_word(where.subscription)}"


def create_command(facts: Facts, **more: object) -> str:
    """Return the command that creates the requested pool, with more options."""
    if facts.vm is not None and is_same_resource(ResourceId.parse(facts.vm["id"]).group, facts.scope.account_id.group):
        more = {"from_vm": facts.vm["name"], **more}  # the short form
    return facts.spec.create_line(**more)


def rebuild_command(facts: Facts) -> str:
    """Return the command that creates an image and a pool from a VM, with placeholders for what is unknown."""
    size = facts.spec.vm_size if facts.size_named_by_user else "SIZE"
    return f"`%batchimg create NEW_POOL --from-vm VM --vm-size {magic_word(size)}`"
