"""Another client of the same pools: plain requests to the emulator at given moments."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.app import App
from batchimg_magics.emulator.furnish import ACCOUNT, REGION
from batchimg_magics.emulator.http import faults
from batchimg_magics.emulator.transport import EmulatorResponse
from tests.support.forwarding_transport import ForwardingTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.emulator.emulator import Emulator

VERSION = "2025-06-01"
DEPARTED_STATES = {"leavingpool", "preempted", "deallocating", "deallocated"}


@dataclass
class ConcurrentClient:
    """Another client of the same account: sends requests without the SDKs, at the simulated time."""

    local: Emulator
    app: App = field(init=False)

    def __post_init__(self) -> None:
        self.app = App(self.local.store, self.local.clock)

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        joint = "&" if "?" in path else "?"
        url = f"https://{ACCOUNT}.{REGION}.batch.azure.com{path}{joint}api-version={VERSION}"
        content = b"" if body is None else json.dumps(body).encode()
        headers = {"authorization": "Bearer any", "content-type": "application/json"}
        answer = self.app.answer(method, url, headers, content)
        return answer.status, json.loads(answer.body) if answer.body else None

    def nodes(self, pool: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        path = f"/pools/{pool}/nodes"
        while path:
            status, body = self.ask("GET", path)
            if status == 404:
                return []
            found += body["value"]
            following = body.get("odata.nextLink", "")
            path = following.partition(".azure.com")[2].replace(f"api-version={VERSION}", "")
        return found

    def count_nodes(self, pool: str) -> tuple[int, int]:
        nodes = [node for node in self.nodes(pool) if node["state"] not in DEPARTED_STATES]
        dedicated = sum(node["isDedicated"] for node in nodes)
        return dedicated, len(nodes) - dedicated

    def act(self, pool: str, action: str) -> None:
        """Change a pool, if Azure allows it; pending faults do not apply to the requests."""
        kept = faults.pending_faults(self.local.store)
        faults.set_pending_faults(self.local.store, [])
        self._act(pool, action)
        faults.set_pending_faults(self.local.store, kept)

    def _act(self, pool: str, action: str) -> None:
        if action == "resize":
            self.ask("POST", f"/pools/{pool}/resize", {"targetDedicatedNodes": 3, "targetLowPriorityNodes": 1})
        elif action == "stop":
            self.ask("POST", f"/pools/{pool}/stopresize")
        elif action == "autoscale":
            formula = {"autoScaleFormula": "$TargetDedicatedNodes = 2;"}
            self.ask("POST", f"/pools/{pool}/enableautoscale", formula)
        elif action == "delete":
            self.ask("DELETE", f"/pools/{pool}")
        elif action == "remove" and (nodes := self.nodes(pool)):
            self.ask("POST", f"/pools/{pool}/removenodes", {"nodeList": [nodes[0]["id"]]})
        elif action == "reboot" and (nodes := self.nodes(pool)):
            self.ask("POST", f"/pools/{pool}/nodes/{nodes[0]['id']}/reboot")


@dataclass
class ObservedTransport(ForwardingTransport):
    """A transport that records the requests, and calls a function right before one of them."""

    actions: dict[int, Callable[[], None]] = field(default_factory=dict)
    max_requests: int = 10**9
    log: list[tuple[str, str, Any, int]] = field(default_factory=list)
    acted: list[int] = field(default_factory=list)
    waiting: list[tuple[str, int, Callable[[], None]]] = field(default_factory=list)
    hidden: tuple[str, ...] = ()

    def before_request(self, path: str, nth: int, action: Callable[[], None]) -> None:
        """Call a function right before the n-th request from now whose URL contains a text."""
        self.waiting.append((path, nth, action))

    def hide_properties(self, *names: str) -> None:
        """Remove properties of the Batch account from the responses."""
        self.hidden = names

    def _count(self, url: str) -> None:
        left = []
        for path, nth, action in self.waiting:
            if path not in url:
                left.append((path, nth, action))
            elif nth > 1:
                left.append((path, nth - 1, action))
            else:
                action()
                self.acted.append(len(self.log))
        self.waiting = left

    async def send(self, request: Any, **kwargs: Any) -> Any:
        at = len(self.log)
        if at > self.max_requests:
            raise AssertionError("it does not end")
        if action := self.actions.pop(at, None):
            action()
            self.acted.append(at)
        self._count(request.url)
        content = getattr(request, "content", None) or getattr(request, "body", None)
        body = json.loads(content) if content else None
        self.log.append((request.method, request.url, body, 0))
        answer = await self.inner.send(request, **kwargs)
        self.log[at] = (request.method, request.url, body, answer.status_code)
        return self._without_hidden(request, answer)

    def _without_hidden(self, request: Any, answer: Any) -> Any:
        """Return a response without the hidden properties."""
        if self.hidden and request.method == "GET" and "/batchaccounts/" in request.url.lower():
            found = json.loads(answer.body())
            for name in self.hidden:
                found.get("properties", {}).pop(name, None)
            return EmulatorResponse(request, msgspec.structs.replace(answer.answer, body=json.dumps(found).encode()))
        return answer

    def last(self, part: str) -> int:
        """Return the position of the last request whose URL contains a text."""
        return max((at for at, (_, url, _, _) in enumerate(self.log) if part in url), default=-1)

    def resizes(self) -> list[dict[str, Any]]:
        """Return the bodies of the accepted resizes."""
        return [body for method, url, body, status in self.log if "/resize?" in url and status == 202]
