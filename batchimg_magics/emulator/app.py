"""The ASGI app. Each request is one transaction and is answered without waiting.

`App.answer` handles a request. The in-process transport calls it directly; `App.__call__` is the ASGI interface for
servers and test clients.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import pkgutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from batchimg_magics.emulator.arm import (
    api_versions,
    bodies,
    locks,
    missing_routes,
    open_world,
    pages,
    policies,
    resources,
)
from batchimg_magics.emulator.batch.model import network_access
from batchimg_magics.emulator.control import control_routes
from batchimg_magics.emulator.http import planes
from batchimg_magics.emulator.http.asgi import answer_lifespan, read_body
from batchimg_magics.emulator.http.decoding import decode_body
from batchimg_magics.emulator.http.faults import raise_fault, take_fault
from batchimg_magics.emulator.http.messages import Call, ConnectionDroppedError, Refusal, Reply, Routes
from batchimg_magics.emulator.http.router import Router
from batchimg_magics.emulator.services import providers, roles, tenants
from batchimg_magics.emulator.world.clock import ManualClock
from batchimg_magics.emulator.world.database import ReadOnlyTransactionError, StateError
from batchimg_magics.emulator.world.store import Store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from batchimg_magics.emulator.http.messages import Plane, Route
    from batchimg_magics.emulator.http.planes import Destination
    from batchimg_magics.emulator.http.throttling import Throttle
    from batchimg_magics.emulator.world.clock import Clock

_PACKAGE = __name__.rpartition(".")[0]
#: The packages whose modules have the routes of the app. No two routes match the same request, so the order does not
#: matter.
ROUTE_PACKAGES = ("network", "compute.routes", "batch.routes", "services")
#: The default start of simulated time with an instant or a manual clock, so that results are the same every time.
DEFAULT_START = datetime(2026, 7, 1, 9, tzinfo=UTC)
#: What a request without a route asks, by plane.
_SERVICES = {
    "batch": "this operation of the Azure Batch service",
    "login": "this operation of the sign-in service",
    "prices": "this operation of the price list",
}
#: Header with the client's own request id -> header that asks to return it; of Batch, and of ARM.
_RETURNED_IDS = {
    "client-request-id": "return-client-request-id",
    "x-ms-client-request-id": "x-ms-return-client-request-id",
}


class HttpResponse(msgspec.Struct):
    """A response as it is sent."""

    status: int
    headers: dict[str, str]
    body: bytes


class App:
    """Handles requests.

    Parameters
    ----------
    store
        The emulator state.
    clock
        The simulated time.
    check_token
        Called with a bearer token and the audiences of the plane. Returns (code, message) if the token is invalid, else
        None. Without it any bearer token is accepted; a request without a token is refused.
    check_key
        Called with a request to the data plane and its ``account:signature``. Returns a message if the signature is
        invalid, else None. Without it any signature is accepted.
    control
        Whether the control API under ``/_sim/`` is enabled: import of documents, time, faults.
    throttle
        The token buckets of ARM; without it requests are not throttled.

    Attributes
    ----------
    store, clock
        As given.
    router
        Finds the route of a request.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        check_token: Callable[[str, frozenset[str]], tuple[str, str] | None] | None = None,
        check_key: Callable[[Call, str], str | None] | None = None,
        control: bool = False,
        throttle: Throttle | None = None,
    ) -> None:
        self.store = store
        self.clock = clock
        self._check_token = check_token
        self._check_key = check_key
        self._throttle = throttle
        #: Called after each request that may have changed something.
        self.on_write: Callable[[], None] | None = None
        self.router = Router(control_routes(clock).table if control else (), _service_router())
        with store.transaction(write=True):
            self._id_prefix = store.new_guid("app")[:-12]
        self._numbers = itertools.count(1)

    def answer(self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"") -> HttpResponse:
        """Answer one request.

        Parameters
        ----------
        method, headers, body
            As sent.
        url
            The full URL, with scheme and host.

        Raises
        ------
        ConnectionDroppedError
            A simulated fault drops the connection.
        """
        call, destination = self._call(method, url, headers)
        fault, left = take_fault(call, destination.plane), {}
        try:
            if fault is not None:
                raise_fault(fault, destination.plane)
            if self._throttle is not None and destination.plane == "arm":
                left = self._throttle.take(call, self.clock.now())
            reply = self._in_transaction(call, destination, body)
        except Refusal as refusal:
            shape = planes.error_body(
                destination.plane, refusal, base=call.base, request_id=call.request_id, now=call.now or self.clock.now()
            )
            reply = Reply(refusal.status, shape, refusal.headers)
        if fault is not None and fault.lost:
            raise ConnectionDroppedError(handled=True)
        reply.headers = left | reply.headers
        self.clock.note(call.now)
        return self._write(call, destination.plane, reply)

    def _call(self, method: str, url: str, headers: Mapping[str, str]) -> tuple[Call, Destination]:
        """Return a request as handlers take it, and its destination."""
        host, base, query, destination = _split(url)
        call = Call(
            store=self.store,
            now=0.0,
            method=method.upper(),
            host=host,
            path=destination.path,
            base=base,
            params={"account": destination.account} if destination.account else {},
            query=dict(query),
            headers={name.lower(): value for name, value in headers.items()},
            request_id=f"{self._id_prefix}{next(self._numbers):012x}",
            send=self._send,
        )
        return call, destination

    def _in_transaction(self, call: Call, destination: Destination, body: bytes) -> Reply:
        """Run the handler of a request in a transaction; read-only requests do not block each other."""
        if call.method in ("GET", "HEAD"):
            try:
                with self.store.transaction(write=False):
                    return self._handle(call, destination, body)
            except ReadOnlyTransactionError:
                pass  # something that is due has to be stored: run it again for writing
        with self.store.transaction(write=True):
            try:
                answer: Reply | Refusal = self._handle(call, destination, body)
            except Refusal as refusal:
                if not refusal.keep_writes:
                    raise
                answer = refusal
            self.store.record_time(call.now)
        if self.on_write is not None:
            self.on_write()
        if isinstance(answer, Refusal):
            raise answer
        return answer

    def _handle(self, call: Call, destination: Destination, body: bytes) -> Reply:
        call.now = self.clock.now()
        plane = destination.plane
        if plane is None:
            raise planes.unknown_host(call.method, call.host, call.path)
        self._authenticate(call, plane)
        route, params = self.router.find(plane, call.method, call.path, call.api_version)
        if route is None or route.versioned:
            planes.check_version(plane, call.api_version)
        if route is None:
            raise _unknown_route(call, plane)
        planes.check_names(plane, params.values())
        planes.check_timeout(plane, call.query)
        call.params |= params
        if plane == "arm":
            return _answer_arm(call, route, body)
        if plane == "batch":
            network_access.check(call)
        call.body = decode_body(plane, body)
        return route.handler(call)

    def _send(self, call: Call) -> Reply:
        """Handle a request to Resource Manager that the handler of another one makes, in its transaction."""
        route, params = self.router.find("arm", call.method, call.path, call.api_version)
        planes.check_version("arm", call.api_version)
        if route is None:
            raise planes.unknown_route(call.method, call.path, call.api_version)
        planes.check_names("arm", params.values())
        call.params = params
        _check_arm(call)
        return _answer_decoded(call, route)

    def _authenticate(self, call: Call, plane: Plane) -> None:
        """Refuse a request that needs a token and has none, or an invalid one."""
        if plane not in planes.AUDIENCES or call.path.lower().startswith("/metadata/"):
            return
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        if not token:
            problem = "Authentication failed. The 'Authorization' header is missing."
            raise planes.unauthenticated(plane, problem)
        if plane == "batch" and scheme.lower() == "sharedkey":
            if self._check_key and (wrong_key := self._check_key(call, token)):
                raise planes.unauthenticated(plane, wrong_key, status=403)
            return
        if scheme.lower() != "bearer":
            raise planes.unauthenticated(plane, "Authentication failed. The 'Authorization' header is invalid.")
        if self._check_token and (wrong := self._check_token(token, planes.AUDIENCES[plane])):
            code, problem = wrong
            raise planes.unauthenticated(plane, problem, code)

    def _write(self, call: Call, plane: Plane | None, reply: Reply) -> HttpResponse:
        headers = planes.headers(plane, now=call.now or self.clock.now(), request_id=call.request_id)
        for wanted, asked in _RETURNED_IDS.items():
            if call.headers.get(asked, "").lower() == "true":
                headers[wanted] = call.headers.get(wanted, "")
        if reply.body is None or reply.status in planes.STATUSES_WITHOUT_BODY:
            content = b""
        else:
            headers["Content-Type"] = planes.content_type(plane)
            content = reply.body if isinstance(reply.body, bytes) else msgspec.json.encode(reply.body)
        headers |= reply.headers
        length = len(content)
        if call.method == "HEAD":  # of a file, the answer has its size
            content, length = b"", length if isinstance(reply.body, bytes) else 0
        headers["Content-Length"] = str(length)
        return HttpResponse(reply.status, headers, content)

    def _refuse(self, method: str, url: str, headers: Mapping[str, str], error: StateError) -> HttpResponse:
        """Return the response to a request that the state file cannot serve: it is damaged, or the disk is full."""
        call, destination = self._call(method, url, headers)
        call.now = self.clock.now()
        refusal = Refusal(500, "InternalServerError", f"The emulator cannot use its state file: {error}")
        shape = planes.error_body(destination.plane, refusal, base=call.base, request_id=call.request_id, now=call.now)
        return self._write(call, destination.plane, Reply(refusal.status, shape, refusal.headers))

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        """Implement ASGI: HTTP, and the lifespan protocol of servers."""
        if scope["type"] == "lifespan":
            await answer_lifespan(receive, send)
            return
        if scope["type"] != "http":
            raise RuntimeError(f"the emulator supports HTTP, not {scope['type']}")
        body = await read_body(receive)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        path = scope.get("raw_path") or scope["path"].encode()
        query = scope.get("query_string", b"")
        host = headers.get("host") or "{}:{}".format(*(scope.get("server") or ("localhost", 80)))
        url = f"{scope.get('scheme', 'http')}://{host}{path.split(b'?')[0].decode('latin-1')}"
        try:
            answer = self.answer(scope["method"], f"{url}?{query.decode('latin-1')}" if query else url, headers, body)
        except ConnectionDroppedError:
            # ASGI cannot drop a connection; a server does so when a response is incomplete.
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
            return
        except StateError as error:
            answer = self._refuse(scope["method"], url, headers, error)
        pairs = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": pairs})
        await send({"type": "http.response.body", "body": answer.body})


def create_app(
    *,
    open: bool = True,  # noqa: A002 - the name of the mode; no file is opened here
    start: datetime | None = None,
    seed: int = 0,
) -> App:
    """Return an app with its own state in memory and with the control API; it accepts any bearer token.

    Time advances only by ``POST /_sim/advance``. Every subscription exists.

    Parameters
    ----------
    open
        Whether what a request depends on exists although no request created it: resource groups, accounts, sources of
        copies. ``open=True`` only for replays: recordings do not show how their resources were created. With
        ``open=False`` only what a request or an import created exists.
    start
        Start of the simulated time; by default 2026-07-01T09:00:00Z.
    seed
        Seed of ids and random choices.
    """
    begin = (start or DEFAULT_START).timestamp()
    store = Store(start=begin, seed=seed)
    open_world.set_open(store, value=open)
    open_world.add_every_subscription(store)
    return App(store, ManualClock(begin), control=True)


@functools.cache
def provider_routes(packages: tuple[str, ...] = ROUTE_PACKAGES) -> tuple[Routes, ...]:
    """Return the route tables in the modules of packages, each table once.

    Parameters
    ----------
    packages
        Names of packages in this one.
    """
    found: dict[int, Routes] = {}
    for package in packages:
        path = importlib.import_module(f"{_PACKAGE}.{package}").__path__
        for module in sorted(pkgutil.iter_modules(path), key=lambda module: module.name):
            values = vars(importlib.import_module(f"{_PACKAGE}.{package}.{module.name}")).values()
            # A module may import the table of another module.
            found.update((id(value), value) for value in values if isinstance(value, Routes))
    return tuple(found.values())


@functools.cache
def _service_router() -> Router:
    """Return the router of the services, which all emulators of a process share: it takes 6 ms to make."""
    return Router(route for routes in provider_routes() for route in routes.table)


@functools.lru_cache(maxsize=4096)
def _split(url: str) -> tuple[str, str, dict[str, str], Destination]:
    """Return the host, the base of links, the query and the destination of a URL; a client asks many times for one."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    destination = planes.find_destination(host, parts.path)
    query = {name.lower(): value for name, value in parse_qsl(parts.query, keep_blank_values=True)}
    return host, f"{parts.scheme}://{parts.netloc}{destination.prefix}", query, destination


def _unknown_route(call: Call, plane: Plane) -> Refusal:
    if plane == "arm":
        return missing_routes.refusal(call)
    return planes.unknown_route(call.method, call.path, call.api_version, what=_SERVICES.get(plane, ""))


def _answer_arm(call: Call, route: Route, body: bytes) -> Reply:
    """Answer a request to Resource Manager, with the checks that it does for every resource provider."""
    _check_arm(call)
    call.body = decode_body("arm", body, call.path)
    return _answer_decoded(call, route)


def _check_arm(call: Call) -> None:
    for check in (tenants.check, roles.check, providers.check, locks.check):
        check(call)


def _answer_decoded(call: Call, route: Route) -> Reply:
    if route.versioned:
        api_versions.check(call, route.path)
    bodies.check_tags(call.body.get("tags") if isinstance(call.body, dict) else None)
    policies.check(call)
    if call.method != "PUT":
        return pages.first_page(call, route.handler(call))
    before = call.store.get(call.path.rstrip("/"))
    reply = route.handler(call)
    resources.note_creation(call, before)
    return reply
