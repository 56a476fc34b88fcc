"""`lock`: the lock file of a pool."""

from __future__ import annotations

import datetime as dt
import json
import tomllib
from typing import TYPE_CHECKING

import pytest

from batchimg_magics import Session
from batchimg_magics.core.lock import lock_file
from batchimg_magics.errors import NotFoundError, SpecError
from tests.support.documents import ACCOUNT
from tests.support.locked_pools import locked_pool
from tests.support.prepared_vms import SYSTEMS, connect_to, new_state_file

if TYPE_CHECKING:
    from pathlib import Path


def test_a_lock_names_all_that_a_pool_is_made_of(tmp_path: Path) -> None:
    with locked_pool(tmp_path, spot=1, start_task="/bin/true", tags={"project": "g42"}) as pool:
        text = pool.file.read_text()
        lock = tomllib.loads(text)
        table = pool.session.lock("genomics", str(pool.file))
    assert lock["spec"] == {
        "vm_size": "Standard_D4s_v5",
        "from_version": lock["image"]["id"],
        "node_agent_sku": "batch.node.ubuntu 24.04",
        "nodes": 2,
        "spot": 1,
        "start_task": {"command_line": "/bin/true"},
        "tags": {"project": "g42"},
    }
    assert lock["node"]["node_agent_version"] == "1.12.39"
    assert lock["base_image"]["version"] == "24.04.202506060"
    assert lock["vm"]["vm_id"]
    assert list(lock["snapshots"]) == list(lock["disks"]) == ["os", "lun0"]
    assert lock["image"]["replicas"] == {"eastus": 1}
    assert set(lock["ends"]) >= {"image", "node_agent", "vm_size", "api_version"}
    assert pool.file.read_text() == text  # written again, and the same
    assert lock_file.lock_text(table.attrs["lock"]) == text
    assert json.loads(json.dumps(table.attrs["lock"])) == lock
    assert table.attrs["resources"]["image_version"] == lock["image"]["id"]


def test_only_a_lock_of_the_same_pool_is_replaced(tmp_path: Path) -> None:
    with locked_pool(tmp_path) as pool:
        other = tmp_path / "other.toml"
        other.write_text("[tool]\n")
        with pytest.raises(SpecError, match="exists already"):
            pool.session.lock("genomics", str(other))
        assert other.read_text() == "[tool]\n"
        pool.session.lock("genomics", str(other), force=True)
        assert other.read_text() == pool.file.read_text()


def test_a_pool_that_is_not_there_leaves_no_file(session: Session, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="there is no pool 'nope'"):
        session.lock("nope", str(tmp_path / "nope.toml"))
    assert not list(tmp_path.glob("*.toml"))


SETTINGS = """
start_task:
  command_line: /bin/sh -c 'run --password hunter2hunter2'
  environment: {TOKEN: env:LOCK_SECRET, PLAIN: hello}
  resource_files: [{url: env:LOCK_URL, path: f.sh}]
user_accounts: [{name: runner, password: env:LOCK_SECRET, elevation: admin}]
mounts: [{type: blob, account: acc, container: cc, path: data, key: env:LOCK_SECRET}]
container_images: [ubuntu:24.04]
container_registries: [{server: reg.example.org, user: u, password: env:LOCK_SECRET}]
tags: {owner: jane, contact: jane@example.org, project: p}
"""


def test_no_secret_and_no_name_of_a_person_is_in_a_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCK_SECRET", "Passw0rd!xyz")
    monkeypatch.setenv("LOCK_URL", "https://acc.blob.core.windows.net/c/f.sh?sv=1&sig=abcdefabcdef")
    with locked_pool(tmp_path, nodes=0, spec=SETTINGS, ttl="8h") as pool:
        text = pool.file.read_text()
        assert not [word for word in ("hunter2", "Passw0rd", "abcdef", "jane", "researcher") if word in text]
        lock = tomllib.loads(text)
        assert set(lock["secrets"]) == {
            "PASSWORD_RUNNER",
            "MOUNT_DATA_SECRET",
            "REGISTRY_REG_EXAMPLE_ORG_PASSWORD",
            "TOKEN",
            "START_TASK_FILE_1",
        }
        assert {"spec.tags.owner", "spec.tags.contact", "spec.ttl", "spec.start_task.command_line"} <= set(
            lock["unknown"]
        )
        assert pool.drifts() == {}
        with pytest.raises(SpecError, match="is not complete: it contains a secret"):
            pool.session.create("other", locked=str(pool.file))
        with pytest.raises(SpecError, match="environment variable PASSWORD_RUNNER is not set"):
            pool.session.create("other", locked=str(pool.file), start_task="/bin/true")
        for variable in lock["secrets"]:
            monkeypatch.setenv(variable, "https://example.org/a" if "FILE" in variable else "Passw0rd!xyz")
        assert pool.session.create("other", locked=str(pool.file), start_task="/bin/true").action.iloc[1] == "created"


def test_pools_that_this_tool_would_not_make_are_locked(tmp_path: Path) -> None:
    outside = new_state_file(tmp_path, dt.datetime(2025, 6, 2, tzinfo=dt.UTC))
    outside.create_vm("desk", disks=1)
    machine = {"imageReference": {**SYSTEMS["Linux"], "version": "latest"}, "nodeAgentSkuId": "batch.node.ubuntu 24.04"}
    body = {"vmSize": "standard_d2s_v3", "deploymentConfiguration": {"virtualMachineConfiguration": machine}}
    outside.ask("PUT", f"{ACCOUNT}/pools/strange", {"properties": body}, "2025-06-01")
    with Session() as session:
        connect_to(session, outside)
        session.create("old", from_vm="desk", direct=True, spot=1, vm_size="Standard_D4s_v5")
        for name in ("old", "strange"):
            file = tmp_path / f"{name}.toml"
            session.lock(name, str(file))
            found = session.verify(str(file))
            assert set(found.status) == {"ok"}
            assert lock_file.lock_text(session.lock(name, str(file)).attrs["lock"]) == file.read_text()
        old, strange = (tomllib.loads((tmp_path / f"{name}.toml").read_text()) for name in ("old", "strange"))
        assert old["image"]["kind"] == "managed image"
        assert old["vm"]["id"].endswith("/desk")
        assert strange["base_image"]["publisher"] == "canonical"
        with pytest.raises(SpecError, match=r"strange\.toml cannot be created: .* Marketplace image"):
            session.create(locked=str(tmp_path / "strange.toml"))
