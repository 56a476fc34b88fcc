"""An emulator with a short method for requests to any of its hosts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from batchimg_magics.emulator.app import DEFAULT_START, App
from batchimg_magics.emulator.furnish import GROUP, SUBSCRIPTION, furnish
from batchimg_magics.emulator.world.clock import ManualClock
from batchimg_magics.emulator.world.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping

ARM = "https://management.azure.com"
TOP = f"{ARM}/subscriptions/{SUBSCRIPTION}"
IN_GROUP = f"{TOP}/resourceGroups/{GROUP}"
COMPUTE = f"{IN_GROUP}/providers/Microsoft.Compute"
BEARER = {"Authorization": "Bearer any"}


@dataclass(slots=True)
class EmulatorResponse:
    status: int
    headers: dict[str, str]
    body: Any

    @property
    def code(self) -> str:
        return str(self.body["error"]["code"])

    @property
    def message(self) -> str:
        return str(self.body["error"]["message"])


class EmulatorClient:
    """An emulator in memory with the default resources; the test advances its time."""

    def __init__(self, **options: Any) -> None:
        self.store = Store(start=DEFAULT_START.timestamp())
        furnish(self.store)
        self.clock = ManualClock(DEFAULT_START.timestamp())
        self.app = App(self.store, self.clock, **{"control": True, **options})

    def ask(
        self, method: str, url: str, body: Any = None, *, version: str = "", headers: Mapping[str, str] = BEARER
    ) -> EmulatorResponse:
        """Send a request for a URL; an api-version is added to it if one is given."""
        if version:
            url += f"{'&' if '?' in url else '?'}api-version={version}"
        content = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
        answer = self.app.answer(method, quote(url, safe="/:?&=$%,+[]"), headers, content)
        return EmulatorResponse(
            answer.status, answer.headers, msgspec.json.decode(answer.body) if answer.body else None
        )
