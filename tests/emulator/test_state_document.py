"""The control API writes the whole state, puts it back, and begins again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics.emulator import create_app, open_emulator
from batchimg_magics.emulator.furnish import ACCOUNT, SUBSCRIPTION
from tests.support.emulator_client import IN_GROUP, TOP, EmulatorClient, EmulatorResponse

if TYPE_CHECKING:
    from pathlib import Path

SIM = "https://localhost/_sim"
BATCH = f"https://{ACCOUNT}.eastus.batch.azure.com"
VERSION = "2024-07-01.20.0"
POOL: dict[str, Any] = {
    "id": "p",
    "vmSize": "standard_d2s_v3",
    "targetDedicatedNodes": 3,
    "userAccounts": [{"name": "me", "password": "Secret-1!"}],
    "startTask": {
        "commandLine": "true",
        "resourceFiles": [{"httpUrl": "https://s.blob.core.windows.net/c/x?sv=1&sig=S%2Bx&se=2", "filePath": "x"}],
    },
    "virtualMachineConfiguration": {
        "nodeAgentSKUId": "batch.node.ubuntu 22.04",
        "imageReference": {"publisher": "canonical", "offer": "0001-com-ubuntu-server-jammy", "sku": "22_04-lts"},
    },
}


@pytest.fixture
def azure() -> EmulatorClient:
    """Return an emulator in which a pool is resizing, 20 s after its creation."""
    client = EmulatorClient()
    assert client.ask("POST", f"{BATCH}/pools", POOL, version=VERSION).status == 201
    client.ask("POST", f"{SIM}/faults", {"scenario": "preemption", "faults": [{"status": 503, "path": "/none"}]})
    client.ask("POST", f"{SIM}/advance", {"seconds": 20})
    return client


def dump(client: EmulatorClient) -> Any:
    answer = client.ask("GET", f"{SIM}/dump")
    assert answer.status == 200
    return answer.body


def load(client: EmulatorClient, document: Any) -> EmulatorResponse:
    return client.ask("POST", f"{SIM}/load", document)


def nodes(client: EmulatorClient) -> Any:
    return client.ask("GET", f"{BATCH}/pools/p/nodes", version=VERSION).body["value"]


def pool(client: EmulatorClient) -> EmulatorResponse:
    return client.ask("GET", f"{BATCH}/pools/p", version=VERSION)


def watch(client: EmulatorClient) -> list[Any]:
    """Advance the time in steps; return what clients see, without start tasks: their URL has changed."""
    seen = []
    for seconds in (0.0, 15.0, 10.0, 200.0):
        now = client.ask("POST", f"{SIM}/advance", {"seconds": seconds}).body
        found = [node | {"startTask": None} for node in nodes(client)]
        seen.append((now, pool(client).body | {"startTask": None}, found))
    return seen


def test_state_is_put_back_as_it_was_and_goes_on_at_the_same_time(azure: EmulatorClient) -> None:
    document = dump(azure)
    seen = watch(azure)
    assert [len(found) for _, _, found in seen] != [3] * 4  # it was resizing
    assert azure.ask("POST", f"{SIM}/reset").status == 200
    assert pool(azure).status == 404
    assert load(azure, json.loads(json.dumps(document))).body == seen[0][0]
    assert dump(azure) == document
    elsewhere = EmulatorClient()
    assert load(elsewhere, document).status == 200
    assert dump(elsewhere) == document
    assert watch(azure) == seen
    assert watch(elsewhere) == seen


def test_document_has_no_secrets_of_templates(azure: EmulatorClient) -> None:
    template = {
        "parameters": {"adminPassword": {"type": "SecureString", "defaultValue": "S-1"}, "size": {"type": "string"}},
        "resources": [{"osProfile": {"adminPassword": "[parameters('adminPassword')]", "customData": "S-2"}}],
    }
    given = {"adminPassword": {"value": "S-3"}, "size": {"value": "small"}}
    key = f"{IN_GROUP.removeprefix('https://management.azure.com')}/providers/Microsoft.Resources/deployments/d"
    document = {
        "id": key,
        "name": "d",
        "type": "Microsoft.Resources/deployments",
        "properties": {"template": template, "parameters": given},
    }
    assert azure.ask("POST", f"{SIM}/import", {"resources": [document]}).status == 200
    (found,) = [item["doc"]["properties"] for item in dump(azure)["items"] if item["key"] == key.lower()]
    assert found["parameters"] == {"adminPassword": {}, "size": {"value": "small"}}
    assert found["template"] == {
        "parameters": {"adminPassword": {"type": "SecureString"}, "size": {"type": "string"}},
        "resources": [{"osProfile": {"adminPassword": "[parameters('adminPassword')]"}}],
    }


def test_document_has_no_secrets(azure: EmulatorClient) -> None:
    text = json.dumps(dump(azure))
    assert "Secret-1!" not in text
    assert "S%2Bx" not in text
    assert "sv=1&sig=removed&se=2" in text
    assert "secret" not in dump(azure)["settings"]


def test_document_has_no_custom_data_of_vms(azure: EmulatorClient) -> None:
    document = dump(azure)
    vm = next(one for one in document["items"] if one["kind"] == "microsoft.compute/virtualmachines")
    vm["hidden"]["custom_data"] = "U2VjcmV0LTM="
    assert load(azure, document).status == 200
    assert "U2VjcmV0LTM=" not in json.dumps(dump(azure))


def test_reset_is_as_new(azure: EmulatorClient) -> None:
    new = dump(EmulatorClient())
    assert azure.ask("POST", f"{SIM}/reset", {}).body == {"now": "2026-07-01T09:00:00.0000000Z"}
    found = dump(azure)
    assert {**found["settings"], "counter": 0, "origin": 0} == {**new["settings"], "counter": 0, "origin": 0}
    assert {**found, "settings": 0} == {**new, "settings": 0}


def test_reset_to_an_empty_state_leaves_the_subscription(azure: EmulatorClient) -> None:
    assert azure.ask("POST", f"{SIM}/reset", {"empty": True}).status == 200
    assert azure.ask("GET", f"{TOP}/resourcegroups", version="2021-04-01").body == {"value": []}
    assert azure.ask("GET", TOP, version="2022-12-01").body["subscriptionId"] == SUBSCRIPTION
    disk = {
        "location": "eastus",
        "sku": {"name": "Premium_LRS"},
        "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4},
    }
    put = ("PUT", f"{IN_GROUP}/providers/Microsoft.Compute/disks/d", disk)
    assert azure.ask(*put, version="2023-10-02").code == "ResourceGroupNotFound"
    azure.ask("POST", f"{SIM}/reset")  # the default resources are there again
    assert azure.ask(*put, version="2023-10-02").status == 202


def test_empty_state_file_stays_empty(tmp_path: Path) -> None:
    first = open_emulator(tmp_path / "s.db", speed=1, control=True)
    first.app.answer("POST", f"{SIM}/reset", {}, b'{"empty": true}')
    first.close()
    second = open_emulator(tmp_path / "s.db", speed=1)
    assert second.accounts() == []
    second.close()


def test_open_and_closed_worlds_stay_what_they_are() -> None:
    for is_open in (True, False):
        client = EmulatorClient()
        client.app = create_app(open=is_open)
        group = ("GET", f"{IN_GROUP}?api-version=2021-04-01")
        client.ask("POST", f"{SIM}/reset")
        assert (client.ask(*group).status == 200) is is_open
        client.ask("POST", f"{SIM}/reset", {"empty": True})
        assert client.ask(*group).status == 404
        client.ask("POST", f"{SIM}/reset")
        assert (client.ask(*group).status == 200) is is_open


def changed(document: Any, *path: Any, value: Any) -> Any:
    """Return the document with another value in one place; ``...`` as the value removes it."""
    copy = json.loads(json.dumps(document))
    inner = copy
    for part in path[:-1]:
        inner = inner[part]
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return copy


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("layout",), 99), (("layout",), ...), (("time",), -1), (("time",), "now"), (("items",), {}),
        (("time",), 1e300), (("items", 0, "key"), "UPPER"), (("items", 0, "doc"), []), (("items", 0, "kind"), ...),
        (("more",), 1), (("settings", "scenario"), "none"), (("settings", "seed"), "x"), (("settings", "counter"), ...),
        (("settings", "secret"), "00"), (("settings", "faults"), [{"status": "x"}]), (("time",), 5.0),
    ],
)  # fmt: skip
def test_document_that_does_not_fit_changes_nothing(azure: EmulatorClient, path: Any, value: Any) -> None:
    before = dump(azure)
    answer = load(azure, changed(before, *path, value=value))
    assert answer.status == 400
    assert "\n" not in answer.message
    assert dump(azure) == before


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"{", b'"x"'])
def test_what_is_no_document_is_refused(azure: EmulatorClient, body: bytes) -> None:
    assert load(azure, body).status == 400


def test_resource_whose_state_does_not_fit_is_named(azure: EmulatorClient) -> None:
    document = dump(azure)
    (number,) = [number for number, item in enumerate(document["items"]) if item["key"].endswith("/pools/p")]
    answer = load(azure, changed(document, "items", number, "hidden", "fleet", value=5))
    assert answer.status == 400
    assert "/pools/p: " in answer.message
    for work in (5, {"kind": "Creating"}, {"kind": "Creating", "begin": None, "end": 5}):
        answer = load(azure, changed(document, "items", 0, "hidden", value={"work": work}))
        assert (answer.status, document["items"][0]["key"] in answer.message) == (400, True)
    twice = {**document, "items": [*document["items"], document["items"][0]]}
    assert "not the id of one resource" in load(azure, twice).message
    assert azure.ask("POST", f"{SIM}/reset", {"emtpy": True}).status == 400


def test_large_states_are_taken(azure: EmulatorClient) -> None:
    document = dump(azure)
    item = {"key": "/subscriptions/x/large", "kind": "a/b", "doc": {"text": "x" * 5_000_000}, "hidden": {}}
    assert load(azure, {**document, "items": [*document["items"], item]}).status == 200


def test_time_goes_back_for_every_process_and_requests_are_not_throttled_for_it(tmp_path: Path) -> None:
    here = open_emulator(tmp_path / "s.db", speed=0.001, control=True)
    there = open_emulator(tmp_path / "s.db", speed=0.001)
    bearer = {"Authorization": f"Bearer {here.credential.issue('https://management.azure.com')}"}
    groups = ("GET", f"{TOP}/resourcegroups?api-version=2021-04-01", bearer)
    start = here.clock.now()
    here.app.answer("POST", f"{SIM}/advance", {}, b'{"seconds": 86400}')
    assert here.app.answer(*groups).status == 200
    assert here.app.answer("POST", f"{SIM}/reset", {}).status == 200
    assert there.clock.now() == pytest.approx(start, abs=60)
    assert here.app.answer(*groups).status == 200
    for one in (here, there):
        one.close()
