"""The data disks of a node, beside those of the image."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.base import SpecModel, first_duplicate

__all__ = ["FIRST_LUN", "Caching", "DataDisk", "DataDisks", "DiskType"]

# Source of the limits: Batch OpenAPI, DataDisk.lun; Compute: the maximum size of a managed disk.
MAX_LUN, MAX_GIB = 63, 32_767
#: The first LUN that is assigned to a disk without one: the data disks of an image usually have lower ones.
FIRST_LUN = 32

Caching = Literal["None", "ReadOnly", "ReadWrite"]
DiskType = Literal["Standard_LRS", "StandardSSD_LRS", "Premium_LRS"]


class DataDisk(SpecModel):
    """An empty data disk that is attached to each node; the node has to format and mount it.

    Parameters
    ----------
    size_gib
        Size in GiB.
    lun
        Logical unit number: 0 to 63, and not that of a data disk of the image. Default: from 32 on.
    type
        ``Standard_LRS``, ``StandardSSD_LRS`` or ``Premium_LRS``; default: chosen by Azure.
    caching
        Host caching: ``None``, ``ReadOnly`` or ``ReadWrite``; default: chosen by Azure.
    """

    size_gib: Annotated[int, Field(ge=1, le=MAX_GIB, strict=True)]
    lun: Annotated[int, Field(ge=0, le=MAX_LUN, strict=True)] | None = None
    type: DiskType | None = None
    caching: Caching | None = None


def _normalize_disks(value: Any) -> Any:  # noqa: ANN401 - any YAML value
    listed = value if isinstance(value, (list, tuple)) else [value]
    return [{"size_gib": one} if isinstance(one, int) and not isinstance(one, bool) else one for one in listed]


def _assign_luns(disks: tuple[DataDisk, ...]) -> tuple[DataDisk, ...]:
    """Give a LUN to each disk that has none, and check that no LUN is used twice."""
    given = [disk.lun for disk in disks if disk.lun is not None]
    if (duplicate := first_duplicate(given)) is not None:
        raise SpecError(f"two data disks have LUN {duplicate}", hint="use a different lun for each")
    free = iter([lun for lun in (*range(FIRST_LUN, MAX_LUN + 1), *range(FIRST_LUN)) if lun not in given])
    if len(disks) > MAX_LUN + 1:
        raise SpecError(f"too many data disks: {len(disks)}", hint=f"Azure allows at most {MAX_LUN + 1}")
    return tuple(disk if disk.lun is not None else disk.model_copy(update={"lun": next(free)}) for disk in disks)


#: Sizes in GiB, or complete data disks.
DataDisks = Annotated[tuple[DataDisk, ...], BeforeValidator(_normalize_disks), AfterValidator(_assign_luns)]
