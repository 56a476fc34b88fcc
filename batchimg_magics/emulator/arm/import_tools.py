"""The shapes in which Azure's tools print resources: pages, queries, PowerShell's objects, pools of the data plane.

Each is turned into the document that ARM returns, or that the Azure CLI prints, which `imports` reads. What does not
have the properties of a resource is refused: templates, error messages, objects that ConvertTo-Json cut off.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from batchimg_magics.emulator.arm.import_files import SAVE_AGAIN, ImportRefusedError, Sourced

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Json = dict[str, Any]
#: What ConvertTo-Json writes in place of an object below its depth.
_CUT_OFF = re.compile(r"^(?:Microsoft\.Azure\.|System\.(?:Collections|Object)|@\{)")
_POWERSHELL_TIME = re.compile(r"^/Date\((-?\d+)\)/$")
#: PowerShell prints enumerations as numbers.
_ENUMS: dict[str, tuple[str, ...]] = {
    "osType": ("Windows", "Linux"),
    "caching": ("None", "ReadOnly", "ReadWrite"),
}
#: Members of PowerShell's objects that ARM does not have.
_POWERSHELL_ONLY = frozenset(
    {"resourceGroupName", "requestId", "statusCode", "fullyQualifiedDomainName", "displayHint"}
)
#: Members of a pool of the data plane that ARM has in other places, or does not have.
_POOL_SCALE = ("targetDedicatedNodes", "targetLowPriorityNodes", "resizeTimeout")
_POOL_ONLY = frozenset({
    *_POOL_SCALE, "autoScaleEvaluationInterval", "autoScaleFormula", "autoScaleRun", "eTag", "enableAutoScale",
    "enableInterNodeCommunication", "id", "odata.metadata", "resizeErrors", "state", "stateTransitionTime", "stats",
    "url", "virtualMachineConfiguration",
})  # fmt: skip
#: The times of a pool that the emulator uses.
_POOL_TIMES = frozenset({
    "creationTime", "lastModified", "allocationStateTransitionTime", "evaluationTime", "startTime",
    "provisioningStateTransitionTime",
})  # fmt: skip
_POOL_HINT = "export it with `az batch pool show`"
_POWERSHELL_HINT = "use `Get-AzVM ... | ConvertTo-Json -Depth 20 -EnumsAsStrings > FILE`"


class _Detail(msgspec.Struct):
    name: str | None = None
    value: str | None = None


class _ResizeError(msgspec.Struct):
    code: str | None = None
    message: str | None = None
    values: list[_Detail] | None = None


class _Machine(msgspec.Struct, rename="camel"):
    image_reference: dict[str, Any] | None = None


class _BatchPool(msgspec.Struct, rename="camel"):
    """The parts of a pool of the data plane that have other places in ARM."""

    url: str
    virtual_machine_configuration: _Machine | None = None
    resize_errors: list[_ResizeError] | None = None


def resource_documents(values: Iterable[Any]) -> Iterator[tuple[str, Json]]:
    """Yield the documents in values, each with where it is; lists, pages and queries are flattened.

    Parameters
    ----------
    values
        JSON values, or `Sourced` ones.

    Raises
    ------
    ImportRefusedError
        One is not a resource document.
    """
    for value in values:
        where, inner = (value.where, value.value) if isinstance(value, Sourced) else ("", value)
        yield from _flattened(where, inner)


def _flattened(where: str, value: Any) -> Iterator[tuple[str, Json]]:  # noqa: ANN401 - any JSON
    if isinstance(value, list):
        if where and not value:
            raise ImportRefusedError(f"{where} has no resource documents: the list is empty", SAVE_AGAIN)
        for number, one in enumerate(value, 1):
            yield from _flattened(f"{where}, item {number}" if where else "", one)
    elif not isinstance(value, dict):
        shown = "null" if value is None else str(value)[:80]
        text = f"{where} has no resource documents: it is {shown}" if where else f"not a resource document: {shown}"
        raise ImportRefusedError(text, SAVE_AGAIN)
    elif "id" in value or "Id" in value:
        yield where, _resource(where, value)
    elif (rows := _rows(value)) is not None:
        yield from _flattened(where, rows)
    else:
        raise _not_a_resource(where, value)


def _rows(value: Json) -> Any:  # noqa: ANN401 - any JSON
    """Return the rows of a page of ARM, of ``az graph query``, or of PowerShell's arrays; None for something else."""
    rows = value.get("value", value.get("data"))
    whole = isinstance(rows, list) or value.keys() <= {"value", "Count"}  # ConvertTo-Json of PowerShell 5
    return rows if whole else None


def _at(where: str, text: str) -> str:
    return f"{where}: {text}" if where else text


def _not_a_resource(where: str, value: Json) -> ImportRefusedError:
    if "$schema" in value or "template" in value or isinstance(value.get("resources"), list):
        return ImportRefusedError(
            _at(where, "a template of resources, which has no ids and only some of the properties"),
            "export each resource as it is: `az resource show --ids ID > FILE`, or `az vm show --ids ID > FILE`",
        )
    if isinstance(error := value.get("error"), dict):
        return ImportRefusedError(
            _at(where, f"an error of Azure: {error.get('code')}: {error.get('message')}"), SAVE_AGAIN
        )
    return without_id(value, where)


def without_id(value: Json, where: str = "") -> ImportRefusedError:
    """Return the refusal of a document without a resource id; it names members only, because values may be secret."""
    if {"vmSize", "virtualMachineConfiguration"} <= value.keys():
        text, hint = (
            "a pool without its url, which has the name of its account",
            "`az batch pool show --pool-id ID > FILE`",
        )
    elif "id" in value:
        text, hint = f"a document without a resource id: its id is {str(value['id'])[:80]!r}", SAVE_AGAIN
    else:
        names = ", ".join(str(name) for name in list(value)[:6])
        text, hint = f"a document without a resource id, with: {names}", SAVE_AGAIN
    return ImportRefusedError(_at(where, text), hint)


def _resource(where: str, value: Json) -> Json:
    if "id" not in value:
        value = _from_powershell(where, value)
    key = value["id"]
    if isinstance(key, str) and "/" not in key and {"url", "vmSize"} <= value.keys():
        return _pool(where, value)
    if str(key).startswith("pools/"):  # what `_pool` returns, which no tool prints
        raise without_id(value, where)
    return value


# -- PowerShell --------------------------------------------------------------------------------------------------


def _from_powershell(where: str, value: Json) -> Json:
    """Return the object that ``Get-Az... | ConvertTo-Json`` prints, as the Azure CLI would print it."""
    found = {name: one for name, one in _camel(where, value).items() if name not in _POWERSHELL_ONLY}
    return {("licenseType" if name == "license" else name): one for name, one in found.items()}


def _camel(where: str, value: Any, name: str = "") -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        if name == "tags":
            return value
        return {(low := _camel_name(key)): _camel(where, one, low) for key, one in value.items()}
    if isinstance(value, list):
        return [_camel(where, one, name) for one in value]
    if isinstance(value, str) and _CUT_OFF.match(value):
        raise ImportRefusedError(_at(where, f"{name} was cut off by ConvertTo-Json"), _POWERSHELL_HINT)
    if isinstance(value, str) and (match := _POWERSHELL_TIME.match(value)):
        try:
            return datetime.fromtimestamp(int(match[1]) / 1000, UTC).isoformat()
        except (ValueError, OverflowError, OSError) as error:
            raise ImportRefusedError(_at(where, f"{name} is {value[:40]!r}, which is no time"), SAVE_AGAIN) from error
    if isinstance(value, int) and not isinstance(value, bool) and name in _ENUMS:
        words = _ENUMS[name]
        return words[value] if 0 <= value < len(words) else value
    return value


def _camel_name(name: str) -> str:
    """Return a name as ARM spells it: OSProfile is osProfile, VmSize vmSize."""
    start = re.match(r"[A-Z]+", name)
    if start is None:
        return name
    length = start.end()
    keep = length - 1 if 1 < length < len(name) else length
    return name[:keep].lower() + name[keep:]


# -- pools of the data plane -------------------------------------------------------------------------------------


def _pool(where: str, value: Json) -> Json:
    """Return a pool that ``az batch pool show`` prints, as ARM has it; `imports` finds its account by the name."""
    try:
        known = msgspec.convert(value, _BatchPool)
        host, path = urlsplit(known.url).hostname or "", urlsplit(known.url).path
    except (msgspec.ValidationError, ValueError) as error:
        raise ImportRefusedError(_at(where, f"pool {value['id']}: {error}"), _POOL_HINT) from error
    account = host.partition(".")[0] if ".batch." in f".{host}." else path.strip("/").split("/")[0]
    if not account or account == "pools":
        raise ImportRefusedError(_at(where, f"the account of pool {value['id']} is not in its url {known.url}"))
    machine = dict(value.get("virtualMachineConfiguration") or {})
    if not machine:
        raise ImportRefusedError(_at(where, f"pool {value['id']} has no virtualMachineConfiguration"), _POOL_HINT)
    if "nodeAgentSKUId" in machine:
        machine["nodeAgentSkuId"] = machine.pop("nodeAgentSKUId")
    if image := (machine.get("imageReference") or {}).get("virtualMachineImageId"):
        machine["imageReference"] = {"id": image}
    if value.get("enableAutoScale"):
        interval = value.get("autoScaleEvaluationInterval") or "PT15M"
        scale: Json = {"autoScale": {"formula": value.get("autoScaleFormula"), "evaluationInterval": interval}}
    else:
        scale = {"fixedScale": {name: value[name] for name in _POOL_SCALE if value.get(name) is not None}}
    inner = {name: one for name, one in value.items() if name not in _POOL_ONLY and one is not None}
    inner |= {"deploymentConfiguration": {"virtualMachineConfiguration": machine}, "scaleSettings": scale}
    if known.resize_errors:
        errors = [
            {
                "code": str(one.code),
                "message": str(one.message),
                "details": [{"code": str(pair.name), "message": str(pair.value)} for pair in one.values or []],
            }
            for one in known.resize_errors
        ]
        inner["resizeOperationStatus"] = {"errors": errors}
    inner["interNodeCommunication"] = "Enabled" if value.get("enableInterNodeCommunication") else "Disabled"
    return {"account": account, "name": value["id"], "id": f"pools/{value['id']}", "properties": inner}


def is_pool_of_account_name(document: Json) -> bool:
    """Tell whether a document is a pool of the data plane, of whose account only the name is known."""
    return "account" in document and str(document.get("id")).startswith("pools/")


def normal_times(value: Any, name: str = "") -> Any:  # noqa: ANN401 - any JSON
    """Write the times in the document of a pool as Azure does, in UTC with a Z; the Azure CLI prints an offset."""
    if isinstance(value, dict):
        return {key: normal_times(one, key) for key, one in value.items()}
    if isinstance(value, list):
        return [normal_times(one, name) for one in value]
    if not isinstance(value, str) or name not in _POOL_TIMES:
        return value
    try:
        moment = datetime.fromisoformat(value)
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise ImportRefusedError(f"{name} is {value!r}, which is no time", SAVE_AGAIN) from error
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"
