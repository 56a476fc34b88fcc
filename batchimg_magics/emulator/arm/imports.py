"""Import of documents into the emulator state: as ARM returns them, and as the Azure CLI prints them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm.import_shapes import references, shape_problem
from batchimg_magics.emulator.arm.resources import NOT_IMPORTED, find, split_id, type_of
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
#: The members that ``az graph query`` adds.
_GRAPH = frozenset({"resourceGroup", "subscriptionId", "tenantId"})
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
        wanted = [*(store.meta(NOT_IMPORTED) or []), *(one for resource in resources for one in references(resource))]
        store.set_meta(NOT_IMPORTED, sorted({one.lower() for one in wanted if store.get(one) is None}))
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
    else:
        try:
            of_id = type_of(str(key))
        except ValueError as error:
            raise ImportRefusedError(f"a document without a resource id: {str(document)[:80]}") from error
        name = str(key).rstrip("/").rpartition("/")[2]
        kind = str(document.get("type") or of_id)
        if kind.lower() != of_id.lower():
            raise ImportRefusedError(f"the type {kind} is not that of the id {key}")
    if kind.lower() not in KINDS and not any_type:
        raise ImportRefusedError(f"{kind} is not a type that the emulator supports ({key})")
    bare: dict[str, Any] = _without_nulls({name: value for name, value in document.items() if name not in _GRAPH})
    if "properties" not in bare:
        inside = {name: value for name, value in bare.items() if name not in _TOP | _DETAILS}
        if details := str(bare.get("powerState", "")):
            status = {"code": details.lower().replace("vm ", "PowerState/"), "displayStatus": details}
            inside.setdefault("instanceView", {"statuses": [status]})
        if kind.lower().startswith("microsoft.network/"):
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
        elif isinstance(document, dict) and "id" not in document and isinstance(_rows_of(document), list):
            yield from _flatten(_rows_of(document))
        elif isinstance(document, dict):
            yield document
        else:
            raise ImportRefusedError(f"not a resource document: {str(document)[:80]}")


def _rows_of(document: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    """Return the rows of a page of ARM, or of what ``az graph query`` prints."""
    return document.get("value", document.get("data"))


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
