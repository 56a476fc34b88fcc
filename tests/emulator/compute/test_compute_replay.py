"""Microsoft.Compute compared with recorded traffic, if it is beside the checkout."""

from __future__ import annotations

import asyncio
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
        *SHARED.glob("recordings/cli-gallery*.jsonl"),
        *SHARED.glob("recordings/cli-snapshot*.jsonl"),
        *SHARED.glob("recordings/cli-vm*.jsonl"),
        *SHARED.glob("recordings/transcribed/*-compute-[0-9]*.jsonl"),
    ]
)
pytestmark = pytest.mark.skipif(not RECORDINGS, reason="the recordings are not beside this checkout")


def begun_before(exchanges: list[dict[str, Any]]) -> set[str]:
    """Return the addresses that a recording polls of operations that began before it does.

    What comes out of one, a command's output or a resource, nobody can know.
    """
    begun = {
        urlsplit(e["headers"][name]).path
        for e in exchanges
        for name in ("azure-asyncoperation", "location")
        if name in e["headers"]
    }
    paths = {urlsplit(e["uri"]).path for e in exchanges}
    return {path for path in paths if "perations/" in path and path not in begun}


async def play(exchanges: list[dict[str, Any]]) -> list[tuple[int, str, list[str]]]:
    """Return (number, request, differences) of every exchange that differs."""
    run = load_replay_tool().Replay(create_app())
    await run.seed(exchanges)
    unknown = begun_before(exchanges)
    wrong = []
    for number, e in enumerate(exchanges, 1):
        path = urlsplit(e["uri"]).path
        answer = await run.settle(e)
        run.learn(e, answer)
        said, _, _ = run.compare(e, answer)
        if path in unknown:
            said = [one for one in said if "output" not in one and "monitor=true" not in e["uri"]]
        if said:
            wrong.append((number, f"{e['method']} {path[-60:]}", said))
    await run.client.aclose()
    return wrong


@pytest.mark.parametrize("file", RECORDINGS, ids=lambda file: file.stem)
def test_answers_are_the_recorded_ones(file: Path) -> None:
    assert asyncio.run(play(read_exchanges(file))) == []
