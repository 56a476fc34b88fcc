"""The rules for image origins other than a VM, and for resources outside the account's resource group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics.errors import SpecError
from tests.support.create_options import CREATE_OPTIONS
from tests.support.documents import GROUP
from tests.support.rule_resources import (
    ACCOUNT,
    GALLERY,
    IMAGES,
    NETWORK,
    OTHER_SUBSCRIPTION,
    SIZE,
    SUBNET,
    RuleResources,
    account,
    definition,
    gallery,
    managed_image,
    network,
    pool,
    snapshot,
    version,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd

    from batchimg_magics.session.session import Session

PLAN = {"publisher": "acme", "product": "db", "name": "gold"}
SNAPSHOT = {"from_snapshot": f"{GROUP}/snapshots/old-os", "generalized": True, "vm_size": SIZE, "nodes": 1}
AGENT = {"node_agent_sku": "batch.node.ubuntu 22.04"}


@pytest.fixture
def lab(session: Session, tmp_path: Path) -> Callable[..., Session]:
    """Return a session on a world with ``lab-vm`` and further documents."""

    def opened(*documents: dict[str, Any], **target: Any) -> Session:
        RuleResources(more=list(documents)).open(session, tmp_path, generalized=True, **target)
        return session

    return opened


def found(table: pd.DataFrame, rule: str) -> str:
    (row,) = table[table.rule == rule].to_dict("records")
    return str(row["found"])


def holding(nodes: int, spot: int = 0, **more: Any) -> dict[str, Any]:
    """Return the properties of a pool that has so many nodes."""
    scale = {"fixedScale": {"targetDedicatedNodes": nodes, "targetLowPriorityNodes": spot, **more}}
    return {"currentDedicatedNodes": nodes, "currentLowPriorityNodes": spot, "scaleSettings": scale}


# -- snapshots and images --------------------------------------------------------------------------------------------


def test_an_encrypted_snapshot_makes_no_image(lab: Callable[..., Session]) -> None:
    session = lab(snapshot(encryptionSettingsCollection={"enabled": True}))
    with pytest.raises(SpecError, match="old-os is encrypted by Azure Disk Encryption"):
        session.create("p", **SNAPSHOT, **AGENT)


def test_a_purchase_plan_is_copied_to_the_definition(lab: Callable[..., Session]) -> None:
    session = lab(snapshot(purchasePlan=PLAN))
    made = session.create("p", **SNAPSHOT, **AGENT)
    assert "is based on an image with the purchase plan acme:db:gold" in str(made.attrs["warnings"])
    assert session.nodes("p").state.tolist() == ["idle"]
    assert (
        found(session.check("p", kind="pool", all=True), "purchase-plan")
        == "image definition has the plan acme:db:gold"
    )
    with pytest.raises(SpecError, match="a managed image cannot have a plan"):
        session.create("q", **SNAPSHOT, **AGENT, via="managed-image")


def test_a_large_data_snapshot_is_warned_of(lab: Callable[..., Session]) -> None:
    session = lab(snapshot(), snapshot("data", diskSizeGB=4096, osType=None))
    planned = session.plan("p", **SNAPSHOT, **AGENT, data_snapshots={3: f"{GROUP}/snapshots/data"})
    rules = {one["rule"]: one["found"] for one in planned.attrs["warnings"]}
    assert rules["data-disk-size"] == "LUN 3 has 4096 GiB"
    assert rules["extensions"] == "cannot be checked: snapshot 'old-os' does not show whether its VM had extensions"


def test_an_image_shows_what_a_pool_of_it_needs(lab: Callable[..., Session]) -> None:
    table = lab(definition(), version()).check("lab/tools", vm_size=SIZE, all=True)
    assert "the Marketplace image of image version '1.0.0' is unknown" in found(table, "base-image")
    assert "its node agent SKU is not known" in found(table, "node-agent")
    assert found(table, "os-disk-encryption").startswith("cannot be checked: image version '1.0.0' does not show")


def test_a_specialized_image_is_reported_with_all_other_errors(lab: Callable[..., Session]) -> None:
    session = lab(managed_image(osState="Specialized"), snapshot())
    with pytest.raises(SpecError) as caught:
        session.create("p", from_image=f"{IMAGES}/old", vm_size="Standard_NOPE", nodes=9999, **AGENT)
    assert "the OS state of the image is Specialized" in caught.value.message
    assert "Standard_NOPE" in caught.value.message


def test_nodes_of_a_size_that_has_nvme_alone(session: Session) -> None:
    """The VM's disk says that it boots from NVMe, and so does the definition that is made for it."""
    session.create("p", **{**CREATE_OPTIONS, "vm_size": "Standard_D4s_v6", "nodes": 1, "spot": 0})
    assert session.nodes("p").state.tolist() == ["idle"]


# -- pools as they are ---------------------------------------------------------------------------------------------


def test_a_pool_is_judged_by_its_own_values(lab: Callable[..., Session]) -> None:
    machine = {"osDisk": {"diskSizeGB": 30}}
    storage = {"osDiskImage": {"sizeInGB": 64, "source": {}}}
    there = pool(machine=machine, **holding(40, resizeTimeout="PT5M"))
    table = lab(definition(), version(storage=storage), there).check("old-pool", all=True)
    assert found(table, "resize-timeout").startswith("5 min for 40 nodes")
    assert found(table, "os-disk-size") == "30 GiB requested; the OS disk of the image has 64 GiB"


def test_a_pool_that_is_called_pool_counts(lab: Callable[..., Session]) -> None:
    session = lab(definition(), version(), pool("pool", **holding(48)))
    assert "8 of 200 free: 72 missing" in found(
        session.check("lab-vm", vm_size=SIZE, nodes=20, all=True), "quota-family"
    )
    assert "also used by pool;" in found(session.check("lab/tools", all=True), "image-shared")


def test_limits_of_a_managed_image_count_the_pools_of_all_accounts(lab: Callable[..., Session]) -> None:
    image, other = f"{IMAGES}/old", account()
    other |= {"id": ACCOUNT.replace("genomicsbatch", "otherbatch"), "name": "otherbatch"}
    other["properties"] = {**other["properties"], "accountEndpoint": "otherbatch.eastus.batch.azure.com"}
    theirs = pool("theirs", image, **holding(2450))
    theirs["id"] = theirs["id"].replace("genomicsbatch", "otherbatch")
    session = lab(managed_image(), snapshot(), other, theirs, pool("mine", image, **holding(100)))
    table = session.check("mine", kind="pool", all=True)
    assert "2,550 dedicated and 0 spot nodes in 2 pools: more than" in found(table, "managed-image-limit")
    assert "also used by otherbatch/theirs" in found(table, "image-shared")


def test_login_ports_lower_the_limits_of_a_managed_image(lab: Callable[..., Session]) -> None:
    asked = {"direct": True, "vm_size": SIZE, "nodes": 50}
    assert "NAT" not in found(lab().check("lab-vm", **asked, all=True), "managed-image-limit")
    assert "inbound NAT pools lower these limits" in found(
        lab().check("lab-vm", **asked, login_ports=[22], all=True), "managed-image-limit"
    )


def test_a_direct_pool_needs_its_image_in_the_account_s_region(session: Session, tmp_path: Path) -> None:
    away = RuleResources()
    for one in (away.vm, away.os_disk, away.data_disk):
        one["location"] = "westus2"
    away.open(session, tmp_path)
    assert "the image would be in westus2" in found(session.check("lab-vm", direct=True, all=True), "region")


# -- permissions ---------------------------------------------------------------------------------------------------


def test_permissions_are_read_wherever_something_is_worked_with(lab: Callable[..., Session]) -> None:
    elsewhere = GALLERY.replace("/resourceGroups/research/", "/resourceGroups/shared/")
    identity = f"{GROUP}/userAssignedIdentities/runner".replace("Microsoft.Compute", "Microsoft.ManagedIdentity")
    theirs = {**gallery(), "id": elsewhere}
    table = lab(theirs).check("lab-vm", gallery=elsewhere, identities=[identity], all=True)
    assert "in resource group research, resource group shared" in found(table, "permissions")
    role = table.attrs["role"]
    assert "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action" in role["Actions"]
    away = {**version(), "id": version()["id"].replace(GROUP.split("/")[2], OTHER_SUBSCRIPTION)}
    of = {**definition(), "id": definition()["id"].replace(GROUP.split("/")[2], OTHER_SUBSCRIPTION)}
    table = lab(of, away).check(away["id"], all=True)
    assert f"subscription {OTHER_SUBSCRIPTION}" in found(table, "permissions")
    assert len(table.attrs["role"]["AssignableScopes"]) == 2


def test_the_groups_of_a_vm_s_subnet_and_of_a_pool_s_image_are_read_too(session: Session, tmp_path: Path) -> None:
    away = "/resourceGroups/central/"
    subnet, home = SUBNET.replace("/resourceGroups/research/", away), GALLERY.replace("/resourceGroups/research/", away)
    lab = RuleResources(more=[network(subnet_id=subnet), definition(group=home), version(group=home)])
    lab.more.append(pool(image=f"{home}/images/tools/versions/1.0.0"))
    card = {"id": f"{NETWORK}/networkInterfaces/lab-nic", "name": "lab-nic", "location": "eastus"}
    inside = {"name": "one", "properties": {"subnet": {"id": subnet}, "privateIPAddress": "10.1.0.4"}}
    lab.more.append(
        {**card, "type": "Microsoft.Network/networkInterfaces", "properties": {"ipConfigurations": [inside]}}
    )
    lab.vm["properties"]["instanceView"] = {"statuses": [{"code": "PowerState/running"}]}
    lab.vm["properties"]["networkProfile"] = {"networkInterfaces": [{"id": card["id"]}]}
    lab.open(session, tmp_path)
    every = "all required permissions in resource group research, resource group central"
    assert found(session.check("lab-vm", all=True), "permissions") == every
    assert found(session.check("old-pool", all=True), "permissions") == every


def test_permissions_of_sources_are_needed(lab: Callable[..., Session]) -> None:
    session = lab(snapshot())
    with pytest.raises(SpecError) as caught:
        session.create("p", **{**SNAPSHOT, "vm_size": "Standard_NOPE"}, **AGENT)
    of_snapshot = caught.value.table.attrs["role"]["Actions"]
    assert {f"Microsoft.Compute/snapshots/{verb}" for verb in ("write", "beginGetAccess/action")} <= set(of_snapshot)
    vhd = {"from_vhd": "https://labvhds.blob.core.windows.net/v/a.vhd", "os_type": "Linux", "generation": "V1"}
    with pytest.raises(SpecError) as caught:
        session.create("p", **vhd, generalized=True, vm_size="Standard_NOPE", **AGENT)
    assert "Microsoft.Storage/storageAccounts/listKeys/action" in caught.value.table.attrs["role"]["Actions"]
    of_vm = session.check("lab-vm").attrs["role"]["Actions"]
    assert "Microsoft.Compute/snapshots/beginGetAccess/action" in of_vm
    assert "Microsoft.Storage/storageAccounts/listKeys/action" not in of_vm
