"""Import of documents into the emulator state: as ARM returns them, and as the Azure CLI prints them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.arm.resources import find, split_id
from batchimg_magics.emulator.arm.scopes import split_assigned
from batchimg_magics.emulator.world.store import Item, Store

if TYPE_CHECKING:
    from collections.abc import Iterable

#: The types that the emulator has rules for.
KINDS = frozenset(
    {
        "microsoft.authorization/locks",
        "microsoft.authorization/policyassignments",
        "microsoft.authorization/policydefinitions",
        "microsoft.authorization/policysetdefinitions",
        "microsoft.batch/batchaccounts",
        "microsoft.batch/batchaccounts/applications",
        "microsoft.batch/batchaccounts/applications/versions",
        "microsoft.batch/batchaccounts/pools",
        "microsoft.compute/disks",
        "microsoft.compute/galleries",
        "microsoft.compute/galleries/images",
        "microsoft.compute/galleries/images/versions",
        "microsoft.compute/images",
        "microsoft.compute/snapshots",
        "microsoft.compute/virtualmachines",
        "microsoft.compute/virtualmachinescalesets",
        "microsoft.network/loadbalancers",
        "microsoft.network/networkinterfaces",
        "microsoft.network/networksecuritygroups",
        "microsoft.network/publicipaddresses",
        "microsoft.network/virtualnetworks",
        "microsoft.network/virtualnetworks/subnets",
    }
)
#: The members beside ``properties`` in a document; the Azure CLI prints all on one level.
_TOP = frozenset(
    {
        "etag", "extendedLocation", "id", "identity", "kind", "location", "managedBy", "managedByExtended", "name",
        "placement", "plan", "properties", "sku", "systemData", "tags", "type", "zones",
    }
)  # fmt: skip
#: The members that ``az vm show --show-details`` adds; the power state is used.
_DETAILS = frozenset({"fqdns", "macAddresses", "powerState", "privateIps", "publicIps"})
#: Names that the Azure CLI spells differently from ARM.
_SPELLINGS = {
    "dedicatedCoreQuotaPerVmFamily": "dedicatedCoreQuotaPerVMFamily",
    "dedicatedCoreQuotaPerVmFamilyEnforced": "dedicatedCoreQuotaPerVMFamilyEnforced",
    "diskIopsReadOnly": "diskIOPSReadOnly",
    "diskIopsReadWrite": "diskIOPSReadWrite",
    "diskMbpsReadOnly": "diskMBpsReadOnly",
    "diskMbpsReadWrite": "diskMBpsReadWrite",
    "diskSizeGb": "diskSizeGB",
    "nodeAgentSkuId": "nodeAgentSKUId",
}


class ImportRefusedError(ValueError):
    """A document that cannot be imported; the message says which one and why."""


def import_documents(
    store: Store,
    now: float,
    documents: Iterable[Any],
    *,
    deprovisioned: bool | None = None,
    any_type: bool = False,
) -> list[str]:
    """Import documents, in place of resources with the same ids; lists are flattened.

    Parameters
    ----------
    store, now
        The emulator state, and the simulated time.
    documents
        Resources, as ARM returns them or as the Azure CLI prints them.
    deprovisioned
        Whether the operating systems on the OS disks among them are generalized, which no document shows. None: if the
        instance view of their VM says so.
    any_type
        Also import types without rules in the emulator.

    Returns
    -------
    list of str
        The ids of the imported resources.

    Raises
    ------
    ImportRefusedError
        A document has no resource id, or its type is not supported.
    """
    resources = [arm_document(document, any_type=any_type) for document in _flatten(documents)]
    for resource in resources:
        if wrong := shape_problem(resource):
            raise ImportRefusedError(f"{resource['id']}: {wrong}")
    generalized = {vm["id"].lower() for vm in resources if _is_generalized(vm)}
    with store.transaction(write=True):
        for resource in resources:
            kind = resource["type"].lower()
            hidden: dict[str, Any] = {}
            if kind == "microsoft.compute/virtualmachines":
                hidden = _vm_facts(resource, now)
            if kind in ("microsoft.compute/disks", "microsoft.compute/snapshots") and _has_system(resource):
                inherited = str(resource.get("managedBy", "")).lower() in generalized
                hidden["deprovisioned"] = inherited if deprovisioned is None else deprovisioned
            store.put(Item(resource["id"].lower(), kind, resource, hidden))
            add_group(store, now, resource["id"], resource.get("location", ""))
        store.record_time(now)
    return [resource["id"] for resource in resources]


def add_group(store: Store, now: float, key: str, location: str) -> None:
    """Create the subscription and the resource group of a resource, unless they exist."""
    if split_assigned(key):
        return  # of an existing scope
    subscription, group, _, _ = split_id(key)
    top = f"/subscriptions/{subscription}"
    if store.get(top) is None:
        document = {"id": top, "subscriptionId": subscription, "displayName": "Imported", "state": "Enabled"}
        store.put(Item(top.lower(), "microsoft.resources/subscriptions", document))
    path = f"{top}/resourceGroups/{group}"
    if find(store, now, path) is None:
        store.put(
            Item(
                path.lower(),
                "microsoft.resources/resourcegroups",
                {
                    "id": path,
                    "name": group,
                    "type": "Microsoft.Resources/resourceGroups",
                    "location": location,
                    "properties": {"provisioningState": "Succeeded"},
                },
            )
        )


def arm_document(document: dict[str, Any], *, any_type: bool = False) -> dict[str, Any]:
    """Return a document in the format of ARM.

    Raises
    ------
    ImportRefusedError
        As for `import_documents`.
    """
    key = document.get("id")
    if assigned := split_assigned(str(key)):
        _, kind, name = assigned
        namespace = "Microsoft.Authorization"
    else:
        try:
            _, _, path, namespace = split_id(str(key))
        except ValueError as error:
            raise ImportRefusedError(f"a document without a resource id: {str(document)[:80]}") from error
        kind = str(document.get("type") or "/".join([namespace, *(word for word, _ in path)]))
        name = path[-1][1]
    if kind.lower() not in KINDS and not any_type:
        raise ImportRefusedError(f"{kind} is not a type that the emulator supports ({key})")
    bare: dict[str, Any] = _without_nulls(document)
    if "properties" not in bare:
        inside = {name: value for name, value in bare.items() if name not in _TOP | _DETAILS}
        if details := str(bare.get("powerState", "")):
            status = {"code": details.lower().replace("vm ", "PowerState/"), "displayStatus": details}
            inside.setdefault("instanceView", {"statuses": [status]})
        if namespace.lower() == "microsoft.network":
            inside = {name: _parts(value) for name, value in inside.items()}
        if isinstance(profile := inside.get("networkProfile"), dict):  # of a VM
            inside["networkProfile"] = {name: _parts(value) for name, value in profile.items()}
        bare = {name: value for name, value in bare.items() if name in _TOP} | {"properties": inside}
    if not isinstance(bare["properties"], dict):
        raise ImportRefusedError(f"{key}: its properties are not an object")
    bare["properties"].setdefault("provisioningState", "Succeeded")
    return bare | {"id": key, "name": bare.get("name", name), "type": kind}


def _parts(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Write the nested parts of a network resource as ARM does; the Azure CLI prints each of them on one level, too."""
    if not isinstance(value, list):
        return value
    return [_part(one) if isinstance(one, dict) and one.keys() > {"id"} else one for one in value]


def _part(flat: dict[str, Any]) -> dict[str, Any]:
    inside = {name: value for name, value in flat.items() if name not in _TOP}
    return {name: value for name, value in flat.items() if name in _TOP} | {"properties": inside}


def _flatten(documents: Iterable[Any]) -> Iterable[dict[str, Any]]:
    for document in documents:
        if isinstance(document, list):
            yield from _flatten(document)
        elif isinstance(document, dict) and "id" not in document and isinstance(document.get("value"), list):
            yield from _flatten(document["value"])
        elif isinstance(document, dict):
            yield document
        else:
            raise ImportRefusedError(f"not a resource document: {str(document)[:80]}")


def _without_nulls(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Drop nulls and the ``resourceGroup`` that the Azure CLI adds, and spell names as ARM does."""
    if isinstance(value, dict):
        return {
            _SPELLINGS.get(name, name): _without_nulls(inner)
            for name, inner in value.items()
            if inner is not None and not (name == "resourceGroup" and "id" in value)
        }
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


def _has_system(resource: dict[str, Any]) -> bool:
    return bool(resource["properties"].get("osType"))


def _codes(vm: dict[str, Any]) -> list[str]:
    statuses = vm["properties"].get("instanceView", {}).get("statuses", [])
    return [str(status.get("code", "")) for status in statuses]


def _is_generalized(resource: dict[str, Any]) -> bool:
    return any(code.lower() == "osstate/generalized" for code in _codes(resource))


def _vm_facts(vm: dict[str, Any], now: float) -> dict[str, Any]:
    """Return the facts of an instance view; the view itself is not stored, because it is computed for each time."""
    power = next((code.partition("/")[2] for code in _codes(vm) if code.lower().startswith("powerstate/")), "running")
    facts = {"power": power, "generalized": _is_generalized(vm), "since": now}
    view = vm["properties"].pop("instanceView", None)
    return facts | ({"instance_view": view} if view else {})


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


#: The expected properties of each type.
_SHAPES: dict[str, type[msgspec.Struct]] = {
    "microsoft.batch/batchaccounts": _Account,
    "microsoft.compute/disks": _Disk,
    "microsoft.compute/snapshots": _Disk,
    "microsoft.compute/virtualmachines": _Machine,
}


def shape_problem(document: dict[str, Any]) -> str | None:
    """Return which part of a document has a type that the rules cannot process, or None."""
    try:
        msgspec.convert(document, _Document)
        shape = _SHAPES.get(str(document["type"]).lower())
        if shape is not None:
            msgspec.convert(document["properties"], shape)
    except msgspec.ValidationError as error:
        return str(error)
    return None
