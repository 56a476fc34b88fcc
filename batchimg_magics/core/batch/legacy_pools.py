"""A pool straight from a managed image, as the source document has it: only old api-versions ever took that.

Azure retired such pools on 31 March 2026. Where the service still takes them they are made; where it refuses, one line
says so and names the road through the gallery.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core import old_pools
from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.batch import pool_request
from batchimg_magics.errors import ServiceError, SpecError

if TYPE_CHECKING:
    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.spec import PoolSpec

#: In words. Source: Microsoft's retirement notice, FACTS 2.
RETIRED = "retired on 31 March 2026"
_MACHINE = ("deploymentConfiguration", "virtualMachineConfiguration")
#: What leads to a managed image, and goes unsaid where it is there.
_ROAD = (
    "from_vm", "from_vhd", "from_snapshot", "data_snapshots", "capture", "stop", "generalized", "via",
    "storage_account", "os_type", "generation", "security_type", "architecture", "direct",
)  # fmt: skip
#: Codes for an api-version that is served no more.
_OF_VERSIONS = frozenset({"InvalidApiVersionParameter", "NoRegisteredProviderFound", "UnsupportedRequestVersion"})


def refuse(spec: PoolSpec, wanted: Json) -> None:
    """Raise SpecError where a pool has what these api-versions do not know."""
    if strange := old_pools.unknown(spec, wanted):
        raise SpecError(
            f"--direct goes by api-versions that do not know {', '.join(strange)}",
            hint="leave that out, or leave out --direct: through the gallery it works",
        )


async def put(azure: Azure, spec: PoolSpec, wanted: Json) -> None:
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
    said, version = {"properties": old_pools.said(wanted)}, old_pools.API_VERSIONS[spec.through]
    try:
        if spec.through == "batch":
            body = pool_request.data_plane(said, spec.name)
            headers = {"Content-Type": "application/json; odata=minimalmetadata"}
            await azure.send("POST", f"/pools?api-version={version}", body, plane="batch", headers=headers)
        else:
            url = f"{azure.scope.pool_id(spec.name)}?api-version={version}"
            # A PUT would replace a pool that somebody made meanwhile: this one only makes.
            await azure.send("PUT", url, said, headers={"If-None-Match": "*"})
    except ServiceError as error:
        if not _is_of_the_road(error):
            raise
        raise _retired(error, spec, str(dig(wanted, "properties", *_MACHINE, "imageReference", "id"))) from error


def _is_of_the_road(error: ServiceError) -> bool:
    """Tell whether a refusal is of managed images at all, or of the old api-version, and not of this pool.

    A value that is refused has one code, whatever it is: the reason names the ids that are taken. Source: recordings.
    """
    return error.status_code == 400 and (error.code in _OF_VERSIONS or "/galleries/{" in error.message)


def _retired(error: ServiceError, spec: PoolSpec, image: str) -> ServiceError:
    hint = f"through the gallery it works: {gallery_line(spec, image)}"
    if spec.from_image is None:
        hint += f"; the image and its snapshots stay for it, and `%batchimg delete {spec.name} --image` deletes them"
    return ServiceError(
        f"the service makes no pool straight from a managed image any more ({RETIRED}); it says "
        f"{error.message.partition('. ')[0]}",
        hint=hint,
        status_code=error.status_code,
        code=error.code,
        request_id=error.request_id,
    )


def gallery_line(spec: PoolSpec, image: str) -> str:
    """Return the line that makes the same pool from the same managed image, through the gallery."""
    return spec.create_line(**dict.fromkeys(_ROAD), from_image=image)
