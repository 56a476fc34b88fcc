"""What the api-versions that take a managed image know of a pool: the last ones, and old.

Source: the models of azure-mgmt-batch 8.0.0 (2020-03-01) and of azure-batch 8.0.0 (2019-08-01.10.0).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.spec import PoolSpec

#: The last api-versions that take a managed image, by what a pool is made through. Source: the source document for
#: Azure Resource Manager; FACTS 2 for the data plane.
API_VERSIONS = {"arm": "2020-03-01", "batch": "2019-08-01.10.0"}
#: Members of a pool's properties, and of the parts of them that have grown since, by the parts' names in Azure Resource
#: Manager. Of what is not here all that this tool asks for was known then.
_MEMBERS = {
    part: frozenset(names.split())
    for part, names in {
        "": "applicationPackages deploymentConfiguration interNodeCommunication metadata mountConfiguration "
        "networkConfiguration scaleSettings startTask userAccounts vmSize",
        "virtualMachineConfiguration": "containerConfiguration imageReference nodeAgentSkuId",
        "networkConfiguration": "endpointConfiguration publicIPAddressConfiguration subnetId",
        "startTask": "commandLine environmentSettings maxTaskRetryCount resourceFiles userIdentity waitForSuccess",
        "resourceFiles": "autoStorageContainerName blobPrefix fileMode filePath httpUrl storageContainerUrl",
        "containerRegistries": "password registryServer username",
        "azureBlobFileSystemConfiguration": "accountKey accountName blobfuseOptions containerName relativeMountPath "
        "sasKey",
    }.items()
}
#: What only Azure Resource Manager knew of these.
_ONLY_ARM = frozenset({"publicIPAddressConfiguration"})
#: What needs no saying there: it is so anyway. Task slots were called otherwise then.
_ANYWAY = {"taskSlotsPerNode": 1, "interNodeCommunication": "Disabled"}


def said(wanted: Json) -> Json:
    """Return what of a pool's properties has to be said."""
    return {name: value for name, value in wanted["properties"].items() if _ANYWAY.get(name) != value}


def unknown(spec: PoolSpec, wanted: Json) -> list[str]:
    """Return what of a pool these api-versions do not know, by Azure's names.

    Parameters
    ----------
    spec, wanted
        What is asked for, and its document in Azure Resource Manager.
    """
    found = set(_strange(said(wanted), "", spec.through))
    # These stand beside the properties, and a pool had neither.
    found |= {name for name, value in (("identity", spec.identities), ("tags", spec.tags)) if value}
    return sorted(found)


def _strange(value: Any, part: str, through: str) -> Iterator[str]:  # noqa: ANN401 - JSON
    if isinstance(value, list):
        for one in value:
            yield from _strange(one, part, through)
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name not in _MEMBERS.get(part, value) or (through == "batch" and name in _ONLY_ARM):
                yield f"{part}.{name}" if part else name
            else:
                yield from _strange(inner, name, through)
