"""`lock`: the lock file of a pool."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING

import pytest

from batchimg_magics.core.lock import lock_file
from batchimg_magics.errors import NotFoundError, SpecError
from tests.support.locked_pools import locked_pool

if TYPE_CHECKING:
    from pathlib import Path

    from batchimg_magics.session.session import Session


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
