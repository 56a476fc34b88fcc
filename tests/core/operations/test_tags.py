"""Tags of the connection and of the spec: on everything that is created, checked before, and part of no hash."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batchimg_magics.emulator.arm.policies import ASSIGNMENTS
from batchimg_magics.emulator.world.store import Item
from batchimg_magics.errors import PolicyError, ResizeError, SpecError
from tests.support.connections import connection_of, emulator_of

if TYPE_CHECKING:
    from pathlib import Path

    from batchimg_magics.session.session import Session

LINE = {"vm_size": "Standard_D2s_v5", "canary": False}


def connected(session: Session, scenario: str = "calm", **tag: str) -> Session:
    session.connect(state=":memory:", speed="max", scenario=scenario, tag=tag)
    return session


def created(session: Session) -> dict[str, dict[str, str]]:
    """Return the tags of the resources of this tool, by type and name, deleted ones included."""
    store = emulator_of(session).store
    documents = [item.doc for item in store.items_below("/subscriptions") if item.doc.get("tags")]
    return {
        f"{one['type'].rpartition('/')[2]}/{one['name']}": one["tags"]
        for one in documents
        if "batchimg-made-by" in one["tags"]
    }


def test_a_policy_that_demands_a_tag_is_met_by_the_connection(session: Session) -> None:
    connected(session, "tag-policy", CostCenter="4711").create("p", from_vm="desk-vm", nodes=1, **LINE)
    tags = created(session)
    kinds = {name.partition("/")[0] for name in tags}
    assert {"snapshots", "disks", "virtualMachines", "galleries", "images", "versions"} <= kinds
    assert {name: one.get("CostCenter") for name, one in tags.items()} == dict.fromkeys(tags, "4711")
    assert session.connect(state=":memory:", tag={"a": "b"}).tags.tolist() == ["a=b"]


def test_without_the_tag_the_policy_and_the_remedy_are_named_at_once(session: Session) -> None:
    connected(session, "tag-policy")
    with pytest.raises(SpecError, match="policy 'Require a tag on resources'") as caught:
        session.create("p", from_vm="prep-vm", nodes=1, **LINE)
    assert "--tag CostCenter=VALUE" in caught.value.hint
    assert created(session) == {}


def test_what_the_service_denies_names_the_policy_and_the_remedy(session: Session) -> None:
    connected(session, "tag-policy")
    with pytest.raises(PolicyError, match="RequestDisallowedByPolicy: Resource 'p-") as caught:
        session.create("p", from_vm="prep-vm", nodes=1, accept=["policies"], **LINE)
    error = caught.value
    assert error.policy == "Require a tag on resources"
    assert "policy 'Require a tag on resources'" in error.message
    assert "{" not in error.message
    assert "--tag CostCenter=VALUE" in error.hint
    assert "role" not in error.hint
    assert created(session) == {}


def test_tags_of_the_spec_are_on_everything_and_change_nothing_else(session: Session) -> None:
    connected(session, Project="old", Owner="x").create("p", from_vm="prep-vm", nodes=1, tags={"project": "g"}, **LINE)
    image = session.pools().image[0]
    for name, tags in created(session).items():
        assert (tags.get("project"), tags.get("Owner"), "Project" in tags) == ("g", "x", False), name
    steps = session.create("p", from_vm="prep-vm", nodes=1, tags={"project": "h"}, **LINE)
    assert dict(zip(steps.step, steps.action, strict=True))["pool"] == "changed"
    assert session.pools().image[0] == image
    assert session.pools().dedicated[0] == 1
    pool = session.call(lambda azure: azure.get(f"{azure.scope.pool_id('p')}?api-version=2025-06-01"))
    assert {key: value for key, value in pool.json()["tags"].items() if "batchimg" not in key} == {
        "project": "h",
        "Owner": "x",
    }
    # A connection without tags leaves those that are there.
    connection_of(session).azure.resource_tags.clear()
    assert set(session.create("p", from_vm="prep-vm", nodes=1, **LINE).action) == {"exists"}


BAD: dict[str, tuple[dict[str, str], str]] = {
    "signs": ({"a/b": "1", "c?": "2"}, "contains /; the tag name 'c?' contains"),
    "long name": ({"n" * 513: "1"}, "has 513 characters"),
    "long value": ({"n": "v" * 257}, "the value of tag 'n' has 257 characters"),
    "case": ({"Owner": "1", "owner": "2"}, "differ only in case"),
    "azure": ({"azure-x": "1"}, "reserved for Azure"),
    "windows": ({"Windows": "1"}, "reserved for Azure"),
    "microsoft": ({"MICROSOFT.x": "1"}, "reserved for Azure"),
    "ours": ({"batchimg-pool": "q"}, "ownership tags of this tool"),
    "many": ({f"t{n}": "1" for n in range(42)}, "42 tags are too many"),
    "no name": ({" ": "1"}, "a tag has no name"),
}


@pytest.mark.parametrize("case", BAD)
def test_tags_that_azure_would_refuse(session: Session, case: str) -> None:
    tags, said = BAD[case]
    with pytest.raises(SpecError) as caught:
        session.connect(state=":memory:", tag=tags)
    assert said in caught.value.message
    with pytest.raises(SpecError) as caught:
        session.plan("p", from_vm="prep-vm", tags=tags, **LINE)
    assert said in caught.value.message


def test_as_many_tags_as_azure_takes(session: Session) -> None:
    tags = {f"t{number}": "v" * 256 for number in range(41)}
    session.connect(state=":memory:", speed="max", tag=tags)
    session.create("p", from_vm="desk-vm", nodes=0, **LINE)
    assert max(map(len, created(session).values())) <= 50


def test_both_sources_together_are_checked_before_anything(session: Session) -> None:
    connected(session, **{f"c{number}": "1" for number in range(30)})
    with pytest.raises(SpecError, match="60 tags are too many"):
        session.create("p", from_vm="prep-vm", tags={f"s{number}": "1" for number in range(30)}, **LINE)
    assert created(session) == {}


def test_tags_as_words(session: Session) -> None:
    assert session.connect(state=":memory:", tag=["a=b", "c=d=e"]).tags.tolist() == ["a=b, c=d=e"]
    with pytest.raises(SpecError, match="'a' is not a tag"):
        session.connect(state=":memory:", tag="a")
    with pytest.raises(SpecError, match="twice"):
        session.connect(state=":memory:", tag=["a=b", "a=c"])


def test_nodes_in_the_users_subscription_get_the_tags(session: Session, tmp_path: Path) -> None:
    state = str(tmp_path / "state.db")
    session.connect(state=state, speed="max", scenario="tag-policy")
    store = emulator_of(session).store
    (account,) = store.items("microsoft.batch/batchaccounts", "/subscriptions")
    account.doc["properties"] |= {"poolAllocationMode": "UserSubscription"}
    for name in ("dedicatedCoreQuota", "lowPriorityCoreQuota", "dedicatedCoreQuotaPerVMFamily"):
        account.doc["properties"].pop(name)
    store.put(account)
    session.connect(state=state, speed="max", tag={"CostCenter": "4711", "Owner": "x"})
    store = emulator_of(session).store
    session.create("p", from_vm="prep-vm", nodes=1, **LINE)
    assert session.pools().dedicated[0] == 1
    store.set_meta("scenario", "calm")
    key = "/providers/Microsoft.Management/managementGroups/m/providers/Microsoft.Authorization/policyAssignments/tags"
    definition = "/providers/Microsoft.Authorization/policyDefinitions/871b6d14-10aa-478d-b590-94f262ecfa99"
    properties = {"policyDefinitionId": definition, "parameters": {"tagName": {"value": "Project"}}}
    store.put(Item(key.lower(), ASSIGNMENTS, {"id": key, "name": "tags", "properties": properties}))
    with pytest.raises(ResizeError, match="the Azure policy 'Require a tag on resources'") as caught:
        session.resize("p", nodes=2)
    assert "--tag Project=VALUE" in caught.value.hint


def test_a_packer_template_has_the_tags(session: Session) -> None:
    session.connect(state=":memory:", tag={"Cost": 'a "b" ${c}'})
    text = session.packer("base").attrs["text"]
    assert '  azure_tags = {\n    "Cost" = "a \\"b\\" $${c}"\n  }\n' in text
    session.connect(state=":memory:")
    assert "azure_tags" not in session.packer("base").attrs["text"]
