"""Pools that Azure does not create any more, and Packer templates of images that it accepts."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import hcl2
import pytest

from batchimg_magics.core.batch.pools import PoolImage
from batchimg_magics.core.operations.migrate import legacy_image, new_pool_body, omitted_settings
from batchimg_magics.errors import ConflictError, NotFoundError, SpecError
from batchimg_magics.pool_spec.package_task import without_package_list
from batchimg_magics.session.session import Session
from tests.support.documents import ACCOUNT, GROUP
from tests.support.prepared_vms import StateFileClient, connect_to, new_state_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE = {"vm_size": "Standard_D4s_v5"}
EARLY = dt.datetime(2025, 6, 2, tzinfo=dt.UTC)


@pytest.fixture
def outside(tmp_path: Path) -> StateFileClient:
    """Return a world with a pool made straight from a managed image, long ago."""
    outside = new_state_file(tmp_path, EARLY)
    outside.create_vm("desk", disks=1)
    with Session() as session:
        connect_to(session, outside).create(
            "old", from_vm="desk", direct=True, nodes=3, spot=1, start_task="true", **SIZE
        )
    outside.ask("PATCH", f"{ACCOUNT}/pools/old", {"tags": {"cost-centre": "42"}}, "2025-06-01")
    return outside


@pytest.fixture
def away() -> Iterator[Session]:
    with Session() as opened:
        yield opened


def test_pools_that_have_to_be_migrated_are_found(away: Session, outside: StateFileClient) -> None:
    connect_to(away, outside).create("new", from_vm="prep-vm", **SIZE)
    found = away.migrate()
    assert list(found.resource) == ["old"]
    assert found.detail[0].startswith("made from old-")


def test_the_plan_is_shown_and_nothing_is_changed(away: Session, outside: StateFileClient) -> None:
    connect_to(away, outside)
    plan = away.migrate("old")
    assert list(plan.action) == ["would create"] * 5
    assert "add --yes to do it" in plan.attrs["caption"]
    assert list(away.pools().pool) == ["old"]
    assert "version" not in set(away.images().kind)


def test_a_new_pool_of_the_same_size_from_the_gallery(away: Session, outside: StateFileClient) -> None:
    connect_to(away, outside)
    steps = away.migrate("old", yes=True)
    assert set(steps.action) == {"created"}
    counts = away.nodes("old-gallery", counts=True)
    assert [tuple(row) for row in counts.itertuples(index=False)] == [("idle", 3, 1)]
    pools = away.pools().set_index("pool")
    assert set(pools.index) == {"old", "old-gallery"}
    assert pools.loc["old-gallery", "image"].endswith("/old-gallery/1.0.0")
    assert set(away.migrate("old", yes=True).action) == {"exists"}
    away.close()
    new = outside.ask("GET", f"{ACCOUNT}/pools/old-gallery", version="2025-06-01")
    task = without_package_list(new["properties"]["startTask"])
    assert task is not None
    assert task["commandLine"] == "true"
    assert new["tags"]["cost-centre"] == "42"
    assert new["tags"]["batchimg-pool"] == "old-gallery"


def test_the_old_pool_is_deleted_only_with_the_option(away: Session, outside: StateFileClient) -> None:
    connect_to(away, outside)
    steps = away.migrate("old", to="fresh", yes=True, delete_old=True)
    assert list(steps.action)[-1] == "deleted"
    assert list(away.pools().pool) == ["fresh"]
    assert set(away.nodes("fresh").state) == {"idle"}


def test_what_cannot_be_migrated_is_reported(away: Session, outside: StateFileClient) -> None:
    connect_to(away, outside).create("new", from_vm="prep-vm", **SIZE)
    with pytest.raises(SpecError, match="neither a managed image nor a VHD"):
        away.migrate("new")
    with pytest.raises(NotFoundError, match="no pool 'none'"):
        away.migrate("none")
    with pytest.raises(SpecError, match="another name"):
        away.migrate("old", to="old")
    with pytest.raises(ConflictError, match="already exists and differs"):
        away.migrate("old", to="new", yes=True)
    with pytest.raises(SpecError, match="the pool to migrate"):
        away.migrate(yes=True)


def test_a_missing_image_is_reported(away: Session, outside: StateFileClient) -> None:
    (image,) = outside.ask("GET", "images")["value"]
    outside.ask("DELETE", image["id"])
    with pytest.raises(NotFoundError, match="no managed image"):
        connect_to(away, outside).migrate("old")


def pool(machine: dict[str, Any], **props: Any) -> dict[str, Any]:
    deployment = {"virtualMachineConfiguration": machine | {"nodeAgentSkuId": "batch.node.ubuntu 18.04"}}
    fixed = {"fixedScale": {"targetDedicatedNodes": 5}}
    return {
        "name": "p",
        "properties": {"vmSize": "X", "deploymentConfiguration": deployment, "scaleSettings": fixed} | props,
    }


def test_pools_of_vhds_are_known_by_their_documents() -> None:
    url = "https://labstore.blob.core.windows.net/vhds/a.vhd"
    assert legacy_image(pool({"osDisk": {"imageUris": [url], "caching": "None"}})) == {"from_vhd": url}
    assert legacy_image(pool({"imageReference": {"id": f"{GROUP}/images/a"}})) == {"from_image": f"{GROUP}/images/a"}
    assert legacy_image(pool({"imageReference": {"id": f"{GROUP}/galleries/g/images/a/versions/1.0.0"}})) == {}
    assert legacy_image(pool({"imageReference": {"publisher": "canonical"}})) == {}


def test_what_azure_does_not_return_is_left_out_and_named() -> None:
    response = {"azureBlobFileSystemConfiguration": {"accountName": "a", "identityReference": {"resourceId": "i"}}}
    untold = {"azureFileShareConfiguration": {"accountName": "a", "azureFileUrl": "u"}}
    old = pool(
        {"imageReference": {"id": f"{GROUP}/images/a"}},
        userAccounts=[{"name": "me"}],
        mountConfiguration=[response, untold],
        currentDedicatedNodes=5,
    )
    new = new_pool_body(old, "q", PoolImage("v", "h"), {})["properties"]
    assert omitted_settings(old) == "without user accounts and mounts: Azure does not return their secrets"
    assert new["mountConfiguration"] == [response]
    assert "userAccounts" not in new
    assert "currentDedicatedNodes" not in new
    assert new["scaleSettings"]["fixedScale"]["targetDedicatedNodes"] == 0
    assert old["properties"]["userAccounts"] == [{"name": "me"}]
    formula = new_pool_body(
        pool({"imageReference": {}}, scaleSettings={"autoScale": {"formula": "f"}}), "q", PoolImage("v", "h"), {}
    )
    assert formula["properties"]["scaleSettings"] == {"autoScale": {"formula": "f"}}


# -- packer ------------------------------------------------------------------------------------------------------


@pytest.fixture
def of_ones_own(session: Session, tmp_path: Path) -> Session:
    """Return the session, connected to an account that allocates in its own subscription."""
    outside = new_state_file(tmp_path)
    body = {"location": "eastus", "properties": {"poolAllocationMode": "UserSubscription"}}
    vault = {"id": f"{GROUP}/vaults/v".replace("Compute", "KeyVault"), "url": "https://v.vault.azure.net/"}
    body["properties"]["keyVaultReference"] = vault
    known = {
        "id": vault["id"],
        "name": "v",
        "type": "Microsoft.KeyVault/vaults",
        "location": "eastus",
        "properties": {},
    }
    outside.import_documents([known])
    outside.ask("PUT", ACCOUNT.replace("genomicsbatch", "ownbatch"), body, "2025-06-01")
    session.connect(state=str(outside.path), speed="max", account="ownbatch")
    return session


@pytest.mark.parametrize("os_type", ["Linux", "Windows"])
@pytest.mark.parametrize(
    ("account", "end"),
    [
        ("session", "gallery"),
        ("session", "vhd"),
        ("of_ones_own", "gallery"),
        ("of_ones_own", "vhd"),
        ("of_ones_own", "managed-image"),
    ],
)
def test_a_template_that_packer_can_read(
    request: pytest.FixtureRequest, tmp_path: Path, os_type: str, account: str, end: str
) -> None:
    file = tmp_path / "tools.pkr.hcl"
    (row,) = request.getfixturevalue(account).packer("tools", os=os_type, to=end, output=str(file)).itertuples()
    mode = "BatchService" if account == "session" else "UserSubscription"
    assert (row.allocation_mode, row.ends_in, row.file) == (mode, end, "tools.pkr.hcl")
    assert row.lines < 70
    read = hcl2.loads(file.read_text())
    source = read["source"][0]['"azure-arm"']['"tools"']
    assert source["os_type"] == f'"{os_type}"'
    ends = {
        "gallery": "shared_image_gallery_destination",
        "vhd": "capture_container_name",
        "managed-image": "managed_image_name",
    }
    assert [one for one, word in ends.items() if word in source] == [end]
    assert {"gallery": "--from-version", "vhd": "--from-vhd", "managed-image": "--from-image"}[end] in row.next
    assert ("waagent" if os_type == "Linux" else "Sysprep") in file.read_text()
    assert row.generation == "V2"  # what is chosen where no base is named


@pytest.mark.parametrize(
    ("base", "os_type", "generation"),
    [
        ("canonical:0001-com-ubuntu-server-jammy:22_04-lts", "Linux", "V1"),
        ("canonical:0001-com-ubuntu-server-jammy:22_04-lts-gen2", "Linux", "V2"),
        ("Canonical:ubuntu-24_04-lts:server", "Linux", "V2"),
        ("canonical:ubuntu-24_04-lts:server-gen1", "Linux", "V1"),
        ("microsoft-dsvm:ubuntu-hpc:2204", "Linux", "V2"),
        ("microsoftwindowsserver:windowsserver:2022-datacenter", "Windows", "V1"),
        ("microsoftwindowsserver:windowsserver:2022-datacenter-azure-edition", "Windows", "V2"),
    ],
)
def test_the_generation_is_as_batchs_list_has_it(session: Session, base: str, os_type: str, generation: str) -> None:
    made = session.packer("tools", os=os_type, base=base)
    assert made.generation[0] == generation
    assert f'image_sku          = "{base.rpartition(":")[2]}"' in made.attrs["text"]
    assert f"--hyper-v-generation {generation} " in made.attrs["text"]
    assert f"# Generation {generation}: Batch's list of supported images" in made.attrs["text"]
    assert f"--generation {generation} " in session.packer("tools", os=os_type, base=base, to="vhd").next[0]


def test_the_generation_can_be_given(session: Session) -> None:
    base = "canonical:ubuntu-24_04-lts:server"
    text = session.packer("tools", base=base, generation="V1").attrs["text"]
    assert "--hyper-v-generation V1 " in text
    assert "# Generation V1: given by --generation" in text
    assert session.packer("tools", generation="V1").base[0] == "canonical:ubuntu-24_04-lts:server-gen1"
    with pytest.raises(SpecError, match="--generation is 'V3'"):
        session.packer("tools", generation="V3")


def test_an_arm_base_is_built_on_an_arm_size(of_ones_own: Session) -> None:
    base = "canonical:ubuntu-24_04-lts:server-arm64"
    text = of_ones_own.packer("tools", base=base).attrs["text"]
    assert 'vm_size            = "Standard_D4ps_v5"' in text
    assert "--architecture Arm64 " in text
    with pytest.raises(SpecError, match="managed images support x64 only"):
        of_ones_own.packer("tools", base=base, to="managed-image")


def test_a_managed_image_is_for_accounts_of_ones_own_subscription(session: Session) -> None:
    with pytest.raises(SpecError, match="pool allocation mode BatchService") as caught:
        session.packer("tools", to="managed-image")
    assert "--to gallery" in caught.value.hint


def test_what_a_template_cannot_be(session: Session, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="does not support 'a:b:c'"):
        session.packer("tools", base="a:b:c")
    with pytest.raises(SpecError, match="--os is 'BeOS'"):
        session.packer("tools", os="BeOS")
    with pytest.raises(SpecError, match="cannot be written"):
        session.packer("tools", output=str(tmp_path / "no" / "where"))
    file = tmp_path / "tools.pkr.hcl"
    file.write_text("mine")
    with pytest.raises(SpecError, match="exists already") as caught:
        session.packer("tools", output=str(file))
    assert "force=True" in "".join(caught.value.__notes__)
    assert file.read_text() == "mine"
    session.packer("tools", output=str(file), force=True)
    assert "packer" in file.read_text()
