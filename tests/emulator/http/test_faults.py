"""Simulated faults: which requests fail, how often, and the format of the responses."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from azure.core.exceptions import ServiceRequestError, ServiceResponseError
from azure.core.rest import HttpRequest
from msgspec import structs

from batchimg_magics.emulator import open_emulator
from batchimg_magics.emulator.batch.fleet.node_times import ALLOCATION_TIMES
from batchimg_magics.emulator.batch.model.scenarios import NodeEffects
from batchimg_magics.emulator.furnish import ACCOUNT, GROUP, REGION
from batchimg_magics.emulator.http import scenarios
from batchimg_magics.emulator.http.messages import ConnectionDroppedError
from batchimg_magics.emulator.http.scenarios import SCENARIOS, Fault, Scenario
from batchimg_magics.emulator.transport import EmulatorTransport
from tests.support.emulator_client import ARM, BEARER, COMPUTE, IN_GROUP, TOP, EmulatorClient
from tests.support.paths import ROOT

FAULTS = f"{ARM}/_sim/faults"
GROUPS = f"{TOP}/resourcegroups"
NEW = f"{TOP}/resourcegroups/new"


def wrong(client: EmulatorClient, *single: dict[str, Any]) -> None:
    response = client.ask("POST", FAULTS, {"faults": list(single)})
    assert response.status == 200, response.body


def groups(client: EmulatorClient) -> int:
    return client.ask("GET", GROUPS, version="2021-04-01").status


def test_single_fault_happens_once_to_what_it_matches() -> None:
    client = EmulatorClient()
    wrong(client, {"method": "GET", "path": "/resourcegroups$", "status": 503, "retry_after_s": 7})
    assert client.ask("GET", TOP, version="2021-04-01").status == 200
    response = client.ask("GET", GROUPS, version="2021-04-01")
    assert (response.status, response.code, response.headers["Retry-After"]) == (503, "ServiceUnavailable", "7")
    assert groups(client) == 200
    assert client.ask("GET", FAULTS).body["faults"] == []


def test_fault_skips_requests_and_repeats_as_set() -> None:
    client = EmulatorClient()
    wrong(client, {"status": 500, "skip": 2, "times": 2})
    assert [groups(client) for _ in range(5)] == [200, 200, 500, 500, 200]


def test_fault_for_ever_ends_when_it_is_taken_back() -> None:
    client = EmulatorClient()
    wrong(client, {"path": "resourcegroups", "status": 429, "times": None})
    assert {groups(client) for _ in range(5)} == {429}
    wrong(client)
    assert groups(client) == 200


def test_batch_plane_words_a_fault_its_own_way() -> None:
    client = EmulatorClient()
    wrong(client, {"status": 503})
    response = client.ask("GET", f"https://{ACCOUNT}.{REGION}.batch.azure.com/pools", version="2025-06-01")
    assert (response.status, response.body["code"]) == (503, "ServerBusy")


@pytest.mark.parametrize(("lost", "made"), [("request", 404), ("answer", 200)])
def test_lost_connection_leaves_the_work_undone_or_done(lost: str, made: int) -> None:
    client = EmulatorClient()
    wrong(client, {"method": "PUT", "lost": lost})
    with pytest.raises(ConnectionDroppedError) as caught:
        client.ask("PUT", NEW, {"location": REGION}, version="2021-04-01")
    assert caught.value.handled is (made == 200)
    assert client.ask("GET", NEW, version="2021-04-01").status == made


@pytest.mark.parametrize(("lost", "error"), [("request", ServiceRequestError), ("answer", ServiceResponseError)])
def test_transport_drops_the_connection_with_the_sdk_s_error(lost: str, error: type[Exception]) -> None:
    client = EmulatorClient()
    wrong(client, {"lost": lost})
    transport = EmulatorTransport(client.app, client.clock)
    request = HttpRequest("GET", f"{GROUPS}?api-version=2021-04-01", headers=BEARER)
    with pytest.raises(error):
        asyncio.run(transport.send(request))


@pytest.mark.parametrize(
    "single",
    [{}, {"status": 200}, {"status": 503, "lost": "answer"}, {"status": 503, "path": "("}, {"status": 503, "x": 1}],
)
def test_invalid_fault_is_refused(single: dict[str, Any]) -> None:
    client = EmulatorClient()
    assert client.ask("POST", FAULTS, {"faults": [single]}).status == 400
    assert client.ask("GET", FAULTS).body["faults"] == []


def test_every_scenario_is_documented() -> None:
    page = (ROOT / "docs/emulator.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| ([a-z-]+) \| (.*) \|$", page, re.MULTILINE))
    rows.pop("scenario")
    assert rows == {name: scenario.description for name, scenario in SCENARIOS.items()}


def test_every_property_of_a_fault_is_documented() -> None:
    page = (ROOT / "docs/emulator.md").read_text(encoding="utf-8")
    assert [name for name in Fault.__struct_fields__ if f"`{name}`" not in page] == []


def test_scenarios_are_listed_and_set() -> None:
    client = EmulatorClient()
    assert client.ask("GET", FAULTS).body["scenario"] == "calm"
    response = client.ask("POST", FAULTS, {"scenario": "quota", "allocation": {"unusable": 0.5}})
    assert response.body["scenario"] == "quota"
    assert response.body["allocation"] == {"unusable": 0.5}
    assert set(response.body["scenarios"]) == set(SCENARIOS)
    assert client.ask("POST", FAULTS, {"scenario": "stormy"}).status == 400


def test_quotas_are_small_in_the_scenario_and_whole_again_after_it() -> None:
    client = EmulatorClient()
    account = f"{IN_GROUP}/providers/Microsoft.Batch/batchAccounts/{ACCOUNT}"
    listed = f"{IN_GROUP}/providers/Microsoft.Batch/batchAccounts"
    before = client.ask("GET", account, version="2024-07-01").body
    client.ask("POST", FAULTS, {"scenario": "quota"})
    small = client.ask("GET", account, version="2024-07-01").body["properties"]
    assert (small["dedicatedCoreQuota"], small["lowPriorityCoreQuota"]) == (40, 16)
    assert max(family["coreQuota"] for family in small["dedicatedCoreQuotaPerVMFamily"]) == 32
    assert client.ask("GET", listed, version="2024-07-01").body["value"][0]["properties"] == small
    client.ask("POST", FAULTS, {"scenario": "calm"})
    assert client.ask("GET", account, version="2024-07-01").body == before


def test_flaky_scenario_fails_in_every_declared_way() -> None:
    client = EmulatorClient()
    client.ask("POST", FAULTS, {"scenario": "flaky"})
    seen: dict[Any, int] = {}
    for _ in range(1500):
        try:
            outcome: Any = groups(client)
        except ConnectionDroppedError as error:
            outcome = error.handled
        seen[outcome] = seen.get(outcome, 0) + 1
    assert set(seen) == {200, 429, 500, 503, True, False}
    assert 0.88 < seen[200] / 1500 < 0.97
    assert client.ask("GET", FAULTS).status == 200


def test_flaky_scenario_is_the_same_each_time() -> None:
    def outcomes() -> list[int | bool]:
        client, found = EmulatorClient(), []
        client.ask("POST", FAULTS, {"scenario": "flaky"})
        for _ in range(200):
            try:
                found.append(groups(client))
            except ConnectionDroppedError as error:
                found.append(error.handled)
        return found

    assert outcomes() == outcomes()


def test_unknown_scenario_does_not_open() -> None:
    with pytest.raises(ValueError, match="no scenario is called 'stormy'"):
        open_emulator(scenario="stormy")


def test_scenario_is_stored_in_the_state() -> None:
    client = EmulatorClient()
    assert scenarios.current(client.store) is SCENARIOS["calm"]
    scenarios.set_scenario(client.store, "flaky")
    assert scenarios.current(client.store) is SCENARIOS["flaky"]


def test_every_scenario_but_calm_has_an_effect() -> None:
    effects = {name: structs.replace(scenario, description="") != Scenario("") for name, scenario in SCENARIOS.items()}
    assert effects == {name: name != "calm" for name in SCENARIOS}


@pytest.mark.parametrize("name", SCENARIOS)
def test_effects_on_nodes_are_known_ones(name: str) -> None:
    assert SCENARIOS[name].allocation.keys() <= {field.name for field in structs.fields(NodeEffects)}


def test_large_pools_are_as_slow_as_declared() -> None:
    slowed = SCENARIOS["slow-large"].allocation["slowed"]
    assert slowed * ALLOCATION_TIMES.wave_s["gallery"] == 330


def test_control_routes_are_there_only_when_asked_for() -> None:
    client = EmulatorClient(control=False)
    assert client.ask("GET", FAULTS).status == 501
    assert client.ask("GET", f"{COMPUTE}/disks", version="2023-10-02").status == 200
    assert GROUP
