"""Finds the function that handles a path."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batchimg_magics.emulator.http.messages import Plane, Route


class Router:
    """Routes as a tree of path segments: finding one takes one dictionary look-up for each segment.

    Parameters
    ----------
    routes
        The routes.
    shared
        A router for what is not found in them; many emulators have the routes of the services in common.
    """

    def __init__(self, routes: Iterable[Route], shared: Router | None = None) -> None:
        self._shared = shared
        self._trees: dict[str, dict[str, Any]] = {}
        for route in routes:
            node = self._trees.setdefault(route.plane, {})
            for segment in route.path.strip("/").split("/"):
                node = node.setdefault("{}" if segment.startswith("{") else segment.lower(), {})
            node.setdefault("", []).append(route)
        # Clients ask for the same few things again and again.
        self._find = functools.lru_cache(maxsize=4096)(self._find_in_trees)

    def find(self, plane: Plane, method: str, path: str, version: str) -> tuple[Route | None, dict[str, str]]:
        """Return the route of a request with its parameters, or None.

        HEAD uses the route of GET if it has none of its own. Literal segments take precedence over parameters. A route
        that needs an api-version is also found without one: the plane then refuses the request.
        """
        route, params = self._find(plane, method, path, version)
        if route is None and self._shared is not None:
            return self._shared.find(plane, method, path, version)
        return route, dict(params)

    def _find_in_trees(self, plane: Plane, method: str, path: str, version: str) -> tuple[Route | None, dict[str, str]]:
        segments = [unquote(part) for part in path.strip("/").split("/")]
        methods = ("HEAD", "GET") if method == "HEAD" else (method,)
        for wanted in methods:
            route = self._walk(self._trees.get(plane, {}), segments, 0, wanted, version)
            if route is not None:
                names = route.path.strip("/").split("/")
                return route, {n[1:-1]: s for n, s in zip(names, segments, strict=True) if n.startswith("{")}
        return None, {}

    def _walk(self, node: dict[str, Any], segments: list[str], at: int, method: str, version: str) -> Route | None:
        if at == len(segments):
            return next((route for route in node.get("", ()) if _matches(route, method, version)), None)
        for key in (segments[at].lower(), "{}"):
            if key and key in node:
                route = self._walk(node[key], segments, at + 1, method, version)
                if route is not None:
                    return route
        return None


def _matches(route: Route, method: str, version: str) -> bool:
    in_bounds = not version or (route.since <= version and (not route.until or version <= route.until))
    return route.method == method and in_bounds
