"""`nodes --login`: the endpoint of a node, and a user with a public key, through Session on the emulator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batchimg_magics import ConflictError, NotFoundError, Session, SpecError
from batchimg_magics.emulator.batch.routes import node_users
from tests.support.connections import emulator_of
from tests.support.faults import set_faults

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB0 ana@lab"


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with Session() as opened:
        opened.connect(state=":memory:", speed="max")
        line = {"from_vm": "prep-vm", "vm_size": "Standard_D4s_v5", "nodes": 1}
        opened.create("open", **line, login_ports=[22])
        opened.create("closed", **line)
        yield opened


def test_the_line_is_shown_and_nothing_is_changed(session: Session) -> None:
    node = session.nodes("open")["node_id"][0]
    found = session.nodes("open", login=node[-14:]).iloc[0]
    assert (found["node_id"], found["protocol"], found["state"]) == (node, "SSH", "idle")
    assert found["command"] == f"ssh -p {found['port']} USER@{found['address']}"
    assert f'login="{node}", user="USER", ssh_key=' in found["next"]
    assert not list(emulator_of(session).store.items(node_users.KIND))


def test_a_user_has_a_public_key_and_an_expiry(session: Session, tmp_path: Path) -> None:
    node, key = session.nodes("open")["node_id"][0], tmp_path / "id.pub"
    key.write_text(f"{KEY}\n")
    first = session.nodes("open", login=node, user="ana", ssh_key=str(key)).iloc[0]
    assert " ana@" in first["command"]
    assert len(list(emulator_of(session).store.items(node_users.KIND))) == 1
    later = session.nodes("open", login=node, user="ana", ssh_key=str(key), user_ttl="2d").iloc[0]
    assert (later["expires"] - first["expires"]).total_seconds() > 39 * 3600
    assert KEY not in str(later.to_dict())
    key.write_text("-----BEGIN OPENSSH PRIVATE KEY-----")
    with pytest.raises(SpecError, match="private key, which is never sent"):
        session.nodes("open", login=node, user="ana", ssh_key=str(key))
    key.write_text("my password")
    with pytest.raises(SpecError, match="not an OpenSSH public key"):
        session.nodes("open", login=node, user="ana", ssh_key=str(key))
    with pytest.raises(SpecError, match=r"none\.pub"):
        session.nodes("open", login=node, user="ana", ssh_key=str(tmp_path / "none.pub"))


def test_what_is_missing_is_told(session: Session, tmp_path: Path) -> None:
    node = session.nodes("closed")["node_id"][0]
    found = session.nodes("closed", login=node).iloc[0]
    assert found[["address", "command"]].isna().all()
    assert "create the pool again with login_ports=[22], or connect to its private IP address" in found["next"]
    with pytest.raises(NotFoundError, match="there is no node 'none'"):
        session.nodes("closed", login="none")
    with pytest.raises(SpecError, match="belong together"):
        session.nodes("closed", login=node, user="ana")
    with pytest.raises(SpecError, match="need"):
        session.nodes("closed", user="ana")
    with pytest.raises(SpecError, match="needs one pool"):
        session.nodes(["closed", "open"], login=node)
    key = tmp_path / "id.pub"
    key.write_text(KEY)
    set_faults(session, method="POST", path="/users", status=409, code="OperationInvalidForCurrentState", times=1)
    with pytest.raises(ConflictError, match="OperationInvalidForCurrentState"):
        session.nodes("closed", login=node, user="ana", ssh_key=str(key))
