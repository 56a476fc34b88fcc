"""What does not exist, by its type: Azure reports any missing resource as not found.

Source: the resource types in the error messages of Azure Resource Manager, Compute and Network.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_ID = re.compile(r"(?P<provider>microsoft\.\w+)(?P<path>(?:/[\w-]+/[\w.()-]+)+)", re.IGNORECASE)


class MissingResource(NamedTuple):
    """A type of resource that may be missing.

    Parameters
    ----------
    types
        The last word of the type in ids, in lower case, more than one if they mean the same.
    words
        Words for it in messages and codes, in lower case.
    name
        The cause, in plain words.
    fix
        What to do about it.
    """

    types: tuple[str, ...]
    words: tuple[str, ...]
    name: str
    fix: str


#: A more special type is before a more general one.
MISSING_RESOURCES = (
    MissingResource(
        ("subnets",), ("subnet",), "the pool's subnet does not exist",
        "create the subnet again, or create the pool again in another one",
    ),
    MissingResource(
        ("virtualnetworks",), ("virtual network", "virtualnetwork", "vnet"),
        "the virtual network of the pool's subnet does not exist",
        "create the virtual network again, or create the pool again in another subnet",
    ),
    MissingResource(
        ("networksecuritygroups",), ("security group", "securitygroup", "nsg"),
        "a network security group does not exist",
        "create the network security group again, or take it off the subnet",
    ),
    MissingResource(
        ("routetables",), ("route table", "routetable"), "a route table of the subnet does not exist",
        "create the route table again, or take it off the subnet",
    ),
    MissingResource(
        ("natgateways",), ("nat gateway", "natgateway"), "the NAT gateway of the subnet does not exist",
        "create the NAT gateway again, or take it off the subnet",
    ),
    MissingResource(
        ("publicipaddresses", "publicipprefixes"), ("public ip", "publicip"),
        "a public IP address of the pool does not exist",
        "create the public IP address again, or create the pool again without it",
    ),
    MissingResource(
        ("loadbalancers",), ("load balancer", "loadbalancer"), "a load balancer does not exist",
        "create the pool again: Batch creates its load balancer",
    ),
    MissingResource(
        ("diskencryptionsets",), ("disk encryption set", "diskencryptionset"), "the disk encryption set does not exist",
        "create the disk encryption set again, or create the pool again without it",
    ),
    MissingResource(
        ("secrets", "keys"), ("keyvaultkey", "keyvaultsecret"), "a key or secret in the key vault does not exist",
        "recover the key or secret in the key vault, or use another one",
    ),
    MissingResource(
        ("vaults",), ("key vault", "keyvault"), "the key vault does not exist",
        "recover the key vault (`az keyvault recover`), or use another one",
    ),
    MissingResource(
        ("userassignedidentities",), ("identity", "userassignedidentit"),
        "a managed identity of the pool does not exist",
        "create the managed identity again, or create the pool again without it",
    ),
    MissingResource(
        ("capacityreservationgroups", "capacityreservations"), ("capacity reservation",),
        "the capacity reservation does not exist", "create the pool again without the capacity reservation",
    ),
    MissingResource(
        ("proximityplacementgroups",), ("proximity placement",), "the proximity placement group does not exist",
        "create the pool again without the proximity placement group",
    ),
    MissingResource(
        ("applications",), ("application package",),
        "an application package of the pool does not exist",
        "upload the application package again, or take it off the pool",
    ),
    MissingResource(
        ("storageaccounts", "containers", "blobs"), ("storage account", "storageaccount", "blob"),
        "a storage account of the pool does not exist",
        "create the storage account again, or create the pool without it",
    ),
    MissingResource(
        ("snapshots",), ("snapshot",), "the snapshot under the image does not exist",
        "create the image again: the pool needs one whose sources exist",
    ),
    MissingResource(
        ("galleries", "images"), ("image", "galler"), "the image does not exist",
        "create the pool again from an existing image",
    ),
    MissingResource(
        ("disks",), ("disk",), "a disk under the image does not exist",
        "create the image again: the pool needs one whose sources exist",
    ),
    MissingResource(
        ("resourcegroups",), ("resource group", "resourcegroup"), "a resource group does not exist",
        "create the resource group again, or create the pool again without what was in it",
    ),
    MissingResource(
        ("subscriptions",), ("subscription",), "a subscription does not exist or cannot be seen",
        "check the id of the subscription and its tenant",
    ),
)  # fmt: skip


def find_missing(code: str, message: str) -> MissingResource | None:
    """Return what an error says does not exist; None where it does not tell.

    An id in the message decides; a message may name further resources after the missing one.
    """
    found = _ID.search(message)
    if found is not None:
        kinds = [word.lower() for word in found["path"].strip("/").split("/")[::2]]
        by_type = (one for kind in reversed(kinds) for one in MISSING_RESOURCES if kind in one.types)
        if (known := next(by_type, None)) is not None:
            return known
    low = message.lower()
    # What is missing is mostly named before its resource group.
    head = low.partition("under resource group")[0]
    for text in (code.lower(), head):
        named = ((text.find(word), one) for one in MISSING_RESOURCES for word in one.words if word in text)
        if first := min(named, key=lambda pair: pair[0], default=None):
            return first[1]
    return None
