"""REST documents of pools as descriptions: every spelling, what cannot be kept, and the same pool again."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from batchimg_magics.core.azure.documents import document
from batchimg_magics.core.batch import pools
from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.pool import PoolSpec
from tests.support.connections import connection_of
from tests.support.pool_yaml import FEATURES, IDENTITY, SUBNET, address_documents
from tests.support.shells import ipython, run_cell

if TYPE_CHECKING:
    from pathlib import Path

    from batchimg_magics.session.session import Session

VERSION = "/subscriptions/S/resourceGroups/G/providers/Microsoft.Compute/galleries/g/images/i/versions/1.0.0"
C18: dict[str, Any] = {
    "id": "mypool",
    "vmSize": "standard_d4s_v5",
    "virtualMachineConfiguration": {
        "imageReference": {"virtualMachineImageId": VERSION},
        "nodeAgentSKUId": "batch.node.ubuntu 22.04",
        "containerConfiguration": {"type": "dockerCompatible"},
    },
    "enableAutoScale": True,
    "autoScaleFormula": "$TargetDedicatedNodes=2;",
    "taskSlotsPerNode": 4,
    "taskSchedulingPolicy": {"nodeFillType": "pack"},
    "startTask": {"commandLine": "/bin/true"},
}
#: The same pool as Azure Resource Manager writes it.
ARM: dict[str, Any] = {
    "name": "account/mypool",
    "type": "Microsoft.Batch/batchAccounts/pools",
    "properties": {
        "vmSize": "STANDARD_D4S_V5",
        "deploymentConfiguration": {
            "virtualMachineConfiguration": {
                "imageReference": {"id": VERSION},
                "nodeAgentSkuId": "batch.node.ubuntu 22.04",
                "containerConfiguration": {"type": "DockerCompatible"},
            }
        },
        "scaleSettings": {"autoScale": {"formula": "$TargetDedicatedNodes=2;", "evaluationInterval": "PT15M"}},
        "taskSlotsPerNode": 4,
        "taskSchedulingPolicy": {"nodeFillType": "Pack"},
        "startTask": {"commandLine": "/bin/true"},
    },
}


def snake(value: Any) -> Any:
    """Return a document with the names that older SDKs and tools write, and nulls."""
    if isinstance(value, dict):
        renamed = {re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower(): snake(inner) for name, inner in value.items()}
        return {**renamed, "other_setting": None}
    return [snake(one) for one in value] if isinstance(value, list) else value


TEMPLATE = {
    "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
    "parameters": {"size": {"type": "string", "defaultValue": "Standard_D4s_v5"}},
    "variables": {"slots": 4},
    "resources": [
        {"type": "Microsoft.Batch/batchAccounts", "name": "account", "properties": {}},
        {
            **ARM,
            "name": "[concat(parameters('account'), '/mypool')]",
            "dependsOn": ["[resourceId('Microsoft.Batch/batchAccounts', 'account')]"],
            "properties": {
                **ARM["properties"],
                "vmSize": "[parameters('size')]",
                "taskSlotsPerNode": "[variables('slots')]",
            },
        },
    ],
}
SHAPES: dict[str, Any] = {
    "data plane": C18,
    "arm": ARM,
    "snake": snake(C18),
    "list": [C18],
    "answer with a list": {"value": [ARM, {**ARM, "name": "account/q", "properties": ARM["properties"]}]},
    "template": TEMPLATE,
    "template of the batch extension": {"pool": {"type": "Pool", "properties": C18}},
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("written", [json.dumps, yaml.safe_dump])
def test_every_shape_is_the_same_description(shape: str, written: Any) -> None:
    spec = PoolSpec.build("q", written(SHAPES[shape]))
    assert spec.from_version == VERSION
    assert spec.vm_size.lower() == "standard_d4s_v5"
    assert (spec.formula, spec.task_slots, spec.node_fill) == ("$TargetDedicatedNodes=2;", 4, "pack")
    assert spec.containers
    assert spec.start_task is not None
    assert spec.node_agent_sku == "batch.node.ubuntu 22.04"
    assert set(spec.omitted or ()) <= {"the name mypool (this pool is named q)"}


def changed(body: dict[str, Any], machine: dict[str, Any]) -> dict[str, Any]:
    return {**C18, **body, "virtualMachineConfiguration": {**C18["virtualMachineConfiguration"], **machine}}


#: What a document has, for the pool and its virtual machines, and how what cannot be kept is named.
OMITTED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "certificates": ({"certificateReferences": [{"thumbprint": "a"}]}, {}, "certificateReferences"),
    "licences": ({"applicationLicenses": ["maya"]}, {}, "applicationLicenses"),
    "resource tags": ({"resourceTags": {"a": "b"}}, {}, "resourceTags"),
    "communication": ({"targetNodeCommunicationMode": "classic"}, {}, "targetNodeCommunicationMode"),
    "what nobody knows": ({"futureSetting": 1}, {}, "futureSetting"),
    "deallocation": ({"nodeDeallocationOption": "requeue"}, {}, "nodeDeallocationOption requeue"),
    "user": ({"userAccounts": [{"name": "me"}]}, {}, "userAccounts.0.password (Azure does not return it): the user me"),
    "mount": (
        {"mountConfiguration": [{"azureBlobFileSystemConfiguration": {"accountName": "a", "relativeMountPath": "p"}}]},
        {},
        "azureBlobFileSystemConfiguration.key (Azure does not return it): the mount p",
    ),
    "container of the task": (
        {"startTask": {"commandLine": "a", "containerSettings": {"imageName": "b"}}},
        {},
        "startTask.containerSettings",
    ),
    "scope": (
        {"startTask": {"commandLine": "a", "userIdentity": {"autoUser": {"scope": "task"}}}},
        {},
        "startTask.userIdentity.autoUser.scope task",
    ),
    "job network": (
        {"networkConfiguration": {"dynamicVNetAssignmentScope": "job"}},
        {},
        "networkConfiguration.dynamicVNetAssignmentScope job",
    ),
    "registry": (
        {},
        {"containerConfiguration": {"type": "dockerCompatible", "containerRegistries": [{"username": "me"}]}},
        "containerRegistries.0.password (Azure does not return it): the registry None",
    ),
    "write accelerator": ({}, {"osDisk": {"writeAcceleratorEnabled": True}}, "osDisk.writeAcceleratorEnabled"),
    "secure boot": (
        {},
        {"securityProfile": {"securityType": "trustedLaunch", "uefiSettings": {"secureBootEnabled": False}}},
        "securityProfile.uefiSettings.secureBootEnabled False",
    ),
    "proxy agent": ({}, {"securityProfile": {"proxyAgentSettings": {"enabled": True}}}, "proxyAgentSettings"),
    "artifact": ({}, {"serviceArtifactReference": {"id": "a"}}, "serviceArtifactReference"),
    "customer key": (
        {},
        {"diskEncryptionConfiguration": {"customerManagedKey": {"keyUrl": "a"}}},
        "diskEncryptionConfiguration.customerManagedKey",
    ),
}


@pytest.mark.parametrize("case", OMITTED)
def test_what_cannot_be_kept_is_named(case: str) -> None:
    body, machine, named = OMITTED[case]
    spec = PoolSpec.build("mypool", json.dumps(changed(body, machine)))
    assert len(spec.omitted or ()) == 1
    assert named in (spec.omitted or ("",))[0]


REFUSED: dict[str, tuple[Any, str, str]] = {
    "password": ({**C18, "userAccounts": [{"name": "a", "password": "hunter2"}]}, "a secret in clear text", "env:NAME"),
    "mount key": (
        {**C18, "mountConfiguration": [{"cifsMountConfiguration": {"source": "a", "password": "hunter2"}}]},
        "a secret in clear text",
        "env:NAME",
    ),
    "protected settings": (
        changed({}, {"extensions": [{"name": "a", "protectedSettings": {"key": "hunter2"}}]}),
        "a secret in clear text",
        "env:NAME",
    ),
    "SAS": (
        {**C18, "startTask": {"commandLine": "a", "resourceFiles": [{"httpUrl": "https://a/b?sig=hunter2"}]}},
        "contains a SAS token",
        "env:NAME",
    ),
    "cloud service": ({"vmSize": "small", "cloudServiceConfiguration": {"osFamily": "6"}}, "retired", "--from-vm"),
    "two pools": ([C18, {**C18, "id": "other"}], "contains 2 pools: mypool, other", "keep one pool"),
    "expression": (
        {**TEMPLATE, "resources": [{**ARM, "properties": {**ARM["properties"], "vmSize": "[concat('a', 'b')]"}}]},
        "properties.vmSize is an expression of the template",
        "az batch pool show",
    ),
    "parameter without a value": (
        {**TEMPLATE, "resources": [{**ARM, "properties": {**ARM["properties"], "vmSize": "[parameters('none')]"}}]},
        "properties.vmSize is an expression of the template",
        "write its value",
    ),
    "Marketplace image": (
        changed({}, {"imageReference": {"publisher": "canonical", "offer": "a", "sku": "b"}}),
        "from_vm is missing",
        "--from-vm",
    ),
    "any list": ([1, 2], "the body is not a mapping", "key: value"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_in_one_line(case: str) -> None:
    body, message, hint = REFUSED[case]
    with pytest.raises(SpecError) as caught:
        PoolSpec.build("q", json.dumps(body))
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert "hunter2" not in caught.value.message + caught.value.hint


def test_only_the_named_pool_of_a_template_is_evaluated() -> None:
    other = {**ARM, "name": "account/other", "properties": {**ARM["properties"], "vmSize": "[concat('a', 'b')]"}}
    spec = PoolSpec.build("mypool", json.dumps({**TEMPLATE, "resources": [other, *TEMPLATE["resources"]]}))
    assert spec == PoolSpec.build("mypool", json.dumps(TEMPLATE))


def test_references_to_secrets_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORD", "hunter2")
    users = [{"name": "me", "password": "env:WORD", "elevationLevel": "admin"}]
    spec = PoolSpec.build("mypool", {**C18, "userAccounts": users, "startTask": {
        "commandLine": "a", "userIdentity": {"username": "me"}}})  # fmt: skip
    assert spec.omitted == ()
    assert str(spec.user_accounts[0].password) == "env:WORD"
    assert spec.start_task is not None
    assert spec.start_task.user == "me"


def test_options_take_precedence() -> None:
    spec = PoolSpec.build("mypool", C18, from_vm="prep-vm", nodes=3, task_slots=2)
    assert (spec.from_vm, spec.from_version, spec.nodes, spec.formula, spec.task_slots) == ("prep-vm", None, 3, None, 2)
    assert PoolSpec.build("mypool", C18, ttl=28_800).ttl == 28_800


# -- the same pool again ------------------------------------------------------------------------------------------

PLAIN = f"""\
from_vm: prep-vm
vm_size: Standard_D4s_v5
task_slots: 3
inter_node: true
subnet: {SUBNET}
os_disk_gib: 128
os_disk_type: StandardSSD_LRS
os_disk_caching: ReadWrite
metadata: {{project: gene, year: "2026"}}
login_ports: [22, {{port: 8080, name: web, first: 30000, last: 30999, allow: [203.0.113.0/24, 198.51.100.7]}}]
start_task:
  command_line: /bin/sh -c 'mount -a && ./data/setup'
  elevation: admin
  environment: {{MODE: fast}}
  resource_files: [{{container: scripts, path: scripts, prefix: setup}}]
  retries: 2
  wait_for_success: false
mounts: [{{type: nfs, source: "10.0.0.4:/export", path: nfs, options: -o ro}}]
container_images: ["lab.azurecr.io/tool:1"]
disk_encryption: []
timeout: 40m
"""
ARM_ONLY = f"tags: {{cost-centre: '42'}}\nidentities: [{IDENTITY}]\n"
#: Descriptions, each with what differs from Azure's defaults.
MADE = {
    "plain": PLAIN + ARM_ONLY,
    "features": FEATURES.partition("extensions:")[0],
    "formula": "from_vm: prep-vm\nvm_size: Standard_D4s_v5\nformula: $TargetDedicatedNodes=2;\nformula_interval: 10m\n",
    "no address": f"from_vm: prep-vm\nvm_size: Standard_D4s_v5\nsubnet: {SUBNET}\nno_public_address: true\n",
}


def shown_documents(session: Session, name: str) -> list[dict[str, Any]]:
    """Return a pool as both planes show it, and as tools print it."""
    connection = connection_of(session)

    async def read() -> list[dict[str, Any]]:
        found = await pools.read(connection.azure, name)
        client = await connection.azure.batch()
        other = document(await connection.azure.call(client.get_pool(name)))
        assert found is not None
        return [found, other, snake(other)]

    return asyncio.run_coroutine_threadsafe(read(), connection.loop).result()


@pytest.mark.parametrize("made", MADE)
def test_a_pool_shown_and_taken_as_a_description_is_the_same_pool(session: Session, tmp_path: Path, made: str) -> None:
    (tmp_path / "addresses.json").write_text(json.dumps(address_documents()))
    session.connect(state=":memory:", speed="max", import_files=[str(tmp_path / "addresses.json")])
    session.create("genomics", spec=MADE[made])
    for shown in shown_documents(session, "genomics"):
        # The data plane shows neither tags nor identities.
        more = {} if "properties" in shown or made != "plain" else yaml.safe_load(ARM_ONLY)
        planned = session.plan("genomics", spec=json.dumps(shown, default=str), **more)
        steps = planned.set_index("step")
        assert steps.loc["pool", "action"] == "exists", steps.loc["pool", "why"]
        assert "warnings" not in planned.attrs or not [
            one for one in planned.attrs["warnings"] if one["rule"] == "pool-document"
        ]


def test_a_document_makes_a_pool_and_says_what_is_not_kept(tmp_path: Path) -> None:
    with ipython(state=":memory:", speed="max") as shell:
        run_cell(shell, "%batchimg create first --from-vm prep-vm --vm-size Standard_D4s_v5")
        version = run_cell(shell, "%batchimg images").id.iloc[-1]
        body = json.dumps(changed(OMITTED["certificates"][0], {"imageReference": {"virtualMachineImageId": version}}))
        made = run_cell(shell, f"%%batchimg create q\n{body}")
        assert made.set_index("step").loc["nodes", "detail"] == "the formula asks for 2 dedicated"
        found = [one["found"] for one in made.attrs["warnings"] if one["rule"] == "pool-document"]
        assert found == ["not kept: the name mypool (this pool is named q)", "not kept: certificateReferences"]
        path = tmp_path / "pool.json"
        path.write_bytes(body.encode("utf-16"))  # as PowerShell's > writes it
        again = run_cell(shell, f"%batchimg create q --spec {path}")
        assert set(again.set_index("step").loc[["pool", "nodes"], "action"]) == {"exists"}
