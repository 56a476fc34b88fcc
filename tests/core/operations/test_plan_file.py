"""Saved plans: `plan --out` and `create --plan`."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics.core.base import toml
from batchimg_magics.core.operations import plan_file
from batchimg_magics.errors import BatchImgError, ConflictError, SpecError
from batchimg_magics.pool_spec.pool import PoolSpec
from batchimg_magics.pool_spec.stored_spec import read_spec, stored_values
from batchimg_magics.session.session import Session
from batchimg_magics.ui.cli import main
from tests.support.create_options import CREATE_OPTIONS
from tests.support.documents import GROUP
from tests.support.inventory import read_inventory
from tests.support.pool_yaml import ARM_ONLY_YAML, COMMON_YAML, FEATURES, SECRETS
from tests.support.prepared_vms import StateFileClient, connect_to, new_state_file
from tests.support.shells import ipython, run_cell

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SIZE = {"vm_size": "Standard_D4s_v5"}
#: What a start task gets: a text that may be a secret, and a reference to one.
BODY = {
    "from_vm": "prep-vm",
    "start_task": {"command_line": "true", "environment": {"DB_PASSWORD": "plain-0042", "TOKEN": "env:LAB_TOKEN"}},
    **SIZE,
}


@pytest.fixture
def outside(tmp_path: Path) -> StateFileClient:
    return new_state_file(tmp_path)


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    return tmp_path / "genomics-plan.toml"


def test_a_plan_is_written_for_review_and_carried_out_once(session: Session, plan: Path) -> None:
    shown = session.plan("genomics", out=str(plan), **CREATE_OPTIONS)
    assert shown.attrs["caption"].endswith(f"1 warning; written to {plan}")
    text = plan.read_text()
    document = tomllib.loads(text)
    assert document["pool"] == "genomics"
    assert document["spec"] == CREATE_OPTIONS
    assert [one["step"] for one in document["steps"]] == list(shown.step)
    assert {"node agent", "VM size", "image", "quota of dedicated cores of standardDSv5Family"} <= document[
        "facts"
    ].keys()
    assert str(plan.parent) not in text
    session.plan("genomics", out=str(plan), force=True, **CREATE_OPTIONS)
    assert tomllib.loads(plan.read_text())["facts"] == document["facts"]  # nothing in it differs from run to run
    made = session.create(plan=str(plan))
    assert list(made.step) == list(shown.step)
    assert set(made.action) == {"created"}
    assert len(session.nodes("genomics")) == 25
    assert set(session.create("genomics", plan=str(plan)).action) == {"exists"}
    dry = session.create(plan=str(plan), dry_run=True)
    assert set(dry.action) == {"exists"}


def test_what_a_notebook_and_a_terminal_say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "p.toml"
    with ipython() as shell:
        run_cell(shell, "%batchimg connect")
        run_cell(shell, f"%batchimg plan genomics --from-vm prep-vm --nodes 2 --out {file}")
        made = run_cell(shell, f"%batchimg create --plan {file}")
        assert made.attrs["caption"].startswith("LOCAL · pool genomics: 2 idle")
        missing = shell.run_cell("%batchimg create").error_in_exec
        assert "the following arguments are required: NAME" in str(missing)
    capsys.readouterr()
    assert main(["plan", "genomics", "--from-vm", "prep-vm", "--out", str(file)]) == 2
    told = capsys.readouterr().err
    assert f"{file} exists already" in told
    assert "--force" in told
    assert main(["create", "--plan", str(tmp_path / "other.toml")]) == 2
    assert "No such file" in capsys.readouterr().err


def _vm(name: str) -> str:
    return f"{GROUP}/virtualMachines/{name}"


def _new_lock(outside: StateFileClient) -> None:
    lock = {"properties": {"level": "CanNotDelete"}}
    group = GROUP.partition("/providers/")[0]
    outside.ask("PUT", f"{group}/providers/Microsoft.Authorization/locks/keep", lock, "2016-09-01")


def _used_quota(outside: StateFileClient) -> None:
    """Let the family of the size that was chosen for the temporary VM have no free cores any more."""
    limits = {"subscription": GROUP.split("/")[2], "location": "eastus", "limits": {"standardDASv5Family": 0}}
    outside.ask("POST", "/_sim/quotas", limits)


def _another_vm(outside: StateFileClient) -> None:
    """Replace the VM by another one of the same name."""
    outside.ask("DELETE", _vm("desk-vm"))
    outside.create_vm("desk-vm", disks=1)


def _stopped(outside: StateFileClient) -> None:
    outside.ask("POST", f"{_vm('desk-vm')}/deallocate")


def _another_pool(outside: StateFileClient) -> None:
    with Session() as other:
        connect_to(other, outside).create("genomics", from_vm="prep-vm", vm_size="Standard_D2s_v5")


DRIFTS: list[tuple[Callable[[StateFileClient], None], str]] = [
    (_new_lock, "locks: planned none, now keep (CanNotDelete)"),
    (_used_quota, "VM size of the temporary VM: planned Standard_D2as_v5, now "),
    (_another_vm, "unique ID of the image source: planned "),
    (_stopped, "power state of the VM: planned running, now deallocated"),
    (_another_pool, "already exists"),
]


@pytest.mark.parametrize(("drift", "named"), DRIFTS, ids=lambda one: getattr(one, "__name__", ""))
def test_what_has_changed_is_named_and_nothing_is_done(
    session: Session, outside: StateFileClient, plan: Path, drift: Callable[[StateFileClient], None], named: str
) -> None:
    connect_to(session, outside).plan("genomics", from_vm="desk-vm", nodes=2, out=str(plan), **SIZE)
    session.close()
    drift(outside)
    before = read_inventory(outside.path)
    with pytest.raises(BatchImgError) as caught:
        connect_to(session, outside).create(plan=str(plan))
    session.close()
    assert read_inventory(outside.path) == before
    assert named in caught.value.message or named in str(caught.value.table.rows())  # type: ignore[union-attr] # it has one
    if isinstance(caught.value, ConflictError) and caught.value.table is not None:
        assert list(caught.value.table.columns) == ["fact", "planned", "now"]
        assert "--out" in caught.value.hint


def test_an_expired_plan_is_refused(session: Session, plan: Path) -> None:
    session.plan("genomics", out=str(plan), **CREATE_OPTIONS)
    session.call(lambda azure: azure.sleep(31 * 86_400))
    with pytest.raises(SpecError, match=r"expired on 2026-07-31"):
        session.create(plan=str(plan))


# -- secrets -----------------------------------------------------------------------------------------------------


def test_values_that_may_be_secret_are_given_again(
    session: Session, plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_TOKEN", "token-0043")
    session.plan("genomics", spec=BODY, out=str(plan))
    text = plan.read_text()
    assert "plain-0042" not in text
    assert "token-0043" not in text
    assert 'TOKEN = "env:LAB_TOKEN"' in text
    with pytest.raises(SpecError, match=r"not stored: start_task\.environment\.DB_PASSWORD") as caught:
        session.create(plan=str(plan))
    assert "set the environment variables DB_PASSWORD" in caught.value.hint
    monkeypatch.setenv("DB_PASSWORD", "another one")
    with pytest.raises(SpecError, match="not stored"):
        session.create(plan=str(plan))
    with pytest.raises(SpecError, match=r"these values are not those of plan .*: start_task"):
        session.create(plan=str(plan), spec={**BODY, "start_task": "false"})
    with pytest.raises(SpecError, match=r"these values are not those of plan .*: nodes"):
        session.create(plan=str(plan), spec=BODY, nodes=4)
    assert "would create" in set(session.create(plan=str(plan), spec=BODY, dry_run=True).action)
    monkeypatch.setenv("DB_PASSWORD", "plain-0042")
    assert set(session.create(plan=str(plan)).action) == {"created", "exists"}
    monkeypatch.delenv("LAB_TOKEN")
    with pytest.raises(SpecError, match="environment variable LAB_TOKEN is not set"):
        session.create(plan=str(plan))


@pytest.mark.parametrize("body", [COMMON_YAML, FEATURES, f"{COMMON_YAML}{ARM_ONLY_YAML}"])
def test_a_stored_spec_is_the_same_spec_again(body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**SECRETS, "VAULT_TOKEN": "vault-0009"}.items():
        monkeypatch.setenv(name, value)
    spec = PoolSpec.build("genomics", body, nodes=3, timeout="20m", max_unusable=0.1, replicas={"westus": 2})
    stored = tomllib.loads(toml.toml_text({"spec": stored_values(spec, "salt")}))["spec"]
    assert not any(value in json.dumps(stored) for value in SECRETS.values())
    monkeypatch.setenv("MODE", "fast")
    assert read_spec("genomics", stored, "salt", {}) == spec


# -- files that are no plans -------------------------------------------------------------------------------------


def _edited(text: str) -> str:
    return text.replace("nodes = 20", "nodes = 2000")


def _with_key(text: str) -> str:
    return f'surprise = "\x1b[2J"\n{text}'.replace("\x1b", "\\u001b")


def _without_facts(text: str) -> str:
    return text.replace("[facts]", "[fakts]")


def _of_the_future(text: str) -> str:
    return text.replace("format = 1", "format = 99")


BAD_FILES: list[tuple[Callable[[str], str | bytes], str]] = [
    (_edited, "was changed after it was made"),
    (_with_key, r"'surprise' is not as expected"),
    (_without_facts, "is not a plan: 'facts' is not as expected"),
    (_of_the_future, "has format '99'"),
    (lambda _: "", "is not a plan"),
    (lambda _: "a = [", "is not TOML"),
    (lambda _: "a = " + "[" * 5_000, "(is not TOML|inside each other)"),
    (lambda _: ".".join("a" * 4_000) + " = 1", "inside each other"),
    (lambda _: f"a = {'9' * 5_000}", "is not TOML"),
    (lambda _: "#" * 2_000_000, "is larger than 1,048,576 bytes"),
    (lambda _: b"\xff\x00\xfe\x01", "(is not text|is not TOML)"),
]


@pytest.mark.parametrize(("damage", "told"), BAD_FILES)
def test_a_file_that_is_no_plan_ends_in_one_line(
    session: Session, plan: Path, damage: Callable[[str], str | bytes], told: str
) -> None:
    session.plan("genomics", out=str(plan), **CREATE_OPTIONS)
    damaged = damage(plan.read_text())
    plan.write_bytes(damaged if isinstance(damaged, bytes) else damaged.encode())
    with pytest.raises(SpecError, match=told) as caught:
        session.create("genomics", plan=str(plan))
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_a_plan_that_fits_its_hash_is_still_checked(session: Session, plan: Path) -> None:
    """Whoever computes the hash again can write anything, but not more than a spec can ask for."""
    session.plan("genomics", out=str(plan), **CREATE_OPTIONS)
    document = tomllib.loads(plan.read_text())

    def tried(**changed: Any) -> str:
        forged = {**document, **changed}
        plain = {key: value for key, value in forged.items() if not isinstance(value, (dict, list))}
        plain["sha256"] = plan_file.seal(forged)
        plan.write_text(toml.toml_text({**forged, **plain}))
        with pytest.raises(BatchImgError) as caught:
            session.create(plan=str(plan))
        return caught.value.message

    assert "made for another connection: service is Azure" in tried(connection={"service": "Azure"})
    assert "expired on 1970" in tried(expires="whenever")
    assert "'facts' is not as expected" in tried(facts={"image": 5})
    assert "'steps' is not as expected" in tried(steps=[{"step": "pool"}])
    assert "is not known" in tried(spec={**document["spec"], "rootkit": True})
    assert "step gallery: planned none, now would create" in tried(steps=document["steps"][:2])
    assert "pool quota: planned none, now 100" in tried(facts={})


def test_the_name_of_the_pool_is_that_of_the_plan(session: Session, plan: Path) -> None:
    session.plan("genomics", out=str(plan), **CREATE_OPTIONS)
    with pytest.raises(SpecError, match="is of pool 'genomics', not of 'other'"):
        session.create("other", plan=str(plan))
    with pytest.raises(SpecError, match="--force is for --out"):
        session.plan("genomics", force=True, **CREATE_OPTIONS)
    with pytest.raises(SpecError, match="required: NAME"):
        session.create(from_vm="prep-vm")
