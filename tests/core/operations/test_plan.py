"""`plan`: it shows what `create` would do and changes nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics.errors import BudgetError, ConflictError, SpecError
from batchimg_magics.ui.cli import main
from tests.support.create_options import CREATE_OPTIONS
from tests.support.documents import GROUP
from tests.support.inventory import read_inventory
from tests.support.prepared_vms import connect_to, new_state_file
from tests.support.shells import ipython, run_cell

if TYPE_CHECKING:
    from pathlib import Path

    from batchimg_magics.session.session import Session

SIZE = {"vm_size": "Standard_D4s_v5"}


def test_a_plan_changes_nothing_and_create_does_what_it_says(session: Session, tmp_path: Path) -> None:
    outside = new_state_file(tmp_path)
    before = read_inventory(outside.path)
    planned = connect_to(session, outside).plan("genomics", from_vm="desk-vm", stop=True, nodes=3, **SIZE)
    session.close()
    assert read_inventory(outside.path) == before
    made = connect_to(session, outside).create("genomics", from_vm="desk-vm", stop=True, nodes=3, **SIZE)
    assert list(planned.step) == list(made.step)
    would = {"would create": "created", "would change": "changed", "would delete": "deleted"}
    assert [would[str(one)] for one in planned.action] == list(made.action)
    steady = planned[planned.step != "image version"]  # whose number is known only then
    assert set(steady.id) <= set(made.id)
    again = session.plan("genomics", from_vm="desk-vm", stop=True, nodes=3, **SIZE)
    assert set(again.action) == {"exists"}
    assert set(again.minutes) == {0.0}


def test_a_plan_has_the_reason_and_the_duration(session: Session) -> None:
    planned = session.plan("genomics", **CREATE_OPTIONS).set_index("step")
    assert planned.loc["image version", "minutes"] == pytest.approx(7.3)
    assert planned.why.notna().all()
    caption = planned.attrs["caption"]
    assert caption.startswith("LOCAL · plan of pool genomics: 7 steps, about 18 min, then stored ")
    assert caption.endswith("/h (dry run); 1 warning")  # its data disk is not mounted
    assert "nodes, OS and data disks, load balancers and public addresses" in caption
    # 64 and 256 GiB: one snapshot of each disk, and one replica.
    assert planned.usd_per_month.dropna().tolist() == pytest.approx([320 * 0.05, 320 * 0.05])
    assert "stored snapshots and image replicas: at most $32.00 a month" in caption
    cost = planned.loc["nodes", "usd_per_hour"]
    assert cost > 20 * 0.192  # the dedicated nodes alone, without their disks
    assert planned.usd_per_hour.notna().sum() == 1
    session.create("genomics", **CREATE_OPTIONS)
    more = session.plan("genomics", **{**CREATE_OPTIONS, "nodes": 40}).set_index("step")
    assert list(more.index[more.action != "exists"]) == ["nodes"]
    assert more.loc["nodes", "action"] == "would change"
    assert more.loc["nodes", "usd_per_hour"] > 1.7 * cost  # of the version's disks now, and of twice the nodes
    stored = session.images(sources=True).set_index("kind")
    assert stored.loc["version", "usd_per_month"] == pytest.approx(320 * 0.05)
    assert sorted(stored.loc["snapshot", "usd_per_month"]) == pytest.approx([64 * 0.05, 256 * 0.05])
    assert "up to $" in stored.attrs["caption"]
    assert "a month for the replicas of versions" in stored.attrs["caption"]
    pools = session.pools()
    # 20 dedicated and 5 spot nodes: a load balancer and an address of each kind.
    assert "usd_per_hour: nodes, OS and data disks, load balancers and public addresses" in pools.attrs["caption"]
    assert pools.usd_per_hour[0] == pytest.approx(cost, rel=1e-6)


def test_a_plan_refuses_what_create_would(session: Session) -> None:
    session.create("genomics", **CREATE_OPTIONS)
    with pytest.raises(ConflictError, match="VM size is"):
        session.plan("genomics", **{**CREATE_OPTIONS, "vm_size": "Standard_D8s_v5"})
    with pytest.raises(SpecError, match="does not offer"):
        session.plan("other", **{**CREATE_OPTIONS, "vm_size": "Standard_D4s_v99"})


def test_an_unknown_price_is_missing(session: Session, tmp_path: Path) -> None:
    outside = new_state_file(tmp_path)
    url = "https://labstore.blob.core.windows.net/vhds/a.vhd"
    system = {"osDisk": {"osType": "Linux", "osState": "Generalized", "blobUri": url}}
    body = {"location": "eastus", "properties": {"hyperVGeneration": "V1", "storageProfile": system}}
    outside.ask("PUT", "images/blob", body)
    line = {"node_agent_sku": "batch.node.ubuntu 22.04", "nodes": 2, "vm_size": "Standard_D4s_v3"}
    planned = connect_to(session, outside).plan("genomics", from_image=f"{GROUP}/images/blob", **line)
    assert planned.usd_per_hour.isna().all()
    assert "$" not in planned.attrs["caption"]


def test_a_plan_of_a_capture_in_place_needs_no_yes(session: Session) -> None:
    planned = session.plan("genomics", from_vm="desk-vm", capture="in-place", **SIZE)
    assert list(planned.step[:3]) == ["generalize OS", "deallocate", "mark as generalized"]


def test_the_verbs_in_a_notebook() -> None:
    with ipython() as shell:
        line = "genomics --from-vm prep-vm --vm-size Standard_D4s_v5 --nodes 1"
        assert set(run_cell(shell, f"%batchimg plan {line}").action) == {"would create"}
        cell = "%%batchimg p << plan genomics\nfrom_vm: prep-vm\nvm_size: Standard_D4s_v5\n"
        run_cell(shell, cell)
        assert shell.user_ns["p"].step.iloc[0] == "snapshot of OS disk"
        assert len(run_cell(shell, "%batchimg migrate")) == 0
        frame = run_cell(shell, "%batchimg packer tools")
        assert 'source "azure-arm" "tools" {' in shell.display_formatter.format(frame)[0]["text/plain"]
        failed = shell.run_cell("%batchimg create g --from-snapshot x --data-snapshot os=y").error_in_exec
        assert failed.message.startswith("--data-snapshot is 'os=y'")


def test_the_verbs_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "genomics", "--from-vm", "prep-vm", "--vm-size", "Standard_D4s_v5", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["step"] for row in rows][-2:] == ["pool", "nodes"]
    assert rows[0]["usd_per_hour"] is None
    assert rows[-1]["usd_per_hour"] == 0
    file = tmp_path / "tools.pkr.hcl"
    assert main(["packer", "tools", "--to", "vhd", "--output", str(file)]) == 0
    printed = capsys.readouterr().out
    assert file.read_text().replace("%batchimg", "batchimg") in printed
    assert f"written to {file}" in printed
    assert main(["packer", "tools", "--to", "managed-image"]) == 2
    assert "pool allocation mode BatchService" in capsys.readouterr().err
    assert main(["migrate"]) == 0
    assert "pools made from managed images or VHDs: 0" in capsys.readouterr().out


def test_a_pool_with_more_nodes_keeps_them_and_reports_it(session: Session) -> None:
    """And the plan's price is of what there will be."""
    line = {"from_vm": "prep-vm", "vm_size": "Standard_D4s_v5"}
    session.create("p", nodes=4, **line)
    assert "more nodes" not in session.create("p", nodes=4, **line).attrs["caption"]
    assert (
        session.create("p", nodes=2, **line)
        .attrs["caption"]
        .endswith("the pool already has more nodes; use `%batchimg resize` to shrink it; 1 warning")
    )
    prices = [session.plan("p", nodes=nodes, **line).usd_per_hour.dropna().iloc[-1] for nodes in (0, 2, 4)]
    assert len(set(prices)) == 1


def test_the_disks_of_the_spec_are_in_the_cost(session: Session) -> None:
    line = {"from_vm": "prep-vm", "vm_size": "Standard_D4ds_v5", "nodes": 10}

    def usd_per_hour(**spec: Any) -> float:
        return float(session.plan("disks", spec=spec, **line).set_index("step").loc["nodes", "usd_per_hour"])

    whole = usd_per_hour()
    # P6, the 64 GiB of the OS disk, and P30.
    assert usd_per_hour(ephemeral_os_disk=True) == pytest.approx(whole - 10 * 10.21 / 730)
    more = usd_per_hour(data_disks=[{"lun": 5, "size_gib": 1024, "type": "Premium_LRS"}])
    assert more == pytest.approx(whole + 10 * 135.17 / 730)
    session.connect(state=":memory:", speed="max", max_cost_per_hour=more - 0.01)
    with pytest.raises(BudgetError, match="nodes, OS and data disks, load balancers and public addresses"):
        session.create("disks", spec={"data_disks": [{"lun": 5, "size_gib": 1024, "type": "Premium_LRS"}]}, **line)
