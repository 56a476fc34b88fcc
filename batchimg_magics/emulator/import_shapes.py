"""What the rules of the simulator rely on in a document from outside: of what kind its parts are, where they are there.

A document says more than this, and all of it is kept. One whose parts are of other kinds is refused when it comes in,
because no answer about it could be given later.
"""

from __future__ import annotations

from typing import Any

import msgspec


class _Reference(msgspec.Struct):
    id: str = ""


class _Attached(msgspec.Struct, rename="camel"):
    name: str = ""
    lun: int = 0
    os_type: str = ""
    managed_disk: _Reference | None = None
    vhd: dict[str, str] | None = None


class _Storage(msgspec.Struct, rename="camel"):
    os_disk: _Attached | None = None
    data_disks: list[_Attached] | None = None


class _Hardware(msgspec.Struct, rename="camel"):
    vm_size: str = ""


class _Profile(msgspec.Struct, rename="camel"):
    computer_name: str = ""


class _Status(msgspec.Struct):
    code: str = ""


class _View(msgspec.Struct):
    statuses: list[_Status] = []


class _Machine(msgspec.Struct, rename="camel"):
    storage_profile: _Storage | None = None
    hardware_profile: _Hardware | None = None
    os_profile: _Profile | None = None
    instance_view: _View | None = None


class _Creation(msgspec.Struct, rename="camel"):
    create_option: str = ""


class _Disk(msgspec.Struct, rename="camel"):
    disk_size_gb: int = msgspec.field(default=0, name="diskSizeGB")
    os_type: str = ""
    creation_data: _Creation | None = None
    security_profile: dict[str, Any] | None = None
    supported_capabilities: dict[str, Any] | None = None


class _Family(msgspec.Struct, rename="camel"):
    name: str = ""
    core_quota: int = 0


class _Account(msgspec.Struct, rename="camel"):
    dedicated_core_quota: int | None = None
    low_priority_core_quota: int | None = None
    pool_quota: int = 100
    family_quotas: list[_Family] | None = msgspec.field(default=None, name="dedicatedCoreQuotaPerVMFamily")


class _Document(msgspec.Struct):
    name: str
    location: str = ""
    tags: dict[str, str] | None = None


#: What the properties of a type have to be like.
_SHAPES: dict[str, type[msgspec.Struct]] = {
    "microsoft.batch/batchaccounts": _Account,
    "microsoft.compute/disks": _Disk,
    "microsoft.compute/snapshots": _Disk,
    "microsoft.compute/virtualmachines": _Machine,
}


def shape_problem(document: dict[str, Any]) -> str | None:
    """Return which part of a document of ARM is of a kind that the rules cannot work on, or None."""
    try:
        msgspec.convert(document, _Document)
        shape = _SHAPES.get(str(document["type"]).lower())
        if shape is not None:
            msgspec.convert(document["properties"], shape)
    except msgspec.ValidationError as error:
        return str(error)
    return None
