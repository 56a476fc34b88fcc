"""Import of documents into the emulator state: as ARM returns them, and as the Azure CLI prints them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.arm.import_files import SAVE_AGAIN, ImportRefusedError
from batchimg_magics.emulator.arm.import_shapes import NEEDED, references, shape_problem, show_command
from batchimg_magics.emulator.arm.import_tools import (
    is_pool_of_account_name,
    normal_times,
    resource_documents,
    without_id,
)
from batchimg_magics.emulator.arm.resources import NOT_IMPORTED, find, split_id, type_of
from batchimg_magics.emulator.arm.scopes import split_assigned
from batchimg_magics.emulator.world.store import Item, Store

if TYPE_CHECKING:
    from collections.abc import Iterable

_ACCOUNTS, _POOLS = "microsoft.batch/batchaccounts", "microsoft.batch/batchaccounts/pools"
_EXTENSIONS = "microsoft.compute/virtualmachines/extensions"
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
        "microsoft.compute/virtualmachines/extensions",
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
#: The properties that the row of a list has, as ``az resource list`` prints it.
_OF_ROWS = frozenset({"changedTime", "createdTime", "provisioningState"})
#: The members that ``az graph query`` adds.
_GRAPH = frozenset({"resourceGroup", "subscriptionId", "tenantId"})
#: The names that the Azure CLI gives to the type of an extension, of which the document has the type of the resource.
_EXTENSION_TYPE = ("typePropertiesType", "virtualMachineExtensionType")
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
    resources = read_resources(documents, any_type=any_type)
    generalized = {vm["id"].lower() for vm in resources if _is_generalized(vm)}
    with store.transaction(write=True):
        _find_accounts(store, resources)
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


def read_resources(documents: Iterable[Any], *, any_type: bool = False) -> list[dict[str, Any]]:
    """Return documents in the format of ARM, each with the shape that its type needs.

    Parameters
    ----------
    documents, any_type
        As for `import_documents`.

    Raises
    ------
    ImportRefusedError
        As for `import_documents`.
    """
    resources = []
    for where, document in resource_documents(documents):
        try:
            resource = arm_document(document, any_type=any_type)
            _check_shape(resource)
        except ImportRefusedError as error:
            raise ImportRefusedError(f"{where}: {error}" if where else str(error), error.hint) from error
        resources.append(resource)
    return resources


def _check_shape(resource: dict[str, Any]) -> None:
    if (wrong := shape_problem(resource)) is None:
        return
    hint = SAVE_AGAIN if resource["id"].startswith("pools/") else f"`{show_command(resource['id'])} > FILE`"
    raise ImportRefusedError(f"{resource['id']}: {wrong}", hint)


def _find_accounts(store: Store, resources: list[dict[str, Any]]) -> None:
    """Set the ids of the pools whose documents have only the name of their account, as on the data plane."""
    pools = [pool for pool in resources if "account" in pool]
    if not pools:
        return
    known = {item.doc["name"].lower(): item.doc["id"] for item in store.items(_ACCOUNTS)}
    known |= {one["name"].lower(): one["id"] for one in resources if one["type"].lower() == _ACCOUNTS}
    for pool in pools:
        name = pool.pop("account")
        if name.lower() not in known:
            raise ImportRefusedError(
                f"pool {pool['name']} is in the Batch account {name}, which is not in the emulator",
                f"import the account, too: `az batch account show --name {name} --resource-group GROUP > FILE`",
            )
        pool["id"] = f"{known[name.lower()]}/pools/{pool['name']}"


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
    if is_pool_of_account_name(document):
        return {**_without_nulls(normal_times(document)), "type": "Microsoft.Batch/batchAccounts/pools"}
    kind, name = _kind_and_name(document)
    if kind.lower() not in KINDS and not any_type:
        raise ImportRefusedError(f"{kind} is not a type that the emulator supports ({key})")
    bare: dict[str, Any] = _without_nulls({name: value for name, value in document.items() if name not in _GRAPH})
    if "properties" not in bare:
        bare = _with_properties(bare, kind.lower())
        if kind.lower() not in NEEDED and bare["properties"].keys() <= _OF_ROWS:
            hint = f"`{show_command(str(key))} > FILE`"
            raise ImportRefusedError(f"{key}: it has no properties: it is the row of a list", hint)
    if not isinstance(bare["properties"], dict):
        raise ImportRefusedError(f"{key}: its properties are not an object", SAVE_AGAIN)
    bare["properties"].setdefault("provisioningState", "Succeeded")
    if kind.lower() == _POOLS:
        bare["properties"] = normal_times(bare["properties"])
    return bare | {"id": key, "name": bare.get("name", name), "type": kind}


def _kind_and_name(document: dict[str, Any]) -> tuple[str, str]:
    """Return type and name of a resource by its id, which its type must agree with."""
    key = document.get("id")
    if assigned := split_assigned(str(key)):
        return assigned[1], assigned[2]
    try:
        of_id = type_of(str(key))
    except ValueError as error:
        raise without_id(document) from error
    kind = str(document.get("type") or of_id)
    if kind.lower() != of_id.lower():
        raise ImportRefusedError(f"the type {kind} is not that of the id {key}", SAVE_AGAIN)
    return kind, str(key).rstrip("/").rpartition("/")[2]


def _with_properties(flat: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return a document that the Azure CLI prints on one level as ARM has it."""
    inside = {name: value for name, value in flat.items() if name not in _TOP | _DETAILS}
    if details := str(flat.get("powerState", "")):
        status = {"code": details.lower().replace("vm ", "PowerState/"), "displayStatus": details}
        inside.setdefault("instanceView", {"statuses": [status]})
    if kind == _EXTENSIONS:
        own = next((inside.pop(name) for name in _EXTENSION_TYPE if name in inside), None)
        inside |= {"type": own} if own else {}
    if kind.startswith("microsoft.network/"):
        inside = {name: _parts(value) for name, value in inside.items()}
    if isinstance(profile := inside.get("networkProfile"), dict):  # of a VM
        inside["networkProfile"] = {name: _parts(value) for name, value in profile.items()}
    return {name: value for name, value in flat.items() if name in _TOP} | {"properties": inside}


def _parts(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Write the nested parts of a network resource as ARM does; the Azure CLI prints each of them on one level, too."""
    if not isinstance(value, list):
        return value
    return [_part(one) if isinstance(one, dict) and one.keys() > {"id"} else one for one in value]


def _part(flat: dict[str, Any]) -> dict[str, Any]:
    inside = {name: value for name, value in flat.items() if name not in _TOP}
    return {name: value for name, value in flat.items() if name in _TOP} | {"properties": inside}


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
