"""The request that creates a pool, compared with the models of Azure's SDKs: every name and every value."""

from __future__ import annotations

import enum
import json
from importlib import import_module
from typing import Any, get_args, get_origin, get_type_hints

import azure.batch.models as batch_models
import azure.mgmt.batch.models as arm_models
import pytest

from batchimg_magics.core.azure import tags
from batchimg_magics.core.azure.client import Scope
from batchimg_magics.core.batch import pool_request
from batchimg_magics.core.batch.pools import PoolImage
from batchimg_magics.core.compute.image_source import Source, SourceDisk
from batchimg_magics.pool_spec.pool import PoolSpec
from batchimg_magics.pool_spec.secrets import reveal_secrets
from tests.support.documents import GROUP
from tests.support.pool_yaml import ARM_ONLY_YAML, COMMON_YAML, IDENTITY, SECRETS, SUBNET

SCOPE = Scope("4f1c9a52-7d3e-4b8a-9c60-2e5d81f7a034", "research", "genomicsbatch")
IMAGE = f"{GROUP}/galleries/g/images/i/versions/1.0.0"
Json = dict[str, Any]


def source(security: str = "Standard") -> Source:
    return Source(
        id=f"{GROUP}/virtualMachines/v",
        unique_id="1",
        region="eastus",
        os_type="Linux",
        generation="V2",
        architecture="x64",
        security_type=security,
        uefi=None,
        marketplace=None,
        generalized=True,
        disks=(SourceDisk(f"{GROUP}/disks/os", None, "ReadWrite"),),
        unmanaged=(),
    )


def body(text: str = COMMON_YAML + ARM_ONLY_YAML, security: str = "Standard") -> Json:
    spec = PoolSpec.build("genomics", text + "application_packages: {aligner: '2', viewer: }\n")
    return pool_request.pool_body(
        spec, source(security), PoolImage(IMAGE, "0"), "batch.node.ubuntu 22.04", "Standard_D4s_v5", SCOPE.account_id
    )


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


def strange(model: Any, value: Any, where: str = "") -> list[str]:
    """Return the names and words in a body that its SDK model does not have."""
    if isinstance(value, list):
        return [one for row in value for one in strange(model, row, where)]
    if isinstance(model, type) and issubclass(model, enum.Enum):
        return [] if value in [word.value for word in model] else [f"{where}={value}"]
    if not (isinstance(value, dict) and isinstance(model, type) and hasattr(model, "_is_model")):
        return []
    module = import_module(model.__module__)
    hints = get_type_hints(model, {**vars(module), "_models": import_module(module.__package__ or "")})
    fields = {
        field._rest_name_input or name: hints[name]
        for each in reversed(model.__mro__)
        for name, field in vars(each).items()
        if type(field).__name__ == "_RestField"
    }
    found = [f"{where}.{name}" for name in value if name not in fields]
    for name in value.keys() & fields.keys():
        found += strange(_inside(fields[name]), value[name], f"{where}.{name}")
    return found


def _inside(hint: Any) -> Any:
    """Return the model or the enumeration in an annotation such as Optional[list[Union[str, Word]]]."""
    if get_origin(hint) is dict:
        return None  # its names are anybody's
    if isinstance(hint, type) and not get_args(hint):
        return hint if hasattr(hint, "_is_model") or issubclass(hint, enum.Enum) else None
    return next((found for one in get_args(hint) if (found := _inside(one)) is not None), None)


@pytest.mark.parametrize("security", ["Standard", "TrustedLaunch", "ConfidentialVM"])
def test_each_dialect_is_its_planes(security: str) -> None:
    whole = body(security=security)
    assert strange(arm_models.Pool, whole) == []
    other = pool_request.data_plane_body(whole, "genomics")
    assert strange(batch_models.BatchPoolCreateOptions, other) == []
    # The check itself sees a wrong name and a wrong word.
    assert strange(batch_models.BatchPoolCreateOptions, whole["properties"])
    assert strange(arm_models.Pool, {"properties": other})


def test_the_two_dialects_describe_the_same_pool() -> None:
    whole = body()
    other = pool_request.data_plane_body(whole, "genomics")
    props, machine = whole["properties"], whole["properties"]["deploymentConfiguration"]["virtualMachineConfiguration"]
    assert other["id"] == "genomics"
    assert other["targetDedicatedNodes"] == other["targetLowPriorityNodes"] == 0
    assert other["enableInterNodeCommunication"] is True
    assert other["virtualMachineConfiguration"]["imageReference"] == {"virtualMachineImageId": IMAGE}
    assert machine["imageReference"] == {"id": IMAGE}
    assert not {"tags", "identity", "scaleSettings", "deploymentConfiguration"} & other.keys()
    nat = other["networkConfiguration"]["endpointConfiguration"]["inboundNATPools"]
    assert [(port["name"], port["protocol"], port["backendPort"]) for port in nat] == [
        ("ssh", "tcp", 22), ("web", "tcp", 8080),
    ]  # fmt: skip
    rules = nat[1]["networkSecurityGroupRules"]
    assert [(one["priority"], one["access"], one["sourceAddressPrefix"]) for one in rules] == [
        (150, "allow", "203.0.113.0/24"), (151, "deny", "*"),
    ]  # fmt: skip
    application = f"{SCOPE.account_id}/applications/"
    assert props["applicationPackages"] == [
        {"id": application + "aligner", "version": "2"},
        {"id": application + "viewer"},
    ]
    assert other["applicationPackageReferences"][1] == {"applicationId": application + "viewer"}
    assert other["metadata"] == props["metadata"]
    assert props["networkConfiguration"]["subnetId"] == SUBNET
    assert whole["identity"] == {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}}}


def test_no_public_address() -> None:
    text = f"from_vm: a\nvm_size: Standard_D4s_v5\nno_public_address: true\nsubnet: {SUBNET}\n"
    network = body(text)["properties"]["networkConfiguration"]
    assert network["publicIPAddressConfiguration"] == {"provision": "NoPublicIPAddresses"}
    said = pool_request.data_plane_body(body(text))["networkConfiguration"]["publicIPAddressConfiguration"]
    assert said == {"provision": "nopublicipaddresses"}


def test_secrets_are_put_in_only_where_it_is_sent() -> None:
    whole = body()
    text = json.dumps(whole, default=str) + repr(whole)
    assert not [value for value in SECRETS.values() if value in text]
    sent = json.dumps(reveal_secrets(whole))
    assert all(value in sent for value in SECRETS.values())
    assert "env:" not in sent


def test_hashes_and_marks_do_not_know_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    before = body()
    monkeypatch.setenv("USER_PASSWORD", "another-word")
    assert body() == before
    assert body(COMMON_YAML)["tags"][tags.SPEC] == before["tags"][tags.SPEC]
    assert body(COMMON_YAML.replace("retries: 2", "retries: 3"))["tags"][tags.SPEC] != before["tags"][tags.SPEC]
