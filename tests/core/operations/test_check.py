"""`check`, and how `create` uses its findings: before anything is created, and all at once."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from batchimg_magics.core.base.schemas import SEVERITIES
from batchimg_magics.emulator.app import App
from batchimg_magics.emulator.furnish import GROUP, SUBSCRIPTION
from batchimg_magics.emulator.world.clock import ManualClock
from batchimg_magics.emulator.world.store import Store
from batchimg_magics.errors import ConflictError, NotFoundError, ProvisioningError, SpecError
from batchimg_magics.ui.cli import main
from tests.support.connections import transport_of
from tests.support.create_options import CREATE_OPTIONS
from tests.support.forwarding_transport import ForwardingTransport
from tests.support.idle_pools import open_session
from tests.support.request_log import RequestLog
from tests.support.rule_resources import (
    GALLERY,
    RuleResources,
    definition,
    gallery,
    managed_image,
    pool,
    snapshot,
    version,
)
from tests.support.shells import ipython, run_cell

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from batchimg_magics.session.session import Session

HOME = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}"
SUBNET = f"{HOME}/providers/Microsoft.Network/virtualNetworks/research-vnet/subnets/default"
IDENTITY = f"{HOME}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/runner"
ROLES = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/one"


def row(table: pd.DataFrame, rule: str) -> dict[str, Any]:
    (found,) = table[table.rule == rule].to_dict("records")
    return {str(key): value for key, value in found.items()}


def broken(table: pd.DataFrame) -> set[str]:
    return {rule for rule, ok in zip(table.rule, table.ok, strict=True) if ok is not pd.NA and not ok}


@pytest.fixture
def lab(session: Session, tmp_path: Path) -> Callable[..., Session]:
    """Return a session on a world with ``lab-vm`` and further documents."""

    def opened(*documents: dict[str, Any]) -> Session:
        RuleResources(more=list(documents)).open(session, tmp_path)
        return session

    return opened


# -- what a name means ---------------------------------------------------------------------------------------------


def test_a_vm_that_keeps_all_rules(session: Session) -> None:
    table = session.check("prep-vm", mount_data_disks=True, all=True)
    assert table.attrs["caption"].startswith("LOCAL · vm prep-vm: 30 checks passed")
    assert table.ok.all()
    assert row(table, "data-disks")["severity"] == "info"
    assert list(table.severity.cat.categories) == list(SEVERITIES)
    assert row(table, "vm-size")["found"] == "Batch offers Standard_D4s_v5 in eastus"  # its own


def test_what_is_broken_comes_first(session: Session) -> None:
    table = session.check("desk-vm", vm_size="Standard_D4_v3", mount_data_disks=True, all=True)
    assert list(table.rule[:2]) == ["generation", "deallocated"]
    assert table.attrs["caption"] == "LOCAL · vm desk-vm: 1 error, 30 checks passed, 2 warnings"
    failed = [not ok for ok in table.ok]
    assert failed == sorted(failed, reverse=True)


@pytest.mark.parametrize(
    ("name", "caption"),
    [
        ("lab-vm", "vm lab-vm"),
        (f"{GALLERY.partition('/providers/')[0]}/providers/Microsoft.Compute/virtualMachines/LAB-VM", "vm LAB-VM"),
        ("old", "image old"),
        ("lab/tools", "image lab/tools"),
        ("lab/tools/1.0.0", "image lab/tools/1.0.0"),
        (f"{GALLERY}/images/tools/versions/1.0.0", "image lab/tools/1.0.0"),
        ("old-pool", "pool old-pool"),
        ("OLD-POOL", "pool old-pool"),
    ],
)
def test_names_and_ids(lab: Callable[..., Session], name: str, caption: str) -> None:
    session = lab(definition(), version(), managed_image(), snapshot(), pool())
    assert session.check(name, all=True).attrs["caption"].startswith(f"LOCAL · {caption}: ")


def test_a_definition_alone_is_checked_by_its_highest_version(lab: Callable[..., Session]) -> None:
    old = version("1.9.0", endOfLifeDate="2026-01-01T00:00:00Z")
    session = lab(definition(), version("1.10.0"), old)
    assert "version-end-of-life" not in broken(session.check("lab/tools", all=True))
    assert "version-end-of-life" in broken(session.check("lab/tools/1.9.0", all=True))


def test_a_name_of_two_resources_is_reported_and_can_be_chosen(lab: Callable[..., Session]) -> None:
    session = lab(definition(), version(), pool("lab-vm"))
    with pytest.raises(SpecError, match="'lab-vm' is a vm and a pool") as caught:
        session.check("lab-vm", all=True)
    assert "--as vm, --as pool" in caught.value.hint
    assert session.check("lab-vm", kind="pool", all=True).attrs["caption"].startswith("LOCAL · pool lab-vm")
    assert session.check("lab-vm", kind="vm", all=True).attrs["caption"].startswith("LOCAL · vm lab-vm")
    with pytest.raises(NotFoundError, match="no image 'lab-vm'"):
        session.check("lab-vm", kind="image", all=True)


def test_a_pool_and_the_image_made_for_it_are_one(session: Session) -> None:
    session.create("genomics", **CREATE_OPTIONS, mount_data_disks=True)
    table = session.check("genomics", all=True)
    assert table.attrs["caption"].startswith("LOCAL · pool genomics: 26 checks passed")
    assert row(table, "replicas")["found"] == "replicas in eastus: 1, for 25 nodes"
    assert "quota-family" in broken(session.check("genomics", nodes=1000, all=True))
    assert row(session.check("genomics", nodes=900, all=True), "replicas")["found"].startswith(
        "replicas in eastus: 1, enough to start 300"
    )


class OtherRegion(ForwardingTransport):
    """Compute lists the VM sizes of a region that has fewer."""

    async def send(self, request: Any, **kwargs: Any) -> Any:
        if "/Microsoft.Compute/skus?" in request.url:
            request.url = request.url.replace("eastus", "eastus2")
        return await self.inner.send(request, **kwargs)


def test_a_size_that_compute_does_not_list_is_a_warning() -> None:
    with open_session(OtherRegion, seed=3) as (session, _, _):
        found = row(session.check("prep-vm", vm_size="Standard_HB120rs_v3", all=True), "vm-size-restrictions")
    assert found["severity"] == "warning"
    assert found["found"] == "Compute does not list Standard_HB120rs_v3 in eastus for this subscription"


GOVERNING = {"/locks?", "/policyAssignments?"}


@pytest.mark.parametrize(("name", "expected"), [("genomics", set()), ("prep-vm", GOVERNING)])
def test_locks_and_policies_are_read_where_something_is_created(name: str, expected: set[str]) -> None:
    with open_session(RequestLog, seed=3) as (session, connection, _):
        session.create("genomics", **CREATE_OPTIONS)
        log: RequestLog = transport_of(connection)
        log.requests.clear()
        session.check(name)
    assert {word for word in GOVERNING for one in log.requests if word in one.url} == expected


CASES: dict[str, tuple[dict[str, Any], type[Exception], str, str]] = {
    "nothing": ({"name": "prep-wm"}, NotFoundError, "no VM, image or pool 'prep-wm'", "did you mean prep-vm?"),
    "other type": ({"name": f"{HOME}/providers/Microsoft.Compute/disks/d"}, SpecError, "is not a VM", "specify one"),
    "path": ({"name": "a/b/c/d"}, SpecError, "is not the name of an image", "GALLERY/DEFINITION"),
    "kind": ({"name": "prep-vm", "kind": "disk"}, SpecError, "--as is 'disk'", "pool, vm"),
    "option": ({"name": "prep-vm", "nodes": -1}, SpecError, "nodes is -1", "--nodes"),
    "pool": ({"name": "prep-vm", "pool": "a b"}, SpecError, "not a valid pool name", "letters"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_makes_no_sense(session: Session, case: str) -> None:
    asked, kind, message, hint = CASES[case]
    with pytest.raises(kind) as caught:
        session.check(**asked, all=True)
    assert message in caught.value.message  # type: ignore[attr-defined] # both kinds are ours
    assert hint in caught.value.hint  # type: ignore[attr-defined] # as above


def test_the_pool_that_it_is_for_is_looked_at(session: Session) -> None:
    session.create("genomics", **CREATE_OPTIONS)
    assert (
        row(session.check("prep-vm", pool="genomics", nodes=1, all=True), "replicas")["found"]
        == "replicas in eastus: 1, for 25 nodes"
    )
    assert row(session.check("prep-vm", nodes=1, all=True), "replicas")["found"] == "replicas in eastus: 1, for 1 node"


# -- create ----------------------------------------------------------------------------------------------------------


def test_all_errors_at_once_before_anything_is_made(session: Session) -> None:
    line = {**CREATE_OPTIONS, "from_vm": "desk-vm", "capture": "in-place", "vm_size": "Standard_D4_v3", "nodes": 400}
    with pytest.raises(SpecError) as caught:
        session.create("genomics", **line)
    said = caught.value.message
    assert "supports V1" in said
    assert "generalizes VM 'desk-vm' itself" in said
    assert "1,600 cores of standardDv3Family needed" in said
    table = caught.value.table
    assert table.verb == "check"
    assert table.columns["rule"][:3] == ["image-origin", "generation", "quota-family"]
    assert len(session.pools()) == len(session.images()) == 0


def test_warnings_are_shown_and_do_not_stop_it(session: Session) -> None:
    quiet = {**CREATE_OPTIONS, "mount_data_disks": True}
    steps = session.create("genomics", **{**quiet, "timeout": "10m"})
    assert steps.attrs["caption"].endswith(" s; 1 warning")
    (said,) = steps.attrs["warnings"]
    assert said["rule"] == "resize-timeout"
    assert json.loads(json.dumps(said)) == said
    assert "warnings" not in session.create("other", **quiet).attrs


def test_warnings_stand_below_the_table_in_a_notebook() -> None:
    with ipython() as ip:
        line = "create genomics --from-vm prep-vm --vm-size Standard_D4s_v5 --nodes 2 --timeout 10m --mount-data-disks"
        shown = run_cell(ip, f"%batchimg {line}")._repr_mimebundle_()
        assert "-> --timeout 20m, or omit it" in shown["text/plain"]
        assert ">warning</span> 10 min for 2 nodes" in shown["text/html"]
        role = run_cell(ip, "%batchimg check prep-vm --role")._repr_mimebundle_()["text/plain"]
        assert json.loads(role[role.index("{\n") :])["Name"] == "batchimg researcher"
        assert '"Name"' not in run_cell(ip, "%batchimg check prep-vm")._repr_mimebundle_()["text/plain"]
        cell = run_cell(ip, "%%batchimg check prep-vm\nnodes: 400\nmount_data_disks: true")
        assert cell.attrs["caption"].startswith("LOCAL · vm prep-vm: 1 error, ")
        assert "rows shown: 1 of 3" in cell._repr_mimebundle_()["text/plain"]


def test_what_stopped_it_is_shown_in_a_notebook(capsys: pytest.CaptureFixture[str]) -> None:
    with ipython() as ip:
        done = ip.run_cell("%batchimg create genomics --from-vm desk-vm --vm-size Standard_D4_v3")
        assert isinstance(done.error_in_exec, SpecError)
        assert "LOCAL · pool genomics: 1 error, " in capsys.readouterr().out


def test_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "prep-vm", "--role"]) == 0
    said = capsys.readouterr().out
    assert re.match(r"LOCAL · vm prep-vm: \d+ checks passed, 1 warning\n", said)
    assert re.search(r"\nrows shown: 1 of \d+; `check --all` shows all checks\n", said)
    assert "data-disks" in said
    assert json.loads(said[said.index("{\n") :])["IsCustom"] is True
    assert main(["check", "prep-vm", "--all", "--json"]) == 0
    assert {one["rule"] for one in json.loads(capsys.readouterr().out)} > {"generalized", "permissions"}
    assert main(["check", "prep-vm", "--as", "disk"]) == 2


# -- time and permissions --------------------------------------------------------------------------------------------


class Outside:
    """Somebody else at work in a world's file, with plain requests."""

    def __init__(self, path: Path) -> None:
        self.world = Store(path, start=0)
        self.clock = ManualClock(self.world.latest_time())
        self.app = App(self.world, self.clock)

    def ask(self, method: str, path: str, version: str, body: Any = None) -> None:
        url = f"https://management.azure.com{path}?api-version={version}"
        answer = self.app.answer(method, url, {"authorization": "Bearer any"}, json.dumps(body or {}).encode())
        assert answer.status < 300, answer.body

    def assign(self, role: dict[str, Any], scope: str) -> None:
        """Give the caller a role, as `az role definition create` takes it, in a scope."""
        permissions = [{"actions": role["Actions"], "notActions": role["NotActions"]}]
        self.ask("PUT", ROLES, "2022-04-01", {"properties": {"roleName": role["Name"], "permissions": permissions}})
        where = f"{scope}/providers/Microsoft.Authorization/roleAssignments/one"
        self.ask("PUT", where, "2022-04-01", {"properties": {"roleDefinitionId": ROLES}})

    def close(self) -> None:
        with self.world.transaction(write=True):
            self.world.record_time(self.clock.now())
        self.world.close()


def test_an_image_older_than_its_vms_last_start(session: Session, tmp_path: Path) -> None:
    """The VM is deallocated for its snapshots, and started again afterwards."""
    world = str(tmp_path / "world.db")
    line: dict[str, Any] = {"vm_size": "Standard_D4ds_v5", "generalized": True}
    session.connect(state=world, speed="max")
    session.create("genomics", from_vm="desk-vm", **line)
    table = session.check("desk-vm", pool="genomics", **line, all=True)
    assert row(table, "image-age")["ok"]
    session.close()

    outside = Outside(tmp_path / "world.db")
    outside.ask("POST", f"{HOME}/providers/Microsoft.Compute/virtualMachines/desk-vm/start", "2024-07-01")
    outside.clock.advance(3600)
    outside.close()

    session.connect(state=world, speed="max")
    table = session.check("desk-vm", pool="genomics", **line, all=True)
    assert broken(table) == {"image-age", "data-disks"}
    assert "create genomics --from-vm desk-vm --vm-size Standard_D4ds_v5" in row(table, "image-age")["fix"]
    assert "--new-image" in row(table, "image-age")["fix"]


def test_replicas_that_failed_or_are_on_their_way(session: Session, tmp_path: Path) -> None:
    image = "batchimg_genomicsbatch/genomics"
    session.connect(state=":memory:", speed="max", scenario="no-replica")
    with pytest.raises(ProvisioningError):
        session.create("genomics", **CREATE_OPTIONS)
    table = session.check(image, all=True)
    assert "image-exists" in broken(table)
    assert row(table, "replicas")["severity"] == "error"
    assert row(table, "replicas")["found"] == "replication to eastus failed"
    # The same line again repairs it, and is not kept from it.
    again = row(session.check("prep-vm", pool="genomics", all=True), "replicas")
    assert (again["ok"], again["severity"]) == (True, "info")
    assert row(table, "image-exists")["found"] == "creation of the image ended with Failed"

    world = str(tmp_path / "world.db")
    session.connect(state=world, speed="max")
    session.create("genomics", **CREATE_OPTIONS)
    assert not broken(session.check(image, all=True))
    session.close()
    outside = Outside(tmp_path / "world.db")
    key = f"{HOME}/providers/Microsoft.Compute/galleries/batchimg_genomicsbatch/images/genomics/versions/1.0.0"
    more = {"publishingProfile": {"targetRegions": [{"name": "eastus", "regionalReplicaCount": 3}]}}
    outside.ask("PATCH", key, "2024-03-03", {"properties": more})
    outside.close()
    session.connect(state=world, speed="max")
    found = row(session.check(image, all=True), "replicas")
    assert (found["severity"], found["found"]) == ("warning", "replication to eastus is in progress")


def test_missing_and_denied_actions_are_named(session: Session, tmp_path: Path) -> None:
    world = str(tmp_path / "world.db")
    session.connect(state=world, speed="max")
    role = session.check("prep-vm", all=True).attrs["role"]
    session.close()
    less = [
        one
        for one in role["Actions"]
        if one not in ("Microsoft.Compute/snapshots/write", "Microsoft.Compute/skus/read")
    ]
    outside = Outside(tmp_path / "world.db")
    outside.assign({**role, "Actions": less}, role["AssignableScopes"][0])
    outside.close()

    session.connect(state=world, speed="max")
    table = session.check("prep-vm", nodes=2, all=True)
    found = row(table, "permissions")
    assert (found["ok"], found["severity"]) == (False, "error")
    assert found["found"] == "missing permissions in resource group research: Microsoft.Compute/snapshots/write"
    assert "`%batchimg check prep-vm --role`" in found["fix"]
    barred = table[table.rule == "vm-size-restrictions"]
    assert barred.ok.isna().all()
    assert barred.found.iloc[0] == "cannot be checked: could not read Compute's VM sizes (403 AuthorizationFailed)"
    assert table.attrs["caption"].endswith("1 error, 30 checks passed, 1 warning, 2 checks not possible")
    with pytest.raises(
        SpecError, match=r"missing permissions in resource group research: Microsoft\.Compute/snapshots/write"
    ):
        session.create("genomics", **CREATE_OPTIONS)


def test_what_a_role_takes_back_is_missing(session: Session, tmp_path: Path) -> None:
    world = str(tmp_path / "world.db")
    session.connect(state=world, speed="max")
    session.close()
    outside = Outside(tmp_path / "world.db")
    most = {"Name": "most", "Actions": ["MICROSOFT.*"], "NotActions": ["microsoft.compute/galleries/*/write"]}
    outside.assign(most, f"/subscriptions/{SUBSCRIPTION}")
    outside.close()
    session.connect(state=world, speed="max")
    found = row(session.check("prep-vm", all=True), "permissions")["found"]
    assert found.endswith(
        "missing permissions in resource group research: Microsoft.Compute/galleries/images/write, "
        "Microsoft.Compute/galleries/images/versions/write"
    )


def test_who_may_make_and_not_delete_is_warned(session: Session, tmp_path: Path) -> None:
    world = str(tmp_path / "world.db")
    session.connect(state=world, speed="max")
    role = session.check("prep-vm", all=True).attrs["role"]
    session.close()
    less = [one for one in role["Actions"] if not one.endswith("/delete")]
    outside = Outside(tmp_path / "world.db")
    outside.assign({**role, "Actions": less}, role["AssignableScopes"][0])
    outside.close()
    session.connect(state=world, speed="max")
    found = row(session.check("prep-vm", all=True), "permissions")
    assert (found["ok"], found["severity"]) == (False, "warning")
    assert (
        "no permission to delete in resource group research: Microsoft.Batch/batchAccounts/pools/delete"
        in found["found"]
    )


@pytest.mark.parametrize(
    "line",
    [
        {"from_vm": "prep-vm"},
        {"from_vm": "prep-vm", "subnet": SUBNET},
        {"from_vm": "desk-vm", "capture": "in-place", "yes": True},
        {"from_vm": "desk-vm", "stop": True},
        {"from_vm": "gen1-vm", "via": "managed-image"},
        {"from_vm": "prep-vm", "identities": [IDENTITY]},
        {"from_vm": "prep-vm", "gallery": GALLERY},
    ],
    ids=str,
)
def test_the_printed_role_is_enough(session: Session, tmp_path: Path, line: dict[str, Any]) -> None:
    world = str(tmp_path / "world.db")
    session.connect(state=world, speed="max")
    asked = {key: value for key, value in line.items() if key not in ("from_vm", "yes")}
    role = session.check(line["from_vm"], **asked, all=True).attrs["role"]
    session.close()
    outside = Outside(tmp_path / "world.db")
    if "gallery" in line:
        outside.ask("PUT", GALLERY, "2023-07-03", {"location": "eastus"})
    outside.assign(role, role["AssignableScopes"][0])
    outside.close()
    session.connect(state=world, speed="max")
    session.create("genomics", vm_size="Standard_DS2_v2", nodes=2, **line)
    assert session.nodes("genomics", counts=True).state.tolist() == ["idle"]
    assert set(session.delete("genomics", image=True).action) == {"deleted"}


# -- what is there already -----------------------------------------------------------------------------------------


def test_a_pool_of_that_name_is_judged_before_anything_is_made(session: Session) -> None:
    session.create("p", **{**CREATE_OPTIONS, "nodes": 1, "spot": 0})
    asked = {"vm_size": CREATE_OPTIONS["vm_size"], "nodes": 1}
    assert "pool-name" not in set(session.check("prep-vm", **asked, pool="another", all=True).rule)
    assert (
        row(session.check("prep-vm", **asked, pool="p", all=True), "pool-name")["found"] == "pool exists as requested"
    )
    response = row(session.check("prep-vm", **asked, pool="p", task_slots=4, all=True), "pool-name")
    assert response["ok"] is False
    assert "number of task slots is 1, wanted 4" in response["found"]
    assert "--replace" in response["fix"]


def test_a_pool_that_differs_is_reported_with_all_other_errors(session: Session) -> None:
    session.create("p", **{**CREATE_OPTIONS, "nodes": 1, "spot": 0})
    with pytest.raises(SpecError) as caught:
        session.create("p", **{**CREATE_OPTIONS, "nodes": 9000, "spot": 9000}, task_slots=4)
    for said in ("number of task slots is 1, wanted 4", "dedicated cores needed", "spot cores needed"):
        assert said in caught.value.message
    assert {one["rule"] for one in caught.value.table.rows() if one["ok"] is False and one["severity"] == "error"} >= {
        "pool-name", "quota-dedicated", "quota-spot",
    }  # fmt: skip
    # Alone it is what it is: a conflict.
    with pytest.raises(ConflictError, match="already exists and differs: number of task slots"):
        session.create("p", **{**CREATE_OPTIONS, "nodes": 1, "spot": 0}, task_slots=4)


def test_an_unmanaged_definition_is_reported_with_all_other_errors(lab: Callable[..., Session]) -> None:
    session = lab(gallery(), definition("tools"), version())
    with pytest.raises(SpecError) as caught:
        session.create("tools", from_vm="lab-vm", vm_size="Standard_D4s_v5", nodes=9000, gallery=GALLERY)
    assert "image definition 'tools' already exists" in caught.value.message
    assert "dedicated cores needed" in caught.value.message
    with pytest.raises(ConflictError, match="did not create it for this pool"):
        session.create("tools", from_vm="lab-vm", vm_size="Standard_D4s_v5", nodes=1, gallery=GALLERY)


# -- what is wrong, and what to do about it, at once ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message", "hints"),
    [
        ({}, "from_vm is missing", ("--from-vm", "--vm-size (default: that of the VM)", "--nodes and --spot")),
        (
            {"from_vhd": "https://labvhds.blob.core.windows.net/v/a.vhd", "nodes": -1},
            "vm_size is missing; nodes is -1: expected a number of at least 0; Azure does not record whether the OS",
            ("--vm-size", "--nodes", "--generalized", "--os-type", "--generation"),
        ),
        (
            {**CREATE_OPTIONS, "no_public_address": True, "api": "batch", "tags": {"a": "b"}},
            "nodes without a public address need a subnet; --api batch does not support tags",
            ("--subnet", "remove one"),
        ),
        ({"spec": "vm_sise: a\nfrom_vm: prep-vm"}, "line 1: 'vm_sise' is not known", ("did you mean vm_size?",)),
    ],
)
def test_all_missing_and_wrong_inputs_are_named_together(
    session: Session, options: dict[str, Any], message: str, hints: tuple[str, ...]
) -> None:
    with pytest.raises(SpecError) as caught:
        session.create("p", **options)
    assert caught.value.message.startswith(message)
    assert [one for one in hints if one not in caught.value.hint] == []
    assert len(caught.value.hint.split("; ")) == len(set(caught.value.hint.split("; ")))


def test_everything_that_does_not_exist_is_named_together(session: Session) -> None:
    asked = {"from_vm": "nope", "vm_size": "Standard_D4s_v55", "gallery": GALLERY, "subnet": f"{SUBNET}2"}
    with pytest.raises(SpecError) as caught:
        session.create("p", **asked)
    for said in ("no VM 'nope'", "no gallery 'lab'", "does not offer VM size 'Standard_D4s_v55'", "no subnet"):
        assert said in caught.value.message
    with pytest.raises(NotFoundError, match=r"no"):
        session.create("p", from_snapshot=f"{HOME}/providers/Microsoft.Compute/snapshots/no", generalized=True,
                       vm_size="Standard_D4s_v5")  # fmt: skip


def test_fixes_agree_on_one_size_and_count_that_keep_all_rules(session: Session, tmp_path: Path) -> None:
    lab = RuleResources()  # an image of generation 2, with a temporary disk
    lab.open(session, tmp_path)
    asked = {"vm_size": "Standard_D4_v3", "nodes": 120, "spot": 30}
    table = session.check("lab-vm", **asked)
    agreed = table[table.rule.isin(["generation", "quota-dedicated", "quota-spot", "quota-family"])]
    fixes = {fix.partition("; or ")[0] for fix in agreed.fix}
    (one,) = fixes
    found = re.fullmatch(r"--vm-size (\w+) --nodes (\d+) --spot (\d+) fit together", one)
    assert found is not None
    again = session.check("lab-vm", vm_size=found[1], nodes=int(found[2]), spot=int(found[3]))
    assert "error" not in set(again.severity)
    one_more = session.check("lab-vm", vm_size=found[1], nodes=int(found[2]) + 1, spot=int(found[3]))
    assert set(one_more[one_more.severity == "error"].rule) <= {"quota-dedicated", "quota-family"}
    assert len(one_more[one_more.severity == "error"])


def test_an_accepted_rule_is_a_warning(session: Session, tmp_path: Path) -> None:
    lab = RuleResources()
    lab.vm["resources"] = [{"type": "Microsoft.Compute/virtualMachines/extensions", "name": "MonitorAgent"}]
    lab.open(session, tmp_path)
    asked = {"from_vm": "lab-vm", "vm_size": "Standard_D4ds_v5", "nodes": 1}
    with pytest.raises(SpecError, match="MonitorAgent") as caught:
        session.create("p", **asked)
    assert "--accept extensions" in caught.value.hint
    body = "from_vm: lab-vm\nvm_size: Standard_D4ds_v5\nnodes: 1\naccept: [extensions]"
    assert "(accepted with --accept extensions)" in str(session.plan("p", spec=body).attrs["warnings"])
    for name, hint in (("extension", "did you mean extensions?"), ("quota-family", "these rules can be accepted")):
        with pytest.raises(SpecError, match=f"rule '{name}' cannot be accepted") as refused:
            session.plan("p", **asked, accept=[name])
        assert hint in refused.value.hint


def test_create_takes_what_fits(session: Session) -> None:
    asked = {"from_vm": "prep-vm", "vm_size": "Standard_D4s_v5", "nodes": 300, "take_what_fits": True, "canary": False}
    planned = session.plan("p", **asked)
    assert planned.why.iloc[-1].startswith("250 dedicated of 300 dedicated: the quotas allow no more")
    made = session.create("p", **asked)
    (said,) = [one for one in made.attrs["warnings"] if one["rule"] == "quota-family"]
    assert "200 missing; --take-what-fits: the pool gets 250 dedicated" in said["found"]
    assert session.pools().dedicated.tolist() == [250]
    assert session.create("p", **asked).action.iloc[-1] == "exists"
    with pytest.raises(SpecError, match="4 cores of standardDSv5Family needed, 0 of 1,000 free"):
        session.create("q", **{**asked, "nodes": 1})
