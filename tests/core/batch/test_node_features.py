"""Disks, encryption, licence, placement, addresses and upgrades of nodes, on both planes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from batchimg_magics.errors import ConflictError
from tests.support.connections import read_pool
from tests.support.pool_yaml import ADDRESSES, FEATURES, SUBNET, address_documents, refused_spec
from tests.support.shells import ipython, run_cell

if TYPE_CHECKING:
    from pathlib import Path

    from batchimg_magics.session.session import Session


@pytest.fixture
def lab(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """Return a session whose emulator has public addresses."""
    monkeypatch.setenv("VAULT_TOKEN", "vault-word-0009")
    path = tmp_path / "addresses.json"
    path.write_text(json.dumps(address_documents()))
    session.connect(state=":memory:", speed="max", import_files=[str(path)])
    return session


@pytest.mark.parametrize("plane", ["arm", "batch"])
def test_all_features_and_the_same_line_again(lab: Session, plane: str) -> None:
    other = {"arm": "batch", "batch": "arm"}[plane]
    lab.create("genomics", spec=FEATURES, nodes=2, api=plane)
    assert set(lab.nodes("genomics").state) == {"idle"}
    assert set(lab.create("genomics", spec=FEATURES, nodes=2, api=other).action) == {"exists"}
    props = read_pool(lab)["properties"]
    machine, network = props["deploymentConfiguration"]["virtualMachineConfiguration"], props["networkConfiguration"]
    assert machine["osDisk"]["ephemeralOSDiskSettings"] == {"placement": "CacheDisk"}
    assert machine["osDisk"]["caching"] == "ReadOnly"
    assert [(disk["lun"], disk["diskSizeGB"]) for disk in machine["dataDisks"]] == [(32, 64), (5, 1024)]
    assert machine["securityProfile"]["encryptionAtHost"] is True
    assert machine["nodePlacementConfiguration"] == {"policy": "Zonal"}
    assert machine["containerConfiguration"] == {"type": "DockerCompatible"}
    assert machine["extensions"][0]["type"] == "KeyVaultForLinux"
    assert network["publicIPAddressConfiguration"] == {"provision": "UserManaged", "ipAddressIds": ADDRESSES[:1]}
    assert network["enableAcceleratedNetworking"] is True
    assert props["upgradePolicy"]["rollingUpgradePolicy"]["maxBatchInstancePercent"] == 20
    assert props["taskSchedulingPolicy"] == {"nodeFillType": "Pack", "jobDefaultOrder": "CreationTime"}
    assert props["displayName"] == "Genomics"
    assert "vault-word" not in json.dumps(props)


#: What changes in the spec, and how it is told.
CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "ephemeral": ({"ephemeral_os_disk": False}, "OS disk caching is none, wanted None; placement of the ephemeral"),
    "data disks": (
        {"data_disks": [64]},
        "list of data disks is 5: 1024 GiB Premium_LRS ReadOnly, 32: 64 GiB Standard_LRS None, wanted 32: 64 GiB",
    ),
    "host": ({"encryption_at_host": False}, "encryption at host is True, wanted False"),
    "zones": (
        {"node_placement": "regional", "upgrade_policy": "rolling"},
        "node placement is Zonal, wanted Regional; upgrade policy is rolling, enableAutomaticOSUpgrade=True",
    ),
    "addresses": ({"public_addresses": ADDRESSES[1:]}, "list of public addresses is egress ("),
    "networking": ({"accelerated_networking": False}, "accelerated networking is True, wanted False"),
    "fill": ({"node_fill": None}, "node fill type is Pack, wanted Spread"),
    "order": ({"job_order": "none"}, "order of jobs is CreationTime, wanted None"),
    "no policy": ({"job_order": None, "node_fill": None}, "node fill type is Pack, wanted Spread; order of jobs is"),
    "name": ({"display_name": None}, "display name is Genomics, wanted none"),
    "containers": ({"containers": False}, "container type is DockerCompatible, wanted none"),
    "extensions": ({"extensions": []}, "list of extensions is vault, wanted none"),
}


@pytest.mark.parametrize("plane", ["arm", "batch"])
def test_differences_are_reported_and_changed_while_the_pool_is_empty(lab: Session, plane: str) -> None:
    before = yaml.safe_load(FEATURES)
    lab.create("genomics", spec=before, api=plane)
    # The data plane gets one change of each property of a pool; both planes share the comparison.
    some = ("zones", "networking", "no policy", "name") if plane == "batch" else CHANGES
    for change, words in (CHANGES[case] for case in some):
        after = {key: value for key, value in {**before, **change}.items() if value is not None}
        plan = lab.plan("genomics", spec=after, api=plane).set_index("step")
        assert plan.loc["pool", "action"] == "would change"
        assert plan.loc["pool", "why"].startswith(words)
        assert lab.create("genomics", spec=after, api=plane).set_index("step").loc["pool", "action"] == "changed"
        assert set(lab.create("genomics", spec=after, api=plane).action) == {"exists"}
        lab.create("genomics", spec=before, api=plane)
    assert set(lab.create("genomics", spec=before, api=plane).action) == {"exists"}


@pytest.mark.parametrize("plane", ["arm", "batch"])
def test_windows_nodes_with_licences_of_ones_own(session: Session, plane: str) -> None:
    line = {
        "from_vm": "win-vm",
        "vm_size": "Standard_D4ds_v5",
        "license_type": "Windows_Client",
        "automatic_updates": False,
        "disk_encryption": ["OsDisk", "TemporaryDisk"],
        "generalized": True,
    }
    session.create("desk", spec=line, api=plane)
    machine = read_pool(session, "desk")["properties"]["deploymentConfiguration"]["virtualMachineConfiguration"]
    assert machine["licenseType"] == "Windows_Client"
    assert machine["windowsConfiguration"] == {"enableAutomaticUpdates": False}
    assert machine["diskEncryptionConfiguration"] == {"targets": ["OsDisk", "TemporaryDisk"]}
    assert set(session.create("desk", spec=line, api=plane).action) == {"exists"}
    less = {key: value for key, value in line.items() if key not in ("license_type", "disk_encryption")}
    detail = session.create("desk", spec=less, api=plane).set_index("step").loc["pool", "detail"]
    assert detail == "license type, list of encrypted disks"


FORMULA = "$TargetDedicatedNodes = 2; $TargetLowPriorityNodes = 0;"


@pytest.mark.parametrize("plane", ["arm", "batch"])
def test_a_formula_at_creation_sets_the_size_and_can_change_beside_nodes(session: Session, plane: str) -> None:
    line = {"from_vm": "prep-vm", "vm_size": "Standard_D4s_v5", "api": plane}
    steps = session.create("genomics", formula=FORMULA, formula_interval="10m", **line).set_index("step")
    assert steps.loc["nodes", "detail"] == "the formula asks for 2 dedicated"
    scale = read_pool(session)["properties"]["scaleSettings"]["autoScale"]
    assert scale == {"formula": FORMULA, "evaluationInterval": "PT10M"}
    assert session.pools().dedicated[0] == 2
    again = session.create("genomics", formula=FORMULA, formula_interval="10m", **line)
    assert again.set_index("step").loc["pool", "action"] == "exists"
    other = session.create("genomics", formula=FORMULA.replace("2", "3"), **line).set_index("step")
    assert other.loc["pool", "action"] == "changed"
    assert other.loc["pool", "detail"] == "autoscale formula, formula interval in seconds"
    assert other.loc["nodes", "detail"] == "the formula asks for 3 dedicated"
    with pytest.raises(ConflictError, match="number of task slots is 1, wanted 2"):
        session.create("genomics", formula=FORMULA, task_slots=2, **line)


def test_the_cost_of_nodes_has_their_disks_in_it(session: Session) -> None:
    line = {"from_vm": "prep-vm", "vm_size": "Standard_D4ds_v5", "nodes": 10}

    def cost(**more: Any) -> float:
        return float(session.plan("genomics", **line, **more).usd_per_hour.iloc[-1])

    assert cost(ephemeral_os_disk=True) < cost() < cost(data_disks=[512])


BAD: dict[str, tuple[str, str, str]] = {
    "LUN twice": ("data_disks: [{lun: 1, size_gib: 8}, {lun: 1, size_gib: 8}]", "two data disks have LUN 1", "lun"),
    "LUN 0 twice": ("data_disks: [{lun: 0, size_gib: 8}, {lun: 0, size_gib: 8}]", "two data disks have LUN 0", "lun"),
    "LUN": ("data_disks: [{lun: 64, size_gib: 8}]", "must be a whole number, 63 or less, not 64", "line 3"),
    "no size": ("data_disks: [{lun: 1}]", "data_disks.0.size_gib is missing", "size_gib"),
    "disk type": ("ephemeral_os_disk: true\nos_disk_type: Premium_LRS", "ephemeral OS disk has no disk type", "remove"),
    "caching": ("ephemeral_os_disk: true\nos_disk_caching: ReadWrite", "cannot have ReadWrite caching", "caching"),
    "licence": ("license_type: RHEL_BYOS", "license_type must be 'Windows_Server' or 'Windows_Client'", "line 3"),
    "one disk": ("disk_encryption: [OsDisk]", "only one of OsDisk and TemporaryDisk", "both"),
    "two encryptions": ("disk_encryption: [OsDisk, TemporaryDisk]\nencryption_at_host: true", "exclude", "remove"),
    "addresses": (f"public_addresses: [{ADDRESSES[0]}]", "public_addresses needs a subnet", "add subnet:"),
    "address twice": (
        f"subnet: {SUBNET}\npublic_addresses: [{ADDRESSES[0]}, {ADDRESSES[0]}]",
        "egress is specified twice",
        "once",
    ),
    "not an address": (f"subnet: {SUBNET}\npublic_addresses: [{SUBNET}]", "not a Microsoft.Network/publicIP", "NAME"),
    "few addresses": (
        f"subnet: {SUBNET}\npublic_addresses: [{ADDRESSES[0]}]\nnodes: 101",
        "public addresses: 1, enough for 100 nodes",
        "add addresses",
    ),
    "families": ("ip_families: [IPv6]", "IPv4, or IPv4 and IPv6", "ip_families"),
    "mode": ("upgrade_policy: sometimes", "upgrade_policy.mode must be 'automatic', 'manual' or 'rolling'", "line 3"),
    "shares": (
        "upgrade_policy: {mode: rolling, rolling: {batch_percent: 50, unhealthy_percent: 20}}",
        "batch_percent is 50, and unhealthy_percent is 20",
        "above",
    ),
    "across zones": (
        "upgrade_policy: {mode: rolling, rolling: {across_zones: true}}",
        "across_zones needs zonal placement",
        "zonal",
    ),
    "after": (
        "extensions: [{name: a, publisher: b, type: c, after: [d]}]",
        "extension a comes after d",
        "correct `after`",
    ),
    "protected": (
        "extensions: [{name: a, publisher: b, type: c, protected_settings: {key: hunter2}}]",
        "must not be in clear text",
        "env:NAME",
    ),
    "interval": ("formula: x=1;\nformula_interval: 4m", "a formula interval of 4m is not possible", "5 minutes"),
    "interval alone": ("formula_interval: 5m", "formula_interval needs a formula", "add formula,"),
    "formula and nodes": ("formula: x=1;\nnodes: 1", "nodes cannot be used with formula", "remove nodes"),
    "formula and time": ("formula: x=1;\nttl: 8h", "ttl cannot be used with formula", "formula"),
    "long formula": (f"formula: {'x' * 8193}", "the formula has 8,193 bytes", "8,192"),
}


@pytest.mark.parametrize("case", BAD)
def test_one_line_before_any_request(session: Session, case: str) -> None:
    text, message, hint = BAD[case]
    error = refused_spec(session, text)
    assert message in error.message
    assert hint in error.hint
    assert "hunter2" not in error.message + error.hint


OPTIONS = (
    "--ephemeral-os-disk --data-disks 64 --data-disks 32 --encryption-at-host --node-placement zonal "
    "--accelerated-networking --upgrade-policy manual --node-fill pack --job-order creationtime --containers "
    f"--subnet {SUBNET} --public-addresses {ADDRESSES[0]} --formula '{FORMULA}' --formula-interval 5m"
)


def test_options_set_them_too(lab: Session) -> None:
    lab.close()
    with ipython(state=":memory:", speed="max") as shell:
        line = f"plan genomics --from-vm prep-vm --vm-size Standard_D4ds_v5 {OPTIONS}"
        failed = shell.run_cell(f"%batchimg {line}").error_in_exec
        assert "there is no public address" in failed.message
        line = line.replace(f"--public-addresses {ADDRESSES[0]} ", "")
        steps = run_cell(shell, f"%batchimg {line}").set_index("step")
        assert steps.loc["nodes", "why"] == "as the autoscale formula sets"
