"""A pool straight from a managed image, as the source document has it: only old api-versions ever took that.

Azure retired such pools on 31 March 2026. Where the service still takes them they are made; where it refuses, one line
says so and names the road through the gallery.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import api_versions
from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.batch import pool_request
from batchimg_magics.errors import ServiceError, SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.pool_spec.pool import PoolSpec

#: In words. Source: Microsoft's retirement notice, FACTS 2.
RETIREMENT_TEXT = "retired on 31 March 2026"
_MACHINE = ("deploymentConfiguration", "virtualMachineConfiguration")
#: What leads to a managed image, and goes unsaid where it is there.
_ORIGIN_OPTIONS = (
    "from_vm", "from_vhd", "from_snapshot", "data_snapshots", "capture", "stop", "generalized", "via",
    "storage_account", "os_type", "generation", "security_type", "architecture", "direct",
)  # fmt: skip
#: Codes for an api-version that is served no more.
_VERSION_ERROR_CODES = frozenset(
    {"InvalidApiVersionParameter", "NoRegisteredProviderFound", "UnsupportedRequestVersion"}
)


def raise_if_unsupported(spec: PoolSpec, wanted: Json) -> None:
    """Raise SpecError where a pool has what these api-versions do not know."""
    if strange := unsupported_properties(spec, wanted):
        raise SpecError(
            f"--direct goes by api-versions that do not know {', '.join(strange)}",
            hint="leave that out, or leave out --direct: through the gallery it works",
        )


async def create_pool_on_managed_image(azure: Azure, spec: PoolSpec, wanted: Json) -> None:
    """Ask for a pool straight from a managed image.

    Parameters
    ----------
    azure, spec
        Where, and what is wanted.
    wanted
        Its ARM document.

    Raises
    ------
    ServiceError
        The service does not take it any more; the hint is the line that works.
    """
    body, version = {"properties": explicit_properties(wanted)}, api_versions.LEGACY_POOLS[spec.api]
    try:
        if spec.api == "batch":
            body = pool_request.data_plane_body(body, spec.name)
            headers = {"Content-Type": "application/json; odata=minimalmetadata"}
            await azure.send("POST", f"/pools?api-version={version}", body, plane="batch", headers=headers)
        else:
            url = f"{azure.scope.pool_id(spec.name)}?api-version={version}"
            # A PUT would replace a pool that somebody made meanwhile: this one only makes.
            await azure.send("PUT", url, body, headers={"If-None-Match": "*"})
    except ServiceError as error:
        if not _is_managed_image_refusal(error):
            raise
        raise _retired_error(error, spec, str(dig(wanted, "properties", *_MACHINE, "imageReference", "id"))) from error


def _is_managed_image_refusal(error: ServiceError) -> bool:
    """Tell whether a refusal is of managed images at all, or of the old api-version, and not of this pool.

    A value that is refused has one code, whatever it is: the reason names the ids that are taken. Source: recordings.
    """
    return error.status_code == 400 and (error.code in _VERSION_ERROR_CODES or "/galleries/{" in error.message)


def _retired_error(error: ServiceError, spec: PoolSpec, image: str) -> ServiceError:
    hint = f"through the gallery it works: {gallery_command(spec, image)}"
    if spec.from_image is None:
        hint += f"; the image and its snapshots stay for it, and `%batchimg delete {spec.name} --image` deletes them"
    return ServiceError(
        f"the service makes no pool straight from a managed image any more ({RETIREMENT_TEXT}); it says "
        f"{error.message.partition('. ')[0]}",
        hint=hint,
        status_code=error.status_code,
        code=error.code,
        request_id=error.request_id,
    )


def gallery_command(spec: PoolSpec, image: str) -> str:
    """Return the line that makes the same pool from the same managed image, through the gallery."""
    return spec.create_line(**dict.fromkeys(_ORIGIN_OPTIONS), from_image=image)


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
_ARM_ONLY = frozenset({"publicIPAddressConfiguration"})


#: What needs no saying there: it is so anyway. Task slots were called otherwise then.
_DEFAULTS = {"taskSlotsPerNode": 1, "interNodeCommunication": "Disabled"}


def explicit_properties(wanted: Json) -> Json:
    """Return what of a pool's properties has to be said."""
    return {name: value for name, value in wanted["properties"].items() if _DEFAULTS.get(name) != value}


def unsupported_properties(spec: PoolSpec, wanted: Json) -> list[str]:
    """Return what of a pool these api-versions do not know, by Azure's names.

    Parameters
    ----------
    spec, wanted
        What is asked for, and its document in Azure Resource Manager.
    """
    found = set(_unsupported_in(explicit_properties(wanted), "", spec.api))
    # These stand beside the properties, and a pool had neither.
    found |= {name for name, value in (("identity", spec.identities), ("tags", spec.tags)) if value}
    return sorted(found)


def _unsupported_in(value: Any, part: str, through: str) -> Iterator[str]:  # noqa: ANN401 - JSON
    if isinstance(value, list):
        for one in value:
            yield from _unsupported_in(one, part, through)
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name not in _MEMBERS.get(part, value) or (through == "batch" and name in _ARM_ONLY):
                yield f"{part}.{name}" if part else name
            else:
                yield from _unsupported_in(inner, name, through)
