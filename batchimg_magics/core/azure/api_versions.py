"""One table of api-versions: the version of each resource type that is requested without an SDK client.

Each is the one that the SDK clients in use send (azure-mgmt-compute 39, azure-mgmt-batch 19, azure-batch 15.1), so that
one resource always has one form. Microsoft.Network, Microsoft.Authorization and the list of subscriptions have no SDK
client here: their versions are the newest that the emulator and the documents used for this package agree on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchimg_magics.resource_ids import ResourceId

#: Microsoft.Batch, the same on both planes.
BATCH = "2025-06-01"
NETWORK = "2024-05-01"
PERMISSIONS = "2022-04-01"
SUBSCRIPTIONS = "2022-12-01"
LOCKS, PROVIDERS = "2016-09-01", "2021-04-01"
#: The newest before 2023 that assignments, definitions and sets of definitions have in common.
POLICIES = "2021-06-01"
#: Compute's VM sizes (``skus``).
VM_SIZES = "2021-07-01"
#: Lists of resources of any type. Source: Microsoft.Resources.
RESOURCES = "2021-04-01"
#: The network interfaces in the body of a VM. It is the only value allowed. Source: Compute, ``networkApiVersion``.
INLINE_NETWORK = "2022-11-01"
#: Image definitions whose security type is Standard: from galleries 2025-03-03 on, one without a security type is
#: TrustedLaunchSupported, which takes no disks and snapshots as sources. Source: packer-plugin-azure #304.
STANDARD_DEFINITIONS = "2024-03-03"
#: The last versions that accept a managed image for a pool, by plane. Source: the source document for Azure Resource
#: Manager; issue threads for the data plane.
LEGACY_POOLS = {"arm": "2020-03-01", "batch": "2019-08-01.10.0"}
_COMPUTE = {
    "virtualmachines": "2026-04-01",
    "images": "2026-04-01",
    "disks": "2026-03-02",
    "snapshots": "2026-03-02",
    "galleries": "2026-03-03",
    "virtualmachinescalesets": "2026-04-01",
    "locations": "2026-04-01",
}
_OTHER_PROVIDERS = {"microsoft.batch": BATCH, "microsoft.network": NETWORK, "microsoft.authorization": PERMISSIONS}


def api_version(resource: ResourceId | str) -> str:
    """Return the api-version for a resource, a list of resources or an action, given by its id or path.

    Raises
    ------
    KeyError
        The table has no version for this resource type.
    """
    provider, _, path = str(resource).rpartition("/providers/")[2].lower().partition("/")
    if provider == "microsoft.compute":
        return _COMPUTE[path.partition("/")[0]]
    return _OTHER_PROVIDERS[provider]


def sent_api_versions() -> dict[str, str]:
    """Return the api-version of each resource provider or type that is requested, for a record of what was done."""
    compute = {f"Microsoft.Compute/{name}": version for name, version in _COMPUTE.items()}
    return {"Microsoft.Batch": BATCH, **compute, "Microsoft.Network": NETWORK, "Microsoft.Authorization": PERMISSIONS}
