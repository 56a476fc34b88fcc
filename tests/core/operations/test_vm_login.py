"""How to log in to a VM, and what to do there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics.errors import NotFoundError
from batchimg_magics.ui.cli import main
from tests.support.documents import GROUP, disk, managed, vm
from tests.support.prepared_vms import StateFileClient, connect_to, new_state_file
from tests.support.shells import ipython, run_cell

if TYPE_CHECKING:
    from pathlib import Path

    from batchimg_magics.session.session import Session

NETWORK = GROUP.replace("Compute", "Network")


def test_a_linux_vm_that_runs(session: Session) -> None:
    found = session.vms(login="desk-vm").iloc[0]
    assert (found.protocol, found.address, found.port, found.user) == ("SSH", "203.0.113.5", 22, "researcher")
    assert found.command == "ssh researcher@203.0.113.5"
    assert found.public
    for words in (
        "install the software",
        "format and mount its data disks",
        "not install VM extensions",
        "temporary disk",
    ):
        assert words in found.next
    assert "%batchimg create POOL --from-vm desk-vm" in found.next


def test_a_windows_vm(session: Session) -> None:
    found = session.vms(login="win-vm").iloc[0]
    assert (found.protocol, found.port, found.command) == ("RDP", 3389, "mstsc /v:203.0.113.6:3389")
    assert "generalized" in found.next


def test_one_that_is_stopped(session: Session, tmp_path: Path) -> None:
    stopped = vm("stopped", managed("os"))
    stopped["properties"]["instanceView"] = {"statuses": [{"code": "PowerState/deallocated"}]}
    connect_with(session, tmp_path, stopped, disk("os"))
    found = session.vms(login="stopped").iloc[0]
    assert found.next == f"start the VM first: az vm start --ids {stopped['id']}"
    assert found.isna().address


def connect_with(session: Session, tmp_path: Path, *documents: dict[str, Any]) -> None:
    (tmp_path / "vm.json").write_text(json.dumps(documents))
    session.connect(state=":memory:", speed="max", import_files=[str(tmp_path / "vm.json")])


def test_the_primary_interface_and_a_private_address(session: Session, tmp_path: Path) -> None:
    machine = vm("inner", managed("os"))
    nics = [{"id": f"{NETWORK}/networkInterfaces/{name}"} for name in ("second", "first")]
    nics[1]["properties"] = {"primary": True}
    machine["properties"]["networkProfile"]["networkInterfaces"] = nics
    configuration = {"name": "a", "properties": {"primary": True, "privateIPAddress": "10.1.2.3"}}
    interface = {"id": nics[1]["id"], "location": "eastus", "properties": {"ipConfigurations": [configuration]}}
    connect_with(session, tmp_path, machine, disk("os"), interface)
    found = session.vms(login=machine["id"]).iloc[0]
    assert (found.address, found.public) == ("10.1.2.3", False)
    assert found.next.startswith("no public address: connect from its network")


BALANCER = f"{NETWORK}/loadBalancers/gate"


def document(name: str, **properties: Any) -> dict[str, Any]:
    """Return a network resource by what stands below Microsoft.Network."""
    return {"id": f"{NETWORK}/{name}", "location": "eastus", "properties": properties}


def rule(name: str, frontend: str, outside: int, inside: int, protocol: str = "Tcp") -> dict[str, Any]:
    """Return an inbound NAT rule of the load balancer."""
    properties = {
        "frontendIPConfiguration": {"id": f"{BALANCER}/frontendIPConfigurations/{frontend}"},
        "frontendPort": outside,
        "backendPort": inside,
        "protocol": protocol,
    }
    return {"id": f"{BALANCER}/inboundNatRules/{name}", "name": name, "properties": properties}


def frontend(name: str, **properties: Any) -> dict[str, Any]:
    return {"id": f"{BALANCER}/frontendIPConfigurations/{name}", "name": name, "properties": properties}


#: A machine behind a load balancer with one frontend inside and one outside, and rules for more than logins.
FRONTENDS = [
    frontend("inside", privateIPAddress="10.1.0.9"),
    frontend("outside", publicIPAddress={"id": f"{NETWORK}/publicIPAddresses/gate-ip"}),
]
RULES = [
    rule("web", "outside", 8443, 443),
    rule("mosh", "outside", 50009, 22, "Udp"),
    rule("from-inside", "inside", 50000, 22),
    rule("ssh", "outside", 50001, 22),
    rule("rdp", "outside", 50002, 3389),
]


def behind_a_balancer(os_type: str, rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    machine = vm("inner", managed("os") | {"osType": os_type})
    machine["properties"] |= {
        "osProfile": {"adminUsername": "researcher"},
        "networkProfile": {"networkInterfaces": [{"id": f"{NETWORK}/networkInterfaces/inner-nic"}]},
    }
    forwarded = [
        {"id": one["id"].replace("inboundNatRules", "inboundnatrules")} for one in rules
    ]  # Azure's case varies
    configuration = {"privateIPAddress": "10.1.2.3", "loadBalancerInboundNatRules": forwarded}
    return [
        machine,
        disk("os"),
        document("networkInterfaces/inner-nic", ipConfigurations=[{"name": "a", "properties": configuration}]),
        document("publicIPAddresses/gate-ip", ipAddress="203.0.113.99"),
        document("loadBalancers/gate", frontendIPConfigurations=FRONTENDS, inboundNatRules=rules),
    ]


@pytest.mark.parametrize(
    ("os_type", "port", "line"),
    [("Linux", 50001, "ssh -p 50001 researcher@203.0.113.99"), ("Windows", 50002, "mstsc /v:203.0.113.99:50002")],
)
def test_behind_a_load_balancer(session: Session, tmp_path: Path, os_type: str, port: int, line: str) -> None:
    connect_with(session, tmp_path, *behind_a_balancer(os_type, RULES))
    found = session.vms(login="inner").iloc[0]
    assert (found.address, found.port, found.public) == ("203.0.113.99", port, True)
    assert found.command == line
    assert found.next.startswith("install the software")


def test_rules_that_carry_no_login_leave_the_private_address(session: Session, tmp_path: Path) -> None:
    connect_with(session, tmp_path, *behind_a_balancer("Linux", RULES[:3]))
    found = session.vms(login="inner").iloc[0]
    assert (found.address, found.port, found.public) == ("10.1.2.3", 22, False)


def test_a_vms_primary_interface_as_the_command_line_prints_it(session: Session, tmp_path: Path) -> None:
    machine = vm("inner", managed("os"))
    flat = {name: one for name, one in machine.items() if name != "properties"} | machine["properties"]
    first, second = (f"{NETWORK}/networkInterfaces/{name}" for name in ("first", "second"))
    flat["networkProfile"] = {"networkInterfaces": [{"id": first, "primary": False}, {"id": second, "primary": True}]}
    around = [
        document(f"networkInterfaces/{name}", ipConfigurations=[{"name": "a", "properties": {"privateIPAddress": at}}])
        for name, at in (("first", "10.0.0.8"), ("second", "10.0.0.9"))
    ]
    connect_with(session, tmp_path, flat, disk("os"), *around)
    assert session.vms(login="inner").address[0] == "10.0.0.9"


def as_the_command_line_prints_it(whole: dict[str, Any]) -> dict[str, Any]:
    """Return a network resource on one level, and its parts too, as `az network ... show` prints them."""
    flat = {name: value for name, value in whole.items() if name != "properties"} | whole["properties"]
    for name, parts in flat.items():
        if isinstance(parts, list) and "properties" in parts[0]:
            flat[name] = [
                {"id": f"{flat['id']}/{name}/{one['name']}", "name": one["name"], "resourceGroup": "research"}
                | one["properties"]
                for one in parts
            ]
    return flat


def test_from_what_the_command_line_prints(session: Session, tmp_path: Path) -> None:
    machine, os_disk, *around = behind_a_balancer("Linux", RULES)
    connect_with(session, tmp_path, machine, os_disk, *map(as_the_command_line_prints_it, around))
    assert session.vms(login="inner").command[0] == "ssh -p 50001 researcher@203.0.113.99"


# -- what the caller may not read ----------------------------------------------------------------------------------

ADDRESSES = "Microsoft.Network/publicIPAddresses/read"
BALANCERS = "Microsoft.Network/loadBalancers/read"
INTERFACES = "Microsoft.Network/networkInterfaces/read"


@pytest.fixture
def outside(tmp_path: Path) -> StateFileClient:
    """Return the way into a world with a VM behind a load balancer, beside the furnished ones."""
    world = new_state_file(tmp_path)
    world.import_documents(behind_a_balancer("Linux", RULES))
    return world


def with_role(session: Session, outside: StateFileClient, *but_for: str) -> None:
    """Connect with the role that `check` prints, less some actions."""
    role = connect_to(session, outside).check("prep-vm").attrs["role"]
    session.close()
    role["Actions"] = [one for one in role["Actions"] if one not in but_for]
    outside.assign(role)
    connect_to(session, outside)


def test_the_role_that_check_prints_is_enough(session: Session, outside: StateFileClient) -> None:
    with_role(session, outside)
    assert session.vms(login="desk-vm").command[0] == "ssh researcher@203.0.113.5"
    found = session.vms(login="inner")
    assert found.command[0] == "ssh -p 50001 researcher@203.0.113.99"
    assert found.unread.isna().all()


@pytest.mark.parametrize(
    ("name", "barred", "what", "address"),
    [
        ("desk-vm", ADDRESSES, "public address desk-vm-ip", "10.0.0.5"),
        ("inner", ADDRESSES, "public address gate-ip", "10.1.2.3"),
        ("inner", BALANCERS, "load balancer gate", "10.1.2.3"),
        ("desk-vm", INTERFACES, "network interface desk-vm-nic", None),
    ],
)
def test_what_cannot_be_read_is_reported_and_the_rest_is_shown(
    session: Session, outside: StateFileClient, name: str, barred: str, what: str, address: str | None
) -> None:
    with_role(session, outside, barred)
    table = session.vms(login=name)
    found = table.iloc[0]
    assert found.unread == f"{what} (403 AuthorizationFailed)"
    assert table.attrs["caption"].endswith(f"could not read {found.unread}")
    assert (None if table.address.isna()[0] else found.address) == address
    assert table.public.isna()[0]  # nobody knows
    assert (found.port, found.user) == (22, "researcher")
    assert found.next.startswith("install the software")


def test_no_such_vm(session: Session) -> None:
    with pytest.raises(NotFoundError, match="no VM 'desk-wm'") as caught:
        session.vms(login="desk-wm")
    assert "did you mean desk-vm?" in caught.value.hint


def test_the_line_is_in_the_caption_of_every_door(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vms", "--login", "desk-vm"]) == 0
    assert capsys.readouterr().out.startswith("LOCAL · VM desk-vm: ssh researcher@203.0.113.5")
    with ipython(state=":memory:", speed="max") as shell:
        assert run_cell(shell, "%batchimg vms --login desk-vm").attrs["caption"].endswith("ssh researcher@203.0.113.5")
