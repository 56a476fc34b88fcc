"""What uses a resource, what can be deleted, what is left over, and pools whose image is missing."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics.emulator.arm import resources
from batchimg_magics.errors import ConflictError, InUseError, NotFoundError, SpecError
from tests.support.connections import connection_of
from tests.support.create_options import CREATE_OPTIONS
from tests.support.documents import ACCOUNT, GROUP, pool_body, vm
from tests.support.faults import emulator_state, set_faults
from tests.support.shells import ipython, run_cell

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from batchimg_magics.emulator.world.store import Item
    from batchimg_magics.session.session import Session

EMPTY = {**CREATE_OPTIONS, "nodes": 0, "spot": 0}


#: Deletes also what was created a moment ago.
NOW = "0s"


def rows(frame: pd.DataFrame, kind: str) -> pd.DataFrame:
    return frame[frame.kind == kind]


def connect_with(session: Session, tmp_path: Path, *documents: dict[str, Any]) -> None:
    file = tmp_path / "documents.json"
    file.write_text(json.dumps(documents))
    files = [str(file)] if documents else []
    session.connect(state=str(tmp_path / "world.db"), speed="max", import_files=files, generalized=True)


def account(name: str, subscription: str = "", **properties: Any) -> dict[str, Any]:
    """Return another Batch account, perhaps in another subscription."""
    key = ACCOUNT.replace("genomicsbatch", name)
    if subscription:
        key = key.replace(key.split("/")[2], subscription)
    inner = {"accountEndpoint": f"{name}.eastus.batch.azure.com", "poolQuota": 10, **properties}
    return {"id": key, "name": name, "location": "eastus", "properties": inner}


def pool_of(owner: dict[str, Any], name: str, image: str) -> dict[str, Any]:
    """Return a pool of an account whose nodes are made from an image."""
    body = pool_body()["properties"]
    machine = body["deploymentConfiguration"]["virtualMachineConfiguration"]
    machine["imageReference"] = {"id": image}
    inner = {**body, "allocationState": "Steady", "currentDedicatedNodes": 2, "currentLowPriorityNodes": 0}
    return {"id": f"{owner['id']}/pools/{name}", "name": name, "properties": inner}


def scale_set(image: str) -> dict[str, Any]:
    profile = {"storageProfile": {"imageReference": {"id": image}}}
    return {
        "id": f"{GROUP}/virtualMachineScaleSets/web",
        "location": "eastus",
        "properties": {"virtualMachineProfile": profile},
    }


def compute(
    kind: str, name: str, *, tags: dict[str, str] | None = None, group: str = GROUP, **properties: Any
) -> dict[str, Any]:
    """Return a resource of Microsoft.Compute."""
    sized = {"diskSizeGB": 4} if kind in ("disks", "snapshots") else {}
    return {
        "id": f"{group}/{kind}/{name}",
        "location": "eastus",
        **({"tags": tags} if tags else {}),
        "properties": {**sized, **properties},
    }


def items(session: Session, kind: str) -> list[Item]:
    """Return what there is of a kind in the world, in whichever group."""
    found = emulator_state(session).items(f"microsoft.compute/{kind}", "/subscriptions")
    return [item for item in found if resources.document_at(item, connection_of(session).azure.now()) is not None]


MARKED = {"batchimg-pool": "genomics", "batchimg-image": "0"}
VERSION = f"{GROUP}/galleries/batchimg_genomicsbatch/images/genomics/versions/1.0.0"
ELSEWHERE = "11111111-2222-4333-8444-555555555555"


# -- who uses what -----------------------------------------------------------------------------------------------


def test_images_show_who_uses_them_down_to_the_snapshot(session: Session, tmp_path: Path) -> None:
    other, far = account("otherbatch"), account("farbatch", ELSEWHERE)
    made_of_it = vm("child", {"managedDisk": {"id": f"{GROUP}/disks/child-os"}}, image={"id": VERSION})
    connect_with(session, tmp_path)
    session.create("genomics", **EMPTY)
    assert list(session.images().used_by) == ["genomics"]
    definition = VERSION.rpartition("/versions/")[0]
    users = (pool_of(other, "p", VERSION), pool_of(far, "q", definition), scale_set(VERSION), made_of_it)
    connect_with(session, tmp_path, other, far, *users)
    found = session.images(sources=True)
    everybody = "VM child, farbatch/q, genomics, otherbatch/p, scale set web"
    assert list(rows(found, "version").used_by) == [everybody]
    snapshots = rows(found, "snapshot").set_index("image")
    # A VM that was made from an image goes on without what the image was made from.
    assert set(snapshots.used_by) == {everybody.removeprefix("VM child, ")}
    assert sorted(snapshots.made_from) == ["prep-vm_DataDisk_0", "prep-vm_OsDisk_1"]
    disks = rows(found, "disk").set_index("image")
    assert disks.loc["prep-vm_OsDisk_1", "used_by"] == "VM prep-vm, " + everybody.removeprefix("VM child, ")
    assert "child-os" not in disks.index
    assert set(session.images().kind) == {"version"}
    assert session.images().attrs["unreadable"] == []


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/otherbatch/pools", "pools of Batch account otherbatch (AuthorizationFailed)"),
        (
            f"/subscriptions/{ELSEWHERE}/providers/Microsoft.Batch/batchAccounts",
            f"Batch accounts of subscription {ELSEWHERE}",
        ),
        ("virtualMachineScaleSets", "scale sets of subscription"),
        ("/virtualMachines$", "VMs of subscription"),
        (r"azure.com/subscriptions$", "other subscriptions"),
        ("/snapshots$", "snapshots (AuthorizationFailed)"),
        ("/galleries/batchimg_genomicsbatch/images$", "gallery batchimg_genomicsbatch"),
    ],
)
def test_what_could_not_be_looked_at_is_named(session: Session, tmp_path: Path, path: str, named: str) -> None:
    connect_with(session, tmp_path, account("otherbatch"), account("farbatch", ELSEWHERE))
    session.create("genomics", **EMPTY)
    set_faults(session, method="GET", path=path, status=403, code="AuthorizationFailed", times=None)
    found = session.images()
    assert any(one.startswith(named) for one in found.attrs["unreadable"])
    assert f"could not read: {named}" in found.attrs["caption"]
    set_faults(session)
    assert "could not" not in session.images().attrs["caption"]


# -- deleting one ------------------------------------------------------------------------------------------------


def ids(session: Session) -> dict[str, str]:
    """Return what there is of an image, by kind."""
    found = session.images(sources=True)
    ours = found[found.pool.notna() | (found.kind == "disk")]
    return dict(zip(ours.kind, ours.id, strict=True)) | {"definition": VERSION.rpartition("/versions/")[0]}


@pytest.mark.parametrize("kind", ["version", "definition", "snapshot", "disk"])
def test_nothing_that_a_pool_uses_is_deleted(session: Session, kind: str) -> None:
    session.create("genomics", **EMPTY)
    wanted = ids(session)[kind]
    with pytest.raises(InUseError, match=r"in use by .*genomics") as caught:
        session.delete(wanted)
    assert any(user.lower() == f"{ACCOUNT}/pools/genomics".lower() for user in caught.value.users)
    assert wanted.lower() in {one.lower() for one in ids(session).values()}


def test_users_of_other_accounts_and_scale_sets_are_named(session: Session, tmp_path: Path) -> None:
    other = account("otherbatch")
    connect_with(session, tmp_path)
    session.create("genomics", **EMPTY)
    session.delete("genomics")
    connect_with(session, tmp_path, other, pool_of(other, "p", VERSION), scale_set(VERSION))
    for what in (ids(session)["version"], ids(session)["snapshot"]):
        with pytest.raises(InUseError) as caught:
            session.delete(what)
        assert {user.rpartition("/")[2] for user in caught.value.users} == {"p", "web"}
        assert "in use by otherbatch/p, scale set web" in caught.value.message
    with pytest.raises(InUseError, match="otherbatch/p"):
        session.delete("genomics", image=True)
    assert len(session.images()) == 1


def test_an_unused_resource_is_deleted_by_its_id(session: Session) -> None:
    session.create("genomics", **EMPTY)
    session.delete("genomics")
    before = ids(session)
    planned = session.delete(before["snapshot"], dry_run=True)
    assert list(planned.action) == ["would delete"]
    gone = session.delete(before["snapshot"])
    assert list(gone.action) == ["deleted"]
    assert list(gone.id) == [before["snapshot"]]
    assert set(session.delete(before["definition"]).action) == {"deleted"}
    assert len(session.images()) == 0
    with pytest.raises(NotFoundError, match="no snapshot"):
        session.delete(before["snapshot"])


def test_a_vm_made_from_an_image_does_not_keep_it(session: Session, tmp_path: Path) -> None:
    connect_with(session, tmp_path)
    session.create("genomics", **EMPTY)
    session.delete("genomics")
    connect_with(session, tmp_path, vm("child", {"managedDisk": {"id": f"{GROUP}/disks/c"}}, image={"id": VERSION}))
    assert list(session.images().used_by) == ["VM child"]
    assert list(session.delete(VERSION).action) == ["deleted"]


def test_what_others_made_is_not_deleted(session: Session, tmp_path: Path) -> None:
    image = compute("images", "theirs", storageProfile={"osDisk": {"osType": "Linux", "osState": "Generalized"}})
    connect_with(session, tmp_path, image)
    assert list(rows(session.images(), "managed image").image) == ["theirs"]
    with pytest.raises(ConflictError, match="this tool did not create managed image 'theirs'") as caught:
        session.delete(image["id"])
    assert f"az resource delete --ids {image['id']}" in caught.value.hint


def test_deletion_without_a_use_check_needs_yes(session: Session) -> None:
    session.create("genomics", **EMPTY)
    session.delete("genomics")
    snapshot = ids(session)["snapshot"]
    set_faults(
        session, method="GET", path="virtualMachineScaleSets", status=403, code="AuthorizationFailed", times=None
    )
    with pytest.raises(ConflictError, match="could not read: scale sets of") as caught:
        session.delete(snapshot)
    assert "--yes" in caught.value.hint
    with pytest.raises(ConflictError):
        session.cleanup(delete=True, older_than=NOW)
    assert list(session.delete(snapshot, yes=True).action) == ["deleted"]
    assert "could not read" in session.cleanup().attrs["caption"]


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (f"{GROUP}/virtualMachines/prep-vm", "prep-vm is a Microsoft.Compute/virtualMachines"),
        (f"{ACCOUNT}/pools/genomics", "genomics is a Microsoft.Batch/batchAccounts/pools"),
        ("/subscriptions/x", "is not a resource id"),
        ("a/b", "is not a resource id"),
    ],
)
def test_ids_of_other_things(session: Session, what: str, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        session.delete(what)


# -- deleting a pool with its image --------------------------------------------------------------------------------


def test_only_resources_with_the_tags_of_this_pool_are_deleted(session: Session, tmp_path: Path) -> None:
    system = {"osDisk": {"osType": "Linux", "osState": "Generalized"}}
    strays = [
        compute("disks", "stray", tags=MARKED),
        compute("images", "stray", tags=MARKED, storageProfile=system),
        compute("snapshots", "theirs"),
        compute("snapshots", "other", tags=MARKED | {"batchimg-account": "otherbatch"}),
        compute("snapshots", "far", tags=MARKED, group=GROUP.replace("research", "else")),
        compute("galleries", "adopted"),
    ]
    connect_with(session, tmp_path, *strays)
    session.create("genomics", **EMPTY)
    gone = session.delete("genomics", image=True)
    assert set(gone.action) == {"deleted"}
    assert list(gone.type) == [
        "pool", "image version", "image definition", "gallery", "managed image", "disk", "snapshot", "snapshot",
    ]  # fmt: skip
    for verb in (session.nodes, session.logs, session.show, session.delete):
        with pytest.raises(NotFoundError) as caught:
            verb("genomics")
        assert re.search("it was deleted on .*session.history", str(caught.value.__notes__))
    left = {item.key.rpartition("/")[2] for kind in ("snapshots", "galleries") for item in items(session, kind)}
    assert left == {"theirs", "other", "far", "adopted"}


@pytest.mark.parametrize("path", ["/pools/genomics", "/versions/1.0.0", "/images/genomics", "/snapshots/genomics"])
def test_what_failed_is_left_listed_and_the_same_line_finishes(session: Session, path: str) -> None:
    session.create("genomics", **EMPTY)
    set_faults(
        session, method="DELETE", path=f"{path}[^/]*$", status=409, code="OperationNotAllowed", message="not now"
    )
    with pytest.raises(ConflictError) as caught:
        session.delete("genomics", image=True)
    assert "run the same command again" in caught.value.hint
    table = caught.value.table.rows()
    failed = [place for place, row in enumerate(table) if "not now" in str(row["detail"])]
    assert len(failed) == 1
    assert path in table[failed[0]]["id"]
    assert {row["action"] for row in table[: failed[0]]} <= {"deleted"}
    after = {row["action"] for row in table[failed[0] + 1 :]}
    assert after <= {None} or "/snapshots/" in path  # what needs it gone was not begun
    session.delete("genomics", image=True)
    assert len(session.images(sources=True).query("kind != 'disk'")) == 0
    with pytest.raises(NotFoundError):
        session.delete("genomics", image=True)


def test_one_failure_leaves_the_others_alone(session: Session) -> None:
    session.create("genomics", **EMPTY)
    set_faults(
        session, method="DELETE", path="/snapshots/[^/]*-os$", status=409, code="OperationNotAllowed", message="not now"
    )
    with pytest.raises(ConflictError) as caught:
        session.delete("genomics", image=True)
    states = {row["resource"]: row["action"] for row in caught.value.table.rows()}
    assert [action for name, action in states.items() if name.endswith("lun0")] == ["deleted"]
    assert [action for name, action in states.items() if name.endswith("-os")] == [None]


# -- orphans -----------------------------------------------------------------------------------------------------


def test_nothing_is_left_over_while_the_pool_exists(session: Session) -> None:
    session.create("genomics", **EMPTY)
    found = session.cleanup()
    assert len(found) == 0
    assert found.attrs["caption"].startswith("LOCAL · leftover resources: 0;")


def test_orphans_are_found_and_taken_away_in_order(session: Session) -> None:
    session.create("genomics", **EMPTY)
    session.create("other", **EMPTY)
    session.delete("genomics")
    found = session.cleanup()
    assert sorted(found.type) == ["image definition", "image version", "snapshot", "snapshot"]
    assert set(found.why) == {"there is no pool genomics"}
    assert found.set_index("type").loc["image version", "size_gib"] == 320
    assert found.created.notna().sum() == 3
    gone = session.cleanup(delete=True, older_than=NOW)
    assert set(gone.action) == {"deleted"}
    assert list(session.images().image) == ["other"]
    assert set(session.create("other", **EMPTY).action) == {"exists"}
    session.delete("other")
    assert "gallery" in set(session.cleanup().type)
    session.cleanup(delete=True, older_than=NOW)
    assert len(session.cleanup()) == 0
    assert len(session.images(sources=True).query("kind != 'disk'")) == 0


def test_throwaways_and_superseded_images_are_orphans(session: Session, tmp_path: Path) -> None:
    throwaway = vm("genomics-copy", {"managedDisk": {"id": f"{GROUP}/disks/genomics-copy-os"}}) | {"tags": MARKED}
    disk = compute("disks", "genomics-copy-os", tags=MARKED, timeCreated="2026-07-01T08:00:00+00:00")
    old = compute("snapshots", "genomics-0-os", tags=MARKED, timeCreated="2020-01-01T08:00:00+00:00")
    connect_with(session, tmp_path, throwaway, disk, old)
    session.create("genomics", **EMPTY)
    found = session.cleanup().set_index("resource")
    assert dict(found.why) == {
        "genomics-copy": "temporary resource of an image build",
        "genomics-copy-os": "temporary resource of an image build",
        "genomics-0-os": "pool genomics uses another image",
    }
    assert list(session.cleanup(older_than="24h").resource) == ["genomics-0-os"]
    assert set(session.cleanup(delete=True, older_than="24h").resource) == {"genomics-0-os"}
    assert set(session.cleanup(delete=True, older_than=NOW).resource) == {"genomics-copy", "genomics-copy-os"}
    assert len(session.cleanup()) == 0


def test_what_a_capture_left_is_an_orphan_though_the_image_was_made_of_it(session: Session, tmp_path: Path) -> None:
    connect_with(session, tmp_path)
    session.create("genomics", **EMPTY)
    snapshot = ids(session)["snapshot"].rpartition("/")[2]
    left = compute("snapshots", snapshot, tags=MARKED | {"batchimg-throwaway": "yes"})
    connect_with(session, tmp_path, left)
    found = session.cleanup()
    assert dict(zip(found.resource, found.why, strict=True)) == {snapshot: "temporary resource of an image build"}
    assert list(session.delete(left["id"]).action) == ["deleted"]


def test_orphans_wait_for_yes_on_a_real_connection(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    session.create("genomics", **EMPTY)
    session.delete("genomics")
    monkeypatch.setattr(connection_of(session), "emulator", None)
    said = session.cleanup(delete=True, older_than=NOW)
    assert set(said.action) == {"would delete"}
    assert said.attrs["caption"].endswith("add --yes to do it")
    assert len(session.cleanup()) == 5
    assert set(session.cleanup(delete=True, yes=True, older_than=NOW).action) == {"deleted"}


def test_leftovers_are_not_deleted_while_other_work_runs(session: Session) -> None:
    session.create("genomics", wait=False, **CREATE_OPTIONS)
    with pytest.raises(ConflictError, match="still running"):
        session.cleanup(delete=True, older_than=NOW)
    session.create("genomics", **CREATE_OPTIONS)
    session.cleanup(delete=True, older_than=NOW)


# -- pools whose image is gone -------------------------------------------------------------------------------------


def test_pools_show_if_their_image_is_missing(session: Session, tmp_path: Path) -> None:
    os_disk = {"osType": "Linux", "osState": "Generalized", "snapshot": {"id": f"{GROUP}/snapshots/s"}}
    managed = compute("images", "managed", storageProfile={"osDisk": os_disk})
    own = {"id": ACCOUNT}
    elsewhere = {
        "id": f"{GROUP}/galleries/far/images/i/versions/1.0.0",
        "location": "westus",
        "properties": {"publishingProfile": {"targetRegions": [{"name": "West US"}]}, "storageProfile": {}},
    }
    connect_with(
        session, tmp_path, managed, elsewhere, pool_of(own, "gone", VERSION.replace("genomics/", "lost/")),
        pool_of(own, "beneath", managed["id"]), pool_of(own, "far", elsewhere["id"]),
    )  # fmt: skip
    session.create("genomics", **EMPTY)
    pools = session.pools().set_index("pool")
    assert dict(pools.image_state) == {
        "gone": "missing", "beneath": "source missing", "far": "not in region", "genomics": "available",
    }  # fmt: skip
    said = session.pools().attrs["caption"]
    assert "cannot grow" in said
    assert all(name in said for name in ("gone", "beneath", "far"))
    assert "genomics," not in said
    set_faults(session, method="GET", path="/versions/1.0.0$", status=403, code="AuthorizationFailed", times=None)
    assert session.pools().set_index("pool").loc["genomics", "image_state"] == "unreadable"


# -- the doors ---------------------------------------------------------------------------------------------------


def test_the_magic_takes_ids_and_lists(session: Session) -> None:
    assert session.connected
    with ipython(state=":memory:", speed="max") as shell:
        run_cell(shell, "%batchimg create genomics --from-vm prep-vm --vm-size Standard_D4s_v5")
        run_cell(shell, "%batchimg delete genomics")
        assert len(run_cell(shell, "found = %batchimg cleanup") or shell.user_ns["found"]) == 5
        run_cell(shell, "snapshot_id = found.id[found.type == 'snapshot'].iloc[0]")
        assert list(run_cell(shell, "%batchimg delete $snapshot_id").action) == ["deleted"]
        assert set(run_cell(shell, "%batchimg cleanup --delete --older-than 1s").action) == {"deleted"}
        assert len(run_cell(shell, "%batchimg images --sources").query("kind != 'disk'")) == 0
