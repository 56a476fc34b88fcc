"""Microsoft.Batch compared with recorded traffic, if it is beside the checkout.

Excerpts begin in the middle: the pools that they show and nobody makes in them are made first, from what they show.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from batchimg_magics.emulator import create_app
from tests.support.paths import SHARED
from tests.support.recordings import load_replay_tool, read_exchanges

if TYPE_CHECKING:
    from pathlib import Path

RECORDINGS = sorted(
    [
        *SHARED.glob("recordings/cli-batch*.jsonl"),
        *SHARED.glob("recordings/sdk-mgmt-batch*.jsonl"),
        *SHARED.glob("recordings/transcribed/*batch*.jsonl"),
    ]
)
pytestmark = pytest.mark.skipif(not RECORDINGS, reason="the recordings are not beside this checkout")
_SETTABLE = (
    "id", "displayName", "vmSize", "virtualMachineConfiguration", "userAccounts", "networkConfiguration", "metadata",
    "startTask", "taskSlotsPerNode",
)  # fmt: skip


def unmade_pools(exchanges: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return URL of the pools -> body, of the pools that a recording shows and does not make."""
    made = {
        e["request"]["id"] for e in exchanges if e["method"] == "POST" and e["uri"].split("?")[0].endswith("/pools")
    }
    shown: dict[str, dict[str, Any]] = {}
    for e in exchanges:
        body, parts = e["response"], urlsplit(e["uri"])
        pool = isinstance(body, dict) and str(body.get("odata.metadata", "")).endswith("#pools/@Element")
        if pool and {"id", "vmSize"} <= set(body) and body["id"] not in made:
            url = f"https://{parts.netloc}/pools?{parts.query.split('&')[0]}"
            kept = {name: body[name] for name in _SETTABLE if name in body}
            if "userAccounts" in kept:
                kept["userAccounts"] = [user | {"password": "not shown"} for user in kept["userAccounts"]]
            shown.setdefault(url, kept)
    return shown


async def answer_to(run: Any, e: dict[str, Any]) -> Any:
    """Send an exchange with our nodes' ids, and wait for nodes to boot where the recorded ones had."""
    text = json.dumps(e["request"])
    for theirs, ours in run.nodes.items():
        text = text.replace(theirs, ours)
    e = e | {"request": json.loads(text)}
    answer = await run.settle(e)
    for _ in range(20):
        if (
            "lastBootTime" not in json.dumps(e["response"])
            or "lastBootTime" in answer.text
            or answer.status_code != 200
        ):
            break
        await run.control("advance", {"seconds": 30})
        answer = await run.send(e)
    return answer


async def play(exchanges: list[dict[str, Any]]) -> list[tuple[int, str, list[str]]]:
    """Return (number, request, differences) of every exchange that differs."""
    run = load_replay_tool().Replay(create_app())
    await run.seed(exchanges)
    first_list = next((e["response"] or {} for e in exchanges if e["uri"].split("?")[0].endswith("/nodes")), {})
    for url, body in unmade_pools(exchanges).items():
        nodes = len(first_list.get("value", []))
        body["targetDedicatedNodes"] = nodes
        answer = await run.client.post(url, json=body, headers={"Authorization": "Bearer replay"})
        assert answer.status_code == 201, answer.text
        await run.control("advance", {"seconds": 60 if nodes else 2})
    wrong = []
    for number, e in enumerate(exchanges, 1):
        answer = await answer_to(run, e)
        run.learn(e, answer)
        said, _, _ = run.compare(e, answer)
        if said:
            wrong.append((number, f"{e['method']} {urlsplit(e['uri']).path[-60:]}", said))
    await run.client.aclose()
    return wrong


@pytest.mark.parametrize("file", RECORDINGS, ids=lambda file: file.stem)
def test_answers_are_the_recorded_ones(file: Path) -> None:
    assert asyncio.run(play(read_exchanges(file))) == []
