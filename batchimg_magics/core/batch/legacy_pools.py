"""Pools directly on a managed image, as in the source document. Only old api-versions accept them.

Azure retired such pools on 31 March 2026. The request is sent; where the service refuses it, the error has the command
that creates the same pool through the gallery.
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

#: Source: Microsoft's retirement notice.
RETIREMENT_TEXT = "retired on 31 March 2026"
_MACHINE = ("deploymentConfiguration", "virtualMachineConfiguration")
#: Options that create the managed image, which the command for an existing one leaves out.
_ORIGIN_OPTIONS = (
    "from_vm", "from_vhd", "from_snapshot", "data_snapshots", "capture", "stop", "generalized", "via",
    "storage_account", "os_type", "generation", "security_type", "architecture", "direct",
)  # fmt: skip
#: Source: Batch OpenAPI 2024-02-01, InboundNATPool.backendPort. Every node has login endpoints of its own there.
_RESERVED_LOGIN_PORTS = frozenset({22, 3389})
#: Error codes for an api-version that is not supported any more.
_VERSION_ERROR_CODES = frozenset(
    {"InvalidApiVersionParameter", "NoRegisteredProviderFound", "InvalidResourceType", "InvalidQueryParameterValue"}
)


def raise_if_unsupported(spec: PoolSpec, wanted: Json) -> None:
    """Raise SpecError where a pool has properties that these api-versions do not have."""
    if unsupported := unsupported_properties(spec, wanted):
        raise SpecError(
            f"--direct uses api-versions that do not support {', '.join(unsupported)}",
            hint="remove these options, or leave out --direct: pools on gallery images support them",
        )


async def create_pool_on_managed_image(azure: Azure, spec: PoolSpec, wanted: Json) -> None:
    """Request a pool directly on a managed image.

    Parameters
    ----------
    azure, spec
        The connection, and the spec of the pool.
    wanted
        The pool's document in Azure Resource Manager.

    Raises
    ------
    ServiceError
        The service does not accept managed images any more; the hint has the command that works.
    """
    body, version = {"properties": explicit_properties(wanted)}, api_versions.LEGACY_POOLS[spec.api]
    try:
        if spec.api == "batch":
            body = pool_request.data_plane_body(body, spec.name)
            headers = {"Content-Type": "application/json; odata=minimalmetadata"}
            await azure.send("POST", f"/pools?api-version={version}", body, plane="batch", headers=headers)
        else:
            url = f"{azure.scope.pool_id(spec.name)}?api-version={version}"
            # Without this condition a PUT replaces a pool that another client created meanwhile.
            await azure.send("PUT", url, body, headers={"If-None-Match": "*"})
    except ServiceError as error:
        if not _is_managed_image_refusal(error):
            raise
        raise _retired_error(error, spec, str(dig(wanted, "properties", *_MACHINE, "imageReference", "id"))) from error


def _is_managed_image_refusal(error: ServiceError) -> bool:
    """Tell whether a refusal is about managed images or the old api-version, and not about this pool.

    Every refused value has the same code; the message names the accepted ids. Source: recordings.
    """
    return error.status_code == 400 and (error.code in _VERSION_ERROR_CODES or "/galleries/{" in error.message)


def _retired_error(error: ServiceError, spec: PoolSpec, image: str) -> ServiceError:
    hint = f"create the pool through the gallery: {gallery_command(spec, image)}"
    if spec.from_image is None:
        hint += f"; the image and its snapshots are kept for that; `%batchimg delete {spec.name} --image` deletes them"
    return ServiceError(
        f"pools on managed images are not supported any more ({RETIREMENT_TEXT}): {error.message.partition('. ')[0]}",
        hint=hint,
        status_code=error.status_code,
        code=error.code,
        request_id=error.request_id,
    )


def gallery_command(spec: PoolSpec, image: str) -> str:
    """Return the command that creates the same pool from the same managed image through the gallery."""
    return spec.create_line(**dict.fromkeys(_ORIGIN_OPTIONS), from_image=image)


#: Properties of a pool and of its parts in these api-versions, by the part's name in Azure Resource Manager. Parts that
#: are not here had all properties that this tool sends.
_MEMBERS = {
    part: frozenset(names.split())
    for part, names in {
        "": "applicationPackages deploymentConfiguration displayName interNodeCommunication metadata "
        "mountConfiguration networkConfiguration scaleSettings startTask taskSchedulingPolicy userAccounts vmSize",
        "virtualMachineConfiguration": "containerConfiguration dataDisks imageReference licenseType nodeAgentSkuId "
        "windowsConfiguration",
        "dataDisks": "caching diskSizeGB lun",
        "taskSchedulingPolicy": "nodeFillType",
        "networkConfiguration": "endpointConfiguration publicIPAddressConfiguration subnetId",
        "publicIPAddressConfiguration": "provision",
        "startTask": "commandLine environmentSettings maxTaskRetryCount resourceFiles userIdentity waitForSuccess",
        "resourceFiles": "autoStorageContainerName blobPrefix fileMode filePath httpUrl storageContainerUrl",
        "containerRegistries": "password registryServer username",
        "azureBlobFileSystemConfiguration": "accountKey accountName blobfuseOptions containerName relativeMountPath "
        "sasKey",
    }.items()
}


#: Those of them that only Azure Resource Manager has.
_ARM_ONLY = frozenset({"publicIPAddressConfiguration"})


#: Default values that are not sent. Task slots had another name in these api-versions.
_DEFAULTS = {"taskSlotsPerNode": 1, "interNodeCommunication": "Disabled"}


def explicit_properties(wanted: Json) -> Json:
    """Return a pool's properties without default values."""
    return {name: value for name, value in wanted["properties"].items() if _DEFAULTS.get(name) != value}


def unsupported_properties(spec: PoolSpec, wanted: Json) -> list[str]:
    """Return the properties of a pool that these api-versions do not have, by Azure's names.

    Parameters
    ----------
    spec, wanted
        The spec of the pool, and its document in Azure Resource Manager.
    """
    found = set(_unsupported_in(explicit_properties(wanted), "", spec.api))
    # These are not in the properties, and a pool had neither.
    found |= {name for name, value in (("identity", spec.identities), ("tags", spec.tags)) if value}
    found |= {f"login port {one.port}" for one in spec.login_ports if one.port in _RESERVED_LOGIN_PORTS}
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
