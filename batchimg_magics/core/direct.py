"""A pool straight from a managed image, as the source document has it: only old api-versions ever took that.

Azure retired such pools on 31 March 2026. Where the service still takes them they are made; where it refuses, one line
says so and names the road through the gallery.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.core.azure import dig
from batchimg_magics.errors import ServiceError
from batchimg_magics.spec.lines import line

if TYPE_CHECKING:
    from batchimg_magics.core.azure import Azure, Json
    from batchimg_magics.spec import PoolSpec

#: The last api-versions that take a managed image. Source: the source document for Azure Resource Manager; FACTS 2 for
#: the data plane.
ARM_API_VERSION, BATCH_API_VERSION = "2020-03-01", "2019-08-01.10.0"
#: What they call by another name than newer ones. Source: Batch's release notes: taskSlotsPerNode since 2020-09-01.
_OLD_NAMES = {"taskSlotsPerNode": "maxTasksPerNode"}
#: What these api-versions do not know yet.
_TOO_NEW = frozenset({"securityProfile", "targetNodeCommunicationMode", "upgradePolicy", "resourceTags"})
_MACHINE = ("deploymentConfiguration", "virtualMachineConfiguration")


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
            await _data_plane(azure, spec.name, wanted)
        else:
            url = f"{azure.scope.pool_id(spec.name)}?api-version={ARM_API_VERSION}"
            # A PUT would replace a pool that somebody made meanwhile: this one only makes.
            await azure.send("PUT", url, {"properties": _old(wanted["properties"])}, headers={"If-None-Match": "*"})
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


async def _data_plane(azure: Azure, name: str, wanted: Json) -> None:
    props = _old(wanted["properties"])
    machine = dig(props, *_MACHINE)
    body = {
        "id": name,
        **{key: value for key, value in props.items() if key not in ("deploymentConfiguration", "scaleSettings")},
        "virtualMachineConfiguration": {
            "imageReference": {"virtualMachineImageId": _image(wanted)},
            "nodeAgentSKUId": machine["nodeAgentSkuId"],
        },
        "targetDedicatedNodes": 0,
        "targetLowPriorityNodes": 0,
    }
    client_url = f"/pools?api-version={BATCH_API_VERSION}"
    headers = {"Content-Type": "application/json; odata=minimalmetadata"}
    await azure.send("POST", client_url, body, plane="batch", headers=headers)


def _image(wanted: Json) -> str:
    return str(dig(wanted, "properties", *_MACHINE, "imageReference", "id"))


def _old(props: Json) -> Json:
    """Return a pool's properties as the old api-versions name them."""
    return {_OLD_NAMES.get(key, key): value for key, value in props.items() if key not in _TOO_NEW}
