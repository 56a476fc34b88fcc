"""Several regions: replicas in the requested regions; a region whose replication failed is repaired alone."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics.core.compute import replication
from batchimg_magics.errors import ProvisioningError, SpecError, WaitTimeoutError
from batchimg_magics.resource_ids import ResourceId
from batchimg_magics.session.session import Session
from tests.support.connections import connection_of
from tests.support.crash import CrashTransport
from tests.support.documents import disk, managed, vm
from tests.support.faults import set_scenario

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AGENT = "batch.node.ubuntu 22.04"
AWAY = {"from_vm": "north-vm", "vm_size": "Standard_D4s_v3", "generalized": True}


class Recording(CrashTransport):
    """A transport that keeps what was sent to image versions."""

    bodies: list[dict[str, Any]]

    async def send(self, request: Any, **kwargs: Any) -> Any:
        if request.method == "PUT" and "/versions/" in request.url:
            self.bodies.append(json.loads(request.content))
        return await super().send(request, **kwargs)


@pytest.fixture
def sent() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def north(tmp_path: Path, sent: list[dict[str, Any]]) -> Iterator[Session]:
    """Return a session whose Batch account is in eastus and whose VM is in northeurope."""

    def wrap_transport(inner: Any) -> Recording:
        line = Recording(inner)
        line.bodies = sent
        return line

    documents = [vm("north-vm", managed("north-os")), disk("north-os")]
    for one in documents:
        one["location"] = "northeurope"
    (tmp_path / "vm.json").write_text(json.dumps(documents))
    with Session(wrap_transport=wrap_transport) as opened:
        files = [str(tmp_path / "vm.json")]
        opened.connect(state=":memory:", speed="max", import_files=files, generalized=True)
        yield opened


def states(session: Session) -> dict[str, str]:
    """Return region to state of its copies."""
    version = session.images().id[0]
    connection = connection_of(session)
    call = replication.read(connection.azure, ResourceId.parse(version))
    found = asyncio.run_coroutine_threadsafe(call, connection.loop).result()
    return {one["region"]: one["state"] for one in found["properties"]["replicationStatus"]["summary"]}


def regions(body: dict[str, Any]) -> list[str]:
    return [one["name"].replace(" ", "").lower() for one in body["properties"]["publishingProfile"]["targetRegions"]]


def test_replicas_are_where_they_are_asked_for(north: Session) -> None:
    line = {**AWAY, "replicas": {"West US": 2, "uksouth": 1}}
    planned = north.plan("genomics", nodes=61, spot=240, **line).set_index("step")
    assert planned.loc["image version", "why"].endswith("replicas northeurope=1, eastus=2, westus=2, uksouth=1")
    north.create("genomics", nodes=1, **line)
    assert north.images().regions[0] == "northeurope=1, eastus=1, westus=2, uksouth=1"


def test_more_are_added_and_none_is_taken_away(north: Session, sent: list[dict[str, Any]]) -> None:
    north.create("genomics", replicas={"westus": 2}, **AWAY)
    assert list(north.plan("genomics", **AWAY).query("step == 'image version'").action) == ["exists"]
    more = {**AWAY, "replicas": {"westus": 1, "uksouth": 3}}
    assert list(north.plan("genomics", **more).query("step == 'replicas'").action) == ["would create"]
    steps = north.create("genomics", **more).set_index("step")
    assert steps.loc["replicas", "action"] == "changed"
    assert steps.loc["replicas", "detail"] == "uksouth=3"
    assert north.images().regions[0] == "northeurope=1, eastus=1, westus=2, uksouth=3"
    assert len(sent) == 2
    assert set(north.create("genomics", **more).action) == {"exists"}


def test_a_region_that_failed_is_repaired_alone(north: Session, sent: list[dict[str, Any]]) -> None:
    set_scenario(north, "no-replica")
    with pytest.raises(ProvisioningError, match=r"could not be copied to eastus") as caught:
        north.create("genomics", replicas={"westus": 1}, nodes=1, **AWAY)
    assert "run the same command again" in caught.value.hint
    assert states(north) == {"North Europe": "Completed", "East US": "Failed", "West US": "Completed"}
    without, whole = {"northeurope", "westus"}, {"northeurope", "westus", "eastus"}
    assert [set(regions(body)) for body in sent[1:]] == [without, whole]
    safety = [body["properties"]["safetyProfile"] for body in sent[1:]]
    assert [one["allowDeletionOfReplicatedLocations"] for one in safety] == [True, False]
    set_scenario(north, "calm")
    del sent[:]
    steps = north.create("genomics", replicas={"westus": 1}, nodes=1, **AWAY).set_index("step")
    assert (steps.loc["image version", "action"], steps.loc["image version", "detail"]) == (
        "changed",
        "eastus repaired",
    )
    assert set(states(north).values()) == {"Completed"}
    assert [set(regions(body)) for body in sent] == [without, whole]
    assert len(north.images()) == 1
    assert set(north.nodes("genomics").state) == {"idle"}


def test_a_pool_is_not_pinned_to_a_version_that_is_not_in_its_region(north: Session) -> None:
    set_scenario(north, "no-replica")
    with pytest.raises(ProvisioningError):
        north.create("genomics", **AWAY)
    pinned = {"from_version": north.images().id[0], "vm_size": "Standard_D4s_v3", "node_agent_sku": AGENT}
    with pytest.raises(SpecError, match="replication to eastus failed"):
        north.create("second", **pinned)
    set_scenario(north, "calm")
    north.create("genomics", **AWAY)
    north.create("second", nodes=1, **pinned)
    assert set(north.nodes("second").state) == {"idle"}


def test_a_version_without_replicas_is_reported(session: Session) -> None:
    set_scenario(session, "no-replica")  # the VM's region is the account's
    with pytest.raises(ProvisioningError, match="in its own region, eastus") as caught:
        session.create("genomics", from_vm="prep-vm", vm_size="Standard_D4s_v5")
    version = session.images().id[0]
    assert f"`%batchimg delete {version}`" in caught.value.hint
    set_scenario(session, "calm")
    session.delete(version)
    assert "created" in set(session.create("genomics", from_vm="prep-vm", vm_size="Standard_D4s_v5").action)


def test_a_replication_that_does_not_end_is_given_up_and_resumed(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replication, "WAIT_LIMIT_S", 3600.0)
    state = {"state": str(tmp_path / "state.db"), "speed": "max"}
    line = {"from_vm": "prep-vm", "vm_size": "Standard_D2s_v5", "nodes": 0}
    session.connect(**state, scenario="stuck-replication")
    with pytest.raises(WaitTimeoutError, match=r"image version 1.0.0 in eastus: not finished after 60 min") as caught:
        session.create("p", **line)
    assert "run the same command again" in caught.value.hint
    assert list(session.images().state) == ["Creating"]
    session.connect(**state, scenario="calm")
    assert set(session.create("p", **line).action) == {"exists", "created"}
    assert list(session.images().state) == ["Succeeded"]
