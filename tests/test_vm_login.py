"""How one logs in to a VM, and what to do there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics.errors import NotFoundError
from batchimg_magics.ui.cli import main
from tests.documents import GROUP, disk, managed, vm
from tests.shells import ipython, value

if TYPE_CHECKING:
    from pathlib import Path

    from batchimg_magics.session import Session

NETWORK = GROUP.replace("Compute", "Network")


def test_a_linux_vm_that_runs(session: Session) -> None:
    found = session.vms(connect="desk-vm").iloc[0]
    assert (found.protocol, found.address, found.port, found.user) == ("SSH", "203.0.113.5", 22, "researcher")
    assert found.line == "ssh researcher@203.0.113.5"
    assert found.public
    for words in ("install the software", "format and mount its data disks", "no Azure extensions", "temporary disk"):
        assert words in found.next
    assert "%batchimg create POOL --from-vm desk-vm" in found.next


def test_a_windows_vm(session: Session) -> None:
    found = session.vms(connect="win-vm").iloc[0]
    assert (found.protocol, found.port, found.line) == ("RDP", 3389, "mstsc /v:203.0.113.6:3389")
    assert "generalized" in found.next


def test_one_that_is_stopped(session: Session, tmp_path: Path) -> None:
    stopped = vm("stopped", managed("os"))
    stopped["properties"]["instanceView"] = {"statuses": [{"code": "PowerState/deallocated"}]}
    connect_with(session, tmp_path, stopped, disk("os"))
    found = session.vms(connect="stopped").iloc[0]
    assert found.next == f"start it first: az vm start --ids {stopped['id']}"
    assert found.isna().address


def connect_with(session: Session, tmp_path: Path, *documents: dict[str, Any]) -> None:
    (tmp_path / "vm.json").write_text(json.dumps(documents))
    session.connect(world=":memory:", speed="max", import_files=[str(tmp_path / "vm.json")])


def test_the_primary_interface_and_a_private_address(session: Session, tmp_path: Path) -> None:
    machine = vm("inner", managed("os"))
    nics = [{"id": f"{NETWORK}/networkInterfaces/{name}"} for name in ("second", "first")]
    nics[1]["properties"] = {"primary": True}
    machine["properties"]["networkProfile"]["networkInterfaces"] = nics
    configuration = {"name": "a", "properties": {"primary": True, "privateIPAddress": "10.1.2.3"}}
    interface = {"id": nics[1]["id"], "location": "eastus", "properties": {"ipConfigurations": [configuration]}}
    connect_with(session, tmp_path, machine, disk("os"), interface)
    found = session.vms(connect=machine["id"]).iloc[0]
    assert (found.address, found.public) == ("10.1.2.3", False)
    assert found.next.startswith("no public address: go there from its network")


def test_no_such_vm(session: Session) -> None:
    with pytest.raises(NotFoundError, match="no VM 'desk-wm'") as caught:
        session.vms(connect="desk-wm")
    assert "did you mean desk-vm?" in caught.value.hint


def test_the_line_is_in_the_caption_of_every_door(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vms", "--connect", "desk-vm"]) == 0
    assert capsys.readouterr().out.startswith("LOCAL · VM desk-vm: ssh researcher@203.0.113.5")
    with ipython(world=":memory:", speed="max") as shell:
        assert value(shell, "%batchimg vms --connect desk-vm").attrs["caption"].endswith("ssh researcher@203.0.113.5")
