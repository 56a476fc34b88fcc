"""What people save of Azure's tools is read in every shape; the rest is refused with one line and a hint."""

from __future__ import annotations

import codecs
import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from batchimg_magics.emulator.arm.import_files import LARGEST_BYTES, ImportRefusedError, read_documents, read_files
from batchimg_magics.emulator.arm.imports import import_documents, read_resources
from tests.support.batch_emulator import ACCOUNT_ID, BatchEmulator
from tests.support.documents import disk, managed, vm

if TYPE_CHECKING:
    from pathlib import Path

Json = dict[str, Any]


def flat(document: Json) -> Json:
    """Return a document as the Azure CLI prints it."""
    rest = {name: value for name, value in document.items() if name != "properties"}
    return {**rest, **document["properties"], "resourceGroup": "research", "zones": None}


def pascal(value: Any) -> Any:
    """Return a value as PowerShell names its members, with its numbers for enumerations."""
    if isinstance(value, dict):
        special = {"osProfile": "OSProfile", "osType": "OsType"}
        return {special.get(name, name[:1].upper() + name[1:]): pascal(one) for name, one in value.items()}
    return [pascal(one) for one in value] if isinstance(value, list) else {"Linux": 1, "ReadWrite": 2}.get(value, value)


VM, DISK = flat(vm("lab-vm", managed("lab-os"))), flat(disk("lab-os"))
TEXT = json.dumps([VM, DISK], indent=1)
COLOURED = TEXT.replace('"name"', '\x1b[34;01m"name"\x1b[39;49;00m')
SHOWN = {"powerState": "VM running", "publicIps": "", "fqdns": "", "privateIps": "10.0.0.4", "macAddresses": "x"}
#: How people save the documents of a VM and of its disk.
TAKEN: dict[str, bytes] = {
    "UTF-8": TEXT.encode(),
    "UTF-8 with a mark": codecs.BOM_UTF8 + TEXT.encode(),
    "UTF-16 LE with a mark": codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
    "UTF-16 BE with a mark": codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
    "UTF-16 LE without one": TEXT.encode("utf-16-le"),
    "UTF-16 BE without one": TEXT.encode("utf-16-be"),
    "CRLF": TEXT.replace("\n", "\r\n").encode(),
    "jsonc": COLOURED.encode(),
    "JSON lines": "\n".join(map(json.dumps, (VM, DISK))).encode(),
    "concatenated": (json.dumps(VM, indent=1) + json.dumps(DISK, indent=1)).encode(),
    "az vm list -d and a disk": json.dumps([[{**VM, **SHOWN}], DISK]).encode(),
    "az graph query": json.dumps({"count": 2, "data": [{**VM, "tenantId": "t"}, DISK], "skip_token": None}).encode(),
    "az rest": json.dumps({"value": [vm("lab-vm", managed("lab-os")), disk("lab-os")], "nextLink": "x"}).encode(),
    "Count and value of PowerShell 5": json.dumps({"value": [VM, DISK], "Count": 2}).encode(),
    "YAML": yaml.safe_dump([VM, DISK]).encode(),
    "YAML documents": yaml.safe_dump_all([VM, DISK]).encode(),
    "yamlc": yaml.safe_dump([VM, DISK]).replace("name:", "\x1b[94mname\x1b[39;49;00m:").encode(),
    "PowerShell": json.dumps([pascal(VM), pascal(DISK)]).encode(),
}


@pytest.mark.parametrize("shape", TAKEN)
def test_every_shape_is_read_as_the_same_documents(shape: str) -> None:
    machine, its_disk = read_resources(read_documents(TAKEN[shape], "vm.json"))
    assert machine["name"] == "lab-vm"
    assert machine["properties"]["storageProfile"]["osDisk"]["osType"] == "Linux"
    assert machine["properties"]["hardwareProfile"] == {"vmSize": "Standard_DS1_v2"}
    assert its_disk["properties"]["diskSizeGB"] == 30
    assert its_disk["properties"]["creationData"] == {"createOption": "FromImage"}


TABLE = "Name    ResourceGroup    Location\n------  ---------------  ----------\nlab-vm  research         eastus\n"
DEEP = "[" * 200 + "]" * 200
ROW = {"id": VM["id"], "name": "lab-vm", "type": VM["type"], "location": "eastus", "properties": None}
CUT = pascal(VM) | {"StorageProfile": "Microsoft.Azure.Management.Compute.Models.StorageProfile"}
#: What is refused: with these words, and with these words in the hint.
REFUSED: dict[str, tuple[bytes, str, str]] = {
    "nothing": (b" \n", "x.json is empty", "--output json"),
    "an empty list": (b"[]", "x.json has no resource documents: the list is empty", "az vm show"),
    "null": (b"null", "x.json has no resource documents: it is null", "az vm show"),
    "words": (b"all is well", 'has no resource documents: it is "all is well"', "az vm show"),
    "a table": (TABLE.encode(), "x.json is a table (--output table)", "use --output json"),
    "tsv": (b"lab-vm\tresearch\teastus\n", "tab-separated values (--output tsv)", "use --output json"),
    "HTML": (b"<html></html>", "XML or HTML", "use --output json"),
    "gzip": (gzip.compress(b"{}"), "x.json is a gzip file", "az vm show"),
    "latin-1": ('{"id": "é"}'.encode("latin-1"), "x.json is not text in UTF-8: byte 9 is wrong", "as UTF-8"),
    "half of UTF-16": (codecs.BOM_UTF16_LE + b"{\0'", "x.json is not text in UTF-16", "UTF-16"),
    "binary": (b"a\xc3\xa9b\0c", "x.json is not a text file", "az vm show"),
    "cut off": (TEXT.encode()[:-40], "x.json is neither JSON nor YAML: it ends too early: ", "az vm show"),
    "a comma too many": (b'{"id": "a",}', "x.json is neither JSON nor YAML: ", "az vm show"),
    "text after it": (TEXT.encode() + b"\nDone.", "neither JSON nor YAML: Expecting value, line", "az vm show"),
    "NaN": (b'{"id": NaN}', "document 1: NaN is not a JSON number", "az vm show"),
    "Infinity": (b'[{"id": -Infinity}]', "-Infinity is not a JSON number", "az vm show"),
    "thousands of digits": (b'{"id": ' + b"1" * 5000 + b"}", "document 1: ", "az vm show"),
    "a key twice": (b'{"id": "a", "id": "b"}', "'id' is there twice in one object", "az vm show"),
    "a key twice in YAML": (b"id: a\nid: b\n", "'id' is there twice in one object, line 2, column 1", "az vm show"),
    "aliases": (b"a: &x [1]\nb: *x\n", "neither JSON nor YAML: an alias, line 2, column 4", "az vm show"),
    "a tag": (b"a: !!python/object:os.system x\n", "could not determine a constructor", "az vm show"),
    "broken YAML": (b"a: [1\nb: 2\n", "neither JSON nor YAML: expected", "az vm show"),
    "deep": (DEEP.encode(), "x.json is nested more than 64 levels deep", "az vm show"),
    "very deep": (("[" * 200_000).encode(), "x.json is nested more than 64 levels deep", "az vm show"),
    "very deep YAML": (("- " * 5000 + "a").encode(), "x.json is nested more than 64 levels deep", "az vm show"),
    "a template": (b'{"$schema": "https://x#", "resources": []}', "a template", "az resource show"),
    "an error": (b'{"error": {"code": "A", "message": "gone"}}', "an error of Azure: A: gone", "az vm show"),
    "an error line": (b"ERROR: (ResourceNotFound) gone\n", "has an error message: ERROR: (Re", "az vm show"),
    "the row of a list": (json.dumps([DISK, ROW]).encode(), "x.json, item 2: /subs", f"az vm show --ids {VM['id']}"),
    "the row of an account": (
        json.dumps([{**ROW, "id": ACCOUNT_ID, "type": None, "provisioningState": "Succeeded"}]).encode(),
        "genomicsbatch: it has no properties: it is the row of a list", f"az resource show --ids {ACCOUNT_ID}"
    ),
    "a second document": (f"{TEXT}\n{{}}".encode(), "x.json, document 2: a document without", "az vm show"),
    "no id, a secret": (b'{"password": "hunter2"}', "without a resource id, with: password", "az vm show"),
    "cut off by PowerShell": (json.dumps(CUT).encode(), "storageProfile was cut off by ConvertTo-Json", "-Depth 20"),
    "Format-List": (b"ResourceGroupName : research\nName              : lab-vm\n", "Format-List", "ConvertTo-Json"),
    "a spec of a pool": (
        b'{"id": "p", "vmSize": "a", "virtualMachineConfiguration": {}}', "a pool without its url", "az batch pool show"
    ),
    **{
        f"a pool with {names}": (
            json.dumps({"id": "p", "url": "https://a.b.batch.azure.com/pools/p", "vmSize": "s"} | wrong).encode(),
            "pool p: ", "az batch pool show"
        )
        for names, wrong in {
            "a broken url": {"url": "http://["},
            "a machine that is text": {"virtualMachineConfiguration": "abc"},
            "an image that is text": {"virtualMachineConfiguration": {"imageReference": "x"}},
            "resize errors that are none": {"resizeErrors": [{"values": [5]}]},
        }.items()
    },
    "a pool as it is read": (b'{"id": "pools/p", "account": 5}', "a document without a resource id", "az vm show"),
    "a time after all years": (
        json.dumps({"Id": VM["id"], "TimeCreated": f"/Date({'9' * 20})/"}).encode(), "which is no time", "az vm show"
    ),
    "another type": (
        json.dumps({**VM, "id": VM["id"].replace("virtualMachines", "sshPublicKeys"), "type": None}).encode(),
        "sshPublicKeys is not a type that the emulator supports", "can be imported",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_the_rest_is_refused_with_one_line_and_a_hint(case: str) -> None:
    content, words, hint = REFUSED[case]
    with pytest.raises(ImportRefusedError) as caught:
        read_resources(read_documents(content, "x.json"))
    assert words in str(caught.value)
    assert hint in caught.value.hint
    assert "\n" not in f"{caught.value}{caught.value.hint}"
    assert "hunter2" not in str(caught.value)


def test_directories_and_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(VM))
    (tmp_path / "b.yaml").write_text(yaml.safe_dump(DISK))
    (tmp_path / "notes.txt").write_text("no document")
    assert [one["name"] for one in read_resources(read_files([tmp_path]))] == ["lab-vm", "lab-os"]
    (tmp_path / "empty").mkdir()
    with (tmp_path / "huge.json").open("wb") as huge:
        huge.truncate(LARGEST_BYTES + 1)
    for name, words in (("empty", "no files that end in"), ("none", "cannot be read: No such"), ("huge.json", "bytes")):
        with pytest.raises(ImportRefusedError, match=words):
            read_files([tmp_path / name])


def extension(name: str) -> Json:
    """Return an extension as `az vm extension list` prints it."""
    return {
        "id": f"{VM['id']}/extensions/{name}", "name": name, "type": "Microsoft.Compute/virtualMachines/extensions",
        "location": "eastus", "publisher": "Microsoft.Azure.Extensions", "typePropertiesType": "CustomScript",
        "typeHandlerVersion": "2.1", "provisioningState": "Succeeded", "resourceGroup": "research", "settings": None,
    }  # fmt: skip


def test_extensions_are_those_of_their_vm() -> None:
    azure = BatchEmulator()
    now = azure.clock.now()
    import_documents(azure.store, now, [extension("setup")])
    assert azure.store.meta("not_imported") == [VM["id"].lower()]
    import_documents(azure.store, now, [VM, [extension("setup")], DISK])
    shown = azure.arm("GET", VM["id"], version="2024-07-01").body
    (found,) = shown["resources"]
    assert (found["name"], found["properties"]["type"]) == ("setup", "CustomScript")


def data_plane_pool(name: str, **more: Any) -> Json:
    """Return a pool as `az batch pool show` prints it."""
    image = {"publisher": "canonical", "offer": "0001-com-ubuntu-server-jammy", "sku": "22_04-lts", "version": "latest",
             "virtualMachineImageId": None}  # fmt: skip
    machine = {"imageReference": image, "nodeAgentSkuId": "batch.node.ubuntu 22.04", "dataDisks": None}
    return {
        "id": name, "url": f"https://genomicsbatch.eastus.batch.azure.com/pools/{name}", "state": "active",
        "vmSize": "standard_d2s_v3", "allocationState": "steady", "currentDedicatedNodes": 2, "targetDedicatedNodes": 2,
        "currentLowPriorityNodes": 0, "targetLowPriorityNodes": 0, "resizeTimeout": "PT15M", "enableAutoScale": False,
        "creationTime": "2026-05-01T10:00:00.123456+00:00", "lastModified": "2026-05-01T10:00:00+00:00",
        "allocationStateTransitionTime": "2026-05-01T10:05:00.5+00:00", "eTag": "0x8", "startTask": None,
        "virtualMachineConfiguration": machine, "metadata": [{"name": "owner", "value": "lab"}],
        "enableInterNodeCommunication": False, "taskSlotsPerNode": 1, **more,
    }  # fmt: skip


def test_pools_of_both_planes_are_read() -> None:
    azure = BatchEmulator()
    error = {"code": "AllocationFailed", "message": "no", "values": [{"name": "Reason", "value": "gone"}]}
    pools = [data_plane_pool("old"), data_plane_pool("stuck", targetDedicatedNodes=5, resizeErrors=[error])]
    formula = {"enableAutoScale": True, "autoScaleFormula": "$TargetDedicatedNodes = 1;"}
    pools.append(data_plane_pool("auto", **formula))
    import_documents(azure.store, azure.clock.now(), [pools])
    shown = azure.pool("old")
    assert (shown["currentDedicatedNodes"], shown["targetDedicatedNodes"], shown["allocationState"]) == (2, 2, "steady")
    assert shown["metadata"] == [{"name": "owner", "value": "lab"}]
    assert azure.states("old") == {"idle": 2}
    stuck = azure.pool("stuck")
    assert (stuck["targetDedicatedNodes"], stuck["resizeErrors"][0]["code"]) == (5, "AllocationFailed")
    assert azure.pool("auto")["autoScaleFormula"] == formula["autoScaleFormula"]
    on_arm = azure.arm("GET", "/pools/old").body
    import_documents(
        azure.store, azure.clock.now(), [flat(on_arm | {"id": f"{ACCOUNT_ID}/pools/again", "name": "again"})]
    )
    assert azure.states("again") == {"idle": 2}
    elsewhere = data_plane_pool("p", url="https://otherbatch.eastus.batch.azure.com/pools/p")
    with pytest.raises(ImportRefusedError, match="in the Batch account otherbatch, which is not in the emulator"):
        import_documents(azure.store, azure.clock.now(), [DISK, elsewhere])
    assert azure.store.get(DISK["id"]) is None
