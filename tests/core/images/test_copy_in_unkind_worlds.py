"""The temporary copy of a VM where Azure is unkind: no way out, no quota, locks, hanging commands."""

from __future__ import annotations

import json
import re
import threading
from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics.emulator.catalog.vm_sizes import all_sizes
from batchimg_magics.emulator.furnish import SUBSCRIPTION
from batchimg_magics.errors import BatchImgError, ProvisioningError, SpecError
from batchimg_magics.session.session import Session
from tests.support.crash import CrashTransport, ProcessKilled
from tests.support.documents import GROUP
from tests.support.interruptions import AtRequest, kill
from tests.support.inventory import read_inventory
from tests.support.prepared_vms import NETWORK, SUBNET, StateFileClient, connect_to, new_state_file

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

LINE = {"from_vm": "desk", "vm_size": "Standard_D4s_v5", "nodes": 1}
OTHER = SUBSCRIPTION[:-1] + "5"
LAB = f"/subscriptions/{OTHER}/resourceGroups/lab"


@pytest.fixture
def outside(tmp_path: Path) -> StateFileClient:
    client = new_state_file(tmp_path)
    client.create_vm("desk")
    return client


def temporary(outside: StateFileClient, subscription: str = SUBSCRIPTION) -> list[dict[str, Any]]:
    """Return the temporary resources of a subscription, as its list of resources has them."""
    query = "$filter=tagName eq 'batchimg-throwaway'".replace(" ", "%20")
    url = f"/subscriptions/{subscription}/resources?{query}"
    found: list[dict[str, Any]] = outside.ask("GET", url, version="2021-04-01")["value"]
    return found


def state_of(outside: StateFileClient, vm: str) -> str:
    view = outside.ask("GET", f"{vm}?$expand=instanceView")["properties"]["instanceView"]
    return next(one["code"] for one in view["statuses"] if one["code"].startswith("PowerState/"))


def kinds(found: list[dict[str, Any]]) -> set[str]:
    return {str(one["type"]).rpartition("/")[2] for one in found}


def create(outside: StateFileClient, **more: Any) -> pd.DataFrame:
    with Session() as session:
        connect_to(session, outside)
        steps = session.create("genomics", **LINE | more)
        assert set(session.nodes("genomics").state) == {"idle"}
    return steps


# -- the subnet --------------------------------------------------------------------------------------------------


def test_a_private_subnet_is_warned_of_and_the_power_state_is_the_proof(outside: StateFileClient) -> None:
    network = outside.ask("GET", SUBNET.partition("/subnets/")[0], version="2024-05-01")
    for one in network["properties"]["subnets"]:
        one["properties"]["defaultOutboundAccess"] = False
    outside.import_documents([network])
    with Session() as session:
        connect_to(session, outside)
        found = session.check("desk", vm_size=LINE["vm_size"], all=True).set_index("rule")
        assert (found.loc["copy-subnet", "ok"], found.loc["copy-subnet", "severity"]) == (False, "warning")
        assert "private" in found.loc["copy-subnet", "found"]
        session.create("genomics", **LINE)
        assert set(session.nodes("genomics").state) == {"idle"}
    assert temporary(outside) == []


def test_the_copy_is_in_the_subnet_that_is_named(outside: StateFileClient) -> None:
    other = SUBNET.replace("/default", "/spare")
    network = outside.ask("GET", SUBNET.partition("/subnets/")[0], version="2024-05-01")
    spare = {"id": other, "name": "spare", "properties": {"addressPrefix": "10.0.9.0/24"}}
    closed = {"properties": {"serviceName": "Microsoft.ContainerInstance/containerGroups"}, "name": "aci"}
    taken = {"id": f"{other}-aci", "name": "spare-aci", "properties": spare["properties"] | {"delegations": [closed]}}
    network["properties"]["subnets"] += [spare, taken]
    outside.import_documents([network])
    seen: list[str] = []

    class Read(CrashTransport):
        async def send(self, request: Any, **kwargs: Any) -> Any:
            if request.method == "PUT" and "/virtualMachines/batchimg-" in request.url:
                seen.append(request.content.decode() if isinstance(request.content, bytes) else str(request.content))
            return await self.inner.send(request, **kwargs)

    with Session(wrap_transport=Read) as session:
        connect_to(session, outside)
        for subnet, says in ((taken["id"], "delegated to Microsoft.ContainerInstance"), (f"{other}-x", "no subnet")):
            with pytest.raises(SpecError, match=says):
                session.create("genomics", copy_subnet=subnet, **LINE)
        session.create("genomics", copy_subnet=other, **LINE)
    assert f'"{other}"' in seen[0]


# -- the size ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("SkuNotAvailable", "The requested VM size is currently not available in location 'eastus'."),
        ("OperationNotAllowed", "Operation could not be completed as it results in exceeding approved Cores quota."),
    ],
)
def test_a_size_without_capacity_or_quota_is_followed_by_another_one(
    outside: StateFileClient, code: str, message: str
) -> None:
    refused = {"method": "PUT", "path": "/virtualMachines/batchimg-", "status": 409, "code": code, "message": message}
    outside.fail(refused | {"times": 2})
    steps = create(outside).set_index("step")
    size = steps.loc["temporary VM", "detail"].partition(",")[0]
    with Session() as session:
        plan = connect_to(session, outside).plan("second", **LINE).set_index("step")
    first = plan.loc["temporary VM", "why"].rpartition("; ")[2]
    assert all_sizes()[size.lower()].family != all_sizes()[first.lower()].family
    assert plan.loc["temporary VM", "usd_per_hour"] > 0
    assert "within 10 min" in plan.loc["generalize OS", "why"]


def test_no_size_with_free_cores_is_an_error_before_anything_is_made(outside: StateFileClient) -> None:
    big = max(all_sizes().values(), key=lambda size: size.vcpus)
    vms = [
        {
            "id": f"{GROUP}/virtualMachines/big{number}",
            "name": f"big{number}",
            "type": "Microsoft.Compute/virtualMachines",
            "location": "eastus",
            "properties": {
                "hardwareProfile": {"vmSize": big.name},
                "storageProfile": {"osDisk": {"osType": "Linux", "name": "big", "createOption": "FromImage"}},
                "provisioningState": "Succeeded",
                "instanceView": {"statuses": [{"code": "PowerState/running"}]},
            },
        }
        for number in range(1000 // big.vcpus + 1)
    ]
    outside.import_documents(vms)
    before = read_inventory(outside.path)
    with Session() as session:
        connect_to(session, outside)
        with pytest.raises(SpecError, match=r"no free cores for a copy of the VM: cores: \d+ of 1000 vCPUs") as caught:
            session.create("genomics", **LINE)
        assert "az vm list-usage" in caught.value.hint
        with pytest.raises(SpecError, match=r"--copy-size: .* has another kind of temporary disk"):
            session.create("genomics", copy_size="Standard_D2ds_v5", **LINE)
    assert read_inventory(outside.path) == before


def test_the_named_size_is_taken_and_nothing_can_be_exported(outside: StateFileClient) -> None:
    asked: list[dict[str, Any]] = []

    class Read(CrashTransport):
        async def send(self, request: Any, **kwargs: Any) -> Any:
            if request.method == "PUT" and re.search("/(?:disks|snapshots)/", request.url):
                asked.append(json.loads(request.body if hasattr(request, "body") else request.content)["properties"])
            return await self.inner.send(request, **kwargs)

    with Session(wrap_transport=Read) as session:
        connect_to(session, outside)
        steps = session.create("genomics", copy_size="standard_d4s_v5", **LINE).set_index("step")
        assert set(session.nodes("genomics").state) == {"idle"}
    assert len(asked) == 2
    assert {(one["networkAccessPolicy"], one["publicNetworkAccess"]) for one in asked} == {("DenyAll", "Disabled")}
    assert steps.loc["temporary VM", "detail"] == "Standard_D4s_v5, no public address"


# -- locks and failures ------------------------------------------------------------------------------------------


def test_a_lock_leaves_a_deallocated_vm_that_is_named_with_its_cost(outside: StateFileClient) -> None:
    group = GROUP.partition("/providers/")[0]
    lock = f"{group}/providers/Microsoft.Authorization/locks/keep"
    outside.ask("PUT", lock, {"properties": {"level": "CanNotDelete"}}, "2016-09-01")
    outside.fail({"method": "POST", "path": "/runCommand", "status": 418, "times": None})
    with Session() as session:
        connect_to(session, outside)
        with pytest.raises(BatchImgError) as caught:
            session.create("genomics", **LINE)
    left = {row["id"].lower(): row for row in caught.value.table.rows() if row["step"] == "not deleted"}
    assert left.keys() == {one["id"].lower() for one in temporary(outside)}
    (vm,) = (key for key in left if "/virtualmachines/" in key)
    assert "ScopeLocked" in left[vm]["detail"]
    assert "it is deallocated" in left[vm]["detail"]
    assert state_of(outside, vm) == "PowerState/deallocated"
    line = "`%batchimg cleanup --delete --pool genomics --older-than 0h` removes them"
    assert line in caught.value.hint
    assert "/h until it is deallocated), copies of the disks, $" in caught.value.hint
    outside.ask("DELETE", lock, version="2016-09-01")
    outside.fail()
    with Session() as session:
        done = connect_to(session, outside).cleanup(delete=True, pool="genomics", older_than="0h", yes=True)
    assert set(done.action) == {"deleted"}
    assert temporary(outside) == []


def test_the_copy_of_a_failed_run_that_could_not_be_deleted_is_not_taken_for_generalized(
    outside: StateFileClient,
) -> None:
    """Its tags say that a command was scheduled, and it is deallocated: by us, not by itself."""
    outside.fail(
        {"method": "POST", "path": "/runCommand", "status": 418, "times": None},
        {"method": "DELETE", "path": "/virtualMachines/", "status": 418, "times": None},
    )
    with Session() as session, pytest.raises(BatchImgError):
        connect_to(session, outside).create("genomics", **LINE)
    assert "virtualMachines" in kinds(temporary(outside))
    outside.fail()
    steps = create(outside).set_index("step")
    assert steps.loc["temporary VM", "action"] == "created"
    assert steps.loc["generalize OS", "action"] == "changed"
    assert temporary(outside) == []


# -- interruptions -----------------------------------------------------------------------------------------------


def hint_after_ctrl_c(outside: StateFileClient, **more: Any) -> str:
    """Return what `create` says when it is interrupted at the command that generalizes the VM."""

    class Interrupt(AtRequest):
        method, part, seen = "POST", "/runCommand", False
        reached = threading.Event()
        do = staticmethod(reached.set)

    with Session(wrap_transport=Interrupt) as session:
        connect_to(session, outside)
        running = session.begin("create", name="genomics", **LINE | more)
        while not Interrupt.reached.is_set():
            running.wait(0.01)
        running.interrupt()
        return running.detached_error().hint


def test_ctrl_c_deallocates_the_copy_and_says_what_is_left(outside: StateFileClient) -> None:
    hint = hint_after_ctrl_c(outside)
    assert "temporary resources are left: VM batchimg-" in hint
    assert "cleanup --delete --pool genomics --older-than 0h" in hint
    assert "stop-resize" not in hint  # there is no pool yet
    (vm,) = (one["id"] for one in temporary(outside) if one["type"].endswith("/virtualMachines"))
    assert state_of(outside, vm) in ("PowerState/deallocating", "PowerState/deallocated")
    steps = create(outside).set_index("step")
    assert steps.loc["temporary VM", "action"] == "created"  # nobody knows what its disks held
    assert temporary(outside) == []


def test_ctrl_c_in_place_says_how_to_go_on(outside: StateFileClient) -> None:
    hint = hint_after_ctrl_c(outside, capture="in-place", yes=True)
    assert "`az vm deallocate --ids " in hint
    assert "--generalized" in hint
    assert state_of(outside, "virtualMachines/desk") != "PowerState/deallocated"  # it is the user's VM


@pytest.mark.parametrize("os_type", ["Linux", "Windows"])
def test_a_command_of_a_killed_run_is_recognized(tmp_path: Path, os_type: str) -> None:
    """The copy stops by itself while nobody looks: it is not started again.

    Its run had kept what the command printed about the packages.
    """
    outside = new_state_file(tmp_path)
    outside.create_vm("desk", os_type)

    class Kill(AtRequest):
        method, part, seen = "PATCH", "/virtualMachines/batchimg-", False
        do = staticmethod(kill)

    with Session(wrap_transport=Kill) as session, pytest.raises(ProcessKilled):
        connect_to(session, outside).create("genomics", **LINE)

    class Watch(AtRequest):
        sent_lines: list[str] = []  # noqa: RUF012 - one session fills it

        async def send(self, request: Any, **kwargs: Any) -> Any:
            self.sent_lines.append(f"{request.method} {request.url.partition('?')[0]}")
            return await self.inner.send(request, **kwargs)

    # Any plain request lets the time pass in which the copy stops.
    outside.ask("POST", "virtualMachines/desk/start")
    with Session(wrap_transport=Watch) as session:
        connect_to(session, outside).create("genomics", **LINE)
        assert set(session.nodes("genomics").state) == {"idle"}
    assert not [one for one in Watch.sent_lines if one.startswith("POST") and one.endswith(("/runCommand", "/start"))]
    assert temporary(outside) == []


def test_a_command_in_progress_in_place_ends_with_the_deadline_and_the_next_lines(outside: StateFileClient) -> None:
    hanging = {"commandId": "RunShellScript", "script": ["waagent -deprovision+user -force"]}
    outside.ask("POST", "virtualMachines/desk/runCommand", hanging)
    with Session() as session:
        connect_to(session, outside)
        with pytest.raises(
            ProvisioningError, match=r"did not stop by itself within 10 min; another run-command"
        ) as caught:
            session.create("genomics", capture="in-place", yes=True, **LINE)
    assert "`az vm deallocate --ids " in caught.value.hint
    assert "--from-vm desk" in caught.value.hint
    assert "--generalized" in caught.value.hint
    assert "in-place" not in caught.value.hint.partition("az vm deallocate")[2]


# -- accounts and homes ------------------------------------------------------------------------------------------


def test_homes_are_told_before_and_kept_on_request(outside: StateFileClient) -> None:
    sent: list[str] = []

    class Read(CrashTransport):
        async def send(self, request: Any, **kwargs: Any) -> Any:
            if request.url.partition("?")[0].endswith("/runCommand"):
                sent.append(str(request.content))
            return await self.inner.send(request, **kwargs)

    with Session(wrap_transport=Read) as session:
        connect_to(session, outside)
        warned = session.plan("genomics", **LINE).attrs["warnings"]
        (homes,) = (one for one in warned if one["rule"] == "homes")
        assert "/home/researcher" in homes["found"]
        assert "/opt" in homes["fix"]
        assert "--keep-users" in homes["fix"]
        assert "/opt" in session.vms(login="desk").next[0]
        kept = session.plan("genomics", keep_users=True, **LINE)
        assert "homes" not in {one["rule"] for one in kept.attrs.get("warnings", [])}
        first = session.create("genomics", **LINE)
        second = session.create("other", keep_users=True, **LINE)
        assert set(session.nodes("other").state) == {"idle"}
    assert "deprovision+user" in sent[0]
    assert "deprovision+user" not in sent[1]
    assert "authorized_keys" in sent[1]
    assert "passwd -l" in sent[1]
    assert set(first.id) & set(second.id) <= {one for one in first.id if "/galleries/" in one}


# -- a VM in another subscription --------------------------------------------------------------------------------


@pytest.fixture
def elsewhere(outside: StateFileClient) -> StateFileClient:
    """Give the emulator a second subscription with a VM in its own network."""
    network = outside.ask("GET", SUBNET.partition("/subnets/")[0], version="2024-05-01")
    there = NETWORK.replace(GROUP.partition("/providers/")[0], LAB)
    subnet = {"id": f"{there}/virtualNetworks/lab-net/subnets/default", "name": "default"}
    properties = {"addressPrefix": "10.0.1.0/24"}
    documents = [
        network
        | {"id": f"{there}/virtualNetworks/lab-net", "name": "lab-net"}
        | {"properties": network["properties"] | {"subnets": [subnet | {"properties": properties}]}},
    ]
    outside.import_documents(documents)
    interface = {
        "name": "far-nic",
        "properties": {"ipConfigurations": [{"name": "ip", "properties": {"subnet": {"id": subnet["id"]}}}]},
    }
    body = {
        "hardwareProfile": {"vmSize": "Standard_D8s_v5"},
        "storageProfile": {
            "imageReference": {
                "publisher": "canonical", "offer": "0001-com-ubuntu-server-jammy", "sku": "22_04-lts-gen2",
                "version": "latest",
            },
            "osDisk": {"createOption": "FromImage", "name": "far-os"},
        },
        "osProfile": {"computerName": "far", "adminUsername": "researcher", "adminPassword": "not-a-secret-1"},
        "networkProfile": {"networkApiVersion": "2022-11-01", "networkInterfaceConfigurations": [interface]},
    }  # fmt: skip
    key = f"{LAB}/providers/Microsoft.Compute/virtualMachines/far"
    outside.ask("PUT", key, {"location": "eastus", "properties": body})
    return outside


def test_a_vm_in_another_subscription_is_copied_there(elsewhere: StateFileClient) -> None:
    vm = f"{LAB}/providers/Microsoft.Compute/virtualMachines/far"
    seen: list[str] = []

    class Read(CrashTransport):
        async def send(self, request: Any, **kwargs: Any) -> Any:
            if request.method == "PUT":
                seen.append(request.url.partition("?")[0])
            return await self.inner.send(request, **kwargs)

    with Session(wrap_transport=Read) as session:
        connect_to(session, elsewhere)
        session.create("genomics", **LINE | {"from_vm": vm})
        assert set(session.nodes("genomics").state) == {"idle"}
    made = [one for one in seen if "/batchimg-" in one]
    assert len(made) == 4  # snapshot, disk, VM, security group
    assert all(LAB.lower() in one.lower() for one in made)
    assert temporary(elsewhere, OTHER) == []
    assert elsewhere.ask("GET", vm)["name"] == "far"


def test_leftovers_in_another_subscription_are_found_and_removed(elsewhere: StateFileClient) -> None:
    vm = f"{LAB}/providers/Microsoft.Compute/virtualMachines/far"

    class Kill(AtRequest):
        method, part, seen = "POST", "/runCommand", False
        do = staticmethod(kill)

    with Session(wrap_transport=Kill) as session, pytest.raises(ProcessKilled):
        connect_to(session, elsewhere).create("genomics", **LINE | {"from_vm": vm})
    left = temporary(elsewhere, OTHER)
    assert kinds(left) == {"virtualMachines", "networkInterfaces", "networkSecurityGroups", "disks", "snapshots"}
    with Session() as session:
        connect_to(session, elsewhere)
        listed = session.cleanup(pool="genomics")
        assert {one.lower() for one in listed.id} >= {one["id"].lower() for one in left}
        assert len(session.cleanup(pool="other")) == 0
        session.cleanup(delete=True, pool="genomics", older_than="0h", yes=True)
    assert temporary(elsewhere, OTHER) == []
