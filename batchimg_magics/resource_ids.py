"""Parse and format Azure Resource Manager ids.

``/subscriptions/S/resourceGroups/G/providers/NAMESPACE/TYPE/NAME[/TYPE/NAME...]``. Azure preserves the case
of ids and ignores it in comparisons: ids are equal if they are equal in lower case.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchimg_magics.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable

COMPUTE = "Microsoft.Compute"
BATCH = "Microsoft.Batch"
#: Short names of resource types, for records of what was made or read.
ROLES = {
    "microsoft.batch/batchaccounts": "account",
    "microsoft.batch/batchaccounts/pools": "pool",
    "microsoft.compute/disks": "disk",
    "microsoft.compute/galleries": "gallery",
    "microsoft.compute/galleries/images": "image_definition",
    "microsoft.compute/galleries/images/versions": "image_version",
    "microsoft.compute/images": "image",
    "microsoft.compute/snapshots": "snapshot",
    "microsoft.compute/virtualmachines": "vm",
    "microsoft.network/networkinterfaces": "network_interface",
    "microsoft.network/networksecuritygroups": "security_group",
}
#: The name of an image version whose number is not known yet.
NEW_VERSION = "new"


@dataclass(frozen=True, slots=True)
class ResourceId:
    """The id of a resource, in parts.

    Parameters
    ----------
    subscription, resource_group
        Subscription id and resource group.
    provider
        Namespace, for example ``Microsoft.Compute``.
    path
        (type, name) pairs from parent to child, for example ``(("galleries", "g"), ("images", "i"))``.
    """

    subscription: str
    resource_group: str
    provider: str
    path: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, text: str) -> ResourceId:
        """Parse an id.

        Raises
        ------
        SpecError
            The text is not the id of a resource in a resource group.
        """
        parts = text.strip().strip("/").split("/")
        keywords = [part.lower() for part in parts[:5:2]]
        if (
            keywords != ["subscriptions", "resourcegroups", "providers"]
            or len(parts) < 8
            or len(parts) % 2
            or "" in parts
        ):
            raise SpecError(
                f"{text!r} is not a resource id",
                hint="expected /subscriptions/S/resourceGroups/G/providers/Microsoft.Compute/TYPE/NAME",
            )
        return cls(parts[1], parts[3], parts[5], tuple(zip(parts[6::2], parts[7::2], strict=True)))

    @property
    def group(self) -> str:
        """Id of the resource group."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"

    @property
    def name(self) -> str:
        """Name of the resource: the last one in the path."""
        return self.path[-1][1]

    @property
    def type(self) -> str:
        """The full resource type, for example ``Microsoft.Compute/galleries/images``."""
        return "/".join([self.provider, *(kind for kind, _ in self.path)])

    @property
    def label(self) -> str:
        """Its name as tables show it: that of an image version is of use with its definition only."""
        if self.type.lower() != "microsoft.compute/galleries/images/versions":
            return self.name
        definition = self.path[-2][1]
        return f"{definition} (new version)" if self.is_planned else f"{definition}/{self.name}"

    @property
    def is_planned(self) -> bool:
        """Whether it is an image version whose number is not known yet."""
        return self.path[-1] == ("versions", NEW_VERSION)

    def child(self, kind: str, name: str) -> ResourceId:
        """Return the id of a child resource."""
        return ResourceId(self.subscription, self.resource_group, self.provider, (*self.path, (kind, name)))

    def __str__(self) -> str:
        return f"{self.group}/providers/{self.provider}" + "".join(f"/{kind}/{name}" for kind, name in self.path)


def resources_by_role(ids: Iterable[str]) -> dict[str, str]:
    """Return ids by the role of their resources; further resources of one role have a number: ``snapshot_2``.

    What has no role, such as an image version whose number is not known yet, is left out.
    """
    found: dict[str, str] = {}
    counts: dict[str, int] = {}
    for text in dict.fromkeys(ids):
        resource = ResourceId.parse(text)
        role = ROLES.get(resource.type.lower())
        if role is None or resource.is_planned:
            continue
        count = counts[role] = counts.get(role, 0) + 1
        found[role if count == 1 else f"{role}_{count}"] = text
    return found


def compute_list(subscription: str, kind: str) -> str:
    """Return the path of the Microsoft.Compute resources of a type in a subscription."""
    return f"/subscriptions/{subscription}/providers/{COMPUTE}/{kind}"


def is_same_resource(one: str, other: str) -> bool:
    """Return whether two ids are of the same resource."""
    return one.strip("/").lower() == other.strip("/").lower()
