"""Bad input: one line and a hint, before anything is changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics.emulator import open_emulator
from batchimg_magics.errors import BatchImgError, ConflictError, NotConnectedError, NotFoundError, SpecError
from tests.support.create_options import CREATE_OPTIONS
from tests.support.documents import ACCOUNT, disk, managed, pool_body, vm
from tests.support.inventory import put_resource

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from batchimg_magics.session.session import Session


IMAGE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/images/i"


def create(**changed: Any) -> Callable[[Session], object]:
    name = changed.pop("name", "genomics")
    return lambda session: session.create(name, **{**CREATE_OPTIONS, **changed})


CASES: dict[str, tuple[Callable[[Session], object], type[BatchImgError], str, str]] = {
    "unknown VM": (create(from_vm="prep-wm"), NotFoundError, "no VM 'prep-wm'", "did you mean prep-vm?"),
    "VM id of a disk": (create(from_vm="/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/disks/d"),
                        SpecError, "is not a VM", "VM's name"),
    "unknown size": (create(vm_size="Standard_D4s_v55"), SpecError, "does not offer", "did you mean Standard_D4s_v5?"),
    "unknown option": (create(vm_siz="x"), SpecError, "'vm_siz' is not known", "did you mean vm_size?"),
    "pool name": (create(name="geno mics"), SpecError, "not a valid pool name", "1 to 64 letters, digits"),
    "negative": (create(nodes=-1), SpecError, "nodes is -1: expected a number of at least 0", "--nodes"),
    "absurd": (create(nodes=10**9), SpecError, "nodes is 1000000000: expected a number of at most 100,000", "--nodes"),
    "timeout": (create(timeout="4m"), SpecError, "timeout of 4m", "at least 5 minutes"),
    "size by its short name": (create(vm_size="D4s_v5"), SpecError, "does not offer", "did you mean Standard_D4s_v5?"),
    "duration without unit": (create(timeout="900"), SpecError, "'900' is not a duration", "8h"),
    "duration": (create(timeout="soon"), SpecError, "'soon' is not a duration", "1h30m"),
    "agent": (create(node_agent_sku="batch.node.ubuntu 22.4"), SpecError, "not a node agent SKU",
              "did you mean batch.node.ubuntu 22.04?"),
    "in place": (create(from_vm="desk-vm", capture="in-place"), SpecError, "generalizes VM 'desk-vm' itself", "--yes"),
    "no pool to show": (lambda s: s.nodes("nope"), NotFoundError, "no pool 'nope'", "create"),
    "no pool to resize": (lambda s: s.resize("nope", nodes=1), NotFoundError, "no pool 'nope'", "create"),
    "no size": (lambda s: s.resize("nope"), SpecError, "number of nodes was not given", "--nodes"),
    "negative resize": (lambda s: s.resize("nope", nodes=-2), SpecError, "--nodes is -2", "an integer from 0 to"),
    "nothing to delete": (lambda s: s.delete("nope"), NotFoundError, "no pool 'nope'", "pools"),
    "nothing to delete, image": (lambda s: s.delete("nope", image=True), NotFoundError, "nothing of its", "pools"),
    "no pool to stop": (lambda s: s.stop_resize("nope"), NotFoundError, "no pool 'nope'", "create"),
    "until": (lambda s: s.wait("nope", until="done"), SpecError, "--until is 'done'", "ready"),
    "bad YAML": (lambda s: s.create("g", spec="vm_size: a: b"), SpecError, "line 1, column 11", "key: value"),
    "YAML key": (lambda s: s.create("g", spec="from_vm: prep-vm\nvm_sise: x"), SpecError, "line 2: 'vm_sise'",
                 "did you mean vm_size?"),
    "YAML value": (lambda s: s.create("g", spec="from_vm: a\nvm_size: b\nnodes: many"), SpecError,
                   "line 3: nodes must be a whole number, 0 or more, not 'many'", "line 3 of the body"),
    "YAML count": (lambda s: s.create("g", spec="from_vm: a\nvm_size: b\nspot: -1"), SpecError,
                   "line 3: spot must be a whole number, 0 or more, not -1", "line 3 of the body"),
    "YAML most": (lambda s: s.create("g", spec="from_vm: a\nvm_size: b\nspot: 100001"), SpecError,
                  "line 3: spot must be a whole number, 100,000 or less", "line 3 of the body"),
    "YAML missing": (lambda s: s.create("g", spec=f"from_image: {IMAGE}"), SpecError, "vm_size is missing",
                     "add a line `vm_size: ...` to the body"),
    "YAML pair": (lambda s: s.create("g", spec="from_vm: a\nvm_size: b\nfallback_dedicated: 5"), SpecError,
                  "fallback_dedicated needs spot", "for example: spot: 20, fallback_dedicated: 5"),
    "YAML switch": (lambda s: s.create("g", spec="from_vhd: https://x\nvm_size: b"), SpecError, "line 1: from_vhd: 'https://x'",
                    "expected https://"),
    "YAML duration": (lambda s: s.create("g", spec="from_vm: a\nvm_size: b\nttl: soon"), SpecError,
                      "line 3: ttl: 'soon' is not a duration", "8h"),
    "YAML list": (lambda s: s.create("g", spec="- a"), SpecError, "not a mapping", "key: value"),
    "two names": (lambda s: s.create("g", spec="name: h"), SpecError, "'g' in the command and 'h' in the body", "once"),
    "speed": (lambda s: s.connect(state=":memory:", speed="quick"), SpecError, "--speed is 'quick'", "max"),
    "date": (lambda s: s.connect(state=":memory:", date="tomorrow"), SpecError, "not a date", "2026-07-01"),
    "account": (lambda s: s.connect(state=":memory:", account="genomicsbatsh"), NotConnectedError, "no Batch account",
                "did you mean genomicsbatch?"),
    "half a connection": (lambda s: s.connect(subscription="s"), SpecError, "--resource-group, --account missing",
                          "--subscription"),
    "a connection without": (lambda s: s.connect(resource_group="g", account="a"), SpecError, "needs a subscription",
                             "--subscription"),
    "profile": (lambda s: s.connect(profile="lab"), NotConnectedError, "saved as 'lab'", "--save-as"),
    "no file": (lambda s: s.connect(state=":memory:", import_files=["/nowhere/vm.json"]), SpecError, "cannot be read",
                "show"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_one_line_and_a_hint(session: Session, case: str) -> None:
    act, kind, message, hint = CASES[case]
    with pytest.raises(kind) as caught:
        act(session)
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert "\n" not in caught.value.message + caught.value.hint
    assert caught.value._render_traceback_()[0].startswith(kind.__name__)


@pytest.mark.parametrize("case", [name for name in CASES if name.startswith("YAML")])
def test_errors_of_a_body_name_no_options(session: Session, case: str) -> None:
    with pytest.raises(SpecError) as caught:
        CASES[case][0](session)
    assert "--" not in caught.value.message + caught.value.hint


def test_nothing_was_changed(session: Session) -> None:
    for act, *_ in CASES.values():
        with pytest.raises(BatchImgError):
            act(session)
    session.connect()
    assert len(session.pools()) == 0
    assert len(session.images()) == 0


def test_after_a_failed_connect_no_other_connection_is_used(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(BatchImgError, match="not signed in") as caught:
        session.connect(subscription="00000000-0000-4000-8000-000000000000", resource_group="g", account="a")
    assert "az login" in caught.value.hint
    assert "AZURE_CLIENT_SECRET" in caught.value.hint
    assert "managed identity" in caught.value.hint
    with pytest.raises(NotConnectedError, match="the last `connect` failed"):
        session.pools()
    session.connect()
    assert len(session.pools()) == 0


def test_another_vm_under_the_same_name(session: Session) -> None:
    session.create("genomics", **CREATE_OPTIONS)
    with pytest.raises(ConflictError, match="operating system is Linux, wanted Windows") as caught:
        session.create("genomics", **{**CREATE_OPTIONS, "from_vm": "win-vm"})
    assert "another name" in caught.value.hint
    assert len(session.images()) == 1


def test_pool_that_this_tool_did_not_make(session: Session, tmp_path: Path) -> None:
    world = tmp_path / "world.db"
    open_emulator(world).close()
    put_resource(world, f"{ACCOUNT}/pools/genomics", "2025-06-01", pool_body())
    session.connect(state=str(world), speed="max")
    with pytest.raises(ConflictError, match="this tool did not create it") as caught:
        session.create("genomics", **CREATE_OPTIONS)
    assert "another name" in caught.value.hint
    assert len(session.images()) == 0


def connect_to(session: Session, tmp_path: Path, *documents: dict[str, Any]) -> None:
    file = tmp_path / "documents.json"
    file.write_text(json.dumps(documents))
    session.connect(state=":memory:", import_files=[str(file)], generalized=True)


def test_vm_without_managed_disks(session: Session, tmp_path: Path) -> None:
    blob = {"vhd": {"uri": "https://example.blob.core.windows.net/vhds/old.vhd"}}
    connect_to(session, tmp_path, vm("old-vm", blob))
    with pytest.raises(SpecError, match="no managed disk for old-vm-os") as caught:
        session.create("genomics", from_vm="old-vm", vm_size="Standard_D4s_v3", generalized=True)
    assert "az vm convert" in caught.value.hint


def test_vm_without_marketplace_origin(session: Session, tmp_path: Path) -> None:
    connect_to(session, tmp_path, vm("own-vm", managed("own-os"), image=None), disk("own-os"))
    line = {"from_vm": "own-vm", "vm_size": "Standard_D4s_v3", "generalized": True, "nodes": 1}
    with pytest.raises(SpecError, match="Marketplace image of VM 'own-vm' is not known") as caught:
        session.create("genomics", **line)
    assert "--node-agent-sku" in caught.value.hint
    assert "batch.node.ubuntu 22.04" in caught.value.hint
    session.create("genomics", node_agent_sku="batch.node.ubuntu 22.04", **line)
    assert session.nodes("genomics").state.tolist() == ["idle"]


def test_vm_whose_disk_is_missing(session: Session, tmp_path: Path) -> None:
    connect_to(session, tmp_path, vm("lost-vm", managed("lost-os")))
    with pytest.raises(NotFoundError, match="OS disk of VM 'lost-vm' does not exist"):
        session.create("genomics", from_vm="lost-vm", vm_size="Standard_D4s_v3", generalized=True)
    assert "lost-vm" in set(session.vms().vm)


def test_documents_that_are_none(session: Session, tmp_path: Path) -> None:
    file = tmp_path / "vm.json"
    for text, said in (("[]", "no resource documents"), ("{", "neither JSON nor YAML"), ('{"id": "x"}', "x")):
        file.write_text(text)
        with pytest.raises(SpecError, match=said):
            session.connect(state=":memory:", import_files=[str(file)])
