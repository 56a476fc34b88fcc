"""What to do about a rule that is not kept, as lines to paste: of Azure's command line, and of this tool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.resource_ids import ResourceId, same
from batchimg_magics.spec.lines import line

if TYPE_CHECKING:
    from batchimg_magics.core.facts import Facts


def inside(resource: str) -> str:
    """Return the options of `az` that say where a resource is."""
    where = ResourceId.parse(resource)
    return f"--resource-group {where.resource_group} --subscription {where.subscription}"


def again(facts: Facts, **more: object) -> str:
    """Return the line that makes the pool as it was asked for, with something more; what a cell says stays unsaid."""
    spec = facts.spec
    asked = {name: value for name, value in spec if name in spec.model_fields_set and value is not None}
    said = {name: value for name, value in asked.items() if _is_plain(value)}
    if facts.vm is not None and same(ResourceId.parse(facts.vm["id"]).group, facts.scope.account_id.group):
        said["from_vm"] = facts.vm["name"]  # as one would type it
    rest = ", ".join(name.replace("_", "-") for name in asked.keys() - said.keys())
    return f"`{line('create', said | more)}`{f' with {rest} as before' if rest else ''}"


def _is_plain(value: object) -> bool:
    """Tell whether an option can say a value."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else (value,)
    return all(isinstance(one, (str, int, float)) for one in inside)


def anew(facts: Facts) -> str:
    """Return the line that makes an image and a pool of a VM, as far as anybody knows how."""
    size = facts.spec.vm_size if facts.sized else "SIZE"
    return f"`%batchimg create NEW_POOL --from-vm VM --vm-size {size}`"
