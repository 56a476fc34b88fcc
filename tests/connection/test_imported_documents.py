"""Documents of Azure's tools that an emulator imports: refused in one line, or read as what they are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from batchimg_magics.errors import NotFoundError, SpecError
from tests.support.connections import read_pool
from tests.support.documents import ACCOUNT, GROUP, disk, managed, vm

if TYPE_CHECKING:
    from pathlib import Path

    from batchimg_magics.session.session import Session

Json = dict[str, Any]
NETWORK = GROUP.replace("Microsoft.Compute", "Microsoft.Network")
NIC = f"{NETWORK}/networkInterfaces/lab-nic"
SUBNET = f"{NETWORK}/virtualNetworks/research-vnet/subnets/default"
DEALLOCATED = {"statuses": [{"code": "PowerState/deallocated"}]}


def lab_vm() -> Json:
    found = vm("lab-vm", managed("lab-os"))
    found["properties"] |= {"networkProfile": {"networkInterfaces": [{"id": NIC}]}, "instanceView": DEALLOCATED}
    return found


def interface() -> Json:
    inner = {"name": "ipconfig1", "properties": {"subnet": {"id": SUBNET}}}
    kind = "Microsoft.Network/networkInterfaces"
    return {
        "id": NIC,
        "name": "lab-nic",
        "type": kind,
        "location": "eastus",
        "properties": {"ipConfigurations": [inner]},
    }


def row_of_a_list(document: Json) -> Json:
    """Return a document as `az resource list` prints it."""
    kept = {name: document[name] for name in ("id", "name", "type", "location")}
    return {**kept, "properties": None, "provisioningState": "Succeeded", "resourceGroup": "research", "sku": None}


def flat(document: Json) -> Json:
    """Return a document as the Azure CLI prints it: on one level, with nulls."""
    rest = {name: value for name, value in document.items() if name != "properties"}
    return {**rest, **document["properties"], "resourceGroup": "research", "zones": None, "plan": None}


def connect(session: Session, path: Path, *contents: Any, text: str | None = None) -> Json:
    path.write_text(text if text is not None else json.dumps(list(contents)))
    attrs: Json = session.connect(state=":memory:", speed="max", import_files=[str(path)], generalized=True).attrs
    return attrs


def test_what_was_not_imported_is_said_and_everything_else_is_judged(session: Session, tmp_path: Path) -> None:
    warnings = connect(session, tmp_path / "vm.json", flat(lab_vm()), flat(disk("lab-os")))["warnings"]
    show = f"`az network nic show --ids {NIC.lower()} --output json > FILE`"
    assert [(one["found"], one["fix"]) for one in warnings] == [
        (f"an imported document refers to {NIC.lower()}", f"import that document too: {show}")
    ]
    found = session.check("lab-vm", vm_size="Standard_D4s_v3", all=True).set_index("rule")
    assert "networkInterfaces/lab-nic" in found.found["image-origin"]
    assert "import that document too" in found.found["image-origin"]
    assert {"base-image", "generation", "vm-size", "region", "os-disk-encryption"} <= set(found.index)
    assert list(found.index[(found.ok == False) & (found.severity == "error")]) == ["image-origin"]  # noqa: E712
    with pytest.raises(NotFoundError, match="import that document too"):
        session.create("p", from_vm="lab-vm", vm_size="Standard_D4s_v3")
    assert set(session.plan("p", from_vm="lab-vm", vm_size="Standard_D4s_v3", generalized=True).action) > {
        "would create"
    }
    assert "lab-vm" in set(session.vms().vm)
    # With the document, nothing is missing.
    path = tmp_path / "all.json"
    assert "warnings" not in connect(session, path, lab_vm(), disk("lab-os"), interface())
    assert session.check("lab-vm", vm_size="Standard_D4s_v3", all=True).set_index("rule").ok["image-origin"]


def test_a_vm_without_its_os_disk_is_judged_as_far_as_it_is_known(session: Session, tmp_path: Path) -> None:
    warnings = connect(session, tmp_path / "vm.json", lab_vm(), interface())["warnings"]
    assert "disks/lab-os" in warnings[0]["found"]
    found = session.check("lab-vm", vm_size="Standard_D4s_v3", all=True).set_index("rule")
    assert "the OS disk of VM 'lab-vm' does not exist" in found.found["image-origin"]
    assert found.ok["base-image"]


#: Documents that do not tell what a resource is, and what is said.
REFUSED: dict[str, tuple[Any, str]] = {
    "row of a VM": (row_of_a_list(lab_vm()), "it has no storageProfile: it is the row of a list"),
    "row of a disk": (row_of_a_list(disk("lab-os")), "it has no creationData or diskSizeGB or osType"),
    "row of an interface": (row_of_a_list(interface()), "it has no ipConfigurations"),
    "VM without its OS disk": (
        {**lab_vm(), "properties": {"storageProfile": {"dataDisks": []}, "hardwareProfile": {}}},
        "its storageProfile has no osDisk",
    ),
    "properties are a list": ({**lab_vm(), "properties": [1]}, "its properties are not an object"),
    "profile is text": (
        {**lab_vm(), "properties": {**lab_vm()["properties"], "storageProfile": "a"}},
        "Expected `object",
    ),
    "configuration is text": ({**interface(), "properties": {"ipConfigurations": ["a"]}}, "Expected `object`"),
    "subnet without id": (
        {
            "id": f"{GROUP.rpartition('/')[0]}/Microsoft.Network/virtualNetworks/n",
            "properties": {"subnets": [{"name": "a", "properties": {}}]},
        },
        "missing required field `id`",
    ),
    "no id": ({"name": "lab-vm", "type": "Microsoft.Compute/virtualMachines"}, "a document without a resource id"),
    "id is a number": ({**lab_vm(), "id": 4}, "a document without a resource id"),
    "another type": ({**lab_vm(), "type": "Microsoft.Compute/disks"}, "is not that of the id"),
    "unknown type": (
        {**lab_vm(), "id": f"{GROUP}/sshPublicKeys/a", "type": "Microsoft.Compute/sshPublicKeys"},
        "is not a type that the emulator supports",
    ),
}  # fmt: skip


def test_rows_of_lists_and_broken_documents_are_refused_in_one_line(session: Session, tmp_path: Path) -> None:
    session.connect(state=":memory:", speed="max")
    for case, (content, words) in REFUSED.items():
        with pytest.raises(SpecError) as caught:
            connect(session, tmp_path / "a.json", disk("other"), content)
        assert words in caught.value.message, case
        assert "\n" not in caught.value.message
    with pytest.raises(SpecError, match="has no resource documents"):
        connect(session, tmp_path / "a.json", None)
    assert session.connected  # on the connection before
    # Nothing of them is in the emulator.
    session.connect(state=":memory:", speed="max")
    assert "lab-vm" not in set(session.vms().vm)


def test_documents_without_name_and_type_and_mixed_types_are_read(session: Session, tmp_path: Path) -> None:
    bare = [
        {key: value for key, value in one.items() if key not in ("name", "type")} for one in (lab_vm(), interface())
    ]
    whole = [flat(disk("lab-os")), *bare]
    graph = {"count": 3, "data": [{**one, "subscriptionId": "s", "tenantId": "t"} for one in whole], "skip_token": None}
    shapes = {
        "a list": json.dumps(whole),
        "a page": json.dumps({"value": whole, "nextLink": None}),
        "az graph query": json.dumps(graph),
        "one after the other": "\n".join(json.dumps(one, indent=1) for one in whole),
        "YAML": yaml.safe_dump_all(whole),
    }
    for case, text in shapes.items():
        connect(session, tmp_path / "all.json", text=text)
        found = session.vms().set_index("vm").loc["lab-vm"]
        assert found.os == "Linux", case
    path = tmp_path / "wide.json"
    path.write_bytes(json.dumps(whole).encode("utf-16"))
    session.connect(state=":memory:", speed="max", import_files=[str(path)])
    assert "lab-vm" in set(session.vms().vm)


# -- confidential VMs ---------------------------------------------------------------------------------------------


def confidential(encryption: str) -> list[Json]:
    """Return a confidential VM with its disk and interface, and an account with cores for its size."""
    machine, os_disk = lab_vm(), disk("lab-os", hyperVGeneration="V2")
    machine["properties"]["securityProfile"] = {
        "securityType": "ConfidentialVM",
        "uefiSettings": {"secureBootEnabled": True, "vTpmEnabled": True},
    }
    machine["properties"]["instanceView"] = {"statuses": [{"code": "OSState/generalized"}, *DEALLOCATED["statuses"]]}
    storage = machine["properties"]["storageProfile"]
    storage["imageReference"] |= {"offer": "0001-com-ubuntu-confidential-vm-jammy", "sku": "22_04-lts-cvm"}
    os_disk["properties"]["securityProfile"] = {"securityType": f"ConfidentialVM_{encryption}"}
    account = {
        "accountEndpoint": "genomicsbatch.eastus.batch.azure.com",
        "poolAllocationMode": "BatchService",
        "dedicatedCoreQuota": 100,
        "dedicatedCoreQuotaPerVMFamily": [{"name": "standardDCasv5Family", "coreQuota": 100}],
        "dedicatedCoreQuotaPerVMFamilyEnforced": True,
    }
    kind = "Microsoft.Batch/batchAccounts"
    batch = {"id": ACCOUNT, "name": "genomicsbatch", "type": kind, "location": "eastus", "properties": account}
    return [machine, os_disk, interface(), batch]


CONFIDENTIAL = (
    ("VMGuestStateOnlyEncryptedWithPlatformKey", "VMGuestStateOnly", "arm"),
    ("DiskEncryptedWithCustomerKey", "DiskWithVMGuestState", "batch"),
    ("NonPersistedTPM", "NonPersistedTPM", "batch"),
)


@pytest.mark.parametrize(("encryption", "sent", "plane"), CONFIDENTIAL)
def test_a_confidential_pool_has_the_encryption_of_its_vm(
    session: Session, tmp_path: Path, encryption: str, sent: str, plane: str
) -> None:
    connect(session, tmp_path / "vm.json", *confidential(encryption))
    line = {"from_vm": "lab-vm", "vm_size": "Standard_DC4as_v5", "nodes": 1, "api": plane}
    session.create("p", **line)
    assert list(session.nodes("p").state) == ["idle"]
    machine = read_pool(session, "p")["properties"]["deploymentConfiguration"]["virtualMachineConfiguration"]
    assert machine["securityProfile"]["securityType"].lower() == "confidentialvm"
    assert machine["osDisk"]["managedDisk"]["securityProfile"] == {"securityEncryptionType": sent}
    assert set(session.create("p", **line).action) == {"exists"}
    if sent == "NonPersistedTPM":
        return
    session.resize("p", nodes=0)
    other = session.create("p", **{**line, "nodes": 0}, security_encryption="NonPersistedTPM").set_index("step")
    assert other.loc["pool", "detail"] == "OS disk encryption"
