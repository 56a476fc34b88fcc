"""Azure Resource Manager ids: parse and format them.

``/subscriptions/S/resourceGroups/G/providers/NAMESPACE/TYPE/NAME[/TYPE/NAME...]``. Azure keeps the case it was given
and tells none apart, so ids are equal when they are equal in lower case.
"""

from __future__ import annotations

from dataclasses import dataclass

from batchimg_magics.errors import SpecError

COMPUTE = "Microsoft.Compute"
BATCH = "Microsoft.Batch"


@dataclass(frozen=True, slots=True)
class ResourceId:
    """One resource's id, in parts.

    Parameters
    ----------
    subscription, resource_group
        Where it is.
    provider
        Namespace, e.g. ``Microsoft.Compute``.
    path
        (type, name) pairs from the outside in, e.g. ``(("galleries", "g"), ("images", "i"))``.
    """

    subscription: str
    resource_group: str
    provider: str
    path: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, text: str) -> ResourceId:
        """Read an id.

        Raises
        ------
        SpecError
            It is not the id of a resource in a resource group.
        """
        parts = text.strip().strip("/").split("/")
        words = [p.lower() for p in parts[:5:2]]
        if words != ["subscriptions", "resourcegroups", "providers"] or len(parts) < 8 or len(parts) % 2 or "" in parts:
            raise SpecError(
                f"{text!r} is not a resource id",
                hint="it reads /subscriptions/S/resourceGroups/G/providers/Microsoft.Compute/TYPE/NAME",
            )
        return cls(parts[1], parts[3], parts[5], tuple(zip(parts[6::2], parts[7::2], strict=True)))

    @property
    def group(self) -> str:
        """The id of the resource group that it is in."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"

    @property
    def name(self) -> str:
        """The last name."""
        return self.path[-1][1]

    @property
    def type(self) -> str:
        """The resource type in full, e.g. ``Microsoft.Compute/galleries/images``."""
        return "/".join([self.provider, *(kind for kind, _ in self.path)])

    def child(self, kind: str, name: str) -> ResourceId:
        """Return the id of a resource inside this one."""
        return ResourceId(self.subscription, self.resource_group, self.provider, (*self.path, (kind, name)))

    def __str__(self) -> str:
        return f"{self.group}/providers/{self.provider}" + "".join(f"/{kind}/{name}" for kind, name in self.path)


def is_same_resource(one: str, other: str) -> bool:
    """Tell whether two ids name the same resource."""
    return one.strip("/").lower() == other.strip("/").lower()
