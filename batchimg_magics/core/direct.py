"""A pool straight from a managed image, as the source document has it: only old api-versions ever took that.

Azure retired such pools on 31 March 2026. Where the service still takes them they are made; where it refuses, one line
says so and names the road through the gallery.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core import pool_bodies
from batchimg_magics.core.azure import dig
from batchimg_magics.errors import ServiceError, SpecError
from batchimg_magics.spec.lines import line

if TYPE_CHECKING:
    from batchimg_magics.core.azure import Azure, Json
    from batchimg_magics.spec import PoolSpec

#: The last api-versions that take a managed image. Source: the source document for Azure Resource Manager; FACTS 2 for
#: the data plane.
ARM_API_VERSION, BATCH_API_VERSION = "2020-03-01", "2019-08-01.10.0"
#: What these api-versions know of a pool, as far as this tool asks for it. Source: Batch's release notes: task slots
#: were called otherwise until 2020-09-01, and the rest came later.
_KNOWN = frozenset(
    {
        "vmSize", "deploymentConfiguration", "scaleSettings", "startTask", "networkConfiguration", "metadata",
        "mountConfiguration", "userAccounts", "applicationPackages", "interNodeCommunication",
    }
)  # fmt: skip
#: What needs no saying there: it is so anyway.
_ANYWAY = {"taskSlotsPerNode": 1, "interNodeCommunication": "Disabled"}
_MACHINE = ("deploymentConfiguration", "virtualMachineConfiguration")


def refuse(wanted: Json) -> None:
    """Raise SpecError where a pool has what these api-versions do not know."""
    if strange := sorted(_asked(wanted["properties"]).keys() - _KNOWN):
        raise SpecError(
            f"--direct goes by api-versions that do not know {', '.join(strange)}",
            hint="leave that out, or leave out --direct: through the gallery it works",
        )


async def put(azure: Azure, spec: PoolSpec, wanted: Json, *, through: str = "arm") -> None:
    """Ask for a pool straight from a managed image.

    Parameters
    ----------
    azure, spec
        Where, and what is wanted.
    wanted
        Its ARM document.
    through
        ``arm``, or ``batch`` for the data plane.

    Raises
    ------
    ServiceError
        The service does not take it any more; the hint is the line that works.
    """
    try:
        if through == "batch":
            await _data_plane(azure, pool_bodies.data_plane({"properties": _asked(wanted["properties"])}, spec.name))
        else:
            url = f"{azure.scope.pool_id(spec.name)}?api-version={ARM_API_VERSION}"
            # A PUT would replace a pool that somebody made meanwhile: this one only makes.
            await azure.send("PUT", url, {"properties": _asked(wanted["properties"])}, headers={"If-None-Match": "*"})
    except ServiceError as error:
        if error.status_code != 400:
            raise
        raise ServiceError(
            f"the service makes no pool straight from a managed image any more (retired on 31 March 2026): "
            f"{error.message}",
            hint=f"through the gallery it works: `{gallery_line(spec, _image(wanted))}`",
            status_code=error.status_code,
            code=error.code,
            request_id=error.request_id,
        ) from error


def gallery_line(spec: PoolSpec, image: str) -> str:
    """Return the line that makes the pool from the same managed image, through the gallery."""
    said = spec.model_dump(include={"vm_size", "nodes", "spot", "node_agent_sku"}, exclude_defaults=True)
    return line("create", {"name": spec.name, "from_image": image, **said})


async def _data_plane(azure: Azure, body: Json) -> None:
    headers = {"Content-Type": "application/json; odata=minimalmetadata"}
    await azure.send("POST", f"/pools?api-version={BATCH_API_VERSION}", body, plane="batch", headers=headers)


def _image(wanted: Json) -> str:
    return str(dig(wanted, "properties", *_MACHINE, "imageReference", "id"))


def _asked(props: Json) -> Json:
    """Return what of a pool's properties has to be said."""
    return {name: value for name, value in props.items() if _ANYWAY.get(name) != value}
