"""`create --locked`: the pool of a lock again, or how to build its image again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics import Session
from batchimg_magics.errors import ConflictError, NotFoundError, SpecError
from tests.support.documents import ACCOUNT
from tests.support.locked_pools import locked_pool
from tests.support.prepared_vms import connect_to, new_state_file
from tests.support.shells import ipython, run_cell

if TYPE_CHECKING:
    from pathlib import Path


def test_the_same_pool_comes_from_the_locked_image(tmp_path: Path) -> None:
    with locked_pool(tmp_path, spot=1, start_task="/bin/true", tags={"project": "g42"}, task_slots=4) as pool:
        create, file = pool.session.create, str(pool.file)
        again = create(locked=file)
        assert list(again.action) == ["exists"] * 3
        assert again.attrs["caption"].endswith("; as genomics.lock.toml says")
        assert list(create("other", locked=file, dry_run=True).action) == ["exists", "would create", "would create"]
        assert list(create("other", locked=file, nodes=1, ttl="8h").action) == ["exists", "created", "created"]
        pool.session.delete("genomics")
        create(locked=file, vm_size="standard_d4s_v5")
        assert pool.drifts() == {"pool": "changed"}  # another one with the same settings


#: Options to the error about them.
CONTRADICTIONS: list[tuple[dict[str, Any], str]] = [
    ({"vm_size": "Standard_D8s_v5"}, "contradicts the lock: Standard_D8s_v5, locked Standard_D4s_v5"),
    ({"task_slots": 2}, "task_slots contradicts the lock: 2, locked not set"),
    ({"start_task": "/bin/false"}, "start_task contradicts the lock"),
    ({"spec": "subnet: x"}, "subnet contradicts the lock: x"),
    ({"from_vm": "prep-vm"}, "from_vm contradicts the lock, whose image exists"),
    ({"plan": "p.toml"}, "locked cannot be used with plan"),
]


def test_what_contradicts_the_lock_is_refused(tmp_path: Path) -> None:
    with locked_pool(tmp_path, nodes=0) as pool:
        for options, message in CONTRADICTIONS:
            with pytest.raises(SpecError, match=message):
                pool.session.create("genomics", locked=str(pool.file), **options)


def test_a_lost_image_is_built_again_in_the_nearest_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with ipython() as shell:
        run_cell(shell, "%batchimg connect --state :memory:")
        run_cell(
            shell, "%batchimg create genomics --from-vm prep-vm --vm-size Standard_D4s_v5 --nodes 1 --task-slots 2"
        )
        run_cell(shell, "%batchimg lock genomics")
        run_cell(shell, "%batchimg delete genomics")
        image = run_cell(shell, "%batchimg images").query("kind == 'version'").id.iloc[0]
        run_cell(shell, f"%batchimg delete {image}")
        lost = shell.run_cell("%batchimg create --locked genomics.lock.toml").error_in_exec
        assert isinstance(lost, NotFoundError)
        assert lost.message == "image genomics/1.0.0 of genomics.lock.toml does not exist any more"
        line = lost.hint.partition("`")[2].partition("`")[0]
        assert line.startswith("%batchimg create genomics --locked genomics.lock.toml --from-snapshot /subscriptions/")
        ways = lost.table.rows()
        assert [row["source"] for row in ways][:2] == ["snapshots", "VM"]
        assert all(row["possible"] for row in ways)
        commands = [row["command"] for row in ways if row["source"] == "Marketplace image"]
        assert commands[0].endswith("--image canonical:ubuntu-24_04-lts:server:24.04.202506060")
        assert any("genomics.packages.tsv | xargs conda install" in one for one in commands)
        built = run_cell(shell, line)
        assert built.attrs["caption"].endswith("; differs from genomics.lock.toml: the image was built again")
        found = run_cell(shell, "%batchimg verify genomics.lock.toml")
        assert list(found[found.status != "ok"].field) == ["pool", "image", "image.tags"]
        # The image with this number is another one now: a lock never stands for it.
        other = shell.run_cell("%batchimg create again --locked genomics.lock.toml").error_in_exec
        assert isinstance(other, ConflictError)
        assert "genomics/1.0.0 is not the locked one" in other.message


def tables(session: Session) -> list[str]:
    """Return all that a researcher sees of the pool, as text."""
    found = [session.nodes("genomics"), session.show("genomics"), session.images(), session.pools()]
    return [one.to_csv() for one in found]


def test_a_fresh_world_with_the_same_seed_shows_the_same_tables(tmp_path: Path) -> None:
    with locked_pool(tmp_path, seed=7, nodes=3, spot=1) as pool:
        lock, seen = pool.file.read_text(), tables(pool.session)
    with Session() as fresh:
        fresh.connect(state=":memory:", seed=7)
        with pytest.raises(NotFoundError) as lost:
            fresh.create(locked=str(pool.file))
        assert "from_vm=" in lost.value.hint
        fresh.create(locked=str(pool.file), from_vm="prep-vm")
        fresh.lock("genomics", str(pool.file))
        assert tables(fresh) == seen
    assert pool.file.read_text() == lock  # byte for byte


def test_another_account_in_another_region_is_said(tmp_path: Path) -> None:
    client = new_state_file(tmp_path)
    other = ACCOUNT.replace("genomicsbatch", "otherbatch")
    client.ask("PUT", other, {"location": "westus"}, "2025-06-01")
    lock = str(tmp_path / "genomics.lock.toml")
    with Session() as session:
        connect_to(session, client)
        session.create("genomics", from_vm="prep-vm", vm_size="Standard_D4s_v5", nodes=1, replicas={"westus": 1})
        session.lock("genomics", lock)
        session.connect(state=str(client.path), speed="max", account="otherbatch")
        found = session.verify(lock)
        assert {"node.region", "node.account"} <= set(found[found.status == "changed"].field)
        made = session.create(locked=lock)
        said = "differs from genomics.lock.toml: region westus, locked eastus, account otherbatch, locked genomicsbatch"
        assert made.attrs["caption"].endswith(said)
        assert list(made.action) == ["exists", "created", "created"]
