"""Requests and responses as handlers see them: `Call`, `Reply`, `Refusal`, and the table of `Routes`.

A module of routes creates one `Routes` and decorates one function for each route. It does not deal with HTTP servers,
transactions, or the error format of each plane.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.emulator.world.store import Store

#: The host of a route: Azure Resource Manager, the data plane of a Batch account, the price list, the sign-in service,
#: or the control API of the emulator.
Plane = Literal["arm", "batch", "prices", "login", "sim"]


class Call(msgspec.Struct):
    """One request, inside its transaction.

    Parameters
    ----------
    store, now
        The emulator state, and the simulated time of the request in seconds since 1970.
    method, host, path
        As sent; `host` without the port.
    base
        Scheme, host and port for links in the response.
    params
        The ``{names}`` of the route, as sent. On the batch plane `params["account"]` is the account's name from the
        host; it is missing if neither host nor path has one.
    query, headers
        Names in lower case.
    body
        The decoded JSON, None without a body.
    request_id
        The request id of the response; error messages of Batch contain it.
    send
        Handles another request to Resource Manager inside the transaction of this one, with all its checks.
    shared
        What a request and those that it sends have in common, by name.
    """

    store: Store
    now: float
    method: str
    host: str
    path: str
    base: str
    params: dict[str, str]
    query: dict[str, str]
    headers: dict[str, str]
    body: Any = None
    request_id: str = ""
    send: Callable[[Call], Reply] | None = None
    shared: dict[str, Any] = msgspec.field(default_factory=dict)

    @property
    def api_version(self) -> str:
        """The api-version of the request."""
        return self.query.get("api-version", "")


class Reply(msgspec.Struct):
    """A response.

    Parameters
    ----------
    status
        HTTP status.
    body
        Written as JSON; None for no body. Bytes are sent as they are, and are JSON unless `headers` has a content type.
    headers
        In addition to those that the app adds.
    """

    status: int = 200
    body: Any = None
    headers: dict[str, str] = msgspec.field(default_factory=dict)


class ConnectionDroppedError(Exception):
    """The connection is dropped: the client gets no response.

    Parameters
    ----------
    handled
        Whether the request was handled before.
    """

    def __init__(self, *, handled: bool) -> None:
        super().__init__("the connection was dropped " + ("before the answer" if handled else "before the request"))
        self.handled = handled


class Refusal(Exception):  # noqa: N818 - an error response of Azure, not a fault of the emulator
    """An error response; the app writes it in the format of the plane.

    Parameters
    ----------
    status, code, message
        As Azure has them.
    details
        ARM: ``details`` as (code, message) pairs. Batch: ``values`` as (key, value) pairs.
    target
        ARM's ``target``.
    headers
        E.g. ``Retry-After``.
    additional_info
        ARM's ``additionalInfo``.

    Attributes
    ----------
    unwrapped
        ARM: whether it is written without the surrounding ``error``, as before 2016.
    keep_writes
        Whether the writes of the request are kept; otherwise a refused request changes nothing.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: list[tuple[str, str]] | None = None,
        target: str | None = None,
        headers: dict[str, str] | None = None,
        additional_info: list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.details = details or []
        self.target = target
        self.headers = headers or {}
        self.additional_info = additional_info or []
        self.unwrapped = False
        self.keep_writes = False


class Route(msgspec.Struct, frozen=True):
    """One method on one path pattern of one plane."""

    plane: Plane
    method: str
    path: str
    handler: Callable[[Call], Reply]
    since: str = ""
    until: str = ""
    versioned: bool = True


class Routes:
    """A table of routes on one plane.

    Parameters
    ----------
    plane
        The plane.
    prefix
        The beginning of every path.
    versioned
        Whether a request needs an api-version.
    """

    def __init__(self, plane: Plane, prefix: str = "", *, versioned: bool = True) -> None:
        self.plane = plane
        self.prefix = prefix
        self.versioned = versioned
        self.table: list[Route] = []

    def on(
        self, method: str, path: str, *, since: str = "", until: str = ""
    ) -> Callable[[Callable[[Call], Reply]], Callable[[Call], Reply]]:
        """Register the decorated function as the handler of ``method path``.

        Parameters
        ----------
        method
            HTTP method.
        path
            Segments, with ``{name}`` for a parameter; case does not matter.
        since, until
            The first and last api-version of the route; empty: no bound.
        """

        def keep(handler: Callable[[Call], Reply]) -> Callable[[Call], Reply]:
            self.table.append(Route(self.plane, method, self.prefix + path, handler, since, until, self.versioned))
            return handler

        return keep
