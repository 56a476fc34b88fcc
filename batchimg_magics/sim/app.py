"""The ASGI app: hosts, routes, authentication, api-versions, error bodies.

`App.answer` is the whole of it: one request in, one transaction, one answer out, no waiting in between. The in-process
transport calls it straight; `App.__call__` is the ASGI face of it for servers and test clients.
"""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import formatdate
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from batchimg_magics.sim.wire import Call, Plane, Refusal, Reply, Route, Routes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from batchimg_magics.sim.clock import Clock
    from batchimg_magics.sim.world import World

ARM_HOST = "management.azure.com"
BATCH_SUFFIX = ".batch.azure.com"


@dataclass(slots=True)
class Answer:
    """What goes over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes


class Router:
    """Routes as a tree of path segments: finding one costs a dictionary look-up a segment."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._trees: dict[str, dict[str, Any]] = {}
        for route in routes:
            node = self._trees.setdefault(route.plane, {})
            for segment in route.path.strip("/").split("/"):
                node = node.setdefault("{}" if segment.startswith("{") else segment.lower(), {})
            node.setdefault("", []).append(route)

    def find(self, plane: Plane, method: str, path: str, version: str) -> tuple[Route | None, dict[str, str], set[str]]:
        """Return the route with its parameters, and the methods that the path takes when none fits."""
        segments = [unquote(part) for part in path.strip("/").split("/")]
        found = self._walk(self._trees.get(plane, {}), segments, 0)
        if found is None:
            return None, {}, set()
        for route in found:
            if route.method == method and (route.since or "") <= version and version <= (route.until or "~"):
                names = route.path.strip("/").split("/")
                params = {n[1:-1]: s for n, s in zip(names, segments, strict=True) if n.startswith("{")}
                return route, params, set()
        return None, {}, {route.method for route in found}

    def _walk(self, node: dict[str, Any], segments: list[str], at: int) -> list[Route] | None:
        if at == len(segments):
            return node.get("")
        for key in (segments[at].lower(), "{}"):
            if key in node and (found := self._walk(node[key], segments, at + 1)) is not None:
                return found
        return None
