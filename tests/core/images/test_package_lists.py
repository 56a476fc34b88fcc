"""The list of packages that is written into an image before it is generalized, and the tag of the version."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics.core.azure import tags
from batchimg_magics.core.base.package_list import Package, PackageList
from batchimg_magics.core.base.package_scripts import IMAGE_PATHS, list_script, read_report
from batchimg_magics.emulator.app import App
from batchimg_magics.emulator.world.clock import ManualClock
from batchimg_magics.emulator.world.store import Store
from batchimg_magics.session.session import Session
from tests.support.crash import ProcessKilled
from tests.support.documents import GROUP
from tests.support.edited_answers import EditingTransport
from tests.support.interruptions import AtRequest, kill
from tests.support.inventory import read_inventory
from tests.support.prepared_vms import SUBNET, StateFileClient, connect_to, new_state_file

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

LINE = {"from_vm": "desk", "vm_size": "Standard_D4s_v5", "nodes": 0}
COMMANDS = {"Linux": "RunShellScript", "Windows": "RunPowerShellScript"}
READ = {"Linux": "cat {}", "Windows": "Get-Content -Raw {}"}


@pytest.fixture
def outside(tmp_path: Path) -> StateFileClient:
    client = new_state_file(tmp_path)
    client.create_vm("desk")
    return client


def create(outside: StateFileClient, **more: Any) -> pd.DataFrame:
    with Session() as session:
        return connect_to(session, outside).create("genomics", **LINE | more)


def ran(outside: StateFileClient, vm: str, os_type: str, *lines: str) -> str:
    """Run a script in a VM, and return what it printed."""
    body = {"commandId": COMMANDS[os_type], "script": list(lines)}
    store = Store(outside.path, start=0)
    try:
        clock = ManualClock(store.latest_time())
        app = App(store, clock)
        url = f"https://management.azure.com{GROUP}/virtualMachines/{vm}/runCommand?api-version=2024-07-01"
        headers = {"host": "management.azure.com", "authorization": "Bearer any"}
        begun = app.answer("POST", url, headers, json.dumps(body).encode())
        assert begun.status == 202, begun.body
        clock.advance(900)
        done = json.loads(app.answer("GET", begun.headers["Azure-AsyncOperation"], headers, b"").body)
    finally:
        store.close()
    message = str(done["properties"]["output"]["value"][0]["message"])
    return message.removeprefix("Enable succeeded: \n[stdout]\n").partition("\n[stderr]\n")[0]


def version_of(outside: StateFileClient, number: str = "1.0.0") -> Any:
    return outside.ask("GET", f"galleries/batchimg_genomicsbatch/images/genomics/versions/{number}")


def list_in(outside: StateFileClient, version: str, os_type: str = "Linux") -> PackageList:
    """Return the list in the files of a VM that is made from a version."""
    image = {"imageReference": {"id": version}, "osDisk": {"createOption": "FromImage", "name": "twin-os"}}
    outside.create_vm("twin", os_type, storageProfile=image)
    text = ran(outside, "twin", os_type, READ[os_type].format(IMAGE_PATHS[os_type]))
    return PackageList.parse(text if text.endswith("\n") else f"{text}\n")


def set_way_out(outside: StateFileClient, *, is_open: bool) -> None:
    network = outside.ask("GET", SUBNET.partition("/subnets/")[0], version="2024-05-01")
    for one in network["properties"]["subnets"]:
        one["properties"]["defaultOutboundAccess"] = is_open
    outside.import_documents([network])


@pytest.mark.parametrize("os_type", ["Linux", "Windows"])
def test_the_version_has_the_hash_of_the_list_in_its_files(tmp_path: Path, os_type: str) -> None:
    outside = new_state_file(tmp_path)
    outside.create_vm("desk", os_type)
    own = read_report(ran(outside, "desk", os_type, *list_script(os_type)))
    assert own is not None
    steps = create(outside).set_index("step")
    version = version_of(outside)
    assert version["tags"][tags.PACKAGES] == own.tag
    found = list_in(outside, version["id"], os_type)
    assert f"{found.count}:{found.sha256}" == own.tag
    assert f"{found.count} packages, sha256 {found.sha256[:12]}" in steps.loc["generalize OS", "detail"]
    assert "not known" not in steps.attrs["caption"]
    assert not [key for key in read_inventory(outside.path) if "/batchimg-" in key]


def test_a_managed_image_and_its_version_have_the_tag(outside: StateFileClient) -> None:
    create(outside, via="managed-image")
    (image,) = outside.ask("GET", "images")["value"]
    assert image["tags"][tags.PACKAGES] == version_of(outside)["tags"][tags.PACKAGES]


def test_without_a_way_out_the_image_is_made_and_its_packages_are_said_not_to_be_known(
    outside: StateFileClient,
) -> None:
    set_way_out(outside, is_open=False)
    steps = create(outside)
    assert (
        "; its packages are not known: the list of packages was not written, or the run-command did not return"
        in (steps.attrs["caption"])
    )
    version = version_of(outside)
    assert tags.PACKAGES not in version["tags"]
    set_way_out(outside, is_open=True)
    assert list_in(outside, version["id"]).count > 50  # it was written


def test_an_output_that_is_cut_off_gives_no_tag(outside: StateFileClient) -> None:
    def cut(document: Any) -> None:
        for one in (document.get("properties") or {}).get("output", {}).get("value", []):
            one["message"] = one["message"].replace("batchimg: packages", "chimg: packages")

    def edited(inner: Any) -> EditingTransport:
        return EditingTransport(inner, {"/operations/": cut})

    with Session(wrap_transport=edited) as session:
        steps = connect_to(session, outside).create("genomics", **LINE)
    assert "its packages are not known" in steps.attrs["caption"]
    assert tags.PACKAGES not in version_of(outside)["tags"]


def test_what_could_not_be_read_is_said(tmp_path: Path) -> None:
    outside = new_state_file(tmp_path)
    outside.create_vm("desk", "Windows")
    outside.ask("POST", "/_sim/faults", {"scenario": "broken-pip"})
    steps = create(outside)
    told = "of its packages, not read: pip C:\\Program Files\\Python312: exit code 1"
    assert steps.attrs["caption"].endswith(told) or f"{told};" in steps.attrs["caption"]
    found = list_in(outside, version_of(outside)["id"], "Windows")
    assert version_of(outside)["tags"][tags.PACKAGES] == f"{found.count}:{found.sha256}"
    assert [one.name for one in found.packages if one.manager == "unreadable"] == ["pip C:\\Program Files\\Python312"]


@pytest.mark.parametrize("os_type", ["Linux", "Windows"])
def test_a_copy_whose_list_was_lost_with_its_run_is_made_again(tmp_path: Path, os_type: str) -> None:
    outside = new_state_file(tmp_path)
    outside.create_vm("desk", os_type)

    class Kill(AtRequest):
        method, part, seen = "POST", "/runCommand", False
        do = staticmethod(kill)

    with Session(wrap_transport=Kill) as session, pytest.raises(ProcessKilled):
        connect_to(session, outside).create("genomics", **LINE)
    outside.ask("POST", "virtualMachines/desk/start")  # time passes, in which the copy stops
    steps = create(outside).set_index("step")
    assert steps.loc["temporary VM", "action"] == "created"
    version = version_of(outside)
    found = list_in(outside, version["id"], os_type)
    assert version["tags"][tags.PACKAGES] == f"{found.count}:{found.sha256}"
    assert not [key for key in read_inventory(outside.path) if "/batchimg-" in key]


def test_in_place_the_list_is_written_and_the_tag_is_there_after_an_interruption(outside: StateFileClient) -> None:
    own = read_report(ran(outside, "desk", "Linux", *list_script("Linux")))

    class Kill(AtRequest):
        method, part, seen = "POST", "/generalize", False
        do = staticmethod(kill)

    with Session(wrap_transport=Kill) as session, pytest.raises(ProcessKilled):
        connect_to(session, outside).create("genomics", capture="in-place", yes=True, **LINE)
    create(outside, capture="in-place", yes=True)
    assert own is not None
    assert version_of(outside)["tags"][tags.PACKAGES] == own.tag


def test_an_update_has_a_list_of_its_own(outside: StateFileClient) -> None:
    create(outside)
    before = list_in(outside, version_of(outside)["id"])
    outside.ask("DELETE", "virtualMachines/twin")
    outside.ask("DELETE", "disks/twin-os")
    with Session() as session:
        connect_to(session, outside).update("genomics", run=["apt-get -y install tree"])
    old, new = version_of(outside), version_of(outside, "1.0.1")
    after = list_in(outside, new["id"])
    assert old["tags"][tags.PACKAGES] == f"{before.count}:{before.sha256}"
    assert new["tags"][tags.PACKAGES] == f"{after.count}:{after.sha256}"
    (added,) = set(after.packages) - set(before.packages)
    assert isinstance(added, Package)
    assert (added.manager, added.name) == ("dpkg", "tree")


def test_nodes_prove_the_tag_and_an_update_answers_with_what_changed(outside: StateFileClient) -> None:
    copied = f"cp {IMAGE_PATHS['Linux']} batchimg-packages.tsv"
    with Session() as session:
        connect_to(session, outside)
        plan = session.plan("genomics", **LINE).set_index("step")
        assert plan.loc["generalize OS", "why"].startswith("the list of its packages is written; waagent")
        session.create("genomics", start_task=f"/bin/sh -c '{copied}'", **LINE | {"nodes": 2})
        shown = session.images("genomics", packages=True)
        assert set(session.images("genomics", packages=True, verify_nodes=True).result) == {"ok"}
        changed = session.update("genomics", run=["apt-get -y install tree"], replace=True, yes=True)
        (row,) = changed.to_dict("records")
        assert (row["manager"], row["name"], row["change"]) == ("dpkg", "tree", "added")
        assert "genomics/1.0.0 to genomics/1.0.1: 1 added, 0 removed, 0 changed" in changed.attrs["caption"]
    tag = version_of(outside)["tags"][tags.PACKAGES]
    assert tag == f"{shown.attrs['count']}:{shown.attrs['sha256']}"
