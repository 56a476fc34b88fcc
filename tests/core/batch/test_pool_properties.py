"""All properties of a pool, on both planes: created, found again, changed while it is empty, replaced with consent."""

from __future__ import annotations

import json
import logging
import traceback
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from batchimg_magics.emulator import open_emulator
from batchimg_magics.errors import BatchImgError, ConflictError, SpecError
from batchimg_magics.session.session import Session
from tests.support.connections import connection_of, read_pool
from tests.support.crash import CrashTransport
from tests.support.create_options import CREATE_OPTIONS
from tests.support.documents import ACCOUNT, pool_body
from tests.support.faults import set_faults
from tests.support.inventory import put_resource
from tests.support.pool_yaml import ARM_ONLY_YAML, COMMON_YAML, IDENTITY, SECRETS, SUBNET, refused_spec
from tests.support.shells import ipython, run_cell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EMPTY = {**CREATE_OPTIONS, "nodes": 0, "spot": 0}


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)


@pytest.fixture(scope="module")
def kept() -> Iterator[Session]:
    """Return a session on an emulator that has the image of the pool, once it is there."""
    with Session() as opened:
        opened.connect(state=":memory:", speed="max")
        yield opened


@pytest.fixture
def emptied(kept: Session) -> Iterator[Session]:
    """Return that session without any pool."""
    yield kept
    for name in kept.names("pool"):
        kept.delete(name)


@pytest.mark.parametrize(("text", "plane"), [(COMMON_YAML + ARM_ONLY_YAML, "arm"), (COMMON_YAML, "batch")])
def test_all_of_it_and_the_same_line_again(session: Session, text: str, plane: str) -> None:
    steps = session.create("genomics", spec=text, nodes=2, api=plane).set_index("step")
    assert steps.loc["pool", "action"] == "created"
    assert set(session.nodes("genomics").state) == {"idle"}
    again = session.create("genomics", spec=text, nodes=2, api=plane)
    assert set(again.action) == {"exists"}
    found = read_pool(session)
    props, machine = found["properties"], found["properties"]["deploymentConfiguration"]["virtualMachineConfiguration"]
    assert props["taskSlotsPerNode"] == 4
    assert props["interNodeCommunication"] == "Enabled"
    assert props["networkConfiguration"]["subnetId"] == SUBNET
    assert [
        one["backendPort"] for one in props["networkConfiguration"]["endpointConfiguration"]["inboundNatPools"]
    ] == [22, 8080]
    assert machine["osDisk"]["diskSizeGB"] == 128
    assert machine["osDisk"]["managedDisk"]["storageAccountType"] == "StandardSSD_LRS"
    assert machine["containerConfiguration"]["containerImageNames"] == ["lab.azurecr.io/tool:1"]
    assert props["startTask"]["userIdentity"] == {"userName": "worker"}
    assert len(props["mountConfiguration"]) == 4
    assert {"name": "year", "value": "2026"} in props["metadata"]
    assert (found.get("tags", {}).get("cost-centre"), "identity" in found) == (
        ("42", True) if plane == "arm" else (None, False)
    )
    assert session.pools().managed.all()


def test_one_pool_whichever_plane_is_named(session: Session) -> None:
    session.create("genomics", spec=COMMON_YAML, api="batch")
    assert set(session.create("genomics", spec=COMMON_YAML, api="arm").action) == {"exists"}


#: What changes, and how it is told.
CHANGES: dict[str, tuple[str, str, str]] = {
    "VM size": ("Standard_D4s_v5", "Standard_D8s_v5", "VM size is Standard_D4s_v5, wanted Standard_D8s_v5"),
    "slots": ("task-slots: 4", "task-slots: 5", "number of task slots is 4, wanted 5"),
    "inter-node": ("inter-node: true", "inter-node: false", "inter-node communication is Enabled, wanted Disabled"),
    "disk": ("os-disk-gib: 128", "os-disk-gib: 256", "OS disk size in GiB is 128, wanted 256"),
    "disk type": ("StandardSSD_LRS", "Premium_LRS", "OS disk type is StandardSSD_LRS, wanted Premium_LRS"),
    "metadata": (
        "project: gene",
        "project: Gene",
        "metadata is project=gene, year=2026, wanted project=Gene, year=2026",
    ),
    "port": ("name: web", "name: www", "list of login ports is ssh 22 at 1000-10799, web 8080 at 30000-30999, wanted"),
    "who may": ("203.0.113.0/24", "198.51.100.0/24", "list of login ports has other values"),
    "command": ("setup'", "set-up'", "start task is /bin/sh -c 'mount -a && ./data/setup', wanted"),
    "environment": ("MODE: fast", "MODE: slow", "start task's environment has other values"),
    "user": ("  user: worker\n", "  elevation: admin\n", "start task's user is worker, wanted Admin of Pool"),
    "file": ("path: data.tar", "path: all.tar", "start task's list of files has other values"),
    "retries": ("retries: 2", "retries: 0", "start task's number of retries is 2, wanted 0"),
    "success": (
        "wait_for_success: false",
        "wait_for_success: true",
        "wait for the start task's success is no, wanted yes",
    ),
    "mount": ("path: nfs", "path: NFS", "list of mounts is data, f, nfs, share, wanted NFS, data, f, share"),
    "image": ("tool:1", "tool:2", "list of container images is lab.azurecr.io/tool:1, wanted lab.azurecr.io/tool:2"),
    "registry": ("user: puller", "user: pusher", "list of container registries is lab.azurecr.io as puller, wanted"),
    "account": ("uid: 1100", "uid: 1101", "list of user accounts has other values"),
    "tags": ('"42"', '"43"', "tags is cost-centre=42, wanted cost-centre=43"),
}


#: The planes differ in how a pool is changed, and not in what is compared: the data plane tries a third of the cases.
ON_BATCH = [case for case in CHANGES if case != "tags"][::3]


@pytest.mark.parametrize(
    ("case", "plane"), [*((case, "arm") for case in CHANGES), *((case, "batch") for case in ON_BATCH)]
)
def test_differences_are_reported_and_changed_while_the_pool_is_empty(emptied: Session, case: str, plane: str) -> None:
    old, new, words = CHANGES[case]
    text = COMMON_YAML + (ARM_ONLY_YAML if plane == "arm" else "")
    assert old in text
    changed = text.replace(old, new)
    emptied.create("genomics", spec=text, api=plane)
    steps = emptied.create("genomics", spec=changed, api=plane).set_index("step")
    assert steps.loc["pool", "action"] == "changed"
    assert words.partition(" is ")[0].removesuffix(" has other values") in steps.loc["pool", "detail"]
    assert set(emptied.create("genomics", spec=changed, api=plane).action) == {"exists"}
    emptied.resize("genomics", nodes=1)
    if case == "tags":  # a tag makes no other nodes
        steps = emptied.create("genomics", spec=text, api=plane).set_index("step")
        assert steps.loc["pool", "action"] == "changed"
        return
    with pytest.raises(ConflictError) as caught:
        emptied.create("genomics", spec=text, api=plane)
    assert "it has nodes" in caught.value.hint
    assert "--replace" in caught.value.hint
    emptied.resize("genomics", nodes=0)
    emptied.create("genomics", spec=text, api=plane)
    emptied.resize("genomics", nodes=1)
    with pytest.raises(ConflictError, match="already exists and differs: ") as caught:
        emptied.create("genomics", spec=changed, api=plane)
    assert caught.value.message.partition(" differs: ")[2].startswith(words)
    assert not [secret for secret in SECRETS.values() if secret in caught.value.message]


TAKEN_AWAY = ("mounts", "container-images", "container-registries", "user-accounts", "identities", "tags", "metadata")


@pytest.mark.parametrize(("text", "plane"), [(COMMON_YAML + ARM_ONLY_YAML, "arm"), (COMMON_YAML, "batch")])
def test_what_a_change_can_take_away_and_what_not(session: Session, text: str, plane: str) -> None:
    text = text.replace("  user: worker\n", "")
    session.create("genomics", spec=text, api=plane)
    less = {key: one for key, one in yaml.safe_load(text).items() if key not in TAKEN_AWAY}
    steps = session.create("genomics", spec=less, api=plane).set_index("step")
    assert steps.loc["pool", "action"] == "changed"
    assert set(session.create("genomics", spec=less, api=plane).action) == {"exists"}
    assert "mountConfiguration" not in read_pool(session)["properties"]
    for key in ("start-task", "subnet"):
        fewer = {name: one for name, one in less.items() if name not in (key, "login-ports")}
        with pytest.raises(ConflictError) as caught:
            session.create("genomics", spec=fewer, api=plane)
        assert "cannot remove its" in caught.value.hint


def test_the_image_of_an_empty_pool_is_changed(session: Session) -> None:
    session.create("genomics", **EMPTY)
    before = session.pools().image[0]
    session.delete("genomics")
    session.create("genomics", **EMPTY)
    assert session.pools().image[0] == before


# -- replacing ---------------------------------------------------------------------------------------------------


def test_replace_deletes_and_creates_the_pool_again(session: Session) -> None:
    session.create("genomics", **CREATE_OPTIONS)
    created = session.pools().created[0]
    other = {**CREATE_OPTIONS, "vm_size": "Standard_D8s_v5", "nodes": 3, "spot": 0}
    steps = session.create("genomics", replace=True, **other).set_index("step")
    assert steps.loc["old pool", "action"] == "deleted"
    assert steps.loc["old pool", "detail"] == "25 nodes; VM size is Standard_D4s_v5, wanted Standard_D8s_v5"
    assert steps.loc["pool", "action"] == "created"
    assert steps.loc["image version", "action"] == "exists"
    assert session.pools().created[0] > created
    assert list(session.nodes("genomics", counts=True).dedicated) == [3]
    # The same line again: what is there is what was wanted.
    assert set(session.create("genomics", replace=True, **other).action) == {"exists"}


def test_replace_waits_for_yes_on_a_real_connection(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    session.create("genomics", **CREATE_OPTIONS)
    other = {**CREATE_OPTIONS, "vm_size": "Standard_D8s_v5"}
    monkeypatch.setattr(connection_of(session), "emulator", None)  # as if it were the real one
    said = session.create("genomics", replace=True, **other)
    assert list(said.step) == ["old pool", "pool", "nodes"]
    assert list(said.action) == ["would delete", "would create", "would create"]
    assert "25 nodes" in said.detail[0]
    assert said.attrs["caption"].endswith("nothing was changed; add --yes to do it")
    assert list(session.pools().vm_size) == ["Standard_D4s_v5"]
    session.create("genomics", replace=True, yes=True, **other)
    assert list(session.pools().vm_size) == ["Standard_D8s_v5"]


def test_plan_reports_what_would_be_done_to_an_existing_pool(session: Session) -> None:
    def actions(**line: Any) -> dict[str, str]:
        planned = session.plan("genomics", **line)
        return {step: action for step, action in zip(planned.step, planned.action, strict=True) if "image" not in step}

    session.create("genomics", **EMPTY)
    found = {"gallery": "exists", "nodes": "exists"}
    other = {**EMPTY, "vm_size": "Standard_D8s_v5"}
    assert actions(**EMPTY) == found | {"pool": "exists"}
    assert actions(**other) == found | {"pool": "would change"}
    replaced = {"old pool": "would delete", "pool": "would create"}
    assert actions(replace=True, **other) == found | replaced
    assert actions(replace=True, **{**other, "nodes": 1}) == found | replaced | {"nodes": "would create"}
    session.resize("genomics", nodes=1)
    with pytest.raises(ConflictError, match="differs: VM size"):
        session.plan("genomics", **other)


def test_a_pool_that_this_tool_did_not_create_is_not_replaced(session: Session, tmp_path: Path) -> None:
    world = tmp_path / "world.db"
    open_emulator(world).close()
    put_resource(world, f"{ACCOUNT}/pools/genomics", "2025-06-01", pool_body())
    session.connect(state=str(world), speed="max")
    with pytest.raises(ConflictError, match="this tool did not create it"):
        session.create("genomics", replace=True, **CREATE_OPTIONS)
    assert len(session.pools()) == 1


# -- secrets -----------------------------------------------------------------------------------------------------


def test_secrets_are_nowhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    world = tmp_path / "world.db"
    sent: list[str] = []

    class Through(CrashTransport):
        async def send(self, request: Any, **kwargs: Any) -> Any:
            sent.append(str(request.content or request.data or ""))
            return await self.inner.send(request, **kwargs)

    with Session(wrap_transport=Through) as session:
        session.connect(state=str(world), speed="max")
        work = session.begin("create", name="genomics", spec=COMMON_YAML + ARM_ONLY_YAML, nodes=1)
        response = [
            json.dumps(work.result().rows(), default=str),
            work.resume_line,
            work.label,
            repr(work.board.activities()),
        ]
        response += [session.pools().to_csv(), session.nodes("genomics").to_csv()]
        response += [
            json.dumps(session.create("genomics", spec=COMMON_YAML + ARM_ONLY_YAML, nodes=1).attrs),
            caplog.text,
        ]
        azures = json.dumps(read_pool(session))
    assert any(SECRETS["USER_PASSWORD"] in body for body in sent)  # they did go to Azure
    # Batch shows environment and files to whoever may read the pool; this tool shows neither.
    quiet = [secret for name, secret in SECRETS.items() if name not in ("TOKEN", "DATA_URL")]
    assert not [secret for secret in quiet if secret in azures + world.read_bytes().decode("latin-1")]
    assert not [secret for secret in SECRETS.values() if secret in "".join(response)]


@pytest.mark.parametrize(("method", "plane"), [("PUT", "arm"), ("POST", "batch")])
def test_a_refusal_does_not_quote_them(session: Session, method: str, plane: str) -> None:
    quoted = f"PropertyValue: {SECRETS['USER_PASSWORD']}"  # Azure quotes the value that it refuses
    set_faults(session, method=method, path="/pools", status=400, code="InvalidPropertyValue", message=quoted)
    with pytest.raises(BatchImgError, match="InvalidPropertyValue: PropertyValue: env:USER_PASSWORD") as caught:
        session.create("genomics", spec=COMMON_YAML, api=plane)
    assert SECRETS["USER_PASSWORD"] not in "".join(traceback.format_exception(caught.value))
    assert "env:USER_PASSWORD" in json.dumps(caught.value.table.rows())


BAD: dict[str, tuple[str, str, str]] = {
    "clear text": ("user-accounts: [{name: a, password: hunter2}]", "must not be in clear text", "env:NAME"),
    "clear key": ("mounts: [{type: blob, account: a, container: c, path: p, key: hunter2}]", "clear text", "env:NAME"),
    "SAS": (
        "start-task: {command-line: a, resource-files: [{url: 'https://a/b?sig=hunter2', path: c}]}",
        "SAS token",
        "env:NAME",
    ),
    "no such variable": ("user-accounts: [{name: a, password: env:NOBODY}]", "variable NOBODY is not set", "getpass"),
    "misspelt": ("user-accounts: [{name: a, pasword: hunter2}]", "'user_accounts.0.pasword' is not known", "password"),
    "not a list": ("user-accounts: hunter2", "user_accounts must be a list", "correct line 3 of the body"),
    "two ways in": (
        "mounts: [{type: blob, account: a, container: c, path: p}]",
        "exactly one credential",
        "key, sas and identity",
    ),
    "no mount": (
        "mounts: [{type: floppy, path: p}]",
        "mounts.0 must be a mapping whose 'type' is one of",
        "correct line 3 of the body",
    ),
    "paths": (
        "mounts: [{type: nfs, source: a, path: p}, {type: nfs, source: b, path: P}]",
        "two mounts",
        "a different path",
    ),
    "outside": ("mounts: [{type: nfs, source: a, path: ../p}]", "outside its folder", "inside"),
    "start task's user": ("start-task: {command-line: a, user: b}", "runs as b", "user_accounts"),
    "two users": (
        "user-accounts: [{name: a, password: env:TOKEN}, {name: A, password: env:TOKEN}]",
        "two user",
        "different",
    ),
    "uid alone": ("user-accounts: [{name: a, password: env:TOKEN, uid: 5}]", "only one of uid and gid", "both"),
    "file without path": (
        "start-task: {command-line: a, resource-files: [{url: 'https://a/b'}]}",
        "needs a path",
        "path",
    ),
    "file from two": (
        "start-task: {command-line: a, resource-files: [{container: b, container-url: 'https://a/b'}]}",
        "one source",
        "container_url",
    ),
    "mode": ("start-task: {command-line: a, resource-files: [{container: b, mode: 0755}]}", "octal", '"0755"'),
    "no command": ("start-task: {retries: 1}", "start_task.command_line is missing", "write `command_line:`"),
    "subnet": (
        "subnet: /subscriptions/a/resourceGroups/b/providers/Microsoft.Network/virtualNetworks/c",
        "not a Microsoft.Network/virtualNetworks/subnets",
        "/subnets/NAME",
    ),
    "no way out": ("no-public-address: true", "need a subnet", "add subnet;"),
    "no way in": (
        f"no-public-address: true\nsubnet: {SUBNET}\nlogin-ports: [22]",
        "cannot have login ports",
        "remove one",
    ),
    "Batch's port": ("login-ports: [29876]", "29876 is reserved by Batch", "another"),
    "narrow": ("login-ports: [{port: 22, first: 2000, last: 2010}]", "2000 to 2010", "at least 40"),
    "reserved": ("login-ports: [{port: 22, first: 49000, last: 51000}]", "49000 to 51000", "reserved by Batch"),
    "overlap": (
        "login-ports: [{port: 22, first: 2000, last: 2999}, {port: 80, first: 2500, last: 3500}]",
        "overlap",
        "separate ranges",
    ),
    "one port": ("login-ports: [22, {port: 22, name: b}]", "the same port", "different port"),
    "too few for all": (
        "login-ports: [{port: 22, first: 2000, last: 2039}]\nnodes: 41",
        "40 frontend ports for 41",
        "wider",
    ),
    "address": ("login-ports: [{port: 22, allow: [1.2.3]}]", "1.2.3 is not an IP address", "203.0.113.7"),
    "registry": (
        "container-images: [a]\ncontainer-registries: [{user: a}]",
        "exactly one kind of credentials",
        "or identity",
    ),
    "identity": (
        "identities: [/subscriptions/a/resourceGroups/b/providers/Microsoft.Compute/disks/c]",
        "not a Microsoft.ManagedIdentity",
        "NAME",
    ),
    "foreign identity": (
        "mounts: [{type: blob, account: a, container: c, path: p, identity: " + IDENTITY + "}]",
        "does not have the identity reader",
        "identities",
    ),
    "ours": ("metadata: {batchimg-pool: x}", "a reserved name", "batchimg-"),
    "disk": (
        "os-disk-type: Premium",
        "os_disk_type must be 'Standard_LRS', ",
        "correct line 3 of the body",
    ),
    "tags there": ("api: batch\ntags: {a: b}", "api: batch does not support tags", "remove one of them"),
    "identities there": (f"api: batch\nidentities: [{IDENTITY}]", "api: batch does not support identities", "remove"),
}


@pytest.mark.parametrize("case", BAD)
def test_one_line_before_any_request(session: Session, case: str) -> None:
    text, message, hint = BAD[case]
    error = refused_spec(session, text)
    assert message in error.message
    assert hint in error.hint
    said = error.message + error.hint
    assert "\n" not in said
    assert "hunter2" not in said + str(error.__cause__)


def test_slots_are_held_against_the_size(session: Session) -> None:
    with pytest.raises(SpecError, match="17 task slots") as caught:
        session.create("genomics", **{**EMPTY, "task_slots": 17})
    assert "at most 16" in caught.value.hint
    session.create("genomics", **{**EMPTY, "task_slots": 16})


def test_containers_without_images_to_pull(session: Session) -> None:
    registries = [{"server": "lab.azurecr.io", "user": "puller", "password": "env:REGISTRY_PASSWORD"}]
    for plane in ("arm", "batch"):
        line = {**EMPTY, "container_registries": registries, "api": plane}
        session.create(plane, **line)
        machine = read_pool(session, plane)["properties"]["deploymentConfiguration"]["virtualMachineConfiguration"]
        registry = {"registryServer": "lab.azurecr.io", "username": "puller"}
        assert machine["containerConfiguration"] == {"type": "DockerCompatible", "containerRegistries": [registry]}
        assert set(session.create(plane, **line).action) == {"exists"}


def test_application_packages(session: Session, tmp_path: Path) -> None:
    versions = [
        {"id": f"{ACCOUNT}/applications/aligner", "properties": {"defaultVersion": "1"}},
        {"id": f"{ACCOUNT}/applications/aligner/versions/1", "properties": {"state": "Active"}},
        {"id": f"{ACCOUNT}/applications/aligner/versions/2", "properties": {"state": "Active"}},
    ]
    (tmp_path / "applications.json").write_text(json.dumps(versions))
    session.connect(state=":memory:", speed="max", import_files=[str(tmp_path / "applications.json")])
    for plane, other in (("arm", "batch"), ("batch", "arm")):
        line = {**EMPTY, "application_packages": {"aligner": None}}
        session.create(plane, api=plane, **line)
        assert set(session.create(plane, api=other, **line).action) == {"exists"}
        steps = session.create(plane, api=plane, **{**line, "application_packages": {"aligner": "2"}})
        assert steps.set_index("step").loc["pool", "detail"] == "list of application packages"
    with pytest.raises(ConflictError, match="aligner: The specified version of the application package"):
        session.create("third", **{**EMPTY, "application_packages": {"aligner": "3"}})


# -- the doors ---------------------------------------------------------------------------------------------------

OPTIONS = (
    "--login-ports 22 --login-ports 3389 --metadata project=gene --tags cost-centre=42 --os-disk-gib 100 "
    f"--os-disk-type Premium_LRS --inter-node --subnet {SUBNET} --container-images a:1 --identities {IDENTITY}"
)


def test_options_set_it_too(capsys: pytest.CaptureFixture[str]) -> None:
    with ipython(state=":memory:", speed="max") as shell:
        line = f"create genomics --from-vm prep-vm --vm-size Standard_D4s_v5 {OPTIONS}"
        assert set(run_cell(shell, f"%batchimg {line}").action) == {"created", "exists"}
        assert set(run_cell(shell, f"%batchimg {line}").action) == {"exists"}
        changed = run_cell(shell, f"%batchimg {line} --task-slots 2").set_index("step")
        assert (changed.loc["pool", "action"], changed.loc["pool", "detail"]) == ("changed", "number of task slots")
        failed = shell.run_cell("%batchimg create genomics --metadata project").error_in_exec
        assert "--metadata is 'project': it is not a name and a value" in failed.message
    assert "hunter2" not in capsys.readouterr().out


def test_the_line_to_continue_has_all_options(session: Session) -> None:
    options = {"login_ports": (22, 3389), "application_packages": {"a": "1", "b": None}, "inter_node": True}
    work = session.begin("create", name="g", from_vm="prep-vm", vm_size="Standard_D4s_v5", **options)
    assert work.resume_line.endswith(
        "--login-ports 22 --login-ports 3389 --application-packages a=1 --application-packages b --inter-node"
    )
    session.close()
    session.connect()
    users = [{"name": "a", "password": "env:TOKEN"}]
    work = session.begin("create", name="g", from_vm="prep-vm", vm_size="Standard_D4s_v5", user_accounts=users)
    assert work.resume_line == "%%batchimg create g --from-vm prep-vm --vm-size Standard_D4s_v5"
