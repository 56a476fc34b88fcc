"""`show` through Session: everything about a pool, also where a part cannot be read, and what a deleted pool cost."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics import NotFoundError, Session
from batchimg_magics.connection.connection import Connection
from batchimg_magics.core.azure.cloud import AZURE_CLOUDS
from tests.support.connections import connection_of
from tests.support.faults import set_faults

if TYPE_CHECKING:
    from collections.abc import Iterator

SPEC = """
start_task:
  command_line: >-
    /bin/sh -c 'curl https://s.blob.core.windows.net/x && true' ; TOKEN=hidden sh -c "x --api-key hidden" --port 1
    AccountKey=hidden= https://ana:hidden@host/x -H "Authorization: Bearer hiddenhiddenhidden"
  environment: {API_KEY: hidden, COLOUR: green}
"""


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with Session() as opened:
        opened.connect(state=":memory:", speed="max")
        opened.create("full", from_vm="prep-vm", vm_size="Standard_D4s_v5", nodes=2, ttl="8h", spec=SPEC)
        yield opened


def values(session: Session, name: str = "full") -> dict[str, Any]:
    return dict(session.show(name).attrs["values"])


def test_everything_about_a_pool_is_told_by_stable_names(session: Session) -> None:
    shown = session.show("full")
    assert shown["property"].is_unique
    text = shown.set_index("property")["value"]
    assert shown.attrs["caption"] == "LOCAL · pool full: 2 idle"
    assert text["dedicated_nodes"] == "2 of 2"
    assert text["start_task"] == (
        "/bin/sh -c 'curl https://s.blob.core.windows.net/x && true' ; TOKEN=*** sh -c \"x --api-key ***\" --port 1 "
        'AccountKey=*** https://***@host/x -H "Authorization: Bearer ***"'
    )
    advice = shown.loc[shown["section"] == "next", "value"]
    assert list(advice) == [
        'session.nodes("full")', 'session.resize("full", nodes=2)', 'session.delete("full")',
    ]  # fmt: skip
    assert text["start_task_environment"] == "API_KEY=***, COLOUR=green"
    assert text["image_source_vm"].endswith("/virtualMachines/prep-vm")
    assert text["public_ip_addresses"] == "created by Batch"
    assert text["dedicated_family_cores_left"].startswith("992 of 1000 dedicated cores of standardDSv5Family left")
    assert text["usd_so_far"].startswith("$0.")
    assert "since the pool was created on" in text["usd_so_far"]
    found = json.loads(json.dumps(shown.attrs["values"]))
    assert (found["dedicated_idle"], found["vcpus"], found["memory_gib"], found["active_jobs"]) == (2, 4, 16, 0)
    assert found["image_replicas"] == {"eastus": 1}
    assert found["usd_per_hour"] == pytest.approx(float(session.pools().set_index("pool").loc["full", "usd_per_hour"]))
    assert found["next_delete"] == 'session.delete("full")'
    assert "portal" not in found
    assert "hidden" not in " ".join(shown["value"]) + json.dumps(found)


@pytest.mark.parametrize(
    ("cloud", "host"),
    [
        ("AzureCloud", "https://portal.azure.com"),
        ("AzureUSGovernment", "https://portal.azure.us"),
        ("AzureChinaCloud", "https://portal.azure.cn"),
    ],
)
def test_a_real_connection_links_to_the_portal_of_its_cloud(
    session: Session, monkeypatch: pytest.MonkeyPatch, cloud: str, host: str
) -> None:
    azure = connection_of(session).azure
    assert azure.cloud == AZURE_CLOUDS["AzureCloud"]
    portal = dataclasses.replace(azure.cloud, portal=AZURE_CLOUDS[cloud].portal)
    monkeypatch.setattr(azure, "cloud", portal)  # the other hosts stay those of the emulator
    monkeypatch.setattr(Connection, "is_billed", True)
    assert values(session)["portal"] == f"{host}/#resource{azure.scope.account_id}/overview"


def test_a_part_that_is_refused_is_a_row(session: Session) -> None:
    for path, what in (
        ("/jobs", "jobs"),
        ("/virtualMachineSkus", "VM sizes"),
        ("/pools/full/nodes", "nodes"),
        ("/galleries/", "image"),
    ):
        set_faults(session, method="GET", path=path, status=403, code="AuthorizationFailed", times=50)
        connection_of(session).azure.memo.clear()  # what was read before
        shown = session.show("full")
        unread = shown[shown["section"] == "not read"].set_index("property")["value"]
        assert unread[f"unread:{what}"] == "403 AuthorizationFailed", what
        assert what in shown.attrs["caption"]
        assert "start_task" in set(shown["property"])
    set_faults(session)


def test_the_cost_grows_and_is_known_after_the_pool_is_gone(session: Session) -> None:
    session.create("brief", from_vm="prep-vm", vm_size="Standard_D4s_v5", nodes=2)
    first = values(session, "brief")["usd_so_far"]
    session.wait("brief")
    session.resize("brief", nodes=1)
    later = values(session, "brief")["usd_so_far"]
    assert 0 < first < later
    listed = session.pools().set_index("pool")["usd_so_far"]
    assert float(listed["brief"]) == pytest.approx(later, rel=0.2)
    gone = session.delete("brief", yes=True)
    assert "pool brief: deleted; it cost about $0." in gone.attrs["caption"]
    told = session.history("brief")
    (cost,) = told.attrs["costs"]
    assert (cost["deleted"], cost["usd"] >= later) == (True, True)
    assert f"as seen from this computer: ${cost['usd']:.2f} (deleted 2026-07-01" in told.attrs["caption"]
    assert {one["pool"] for one in session.history().attrs["costs"]} == {"full", "brief"}
    with pytest.raises(NotFoundError) as caught:
        session.show("brief")
    assert "it was deleted on 2026-07-01" in caught.value.hint
    assert "cost about $0." in caught.value.hint
    with pytest.raises(NotFoundError) as caught:
        session.show("never")
    assert "deleted" not in caught.value.hint
