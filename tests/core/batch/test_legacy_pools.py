"""Pools directly from a managed image: refused before anything is created; and the error if Azure refuses."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics.emulator.world.store import Store
from batchimg_magics.errors import ServiceError, SpecError
from batchimg_magics.session.session import Session
from tests.support.documents import ACCOUNT
from tests.support.inventory import read_inventory
from tests.support.pool_yaml import COMMON_YAML, SECRETS, SUBNET
from tests.support.prepared_vms import StateFileClient, connect_to, new_state_file
from tests.support.shells import ipython, run_cell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE = {"vm_size": "Standard_D4s_v5"}
EARLY = dt.datetime(2025, 6, 2, tzinfo=dt.UTC)
#: All that an option can say of a pool and that was known then.
PLAIN: dict[str, Any] = {
    "start_task": "/bin/sh -c 'echo \"a b\"'",
    "inter_node": True,
    "subnet": SUBNET,
    "login_ports": [8080, 9090],
    "container_images": ["lab.azurecr.io/tool:1"],
    "application_packages": {},
    "metadata": {"project": "gene x", "year": "2026"},
    "ttl": "8h",
    "max_unusable": "10%",
    "canary": False,
    "nodes": 2,
    "spot": 1,
    **SIZE,
}
#: What only a body can say, and what is known of it then.
PARTS = re.sub(r"(?m)^(from_vm|task-slots|os-disk-.*?):.*\n|^  - 22\n", "", COMMON_YAML)


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)


@pytest.fixture
def away() -> Iterator[Session]:
    with Session() as opened:
        yield opened


@pytest.fixture
def retired(tmp_path: Path) -> StateFileClient:
    """Return a world after the end, with a VM that is running and a managed image of another one."""
    outside = new_state_file(tmp_path)
    outside.create_vm("desk", disks=1)
    outside.create_vm("other")
    outside.deprovision("other")
    outside.image("mine", "other")
    return outside


@pytest.fixture
def sudden(tmp_path: Path) -> StateFileClient:
    """Return a world before the announced end in which the service refuses all the same."""
    outside = new_state_file(tmp_path, EARLY)
    outside.create_vm("desk", disks=1)
    world = Store(outside.path, start=0)
    world.set_meta("managed_image_pools", "retired")
    world.close()
    return outside


def pasted(outside: StateFileClient, hint: str, body: str = "") -> dict[str, Any]:
    """Run the line that a hint has in a real IPython, and return the pool's document."""
    (line,) = re.findall(r"`(%+batchimg create [^`]*)`", hint)
    with ipython(state=str(outside.path), speed="max") as shell:
        run_cell(shell, f"{line}\n{body}" if line.startswith("%%") else line)
    found: dict[str, Any] = outside.ask("GET", f"{ACCOUNT}/pools/genomics", version="2025-06-01")
    return found


def shape(pool: dict[str, Any]) -> dict[str, Any]:
    """Return what of a pool's document is the same whichever image it is made from, and whenever."""
    own = re.compile(r"time|lastModified|allocation|current|resize|provisioning|scaleSettings|autoScale", re.IGNORECASE)
    props = {name: one for name, one in pool["properties"].items() if not own.search(name)}
    machine = dict(props.pop("deploymentConfiguration")["virtualMachineConfiguration"])
    machine.pop("imageReference")
    pairs = [one for one in props.pop("metadata", []) if not one["name"].startswith("batchimg-")]
    return {**props, "machine": machine, "metadata": pairs}


# -- after the end -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("through", ["arm", "batch"])
def test_nothing_is_made_for_what_azure_has_retired(away: Session, retired: StateFileClient, through: str) -> None:
    before = read_inventory(retired.path)
    with pytest.raises(SpecError, match="were retired on 31 March 2026") as caught:
        connect_to(away, retired).create("genomics", from_vm="desk", direct=True, api=through, **PLAIN)
    assert "`%batchimg create genomics --from-vm desk " in caught.value.hint
    away.close()
    assert read_inventory(retired.path) == before
    made = pasted(retired, caught.value.hint)
    connect_to(away, retired).create("second", from_vm="desk", api=through, **PLAIN)
    away.close()
    assert shape(made) == shape(retired.ask("GET", f"{ACCOUNT}/pools/second", version="2025-06-01"))


def test_check_reports_it_too(away: Session, retired: StateFileClient) -> None:
    table = connect_to(away, retired).check("desk", direct=True, vm_size="Standard_D4s_v5").set_index("rule")
    assert table.loc["direct-retired", "severity"] == "error"
    assert "`%batchimg create POOL --from-vm " in table.loc["direct-retired", "fix"]
    table = away.check("mine", direct=True).set_index("rule")
    assert table.loc["direct-retired", "severity"] == "warning"
    assert "--from-image /subscriptions/" in table.loc["direct-retired", "fix"]
    assert table.loc["direct-retired", "fix"].endswith("/images/mine --vm-size SIZE`")
    assert "direct-retired" not in set(away.check("desk", vm_size="Standard_D4s_v5").rule)


@pytest.mark.parametrize("through", ["arm", "batch"])
def test_an_existing_image_is_sent_to_the_service(away: Session, retired: StateFileClient, through: str) -> None:
    before = read_inventory(retired.path)
    image = retired.ask("GET", "images/mine")["id"]
    with pytest.raises(ServiceError) as caught:
        connect_to(away, retired).create("genomics", from_image=image, direct=True, api=through, nodes=1, **SIZE)
    assert caught.value.message == (
        "pools on managed images are not supported any more (retired on 31 March 2026): "
        "InvalidPropertyValue: The value provided for one of the properties in the request body is invalid"
    )
    more = " --api batch" if through == "batch" else ""
    line = f"`%batchimg create genomics --from-image {image} --vm-size Standard_D4s_v5{more} --nodes 1`"
    assert sorted(caught.value.hint.split()) == sorted(f"create the pool through the gallery: {line}".split())
    away.close()
    assert read_inventory(retired.path) == before


def test_no_pool_is_given_up_for_one_that_azure_refuses(away: Session, retired: StateFileClient) -> None:
    line: dict[str, Any] = {"from_image": retired.ask("GET", "images/mine")["id"], "nodes": 1, **SIZE}
    connect_to(away, retired).create("genomics", **line)
    with pytest.raises(SpecError, match="the existing pool would be deleted before the service refuses"):
        away.create("genomics", direct=True, replace=True, yes=True, **line)
    assert away.nodes("genomics").state.tolist() == ["idle"]


# -- a service that refuses before ---------------------------------------------------------------------------------


def test_where_the_service_refuses_the_gallery_line_makes_the_same_pool(away: Session, sudden: StateFileClient) -> None:
    with pytest.raises(ServiceError, match="retired on 31 March 2026") as caught:
        connect_to(away, sudden).create("genomics", from_vm="desk", direct=True, **PLAIN)
    away.close()
    assert "--from-image " in caught.value.hint
    assert "--from-vm" not in caught.value.hint
    made = pasted(sudden, caught.value.hint)
    connect_to(away, sudden).create("second", from_vm="desk", **PLAIN)
    assert set(away.nodes("genomics").state) == {"idle"}
    away.close()
    assert shape(made) == shape(sudden.ask("GET", f"{ACCOUNT}/pools/second", version="2025-06-01"))


def test_what_has_no_option_is_named_as_part_of_the_yaml_body(away: Session, sudden: StateFileClient) -> None:
    with pytest.raises(ServiceError) as caught:
        connect_to(away, sudden).create("genomics", spec=PARTS, from_vm="desk", direct=True, nodes=1)
    away.close()
    hint = caught.value.hint
    parts = "container_registries, start_task, login_ports, mounts, user_accounts"
    assert f", in a cell with {parts} in its body as before" in hint
    assert "`%%batchimg create genomics --from-image " in hint
    assert not [secret for secret in SECRETS.values() if secret in hint]
    made = pasted(sudden, hint, PARTS)
    connect_to(away, sudden).create("second", spec=PARTS, from_vm="desk", nodes=1)
    away.close()
    assert shape(made) == shape(sudden.ask("GET", f"{ACCOUNT}/pools/second", version="2025-06-01"))


def test_what_was_created_for_it_is_named_and_deleted_with_one_line(away: Session, sudden: StateFileClient) -> None:
    before = read_inventory(sudden.path)
    with pytest.raises(ServiceError) as caught:
        connect_to(away, sudden).create("genomics", from_vm="desk", direct=True, **SIZE)
    away.close()
    left = read_inventory(sudden.path).keys() - before.keys()
    assert len(left) == 3  # an image and two snapshots
    rows = caught.value.table.rows()
    named = {str(row["id"]).lower() for row in rows if row["state"] not in ("failed", "not begun")}
    assert left <= named
    assert "`%batchimg delete genomics --image` deletes them" in caught.value.hint
    connect_to(away, sudden).delete("genomics", image=True)
    away.close()
    assert read_inventory(sudden.path).keys() == before.keys()


def test_another_refusal_is_reported_unchanged(away: Session, tmp_path: Path) -> None:
    outside = new_state_file(tmp_path, EARLY)
    outside.create_vm("other")
    outside.deprovision("other")
    image = outside.image("mine", "other")
    refused = {"status": 400, "code": "InvalidPropertyValue", "method": "PUT", "path": "/pools/genomics"}
    outside.fail(refused)
    with pytest.raises(ServiceError, match="InvalidPropertyValue") as caught:
        connect_to(away, outside).create("genomics", from_image=image, direct=True, **SIZE)
    assert "retired" not in caught.value.message


# -- what these api-versions do not know ---------------------------------------------------------------------------

IDENTITY = SUBNET.partition("/Microsoft.Network")[0] + "/Microsoft.ManagedIdentity/userAssignedIdentities/reader"
UNKNOWN: dict[str, tuple[dict[str, Any], str]] = {
    "disk size": ({"os_disk_gib": 128}, "virtualMachineConfiguration.osDisk"),
    "disk type": ({"os_disk_type": "Premium_LRS"}, "virtualMachineConfiguration.osDisk"),
    "slots": ({"task_slots": 4}, "taskSlotsPerNode"),
    "port of the nodes' own login": ({"login_ports": [22]}, "login port 22"),
    "tags": ({"tags": {"a": "b"}}, "tags"),
    "identity": ({"identities": [IDENTITY]}, "identity"),
    "mount by identity": (
        {
            "identities": [IDENTITY],
            "mounts": [{"type": "blob", "account": "a", "container": "c", "path": "p", "identity": IDENTITY}],
        },
        "azureBlobFileSystemConfiguration.identityReference, identity",
    ),
    "public address": (
        {"api": "batch", "subnet": SUBNET, "no_public_address": True},
        "networkConfiguration.publicIPAddressConfiguration",
    ),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_what_was_not_known_then_is_refused_by_name(away: Session, tmp_path: Path, case: str) -> None:
    asked, named = UNKNOWN[case]
    outside = new_state_file(tmp_path, EARLY)
    outside.create_vm("desk")
    before = read_inventory(outside.path)
    with pytest.raises(SpecError) as caught:
        connect_to(away, outside).create("genomics", spec=asked, from_vm="desk", direct=True, **SIZE)
    assert caught.value.message == f"--direct uses api-versions that do not support {named}"
    away.close()
    assert read_inventory(outside.path) == before


@pytest.mark.parametrize("through", ["arm", "batch"])
def test_what_was_known_then_makes_a_pool(away: Session, tmp_path: Path, through: str) -> None:
    outside = new_state_file(tmp_path, EARLY)
    outside.create_vm("desk")
    connect_to(away, outside).create("genomics", spec=PARTS, from_vm="desk", direct=True, api=through, nodes=1)
    assert set(away.nodes("genomics").state) == {"idle"}
    again = away.create("genomics", spec=PARTS, from_vm="desk", direct=True, api=through, nodes=1)
    assert set(again.action) == {"exists"}


def test_without_public_addresses_through_resource_manager(away: Session, tmp_path: Path) -> None:
    outside = new_state_file(tmp_path, EARLY)
    outside.create_vm("desk")
    line = {"from_vm": "desk", "direct": True, "subnet": SUBNET, "no_public_address": True, **SIZE}
    connect_to(away, outside).create("genomics", **line)
    away.close()
    network = outside.ask("GET", f"{ACCOUNT}/pools/genomics", version="2025-06-01")["properties"][
        "networkConfiguration"
    ]
    assert network["publicIPAddressConfiguration"]["provision"] == "NoPublicIPAddresses"


# -- what the image is made from -----------------------------------------------------------------------------------


def test_an_image_of_a_vhd_is_warned_of_before_the_pool_is_there(away: Session, tmp_path: Path) -> None:
    outside = new_state_file(tmp_path, EARLY)
    outside.create_vm("desk")
    vhd = {
        "from_vhd": "https://labstore.blob.core.windows.net/vhds/system.vhd",
        "os_type": "Linux",
        "generation": "V1",
        "generalized": True,
        "node_agent_sku": "batch.node.ubuntu 22.04",
        "vm_size": "Standard_D4s_v3",
    }
    with pytest.raises(SpecError, match="do not support taskSlotsPerNode") as caught:
        connect_to(away, outside).create("vhds", direct=True, task_slots=4, **vhd)
    found = {row["rule"]: row for row in caught.value.table.rows()}
    assert (found["image-source"]["severity"], found["image-source"]["ok"]) == ("warning", False)
    assert "made from a VHD" in found["image-source"]["found"]
    warnings = away.create("vhds", direct=True, **vhd).attrs["warnings"]
    assert "image-source" in {one["rule"] for one in warnings}
    response = away.create("gallery", **vhd).attrs.get("warnings", [])
    assert "image-source" not in {one["rule"] for one in response}  # replicas scale, whatever they are made from
    assert "image-source" not in {
        one["rule"] for one in away.create("vms", from_vm="desk", direct=True, **SIZE).attrs.get("warnings", [])
    }
