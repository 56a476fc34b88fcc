"""What a provider sees of a request and says in answer: `Call`, `Reply`, `Refusal`, and the table of `Routes`.

A provider's module makes one `Routes`, decorates one plain function a route, and knows nothing of HTTP servers, of
transactions or of how an error is written on each plane.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.emulator.world.store import Store

#: Which host a route lives on: Azure Resource Manager, a Batch account's data plane, the price list, the sign-in
#: service, or the simulator's own control routes.
Plane = Literal["arm", "batch", "prices", "login", "sim"]


@dataclass(slots=True)
class Call:
    """One request, inside its transaction.

    Parameters
    ----------
    world, now
        The world, and its time at this request in seconds since 1970.
    method, host, path
        As sent; `host` without a port.
    base
        Scheme, host and port that links in the answer start with.
    params
        The route's ``{names}``, as sent. On the batch plane `params["account"]` is the account's name, from the host;
        it is not there when neither host nor path named one.
    query, headers
        Names in lower case.
    body
        The decoded JSON, None where there was none.
    request_id
        What the answer bears as its request id; error messages of Batch quote it.
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

    @property
    def api_version(self) -> str:
        """The api-version that was asked for."""
        return self.query.get("api-version", "")


@dataclass(slots=True)
class Reply:
    """An answer.

    Parameters
    ----------
    status
        HTTP status.
    body
        What is written as JSON; None for no body; bytes are sent as they are, and are JSON unless `headers` say what.
    headers
        Beside those that the app adds.
    """

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


class ConnectionDroppedError(Exception):
    """A connection drops: no answer reaches whoever asked.

    Parameters
    ----------
    worked
        Whether the work was done before.
    """

    def __init__(self, *, handled: bool) -> None:
        super().__init__("the connection was dropped " + ("before the answer" if handled else "before the request"))
        self.handled = handled


class Refusal(Exception):  # noqa: N818 - an answer of Azure's, not a fault of ours
    """An error answer; the app writes it in the shape of the plane.

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

    Attributes
    ----------
    bare
        ARM: whether it is written without an ``error`` around it, as before 2016.
    kept
        Whether what the request wrote stays written; otherwise a refused request changes nothing.
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
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.details = details or []
        self.target = target
        self.headers = headers or {}
        self.unwrapped = False
        self.keep_writes = False


@dataclass(frozen=True, slots=True)
class Route:
    """One method on one path pattern of one plane."""

    plane: Plane
    method: str
    path: str
    handler: Callable[[Call], Reply]
    since: str = ""
    until: str = ""
    versioned: bool = True


class Routes:
    """The routes of one provider on one plane.

    Parameters
    ----------
    plane
        Whose host they live on.
    prefix
        What every path starts with.
    versioned
        Whether a request must name an api-version.
    """

    def __init__(self, plane: Plane, prefix: str = "", *, versioned: bool = True) -> None:
        self.plane = plane
        self.prefix = prefix
        self.versioned = versioned
        self.table: list[Route] = []

    def on(
        self, method: str, path: str, *, since: str = "", until: str = ""
    ) -> Callable[[Callable[[Call], Reply]], Callable[[Call], Reply]]:
        """Make the decorated function the answer to ``method path``.

        Parameters
        ----------
        method
            HTTP method.
        path
            Segments, ``{name}`` for any one; letters' case does not matter.
        since, until
            The first and last api-version that has it, empty for no bound.
        """

        def keep(handler: Callable[[Call], Reply]) -> Callable[[Call], Reply]:
            self.table.append(Route(self.plane, method, self.prefix + path, handler, since, until, self.versioned))
            return handler

        return keep
