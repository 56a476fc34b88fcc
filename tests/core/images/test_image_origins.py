"""Every image source ends in idle nodes, for both operating systems and any data disks, and leaves nothing behind."""

from __future__ import annotations

import datetime as dt
import importlib
import json
import pkgutil
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.rest import HttpRequest

from batchimg_magics.core.images import origins
from batchimg_magics.core.images.origins.origin import ImageOrigin
from batchimg_magics.emulator.catalog.vm_sizes import all_sizes
from batchimg_magics.errors import (
    BatchImgError,
    ConflictError,
    NotFoundError,
    ProvisioningError,
    SpecError,
)
from batchimg_magics.session.session import Session
from tests.support.crash import CrashTransport, ProcessKilled
from tests.support.documents import ACCOUNT, GROUP
from tests.support.inventory import read_inventory
from tests.support.prepared_vms import SUBNET, StateFileClient, connect_to, new_state_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pandas as pd

    from batchimg_magics.core.base.table import Table

SIZE = {"vm_size": "Standard_D4s_v5"}
SYSTEMS = pytest.mark.parametrize("os_type", ["Linux", "Windows"])
DISKS = pytest.mark.parametrize("disks", [0, 3])
#: Before pools straight from managed images were retired.
EARLY = dt.datetime(2025, 6, 2, tzinfo=dt.UTC)


@pytest.fixture
def outside(tmp_path: Path) -> StateFileClient:
    return new_state_file(tmp_path)


@pytest.fixture
def away() -> Iterator[Session]:
    """Return a session that is not connected yet."""
    with Session() as opened:
        yield opened


def test_the_image_hash_covers_how_the_image_is_made() -> None:
    """An image that is made in another way is another image; the words are in the hashes of images that exist."""
    for module in pkgutil.iter_modules(origins.__path__, f"{origins.__name__}."):
        importlib.import_module(module.name)

    def kinds(origin: type[ImageOrigin]) -> set[str]:
        return {origin.kind}.union(*(kinds(one) for one in origin.__subclasses__()))

    assert kinds(ImageOrigin) == {"", "snapshots", "vhd", "given snapshots", "managed image", "version"}


def states(session: Session, pool: str) -> set[str]:
    return set(session.nodes(pool).state)


def throwaways(outside: StateFileClient) -> list[str]:
    """Return what bears the mark of a throwaway, network resources too."""
    found = read_inventory(outside.path)
    network = GROUP.replace("Compute", "Network")
    kinds = ("networkInterfaces", "networkSecurityGroups")
    listed = [one for kind in kinds for one in outside.ask("GET", f"{network}/{kind}", version="2024-05-01")["value"]]
    every = [*found.items(), *((one["id"], one) for one in listed)]
    return [key for key, one in every if "batchimg-throwaway" in (one.get("tags") or {})]


def vms(outside: StateFileClient, name: str) -> dict[str, Any]:
    found: dict[str, Any] = outside.ask("GET", f"virtualMachines/{name}?$expand=instanceView")
    return found


def versions(session: Session) -> pd.DataFrame:
    """Return the image versions that there are."""
    found = session.images()
    return found[found.kind == "version"]


def power(outside: StateFileClient, name: str) -> str:
    codes = [one["code"] for one in vms(outside, name)["properties"]["instanceView"]["statuses"]]
    return next(code for code in codes if code.startswith("PowerState/"))


# -- each road ---------------------------------------------------------------------------------------------------


def by_copy(_: StateFileClient, __: str, ___: int) -> dict[str, Any]:
    return {"from_vm": "desk"}


def by_copy_of_the_stopped(_: StateFileClient, __: str, ___: int) -> dict[str, Any]:
    return {"from_vm": "desk", "stop": True}


def in_place(_: StateFileClient, __: str, ___: int) -> dict[str, Any]:
    return {"from_vm": "desk", "capture": "in-place", "yes": True}


def generalized(outside: StateFileClient, os_type: str, _: int) -> dict[str, Any]:
    outside.deprovision("desk", os_type)
    return {"from_vm": "desk"}


def asserted(outside: StateFileClient, os_type: str, _: int) -> dict[str, Any]:
    outside.deprovision("desk", os_type, marked=False)
    return {"from_vm": "desk", "generalized": True}


def through_managed_image(_: StateFileClient, __: str, ___: int) -> dict[str, Any]:
    return {"from_vm": "desk", "via": "managed-image"}


def snapshots(outside: StateFileClient, os_type: str, disks: int) -> dict[str, Any]:
    outside.deprovision("desk", os_type)
    data = {2 * one: outside.snapshot(f"data{one}", f"desk-data{2 * one}") for one in range(disks)}
    return {"from_snapshot": outside.snapshot("os", "desk-os"), "data_snapshots": data, "generalized": True}


def managed_image(outside: StateFileClient, os_type: str, _: int) -> dict[str, Any]:
    outside.deprovision("desk", os_type)
    return {"from_image": outside.image("mine", "desk")}


ROADS: tuple[Callable[[StateFileClient, str, int], dict[str, Any]], ...] = (
    by_copy,
    by_copy_of_the_stopped,
    in_place,
    generalized,
    asserted,
    through_managed_image,
    snapshots,
    managed_image,
)


@pytest.mark.parametrize(("os_type", "disks"), [("Linux", 3), ("Windows", 0)])
@pytest.mark.parametrize("road", ROADS, ids=lambda road: road.__name__)
def test_every_image_source_ends_in_idle_nodes(
    away: Session, outside: StateFileClient, road: Callable[..., dict[str, Any]], os_type: str, disks: int
) -> None:
    outside.create_vm("desk", os_type, disks)
    line = road(outside, os_type, disks) | SIZE
    with Session() as session:
        connect_to(session, outside)
        steps = session.create("genomics", nodes=2, **line)
        assert states(session, "genomics") == {"idle"}
        again = session.create("genomics", nodes=2, **line)
        assert set(again.action) == {"exists"}
        assert set(again.id) <= set(steps.id)
        made = versions(session)
    assert throwaways(outside) == []
    (version,) = made.id
    luns = [
        one["lun"]
        for one in outside.ask("GET", version, "2024-03-03")["properties"]["storageProfile"].get("dataDiskImages", [])
    ]
    assert luns == [2 * one for one in range(disks)]
    connect_to(away, outside).create("second", from_version=version, nodes=1, **SIZE)
    assert states(away, "second") == {"idle"}


@SYSTEMS
@pytest.mark.parametrize("via", ["snapshots", "managed-image"])
def test_a_vhd_becomes_an_image(away: Session, outside: StateFileClient, os_type: str, via: str) -> None:
    agent = "batch.node.ubuntu 22.04" if os_type == "Linux" else "batch.node.windows amd64"
    line = {"os_type": os_type, "generation": "V1", "generalized": True, "node_agent_sku": agent, "via": via}
    url = "https://labstore.blob.core.windows.net/vhds/system.vhd"
    connect_to(away, outside).create("genomics", from_vhd=url, nodes=1, vm_size="Standard_D4s_v3", **line)
    assert states(away, "genomics") == {"idle"}
    (version,) = versions(away).id
    away.close()
    source = outside.ask("GET", version, "2024-03-03")["properties"]["storageProfile"]
    if via == "snapshots":
        account = source["osDiskImage"]["source"]["storageAccountId"]
        assert account.endswith("/providers/Microsoft.Storage/storageAccounts/labstore")
        assert source["osDiskImage"]["source"]["uri"] == url
    else:
        assert outside.ask("GET", source["source"]["id"])["properties"]["storageProfile"]["osDisk"]["blobUri"] == url


@SYSTEMS
@DISKS
def test_a_pool_straight_from_the_managed_image_while_the_service_took_it(
    away: Session, tmp_path: Path, os_type: str, disks: int
) -> None:
    outside = new_state_file(tmp_path, EARLY)
    outside.create_vm("desk", os_type, disks)
    steps = connect_to(away, outside).create("genomics", from_vm="desk", direct=True, nodes=2, **SIZE)
    assert states(away, "genomics") == {"idle"}
    assert "gallery" not in set(steps.step)
    assert set(away.create("genomics", from_vm="desk", direct=True, nodes=2, **SIZE).action) == {"exists"}
    (image,) = steps.id[steps.step == "managed image"]
    away.create("second", from_image=image, direct=True, nodes=1, **SIZE)
    assert states(away, "second") == {"idle"}
    away.close()
    assert throwaways(outside) == []
    profile = outside.ask("GET", image)["properties"]["storageProfile"]
    assert [one["lun"] for one in profile["dataDisks"]] == [2 * one for one in range(disks)]


# -- the researcher's VM -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("stop", [False, True])
def test_a_copied_vm_stays_as_it_was(away: Session, outside: StateFileClient, *, stop: bool) -> None:
    outside.create_vm("desk", disks=1)
    before = read_inventory(outside.path)
    steps = connect_to(away, outside).create("genomics", from_vm="desk", stop=stop, nodes=1, **SIZE)
    away.close()
    assert power(outside, "desk") == "PowerState/running"
    after = read_inventory(outside.path)
    kept = {key: one for key, one in after.items() if key in before}
    assert kept.keys() == before.keys()
    assert all({"tags": {}, **kept[key]} == {"tags": {}, **before[key]} for key in before)
    assert ("stop VM" in set(steps.step)) is stop


def test_a_vm_that_stands_still_is_not_started(away: Session, outside: StateFileClient) -> None:
    outside.create_vm("desk")
    outside.ask("POST", "virtualMachines/desk/deallocate")
    connect_to(away, outside).create("genomics", from_vm="desk", stop=True, nodes=1, **SIZE)
    assert states(away, "genomics") == {"idle"}
    away.close()
    assert power(outside, "desk") == "PowerState/deallocated"


def test_in_place_needs_a_yes_and_marks_the_vm(away: Session, outside: StateFileClient) -> None:
    outside.create_vm("desk")
    before = read_inventory(outside.path)
    with pytest.raises(SpecError, match="generalizes VM 'desk' itself") as caught:
        connect_to(away, outside).create("genomics", from_vm="desk", capture="in-place", nodes=1, **SIZE)
    assert "add --yes" in caught.value.hint
    away.close()
    assert read_inventory(outside.path) == before
    assert power(outside, "desk") == "PowerState/running"
    connect_to(away, outside).create("genomics", from_vm="desk", capture="in-place", yes=True, nodes=1, **SIZE)
    away.close()
    statuses = [one["code"] for one in vms(outside, "desk")["properties"]["instanceView"]["statuses"]]
    assert {"OSState/generalized", "PowerState/deallocated"} <= {*statuses}


def test_a_running_vm_with_the_option_generalized_is_deallocated(away: Session, outside: StateFileClient) -> None:
    outside.create_vm("desk")
    steps = connect_to(away, outside).create("genomics", from_vm="desk", generalized=True, **SIZE).set_index("step")
    assert steps.loc["deallocate", "action"] == "changed"
    assert steps.loc["deallocate", "detail"] == "it was running"
    away.close()
    assert power(outside, "desk") == "PowerState/deallocated"


def test_a_copy_is_out_of_reach_in_the_vms_subnet_and_small(outside: StateFileClient) -> None:
    asked: list[dict[str, Any]] = []
    fences: list[dict[str, Any]] = []

    class Read(CrashTransport):
        async def send(self, request: Any, **kwargs: Any) -> Any:
            if request.method == "PUT" and "/networkSecurityGroups/batchimg-" in request.url:
                fences.append(json.loads(request.content))
            if request.method == "PUT" and "/virtualMachines/batchimg-" in request.url:
                asked.append(json.loads(request.body if hasattr(request, "body") else request.content))
            return await self.inner.send(request, **kwargs)

    trusted = {"securityType": "TrustedLaunch", "uefiSettings": {"vTpmEnabled": True}}
    outside.create_vm("desk", disks=4, securityProfile=trusted)
    with Session(wrap_transport=Read) as session:
        connect_to(session, outside).create("genomics", from_vm="desk", nodes=1, **SIZE)
        assert states(session, "genomics") == {"idle"}  # a pool of TrustedLaunch nodes
    properties = asked[0]["properties"]
    size = all_sizes()[properties["hardwareProfile"]["vmSize"].lower()]
    assert (size.vcpus, size.max_data_disks >= 4, size.trusted_launch, size.temp_gib) == (2, True, True, 0)
    assert size.family != "standardDSv5Family"  # the VM's own
    assert properties["securityProfile"] == trusted
    (interface,) = properties["networkProfile"]["networkInterfaceConfigurations"]
    assert interface["properties"]["deleteOption"] == "Delete"
    assert interface["properties"]["networkSecurityGroup"]["id"].endswith("-fence")
    rules = [one["properties"] for one in fences[0]["properties"]["securityRules"]]
    assert [
        (one["direction"], one["access"], one["destinationAddressPrefix"], one["destinationPortRange"])
        for one in sorted(rules, key=lambda one: (one["direction"], one["priority"]))
    ] == [("Inbound", "Deny", "*", "*"), ("Outbound", "Allow", "AzureCloud", "443"), ("Outbound", "Deny", "*", "*")]
    assert interface["properties"]["ipConfigurations"] == [
        {"name": "ipconfig1", "properties": {"subnet": {"id": SUBNET}}}
    ]


# -- images that are there, changed, or somebody else's -----------------------------------------------------------


def test_a_new_image_is_made_once_when_the_vm_has_changed(away: Session, outside: StateFileClient) -> None:
    outside.create_vm("desk")
    line = {"from_vm": "desk", "nodes": 0, **SIZE}
    connect_to(away, outside).create("genomics", **line)
    assert set(away.create("genomics", new_image=True, **line).action) == {"exists"}  # just made
    away.delete("genomics")
    away.close()
    outside.ask("POST", "virtualMachines/desk/deallocate")
    connect_to(away, outside)
    assert list(away.plan("genomics", **line).action)[:3] == ["exists", "exists", "exists"]
    away.create("genomics", new_image=True, **line)
    assert sorted(versions(away).version) == ["1.0.0", "1.0.1"]
    assert away.pools().image[0].endswith("/1.0.1")
    assert set(away.create("genomics", new_image=True, **line).action) == {"exists"}
    assert set(away.create("genomics", **line).action) == {"exists"}
    away.delete("genomics", image=True)
    assert len(away.images()) == 0


def test_an_adopted_gallery_keeps_what_is_in_it(away: Session, outside: StateFileClient) -> None:
    outside.create_vm("desk")
    outside.ask("PUT", "galleries/lab", {"location": "eastus", "properties": {}}, "2023-07-03")
    gallery = f"{GROUP}/galleries/lab"
    line = {"from_vm": "desk", "gallery": gallery, "nodes": 1, **SIZE}
    steps = connect_to(away, outside).create("genomics", **line).set_index("step")
    assert steps.loc["gallery", "action"] == "exists"
    assert states(away, "genomics") == {"idle"}
    assert list(versions(away).gallery) == ["lab"]
    gone = away.delete("genomics", image=True)
    assert "lab" not in set(gone.resource)
    away.close()
    assert outside.ask("GET", "galleries/lab", version="2023-07-03")["name"] == "lab"
    assert outside.ask("GET", "galleries/lab/images", version="2023-07-03")["value"] == []


def test_an_unmanaged_definition_in_an_existing_gallery_is_not_changed(away: Session, outside: StateFileClient) -> None:
    outside.ask("PUT", "galleries/lab", {"location": "eastus", "properties": {}}, "2023-07-03")
    theirs = {
        "osType": "Linux",
        "osState": "Generalized",
        "hyperVGeneration": "V2",
        "identifier": {"publisher": "p", "offer": "o", "sku": "s"},
    }
    outside.ask("PUT", "galleries/lab/images/genomics", {"location": "eastus", "properties": theirs}, "2023-07-03")
    with pytest.raises(ConflictError, match="did not create it for this pool"):
        connect_to(away, outside).create("genomics", from_vm="prep-vm", gallery=f"{GROUP}/galleries/lab", **SIZE)
    with pytest.raises(NotFoundError, match="no gallery 'none'"):
        away.create("genomics", from_vm="prep-vm", gallery=f"{GROUP}/galleries/none", **SIZE)


def test_a_version_in_another_subscription_is_warned_of_and_used(away: Session, outside: StateFileClient) -> None:
    connect_to(away, outside).create("genomics", from_vm="prep-vm", **SIZE)
    (version,) = versions(away).id
    away.close()
    other = "00000000-0000-4000-8000-00000000abcd"
    moved = version.replace(version.split("/")[2], other)
    definition = moved.partition("/versions/")[0]
    documents = [
        outside.ask("GET", key, version="2023-07-03") | {"id": key.replace(version.split("/")[2], other)}
        for key in (version.partition("/images/")[0], version.partition("/versions/")[0], version)
    ]
    assert definition in {one["id"] for one in documents}
    outside.import_documents(documents)
    with pytest.raises(SpecError, match=f"Microsoft.Batch is not registered in subscription {other}"):
        connect_to(away, outside).plan("second", from_version=moved, nodes=1, **SIZE)
    away.close()
    outside.ask("POST", f"/subscriptions/{other}/providers/Microsoft.Batch/register", version="2021-04-01")
    steps = connect_to(away, outside).create("second", from_version=moved, nodes=1, **SIZE)
    assert "another subscription" in steps.detail[0]
    assert states(away, "second") == {"idle"}


def test_trusted_launch_is_not_built_from_a_managed_image(session: Session) -> None:
    for option in ({"via": "managed-image"}, {"direct": True}):
        with pytest.raises(SpecError, match="TrustedLaunch, and managed images support Standard only") as caught:
            session.create("genomics", from_vm="prep-vm", **option, **SIZE)
        assert "gallery image version" in caught.value.hint


def test_the_version_that_the_pool_pins_is_kept(away: Session, outside: StateFileClient) -> None:
    outside.create_vm("desk")
    line = {"from_vm": "desk", "nodes": 0, **SIZE}
    (first,) = connect_to(away, outside).create("genomics", **line).pipe(lambda f: f.id[f.step == "image version"])
    away.delete("genomics")
    away.close()
    outside.ask("POST", "virtualMachines/desk/deallocate")
    connect_to(away, outside).create("genomics", new_image=True, **line)
    away.delete("genomics")
    away.create("genomics", from_version=first, **SIZE)
    assert set(away.create("genomics", **line).action) == {"exists"}
    assert away.pools().image[0].endswith("/1.0.0")


def test_another_account_of_the_group_has_its_own(away: Session, outside: StateFileClient) -> None:
    """Two accounts with pools of one name: what is deleted for one of them stays for the other."""
    outside.create_vm("desk")
    outside.deprovision("desk")
    outside.ask("PUT", "galleries/lab", {"location": "eastus", "properties": {}}, "2023-07-03")
    own = {"location": "eastus", "properties": {"poolAllocationMode": "BatchService"}}
    outside.ask("PUT", ACCOUNT.replace("genomicsbatch", "ownbatch"), own, "2025-06-01")
    line = {"from_vm": "desk", "nodes": 0, **SIZE}
    away.connect(state=str(outside.path), speed="max", account="ownbatch")
    away.create("genomics", gallery=f"{GROUP}/galleries/lab", **line)
    connect_to(away, outside)
    with pytest.raises(ConflictError, match="did not create it for this pool"):
        away.create("genomics", gallery=f"{GROUP}/galleries/lab", **line)
    away.create("genomics", **line)
    gone = away.delete("genomics", image=True)
    assert "snapshots" not in " ".join(gone.id)  # they were taken for the other one
    assert list(away.images().gallery) == ["lab"]


# -- what is asked for -------------------------------------------------------------------------------------------

SNAPSHOT, VERSION = f"{GROUP}/snapshots/os", f"{GROUP}/galleries/g/images/i/versions/1.0.0"
VHD = {"from_vhd": "https://labstore.blob.core.windows.net/vhds/a.vhd"}
NONSENSE: dict[str, tuple[dict[str, Any], str, str]] = {
    "two origins": ({"from_vm": "a", "from_image": f"{GROUP}/images/b"}, "--from-vm and --from-image", "remove one"),
    "no origin": ({}, "from_vm is missing", "--from-version"),
    "snapshot unsaid": ({"from_snapshot": SNAPSHOT}, "is generalized", "--generalized"),
    "VHD unsaid": (VHD, "is generalized", "--generalized"),
    "VHD unknown": ({**VHD, "generalized": True}, "OS type and generation of a VHD", "--os-type"),
    "no VHD": ({"from_vhd": "https://example.com/a.vhd"}, "not the URL of a VHD blob", "blob.core.windows.net"),
    "VHDX": ({"from_vhd": "https://labstore.blob.core.windows.net/v/a.vhdx"}, "URL of a VHD blob", "not support VHDX"),
    "blob snapshot": ({"from_vhd": f"{VHD['from_vhd']}?snapshot=2026-01-01T00:00:00Z"}, "snapshot of the blob", "copy"),
    "wrong id": ({"from_image": SNAPSHOT}, "is the id of a Microsoft.Compute/snapshots", "Microsoft.Compute/images"),
    "capture of an image": ({"from_image": f"{GROUP}/images/b", "capture": "in-place"}, "--capture", "only a VM"),
    "data disks of a VM": ({"from_vm": "a", "data_snapshots": {0: SNAPSHOT}}, "--data-snapshot cannot be", "remove"),
    "direct in a gallery": ({"from_vm": "a", "direct": True, "gallery": f"{GROUP}/galleries/g"}, "--direct", "remove"),
    "replicas of a version": ({"from_version": VERSION, "replicas": {"westus": 1}},
                              "--replicas cannot be used with --from-version", "remove --replicas"),
    "new image of a snapshot": ({"from_snapshot": SNAPSHOT, "generalized": True, "new_image": True},
                                "never changes", "remove"),
    "LUN": ({"from_snapshot": SNAPSHOT, "generalized": True, "data_snapshots": {64: SNAPSHOT}}, "64", "data-snapshot"),
}  # fmt: skip


@pytest.mark.parametrize("case", NONSENSE)
def test_invalid_options_are_reported_at_once(session: Session, case: str) -> None:
    options, message, hint = NONSENSE[case]
    with pytest.raises(SpecError) as caught:
        session.create("genomics", **options, **SIZE)
    said = caught.value
    assert message in f"{said.message} {said.hint}"
    assert hint in f"{said.message} {said.hint}"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"from_snapshot": SNAPSHOT, "generalized": True}, "no snapshot 'os'"),
        ({"from_image": f"{GROUP}/images/none"}, "no managed image 'none'"),
        ({"from_version": f"{GROUP}/galleries/g/images/i/versions/1.0.0"}, "no image version '1.0.0'"),
    ],
)
def test_missing_resources_are_reported_at_once(session: Session, options: dict[str, Any], said: str) -> None:
    with pytest.raises(NotFoundError, match=said):
        session.create("genomics", **options, **SIZE)


# -- failures ----------------------------------------------------------------------------------------------------


def names(table: Table) -> list[str]:
    return [row["step"] for row in table.rows()]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"method": "PUT", "path": "/disks/batchimg-"}, "SimulatedFault"),
        ({"method": "PUT", "path": "/virtualMachines/batchimg-"}, "SimulatedFault"),
        ({"method": "POST", "path": "/runCommand"}, "SimulatedFault"),
        ({"method": "POST", "path": "/virtualMachines/batchimg-.*/deallocate"}, "SimulatedFault"),
        ({"method": "POST", "path": "/virtualMachines/batchimg-.*/generalize"}, "SimulatedFault"),
        ({"method": "PUT", "path": "/galleries/.*/versions/"}, "SimulatedFault"),
        ({"method": "PUT", "path": "/pools/"}, "SimulatedFault"),
    ],
    ids=lambda one: one["path"] if isinstance(one, dict) else "",
)
@pytest.mark.parametrize(
    ("os_type", "disks", "via"),
    [
        ("Windows", 1, "snapshots"),
        ("Linux", 4, "managed-image"),
    ],
)
def test_nothing_is_left_when_a_step_in_between_fails(
    away: Session, outside: StateFileClient, fault: dict[str, Any], said: str, os_type: str, disks: int, via: str
) -> None:
    outside.create_vm("desk", os_type, disks)
    outside.fail({**fault, "status": 418, "times": None})
    line = {"from_vm": "desk", "stop": True, "nodes": 1, "via": via, **SIZE}
    with pytest.raises(BatchImgError, match=said) as caught:
        connect_to(away, outside).create("genomics", **line)
    assert "temporary resources" in names(caught.value.table)
    assert "not deleted" not in names(caught.value.table)
    away.close()
    assert throwaways(outside) == []
    assert power(outside, "desk") == "PowerState/running"
    assert "batchimg-stopped" not in (vms(outside, "desk").get("tags") or {})
    outside.fail()
    connect_to(away, outside).create("genomics", **line)
    assert states(away, "genomics") == {"idle"}
    away.close()
    assert throwaways(outside) == []


def test_a_version_in_the_making_keeps_what_it_is_made_from(away: Session, outside: StateFileClient) -> None:
    """Who loses sight of a version that Azure goes on with leaves it what it needs; the same line goes on."""
    outside.create_vm("desk")
    outside.fail({"method": "GET", "path": "/versions/1.0.0", "skip": 3, "status": 418, "times": None})
    with pytest.raises(BatchImgError) as caught:
        connect_to(away, outside).create("genomics", from_vm="desk", nodes=1, **SIZE)
    left = [row for row in caught.value.table.rows() if row["step"] == "not deleted"]
    assert len(left) == 5  # VM, interface, security group, disk, snapshot
    assert all("being created" in row["detail"] for row in left)
    away.close()
    outside.fail()
    connect_to(away, outside).create("genomics", from_vm="desk", nodes=1, **SIZE)
    assert list(away.images().version) == ["1.0.0"]
    assert states(away, "genomics") == {"idle"}
    away.close()
    assert throwaways(outside) == []


def test_a_copy_that_may_have_been_in_a_vm_is_created_again(away: Session, outside: StateFileClient) -> None:
    outside.create_vm("desk")

    class CutOff(CrashTransport):
        async def send(self, request: Any, **kwargs: Any) -> Any:
            if request.method == "PUT" and "/virtualMachines/batchimg-" in request.url:
                raise ProcessKilled
            return await self.inner.send(request, **kwargs)

    with Session(wrap_transport=CutOff) as session, pytest.raises(ProcessKilled):
        connect_to(session, outside).create("genomics", from_vm="desk", nodes=1, **SIZE)
    steps = connect_to(away, outside).create("genomics", from_vm="desk", nodes=1, **SIZE).set_index("step")
    assert steps.loc["snapshot of OS disk", "action"] == "exists"
    assert steps.loc["copy of OS disk", "action"] == "created"


def test_what_cannot_be_deleted_is_named_and_deleted_by_the_next_run(away: Session, outside: StateFileClient) -> None:
    outside.create_vm("desk", disks=1)
    outside.fail(
        {"method": "POST", "path": "/runCommand", "status": 418, "times": None},
        {"method": "DELETE", "path": "/disks/", "status": 418, "times": None},
    )
    with pytest.raises(BatchImgError) as caught:
        connect_to(away, outside).create("genomics", from_vm="desk", nodes=1, **SIZE)
    left = [row for row in caught.value.table.rows() if row["step"] == "not deleted"]
    away.close()
    assert sorted(row["id"].lower() for row in left) == sorted(key.lower() for key in throwaways(outside))
    assert len(left) == 2
    outside.fail()
    connect_to(away, outside).create("genomics", from_vm="desk", nodes=1, **SIZE)
    away.close()
    assert throwaways(outside) == []


class Stopped(CrashTransport):
    """A transport that puts a program that does not exist into every script: the script stops there."""

    async def send(self, request: Any, **kwargs: Any) -> Any:
        if "/runCommand" in request.url:
            body = json.loads(request.content)
            body["script"].insert(1, "frobnicate")
            token = request.headers["authorization"]
            request = HttpRequest(request.method, request.url, json=body, headers={"authorization": token})
        return await self.inner.send(request, **kwargs)


@SYSTEMS
def test_a_script_that_does_not_run_to_its_end_fails_the_capture(outside: StateFileClient, os_type: str) -> None:
    """Azure calls a run-command a success whose script stopped half way; what it printed tells."""
    outside.create_vm("desk", os_type)
    with Session(wrap_transport=Stopped) as session:
        connect_to(session, outside)
        with pytest.raises(ProvisioningError, match=r"was not generalized: the script failed: .*frobnicate") as caught:
            session.create("genomics", from_vm="desk", nodes=1, **SIZE)
        assert ("waagent.log" if os_type == "Linux" else "Panther") in caught.value.hint
        assert len(session.pools()) == 0
    assert throwaways(outside) == []
