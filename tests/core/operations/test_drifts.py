"""What can happen to a locked pool after it was locked: `verify` names each, and nothing else.

Each drift begins with a copy of the same emulator state. It is a write to the emulator, an answer of Azure that is
edited, where only Azure decides, or another lock file, where the difference is between versions of this tool.
"""

from __future__ import annotations

import datetime as dt
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics import Session
from batchimg_magics.core.batch import retirements
from batchimg_magics.core.batch.retirements import Retirement
from tests.support.documents import ACCOUNT, GROUP
from tests.support.edited_answers import EditingTransport
from tests.support.prepared_vms import StateFileClient

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.edited_answers import Edits

GALLERY = f"{GROUP}/galleries/batchimg_genomicsbatch"
DEFINITION = f"{GALLERY}/images/genomics"
VERSION = f"{DEFINITION}/versions/1.0.0"
POOL, IDLE = f"{ACCOUNT}/pools/genomics", f"{ACCOUNT}/pools/idle"
IDENTITY = f"{GROUP.replace('Microsoft.Compute', 'Microsoft.ManagedIdentity')}/userAssignedIdentities/reader"
SUBNET = f"{GROUP.replace('Microsoft.Compute', 'Microsoft.Network')}/virtualNetworks/research-vnet/subnets/default"
BATCH = "2025-06-01"
#: The day of the emulator on which the pools are locked is 1 July 2026.
SOON = "2026-08-01T00:00:00Z"


@dataclass(frozen=True)
class Drift:
    """Something that happens after a pool was locked.

    Parameters
    ----------
    rows
        The rows of `verify` that are not ``ok``: field to status.
    write
        Writes to the emulator.
    edits
        Edits of Azure's answers.
    replace
        Texts in the lock file to others: what an older version of this tool had written.
    announced
        Retirements that a newer version of this tool knows.
    pool
        The locked pool: one with two nodes, or ``idle`` without nodes.
    """

    rows: dict[str, str]
    write: Callable[[StateFileClient], object] = lambda _: None
    edits: Edits = field(default_factory=dict)
    replace: tuple[tuple[str, str], ...] = ()
    announced: tuple[Retirement, ...] = ()
    pool: str = "genomics"


# -- writes --------------------------------------------------------------------------------------------------------


def change(resource: str, edit: Callable[[dict[str, Any]], object], version: str = "") -> Callable[..., None]:
    """Return a write that reads a resource, changes its document and puts it again."""

    def write(client: StateFileClient) -> None:
        document = client.ask("GET", resource, version=version)
        edit(document)
        client.ask("PUT", resource, {key: document[key] for key in ("location", "tags", "properties")}, version)

    return write


def delete(*resources: str, version: str = "") -> Callable[..., None]:
    def write(client: StateFileClient) -> None:
        for one in resources:
            client.ask("DELETE", one, version=version)

    return write


def patch_pool(body: dict[str, Any], pool: str = IDLE) -> Callable[..., None]:
    return lambda client: client.ask("PATCH", pool, body, BATCH)


def profile(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["properties"]["publishingProfile"]
    return found


def remove_replica(client: StateFileClient) -> None:
    change(VERSION, lambda one: one["properties"].update(safetyProfile={"allowDeletionOfReplicatedLocations": True}))(
        client
    )
    change(VERSION, lambda one: profile(one)["targetRegions"].pop())(client)


def remake_snapshot(client: StateFileClient) -> None:
    name = snapshot_ids(client)[0]
    delete(name)(client)
    client.snapshot(name.rpartition("/")[2], "prep-vm_OsDisk_1")


def snapshot_ids(client: StateFileClient) -> list[str]:
    """Return the ids of the snapshots: of the OS disk, and of the data disk."""
    found = [str(one["id"]) for one in client.ask("GET", "snapshots", version="2024-03-02")["value"]]
    return sorted(found, reverse=True)


def remake_vm(client: StateFileClient) -> None:
    document = client.ask("GET", "virtualMachines/prep-vm")
    delete("virtualMachines/prep-vm")(client)
    props = {key: document["properties"][key] for key in ("hardwareProfile", "networkProfile", "securityProfile")}
    disk = {"createOption": "Attach", "osType": "Linux", "managedDisk": {"id": f"{GROUP}/disks/prep-vm_OsDisk_1"}}
    data = {"createOption": "Attach", "lun": 0, "managedDisk": {"id": f"{GROUP}/disks/prep-vm_DataDisk_0"}}
    props["storageProfile"] = {"osDisk": disk, "dataDisks": [data]}
    client.ask("PUT", "virtualMachines/prep-vm", {"location": "eastus", "properties": props})


def swap_disk(client: StateFileClient) -> None:
    creation = {"creationData": {"createOption": "Empty"}, "diskSizeGB": 256}
    client.ask("PUT", "disks/other", {"location": "eastus", "sku": {"name": "Premium_LRS"}, "properties": creation})
    document = client.ask("GET", "virtualMachines/prep-vm")
    document["properties"]["storageProfile"]["dataDisks"][0]["managedDisk"]["id"] = f"{GROUP}/disks/other"
    client.import_documents([document])  # Azure changes no VM that is marked as generalized


def remake_pool(client: StateFileClient) -> None:
    document = client.ask("GET", IDLE, version=BATCH)
    delete(IDLE, version=BATCH)(client)
    kept = ("vmSize", "deploymentConfiguration", "metadata", "startTask", "taskSlotsPerNode")
    props = {key: document["properties"][key] for key in kept if key in document["properties"]}
    client.ask("PUT", IDLE, {"properties": props, "tags": document["tags"]}, BATCH)


def assign_identity(client: StateFileClient) -> None:
    resource = {"id": IDENTITY, "name": "reader", "location": "eastus", "type": IDENTITY.split("/providers/")[1]}
    client.import_documents(
        [{**resource, "type": "Microsoft.ManagedIdentity/userAssignedIdentities", "properties": {}}]
    )
    patch_pool({"identity": {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}}}})(client)


def lower_quota(client: StateFileClient) -> None:
    from batchimg_magics.emulator.world.store import Store

    store = Store(client.path, start=0)
    with store.transaction(write=True):
        for account in list(store.items("microsoft.batch/batchaccounts", "/subscriptions")):
            account.doc["properties"]["dedicatedCoreQuota"] = 4
            store.put(account)
    store.close()


# -- answers -------------------------------------------------------------------------------------------------------


def size_ends(document: dict[str, Any]) -> None:
    for one in document["value"]:
        if one["name"] == "Standard_D4s_v5":
            one["batchSupportEndOfLife"] = SOON


def without_size(document: dict[str, Any]) -> None:
    document["value"] = [one for one in document["value"] if one["name"] != "Standard_D4s_v5"]


def agent_ends(document: dict[str, Any]) -> None:
    for one in document["value"]:
        if one["nodeAgentSKUId"] == "batch.node.ubuntu 24.04":
            one["batchSupportEndOfLife"] = SOON


def without_agent(document: dict[str, Any]) -> None:
    document["value"] = [one for one in document["value"] if one["nodeAgentSKUId"] != "batch.node.ubuntu 24.04"]


def newer_agent(document: dict[str, Any]) -> None:
    for one in document["value"]:
        if "nodeAgentInfo" in one:  # a request can leave it out
            one["nodeAgentInfo"]["version"] = "1.13.2"


def dearer(document: dict[str, Any]) -> None:
    for one in document["Items"]:
        if one["type"] == "Consumption" and "Spot" not in one["skuName"] and "Low" not in one["skuName"]:
            one["retailPrice"] = one["unitPrice"] = one["retailPrice"] * 2


def deprecated(state: str, day: str) -> Callable[[dict[str, Any]], None]:
    status = {"imageState": state, "scheduledDeprecationTime": day}
    return lambda document: document["properties"].update(imageDeprecationStatus=status)


def other_region(document: dict[str, Any]) -> None:
    document["location"] = "westus"


FORBIDDEN = (403, {"error": {"code": "AuthorizationFailed", "message": "The client does not have authorization."}})
SKUS, VERSIONS = "virtualMachineSkus", "/skus/server/versions"

DRIFTS: dict[str, Drift] = {
    "nothing": Drift({}),
    "nothing, without nodes": Drift({}, pool="idle"),
    # The image.
    "version gone": Drift({"image": "gone"}, delete(VERSION)),
    "version excluded no more": Drift(
        {"image.exclude_from_latest": "changed"},
        change(VERSION, lambda one: profile(one).update(excludeFromLatest=False)),
    ),
    "replica removed": Drift({"image.replicas.westus": "gone"}, remove_replica),
    "replica count changed": Drift(
        {"image.replicas.eastus": "changed"},
        change(VERSION, lambda one: profile(one)["targetRegions"][0].update(regionalReplicaCount=2)),
    ),
    "end of life set": Drift(
        {"ends.image": "ends in 31 days"}, change(VERSION, lambda one: profile(one).update(endOfLifeDate=SOON))
    ),
    "image tags removed": Drift({"image.tags": "changed"}, change(VERSION, lambda one: one["tags"].clear())),
    "definition changed": Drift(
        {"definition.properties": "changed"},
        change(DEFINITION, lambda one: one["properties"].update(description="no longer maintained")),
    ),
    "definition gone": Drift({"image": "gone", "definition": "gone"}, delete(VERSION, DEFINITION)),
    "gallery gone": Drift(
        {"image": "gone", "definition": "gone", "gallery": "gone"}, delete(VERSION, DEFINITION, GALLERY)
    ),
    # What it was made from.
    "snapshot gone": Drift({"snapshots.lun0": "gone"}, lambda client: delete(snapshot_ids(client)[1])(client)),
    "snapshot remade": Drift({"snapshots.os": "changed"}, remake_snapshot),
    "disk swapped": Drift({"vm.disks": "changed"}, swap_disk),
    "VM gone": Drift({"vm": "gone"}, delete("virtualMachines/prep-vm")),
    "VM recreated": Drift({"vm": "changed"}, remake_vm),
    "newer base image": Drift(
        {"base_image": "newer exists"},
        edits={f"{VERSIONS}?": lambda found: found.append({**found[-1], "name": "24.04.202607010"})},
    ),
    "base image withdrawn": Drift(
        {"base_image": "gone", "ends.base_image": "ended"},
        edits={
            f"{VERSIONS}?": lambda found: found.pop(),
            f"{VERSIONS}/": deprecated("Deprecated", "2026-06-01T00:00:00Z"),
        },
    ),
    "base image deprecated": Drift(
        {"ends.base_image": "ends in 31 days"}, edits={f"{VERSIONS}/": deprecated("ScheduledForDeprecation", SOON)}
    ),
    # The nodes.
    "size retiring": Drift({"ends.vm_size": "ends in 31 days"}, edits={SKUS: size_ends}),
    "size no longer offered": Drift({"node.vm_size": "gone"}, edits={SKUS: without_size}),
    "node agent newer": Drift({"node.node_agent_version": "newer exists"}, edits={"/nodes?": newer_agent}),
    "node agent SKU retiring": Drift(
        {"ends.node_agent": "ends in 31 days", "ends.base_image_in_batch": "ends in 31 days"},
        edits={"supportedimages": agent_ends},
    ),
    "node agent SKU gone": Drift({"node.node_agent_sku": "gone"}, edits={"supportedimages": without_agent}),
    "region differs": Drift({"node.region": "changed"}, edits={f"{ACCOUNT}?": other_region}),
    "quota too small": Drift({"quota": "too small"}, lower_quota),
    "price changed": Drift(
        {"prices.dedicated_vm_usd_per_hour": "changed"}, edits={"serviceName+eq+%27Virtual+Machines": dearer}
    ),
    # The pool.
    "pool gone": Drift({"pool": "gone"}, delete(POOL, version=BATCH)),
    "pool recreated": Drift({"pool": "changed"}, remake_pool, pool="idle"),
    "pool tags removed": Drift(
        {"pool.tags": "changed"}, patch_pool({"properties": {"metadata": []}, "tags": {}}, POOL)
    ),
    "spec hash differs": Drift(
        {"pool.tags": "changed"},
        patch_pool({"properties": {"metadata": [{"name": "batchimg-spec", "value": "0" * 16}]}}),
        pool="idle",
    ),
    "start task changed": Drift(
        {"spec.packages": "changed", "spec.start_task": "changed"},
        patch_pool({"properties": {"startTask": {"commandLine": "/bin/false"}}}, POOL),
    ),
    "size changed": Drift(
        {"spec.vm_size": "changed"}, patch_pool({"properties": {"vmSize": "Standard_D8s_v5"}}), pool="idle"
    ),
    "identity added": Drift({"spec.identities": "changed"}, assign_identity, pool="idle"),
    "network changed": Drift(
        {"spec.subnet": "changed"},
        patch_pool({"properties": {"networkConfiguration": {"subnetId": SUBNET}}}),
        pool="idle",
    ),
    "mounts added": Drift(
        {"spec.mounts": "changed"},
        patch_pool(
            {
                "properties": {
                    "mountConfiguration": [
                        {"nfsMountConfiguration": {"source": "10.0.0.4:/data", "relativeMountPath": "data"}}
                    ]
                }
            }
        ),
        pool="idle",
    ),
    # The lock and the tool.
    "tool newer": Drift({"tool.version": "newer exists"}, replace=(('version = "0.1.0"', 'version = "0.0.9"'),)),
    "SDK newer": Drift({"sdk.azure-batch": "newer exists"}, replace=(('azure-batch = "15', 'azure-batch = "14'),)),
    "api-version newer": Drift(
        {"api_versions.batch": "newer exists"}, replace=(('batch = "2025-06-01"', 'batch = "2024-07-01"'),)
    ),
    "api-version retiring": Drift(
        {"ends.api_version": "ends in 31 days"},
        announced=(
            Retirement(
                kind="api-version",
                pattern=f"batch {BATCH}",
                what=f"Batch api-version {BATCH}",
                date=dt.date(2026, 8, 1),
                use="a newer one",
                source="https://example.com",
                checked=dt.date(2026, 7, 1),
            ),
        ),
    ),
    "spec edited": Drift({"pool.spec_hash": "changed"}, replace=(("nodes = 2\n", "nodes = 1\n"),)),
    # What may not be read.
    "VM not readable": Drift({"vm": "not readable"}, edits={"/virtualMachines/prep-vm?": FORBIDDEN}),
    "image not readable": Drift({"image": "not readable"}, edits={"/versions/1.0.0?": FORBIDDEN}),
}


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an emulator state and the locks of its two pools."""
    folder = tmp_path_factory.mktemp("locked")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_DATA_HOME", str(folder / "data"))
        patched.setenv("XDG_CONFIG_HOME", str(folder / "config"))
        with Session() as session:
            session.connect(state=str(folder / "world.db"), speed="max")
            made = {"from_vm": "prep-vm", "vm_size": "Standard_D4s_v5", "start_task": "/bin/true"}
            session.create("genomics", nodes=2, replicas={"westus": 1}, **made)
            session.create("idle", from_version=VERSION, vm_size="Standard_D4s_v5", start_task="/bin/true")
            for pool in ("genomics", "idle"):
                session.lock(pool, str(folder / f"{pool}.lock.toml"))
    return folder


@pytest.mark.parametrize("name", DRIFTS)
def test_each_drift_is_named_and_none_that_is_not_there(
    locked: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    drift = DRIFTS[name]
    if drift.announced:
        known = (*retirements.read_retirements(), *drift.announced)
        monkeypatch.setattr(retirements, "read_retirements", lambda: known)
        retirements.find_retirement.cache_clear()
        request.addfinalizer(retirements.find_retirement.cache_clear)
    file = tmp_path / f"{drift.pool}.lock.toml"
    text = (locked / file.name).read_text()
    for old, new in drift.replace:
        assert old in text
        text = text.replace(old, new, 1)
    file.write_text(text)
    client = StateFileClient(tmp_path / "world.db")
    shutil.copy(locked / "world.db", client.path)
    shutil.copytree(locked / "world.packages", tmp_path / "world.packages")
    if (packages := locked / f"{drift.pool}.packages.tsv").exists():
        shutil.copy(packages, tmp_path)
    drift.write(client)
    with Session(wrap_transport=lambda inner: EditingTransport(inner, drift.edits)) as session:
        session.connect(state=str(client.path), speed="max")
        found = session.verify(str(file))
    differing = found[found.status != "ok"]
    assert dict(zip(differing.field, differing.status, strict=True)) == drift.rows
    assert list(found.status[: len(drift.rows)]) == list(differing.status)  # problems first
    assert differing.meaning.notna().all()
